// Frobenius norms of input-output Jacobians, from first-layer pre-activations to norms on chip.
//
// For each point, with slopes D_l = diag phi'(z_l) of its forward pass and one row per seed:
//
//   delta_L = s,  delta_l-1 = (delta_l W_l) D_l-1,  norm = scale sqrt(sum over seeds |delta_1 F|^2)
//
// Seeds of logits are the C unit rows, scale 1. Seeds of probabilities are the C - 1 rows of U S /
// scale, U Helmert's basis and S = diag(sigma) - sigma sigma' in float64, scale the largest
// magnitude of U S: rows of saturated probabilities don't underflow. F is W_1, or any matrix with
// F F' = W_1 W_1', such as a Cholesky factor where inputs are more than units.
//
// Shapes: z [n][units of the first layer] without bias, weights [out][in], F [units][any], norms
// [n] float64, rows [n (C - 1 or C)][columns of F] if asked for. Strides are free. jacobian_pack
// first transposes the weights of the way forward, and copies what doesn't start rows on 16 bytes.
//
// Geometry: a block takes `points` points forward together (at most `rows` = 64, 32 or 16), then
// their seeds back, `rows` at a time whichever points they are of, so that only the last pass may
// be less than full. It has a warp for each 2048 / rows units of the widest layer; all results of a
// product fit its registers (64 a thread), so one buffer holds errors or activations and a product
// replaces its operand. Blocks go on to further points with the stride of the grid. Registers are
// bound to 168 (12 warps a multiprocessor), for 16 rows to 255.
//
// Shared memory of a block, bytes: 4 rows widest for what is held, 64 a unit of the widest layer
// for strips of weights, rows / 8 a hidden unit for slopes, one bit each; then logits, seeds and
// sums. 20 hidden layers of 200, 10 classes: 105 KiB with 64 rows, 61 KiB with 32. Slopes of Tanh
// are float32 in device memory: 4 rows a hidden unit for each block.
//
// FLOP a point, W = sum over layers 2 ... of in out, r = C - 1 or C:
//   2 W rows / points + 2 r (W + units columns of F)
// with the units that each product makes rounded up to what its warps make, 2048 / rows each: 200
// units are multiplied as 224 by 64 rows, an eighth more.
// Bytes a point in device memory: 4 a unit of z and 8 of the norm. Weights come from the
// second-level cache, 4 bytes for 2 rows FLOP; so do Tanh's slopes, 4 bytes for 2 in FLOP.
//
// Versions, for 64, 32 and 16 rows each: float32 multiply-adds for all cards; tensor cores with
// three TF32 products (mma.cuh), meant for cards whose TF32 rate is more than three times that of
// float32: 8.0 and 9.0. By the data sheets 64 rows a weight are then about what the second-level
// cache of 9.0 can feed; more rows were not tried. Every sum has one order, whichever points share
// a block or a pass: the same bits on every run and for any n, within a version.
//
// No bank conflicts within products, activations and slopes; sums of a pass's rows have a few.
//
// Tried, by what ptxas says, none timed on a card:
// - products in line at three places (forward, back, F) instead of one: a third more code, and at
//   the same bounds registers still spilled in some versions;
// - 512 threads, so at most 128 registers: up to some 90 bytes spilled on most architectures;
// - scaling rows to a magnitude near 1 in registers before the last product, rather than its
//   results after it: up to 390 bytes spilled.
#include "activation.cuh"
#include "jacobian_tile.cuh"

// A layer as dev.flinch.device.cuda.JacobianKernel lays it out. Rows of weights start at multiples
// of 16 bytes and have zeros up to a multiple of four columns.
struct Layer {
  const float* forward;   // the transposed weights; not of the first layer
  const float* backward;  // the weights; of the first layer F
  const float* bias;      // or null
  int backward_stride;
  int units;
  int columns;  // units of the layer below; of the first layer F's columns
  int slopes;   // units of the hidden layers below, each rounded up to even
};

// A matrix to pack.
struct Packing {
  const float* source;
  float* target;
  long long stride;
  int rows;
  int columns;
  int target_stride;
  int transposed;
};

