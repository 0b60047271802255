// Matrix products, one for each replica: C[r] <- op(A[r]) op(B[r]) + beta C[r].
//
// Shapes: op(A) is m x k, op(B) is k x n, C is m x n, all row-major: element (i, j) of a matrix as
// it is stored stands at r * replica stride + i * stride + j. The letters in a kernel's name say
// whether A and B are taken as they are (n) or transposed (t): forward is nt, errors backward nn,
// gradients tn. Any sizes, any strides, any alignment; where rows start at multiples of 16 bytes
// they are read 16 bytes at a time. With beta = 0, C is not read.
//
// Launch: blockIdx.x = replica * tiles + tile, tiles of C row by row; blockIdx.y is a piece of
// `pieceDepth` summed indices, whose product goes to C + piece * pieceOfC (one piece: the product
// itself). Threads of a block: tiled_*_128 and tensor_*_128 256, tiled_*_64 256, tensor_*_64 128,
// tiled_*_32 64, wide_* 256.
//
// Order: an output is summed by one thread, in an order that k alone decides: not the tile's size,
// not the number of replicas, not where the matrix lies. So a network has the same bits alone and
// in a stack. tiled_* and wide_* add products one by one from index 0 on, each with one rounding.
//
// Per tile of S x S outputs over k summed indices: 2 S^2 k FLOP (k rounded up to 4; tensor_*: 6
// S^2 k, k rounded up to 16) for 2 S k values read, that is S/4 FLOP a byte (S = 128: 32, 64: 16,
// 32: 8), counted with what the tile sticks out over C's edges; and 4 bytes an output written.
//
// tiled_*: float32 on any card. Each thread holds 8 x 8 outputs (4 x 4 in smaller tiles): 64 (16)
//   multiply-adds for every 4 (2) reads of 16 bytes from shared memory. tiled_*_128 (and
//   tensor_*_128) need every row of A and B at a multiple of 16 bytes: with the choice between 16
//   and 4 bytes left to run time, its registers no longer fit two blocks on a multiprocessor. For
//   the same reason the inner loop of tiled_nn_128 takes two summed indices at a time: four
//   spilled.
// tensor_*: float32 accuracy on tensor cores, from sm_80 on: each value is split into two TF32
//   numbers, and three of their four products are summed (mma.cuh), 16 summed indices inside the
//   tensor core, which rounds towards zero, and those sums in float32, which rounds to nearest
//   (Ootomo and Yokota, "Recovering single precision accuracy from Tensor Cores while surpassing
//   the FP32 theoretical peak performance", 2022). A value that TF32 rounds to infinity (from
//   3.4e38 on) makes its products NaN, and values below 1e-31 lose digits. Which of a tile's 16
//   summed indices takes which place in a fragment is free as long as A and B agree: thread t % 4
//   takes 4 neighbours, which are one read of 16 bytes.
// wide_*: float64, for reference points and Cholesky factors.
// sum_pieces: C <- sum of pieces + beta C, piece 0 first: one thread an output.

#include "gemm_tile.cuh"
#include "mma.cuh"

// Names `value` so that every product takes the same parameters in the same order.
#define PRODUCT_PARAMETERS(value)                                                               \
  const value *__restrict__ a, const int aStride, const long long aReplica,                     \
      const value *__restrict__ b, const int bStride, const long long bReplica,                 \
      value *__restrict__ c, const int cStride, const long long cReplica, const int m,          \
      const int n, const int k, const float beta, const int pieceDepth, const long long pieceOfC
#define PRODUCT_ARGUMENTS                                                                        \
  a, aStride, aReplica, b, bStride, bReplica, c, cStride, cReplica, m, n, k, beta, pieceDepth, \
      pieceOfC

// What a block computes.
struct Tile {
  int replica;
  int row;
  int column;
  // The first summed index, and how many there are.
  int from;
  int depth;

  __device__ __forceinline__ Tile(const int size, const int m, const int n, const int k,
                                  const int pieceDepth) {
    const int across = (n + size - 1) / size;
    const int tiles = (m + size - 1) / size * across;
    replica = blockIdx.x / tiles;
    const int tile = blockIdx.x % tiles;
    row = tile / across * size;
    column = tile % across * size;
    from = blockIdx.y * pieceDepth;
    depth = min(pieceDepth, k - from);
  }

  // The part of an operand that this tile's first row (or column) of C and first summed index
  // start.
  template <bool ALONG>
  __device__ __forceinline__ Operand operand(const float* values, const int stride,
                                             const long long replicaStride, const int first,
                                             const int rows) const {
    const long long at =
        ALONG ? (long long)first * stride + from : (long long)from * stride + first;
    return {values + replica * replicaStride + at, stride, rows - first, depth};
  }
};

