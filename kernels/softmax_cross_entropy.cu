// Softmax cross-entropy of rows of logits, with its gradient and whether the class was hit, in one
// pass. With m = max_c z_c, e_c = exp(z_c - m), s = sum_c e_c, y the label of the row:
//   loss     <- (m - z_y) + log s
//   correct  <- 1 where y is the first c with z_c = m, else 0
//   gradient <- factor * e_c / s, and for c = y: -factor * (sum over c != y of e_c) / s
// Nothing overflows: no exponent is positive. Nothing cancels: 1 - softmax_y is taken as the sum of
// the others, and where the label has the largest logit log s is log1p of the others' sum, so that
// a loss of 1e-12 still has all its digits. A NaN, or a row whose largest logit is infinite, makes
// the loss NaN, an infinite loss stays infinite, and a label that is no class makes it NaN: training
// halts on each.
//
// Layout: logits and gradient [replicas][rows][classes], loss and correct [replicas][rows], any
// strides; labels int32 [replicas][rows]. The gradient may be the logits, or null.
// Launch: blocks of 256 threads; `width` lanes (a power of two up to 32) share a row and stride over
// its classes, so ten classes put two rows into a warp and a thousand are 32 a lane. The grid's x
// strides over rows, its z over replicas.
// A logit is read three times, twice from cache: 8 bytes an element and 12 a row of memory traffic,
// two exponentials an element. float32 throughout: the relative error of e_c is that of rounding
// z_c - m, |z_c - m| 2^-24, plus two units in the last place.
#include "reduce.cuh"

extern "C" __global__ void softmax_cross_entropy(
    const float* logits, const int logitsStride, const long long logitsReplica,
    const int* __restrict__ labels, const long long labelsReplica, const float factor,
    float* gradient, const int gradientStride, const long long gradientReplica,
    float* __restrict__ loss, const int lossStride, const long long lossReplica,
    float* __restrict__ correct, const int correctStride, const long long correctReplica,
    const int rows, const int classes, const int width, const int replicas) {
  const int lane = threadIdx.x % width;
  const int rowsPerBlock = blockDim.x / width;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    for (int first = blockIdx.x * rowsPerBlock; first < rows; first += gridDim.x * rowsPerBlock) {
      const int i = first + threadIdx.x / width;
      // Lanes without a row take part in the exchanges with the others of their warp.
      const int mine = i < rows ? classes : 0;
      const int label = i < rows ? labels[r * labelsReplica + i] : -1;
      const float* const z =
          logits + r * logitsReplica + static_cast<long long>(i) * logitsStride;

      float top = -INFINITY;
      float ofLabel = NAN;
      int largest = classes;
      for (int c = lane; c < mine; c += width) {
        const float v = z[c];
        // A NaN is passed over here and shows in the exponentials.
        if (v > top) {
          top = v;
          largest = c;
        }
        ofLabel = c == label ? v : ofLabel;
      }
      group_largest(top, largest, width);
      ofLabel = __shfl_sync(0xffffffffu, ofLabel, label & (width - 1), width);

      float others = 0;
      for (int c = lane; c < mine; c += width) {
        others += c == label ? 0.0f : expf(z[c] - top);
      }
      others = group_sum(others, width);
      const float own = expf(ofLabel - top);
      const float sum = others + own;
      if (gradient != nullptr) {
        float* const g =
            gradient + r * gradientReplica + static_cast<long long>(i) * gradientStride;
        for (int c = lane; c < mine; c += width) {
          // The gradient may replace the logits: each is read before it is written, by one thread.
          g[c] = factor * (c == label ? -(others / sum) : expf(z[c] - top) / sum);
        }
      }
      if (lane == 0 && i < rows) {
        // Where the largest logit is infinite its own exponential is NaN, not 1.
        loss[r * lossReplica + static_cast<long long>(i) * lossStride] =
            label == largest && own == 1 ? log1pf(others) : (top - ofLabel) + logf(sum);
        correct[r * correctReplica + static_cast<long long>(i) * correctStride] =
            label == largest ? 1.0f : 0.0f;
      }
    }
  }
}
