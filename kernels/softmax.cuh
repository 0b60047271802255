// The softmax of one row of logits in float64, by `width` neighbouring lanes of a warp.
#pragma once

#include "reduce.cuh"

// sigma_c <- softmax(z)_c for c < classes; returns the first class of the largest logit, or
// `classes` where none is larger than minus infinity: the softmax is NaN then. Every lane of the
// warp must call, with classes = 0 where its group has no row. What the lanes of a group
// wrote, all of them may read afterwards.
__device__ __forceinline__ int group_softmax(const float* __restrict__ z, const int classes,
                                             const int lane, const int width, double* sigma) {
  float top = -INFINITY;
  int largest = classes;
  for (int c = lane; c < classes; c += width) {
    if (z[c] > top) {
      top = z[c];
      largest = c;
    }
  }
  group_largest(top, largest, width);
  double sum = 0;
  for (int c = lane; c < classes; c += width) {
    const double e = exp(static_cast<double>(z[c]) - top);
    sigma[c] = e;
    sum += e;
  }
  sum = group_sum(sum, width);
  for (int c = lane; c < classes; c += width) {
    sigma[c] /= sum;
  }
  __syncwarp();
  return largest;
}
