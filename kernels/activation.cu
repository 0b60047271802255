// Activations of a layer and what goes with them, element by element. For every replica r, row i
// and column j:
//   activate   h <- phi(z + bias_j), z <- phi'(z + bias_j): the slopes that errors go back through
//   scale      out_i <- a_i * slopes_(i / group)
//   add_bias   z <- z + bias_j
// with phi a clamp between two knots or tanh (activation.cuh).
//
// Layout: row-major [replicas][rows][columns] with any stride between rows and between replicas;
// bias [replicas][columns], or null. Nothing outside of the columns is read or written.
// Launch: blocks of x by y threads, x over packs of 4 or 1 columns (elements.cuh), y over rows, the
// grid's z over replicas; each loop strides over its dimension, so any grid covers any size.
//
//              bytes an element              FLOP an element
//   activate   12 (read z, write h and z)    5 (clamp), about 20 (tanh)
//   scale      8 + 4 / group                 1
//   add_bias   8                             1
// A thread keeps its pack of the bias over all of its rows.
#include "activation.cuh"
#include "elements.cuh"

template <int width>
__device__ __forceinline__ void activate(const Activation activation, float* __restrict__ z,
                                         const int zStride, const long long zReplica,
                                         const float* __restrict__ bias,
                                         const long long biasReplica, float* __restrict__ h,
                                         const int hStride, const long long hReplica,
                                         const int rows, const int columns, const int replicas) {
  const int rowStep = gridDim.y * blockDim.y;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    for (int j = width * (blockIdx.x * blockDim.x + threadIdx.x); j < columns;
         j += width * gridDim.x * blockDim.x) {
      const int count = min(width, columns - j);
      Pack<width> b = {};
      if (bias != nullptr) {
        b = load_pack<width>(bias + r * biasReplica + j, count);
      }
      for (int i = blockIdx.y * blockDim.y + threadIdx.y; i < rows; i += rowStep) {
        float* const zAt = z + r * zReplica + static_cast<long long>(i) * zStride + j;
        float* const hAt = h + r * hReplica + static_cast<long long>(i) * hStride + j;
        const Pack<width> before = load_pack<width>(zAt, count);
        Pack<width> value;
        Pack<width> slope;
#pragma unroll
        for (int k = 0; k < width; k++) {
          const float v = before.at[k] + b.at[k];
          value.at[k] = activation_value(activation, v);
          slope.at[k] = activation_slope(activation, v, value.at[k]);
        }
        store_pack<width>(hAt, value, count);
        store_pack<width>(zAt, slope, count);
      }
    }
  }
}

// `out` may be `a` or `slopes`: hence nothing is restricted.
template <int width>
__device__ __forceinline__ void scale(const float* a, const int aStride, const long long aReplica,
                                      const float* slopes, const int slopesStride,
                                      const long long slopesReplica, const int group, float* out,
                                      const int outStride, const long long outReplica,
                                      const int rows, const int columns, const int replicas) {
  const int rowStep = gridDim.y * blockDim.y;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    for (int j = width * (blockIdx.x * blockDim.x + threadIdx.x); j < columns;
         j += width * gridDim.x * blockDim.x) {
      const int count = min(width, columns - j);
      for (int i = blockIdx.y * blockDim.y + threadIdx.y; i < rows; i += rowStep) {
        Pack<width> value = load_pack<width>(
            a + r * aReplica + static_cast<long long>(i) * aStride + j, count);
        const Pack<width> by = load_pack<width>(
            slopes + r * slopesReplica + static_cast<long long>(i / group) * slopesStride + j,
            count);
#pragma unroll
        for (int k = 0; k < width; k++) {
          value.at[k] *= by.at[k];
        }
        store_pack<width>(out + r * outReplica + static_cast<long long>(i) * outStride + j, value,
                          count);
      }
    }
  }
}

template <int width>
__device__ __forceinline__ void add_bias(float* __restrict__ z, const int zStride,
                                         const long long zReplica,
                                         const float* __restrict__ bias,
                                         const long long biasReplica, const int rows,
                                         const int columns, const int replicas) {
  const int rowStep = gridDim.y * blockDim.y;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    for (int j = width * (blockIdx.x * blockDim.x + threadIdx.x); j < columns;
         j += width * gridDim.x * blockDim.x) {
      const int count = min(width, columns - j);
      const Pack<width> b = load_pack<width>(bias + r * biasReplica + j, count);
      for (int i = blockIdx.y * blockDim.y + threadIdx.y; i < rows; i += rowStep) {
        float* const at = z + r * zReplica + static_cast<long long>(i) * zStride + j;
        Pack<width> value = load_pack<width>(at, count);
#pragma unroll
        for (int k = 0; k < width; k++) {
          value.at[k] += b.at[k];
        }
        store_pack<width>(at, value, count);
      }
    }
  }
}

#define ENTRIES(width)                                                                            \
  extern "C" __global__ void activate_##width(                                                    \
      const int smooth, const float low, const float high, const float shift,                     \
      float* __restrict__ z, const int zStride, const long long zReplica,                         \
      const float* __restrict__ bias, const long long biasReplica, float* __restrict__ h,         \
      const int hStride, const long long hReplica, const int rows, const int columns,             \
      const int replicas) {                                                                       \
    activate<width>({smooth, low, high, shift}, z, zStride, zReplica, bias, biasReplica, h,       \
                    hStride, hReplica, rows, columns, replicas);                                  \
  }                                                                                               \
  extern "C" __global__ void scale_##width(                                                       \
      const float* a, const int aStride, const long long aReplica, const float* slopes,           \
      const int slopesStride, const long long slopesReplica, const int group, float* out,         \
      const int outStride, const long long outReplica, const int rows, const int columns,         \
      const int replicas) {                                                                       \
    scale<width>(a, aStride, aReplica, slopes, slopesStride, slopesReplica, group, out,           \
                 outStride, outReplica, rows, columns, replicas);                                 \
  }                                                                                               \
  extern "C" __global__ void add_bias_##width(                                                    \
      float* __restrict__ z, const int zStride, const long long zReplica,                         \
      const float* __restrict__ bias, const long long biasReplica, const int rows,                \
      const int columns, const int replicas) {                                                    \
    add_bias<width>(z, zStride, zReplica, bias, biasReplica, rows, columns, replicas);            \
  }

ENTRIES(4)
ENTRIES(1)
