// Exact walks from one linear region of a piecewise-linear network to the next
// (dev.flinch.device.RegionWalks), float64 over float32 weights. A block takes one walker:
//   pre-activations of unit j      z_j(t) = (c0_j + c1_j t + c2_j t^2) / w(t), w = 1 + t^2 or 1
//   the next crossing              the least (t, unit) over all units' next roots of z_j - knot
//   a crossing of unit i, layer l  v <- column i of W_(l+1), then v <- W_(m+1) (s_m * v) up to the
//                                  logits; c_j <- c_j + v_j change, change = step (c_i - knot w)
//   with Gram matrices             u <- row i of W_l, u <- (u * s_m) W_m down to the first layer,
//                                  A F <- A F + step v (u F), and A A^T for the region
// with s the slopes, 0 or 1, and step +1 where unit i becomes active, else -1. Everything is found
// afresh at the start and after every FRESH crossings, and what differs then is the drift. A layer
// whose last active unit turns off makes all above it constant: that is found afresh at once, so
// that it is constant exactly, and A F is 0.
//
// Layout: weights [R][out][in], any stride, biases [R][1][out] or null; factors float64 [R][units of
// the first layer][any], null without Gram matrices; first float64 [3 walkers][units of the first
// layer]. What walkers leave is as RegionWalks.Trace has it; codes are their state too. `scratch`:
// a walker's coefficients, [3][hidden units and classes, rounded up to 4], its A F, [classes][columns
// of F], and for walk_wide what walk keeps in shared memory.
// Launch: one block a walker, of any multiple of 32 up to 256 threads; `walk` with shared memory for
// vectors and for what is known of each layer (CudaRegionWalks.roomBytes), walk_wide for layers that
// it doesn't hold. Bits depend on neither.
//
// Upwards a warp takes 32 rows of weights, 8 at a time with its lanes over columns, and folds its 8
// sums together: 9 shuffles instead of 40. Each lane ends with the unit that it then updates, so
// there is one barrier a layer. Downwards threads go over columns, and rows of slope 0 are left out.
// All sums have an order of their own: the same bits on every run.
//
// A crossing in layer l of networks with N_m units of which a_m have slope 1, m from 0 to L (the
// logits), C classes, K columns of F; the top is L with Gram matrices, else L - 1:
//   upwards    m = l + 1:     a sector of 32 bytes a unit
//              m > l + 1:     4 bytes and 2 FLOP a weight, 36 FLOP a unit (sums of lanes)
//              m > l:         24 bytes read, 24 written and 6 FLOP a unit
//   roots      l <= m < L:    4 bytes and 17 FLOP a unit, among them a root and a division; for l
//                             itself 24 bytes more
//   downwards  0 < m <= l:    4 bytes and 2 FLOP for each of a_m N_(m-1) weights, N_(l-1) for m = l;
//                             4 N_(m-1) bytes
//   u F                       8 bytes and 2 FLOP for each of a_0 K numbers, K for l = 0
//   A F                       8 bytes read, 8 written and 2 FLOP for each of C K numbers
//   A A^T and logits          64 K bytes and 32 K + 512 FLOP a tile of 4 x 4 on or above the diagonal;
//                             24 C bytes, and 8 C^2 + 24 C written
// Weights and coefficients come from the L2 cache. Found afresh, polynomials take 4 bytes and 6 FLOP
// a weight; A F takes C / 4 walks down, rounded up.
#include "activation.cuh"
#include "reduce.cuh"