template <class Value>
__device__ __forceinline__ void put(Value* c, const Value sum, const Value beta) {
  *c = beta == 0 ? sum : fma(beta, *c, sum);
}

// A product in tiles of (SIDE * MICRO)^2 outputs by SIDE^2 threads. A warp is 4 x 8 threads, and
// each thread has MICRO x MICRO outputs: rows SIDE apart where the operand runs along the summed
// index, and quads of rows where it runs across, so that a warp's reads of 16 bytes never meet in
// a bank.
template <bool A_ALONG, bool B_ALONG, int SIDE, int MICRO>
__device__ __forceinline__ void tiled(PRODUCT_PARAMETERS(float)) {
  constexpr int SIZE = SIDE * MICRO;
  const Tile tile(SIZE, m, n, k, pieceDepth);
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int ty = warp / (SIDE / 8) * 4 + lane / 8;
  const int tx = warp % (SIDE / 8) * 8 + lane % 8;
  float sums[MICRO][MICRO] = {};

  const int aFirst = tile_slot<A_ALONG, SIZE>(A_ALONG ? ty : 4 * ty, 0);
  const int bFirst = tile_slot<B_ALONG, SIZE>(B_ALONG ? tx : 4 * tx, 0);

  // Four summed indices of row i of an operand that runs along them.
  const auto along = [](const float* quad, const int i, float out[4]) {
    const float4 v = *reinterpret_cast<const float4*>(quad + i * SIDE * DEPTH);
    out[0] = v.x;
    out[1] = v.y;
    out[2] = v.z;
    out[3] = v.w;
  };
  // One of four summed indices of an operand that runs across.
  const auto across = [](const float* quad, const int in, float out[MICRO]) {
#pragma unroll
    for (int i = 0; i < MICRO; i += 4) {
      const float4 v = *reinterpret_cast<const float4*>(quad + in * SIZE + i * SIDE);
      out[i] = v.x;
      out[i + 1] = v.y;
      out[i + 2] = v.z;
      out[i + 3] = v.w;
    }
  };
  const auto multiply = [&](const float* aTile, const float* bTile, const int depth) {
#pragma unroll 1
    for (int quad = 0; quad < depth; quad += 4) {
      const float* aQuad = aTile + tile_quad<A_ALONG, SIZE>(aFirst, quad);
      const float* bQuad = bTile + tile_quad<B_ALONG, SIZE>(bFirst, quad);
      // Kept in registers: as few values as leave room for the sums.
      if constexpr (A_ALONG && B_ALONG) {
        float bs[MICRO][4];
#pragma unroll
        for (int j = 0; j < MICRO; j++) {
          along(bQuad, j, bs[j]);
        }
#pragma unroll
        for (int i = 0; i < MICRO; i++) {
          float as[4];
          along(aQuad, i, as);
#pragma unroll
          for (int in = 0; in < 4; in++) {
#pragma unroll
            for (int j = 0; j < MICRO; j++) {
              sums[i][j] = fmaf(as[in], bs[j][in], sums[i][j]);
            }
          }
        }
      } else if constexpr (A_ALONG) {
#pragma unroll 1
        for (int half = 0; half < 4; half += 2) {
          float2 as[MICRO];
#pragma unroll
          for (int i = 0; i < MICRO; i++) {
            as[i] = *reinterpret_cast<const float2*>(
                aQuad + i * SIDE * DEPTH + half);
          }
#pragma unroll
          for (int in = 0; in < 2; in++) {
            float bs[MICRO];
            across(bQuad, half + in, bs);
#pragma unroll
            for (int i = 0; i < MICRO; i++) {
#pragma unroll
              for (int j = 0; j < MICRO; j++) {
                sums[i][j] = fmaf(in == 0 ? as[i].x : as[i].y, bs[j], sums[i][j]);
              }
            }
          }
        }
      } else if constexpr (B_ALONG) {
        float as[4][MICRO];
#pragma unroll
        for (int in = 0; in < 4; in++) {
          across(aQuad, in, as[in]);
        }
#pragma unroll
        for (int j = 0; j < MICRO; j++) {
          float bs[4];
          along(bQuad, j, bs);
#pragma unroll
          for (int in = 0; in < 4; in++) {
#pragma unroll
            for (int i = 0; i < MICRO; i++) {
              sums[i][j] = fmaf(as[in][i], bs[in], sums[i][j]);
            }
          }
        }
      } else {
#pragma unroll
        for (int in = 0; in < 4; in++) {
          float as[MICRO];
          float bs[MICRO];
          across(aQuad, in, as);
          across(bQuad, in, bs);
#pragma unroll
          for (int i = 0; i < MICRO; i++) {
#pragma unroll
            for (int j = 0; j < MICRO; j++) {
              sums[i][j] = fmaf(as[i], bs[j], sums[i][j]);
            }
          }
        }
      }
    }
  };
  each_tile<A_ALONG, B_ALONG, SIZE, SIDE * SIDE, SIZE == 128>(
      tile.operand<A_ALONG>(a, aStride, aReplica, tile.row, m),
      tile.operand<B_ALONG>(b, bStride, bReplica, tile.column, n), multiply);

  float* out = c + tile.replica * cReplica + blockIdx.y * pieceOfC;
  const bool quads = (reinterpret_cast<unsigned long long>(out) & 15) == 0 && (cStride & 3) == 0;
#pragma unroll
  for (int i = 0; i < MICRO; i++) {
    const int row = tile.row + (A_ALONG ? ty + i * SIDE : 4 * ty + i % 4 + i / 4 * 4 * SIDE);
    if (row >= m) {
      continue;
    }
    float* outRow = out + (long long)row * cStride;
    if constexpr (B_ALONG) {
#pragma unroll
      for (int j = 0; j < MICRO; j++) {
        const int column = tile.column + tx + j * SIDE;
        if (column < n) {
          put(outRow + column, sums[i][j], beta);
        }
      }
    } else {
#pragma unroll
      for (int j = 0; j < MICRO; j += 4) {
        const int column = tile.column + 4 * tx + j * SIDE;
        if (quads && beta == 0 && column + 3 < n) {
          *reinterpret_cast<float4*>(outRow + column) =
              make_float4(sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]);
        } else {
#pragma unroll
          for (int in = 0; in < 4; in++) {
            if (column + in < n) {
              put(outRow + column + in, sums[i][j + in], beta);
            }
          }
        }
      }
    }
  }
}

