// Products of a tile of points with a slice of a layer's weights, as forward_trajectory takes them:
// each warp multiplies all rows of the tile with COLUMNS units of its own, and keeps the sums in
// registers. Two makes with one shape, float32 FMA and tensor cores; a lane holds
//
//   rows     group + i GROUPS, i < LANE_ROWS, so that the point after a lane's is another lane's
//   columns  column(g) + v, g < VECTORS, v < WIDE: in pieces that memory takes at once
//
// The tile stands in shared memory as [inputs / 4][PITCH][4]: four inputs of one point are 16
// bytes, and the same four of the next point follow. Weights stand there as
// [CHUNK / 4][COLUMNS][4] in an order of columns of each make's own. With these no access of a warp
// meets a bank twice, where rows of weights are aligned to 16 bytes:
//   - FMA reads 16 bytes a lane; the eight lanes that are served together read neighbouring rows,
//     or neighbouring places of weights;
//   - fragments of tensor cores are 32 neighbouring floats;
//   - PITCH = ROWS + 2 (FMA, 16-byte stores of 2 rows and 4 columns by eight lanes) or ROWS + 4
//     (tensor cores, 8-byte stores of 4 rows and 4 columns by sixteen lanes).
#pragma once

#include "mma.cuh"

// Inputs whose weights are on chip at a time: a sector of 32 bytes of each row.
constexpr int CHUNK = 8;

// Threads of a block: with 512 a lane has 128 registers. Tiles of 16 rows need no more than 256,
// and before sm_80 shared memory holds no tile for more.
#if __CUDA_ARCH__ >= 800
constexpr int most_threads(const int rows) { return rows == 16 ? 256 : 512; }
#else
constexpr int most_threads(const int) { return 256; }
#endif

template <int N>
struct alignas(4 * N) Floats {
  float at[N];
};

// Stores to shared memory at once: the compiler takes some of its own apart, which then meet banks
// twice.
__device__ __forceinline__ void store(float* to, const Floats<2> v) {
  asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "f"(v.at[0]), "f"(v.at[1])
               : "memory");
}

__device__ __forceinline__ void store(float* to, const Floats<4> v) {
  asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "f"(v.at[0]), "f"(v.at[1]), "f"(v.at[2]), "f"(v.at[3])
               : "memory");
}

template <int ROWS_>
struct FmaProduct {
  static constexpr int ROWS = ROWS_;
  static constexpr int LANE_ROWS = 8;
  static constexpr int LANE_COLUMNS = 8;
  static constexpr int WIDE = 4;
  static constexpr int VECTORS = LANE_COLUMNS / WIDE;
  static constexpr int GROUPS = ROWS / LANE_ROWS;
  static constexpr int SPREAD = 32 / GROUPS;
  static constexpr int COLUMNS = SPREAD * LANE_COLUMNS;
  static constexpr int PITCH = ROWS + 2;
  static constexpr int MOST_THREADS = most_threads(ROWS);
  // The bits of a lane's number that tell its columns, not its rows.
  static constexpr int SPREAD_BITS = GROUPS == 8 ? 0x05 : GROUPS == 4 ? 0x0d : 0x1d;

  int group;
  int spread;

  // Eight lanes in a row share two rows and four columns, sixteen at most eight of either: the
  // fewer different addresses a 16-byte read has, the sooner it is served.
  __device__ __forceinline__ explicit FmaProduct(const int lane) {
    const int low = (lane & 1) | (lane >> 1 & 2);
    const int high = lane >> 3;
    if (GROUPS == 8) {
      group = (lane >> 1 & 1) | high << 1;
      spread = low;
    } else if (GROUPS == 4) {
      group = (lane >> 1 & 1) | (high >> 1) << 1;
      spread = low | (high & 1) << 2;
    } else {
      group = lane >> 1 & 1;
      spread = low | high << 2;
    }
  }

  // The lane that has the same columns of another group of rows.
  __device__ __forceinline__ int lane_of(const int other) const {
    const int low = (spread & 1) | (other & 1) << 1 | (spread & 2) << 1;
    if (GROUPS == 8) {
      return low | (other >> 1) << 3;
    }
    if (GROUPS == 4) {
      return low | (spread >> 2) << 3 | (other >> 1) << 4;
    }
    return low | (spread >> 2) << 3;
  }

  __device__ __forceinline__ int column(const int vector) const {
    return WIDE * (spread + SPREAD * vector);
  }