namespace {

constexpr int MOST_THREADS = 256;
constexpr int MOST_WARPS = MOST_THREADS / 32;
constexpr unsigned ALL = 0xffffffffu;

// Rows of weights that a warp multiplies at a time: by one vector, and by three.
constexpr int ROWS = 8;
constexpr int FRESH_ROWS = 4;

// Rows of A F that are found afresh at a time.
constexpr int FRESH_CLASSES = 4;

// Classes by classes that a warp multiplies at a time.
constexpr int TILE = 4;

// After so many crossings everything is found afresh.
constexpr int FRESH = 256;

// The lowest layer of none.
constexpr int NOTHING = INT_MAX;

// Where two roots are so near, by the terms of the discriminant, they touch.
constexpr double TOUCHING = 1.0 / (1ll << 44);

// A layer as CudaRegionWalks writes it; the logits are the last. The first has no weights.
struct Layer {
  const float* weights;
  long long weightsReplica;
  const float* bias;
  long long biasReplica;
  int stride;
  int units;
  // Units of all layers before.
  int before;
  int unused;
};

// Where p(t) = c0 + 2 half1 t + c2 t^2, `sign` times what a unit is above a knot and taken for
// negative at `now`, becomes positive; `now` where it is so already, infinity for nowhere. An upward parabola becomes positive at its right root, a
// downward one at its left root, unless that and the other root lie behind. No product is fused
// with a sum: p and -p have the same roots to the bit, so that a root just passed isn't found again,
// and so does the CPU.
__device__ __forceinline__ double upwards(const double sign, const double c0, const double half1,
                                          const double c2, const double now) {
  const double square = __dmul_rn(half1, half1);
  const double product = __dmul_rn(c2, c0);
  const double discriminant = __dsub_rn(square, product);
  if (discriminant <= __dmul_rn(TOUCHING, __dadd_rn(square, fabs(product)))) {
    // All the same sign; or zero throughout, where the unit has the code below its knot.
    const double all = __dadd_rn(c2, c0);
    return (all > 0) | ((all == 0) & (sign < 0)) ? now : INFINITY;
  }
  const double root = sqrt(discriminant);
  const bool positive = half1 > 0;
  const double sum = positive ? __dadd_rn(half1, root) : __dsub_rn(root, half1);
  const double rising = positive ? -c0 / sum : sum / c2;
  const bool opensUpwards = (c2 > 0) | ((c2 == 0) & positive);
  if (!opensUpwards) {
    const double falling = positive ? -sum / c2 : c0 / sum;
    if (now >= falling) {
      return INFINITY;
    }
  }
  // NaN stays NaN, which is never the earliest.
  return rising < now ? now : rising;
}

// The earliest of all lanes' times, and its unit; of equal times, the least unit.
__device__ __forceinline__ void warp_earliest(double& time, int& unit) {
  for (int d = 16; d > 0; d /= 2) {
    const double other = __shfl_xor_sync(ALL, time, d);
    const int otherUnit = __shfl_xor_sync(ALL, unit, d);
    const bool better = (other < time) | ((other == time) & (otherUnit < unit));
    time = better ? other : time;
    unit = better ? otherUnit : unit;
  }
}

__device__ __forceinline__ double warp_largest(double value) {
  for (int d = 16; d > 0; d /= 2) {
    value = fmax(value, __shfl_xor_sync(ALL, value, d));
  }
  return value;
}

// Of each two of N sums a lane keeps one and gives the other to the lane D away, and so on; then one
// sum is left, over the lanes that have the same.
template <int N, int D, int SIZE>
__device__ __forceinline__ void fold_halves(double (&sums)[SIZE]) {
  if constexpr (N > 1) {
    const bool odd = (threadIdx.x & D) != 0;
#pragma unroll
    for (int i = 0; i < N / 2; i++) {
      const double kept = odd ? sums[2 * i + 1] : sums[2 * i];
      const double given = odd ? sums[2 * i] : sums[2 * i + 1];
      sums[i] = kept + __shfl_xor_sync(ALL, given, D);
    }
    fold_halves<N / 2, 2 * D>(sums);
  } else if constexpr (D < 32) {
    sums[0] += __shfl_xor_sync(ALL, sums[0], D);
    fold_halves<1, 2 * D>(sums);
  }
}

// N sums over the lanes of a warp, N a power of two up to 32: lane i gets that of i % N.
template <int N>
__device__ __forceinline__ double fold(double (&sums)[N]) {
  fold_halves<N, 1>(sums);
  return sums[0];
}

// Rows `base` to `base` + 31 of a matrix times vectors that stand `apart`, by a warp, N rows at a
// time: each lane gets the products of row `base` + lane.
template <int N, int VECTORS>
__device__ __forceinline__ void multiply(const float* const weights, const int stride,
                                         const int rows, const int columns, const int base,
                                         const double* const x, const int apart,
                                         double (&products)[VECTORS]) {
  const int lane = threadIdx.x % 32;
#pragma unroll 1
  for (int pass = 0; pass < 32 / N; pass++) {
    const int row = base + N * pass;
    if (row >= rows) {
      break;
    }
    const float* const from = weights + static_cast<long long>(row) * stride;
    int offsets[N];
#pragma unroll
    for (int r = 0; r < N; r++) {
      // Behind the last row, the last one again.
      offsets[r] = min(r, rows - 1 - row) * stride;
    }
    double sums[VECTORS][N] = {};
    for (int j = lane; j < columns; j += 32) {
      double factors[VECTORS];
#pragma unroll
      for (int v = 0; v < VECTORS; v++) {
        factors[v] = x[v * apart + j];
      }
#pragma unroll
      for (int r = 0; r < N; r++) {
        const double weight = __ldg(from + offsets[r] + j);
#pragma unroll
        for (int v = 0; v < VECTORS; v++) {
          sums[v][r] = fma(weight, factors[v], sums[v][r]);
        }
      }
    }
#pragma unroll
    for (int v = 0; v < VECTORS; v++) {
      const double sum = fold(sums[v]);
      products[v] = lane / N == pass ? sum : products[v];
    }
  }
}

// N sums of some of a matrix's rows, each times a factor, for all columns, by a block. Factors and
// sums stand `apart`.
template <int N, typename T>
__device__ __forceinline__ void combine_rows(const T* const matrix, const int stride,
                                             const int columns, const int count,
                                             const int* const rows, const double* const factors,
                                             double* const sums, const int apart) {
  for (int j = threadIdx.x; j < columns; j += blockDim.x) {
    double sum[N] = {};
#pragma unroll 8
    for (int i = 0; i < count; i++) {
      const double element = __ldg(matrix + static_cast<long long>(rows[i]) * stride + j);
#pragma unroll
      for (int n = 0; n < N; n++) {
        sum[n] = fma(factors[n * apart + i], element, sum[n]);
      }
    }
#pragma unroll
    for (int n = 0; n < N; n++) {
      sums[n * apart + j] = sum[n];
    }
  }
}

// The activation: knots at low and, where there are two, high.
struct Clamp {
  double low;
  double high;
  double shift;
  int knots;
};

// What threads of a block tell each other beside vectors.
struct Told {
  unsigned long long sums[MOST_WARPS];
  double largest[2][MOST_WARPS];
  double difference[2][MOST_WARPS];
  int listed;
};

// One walker. Members are the same in every thread, but for what is said.
struct Walk {
  Clamp clamp;
  const Layer* layers;
  int hidden;
  int hiddenUnits;
  int classes;
  int replica;
  // c2 of a constant 1.
  double arc;
  const double* factor;
  int factorStride;
  int factorColumns;
  // c0 of all units, from the first layer's to the logits, then c1, then c2, `units` apart.
  double* coefficients;
  int units;
  double* jacobian;
  int* codes;
  // Room for vectors of the widest layer: 0 to 2 and 3 to 5 take turns on the way up, and with
  // Gram matrices there are 2 FRESH_CLASSES + 1 for the way down.
  double* vectors;
  int widest;
  // The earliest crossing, a layer and a warp.
  double* nextTimes;
  int* nextUnits;
  // The largest coefficient that each layer had when it was found afresh. For thread 0.
  double* scales;
  // Units of slope 1, a layer.
  int* active;
  Told* told;
  double now;
  // In thread 0.
  double drift;

