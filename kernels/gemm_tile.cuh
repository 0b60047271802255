// Tiles of a product's operands in shared memory: how they lie there, and how they get there while
// the tile before is multiplied.
//
// A tile is `SIZE` rows of an operand (of op(A), or of op(B) transposed) by DEPTH summed indices.
// ALONG says that the operand's memory runs along the summed index (A as it is, B transposed);
// otherwise it runs across it. A tile lies as its operand does, so that 16 bytes of the one are 16
// bytes of the other, and is permuted so that neither the copies nor the reads of
// - 8 threads of 4 values from consecutive rows (ALONG) or of 32 consecutive rows (across),
// - the 8 rows by 4 summed indices, 4 apart, that a warp's tensor-core fragment has
// meet in a bank:
//   ALONG   row * 16 + (quad of k ^ row / 2 % 4) * 4 + k % 4
//   across  k * SIZE + (row ^ 8 (k / 4 % 4))
#pragma once

#include "async.cuh"

constexpr int DEPTH = 16;

// Where a value of a tile lies.
template <bool ALONG, int SIZE>
__device__ __forceinline__ int tile_slot(const int row, const int k) {
  return ALONG ? row * DEPTH + ((((k >> 2) ^ (row >> 1)) & 3) << 2) + (k & 3)
               : k * SIZE + (row ^ (((k >> 2) & 3) << 3));
}

// Where the values of the same row from summed index `quad` on lie, a multiple of 4, given where
// the row begins.
template <bool ALONG, int SIZE>
__device__ __forceinline__ int tile_quad(const int first, const int quad) {
  return ALONG ? first ^ quad : (first ^ 2 * quad) + quad * SIZE;
}

// An operand from a tile's first row and first summed index on.
struct Operand {
  const float* values;
  int stride;
  int rows;
  int depth;
};

// Copies an operand's tiles, one after the other, by a block of THREADS: 16 bytes at a time where
// its rows start at multiples of 16 bytes (as they always do if ALIGNED), otherwise value by value.
// Neighbouring threads copy neighbours in memory, and what is not there becomes 0. From sm_80 on
// `start` begins copies that don't pass through registers, and `finish` has nothing to do; before,
// `start` loads 16 bytes at a time into registers, whose latency the product of the tile before
// hides, and `finish` stores them.
template <bool ALONG, int SIZE, int THREADS, bool ALIGNED>
class TileCopy {
 public:
  __device__ __forceinline__ explicit TileCopy(const Operand& operand)
      : stride(operand.stride),
        quads(ALIGNED || (reinterpret_cast<unsigned long long>(operand.values) & 15) == 0 &&
                             (operand.stride & 3) == 0) {
    const int thread = threadIdx.x;
    const int unit = quads ? 4 : 1;
    const int units = (ALONG ? DEPTH : SIZE) / unit;
    const int inner = thread % units * unit;
    const int outer = thread / units;
    row = ALONG ? outer : inner;
    k = ALONG ? inner : outer;
    step = THREADS / units;
    rows = operand.rows - row;
    depth = operand.depth - k;
    next = operand.values + ((long long)outer * stride + inner);
  }

  // Begins to copy the next tile.
  __device__ __forceinline__ void start(float* tile) {
#if __CUDA_ARCH__ >= 800
    const float* from = next;
#pragma unroll (ALIGNED ? QUADS : 1)
    for (int at = 0; at < (ALONG ? SIZE : DEPTH); at += step) {
      const int count = there(at);
      float* to = tile + slot(at);
      // Where nothing is there, `from` isn't followed.
      if (quads) {
        copy_async_quad(to, from, max(0, min(count, 4)));
      } else {
        copy_async_4(to, from, count > 0);
      }
      from += (long long)step * stride;
    }
    advance();
#else
    if (quads) {
#pragma unroll
      for (int i = 0; i < QUADS; i++) {
        const int count = there(i * QUAD_STEP);
        const float* from = next + (long long)(i * QUAD_STEP) * stride;
        staged[i] = count >= 4 ? *reinterpret_cast<const float4*>(from)
                               : make_float4(count > 0 ? from[0] : 0.0f, count > 1 ? from[1] : 0.0f,
                                             count > 2 ? from[2] : 0.0f, 0.0f);
      }
    }
#endif
  }

