// Activation patterns by 64-bit hashes (dev.flinch.device.PatternHash):
//   hash_patterns    hashes_i <- hashes_i + sum over units j of code(z_ij + bias_j) key_(first + j)
//   count_patterns   counts_0 <- how many distinct hashes, counts_1 <- runs of equal neighbours
// Integer sums modulo 2^64: every order gives the same bits.
//
// Layout: z [rows][columns], any stride; bias [columns] or null; hashes int64 [rows].
#include "activation.cuh"
#include "reduce.cuh"

// Rows that a warp takes at once: a key is three 64-bit products and some shifts, far more than a
// code, and serves them all.
constexpr int ROWS = 4;

// Launch: a row of blocks of 8 warps, each warp with ROWS rows, its lanes striding over units.
// 4 bytes an element.
extern "C" __global__ void hash_patterns(const float low, const float high,
                                         const float* __restrict__ z, const int stride,
                                         const float* __restrict__ bias, const long long firstUnit,
                                         unsigned long long* __restrict__ hashes, const int rows,
                                         const int columns) {
  const Activation activation = {0, low, high, 0};
  const int lane = threadIdx.x % 32;
  const int warp = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  const int first = warp * ROWS;
  unsigned long long sums[ROWS] = {};
  for (int j = lane; j < columns; j += 32) {
    const unsigned long long key = pattern_key(static_cast<unsigned long long>(firstUnit) + j);
    const float b = bias == nullptr ? 0.0f : bias[j];
#pragma unroll
    for (int k = 0; k < ROWS; k++) {
      if (first + k < rows) {
        const float v = z[static_cast<long long>(first + k) * stride + j] + b;
        sums[k] += activation_code(activation, v) * key;
      }
    }
  }
#pragma unroll
  for (int k = 0; k < ROWS; k++) {
    for (int d = 16; d > 0; d /= 2) {
      sums[k] += __shfl_xor_sync(0xffffffffu, sums[k], d);
    }
    if (lane == 0 && first + k < rows) {
      hashes[first + k] += sums[k];
    }
  }
}

// Distinct hashes by a table with open addressing: the thread that puts a hash there counts it, so
// the count doesn't depend on who that is. Only the first of a run asks the table, and along a
// trajectory runs are long: a pass over the hashes is most of the work, 8 bytes each.
// Launch: one thread a hash, blocks of 256 in x, striding. `table`: 2^bits entries of zeros, at
// least twice as many as hashes, and one more that says whether zero, the mark of an empty entry,
// is itself among the hashes. `counts` holds zeros.
extern "C" __global__ void count_patterns(const unsigned long long* __restrict__ hashes,
                                          const int count, unsigned long long* table,
                                          const int bits, unsigned long long* counts) {
  __shared__ int sharedDistinct[8];
  __shared__ int sharedRuns[8];
  const unsigned long long mask = (1ull << bits) - 1;
  int distinct = 0;
  int runs = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    const unsigned long long hash = hashes[i];
    if (i > 0 && hashes[i - 1] == hash) {
      continue;
    }
    runs++;
    if (hash == 0) {
      distinct += atomicCAS(table + mask + 1, 0ull, 1ull) == 0;
      continue;
    }
    // Fibonacci hashing; the top bits are the best mixed.
    unsigned long long at = (hash * 0x9E3779B97F4A7C15ull) >> (64 - bits);
    for (;;) {
      const unsigned long long there = atomicCAS(table + at, 0ull, hash);
      if (there == 0) {
        distinct++;
      }
      if (there == 0 || there == hash) {
        break;
      }
      at = (at + 1) & mask;
    }
  }
  const int blockDistinct = block_sum(distinct, sharedDistinct);
  const int blockRuns = block_sum(runs, sharedRuns);
  if (threadIdx.x == 0) {
    atomicAdd(counts, static_cast<unsigned long long>(blockDistinct));
    atomicAdd(counts + 1, static_cast<unsigned long long>(blockRuns));
  }
}