  __device__ __forceinline__ int lane() const { return threadIdx.x % 32; }
  __device__ __forceinline__ int warp() const { return threadIdx.x / 32; }
  __device__ __forceinline__ int warps() const { return blockDim.x / 32; }

  // The last layer whose polynomials are kept.
  __device__ __forceinline__ int top() const { return jacobian != nullptr ? hidden : hidden - 1; }

  __device__ __forceinline__ const float* weights(const Layer& layer) const {
    return layer.weights + replica * layer.weightsReplica;
  }

  __device__ __forceinline__ double* vector(const int which) const {
    return vectors + static_cast<long long>(which) * widest;
  }

  // Where a polynomial, taken for being between the knots of its code, next meets the upper or the
  // lower of them.
  __device__ __forceinline__ double meets(const double c0, const double c1, const double c2,
                                          const int knot, const bool above) const {
    const double at = knot == 0 ? clamp.low : clamp.high;
    const double sign = above ? 1 : -1;
    return upwards(sign, sign * __dsub_rn(c0, at), 0.5 * sign * c1,
                   sign * __dsub_rn(c2, arc * at), now);
  }

  __device__ __forceinline__ double next(const double c0, const double c1, const double c2,
                                         const int code) const {
    const bool up = code < clamp.knots;
    const double time = meets(c0, c1, c2, up ? code : code - 1, up);
    if (up & (code > 0)) {
      const double down = meets(c0, c1, c2, code - 1, false);
      return down < time ? down : time;
    }
    return time;
  }

  // Notes a warp's earliest crossing of a layer. Every thread of the block must call.
  __device__ __forceinline__ void note(const int layer, double time, int unit) {
    warp_earliest(time, unit);
    if (lane() == 0) {
      nextTimes[layer * warps() + warp()] = time;
      nextUnits[layer * warps() + warp()] = unit;
    }
  }

  // A layer's next crossing with polynomials as they were, and one unit's code that is new.
  __device__ __forceinline__ void seek(const int layer, const int changed, const int code) {
    const int before = layers[layer].before;
    const int count = layers[layer].units;
    double time = INFINITY;
    int unit = INT_MAX;
    for (int j = before + threadIdx.x; j < before + count; j += blockDim.x) {
      const double candidate = next(coefficients[j], coefficients[units + j],
                                    coefficients[2 * units + j], j == changed ? code : codes[j]);
      if (candidate < time) {
        time = candidate;
        unit = j;
      }
    }
    note(layer, time, unit);
  }

  // Adds factor times a crossing's polynomial to that of unit j, which says what goes on from there
  // and, in `time` and `unit`, its next crossing.
  __device__ __forceinline__ double add(const int layer, const int j, const double factor,
                                        const double (&change)[3], double& time, int& unit) {
    double c[3];
#pragma unroll
    for (int k = 0; k < 3; k++) {
      double* const at = coefficients + k * units + j;
      c[k] = fma(factor, change[k], *at);
      *at = c[k];
    }
    if (layer == hidden) {
      return factor;
    }
    const int code = codes[j];
    const double candidate = next(c[0], c[1], c[2], code);
    if (candidate < time) {
      time = candidate;
      unit = j;
    }
    return code == 1 ? factor : 0;
  }