// Copies matrices, transposed where asked, to rows at multiples of 16 bytes that end in zeros.
// Blocks of 256 threads in x share the 32 x 32 tiles of matrix blockIdx.y. 8 bytes an element.
extern "C" __global__ void __launch_bounds__(256)
    jacobian_pack(const Packing* __restrict__ matrices) {
  __shared__ float tile[32][33];
  const Packing m = matrices[blockIdx.y];
  const int x = threadIdx.x % 32;
  const int across = (m.columns + 31) / 32;
  const int tiles = across * ((m.rows + 31) / 32);
  for (int t = blockIdx.x; t < tiles; t += gridDim.x) {
    const int row = t / across * 32;
    const int column = t % across * 32;
    for (int y = threadIdx.x / 32; y < 32; y += 8) {
      const bool inside = row + y < m.rows && column + x < m.columns;
      tile[y][x] = inside ? m.source[(row + y) * m.stride + column + x] : 0.0f;
    }
    __syncthreads();
    const int to_row = m.transposed ? column : row;
    const int to_column = m.transposed ? row : column;
    const int rows = m.transposed ? m.columns : m.rows;
    for (int y = threadIdx.x / 32; y < 32; y += 8) {
      if (to_row + y < rows && to_column + x < m.target_stride) {
        m.target[static_cast<long long>(to_row + y) * m.target_stride + to_column + x] =
            m.transposed ? tile[x][y] : tile[y][x];
      }
    }
    __syncthreads();
  }
}

// Slopes of a piecewise-linear activation: bit `row` of entry `unit`.
template <int rows>
struct SlopeBits;
template <>
struct SlopeBits<64> {
  using Word = unsigned long long;
};
template <>
struct SlopeBits<32> {
  using Word = unsigned;
};
template <>
struct SlopeBits<16> {
  using Word = unsigned short;
};

// What is asked for.
struct Request {
  const Layer* __restrict__ layers;
  int depth;  // layers, the last included
  const float* __restrict__ z;
  long long z_stride;
  int n;
  int points;  // that a block takes forward together
  Activation activation;
  float* __restrict__ smooth_slopes;  // [blocks][slope_units][rows], for Tanh
  int slope_units;                    // hidden units, each layer's rounded up to even
  int held_units;                     // of the widest layer, rounded up to whole strips
  int of_probabilities;
  double* __restrict__ norms;  // or null
  long long norms_stride;
  float* __restrict__ jacobian;  // rows, or null
  long long jacobian_stride;
};

// What a block has in shared memory.
template <class Tile>
struct Shared {
  float* held;                                 // [held_units][pitch]
  float* strips;                               // [warps][2][strip]
  typename SlopeBits<Tile::rows>::Word* bits;  // [slope_units]
  double* scales;                              // [rows], of the seeds of each point
  double* squares;                             // [rows], of each point, over chunks
  double* row_squares;                         // [warps][rows]
  double* basis;                               // [classes], 1 / sqrt(k (k + 1))
  double* exponentials;                        // [seeded points][classes], as the next three:
  double* before;
  double* from;
  double* peaks_of_seeds;
  float* logits;       // [classes][rows]
  float* row_factors;  // [rows], powers of two
  int* point_of;       // [rows]

  // Bytes: as dev.flinch.device.cuda.JacobianKernel counts them.
  __device__ Shared(unsigned char* at, const Request& q, const int classes, const int seeded) {
    const int warps = blockDim.x / 32;
    held = take<float>(at, q.held_units * Tile::pitch);
    strips = take<float>(at, warps * 2 * Strip<Tile>::floats);
    const int bits_taken = q.activation.smooth ? 0 : round_up(q.slope_units, 4);
    bits = take<typename SlopeBits<Tile::rows>::Word>(at, bits_taken);
    scales = take<double>(at, Tile::rows);
    squares = take<double>(at, Tile::rows);
    row_squares = take<double>(at, warps * Tile::rows);
    basis = take<double>(at, classes);
    exponentials = take<double>(at, seeded * classes);
    before = take<double>(at, seeded * classes);
    from = take<double>(at, seeded * classes);
    peaks_of_seeds = take<double>(at, seeded * classes);
    logits = take<float>(at, classes * Tile::rows);
    row_factors = take<float>(at, Tile::rows);
    point_of = take<int>(at, Tile::rows);
  }

  // The two strips of this thread's warp.
  __device__ __forceinline__ float* strip() const {
    return strips + threadIdx.x / 32 * (2 * Strip<Tile>::floats);
  }

  template <class T>
  __device__ static T* take(unsigned char*& at, const int count) {
    T* taken = reinterpret_cast<T*>(at);
    at += count * sizeof(T);
    return taken;
  }
};

