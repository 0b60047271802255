// Products of rows held in shared memory with a matrix in device memory, whose results stay in the
// registers of the block until all of it has read what is held, so that they may replace it:
//
//   out[n][m] = sum over k of weights[k][n] held[k][m],  k < depth, m < rows
//
// Rows are the fast index of what is held, for errors and activations alike. Each warp makes all
// rows of its own 2048 / rows columns n ("units"), 64 results a thread, and fetches the columns of
// `weights` that only it needs through a strip of its own, 8 rows of weights ahead of the 8 it is
// multiplying: a warp never waits for another one within a product.
#pragma once

#include "async.cuh"
#include "mma.cuh"

// Rows of weights in a strip; what is held has zeros, or what zero weights take, up to a multiple.
constexpr int kStripDepth = 8;

__device__ __forceinline__ int round_up(const int value, const int multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Stores 16 or 8 bytes in one access: left to itself, the compiler takes the first of a row of
// them apart.
__device__ __forceinline__ void store_four(float* to, const float4 four) {
  asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "f"(four.x), "f"(four.y), "f"(four.z), "f"(four.w)
               : "memory");
}

__device__ __forceinline__ void store_two(float* to, const float x, const float y) {
  asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "f"(x), "f"(y)
               : "memory");
}

// float32 multiply-adds: a thread has 4 or 8 rows of 16 or 8 units, in groups of 4 so that every
// access to shared memory is of 16 bytes. Eight neighbouring lanes read 128 bytes in a row, or the
// same 16: no bank conflicts.
template <int kRows>
struct FmaTile {
  static constexpr int rows = kRows;
  static constexpr int units = 2048 / rows;
  static constexpr int pitch = rows;         // of what is held
  static constexpr int strip_pitch = units;  // of a strip
  static constexpr int row_lanes = rows >= 32 ? 8 : 4;
  static constexpr int unit_lanes = 32 / row_lanes;
  static constexpr int own_rows = rows / row_lanes;
  static constexpr int own_units = units / unit_lanes;
  static constexpr int together = 4;  // rows that follow each other

  // Lanes that have the same rows differ in these bits.
  static constexpr int first_unit_bit = row_lanes;

  float sums[own_units][own_rows];

  __device__ __forceinline__ static int lane() { return threadIdx.x % 32; }

  __device__ __forceinline__ static int row(const int i) {
    return i / 4 * (4 * row_lanes) + lane() % row_lanes * 4 + i % 4;
  }

  __device__ __forceinline__ static int unit(const int j) {
    return j / 4 * (4 * unit_lanes) + lane() / row_lanes * 4 + j % 4;
  }

  __device__ __forceinline__ float& at(const int j, const int i) { return sums[j][i]; }

  __device__ __forceinline__ void add(const float* held, const float* strip) {
#pragma unroll
    for (int k = 0; k < kStripDepth; k++) {
      float a[own_rows];
#pragma unroll
      for (int i = 0; i < own_rows; i += 4) {
        const float4 four = *reinterpret_cast<const float4*>(held + k * pitch + row(i));
        a[i] = four.x;
        a[i + 1] = four.y;
        a[i + 2] = four.z;
        a[i + 3] = four.w;
      }
#pragma unroll
      for (int j = 0; j < own_units; j += 4) {
        const float4 four = *reinterpret_cast<const float4*>(strip + k * strip_pitch + unit(j));
        const float b[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
        for (int q = 0; q < 4; q++) {
#pragma unroll
          for (int i = 0; i < own_rows; i++) {
            sums[j + q][i] = fmaf(a[i], b[q], sums[j + q][i]);
          }
        }
      }
    }
  }

  __device__ __forceinline__ void store(float* to, const int j, const int i) const {
    store_four(to, make_float4(sums[j][i], sums[j][i + 1], sums[j][i + 2], sums[j][i + 3]));
  }
};

#if __CUDA_ARCH__ >= 800
// Tensor cores with split TF32 operands (mma.cuh): units are the rows of mma's result, so that
// each of its elements stands beside the next row's. Pitches of 8 modulo 32 spread the four k and
// eight rows or units of a fragment over all banks.
template <int kRows>
struct TensorTile {
  static constexpr int rows = kRows;
  static constexpr int units = 2048 / rows;
  static constexpr int pitch = rows + 8;
  static constexpr int strip_pitch = units + 8;
  static constexpr int unit_tiles = units / 16;
  static constexpr int row_tiles = rows / 8;
  static constexpr int own_rows = 2 * row_tiles;
  static constexpr int own_units = 2 * unit_tiles;
  static constexpr int together = 2;
  static constexpr int first_unit_bit = 4;