  // Takes a crossing of a unit (of its layer) to all layers above. Returns where the logits' factors
  // stand. Ends with a barrier.
  __device__ __forceinline__ const double* carry_up(const int from, const int crossing,
                                                    const double (&change)[3]) {
    double* out = vector(0);
    double* in = vector(3);
    for (int layer = from + 1; layer <= top(); layer++) {
      const Layer& to = layers[layer];
      const int columns = layers[layer - 1].units;
      double time = INFINITY;
      int unit = INT_MAX;
      for (int base = 32 * warp(); base < to.units; base += blockDim.x) {
        double factor[1] = {0};
        const int j = base + lane();
        if (layer == from + 1) {
          if (j < to.units) {
            factor[0] = __ldg(weights(to) + static_cast<long long>(j) * to.stride + crossing);
          }
        } else {
          multiply<ROWS, 1>(weights(to), to.stride, to.units, columns, base, in, 0, factor);
        }
        if (j < to.units) {
          out[j] = add(layer, to.before + j, factor[0], change, time, unit);
        }
      }
      if (layer < hidden) {
        note(layer, time, unit);
      }
      __syncthreads();
      double* const other = in;
      in = out;
      out = other;
    }
    if (from >= top()) {
      __syncthreads();
    }
    return in;
  }

  // Gradients of `count` up to N neighbouring units' pre-activations (units of their layer, or
  // logits) with respect to the input, times F: vectors 1 for N = 1, which leaves 0 and 3 as they
  // are, else 0 to N - 1. Ends with a barrier.
  template <int N>
  __device__ __forceinline__ void gradients(const int layer, const int unit, const int count) {
    double* const sums = vector(N == 1 ? 1 : 0);
    double* const factors = vector(N == 1 ? 2 : N);
    int* const rows = reinterpret_cast<int*>(vector(N == 1 ? 4 : 2 * N));
    if (threadIdx.x < N) {
      const int own = threadIdx.x;
      for (int i = 0; i < count; i++) {
        factors[static_cast<long long>(own) * widest + i] = i == own ? 1 : 0;
      }
      if (own < count) {
        rows[own] = unit + own;
      }
      if (own == 0) {
        told->listed = count;
      }
    }
    __syncthreads();
    for (int l = layer; l > 0; l--) {
      const Layer& from = layers[l];
      const Layer& to = layers[l - 1];
      combine_rows<N>(weights(from), from.stride, to.units, told->listed, rows, factors, sums,
                      widest);
      __syncthreads();
      if (warp() == 0) {
        list_active<N>(to, sums, rows, factors);
      }
      __syncthreads();
    }
    combine_rows<N>(factor, factorStride, factorColumns, told->listed, rows, factors, sums,
                    widest);
    __syncthreads();
  }

  // Lists units of slope 1 and their N numbers, in order. By one warp.
  template <int N>
  __device__ __forceinline__ void list_active(const Layer& layer, const double* const values,
                                              int* const listed, double* const listedValues) {
    int count = 0;
    for (int base = 0; base < layer.units; base += 32) {
      const int j = base + lane();
      const bool mine = j < layer.units && codes[layer.before + j] == 1;
      const unsigned ballot = __ballot_sync(ALL, mine);
      if (mine) {
        const int at = count + __popc(ballot & ((1u << lane()) - 1));
        listed[at] = j;
#pragma unroll
        for (int n = 0; n < N; n++) {
          listedValues[n * widest + at] = values[n * widest + j];
        }
      }
      count += __popc(ballot);
    }
    if (lane() == 0) {
      told->listed = count;
    }
  }

  // A F <- A F + step factors (column) times vector 1 (row). Without a barrier.
  __device__ __forceinline__ void add_outer(const double* const factors, const double step) {
    const double* const row = vector(1);
    for (int c = warp(); c < classes; c += warps()) {
      const double factor = step * factors[c];
      double* const to = jacobian + static_cast<long long>(c) * factorColumns;
      for (int j = lane(); j < factorColumns; j += 32) {
        to[j] = fma(factor, row[j], to[j]);
      }
    }
  }

  // A F <- 0. Without a barrier.
  __device__ __forceinline__ void clear_jacobian() {
    const long long count = static_cast<long long>(classes) * factorColumns;
    for (long long j = threadIdx.x; j < count; j += blockDim.x) {
      jacobian[j] = 0;
    }
  }

  // A F afresh, some rows at a time. Without a barrier at the end.
  __device__ __forceinline__ void fresh_jacobian() {
    for (int c = 0; c < classes; c += FRESH_CLASSES) {
      const int count = min(FRESH_CLASSES, classes - c);
      gradients<FRESH_CLASSES>(hidden, c, count);
      for (int n = 0; n < count; n++) {
        double* const to = jacobian + static_cast<long long>(c + n) * factorColumns;
        for (int j = threadIdx.x; j < factorColumns; j += blockDim.x) {
          to[j] = vector(n)[j];
        }
      }
    }
  }