// Entry (k, c) of U S, k = 1 ... C - 1, times the square of the exponentials' sum. With
// uk = (1, ..., 1, -k, 0, ..., 0) / sqrt(k (k + 1)) and S = diag(s) - s s', the sum of the first k
// rows of S has s_c times all later probabilities in column c < k, and -s_c times all earlier ones
// from there on: sums of what has one sign, so that nothing is lost when a probability is all but
// 1.
// `e`: the exponentials; `before[k]`: the sum of those before k; `from[k]`: of the others.
__device__ __forceinline__ double seed(const double* e, const double* before, const double* from,
                                       const double* basis, const int classes, const int k,
                                       const int c) {
  double value;
  if (c < k) {
    value = e[c] * (from[k] + k * e[k]);
  } else if (c == k) {
    const double after = k + 1 < classes ? from[k + 1] : 0.0;
    value = -e[k] * (before[k] + k * (before[k] + after));
  } else {
    value = -e[c] * (before[k] - k * e[k]);
  }
  return value * basis[k];
}

// The larger of two, NaN where there is one.
__device__ __forceinline__ double larger(const double a, const double b) {
  return b > a || b != b ? b : a;
}

// z1 of the points from `first` on; zeros for those from `here` on, and to a multiple of strips.
template <class Tile>
__device__ __forceinline__ void load_first(const Request& q, const Shared<Tile>& shared,
                                           const int first, const int here) {
  const int units = q.layers[0].units;
  const int all = round_up(units, kStripDepth) * Tile::rows;
  // Neighbouring lanes take neighbouring points, so that what they write lies in a row; the units
  // of a sector are read in as many turns, from the first-level cache.
  for (int f = threadIdx.x; f < all; f += blockDim.x) {
    const int unit = f / Tile::rows;
    const int row = f % Tile::rows;
    const float* z = q.z + (first + row) * q.z_stride + unit;
    shared.held[unit * Tile::pitch + row] = row < here && unit < units ? *z : 0.0f;
  }
}

// Held pre-activations become activations; their slopes are kept.
template <class Tile>
__device__ __forceinline__ void activate(const Request& q, const Shared<Tile>& shared,
                                         const Layer& layer) {
  const int all = layer.units * Tile::rows;
  const int lane = threadIdx.x % 32;
  unsigned* words = reinterpret_cast<unsigned*>(shared.bits + layer.slopes);
  float* smooth = q.smooth_slopes +
                  (static_cast<long long>(blockIdx.x) * q.slope_units + layer.slopes) * Tile::rows;
  for (int from = threadIdx.x - lane; from < all; from += blockDim.x) {
    const int f = from + lane;
    float slope = 0;
    if (f < all) {
      float* at = shared.held + f / Tile::rows * Tile::pitch + f % Tile::rows;
      const float z = *at + (layer.bias ? layer.bias[f / Tile::rows] : 0.0f);
      const float h = activation_value(q.activation, z);
      slope = activation_slope(q.activation, z, h);
      *at = h;
    }
    if (!q.activation.smooth) {
      const unsigned word = __ballot_sync(0xffffffffu, slope != 0);
      if (lane == 0) {
        words[from / 32] = word;
      }
    } else if (f < all) {
      smooth[f] = slope;
    }
  }
}

// Held products of the last layer go where they stay.
template <class Tile>
__device__ __forceinline__ void keep_logits(const Shared<Tile>& shared, const Layer& layer) {
  for (int f = threadIdx.x; f < layer.units * Tile::rows; f += blockDim.x) {
    const int unit = f / Tile::rows;
    shared.logits[f] = shared.held[unit * Tile::pitch + f % Tile::rows] +
                       (layer.bias ? layer.bias[unit] : 0.0f);
  }
}

// Some consecutive rows of the Jacobians of a block's points.
template <class Tile>
struct Chunk {
  int first;     // row: point * rows of a point + row of the point
  int count;     // at most the tile's
  int of_point;  // rows of a point

  __device__ __forceinline__ Chunk(const int from, const int points, const int rows_of_point)
      : first(from),
        count(min(Tile::rows, points * rows_of_point - from)),
        of_point(rows_of_point) {}

  // The first point that has one of them, and how many have.
  __device__ __forceinline__ int first_point() const { return first / of_point; }
  __device__ __forceinline__ int points() const {
    return (first + count - 1) / of_point - first_point() + 1;
  }
};

