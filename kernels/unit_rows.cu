// Rows of length one: for every replica r and row i, with v = a_i, to which a 1 is appended if
// `appended`,
//   out_i <- v / |v|, norms_i <- |v|
// with squares in float64, so that no row is too small or too large. A row of zeros stays one.
//
// Layout: a float32 [replicas][rows][columns], out the same with columns + appended columns, norms
// float64 [replicas][rows], any strides.
// Launch: a block of 32 to 256 threads for each row, the grid's z over replicas. Bytes an element:
// 4 read from memory and once more from cache, 4 written. FLOP an element: 3.
#include "reduce.cuh"

extern "C" __global__ void unit_rows(const float* __restrict__ a, const int stride,
                                     const long long replica, float* __restrict__ out,
                                     const int outStride, const long long outReplica,
                                     const int appended, double* __restrict__ norms,
                                     const int normsStride, const long long normsReplica,
                                     const int columns, const int replicas) {
  __shared__ double shared[8];
  const long long i = blockIdx.x;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    const float* const row = a + r * replica + i * stride;
    float* const to = out + r * outReplica + i * outStride;
    double squares = 0;
    for (int j = threadIdx.x; j < columns; j += blockDim.x) {
      const double value = row[j];
      squares += value * value;
    }
    const double norm = sqrt(block_sum(squares, shared) + appended);
    const double inverse = norm == 0 ? 0 : 1 / norm;
    for (int j = threadIdx.x; j < columns; j += blockDim.x) {
      to[j] = static_cast<float>(row[j] * inverse);
    }
    if (threadIdx.x == 0) {
      if (appended) {
        to[columns] = static_cast<float>(inverse);
      }
      norms[r * normsReplica + i * normsStride] = norm;
    }
    __syncthreads();
  }
}