  // Which column's weights stand at a place; the sum over the bits of the place.
  static __device__ __forceinline__ int column_at(const int place) {
    const int j = place / SPREAD;
    return WIDE * (place % SPREAD) + j % WIDE + WIDE * SPREAD * (j / WIDE);
  }

  // sums += tile weights, over one chunk of inputs and the first ACTIVE of a lane's columns. Four
  // shared reads serve 64 multiply-adds of a lane; inputs are summed in their order.
  template <int ACTIVE>
  __device__ __forceinline__ void multiply(float sums[LANE_ROWS][LANE_COLUMNS], const float4* tile,
                                           const float4* weights) const {
    // Not unrolled: with the next quad's reads ahead of time there were too few registers.
#pragma unroll 1
    for (int quad = 0; quad < CHUNK / 4; ++quad) {
      float4 a[LANE_ROWS];
#pragma unroll
      for (int i = 0; i < LANE_ROWS; ++i) {
        a[i] = tile[quad * PITCH + i * GROUPS + group];
      }
#pragma unroll
      for (int j = 0; j < ACTIVE; ++j) {
        const float4 b = weights[quad * COLUMNS + j * SPREAD + spread];
#pragma unroll
        for (int i = 0; i < LANE_ROWS; ++i) {
          sums[i][j] = fmaf(a[i].x, b.x, sums[i][j]);
        }
#pragma unroll
        for (int i = 0; i < LANE_ROWS; ++i) {
          sums[i][j] = fmaf(a[i].y, b.y, sums[i][j]);
        }
#pragma unroll
        for (int i = 0; i < LANE_ROWS; ++i) {
          sums[i][j] = fmaf(a[i].z, b.z, sums[i][j]);
        }
#pragma unroll
        for (int i = 0; i < LANE_ROWS; ++i) {
          sums[i][j] = fmaf(a[i].w, b.w, sums[i][j]);
        }
      }
    }
  }
};

#if __CUDA_ARCH__ >= 800

// By tensor cores, each float32 split in two TF32: lanes hold what m16n8k8 gives them.
template <int ROWS_>
struct SplitProduct {
  static constexpr int ROWS = ROWS_;
  static constexpr int GROUPS = 8;
  static constexpr int SPREAD = 4;
  static constexpr int LANE_ROWS = ROWS / GROUPS;
  static constexpr int LANE_COLUMNS = 64 / LANE_ROWS;
  static constexpr int WIDE = 2;
  static constexpr int VECTORS = LANE_COLUMNS / WIDE;
  static constexpr int COLUMNS = SPREAD * LANE_COLUMNS;
  static constexpr int PITCH = ROWS + 4;
  static constexpr int MOST_THREADS = most_threads(ROWS);
  static constexpr int SPREAD_BITS = 0x03;

  int group;
  int spread;

  __device__ __forceinline__ explicit SplitProduct(const int lane)
      : group(lane / SPREAD), spread(lane % SPREAD) {}

  __device__ __forceinline__ int lane_of(const int other) const { return other * SPREAD + spread; }

  __device__ __forceinline__ int column(const int vector) const {
    return 8 * vector + WIDE * spread;
  }

  static __device__ __forceinline__ int column_at(const int place) { return place; }

  template <int ACTIVE>
  __device__ __forceinline__ void multiply(float sums[LANE_ROWS][LANE_COLUMNS], const float4* tile,
                                           const float4* weights) const {
    constexpr int TALL = LANE_ROWS / 2;  // fragments of 16 rows
    const float* x = reinterpret_cast<const float*>(tile) + 4 * group + spread;
    const float* w = reinterpret_cast<const float*>(weights) + 4 * group + spread;
    Split a[TALL][4];
#pragma unroll
    for (int i = 0; i < TALL; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        a[i][e] = split_tf32(x[4 * ((e / 2) * PITCH + 16 * i + 8 * (e % 2))]);
      }
    }
#pragma unroll
    for (int j = 0; j < ACTIVE / 2; ++j) {
      const Split b[2] = {split_tf32(w[4 * 8 * j]), split_tf32(w[4 * (COLUMNS + 8 * j)])};
#pragma unroll
      for (int i = 0; i < TALL; ++i) {
        float c[4] = {sums[2 * i][2 * j], sums[2 * i][2 * j + 1], sums[2 * i + 1][2 * j],
                      sums[2 * i + 1][2 * j + 1]};
        mma_split(c, a[i], b);
        sums[2 * i][2 * j] = c[0];
        sums[2 * i][2 * j + 1] = c[1];
        sums[2 * i + 1][2 * j] = c[2];
        sums[2 * i + 1][2 * j + 1] = c[3];
      }
    }
  }
};

#endif
