// Element-wise kernels work on packs: `width` neighbouring elements of a row, 4 where every operand
// is aligned to 16 bytes and 1 otherwise, so that one load or store moves a pack. The last pack of
// a row may hold fewer; what lies behind a row's columns is neither read nor written.
#pragma once

template <int width>
struct Pack {
  float at[width];
};

// `count` elements, the rest zeros.
template <int width>
__device__ __forceinline__ Pack<width> load_pack(const float* from, const int count) {
  Pack<width> pack;
  if (width == 4 && count == 4) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    pack.at[0] = four.x;
    pack.at[1 % width] = four.y;
    pack.at[2 % width] = four.z;
    pack.at[3 % width] = four.w;
  } else {
#pragma unroll
    for (int k = 0; k < width; k++) {
      pack.at[k] = k < count ? from[k] : 0.0f;
    }
  }
  return pack;
}

template <int width>
__device__ __forceinline__ void store_pack(float* to, const Pack<width> pack, const int count) {
  if (width == 4 && count == 4) {
    *reinterpret_cast<float4*>(to) = make_float4(pack.at[0], pack.at[1 % width],
                                                 pack.at[2 % width], pack.at[3 % width]);
  } else {
#pragma unroll
    for (int k = 0; k < width; k++) {
      if (k < count) {
        to[k] = pack.at[k];
      }
    }
  }
}

// Calls visit(replica, row) for a thread's share of the rows of all replicas: the grid's z and the y
// of blocks and threads.
template <typename Visit>
__device__ __forceinline__ void each_row(const int rows, const int replicas, const Visit visit) {
  const int rowStep = gridDim.y * blockDim.y;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    for (int i = blockIdx.y * blockDim.y + threadIdx.y; i < rows; i += rowStep) {
      visit(static_cast<long long>(r), static_cast<long long>(i));
    }
  }
}