// The rows that are carried back: held as [class][row], with zeros for rows that there aren't.
template <class Tile>
__device__ __forceinline__ void hold_seeds(const Request& q, const Shared<Tile>& shared,
                                           const Chunk<Tile>& chunk, const int classes) {
  for (int row = threadIdx.x; row < Tile::rows; row += blockDim.x) {
    shared.point_of[row] = row < chunk.count ? (chunk.first + row) / chunk.of_point : 0;
  }
  if (q.of_probabilities) {
    const int all = chunk.points() * classes;
    for (int f = threadIdx.x; f < all; f += blockDim.x) {
      const int point = chunk.first_point() + f / classes;
      float top = shared.logits[point];
      for (int c = 1; c < classes; c++) {
        top = fmaxf(top, shared.logits[c * Tile::rows + point]);
      }
      const double logit = shared.logits[f % classes * Tile::rows + point];
      shared.exponentials[f] = exp(logit - top);
    }
    __syncthreads();
    for (int p = threadIdx.x; p < chunk.points(); p += blockDim.x) {
      const double* e = shared.exponentials + p * classes;
      double sum = 0;
      for (int c = 0; c < classes; c++) {
        shared.before[p * classes + c] = sum;
        sum += e[c];
      }
      sum = 0;
      for (int c = classes - 1; c >= 0; c--) {
        sum += e[c];
        shared.from[p * classes + c] = sum;
      }
    }
    __syncthreads();
    for (int f = threadIdx.x; f < all; f += blockDim.x) {
      const int at = f / classes * classes;
      double peak = 0;
      for (int k = 1; k < classes; k++) {
        peak = larger(peak, fabs(seed(shared.exponentials + at, shared.before + at,
                                      shared.from + at, shared.basis, classes, k, f % classes)));
      }
      shared.peaks_of_seeds[f] = peak;
    }
    __syncthreads();
    for (int p = threadIdx.x; p < chunk.points(); p += blockDim.x) {
      double peak = 0;
      for (int c = 0; c < classes; c++) {
        peak = larger(peak, shared.peaks_of_seeds[p * classes + c]);
      }
      const double sum = shared.from[p * classes];
      shared.scales[chunk.first_point() + p] = peak / sum / sum;
      // What seeds are multiplied by: there are none where all of U S vanishes.
      shared.peaks_of_seeds[p * classes] = peak == 0 ? 0 : 1 / peak;
    }
    __syncthreads();
  }
  const int all = round_up(classes, kStripDepth) * Tile::rows;
  for (int f = threadIdx.x; f < all; f += blockDim.x) {
    const int c = f / Tile::rows;
    const int row = f % Tile::rows;
    float value = 0;
    if (c < classes && row < chunk.count) {
      const int point = (chunk.first + row) / chunk.of_point;
      const int r = chunk.first + row - point * chunk.of_point;
      if (q.of_probabilities) {
        const int at = (point - chunk.first_point()) * classes;
        value = static_cast<float>(seed(shared.exponentials + at, shared.before + at,
                                        shared.from + at, shared.basis, classes, r + 1, c) *
                                   shared.peaks_of_seeds[at]);
      } else {
        value = r == c ? 1.0f : 0.0f;
      }
    }
    shared.held[c * Tile::pitch + row] = value;
  }
}

// Errors times the slopes of a layer. Zero slopes multiply: NaN must not vanish in a select.
template <class Tile>
__device__ __forceinline__ void apply_slopes(Tile& tile, const Request& q,
                                             const Shared<Tile>& shared, const Layer& layer) {
  const int first = threadIdx.x / 32 * Tile::units;
  const int units = layer.units;
  const int slopes_before = layer.slopes;
  if (first >= units) {
    return;
  }
  int point[Tile::own_rows];
#pragma unroll
  for (int i = 0; i < Tile::own_rows; i++) {
    point[i] = shared.point_of[Tile::row(i)];
  }
  if (q.activation.smooth) {
    const float* slopes =
        q.smooth_slopes +
        (static_cast<long long>(blockIdx.x) * q.slope_units + slopes_before) * Tile::rows;
#pragma unroll
    for (int j = 0; j < Tile::own_units; j++) {
      const int unit = first + Tile::unit(j);
      if (unit < units) {
#pragma unroll
        for (int i = 0; i < Tile::own_rows; i++) {
          tile.at(j, i) *= slopes[unit * Tile::rows + point[i]];
        }
      }
    }
  } else {
#pragma unroll
    for (int j = 0; j < Tile::own_units; j++) {
      const int unit = first + Tile::unit(j);
      if (unit < units) {
        const auto word = shared.bits[slopes_before + unit];
#pragma unroll
        for (int i = 0; i < Tile::own_rows; i++) {
          tile.at(j, i) *= (word >> point[i] & 1) ? 1.0f : 0.0f;
        }
      }
    }
  }
}

