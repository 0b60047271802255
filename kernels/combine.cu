// Rows that combine a few vectors: points of a trajectory. For every replica r and row i
//   out_i <- sign * offset + sum over k < terms of coefficients[i, k] * vectors[indices[i, k]]
// summed in float64, in this order, and rounded once.
//
// Layout: vectors float64 [replicas][any][columns]; offset float64 [replicas][columns] or null; out
// float64 or float32 [replicas][rows][columns]; any strides. indices int32 and coefficients float64
// [rows][terms], one list for all replicas.
// Launch: blocks of x by y threads, x over columns, y over rows, the grid's z over replicas, each
// striding. The few vectors stay in cache: 4 or 8 bytes an element are written, 2 terms + 1 FLOP.
template <typename Out>
__device__ __forceinline__ void combine(const double* __restrict__ vectors,
                                        const int vectorsStride, const long long vectorsReplica,
                                        const int terms, const int* __restrict__ indices,
                                        const double* __restrict__ coefficients,
                                        const double* __restrict__ offset,
                                        const long long offsetReplica, const double sign,
                                        Out* __restrict__ out, const int outStride,
                                        const long long outReplica, const int rows,
                                        const int columns, const int replicas) {
  const int rowStep = gridDim.y * blockDim.y;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    for (int j = blockIdx.x * blockDim.x + threadIdx.x; j < columns; j += gridDim.x * blockDim.x) {
      const double start = offset == nullptr ? 0 : sign * offset[r * offsetReplica + j];
      for (int i = blockIdx.y * blockDim.y + threadIdx.y; i < rows; i += rowStep) {
        const long long first = static_cast<long long>(i) * terms;
        double sum = start;
        for (int k = 0; k < terms; k++) {
          const long long row = indices[first + k];
          sum += coefficients[first + k] * vectors[r * vectorsReplica + row * vectorsStride + j];
        }
        out[r * outReplica + static_cast<long long>(i) * outStride + j] = static_cast<Out>(sum);
      }
    }
  }
}

#define ENTRY(type, name)                                                                         \
  extern "C" __global__ void combine_to_##name(                                                   \
      const double* __restrict__ vectors, const int vectorsStride,                                \
      const long long vectorsReplica, const int terms, const int* __restrict__ indices,           \
      const double* __restrict__ coefficients, const double* __restrict__ offset,                 \
      const long long offsetReplica, const double sign, type* __restrict__ out,                   \
      const int outStride, const long long outReplica, const int rows, const int columns,         \
      const int replicas) {                                                                       \
    combine<type>(vectors, vectorsStride, vectorsReplica, terms, indices, coefficients, offset,   \
                  offsetReplica, sign, out, outStride, outReplica, rows, columns, replicas);      \
  }

ENTRY(float, float32)
ENTRY(double, float64)
