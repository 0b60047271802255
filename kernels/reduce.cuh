// Sums and maxima over the threads of a warp or a block, in an order that depends on nothing but
// their number: the same bits on every run. Every thread that is part of it must call, and gets the
// result.
#pragma once

// Sums over groups of `width` neighbouring lanes, a power of two up to 32.
__device__ __forceinline__ double group_sum(double value, const int width) {
  for (int d = width / 2; d > 0; d /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, d, width);
  }
  return value;
}

__device__ __forceinline__ float group_sum(float value, const int width) {
  for (int d = width / 2; d > 0; d /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, d, width);
  }
  return value;
}

// The largest value of such a group and its index; of equal values, the least index. There is no
// short-circuit, so no branch. NaN is never the largest.
__device__ __forceinline__ void group_largest(float& value, int& index, const int width) {
  for (int d = width / 2; d > 0; d /= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, value, d, width);
    const int otherIndex = __shfl_xor_sync(0xffffffffu, index, d, width);
    const bool better = (other > value) | ((other == value) & (otherIndex < index));
    value = better ? other : value;
    index = better ? otherIndex : index;
  }
}

// Sums over a block of up to 1024 threads in x, a multiple of 32. `shared` has room for one value a
// warp and may be used again after the next barrier.
template <typename T>
__device__ __forceinline__ T block_sum(T value, T* shared) {
  for (int d = 16; d > 0; d /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, d);
  }
  if (threadIdx.x % 32 == 0) {
    shared[threadIdx.x / 32] = value;
  }
  __syncthreads();
  T sum = 0;
  for (int warp = 0; warp < blockDim.x / 32; warp++) {
    sum += shared[warp];
  }
  return sum;
}