  // What one thread finds of its units while polynomials are found afresh.
  struct Fresh {
    double time;
    int unit;
    double largest;
    double difference;
  };

  // Unit j's activation as a polynomial: slope z + the rest, for the layer above.
  __device__ __forceinline__ void activate(const double (&c)[3], const int code,
                                           double* const to) const {
    const double rest =
        clamp.shift + (code == 0 ? clamp.low : (code == 1 ? 0.0 : clamp.high));
    const double constant[3] = {rest, 0, arc * rest};
#pragma unroll
    for (int k = 0; k < 3; k++) {
      to[static_cast<long long>(k) * widest] = (code == 1 ? c[k] : 0) + constant[k];
    }
  }

  // Puts unit j's new polynomial (without bias) in place of the one that was carried, with its code
  // where that is asked by value. Returns the code.
  __device__ __forceinline__ int settle(const int layer, const int j, double (&c)[3],
                                        const bool compare, const bool byValue,
                                        double* const activations, Fresh& found) {
    const Layer& of = layers[layer];
    if (of.bias != nullptr) {
      const double bias = __ldg(of.bias + replica * of.biasReplica + j);
      c[0] += bias;
      c[2] += arc * bias;
    }
    const int unit = of.before + j;
#pragma unroll
    for (int k = 0; k < 3; k++) {
      double* const at = coefficients + k * units + unit;
      found.largest = fmax(found.largest, fabs(c[k]));
      if (compare) {
        found.difference = fmax(found.difference, fabs(c[k] - *at));
      }
      *at = c[k];
    }
    if (layer == hidden) {
      return 0;
    }
    int code = 0;
    if (byValue) {
      for (int k = 0; k < clamp.knots; k++) {
        const double knot = k == 0 ? clamp.low : clamp.high;
        code += c[0] - knot + now * (c[1] + now * (c[2] - arc * knot)) > 0 ? 1 : 0;
      }
      codes[unit] = code;
    } else {
      code = codes[unit];
    }
    const double candidate = next(c[0], c[1], c[2], code);
    if (candidate < found.time) {
      found.time = candidate;
      found.unit = unit;
    }
    activate(c, code, activations + j);
    return code;
  }

  // Polynomials of a layer and all above it afresh, from `first` (this walker's three rows) or from
  // those of the layer below. Ends with a barrier.
  __device__ __forceinline__ void fresh(const int lowest, const double* const first,
                                        const int firstStride, const bool starting,
                                        const bool byValue) {
    double* out = vector(0);
    double* in = vector(3);
    if (lowest > 0) {
      const Layer& below = layers[lowest - 1];
      for (int j = threadIdx.x; j < below.units; j += blockDim.x) {
        const int unit = below.before + j;
        const double c[3] = {coefficients[unit], coefficients[units + unit],
                             coefficients[2 * units + unit]};
        activate(c, codes[unit], in + j);
      }
      __syncthreads();
    }
    for (int layer = lowest; layer <= top(); layer++) {
      const Layer& to = layers[layer];
      Fresh found = {INFINITY, INT_MAX, 0, 0};
      int count = 0;
      for (int base = 32 * warp(); base < to.units; base += blockDim.x) {
        double c[3] = {0, 0, 0};
        const int j = base + lane();
        if (layer == 0) {
          if (j < to.units) {
#pragma unroll
            for (int k = 0; k < 3; k++) {
              c[k] = first[static_cast<long long>(k) * firstStride + j];
            }
          }
        } else {
          multiply<FRESH_ROWS, 3>(weights(to), to.stride, to.units, layers[layer - 1].units, base,
                                  in, widest, c);
        }
        int code = 0;
        if (j < to.units) {
          code = settle(layer, j, c, !starting, byValue, out, found);
        }
        count += __popc(__ballot_sync(ALL, code == 1));
      }
      if (layer < hidden) {
        note(layer, found.time, found.unit);
        if (starting && lane() == 0) {
          atomicAdd(active + layer, count);
        }
      }
      const double largest = warp_largest(found.largest);
      const double difference = warp_largest(found.difference);
      if (lane() == 0) {
        told->largest[layer % 2][warp()] = largest;
        told->difference[layer % 2][warp()] = difference;
      }
      __syncthreads();
      if (threadIdx.x == 0) {
        tell_drift(layer, starting);
      }
      double* const other = in;
      in = out;
      out = other;
    }
    // Who reads what was told last is done before anything more is.
    __syncthreads();
  }

  // By thread 0.
  __device__ __forceinline__ void tell_drift(const int layer, const bool starting) {
    double largest = starting ? 0 : scales[layer];
    double difference = 0;
    for (int w = 0; w < warps(); w++) {
      largest = fmax(largest, told->largest[layer % 2][w]);
      difference = fmax(difference, told->difference[layer % 2][w]);
    }
    scales[layer] = largest;
    // Above a layer of slopes 0 this is there to replace what rounding has left.
    const bool alive = layer == 0 || active[layer - 1] > 0;
    if (alive && difference > 0) {
      drift = fmax(drift, difference / largest);
    }
  }

