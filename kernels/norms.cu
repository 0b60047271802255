// The Frobenius norm of the probabilities' Jacobian J = (diag sigma - sigma sigma^T) A where the
// logits' Jacobian A is known by its Gram matrix G = A A^T, as it is throughout a linear region.
// Rows are taken relative to that of the most probable class y, b_i = a_i - a_y, so that nothing
// cancels where sigma_y is almost 1: row i of J is sigma_i (b_i - m) with m = sum_j sigma_j b_j.
// With B_ij = b_i . b_j = G_ij - G_iy - G_jy + G_yy and v_i = b_i . m = sum_j sigma_j B_ij
//   norm^2 = sum over i != y of sigma_i^2 (B_ii - 2 v_i)  +  sum_i sigma_i^2  *  sum_i sigma_i v_i
//
// Layout: logits [points][C], grams float64 [any][C^2], regions int32 [points] (which Gram matrix a
// point has), norms float64 [points], any strides.
// Launch: blocks of 256 threads; `width` lanes (a power of two up to 32) share a point, each with
// every width-th class; the grid strides over points. `sigmas`: float64 [blocks][256 / width][C].
// Neighbouring points mostly share a region, so Gram matrices come from cache: 4 C + 12 bytes a
// point; in float64 4 C^2 FLOP, C exponentials and C divisions.
#include "softmax.cuh"

extern "C" __global__ void probability_norms(
    const float* __restrict__ logits, const int logitsStride, const double* __restrict__ grams,
    const int gramsStride, const int* __restrict__ regions, double* __restrict__ norms,
    const int normsStride, double* sigmas, const int points, const int classes, const int width) {
  const int lane = threadIdx.x % width;
  const int pointsPerBlock = blockDim.x / width;
  double* const sigma =
      sigmas +
      (static_cast<long long>(blockIdx.x) * pointsPerBlock + threadIdx.x / width) * classes;
  for (int first = blockIdx.x * pointsPerBlock; first < points;
       first += gridDim.x * pointsPerBlock) {
    const int i = first + threadIdx.x / width;
    const int mine = i < points ? classes : 0;
    const int y = group_softmax(logits + static_cast<long long>(i) * logitsStride, mine, lane,
                                width, sigma);
    const double* const g =
        i < points ? grams + static_cast<long long>(regions[i]) * gramsStride : nullptr;
    double total = 0;
    double squaredMean = 0;
    double weight = 0;
    // Without a largest logit the softmax is NaN, and so is the norm.
    for (int c = lane; c < mine && y < mine; c += width) {
      const double own = sigma[c];
      weight += own * own;
      if (c == y) {
        continue;
      }
      const double* const ofY = g + static_cast<long long>(y) * classes;
      const double shift = ofY[y] - ofY[c];
      double alongMean = 0;
      for (int j = 0; j < classes; j++) {
        // Symmetric: column c of row j, so that neighbouring lanes read neighbouring numbers.
        const double inner = g[static_cast<long long>(j) * classes + c] - ofY[j] + shift;
        alongMean += j == y ? 0 : sigma[j] * inner;
      }
      const double square = g[static_cast<long long>(c) * classes + c] - ofY[c] + shift;
      total += own * own * (square - 2 * alongMean);
      squaredMean += own * alongMean;
    }
    total = group_sum(total, width);
    squaredMean = group_sum(squaredMean, width);
    weight = group_sum(weight, width);
    if (lane == 0 && i < points) {
      const double squared = total + weight * squaredMean;
      // Rounding may leave a tiny negative number where A is constant over the classes.
      norms[static_cast<long long>(i) * normsStride] =
          y == classes ? NAN : sqrt(squared < 0 ? 0 : squared);
    }
    __syncwarp();
  }
}
