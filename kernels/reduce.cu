// Sums over rows and columns, always in the same order, with float64 accumulators. For every
// replica:
//   column_sums   sums_j <- sum_i a_ij                                         float32 results
//   group_norms   norms_i <- scales_i |G|, G the i-th `group` rows of a         float64 results
//   group_grams   grams_i <- G G^T                                             float64 results
//
// Why float64 also on cards that have little of it: at two conversions or additions a clock and
// multiprocessor an RTX 4090 makes 640 G/s, and its memory delivers 252 G float32/s. Sums and norms
// spend two of them a value, as long as the memory takes. Gram matrices are more arithmetic than
// that, but are wanted once a region only.
//
// Layout: a [replicas][rows][columns], any strides; results any strides.
#include "reduce.cuh"

// Launch: blocks of x by y threads, 256 in all, x (up to 32) over columns, y over rows; the grid's y
// over chunks of `chunk` rows, its z over replicas. Each thread sums every y-th row of its chunk,
// then a tree adds the threads of a column. With one chunk the sums are written, with several
// `partial`, float64 [replicas][chunks][columns], for column_sums_of_chunks. The chunks depend on
// the number of rows alone, so the bits don't depend on the card.
// Bytes an element: 4. FLOP an element: 1.
extern "C" __global__ void column_sums(const float* __restrict__ a, const int stride,
                                       const long long replica, const int chunk,
                                       double* __restrict__ partial, float* __restrict__ sums,
                                       const long long sumsReplica, const int rows,
                                       const int columns, const int replicas) {
  __shared__ double shared[256];
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  const int from = blockIdx.y * chunk;
  const int to = min(rows, from + chunk);
  const int at = threadIdx.y * blockDim.x + threadIdx.x;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    double sum = 0;
    if (column < columns) {
      for (int i = from + threadIdx.y; i < to; i += blockDim.y) {
        sum += a[r * replica + static_cast<long long>(i) * stride + column];
      }
    }
    shared[at] = sum;
    for (int half = blockDim.y / 2; half > 0; half /= 2) {
      __syncthreads();
      if (threadIdx.y < half) {
        shared[at] += shared[at + half * blockDim.x];
      }
    }
    // Row 0 of the threads wrote these last, and each reads its own.
    if (threadIdx.y == 0 && column < columns) {
      if (partial == nullptr) {
        sums[r * sumsReplica + column] = static_cast<float>(shared[at]);
      } else {
        partial[(static_cast<long long>(r) * gridDim.y + blockIdx.y) * columns + column] =
            shared[at];
      }
    }
    __syncthreads();
  }
}

// Launch: one thread a column, blocks in x, the grid's z over replicas.
extern "C" __global__ void column_sums_of_chunks(const double* __restrict__ partial,
                                                 const int chunks, float* __restrict__ sums,
                                                 const long long sumsReplica, const int columns,
                                                 const int replicas) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= columns) {
    return;
  }
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    double sum = 0;
    for (int k = 0; k < chunks; k++) {
      sum += partial[(static_cast<long long>(r) * chunks + k) * columns + column];
    }
    sums[r * sumsReplica + column] = static_cast<float>(sum);
  }
}

// Launch: a block of 32 to 256 threads for each group, the grid's z over replicas. Threads stride
// over the group's elements as one list. Bytes an element: 4. FLOP an element: 2.
extern "C" __global__ void group_norms(const float* __restrict__ a, const int stride,
                                       const long long replica, const int group,
                                       const double* __restrict__ scales, const int scalesStride,
                                       const long long scalesReplica, double* __restrict__ norms,
                                       const int normsStride, const long long normsReplica,
                                       const int columns, const int replicas) {
  __shared__ double shared[8];
  const long long i = blockIdx.x;
  const int rowStep = blockDim.x / columns;
  const int columnStep = blockDim.x % columns;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    double sum = 0;
    int row = threadIdx.x / columns;
    int j = threadIdx.x % columns;
    while (row < group) {
      const double value = a[r * replica + (i * group + row) * stride + j];
      sum += value * value;
      row += rowStep;
      j += columnStep;
      if (j >= columns) {
        j -= columns;
        row++;
      }
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
      const double scale =
          scales == nullptr ? 1 : scales[r * scalesReplica + i * scalesStride];
      norms[r * normsReplica + i * normsStride] = scale * sqrt(sum);
    }
    __syncthreads();
  }
}

// Launch: a block of 8 warps for each group, the grid's z over replicas. A warp takes two rows
// against two rows, its lanes stride over the columns: four products for four loads, and the
// group's rows come from cache but for the first time.
// Bytes an element: 4. FLOP an element: group + 1, of which a warp's tiles do up to twice as many.
extern "C" __global__ void group_grams(const float* __restrict__ a, const int stride,
                                       const long long replica, const int group,
                                       double* __restrict__ grams, const int gramsStride,
                                       const long long gramsReplica, const int columns,
                                       const int replicas) {
  const int lane = threadIdx.x % 32;
  const int halves = (group + 1) / 2;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    const float* const rows = a + r * replica + static_cast<long long>(blockIdx.x) * group * stride;
    double* const gram =
        grams + r * gramsReplica + static_cast<long long>(blockIdx.x) * gramsStride;
    // Tiles of the lower triangle: (0, 0), (1, 0), (1, 1), (2, 0), ...
    int p = 0;
    int q = threadIdx.x / 32;
    for (;;) {
      while (q > p) {
        q -= p + 1;
        p++;
      }
      if (p >= halves) {
        break;
      }
      // The last tile of an odd group takes its last row twice.
      const int p0 = 2 * p;
      const int p1 = min(p0 + 1, group - 1);
      const int q0 = 2 * q;
      const int q1 = min(q0 + 1, group - 1);
      const float* const a0 = rows + static_cast<long long>(p0) * stride;
      const float* const a1 = rows + static_cast<long long>(p1) * stride;
      const float* const b0 = rows + static_cast<long long>(q0) * stride;
      const float* const b1 = rows + static_cast<long long>(q1) * stride;
      double s00 = 0;
      double s01 = 0;
      double s10 = 0;
      double s11 = 0;
      for (int j = lane; j < columns; j += 32) {
        const double x0 = a0[j];
        const double x1 = a1[j];
        const double y0 = b0[j];
        const double y1 = b1[j];
        s00 += x0 * y0;
        s01 += x0 * y1;
        s10 += x1 * y0;
        s11 += x1 * y1;
      }
      s00 = group_sum(s00, 32);
      s01 = group_sum(s01, 32);
      s10 = group_sum(s10, 32);
      s11 = group_sum(s11, 32);
      if (lane == 0) {
        gram[p0 * group + q0] = s00;
        gram[q0 * group + p0] = s00;
        gram[p0 * group + q1] = s01;
        gram[q1 * group + p0] = s01;
        gram[p1 * group + q0] = s10;
        gram[q0 * group + p1] = s10;
        gram[p1 * group + q1] = s11;
        gram[q1 * group + p1] = s11;
      }
      q += 8;
    }
  }
}
