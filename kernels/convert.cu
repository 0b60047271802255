// Copies between float32 and float64, element by element: widen is exact, narrow rounds to nearest.
//
// Layout: [replicas][rows][columns], any strides. Launch: blocks of x by y threads, x over columns,
// y over rows, the grid's z over replicas, each striding. 12 bytes an element; neighbouring threads
// take neighbouring elements, so every sector that is touched is used whole.
template <typename In, typename Out>
__device__ __forceinline__ void convert(const In* __restrict__ in, const int inStride,
                                        const long long inReplica, Out* __restrict__ out,
                                        const int outStride, const long long outReplica,
                                        const int rows, const int columns, const int replicas) {
  const int rowStep = gridDim.y * blockDim.y;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    for (int j = blockIdx.x * blockDim.x + threadIdx.x; j < columns; j += gridDim.x * blockDim.x) {
      for (int i = blockIdx.y * blockDim.y + threadIdx.y; i < rows; i += rowStep) {
        out[r * outReplica + static_cast<long long>(i) * outStride + j] =
            static_cast<Out>(in[r * inReplica + static_cast<long long>(i) * inStride + j]);
      }
    }
  }
}

extern "C" __global__ void widen(const float* __restrict__ in, const int inStride,
                                 const long long inReplica, double* __restrict__ out,
                                 const int outStride, const long long outReplica, const int rows,
                                 const int columns, const int replicas) {
  convert(in, inStride, inReplica, out, outStride, outReplica, rows, columns, replicas);
}

extern "C" __global__ void narrow(const double* __restrict__ in, const int inStride,
                                  const long long inReplica, float* __restrict__ out,
                                  const int outStride, const long long outReplica, const int rows,
                                  const int columns, const int replicas) {
  convert(in, inStride, inReplica, out, outStride, outReplica, rows, columns, replicas);
}
