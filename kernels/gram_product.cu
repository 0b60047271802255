// The elementwise product of two products of rows, with factors: for every replica r
//   C[i, j] <- beta C[i, j] + u[i] v[j] (A[i] . B[j]) (D[i] . E[j])
// which for a dense layer's inputs and errors at two sets of examples is the product of its
// weights' gradients at every pair. Both products of a tile stay in registers: nothing but C, once
// an operation, goes to memory.
//
// Layout: A m x kA, B n x kA, D m x kD, E n x kD, C m x n, all row-major, any sizes, strides and
// alignment; where rows start at multiples of 16 bytes they are read 16 bytes at a time. u [m] and
// v [n] in one row a replica, or null for ones. With beta = 0, C is not read.
// Launch: blockIdx.x = replica * tiles + tile, tiles of 64 x 64 outputs row by row, 256 threads,
// each with 4 x 4 outputs of either product, in the layout of tiled_nt_64 (gemm.cu).
// Order: each of the two products is summed by one thread from index 0 on, so an output has the
// same bits wherever it lies in a tile.
// Per tile of S x S outputs: 2 S^2 (kA + kD) FLOP, each k rounded up to 4, for 2 S (kA + kD) values
// read, that is 16 FLOP a byte; and 4 bytes an output written, 8 where beta is not 0.
#include "gemm_tile.cuh"

constexpr int SIDE = 16;
constexpr int MICRO = 4;
constexpr int SIZE = SIDE * MICRO;

// Adds a tile's products to one thread's outputs.
struct Multiply {
  float (&sums)[MICRO][MICRO];
  int aFirst;
  int bFirst;

  __device__ __forceinline__ static void quad(const float* from, const int i, float out[4]) {
    const float4 v = *reinterpret_cast<const float4*>(from + i * SIDE * DEPTH);
    out[0] = v.x;
    out[1] = v.y;
    out[2] = v.z;
    out[3] = v.w;
  }

  __device__ __forceinline__ void operator()(const float* aTile, const float* bTile,
                                             const int depth) const {
#pragma unroll 1
    for (int from = 0; from < depth; from += 4) {
      const float* const aQuad = aTile + tile_quad<true, SIZE>(aFirst, from);
      const float* const bQuad = bTile + tile_quad<true, SIZE>(bFirst, from);
      float bs[MICRO][4];
#pragma unroll
      for (int j = 0; j < MICRO; j++) {
        quad(bQuad, j, bs[j]);
      }
#pragma unroll
      for (int i = 0; i < MICRO; i++) {
        float as[4];
        quad(aQuad, i, as);
#pragma unroll
        for (int in = 0; in < 4; in++) {
#pragma unroll
          for (int j = 0; j < MICRO; j++) {
            sums[i][j] = fmaf(as[in], bs[j][in], sums[i][j]);
          }
        }
      }
    }
  }
};

extern "C" __global__ void __launch_bounds__(256) gram_product(
    const float* __restrict__ a, const int aStride, const long long aReplica,
    const float* __restrict__ b, const int bStride, const long long bReplica, const int aDepth,
    const float* __restrict__ d, const int dStride, const long long dReplica,
    const float* __restrict__ e, const int eStride, const long long eReplica, const int dDepth,
    const float* __restrict__ u, const long long uReplica, const float* __restrict__ v,
    const long long vReplica, const float beta, float* __restrict__ c, const int cStride,
    const long long cReplica, const int m, const int n) {
  const int across = (n + SIZE - 1) / SIZE;
  const int tiles = (m + SIZE - 1) / SIZE * across;
  const long long r = blockIdx.x / tiles;
  const int tile = blockIdx.x % tiles;
  const int firstRow = tile / across * SIZE;
  const int firstColumn = tile % across * SIZE;
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int ty = warp / (SIDE / 8) * 4 + lane / 8;
  const int tx = warp % (SIDE / 8) * 8 + lane % 8;
  const int aFirst = tile_slot<true, SIZE>(ty, 0);
  const int bFirst = tile_slot<true, SIZE>(tx, 0);
  const auto rows = [](const float* from, const int stride, const long long replica,
                       const int first, const int count, const int depth) {
    return Operand{from + replica + static_cast<long long>(first) * stride, stride, count - first,
                   depth};
  };

  float products[MICRO][MICRO] = {};
  float errors[MICRO][MICRO] = {};
  each_tile<true, true, SIZE, SIDE * SIDE, false>(
      rows(a, aStride, r * aReplica, firstRow, m, aDepth),
      rows(b, bStride, r * bReplica, firstColumn, n, aDepth), Multiply{products, aFirst, bFirst});
  // All are done with the last tile, whose place those of the other product take.
  __syncthreads();
  each_tile<true, true, SIZE, SIDE * SIDE, false>(
      rows(d, dStride, r * dReplica, firstRow, m, dDepth),
      rows(e, eStride, r * eReplica, firstColumn, n, dDepth), Multiply{errors, aFirst, bFirst});

#pragma unroll
  for (int i = 0; i < MICRO; i++) {
    const int row = firstRow + ty + i * SIDE;
    if (row >= m) {
      continue;
    }
    float* const out = c + r * cReplica + static_cast<long long>(row) * cStride;
    const float factor = u == nullptr ? 1.0f : u[r * uReplica + row];
#pragma unroll
    for (int j = 0; j < MICRO; j++) {
      const int column = firstColumn + tx + j * SIDE;
      if (column < n) {
        const float both = v == nullptr ? factor : factor * v[r * vReplica + column];
        const float product = products[i][j] * errors[i][j] * both;
        out[column] = beta == 0 ? product : fmaf(beta, out[column], product);
      }
    }
  }
}