  float sums[unit_tiles][row_tiles][4];

  __device__ __forceinline__ static int lane() { return threadIdx.x % 32; }

  __device__ __forceinline__ static int row(const int i) {
    return i / 2 * 8 + lane() % 4 * 2 + i % 2;
  }

  __device__ __forceinline__ static int unit(const int j) {
    return j / 2 * 16 + lane() / 4 + j % 2 * 8;
  }

  __device__ __forceinline__ float& at(const int j, const int i) {
    return sums[j / 2][i / 2][j % 2 * 2 + i % 2];
  }

  __device__ __forceinline__ static void fetch_units(Split a[4], const float* strip, const int t) {
    const float* from = strip + lane() % 4 * strip_pitch + t * 16 + lane() / 4;
    a[0] = split_tf32(from[0]);
    a[1] = split_tf32(from[8]);
    a[2] = split_tf32(from[4 * strip_pitch]);
    a[3] = split_tf32(from[4 * strip_pitch + 8]);
  }

  __device__ __forceinline__ static void fetch_rows(Split b[2], const float* held, const int t) {
    const float* from = held + lane() % 4 * pitch + t * 8 + lane() / 4;
    b[0] = split_tf32(from[0]);
    b[1] = split_tf32(from[4 * pitch]);
  }

  __device__ __forceinline__ void add(const float* held, const float* strip) {
    // What there is less of stays in registers while the other passes by.
    if constexpr (unit_tiles < row_tiles) {
      Split a[unit_tiles][4];
#pragma unroll
      for (int t = 0; t < unit_tiles; t++) {
        fetch_units(a[t], strip, t);
      }
#pragma unroll
      for (int r = 0; r < row_tiles; r++) {
        Split b[2];
        fetch_rows(b, held, r);
#pragma unroll
        for (int t = 0; t < unit_tiles; t++) {
          mma_split(sums[t][r], a[t], b);
        }
      }
    } else {
      Split b[row_tiles][2];
#pragma unroll
      for (int r = 0; r < row_tiles; r++) {
        fetch_rows(b[r], held, r);
      }
#pragma unroll
      for (int t = 0; t < unit_tiles; t++) {
        Split a[4];
        fetch_units(a, strip, t);
#pragma unroll
        for (int r = 0; r < row_tiles; r++) {
          mma_split(sums[t][r], a, b[r]);
        }
      }
    }
  }

  __device__ __forceinline__ void store(float* to, const int j, const int i) const {
    const float* pair = sums[j / 2][i / 2] + j % 2 * 2;
    store_two(to, pair[0], pair[1]);
  }
};
#endif

// How a warp fills a strip: each lane copies four neighbouring columns of every `sweep`th row.
template <class Tile>
struct Strip {
  static constexpr int floats = kStripDepth * Tile::strip_pitch;
  static constexpr int lanes = Tile::units / 4;  // that share a row
  static constexpr int sweep = 32 / lanes;
  static constexpr int pieces = kStripDepth / sweep;

  const float* from;  // the lane's first piece
  float* to;          // in the first strip
  int stride;
  int rows;  // of weights from the lane's first on; none where it has no column

  __device__ __forceinline__ bool has(const int strip, const int i) const {
    return strip * kStripDepth + i * sweep < rows;
  }

  __device__ __forceinline__ const float* source(const int strip, const int i) const {
    return from + (strip * kStripDepth + i * sweep) * stride;
  }