  // The earliest crossing of all; every thread gets it.
  __device__ __forceinline__ void earliest(double& time, int& unit) const {
    time = INFINITY;
    unit = INT_MAX;
    for (int e = lane(); e < hidden * warps(); e += 32) {
      const double candidate = nextTimes[e];
      const int candidateUnit = nextUnits[e];
      if (candidate < time || (candidate == time && candidateUnit < unit)) {
        time = candidate;
        unit = candidateUnit;
      }
    }
    warp_earliest(time, unit);
  }

  // The layer of one of all hidden units.
  __device__ __forceinline__ int layer_of(const int unit) const {
    int layer = 0;
    for (int step = hidden - 1; step > 0;) {
      const int half = (step + 1) / 2;
      if (layers[layer + half].before <= unit) {
        layer += half;
        step -= half;
      } else {
        step = half - 1;
      }
    }
    return layer;
  }

  // The pattern's hash; thread 0 writes it. Ends with a barrier.
  __device__ __forceinline__ void hash(unsigned long long* const to) const {
    unsigned long long sum = 0;
    for (int j = threadIdx.x; j < hiddenUnits; j += blockDim.x) {
      sum += codes[j] * pattern_key(j);
    }
    sum = block_sum(sum, told->sums);
    if (threadIdx.x == 0) {
      *to = sum;
    }
    __syncthreads();
  }

  // The logits and A A^T of the region that the walker is in. Ends without a barrier: it reads only.
  __device__ __forceinline__ void describe(double* const logits, double* const grams) const {
    for (int i = threadIdx.x; i < 3 * classes; i += blockDim.x) {
      logits[i] = coefficients[static_cast<long long>(i / classes) * units + hiddenUnits +
                               i % classes];
    }
    const int tiles = (classes + TILE - 1) / TILE;
    int row = 0;
    int tile = warp();
    while (true) {
      // Tiles on and above the diagonal, row by row.
      while (row < tiles && tile >= tiles - row) {
        tile -= tiles - row;
        row++;
      }
      if (row >= tiles) {
        break;
      }
      multiply_rows(TILE * row, TILE * (row + tile), grams);
      tile += warps();
    }
  }

  // TILE rows of A F times TILE rows of it, by a warp.
  __device__ __forceinline__ void multiply_rows(const int first, const int second,
                                                double* const grams) const {
    long long a[TILE];
    long long b[TILE];
#pragma unroll
    for (int r = 0; r < TILE; r++) {
      a[r] = static_cast<long long>(min(first + r, classes - 1)) * factorColumns;
      b[r] = static_cast<long long>(min(second + r, classes - 1)) * factorColumns;
    }
    double sums[TILE * TILE] = {};
    for (int j = lane(); j < factorColumns; j += 32) {
      double x[TILE];
      double y[TILE];
#pragma unroll
      for (int r = 0; r < TILE; r++) {
        x[r] = jacobian[a[r] + j];
        y[r] = jacobian[b[r] + j];
      }
#pragma unroll
      for (int r = 0; r < TILE; r++) {
#pragma unroll
        for (int s = 0; s < TILE; s++) {
          sums[r * TILE + s] = fma(x[r], y[s], sums[r * TILE + s]);
        }
      }
    }
    const double sum = fold(sums);
    const int mine = lane() % (TILE * TILE);
    const int i = first + mine / TILE;
    const int j = second + mine % TILE;
    if (lane() < TILE * TILE && i <= j && j < classes) {
      grams[static_cast<long long>(i) * classes + j] = sum;
      grams[static_cast<long long>(j) * classes + i] = sum;
    }
  }
};

}  // namespace

