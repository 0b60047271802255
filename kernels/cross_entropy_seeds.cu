// The errors that gradients of softmax cross-entropy are propagated back from, scaled so that the
// largest of each row is 1. For logits z of class y, with e_c = exp(z_c - largest of the others):
//   seeds_c <- e_c / S for c != y, S their sum; seeds_y <- -1; zeros where there is one class
//   scale   <- 1 - sigma_y = S x / (1 + S x), x = exp(largest of the others - z_y), taken so that
//              no exponential overflows; NaN where a logit is not finite
//
// Layout: logits and seeds [replicas][rows][C], labels int32 [rows], one list for all replicas,
// scales float64 [replicas][rows], any strides.
// Launch: blocks of 256 threads; `width` lanes (a power of two up to 32) share a row, each with
// every width-th class; the grid's x strides over rows, its z over replicas.
// Bytes a row: 4 C read, mostly from cache the second and third time, 4 C + 8 written. An entry is
// two exponentials and a division in float64.
#include "reduce.cuh"

extern "C" __global__ void cross_entropy_seeds(
    const float* __restrict__ logits, const int logitsStride, const long long logitsReplica,
    const int* __restrict__ labels, float* __restrict__ seeds, const int seedsStride,
    const long long seedsReplica, double* __restrict__ scales, const int scalesStride,
    const long long scalesReplica, const int rows, const int classes, const int width,
    const int replicas) {
  const int lane = threadIdx.x % width;
  const int rowsPerBlock = blockDim.x / width;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    for (int first = blockIdx.x * rowsPerBlock; first < rows; first += gridDim.x * rowsPerBlock) {
      const int i = first + threadIdx.x / width;
      // All lanes of a warp take part in its sums, those without a row with no classes.
      const int mine = i < rows ? classes : 0;
      const int label = i < rows ? labels[i] : 0;
      const float* const z = logits + r * logitsReplica + static_cast<long long>(i) * logitsStride;
      float top = -INFINITY;
      int largest = classes;
      double finite = 0;
      for (int c = lane; c < mine; c += width) {
        const float logit = z[c];
        // NaN where the logit is not finite.
        finite += logit - logit;
        if (c != label && logit > top) {
          top = logit;
          largest = c;
        }
      }
      group_largest(top, largest, width);
      finite = group_sum(finite, width);
      double sum = 0;
      for (int c = lane; c < mine; c += width) {
        sum += c == label ? 0 : exp(static_cast<double>(z[c]) - top);
      }
      sum = group_sum(sum, width);
      float* const to = seeds + r * seedsReplica + static_cast<long long>(i) * seedsStride;
      for (int c = lane; c < mine; c += width) {
        const double other = exp(static_cast<double>(z[c]) - top) / sum;
        to[c] = classes == 1 ? 0.0f : c == label ? -1.0f : static_cast<float>(other);
      }
      if (lane == 0 && i < rows) {
        const double logOdds = static_cast<double>(top) - z[label];
        const double odds = sum * exp(fmin(logOdds, 0.0));
        const double against = exp(fmin(-logOdds, 0.0));
        scales[r * scalesReplica + static_cast<long long>(i) * scalesStride] =
            (classes == 1 ? 0 : odds / (against + odds)) + finite;
      }
    }
  }
}