// Finds for each held row the power of two that brings its largest entry near 1: squares of what
// the last product makes of the row are taken times it, so that they neither vanish nor overflow.
template <class Tile>
__device__ __forceinline__ void find_row_factors(const Shared<Tile>& shared, const int units) {
  for (int row = threadIdx.x; row < Tile::rows; row += blockDim.x) {
    float peak = 0;
#pragma unroll 8
    for (int unit = 0; unit < units; unit++) {
      peak = fmaxf(peak, fabsf(shared.held[unit * Tile::pitch + row]));
    }
    const int biased = __float_as_int(peak) >> 23;
    const int inverse = peak > 0 && biased < 255 ? min(253, 254 - biased) : 127;
    shared.row_factors[row] = __int_as_float(max(1, inverse) << 23);
  }
}

// Adds the squares of some columns of the last product to those of the warp's rows.
template <class Tile>
__device__ __forceinline__ void add_squares(Tile& tile, const Shared<Tile>& shared,
                                            const bool first) {
  float squares[Tile::own_rows];
#pragma unroll
  for (int i = 0; i < Tile::own_rows; i++) {
    const float factor = shared.row_factors[Tile::row(i)];
    squares[i] = 0;
#pragma unroll
    for (int j = 0; j < Tile::own_units; j++) {
      const float value = tile.at(j, i) * factor;
      squares[i] = fmaf(value, value, squares[i]);
    }
  }
  sum_over_lanes<Tile>(squares);
  if (Tile::unit(0) == 0) {
    double* sums = shared.row_squares + threadIdx.x / 32 * Tile::rows;
#pragma unroll
    for (int i = 0; i < Tile::own_rows; i++) {
      const int row = Tile::row(i);
      sums[row] = (first ? 0.0 : sums[row]) + squares[i];
    }
  }
}

// Writes columns of the Jacobians' rows, with all scales multiplied back.
template <class Tile>
__device__ __forceinline__ void write_rows(Tile& tile, const Request& q,
                                           const Shared<Tile>& shared, const Chunk<Tile>& chunk,
                                           const int first, const int from,
                                           const int columns) {
  const int column = from + threadIdx.x / 32 * Tile::units;
#pragma unroll
  for (int i = 0; i < Tile::own_rows; i++) {
    const int row = Tile::row(i);
    if (row < chunk.count) {
      const double scale = shared.scales[shared.point_of[row]];
      const long long at = static_cast<long long>(first) * chunk.of_point + chunk.first + row;
      float* to = q.jacobian + at * q.jacobian_stride + column;
#pragma unroll
      for (int j = 0; j < Tile::own_units; j++) {
        if (column + Tile::unit(j) < columns) {
          to[Tile::unit(j)] = static_cast<float>(tile.at(j, i) * scale);
        }
      }
    }
  }
}

// Adds the squares of a chunk's rows to those of their points, in the rows' order.
template <class Tile>
__device__ __forceinline__ void add_to_points(const Shared<Tile>& shared,
                                              const Chunk<Tile>& chunk) {
  for (int row = threadIdx.x; row < chunk.count; row += blockDim.x) {
    double sum = 0;
    for (int w = 0; w < blockDim.x / 32; w++) {
      sum += shared.row_squares[w * Tile::rows + row];
    }
    const double factor = shared.row_factors[row];
    shared.row_squares[row] = sum / (factor * factor);
  }
  __syncthreads();
  for (int p = threadIdx.x; p < chunk.points(); p += blockDim.x) {
    const int point = chunk.first_point() + p;
    const int from = max(0, point * chunk.of_point - chunk.first);
    const int to = min(chunk.count, (point + 1) * chunk.of_point - chunk.first);
    double sum = shared.squares[point];
    for (int row = from; row < to; row++) {
      sum += shared.row_squares[row];
    }
    shared.squares[point] = sum;
  }
}