// Blocks of 128 x 128 on a multiprocessor: one before sm_80, where the next tile waits in
// registers.
#if __CUDA_ARCH__ >= 800
#define BLOCKS 2
#else
#define BLOCKS 1
#endif

#define TILED_32(name, aAlong, bAlong)                                                          \
  extern "C" __global__ void __launch_bounds__(64) tiled_##name##_32(PRODUCT_PARAMETERS(float)) { \
    tiled<aAlong, bAlong, 8, 4>(PRODUCT_ARGUMENTS);                                             \
  }
#define TILED_64(name, aAlong, bAlong)                                                          \
  extern "C" __global__ void __launch_bounds__(256)                                             \
      tiled_##name##_64(PRODUCT_PARAMETERS(float)) {                                            \
    tiled<aAlong, bAlong, 16, 4>(PRODUCT_ARGUMENTS);                                            \
  }
#define TILED_128(name, aAlong, bAlong)                                                         \
  extern "C" __global__ void __launch_bounds__(256, BLOCKS)                                     \
      tiled_##name##_128(PRODUCT_PARAMETERS(float)) {                                           \
    tiled<aAlong, bAlong, 16, 8>(PRODUCT_ARGUMENTS);                                            \
  }

TILED_32(nn, true, false)
TILED_32(nt, true, true)
TILED_32(tn, false, false)
TILED_64(nn, true, false)
TILED_64(nt, true, true)
TILED_64(tn, false, false)
TILED_64(tt, false, true)
TILED_128(nn, true, false)
TILED_128(nt, true, true)
TILED_128(tn, false, false)

#if __CUDA_ARCH__ >= 800

// Four summed indices of one row of an operand, 4 (lane % 4) on, split.
template <bool ALONG, int SIZE>
__device__ __forceinline__ void split_quad(const float* tile, const int row, const int in,
                                           Split out[4]) {
  if constexpr (ALONG) {
    const float4 v = *reinterpret_cast<const float4*>(tile + tile_slot<true, SIZE>(row, 4 * in));
    out[0] = split_tf32(v.x);
    out[1] = split_tf32(v.y);
    out[2] = split_tf32(v.z);
    out[3] = split_tf32(v.w);
  } else {
#pragma unroll
    for (int t = 0; t < 4; t++) {
      out[t] = split_tf32(tile[tile_slot<false, SIZE>(row, 4 * in) + t * SIZE]);
    }
  }
}