// `IN_SHARED`: whether vectors are in shared memory, else behind the walker's coefficients. BLOCKS of
// the most threads must fit a multiprocessor by their registers.
#define WALK(NAME, IN_SHARED, BLOCKS)                                                                      \
  extern "C" __global__ void __launch_bounds__(MOST_THREADS, BLOCKS) NAME(                         \
      const Layer* const layers, const int hidden, const int widest, const double low,             \
      const double high, const double shift, const int knots, const int arcs,                      \
      const double* const factors, const int factorsStride, const long long factorsReplica,        \
      const int factorColumns, const double* const first, const int firstStride,                   \
      const int* const replicas, const double* const from, const double* const to,                 \
      const int* const resumed, const int firstWalker, double* const scratch,                      \
      const long long scratchOfWalker, const int capacity, int* const counts,                      \
      double* const reached, double* const parameters, int* const crossings, int* const codes,     \
      unsigned long long* const hashes, double* const drift, double* const logits,                 \
      double* const grams) {                                                                       \
    extern __shared__ double shared[];                                                             \
    __shared__ Told told;                                                                          \
    const long long i = firstWalker + blockIdx.x;                                                  \
    const int replica = replicas[i];                                                               \
    const int hiddenUnits = layers[hidden].before;                                                 \
    const int classes = layers[hidden].units;                                                      \
    double* const coefficients = scratch + blockIdx.x * scratchOfWalker;                           \
    const int units = (hiddenUnits + classes + 3) / 4 * 4;                                         \
    double* const jacobian = coefficients + 3ll * units;                                           \
    const bool withGrams = grams != nullptr;                                                       \
    double* const room =                                                                           \
        IN_SHARED ? shared                                                                         \
                  : jacobian + (withGrams ? static_cast<long long>(classes) * factorColumns : 0);  \
    Walk walk;                                                                                     \
    walk.clamp = {low, high, shift, knots};                                                        \
    walk.layers = layers;                                                                          \
    walk.hidden = hidden;                                                                          \
    walk.hiddenUnits = hiddenUnits;                                                                \
    walk.classes = classes;                                                                        \
    walk.replica = replica;                                                                        \
    walk.arc = arcs;                                                                               \
    walk.factor = factors + replica * factorsReplica;                                              \
    walk.factorStride = factorsStride;                                                             \
    walk.factorColumns = factorColumns;                                                            \
    walk.coefficients = coefficients;                                                              \
    walk.units = units;                                                                            \
    walk.jacobian = withGrams ? jacobian : nullptr;                                                \
    walk.codes = codes + i * hiddenUnits;                                                          \
    walk.vectors = room;                                                                           \
    walk.widest = widest;                                                                          \
    walk.nextTimes = room + (withGrams ? 2ll * FRESH_CLASSES + 1 : 6ll) * widest;                  \
    walk.scales = walk.nextTimes + hidden * (blockDim.x / 32);                                     \
    walk.nextUnits = reinterpret_cast<int*>(walk.scales + hidden + 1);                             \
    walk.active = walk.nextUnits + hidden * (blockDim.x / 32);                                     \
    walk.told = &told;                                                                             \
    walk.now = from[i];                                                                            \
    walk.drift = 0;                                                                                \
    run(walk, first + 3 * i * firstStride, firstStride, resumed[i] != 0, to[i], capacity,          \
        counts + i, reached + i, parameters + i * capacity, crossings + i * capacity,              \
        hashes + 2 * i, drift + i, withGrams ? logits + i * (capacity + 1ll) * 3 * classes : nullptr, \
        withGrams ? grams + i * (capacity + 1ll) * classes * classes : nullptr);                   \
  }

namespace {

// A walk from one crossing to the next.
__device__ __forceinline__ void run(Walk& walk, const double* const first, const int firstStride,
                                    const bool resumed, const double end, const int capacity,
                                    int* const counts, double* const reached,
                                    double* const parameters, int* const crossings,
                                    unsigned long long* const hashes, double* const drift,
                                    double* const logits, double* const grams) {
  for (int l = threadIdx.x; l < walk.hidden; l += blockDim.x) {
    walk.active[l] = 0;
  }
  __syncthreads();
  int count = 0;
  // The lowest layer to be found afresh: at first, all are.
  int lowest = 0;
  int layer = 0;
  int crossing = 0;
  double step = 0;
  const double* factors = nullptr;
  for (;;) {
    const bool everything = lowest == 0;
    if (lowest < NOTHING) {
      walk.fresh(lowest, first, firstStride, count == 0, count == 0 && !resumed);
    }
    if (count == 0) {
      walk.hash(hashes);
    }
    if (walk.jacobian != nullptr) {
      if (everything) {
        walk.fresh_jacobian();
      } else if (lowest < NOTHING) {
        // Above a layer without active units nothing has a gradient.
        walk.clear_jacobian();
      } else {
        walk.gradients<1>(layer, crossing, 1);
        walk.add_outer(factors, step);
      }
      __syncthreads();
      walk.describe(logits + static_cast<long long>(count) * 3 * walk.classes,
                    grams + static_cast<long long>(count) * walk.classes * walk.classes);
    }
    double time;
    int unit;
    walk.earliest(time, unit);
    if (!(time < end)) {
      walk.now = end;
      break;
    }
    if (count == capacity) {
      break;
    }
    walk.now = time;
    layer = walk.layer_of(unit);
    crossing = unit - walk.layers[layer].before;
    const double c0 = walk.coefficients[unit];
    const double c1 = walk.coefficients[walk.units + unit];
    const double c2 = walk.coefficients[2 * walk.units + unit];
    const int code = walk.codes[unit];
    // Of the knots that a unit may meet, the one that this root is of.
    const bool up = code == 0 ||
                    (code < walk.clamp.knots && walk.meets(c0, c1, c2, code, true) <=
                                                    walk.meets(c0, c1, c2, code - 1, false));
    const int knot = up ? code : code - 1;
    const int crossed = up ? code + 1 : code - 1;
    const double at = knot == 0 ? walk.clamp.low : walk.clamp.high;
    step = crossed == 1 ? 1 : -1;
    const double change[3] = {step * (c0 - at), step * c1, step * (c2 - walk.arc * at)};
    const int active = walk.active[layer] + (crossed == 1 ? 1 : -1);
    // All know what crosses before anything changes.
    __syncthreads();
    if (threadIdx.x == 0) {
      walk.codes[unit] = crossed;
      walk.active[layer] = active;
      parameters[count] = time;
      crossings[count] = 4 * unit + 2 * knot + (up ? 1 : 0);
    }
    count++;
    walk.seek(layer, unit, crossed);
    factors = walk.carry_up(layer, crossing, change);
    lowest = count % FRESH == 0 ? 0 : (active == 0 ? layer + 1 : NOTHING);
  }
  walk.hash(hashes + 1);
  if (threadIdx.x == 0) {
    *counts = count;
    *reached = walk.now;
    *drift = walk.drift;
  }
}

}  // namespace