  __device__ __forceinline__ float* target(const int strip, const int i) const {
    return to + strip % 2 * floats + i * (sweep * Tile::strip_pitch);
  }
};

// The product of what is held, rounded up to whole strips, with `columns` columns of `weights`.
// Rows of `weights` start at multiples of 16 bytes, and may be read to a multiple of four columns;
// what stands there must be zeros. `strips`: two for this warp.
template <class Tile>
__device__ __forceinline__ void multiply(Tile& tile, const float* held, float* strips,
                                         const float* weights, const int stride, const int depth,
                                         const int columns) {
#pragma unroll
  for (int j = 0; j < Tile::own_units; j++) {
#pragma unroll
    for (int i = 0; i < Tile::own_rows; i++) {
      tile.at(j, i) = 0;
    }
  }
  const int first = threadIdx.x / 32 * Tile::units;
  if (first >= columns) {
    return;
  }
  using Filling = Strip<Tile>;
  const int row = Tile::lane() / Filling::lanes;
  const int column = Tile::lane() % Filling::lanes * 4;
  const Filling filling = {weights + row * stride + first + column,
                           strips + row * Tile::strip_pitch + column, stride,
                           first + column < columns ? depth - row : 0};
  const int count = (depth + kStripDepth - 1) / kStripDepth;
#if __CUDA_ARCH__ >= 800
#pragma unroll
  for (int i = 0; i < Filling::pieces; i++) {
    copy_async_16(filling.target(0, i), filling.source(0, i), filling.has(0, i));
  }
  copy_async_commit();
#pragma unroll 1
  for (int s = 0; s < count; s++) {
    copy_async_wait<0>();
    __syncwarp();
    // All lanes are done with the other strip: they have come here.
    if (s + 1 < count) {
#pragma unroll
      for (int i = 0; i < Filling::pieces; i++) {
        copy_async_16(filling.target(s + 1, i), filling.source(s + 1, i), filling.has(s + 1, i));
      }
      copy_async_commit();
    }
    tile.add(held + s * kStripDepth * Tile::pitch, strips + s % 2 * Filling::floats);
  }
#else
  // What comes next waits in registers while this strip is multiplied.
  float4 ahead[Filling::pieces];
#pragma unroll
  for (int i = 0; i < Filling::pieces; i++) {
    ahead[i] = filling.has(0, i) ? *reinterpret_cast<const float4*>(filling.source(0, i))
                                 : make_float4(0, 0, 0, 0);
  }
#pragma unroll 1
  for (int s = 0; s < count; s++) {
#pragma unroll
    for (int i = 0; i < Filling::pieces; i++) {
      store_four(filling.target(s, i), ahead[i]);
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < Filling::pieces; i++) {
      ahead[i] = filling.has(s + 1, i)
                     ? *reinterpret_cast<const float4*>(filling.source(s + 1, i))
                     : make_float4(0, 0, 0, 0);
    }
    tile.add(held + s * kStripDepth * Tile::pitch, strips + s % 2 * Filling::floats);
  }
#endif
  __syncwarp();
}

// What is held becomes the product: `units` of them, rounded up to whole strips. A barrier must
// come before, so that no warp still reads, and after.
template <class Tile>
__device__ __forceinline__ void hold(const Tile& tile, float* held, const int units) {
  const int first = threadIdx.x / 32 * Tile::units;
  const int most = round_up(units, kStripDepth);
#pragma unroll
  for (int j = 0; j < Tile::own_units; j++) {
    const int unit = first + Tile::unit(j);
    if (unit < most) {
#pragma unroll
      for (int i = 0; i < Tile::own_rows; i += Tile::together) {
        tile.store(held + unit * Tile::pitch + Tile::row(i), j, i);
      }
    }
  }
}

// of[i] <- the sum of of[i] over the lanes that have the same row.
template <class Tile>
__device__ __forceinline__ void sum_over_lanes(float of[Tile::own_rows]) {
#pragma unroll
  for (int bit = Tile::first_unit_bit; bit < 32; bit *= 2) {
#pragma unroll
    for (int i = 0; i < Tile::own_rows; i++) {
      of[i] += __shfl_xor_sync(0xffffffffu, of[i], bit);
    }
  }
}