  // Ends what `start` began for the same tile.
  __device__ __forceinline__ void finish(float* tile) {
#if __CUDA_ARCH__ < 800
    if (quads) {
#pragma unroll
      for (int i = 0; i < QUADS; i++) {
        // One store: the compiler takes some of these apart, and single values of neighbouring
        // threads, 16 bytes from each other, meet in banks.
        float* place = tile + slot(i * QUAD_STEP);
        const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(place));
        asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(to), "f"(staged[i].x),
                     "f"(staged[i].y), "f"(staged[i].z), "f"(staged[i].w)
                     : "memory");
      }
    } else {
      const float* from = next;
#pragma unroll 1
      for (int at = 0; at < (ALONG ? SIZE : DEPTH); at += step) {
        tile[slot(at)] = there(at) > 0 ? *from : 0.0f;
        from += (long long)step * stride;
      }
    }
    advance();
#endif
  }

 private:
  static constexpr int QUADS = SIZE * DEPTH / 4 / THREADS;
  static constexpr int QUAD_STEP = THREADS * 4 / (ALONG ? DEPTH : SIZE);

  const int stride;
  const bool quads;
  // This thread's first value: in a tile, and in memory in the next tile.
  int row;
  int k;
  const float* next;
  // From a thread's value to its next, in rows (ALONG) or summed indices.
  int step;
  // What there is of the operand from this thread's first value in the next tile on.
  int rows;
  int depth;
#if __CUDA_ARCH__ < 800
  float4 staged[QUADS];
#endif

  __device__ __forceinline__ int slot(const int at) const {
    return ALONG ? tile_slot<true, SIZE>(row + at, k) : tile_slot<false, SIZE>(row, k + at);
  }

  // How many values in a row there are `at` rows (ALONG) or summed indices on; 0 or less for none.
  __device__ __forceinline__ int there(const int at) const {
    return ALONG ? (at < rows ? depth : 0) : (at < depth ? rows : 0);
  }

  __device__ __forceinline__ void advance() {
    depth -= DEPTH;
    next += ALONG ? DEPTH : (long long)DEPTH * stride;
  }
};

// Runs `multiply(tile of a, tile of b, how many of its summed indices there are)` over all tiles of
// two operands, in order, each copied while the ones before are multiplied.
template <bool A_ALONG, bool B_ALONG, int SIZE, int THREADS, bool ALIGNED, class Multiply>
__device__ __forceinline__ void each_tile(const Operand& a, const Operand& b,
                                          const Multiply& multiply) {
#if __CUDA_ARCH__ >= 800
  constexpr int STAGES = 3;
#else
  constexpr int STAGES = 2;
#endif
  __shared__ __align__(16) float aTiles[STAGES][SIZE * DEPTH];
  __shared__ __align__(16) float bTiles[STAGES][SIZE * DEPTH];
  TileCopy<A_ALONG, SIZE, THREADS, ALIGNED> aCopy(a);
  TileCopy<B_ALONG, SIZE, THREADS, ALIGNED> bCopy(b);
  const int depth = a.depth;

#if __CUDA_ARCH__ >= 800
#pragma unroll
  for (int s = 0; s < STAGES - 1; s++) {
    if (s * DEPTH < depth) {
      aCopy.start(aTiles[s]);
      bCopy.start(bTiles[s]);
    }
    copy_async_commit();
  }
  int stage = 0;
  for (int from = 0; from < depth; from += DEPTH) {
    copy_async_wait<STAGES - 2>();
    // This tile is there for all, and all are done with the one before, whose place the next takes.
    __syncthreads();
    const int ahead = from + (STAGES - 1) * DEPTH;
    const int free = stage == 0 ? STAGES - 1 : stage - 1;
    if (ahead < depth) {
      aCopy.start(aTiles[free]);
      bCopy.start(bTiles[free]);
    }
    copy_async_commit();
    multiply(aTiles[stage], bTiles[stage], min(DEPTH, depth - from));
    stage = stage == STAGES - 1 ? 0 : stage + 1;
  }
#else
  if (depth > 0) {
    aCopy.start(aTiles[0]);
    bCopy.start(bTiles[0]);
    aCopy.finish(aTiles[0]);
    bCopy.finish(bTiles[0]);
  }
  int stage = 0;
  for (int from = 0; from < depth; from += DEPTH) {
    __syncthreads();
    const bool more = from + DEPTH < depth;
    if (more) {
      aCopy.start(aTiles[stage ^ 1]);
      bCopy.start(bTiles[stage ^ 1]);
    }
    multiply(aTiles[stage], bTiles[stage], min(DEPTH, depth - from));
    if (more) {
      aCopy.finish(aTiles[stage ^ 1]);
      bCopy.finish(bTiles[stage ^ 1]);
    }
    stage ^= 1;
  }
#endif
}