WALK(walk, true, 2)
WALK(walk_wide, false, 1)

// Norms of the probabilities' Jacobians at points of walked pieces, from each region's logits and
// Gram matrix G = A A^T: as norms.cu has it, relative to the most probable class y, with
// B_ij = G_ij - G_iy - G_jy + G_yy and v_i = sum_j sigma_j B_ij
//   norm^2 = sum_i sigma_i^2 (B_ii - 2 v_i)  +  sum_i sigma_i^2  *  sum_i sigma_i v_i
// where B_iy = B_yi = 0.
//
// Layout: points and norms float64, walker i's from pointsFrom[i] to pointsFrom[i + 1] - 1; counts,
// parameters, logits and grams as a walk left them.
// Launch: a thread a point, blocks of 256 in x, striding over points pointsFrom[0] on. `sigmas`:
// float64 [C][threads of the grid].
// A point reads 8 C^2 + 24 C bytes, which its neighbours in the same region read too, and its own
// probabilities C + 3 times; 4 C^2 FLOP, C exponentials and 2 C divisions.
extern "C" __global__ void __launch_bounds__(MOST_THREADS) region_norms(
    const int walkers, const int capacity, const int classes, const int arcs,
    const int* __restrict__ pointsFrom, const int* __restrict__ counts,
    const double* __restrict__ parameters, const double* __restrict__ logits,
    const double* __restrict__ grams, const double* __restrict__ points,
    double* __restrict__ norms, double* sigmas) {
  const int threads = gridDim.x * blockDim.x;
  const int thread = blockIdx.x * blockDim.x + threadIdx.x;
  double* const sigma = sigmas + thread;
  for (long long p = pointsFrom[0] + static_cast<long long>(thread); p < pointsFrom[walkers];
       p += threads) {
    // The last walker whose points start at p or before.
    int low = 0;
    int high = walkers - 1;
    while (low < high) {
      const int middle = low + (high - low + 1) / 2;
      if (pointsFrom[middle] <= p) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    const long long walker = low;
    const double t = points[p];
    const double* const crossed = parameters + walker * capacity;
    int region = 0;
    int most = counts[walker];
    while (region < most) {
      const int middle = region + (most - region) / 2;
      if (crossed[middle] <= t) {
        region = middle + 1;
      } else {
        most = middle;
      }
    }
    const long long index = walker * (capacity + 1ll) + region;
    const double* const c = logits + index * 3 * classes;
    const double* const g = grams + index * classes * classes;
    const double weight = arcs ? 1 + t * t : 1;
    int y = 0;
    double top = 0;
    for (int i = 0; i < classes; i++) {
      const double logit = (c[i] + t * (c[classes + i] + t * c[2 * classes + i])) / weight;
      sigma[static_cast<long long>(i) * threads] = logit;
      if (i == 0 || logit > top) {
        top = logit;
        y = i;
      }
    }
    double sum = 0;
    for (int i = 0; i < classes; i++) {
      double* const at = sigma + static_cast<long long>(i) * threads;
      *at = exp(*at - top);
      sum += *at;
    }
    for (int i = 0; i < classes; i++) {
      sigma[static_cast<long long>(i) * threads] /= sum;
    }
    const double* const ofY = g + static_cast<long long>(y) * classes;
    double total = 0;
    double squaredMean = 0;
    double squares = 0;
    for (int i = 0; i < classes; i++) {
      const double own = sigma[static_cast<long long>(i) * threads];
      squares += own * own;
      if (i == y) {
        continue;
      }
      const double* const row = g + static_cast<long long>(i) * classes;
      const double shift = ofY[y] - ofY[i];
      double alongMean = 0;
      for (int j = 0; j < classes; j++) {
        const double inner = row[j] - ofY[j] + shift;
        alongMean += j == y ? 0 : sigma[static_cast<long long>(j) * threads] * inner;
      }
      total += own * own * (row[i] - ofY[i] + shift - 2 * alongMean);
      squaredMean += own * alongMean;
    }
    const double squared = total + squares * squaredMean;
    // Rounding may leave a tiny negative number where A is constant over the classes.
    norms[p] = sqrt(squared < 0 ? 0 : squared);
  }
}