template <class Tile>
__device__ __forceinline__ void jacobian(const Request& q) {
  extern __shared__ __align__(16) unsigned char memory[];
  const int classes = q.layers[q.depth - 1].units;
  const int of_point = q.of_probabilities ? classes - 1 : classes;
  const int seeded = (Tile::rows + of_point - 2) / of_point + 1;
  const Shared<Tile> shared(memory, q, classes, seeded);
  for (int k = threadIdx.x; k < classes; k += blockDim.x) {
    shared.basis[k] = 1 / sqrt(static_cast<double>(k) * (k + 1));
  }
  Tile tile;
  for (int t = blockIdx.x; static_cast<long long>(t) * q.points < q.n; t += gridDim.x) {
    const int first = t * q.points;
    const int here = min(q.points, q.n - first);
    load_first(q, shared, first, here);
    for (int p = threadIdx.x; p < Tile::rows; p += blockDim.x) {
      shared.squares[p] = 0;
      shared.scales[p] = 1;
    }
    __syncthreads();
    // One product after the other, in one place for all: forward through the layers l, then for
    // each chunk of rows back through them, and at the first one through F, some columns at a time.
    int back = 0;
    int from = 0;
    int l = 0;
    int column = 0;
    while (true) {
      if (!back) {
        activate(q, shared, q.layers[l]);
        __syncthreads();
      }
      const Layer& layer = q.layers[back ? l : l + 1];
      const int depth = back ? layer.units : layer.columns;
      const int columns = back ? layer.columns - column : layer.units;
      multiply(tile, shared.held, shared.strip(), back ? layer.backward + column : layer.forward,
               back ? layer.backward_stride : round_up(columns, 4), depth, columns);
      if (back && l == 0) {
        const Chunk<Tile> chunk(from, here, of_point);
        add_squares(tile, shared, column == 0);
        if (q.jacobian) {
          write_rows(tile, q, shared, chunk, first, column, column + columns);
        }
        column += blockDim.x / 32 * Tile::units;
        if (column < layer.columns) {
          continue;
        }
        __syncthreads();
        add_to_points(shared, chunk);
        column = 0;
        from += Tile::rows;
        l = q.depth - 1;
      } else {
        if (back) {
          apply_slopes(tile, q, shared, q.layers[l - 1]);
        }
        __syncthreads();
        hold(tile, shared.held, columns);
        __syncthreads();
        l += back ? -1 : 1;
        if (back && l == 0) {
          find_row_factors(shared, q.layers[0].units);
          __syncthreads();
        }
      }
      if (l == q.depth - 1) {
        if (!back) {
          keep_logits(shared, q.layers[l]);
          back = 1;
        }
        if (from >= here * of_point) {
          break;
        }
        __syncthreads();
        hold_seeds(q, shared, Chunk<Tile>(from, here, of_point), classes);
        __syncthreads();
      }
    }
    __syncthreads();
    for (int p = threadIdx.x; q.norms && p < here; p += blockDim.x) {
      // A network that is no longer finite must show, whatever its slopes are taken for.
      double poison = 0;
      for (int c = 0; c < classes; c++) {
        const float logit = shared.logits[c * Tile::rows + p];
        poison = logit != logit ? logit : poison;
      }
      q.norms[(first + p) * q.norms_stride] =
          shared.scales[p] * sqrt(shared.squares[p]) + poison;
    }
    __syncthreads();
  }
}

#define JACOBIAN(name, tile, threads)                                                             \
  extern "C" __global__ void __launch_bounds__(threads) name(                                     \
      const Layer* __restrict__ layers, int depth, const float* __restrict__ z,                   \
      long long z_stride, int n, int points, int smooth, float low, float high, float shift,      \
      float* __restrict__ smooth_slopes, int slope_units, int held_units, int of_probabilities,   \
      double* __restrict__ norms, long long norms_stride, float* __restrict__ rows,               \
      long long rows_stride) {                                                                    \
    jacobian<tile>({layers, depth, z, z_stride, n, points, {smooth, low, high, shift},            \
                    smooth_slopes, slope_units, held_units, of_probabilities, norms,              \
                    norms_stride, rows, rows_stride});                                            \
  }

JACOBIAN(jacobian_multiply_add_64, FmaTile<64>, 384)
JACOBIAN(jacobian_multiply_add_32, FmaTile<32>, 384)
JACOBIAN(jacobian_multiply_add_16, FmaTile<16>, 256)

#if __CUDA_ARCH__ >= 800
JACOBIAN(jacobian_tensor_64, TensorTile<64>, 384)
JACOBIAN(jacobian_tensor_32, TensorTile<32>, 384)
JACOBIAN(jacobian_tensor_16, TensorTile<16>, 256)
#endif