// A product in tiles of SIZE x SIZE outputs by WARPS_DOWN x WARPS_ACROSS warps.
template <bool A_ALONG, bool B_ALONG, int SIZE, int WARPS_DOWN, int WARPS_ACROSS>
__device__ __forceinline__ void tensor(PRODUCT_PARAMETERS(float)) {
  constexpr int DOWN = SIZE / WARPS_DOWN / 16;
  constexpr int ACROSS = SIZE / WARPS_ACROSS / 8;
  const Tile tile(SIZE, m, n, k, pieceDepth);
  const int warp = threadIdx.x / 32;
  const int group = threadIdx.x % 32 / 4;
  const int in = threadIdx.x % 4;
  const int warpRow = warp / WARPS_ACROSS * (16 * DOWN);
  const int warpColumn = warp % WARPS_ACROSS * (8 * ACROSS);
  float sums[DOWN][ACROSS][4] = {};

  const auto multiply = [&](const float* aTile, const float* bTile, int) {
    Split bs[ACROSS][4];
#pragma unroll
    for (int j = 0; j < ACROSS; j++) {
      split_quad<B_ALONG, SIZE>(bTile, warpColumn + 8 * j + group, in, bs[j]);
    }
#pragma unroll
    for (int i = 0; i < DOWN; i++) {
      Split upper[4];
      Split lower[4];
      split_quad<A_ALONG, SIZE>(aTile, warpRow + 16 * i + group, in, upper);
      split_quad<A_ALONG, SIZE>(aTile, warpRow + 16 * i + group + 8, in, lower);
      const Split first[4] = {upper[0], lower[0], upper[1], lower[1]};
      const Split second[4] = {upper[2], lower[2], upper[3], lower[3]};
#pragma unroll
      for (int j = 0; j < ACROSS; j++) {
        float part[4] = {};
        mma_split(part, first, bs[j]);
        mma_split(part, second, bs[j] + 2);
#pragma unroll
        for (int p = 0; p < 4; p++) {
          sums[i][j][p] += part[p];
        }
      }
    }
  };
  each_tile<A_ALONG, B_ALONG, SIZE, 32 * WARPS_DOWN * WARPS_ACROSS, SIZE == 128>(
      tile.operand<A_ALONG>(a, aStride, aReplica, tile.row, m),
      tile.operand<B_ALONG>(b, bStride, bReplica, tile.column, n), multiply);

  float* out = c + tile.replica * cReplica + blockIdx.y * pieceOfC;
  const bool pairs = (reinterpret_cast<unsigned long long>(out) & 7) == 0 && (cStride & 1) == 0;
#pragma unroll
  for (int i = 0; i < 2 * DOWN; i++) {
    const int row = tile.row + warpRow + 8 * i + group;
    if (row >= m) {
      continue;
    }
    float* outRow = out + (long long)row * cStride;
#pragma unroll
    for (int j = 0; j < ACROSS; j++) {
      const int column = tile.column + warpColumn + 8 * j + 2 * in;
      const float* two = sums[i / 2][j] + i % 2 * 2;
      if (pairs && beta == 0 && column + 1 < n) {
        *reinterpret_cast<float2*>(outRow + column) = make_float2(two[0], two[1]);
      } else {
        if (column < n) {
          put(outRow + column, two[0], beta);
        }
        if (column + 1 < n) {
          put(outRow + column + 1, two[1], beta);
        }
      }
    }
  }
}

#define TENSOR(name, aAlong, bAlong)                                                            \
  extern "C" __global__ void __launch_bounds__(128, 3)                                          \
      tensor_##name##_64(PRODUCT_PARAMETERS(float)) {                                           \
    tensor<aAlong, bAlong, 64, 2, 2>(PRODUCT_ARGUMENTS);                                        \
  }                                                                                             \
  extern "C" __global__ void __launch_bounds__(256)                                             \
      tensor_##name##_128(PRODUCT_PARAMETERS(float)) {                                          \
    tensor<aAlong, bAlong, 128, 2, 4>(PRODUCT_ARGUMENTS);                                       \
  }

TENSOR(nn, true, false)
TENSOR(nt, true, true)
TENSOR(tn, false, false)

#endif

