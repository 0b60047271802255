// The activation around reference points, and differences from them (Lane.activateReferences,
// Lane.activateDifferences). For a unit with reference pre-activation z, in float64:
//   activate_references    low <- knot_0 - z, high <- knot_1 - z, base <- clamp(0, low, high), all
//                          rounded to float32; z <- phi(z). For tanh: -z, infinity, tanh z.
// and for differences d of pre-activations, in float32, one row a point:
//   count_transitions      counts_i <- sum over units of |code_(i+1) - code_i|, where a unit's code
//                          is the number of its knots (low, high) below d
//   activate_differences   d <- clamp(d, low, high) - base = phi(z + d) - phi(z)
// The counts come first, in a launch of their own: differences are replaced in place, so a block
// could not know whether the next row is still what it must compare with. That costs 4 of 12 bytes
// an element, and less where the rows stay in the L2 cache.
#include "activation.cuh"
#include "reduce.cuh"

// phi(z) in float64. NaN stays NaN.
__device__ __forceinline__ double wide_value(const Activation a, const double z) {
  if (a.smooth) {
    return tanh(z);
  }
  const double low = a.low;
  const double high = a.high;
  return (z < low ? low : (z > high ? high : z)) + a.shift;
}

// z: float64 [replicas][rows][columns]; bias: float32 [replicas][columns] or null; knots: float32
// [replicas][3 rows][columns], low, high and base of row i in rows 3 i, 3 i + 1 and 3 i + 2. Columns
// from `columns` to `padded` of the knots get knots that no difference crosses.
// Launch: blocks of x by y threads, x over columns, y over rows, the grid's z over replicas, each
// striding. 28 bytes an element, and few elements: one row for hundreds of differences.
extern "C" __global__ void activate_references(
    const int smooth, const float low, const float high, const float shift,
    double* __restrict__ z, const int zStride, const long long zReplica,
    const float* __restrict__ bias, const long long biasReplica, float* __restrict__ knots,
    const int knotsStride, const long long knotsReplica, const int rows, const int columns,
    const int padded, const int replicas) {
  const Activation activation = {smooth, low, high, shift};
  const int rowStep = gridDim.y * blockDim.y;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    for (int j = blockIdx.x * blockDim.x + threadIdx.x; j < padded; j += gridDim.x * blockDim.x) {
      const double b = bias == nullptr || j >= columns ? 0 : bias[r * biasReplica + j];
      for (int i = blockIdx.y * blockDim.y + threadIdx.y; i < rows; i += rowStep) {
        float* const knot = knots + r * knotsReplica + 3ll * i * knotsStride + j;
        float lowKnot = 3.402823466e38f;
        float highKnot = 3.402823466e38f;
        float base = 0;
        if (j < columns) {
          double* const at = z + r * zReplica + static_cast<long long>(i) * zStride + j;
          const double v = *at + b;
          const double value = wide_value(activation, v);
          lowKnot = static_cast<float>(low - v);
          highKnot = static_cast<float>(high - v);
          // From the rounded knots, so that a difference of zero changes the output by zero.
          base = smooth ? static_cast<float>(value)
                        : (0 <= lowKnot ? lowKnot : (0 > highKnot ? highKnot : 0.0f));
          *at = value;
        }
        knot[0] = lowKnot;
        knot[knotsStride] = highKnot;
        knot[2ll * knotsStride] = base;
      }
    }
  }
}

// Launch: a block of 128 threads for each pair of neighbouring rows, threads striding over columns.
// Bytes an element: 4, the next row's again from cache. Integer sums: any order gives the same.
extern "C" __global__ void count_transitions(const float* __restrict__ z, const int stride,
                                             const float* __restrict__ knots,
                                             const int knotsStride, int* __restrict__ counts,
                                             const int columns) {
  __shared__ int shared[4];
  const float* const here = z + static_cast<long long>(blockIdx.x) * stride;
  const float* const next = here + stride;
  int transitions = 0;
  for (int j = threadIdx.x; j < columns; j += blockDim.x) {
    const float v = here[j];
    const float w = next[j];
    const float low = knots[j];
    const float high = knots[knotsStride + j];
    transitions += ((v > low) != (w > low)) + ((v > high) != (w > high));
  }
  transitions = block_sum(transitions, shared);
  if (threadIdx.x == 0) {
    counts[blockIdx.x] = transitions;
  }
}

// Launch: as activate_references. 8 bytes an element; a thread keeps its unit's knots over its rows.
extern "C" __global__ void activate_differences(const int smooth, float* __restrict__ z,
                                                const int stride, const float* __restrict__ knots,
                                                const int knotsStride, const int rows,
                                                const int columns) {
  const Activation activation = {smooth, 0, 0, 0};
  const int rowStep = gridDim.y * blockDim.y;
  for (int j = blockIdx.x * blockDim.x + threadIdx.x; j < columns; j += gridDim.x * blockDim.x) {
    const float low = knots[j];
    const float high = knots[knotsStride + j];
    const float base = knots[2ll * knotsStride + j];
    for (int i = blockIdx.y * blockDim.y + threadIdx.y; i < rows; i += rowStep) {
      float* const at = z + static_cast<long long>(i) * stride + j;
      *at = activation_difference(activation, *at, low, high, base);
    }
  }
}