// A float64 product in tiles of (16 MICRO)^2 outputs by 16 x 16 threads. A row of a tile has an odd
// number of values, so that neither the copies nor the reads of half a warp meet in a bank. The
// tile after the one that is multiplied waits in registers.
template <bool A_ALONG, bool B_ALONG, int MICRO>
__device__ __forceinline__ void wide(PRODUCT_PARAMETERS(double)) {
  constexpr int SIZE = 16 * MICRO;
  __shared__ double aTile[DEPTH][SIZE + 1];
  __shared__ double bTile[DEPTH][SIZE + 1];
  const Tile tile(SIZE, m, n, k, pieceDepth);
  const int ty = threadIdx.x / 16;
  const int tx = threadIdx.x % 16;
  double sums[MICRO][MICRO] = {};
  double aNext[MICRO];
  double bNext[MICRO];

  // Neighbours in memory by neighbouring threads.
  const auto row_of = [&](const bool along, const int i) {
    const int value = threadIdx.x + i * 256;
    return along ? value / DEPTH : value % SIZE;
  };
  const auto k_of = [&](const bool along, const int i) {
    const int value = threadIdx.x + i * 256;
    return along ? value % DEPTH : value / SIZE;
  };
  const auto value = [&](const bool along, const double* values, const int stride, const int row,
                         const int rows, const int at) {
    return row < rows && at < tile.from + tile.depth
               ? values[along ? (long long)row * stride + at : (long long)at * stride + row]
               : 0.0;
  };
  const auto load = [&](const int from) {
#pragma unroll
    for (int i = 0; i < MICRO; i++) {
      aNext[i] = value(A_ALONG, a + tile.replica * aReplica, aStride,
                       tile.row + row_of(A_ALONG, i), m, tile.from + from + k_of(A_ALONG, i));
      bNext[i] = value(B_ALONG, b + tile.replica * bReplica, bStride,
                       tile.column + row_of(B_ALONG, i), n, tile.from + from + k_of(B_ALONG, i));
    }
  };

  load(0);
  for (int from = 0; from < tile.depth; from += DEPTH) {
#pragma unroll
    for (int i = 0; i < MICRO; i++) {
      aTile[k_of(A_ALONG, i)][row_of(A_ALONG, i)] = aNext[i];
      bTile[k_of(B_ALONG, i)][row_of(B_ALONG, i)] = bNext[i];
    }
    __syncthreads();
    load(from + DEPTH);
    const int depth = min(DEPTH, tile.depth - from);
#pragma unroll 4
    for (int in = 0; in < depth; in++) {
      double as[MICRO];
      double bs[MICRO];
#pragma unroll
      for (int i = 0; i < MICRO; i++) {
        as[i] = aTile[in][ty + 16 * i];
        bs[i] = bTile[in][tx + 16 * i];
      }
#pragma unroll
      for (int i = 0; i < MICRO; i++) {
#pragma unroll
        for (int j = 0; j < MICRO; j++) {
          sums[i][j] = fma(as[i], bs[j], sums[i][j]);
        }
      }
    }
    __syncthreads();
  }

  double* out = c + tile.replica * cReplica + blockIdx.y * pieceOfC;
#pragma unroll
  for (int i = 0; i < MICRO; i++) {
    const int row = tile.row + ty + 16 * i;
#pragma unroll
    for (int j = 0; j < MICRO; j++) {
      const int column = tile.column + tx + 16 * j;
      if (row < m && column < n) {
        put(out + (long long)row * cStride + column, sums[i][j], (double)beta);
      }
    }
  }
}

#define WIDE(name, aAlong, bAlong)                                                              \
  extern "C" __global__ void __launch_bounds__(256) wide_##name##_32(PRODUCT_PARAMETERS(double)) { \
    wide<aAlong, bAlong, 2>(PRODUCT_ARGUMENTS);                                                 \
  }                                                                                             \
  extern "C" __global__ void __launch_bounds__(256) wide_##name##_64(PRODUCT_PARAMETERS(double)) { \
    wide<aAlong, bAlong, 4>(PRODUCT_ARGUMENTS);                                                 \
  }

WIDE(nn, true, false)
WIDE(nt, true, true)
WIDE(tn, false, false)
WIDE(tt, false, true)

// `pieces` products of `count` matrices of m x n without gaps, pieceOfC apart.
extern "C" __global__ void __launch_bounds__(256)
    sum_pieces(const float* __restrict__ parts, const int pieces, const long long pieceOfC,
               float* __restrict__ c, const int cStride, const long long cReplica, const int m,
               const int n, const int count, const float beta) {
  const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  const long long size = (long long)m * n;
  if (at >= count * size) {
    return;
  }
  float sum = parts[at];
  for (int piece = 1; piece < pieces; piece++) {
    sum += parts[at + piece * pieceOfC];
  }
  const long long inside = at % size;
  put(c + at / size * cReplica + inside / n * cStride + inside % n, sum, beta);
}
