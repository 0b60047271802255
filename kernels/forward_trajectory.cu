// Points of a closed trajectory through all hidden layers of a network, as differences from
// reference points: dev.flinch.device.FusedPasses.trajectory. No activation and no code of a point
// ever goes to the card's memory; what leaves are counts.
//
//   d_1     <- z_1(point) - z_1(reference), from products of the curve's vectors with W_1
//   code    <- [d > low] + [d > high]           low, high: knots - z(reference)
//   h       <- clamp(d, low, high) - base       or tanh(z(reference) + d) - tanh z(reference)
//   d_l+1   <- W_l+1 h
//   counted <- |code(next point) - code|, summed over units
//   hash    <- sum of code key(unit) over all hidden layers, modulo 2^64
//   logits  <- W_L h + logits(reference)
//
// Shapes: images [vectors][units of layer 1] float64; weights [units of l + 1][units of l] and
// knots [3 references][units of l] (low, high and base of each) with rows of any stride. The table `layers` has six 64-bit numbers for each layer from the first hidden one to the
// logits: see Layer. perBin, perStep, hashes and logits may be null. Points are counted modulo k.
//
// Launch: grid (tiles of a reference, references), one block a tile of ROWS points, which has ROWS -
// 1 steps: 64, 32 or 16, the most whose activations fit. `stepsPerReference`, a multiple of ROWS - 1,
// have their reference point in their middle. A warp for every 2048 / ROWS units of the widest layer, so at
// most 512 threads. Dynamic shared memory: see Place. Any number of layers and steps, and any
// widths up to 1024 that shared memory holds; what a tile, a layer or a chunk has too few of is
// zeros.
//
// How: the tile stands in shared memory once. Each warp multiplies all its rows with the weights of
// units of its own into 64 registers a lane, so weights are a warp's alone: they come from the L2
// cache chunk by chunk, one under way (cp.async; before sm_80 in registers) while the one before is
// used, with no barrier. When all warps have their sums the tile is overwritten: two barriers a
// layer. Codes become two masks of 64 bits a lane; the points after a lane's are another lane's of
// the same warp, so two shuffles and a few bit counts find the transitions of 64 entries.
//
// Per point and ROWS / (ROWS - 1): 2 units(l - 1) units(l) FLOP for each layer after the first, of
// the logits only when asked for, with units rounded up to 1024 / ROWS in outputs and to 8 in
// inputs (three times that on tensor cores, for three products); and 4 units(1) for the first.
// About 10 instructions a hidden unit for codes and clamps. From the L2 cache 4 / ROWS bytes a
// weight and 12 / ROWS bytes a unit of knots. To memory nothing but integer additions to perLayer
// and perBin, 4 bytes for perStep, 8 for hashes and 4 a logit.
//
// First layer: float64 is slow on most cards, so it is left to what a tile has in common. On an
// ellipse with angle a at the reference and D between it and a point,
//   z(a + D) - z(a) = sin D (q cos a - p sin a) + (cos D - 1) (p cos a + q sin a):
// brackets and factors are found in float64 and rounded once, so what is lost is a few roundings of
// two terms that are as small as the steps of a reference. On an edge of a polygon there is one such term; tiles
// around a corner, a few in a thousand, are combined in float64.
//
// Determinism: additions of integers are the only atomics, and sums run over inputs in one order:
// float32 FMA gives the same bits with any ROWS.
//
// Versions: float32 FMA, where a lane holds 8 x 8 sums; and three TF32 products on tensor cores
// (mma.cuh), in the PTX for sm_80, with the shapes that m16n8k8 has.
//
// What was tried: with the loop over a chunk's quads unrolled, FMA needs more than 128 registers a
// lane, so fewer warps; so does whatever lives on from layer to layer, hence thread_anew. A mask of
// codes for each row and knot took four times the registers and shuffles of these.
#include "activation.cuh"
#include "async.cuh"
#include "trajectory_products.cuh"

typedef unsigned long long Count;

#if __CUDA_ARCH__ >= 800
constexpr int STAGES = 2;
#else
constexpr int STAGES = 1;  // the next chunk waits in registers
#endif

struct Layer {
  const float* weights;  // from the layer before; none for the first
  long long stride;
  long long units;
  long long firstUnit;  // units of the layers before
  const float* knots;   // none for the logits
  long long knotsStride;
};

struct Points {
  const double* images;
  int stride;
  int corners;  // of a polygon, or 0 for an ellipse
  double cosStart;
  double sinStart;
  long long number;  // k
};

// Where a point of a polygon is: on an edge, `rest` / k of it behind.
struct Corner {
  int edge;
  long long rest;
};

__device__ __forceinline__ Corner corner_of(const Points points, const long long point) {
  const long long way = point % points.number * points.corners;
  Corner at;
  at.edge = static_cast<int>(way / points.number);
  at.rest = way % points.number;
  return at;
}

// The number of this thread, asked anew: a number that every layer needs is found again for each
// rather than kept in a register that the sums need.
__device__ __forceinline__ int thread_anew() {
  int thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
}

// Where a lane stands in its block, and what is its warp's in shared memory. All of that, as
// TrajectoryKernel.java counts it:
//   hashes       ROWS         64 bits each
//   turn         2            float64
//   activations  quads PITCH 4
//   weights      warps STAGES CHUNK COLUMNS
//   knots        warps 3 COLUMNS
//   sine, versine, steps      ROWS each
//   transitions  2            of this layer and the one before
template <typename Product>
struct Place {
  int lane;
  int firstColumn;
  Product product;
  Count* hashes;
  double* turn;
  float* activations;
  float* weights;
  float* knots;
  float* sine;
  float* versine;
  int* steps;
  int* transitions;

  __device__ __forceinline__ Place(const int thread, const int quads)
      : lane(thread & 31), product(thread & 31) {
    extern __shared__ __align__(16) unsigned char shared[];
    const int warp = thread >> 5;
    const int warps = blockDim.x >> 5;
    firstColumn = warp * Product::COLUMNS;
    hashes = reinterpret_cast<Count*>(shared);
    turn = reinterpret_cast<double*>(hashes + Product::ROWS);
    activations = reinterpret_cast<float*>(turn + 2);
    float* const allWeights = activations + 4 * Product::PITCH * quads;
    weights = allWeights + warp * STAGES * CHUNK * Product::COLUMNS;
    float* const allKnots = allWeights + warps * STAGES * CHUNK * Product::COLUMNS;
    knots = allKnots + warp * 3 * Product::COLUMNS;
    sine = allKnots + warps * 3 * Product::COLUMNS;
    versine = sine + Product::ROWS;
    steps = reinterpret_cast<int*>(versine + Product::ROWS);
    transitions = steps + Product::ROWS;
  }

  __device__ __forceinline__ int row(const int i) const {
    return product.group + Product::GROUPS * i;
  }

  // An entry of the tile of activations.
  __device__ __forceinline__ float* entry(const int row, const int column) const {
    return activations + 4 * (column / 4 * Product::PITCH + row) + column % 4;
  }
};

// The weights of a warp's columns on their way through shared memory, chunk by chunk. A lane brings
// four inputs of every sixteenth of the places: eight lanes write neighbouring places, and two
// share a sector of a row.
template <typename Product>
struct WeightStream {
  static constexpr int PIECES = Product::COLUMNS / 16;
  static constexpr int STAGE = CHUNK * Product::COLUMNS;

  const float* from;  // of the next chunk, in the row of the lane's first place
  int stride;
  int inputs;   // left, from there on
  int columns;  // left, from there on
  bool aligned;
  float* to;

  __device__ __forceinline__ WeightStream(const Place<Product>& at, const Layer* layer,
                                          const int inputs_) {
    const int place = (at.lane & 7) | (at.lane >> 4) << 3;
    const int quad = at.lane >> 3 & 1;
    const int column = at.firstColumn + Product::column_at(place);
    stride = static_cast<int>(layer->stride);
    aligned = (reinterpret_cast<unsigned long long>(layer->weights) & 15) == 0 && (stride & 3) == 0;
    from = layer->weights + column * layer->stride + 4 * quad;
    inputs = inputs_ - 4 * quad;
    columns = static_cast<int>(layer->units) - column;
    to = at.weights + 4 * (quad * Product::COLUMNS + place);
  }

  __device__ __forceinline__ int left(const int column) const {
    return column < columns ? max(0, min(4, inputs)) : 0;
  }

  __device__ __forceinline__ void advance() {
    from += CHUNK;
    inputs -= CHUNK;
  }

#if __CUDA_ARCH__ >= 800
  // Starts a chunk's copy into one of the stages. Where nothing is left, `from` isn't followed.
  __device__ __forceinline__ void copy(const int stage) {
#pragma unroll
    for (int p = 0; p < PIECES; ++p) {
      const int column = Product::column_at(16 * p);
      const int count = left(column);
      const float* const own = from + static_cast<long long>(column) * stride;
      float* const at = to + stage * STAGE + 4 * 16 * p;
      if (aligned) {
        copy_async_quad(at, own, count);
      } else {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          copy_async_4(at + e, own + e, e < count);
        }
      }
    }
    advance();
  }

  // The first chunk, while other warps are still busy with the layer before.
  __device__ __forceinline__ void start() {
    copy(0);
    copy_async_commit();
  }

  // sums += tile weights of all chunks, the first of which is under way.
  template <int ACTIVE>
  __device__ __forceinline__ void multiply(const Place<Product>& at, int chunks,
                                           float sums[Product::LANE_ROWS][Product::LANE_COLUMNS]) {
    const float4* tile = reinterpret_cast<const float4*>(at.activations);
    int stage = 0;
    advance();
#pragma unroll 1
    for (; chunks > 0; --chunks) {
      stage ^= 1;
      if (chunks > 1) {
        copy(stage);
      }
      copy_async_commit();
      copy_async_wait<1>();
      __syncwarp();
      at.product.template multiply<ACTIVE>(
          sums, tile, reinterpret_cast<const float4*>(at.weights + (stage ^ 1) * STAGE));
      tile += CHUNK / 4 * Product::PITCH;
      __syncwarp();
    }
  }
#else
  __device__ __forceinline__ void fetch(Floats<4> fetched[PIECES]) {
#pragma unroll
    for (int p = 0; p < PIECES; ++p) {
      const int column = Product::column_at(16 * p);
      const int count = left(column);
      const float* const own = from + static_cast<long long>(column) * stride;
      if (aligned && count == 4) {
        const float4 four = *reinterpret_cast<const float4*>(own);
        fetched[p] = {four.x, four.y, four.z, four.w};
      } else {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          fetched[p].at[e] = e < count ? own[e] : 0.0f;
        }
      }
    }
    advance();
  }

  __device__ __forceinline__ void put(const Floats<4> fetched[PIECES]) const {
#pragma unroll
    for (int p = 0; p < PIECES; ++p) {
      store(to + 4 * 16 * p, fetched[p]);
    }
    __syncwarp();
  }

  __device__ __forceinline__ void start() {
    Floats<4> fetched[PIECES];
    fetch(fetched);
    put(fetched);
  }

  template <int ACTIVE>
  __device__ __forceinline__ void multiply(const Place<Product>& at, int chunks,
                                           float sums[Product::LANE_ROWS][Product::LANE_COLUMNS]) {
    const float4* tile = reinterpret_cast<const float4*>(at.activations);
    advance();
#pragma unroll 1
    for (; chunks > 0; --chunks) {
      Floats<4> fetched[PIECES];
      fetch(fetched);
      at.product.template multiply<ACTIVE>(sums, tile, reinterpret_cast<const float4*>(at.weights));
      tile += CHUNK / 4 * Product::PITCH;
      __syncwarp();
      put(fetched);
    }
  }
#endif
};

// sums <- tile weights. The second half of a lane's columns is left out where the layer ends
// before it.
template <typename Product>
__device__ __forceinline__ void multiply(const Place<Product>& at, const Layer* layer,
                                         const int inputs,
                                         float sums[Product::LANE_ROWS][Product::LANE_COLUMNS]) {
#pragma unroll
  for (int i = 0; i < Product::LANE_ROWS; ++i) {
#pragma unroll
    for (int j = 0; j < Product::LANE_COLUMNS; ++j) {
      sums[i][j] = 0;
    }
  }
  WeightStream<Product> stream(at, layer, inputs);
  const int chunks = (inputs + CHUNK - 1) / CHUNK;
  if (layer->units - at.firstColumn > Product::COLUMNS / 2) {
    stream.template multiply<Product::LANE_COLUMNS>(at, chunks, sums);
  } else {
    stream.template multiply<Product::LANE_COLUMNS / 2>(at, chunks, sums);
  }
}

// Starts the copy of a warp's knots: [3][COLUMNS], with zeros, which no difference of zero crosses,
// for units that the layer lacks.
template <typename Product>
__device__ __forceinline__ void copy_knots(const Place<Product>& at, const Layer* layer) {
  const int columns = static_cast<int>(layer->units) - at.firstColumn;
  const float* const from = layer->knots + 3ll * blockIdx.y * layer->knotsStride + at.firstColumn;
  for (int row = 0; row < 3; ++row) {
    for (int column = at.lane; column < Product::COLUMNS; column += 32) {
      const bool valid = column < columns;
      copy_async_4(at.knots + row * Product::COLUMNS + column,
                   valid ? from + row * layer->knotsStride + column : from, valid);
    }
  }
  copy_async_commit();
}

// What the points of a tile have in common, for units of a warp: [2][COLUMNS], what the sine and
// the versine of a point are multiplied with.
template <typename Product>
__device__ __forceinline__ void directions(const Place<Product>& at, const Points& points,
                                           const long long reference, const int units) {
  const int edge = points.corners == 0 ? 0 : corner_of(points, reference).edge;
  for (int column = at.lane; column < Product::COLUMNS; column += 32) {
    float along = 0;
    float across = 0;
    if (at.firstColumn + column < units) {
      const double* const image = points.images + at.firstColumn + column;
      if (points.corners == 0) {
        const double p = image[points.stride];
        const double q = image[2 * points.stride];
        along = static_cast<float>(q * at.turn[0] - p * at.turn[1]);
        across = static_cast<float>(p * at.turn[0] + q * at.turn[1]);
      } else {
        const int next = edge + 1 < points.corners ? edge + 1 : 0;
        along = static_cast<float>(image[next * points.stride] - image[edge * points.stride]);
      }
    }
    at.weights[column] = along;
    at.weights[Product::COLUMNS + column] = across;
  }
}

// z of a point of a polygon, for the unit that `image` is of, in float64.
__device__ __forceinline__ double on_polygon(const Points& points, const long long point,
                                             const double* image) {
  const Corner at = corner_of(points, point);
  const int next = at.edge + 1 < points.corners ? at.edge + 1 : 0;
  const double behind = static_cast<double>(at.rest) / points.number;
  return (1 - behind) * image[at.edge * points.stride] + behind * image[next * points.stride];
}

// Whether all points from `first` to `last`, and the reference, are on one edge of a polygon.
__device__ __forceinline__ bool on_one_edge(const Points& points, const long long first,
                                            const long long last, const long long reference) {
  const int edge = corner_of(points, reference).edge;
  const long long farthest = max(last - reference, reference - first);
  return corner_of(points, first).edge == edge && corner_of(points, last).edge == edge &&
         farthest * points.corners < points.number;
}

// sums <- z_1 of the tile's points less that of its reference. Uses the warp's weights and columns
// of the tile, which nobody has yet.
template <typename Product>
__device__ __forceinline__ void first_differences(
    const Place<Product>& at, const Points& points, const long long first,
    const long long reference, const int units, const int quads, float sums[Product::LANE_ROWS][Product::LANE_COLUMNS]) {
  typedef Floats<Product::WIDE> Piece;
  constexpr int STEPS = Product::ROWS - 1;
  if (points.corners != 0 && !on_one_edge(points, first, first + STEPS, reference)) {
    // Around a corner, by way of the tile.
    for (int c = at.lane; c < Product::COLUMNS; c += 32) {
      const int column = at.firstColumn + c;
      if (column < 4 * quads) {
        const double* const image = points.images + column;
        const double z = column < units ? on_polygon(points, reference, image) : 0;
        for (int row = 0; row < Product::ROWS; ++row) {
          *at.entry(row, column) =
              column < units ? static_cast<float>(on_polygon(points, first + row, image) - z) : 0;
        }
      }
    }
    __syncwarp();
#pragma unroll
    for (int g = 0; g < Product::VECTORS; ++g) {
      const int column = at.firstColumn + at.product.column(g);
#pragma unroll
      for (int i = 0; i < Product::LANE_ROWS; ++i) {
        Piece in = {};
        if (column < 4 * quads) {
          in = *reinterpret_cast<const Piece*>(at.entry(at.row(i), column));
        }
#pragma unroll
        for (int e = 0; e < Product::WIDE; ++e) {
          sums[i][g * Product::WIDE + e] = in.at[e];
        }
      }
    }
  } else {
    directions<Product>(at, points, reference, units);
    __syncwarp();
#pragma unroll
    for (int g = 0; g < Product::VECTORS; ++g) {
      const float* const column = at.weights + at.product.column(g);
      const Piece along = *reinterpret_cast<const Piece*>(column);
      const Piece across = *reinterpret_cast<const Piece*>(column + Product::COLUMNS);
#pragma unroll
      for (int i = 0; i < Product::LANE_ROWS; ++i) {
        const float s = at.sine[at.row(i)];
        const float v = at.versine[at.row(i)];
#pragma unroll
        for (int e = 0; e < Product::WIDE; ++e) {
          sums[i][g * Product::WIDE + e] = fmaf(s, along.at[e], v * across.at[e]);
        }
      }
    }
  }
}

// Codes of a lane's sums, which become activations where these are clamps. Bit
// i LANE_COLUMNS + j says whether row i of column j is above the lower, the upper knot.
template <typename Product>
__device__ __forceinline__ void find_codes(const Place<Product>& at, const bool smooth,
                                           float sums[Product::LANE_ROWS][Product::LANE_COLUMNS],
                                           Count& low, Count& high) {
  typedef Floats<Product::WIDE> Piece;
  low = 0;
  high = 0;
#pragma unroll
  for (int g = 0; g < Product::VECTORS; ++g) {
    const float* const knots = at.knots + at.product.column(g);
    const Piece lows = *reinterpret_cast<const Piece*>(knots);
    const Piece highs = *reinterpret_cast<const Piece*>(knots + Product::COLUMNS);
    const Piece bases = *reinterpret_cast<const Piece*>(knots + 2 * Product::COLUMNS);
#pragma unroll
    for (int e = 0; e < Product::WIDE; ++e) {
      const int j = g * Product::WIDE + e;
#pragma unroll
      for (int i = 0; i < Product::LANE_ROWS; ++i) {
        const float d = sums[i][j];
        const int bit = i * Product::LANE_COLUMNS + j;
        low |= d > lows.at[e] ? Count(1) << bit : 0;
        high |= d > highs.at[e] ? Count(1) << bit : 0;
        if (!smooth) {
          sums[i][j] = activation_difference({}, d, lows.at[e], highs.at[e], bases.at[e]);
        }
      }
      // Masks stay masks: without this the compiler keeps each of their bits in a register.
      asm volatile("" : "+l"(low), "+l"(high));
    }
  }
}

// Adds what changes from each of a lane's points to the next one.
template <typename Product>
__device__ __forceinline__ void count_transitions(const Place<Product>& at, const Count low,
                                                  const Count high, const int layer,
                                                  const int tileSteps, const bool perStep) {
  constexpr int LANE_COLUMNS = Product::LANE_COLUMNS;
  constexpr Count ROW = (Count(1) << LANE_COLUMNS) - 1;
  // The points after are the next group's; after the last group's row i comes the first's i + 1.
  const int nextLane = at.product.lane_of((at.product.group + 1) % Product::GROUPS);
  Count nextLow = __shfl_sync(~0u, low, nextLane);
  Count nextHigh = __shfl_sync(~0u, high, nextLane);
  if (at.product.group == Product::GROUPS - 1) {
    nextLow >>= LANE_COLUMNS;
    nextHigh >>= LANE_COLUMNS;
  }
  Count counted = 0;
#pragma unroll
  for (int i = 0; i < Product::LANE_ROWS; ++i) {
    counted |= at.row(i) < tileSteps ? ROW << (i * LANE_COLUMNS) : 0;
  }
  const Count changedLow = (low ^ nextLow) & counted;
  const Count changedHigh = (high ^ nextHigh) & counted;
  // Few steps of a fine trajectory change anything.
  if ((changedLow | changedHigh) != 0) {
    atomicAdd(at.transitions + (layer & 1), __popcll(changedLow) + __popcll(changedHigh));
    if (perStep) {
#pragma unroll
      for (int i = 0; i < Product::LANE_ROWS; ++i) {
        const Count row = ROW << (i * LANE_COLUMNS);
        const int changed = __popcll(changedLow & row) + __popcll(changedHigh & row);
        if (changed != 0) {
          atomicAdd(at.steps + at.row(i), changed);
        }
      }
    }
  }
}

// Adds a warp's units to the hashes of its points.
template <typename Product>
__device__ __forceinline__ void add_hashes(const Place<Product>& at, const Count low,
                                           const Count high, const int firstUnit) {
#pragma unroll 1
  for (int i = 0; i < Product::LANE_ROWS; ++i) {
    Count sum = 0;
#pragma unroll 1
    for (int j = 0; j < Product::LANE_COLUMNS; ++j) {
      const int column =
          at.firstColumn + at.product.column(j / Product::WIDE) + j % Product::WIDE;
      const int bit = i * Product::LANE_COLUMNS + j;
      sum += ((low >> bit & 1) + (high >> bit & 1)) * pattern_key(firstUnit + column);
    }
#pragma unroll
    for (int bit = 1; bit < 32; bit <<= 1) {
      if (Product::SPREAD_BITS & bit) {
        sum += __shfl_xor_sync(~0u, sum, bit);
      }
    }
    if (at.product.spread == 0) {
      atomicAdd(at.hashes + at.row(i), sum);
    }
  }
}

// Puts a warp's sums into the tile.
template <typename Product>
__device__ __forceinline__ void store_tile(
    const Place<Product>& at, const int quads,
    const float sums[Product::LANE_ROWS][Product::LANE_COLUMNS]) {
  typedef Floats<Product::WIDE> Piece;
#pragma unroll
  for (int g = 0; g < Product::VECTORS; ++g) {
    const int column = at.firstColumn + at.product.column(g);
    if (column < 4 * quads) {
#pragma unroll
      for (int i = 0; i < Product::LANE_ROWS; ++i) {
        Piece out;
#pragma unroll
        for (int e = 0; e < Product::WIDE; ++e) {
          out.at[e] = sums[i][g * Product::WIDE + e];
        }
        store(at.entry(at.row(i), column), out);
      }
    }
  }
}

// h <- tanh(z + d) - tanh z in the tile. Each lane takes what it stored itself, in a loop: tanhf is
// long, and registers are full while there are sums.
template <typename Product>
__device__ __forceinline__ void smooth_differences(const Place<Product>& at, const int quads) {
  typedef Floats<Product::WIDE> Piece;
#pragma unroll 1
  for (int g = 0; g < Product::VECTORS; ++g) {
    const int column = at.firstColumn + at.product.column(g);
    if (column < 4 * quads) {
      const Piece bases = *reinterpret_cast<const Piece*>(at.knots + 2 * Product::COLUMNS +
                                                          at.product.column(g));
#pragma unroll 1
      for (int i = 0; i < Product::LANE_ROWS; ++i) {
        float* const piece = at.entry(at.row(i), column);
        Piece h = *reinterpret_cast<const Piece*>(piece);
#pragma unroll
        for (int e = 0; e < Product::WIDE; ++e) {
          h.at[e] = activation_difference({1}, h.at[e], 0, 0, bases.at[e]);
        }
        store(piece, h);
      }
    }
  }
}

template <typename Product>
__device__ __forceinline__ void pass(const Points points, const long long from, const int steps,
                                     const int stepsPerReference,
                                     const Layer* __restrict__ layers, const int hidden,
                                     const int smooth, const int quads,
                                     const float* __restrict__ referenceLogits,
                                     const int referenceStride, float* __restrict__ logits,
                                     const int logitsStride, Count* __restrict__ perLayer,
                                     Count* __restrict__ perBin, const int bins,
                                     int* __restrict__ perStep, Count* __restrict__ hashes) {
  constexpr int STEPS = Product::ROWS - 1;
  const int firstStep = blockIdx.y * stepsPerReference + blockIdx.x * STEPS;
  if (firstStep >= steps) {
    return;
  }
  {
    const Place<Product> at(threadIdx.x, quads);
    const int ahead = blockIdx.x * STEPS - stepsPerReference / 2;  // of the reference
    const long long first = from + firstStep;
    const long long reference = first - ahead;
    for (int row = threadIdx.x; row < Product::ROWS; row += blockDim.x) {
      if (points.corners == 0) {
        const double turn = static_cast<double>(ahead + row) / points.number;
        const double half = sinpi(turn);
        at.sine[row] = static_cast<float>(sinpi(2 * turn));
        at.versine[row] = static_cast<float>(-2 * half * half);
      } else {
        const long long along =
            corner_of(points, first + row).rest - corner_of(points, reference).rest;
        at.sine[row] = static_cast<float>(static_cast<double>(along) / points.number);
        at.versine[row] = 0;
      }
      at.steps[row] = 0;
      at.hashes[row] = 0;
    }
    if (threadIdx.x < 2) {
      at.transitions[threadIdx.x] = 0;
    }
    if (points.corners == 0 && threadIdx.x == blockDim.x - 1) {
      const long long around = reference % points.number;
      double cosine;
      double sine;
      sincospi(2.0 * static_cast<double>(around) / points.number, &sine, &cosine);
      at.turn[0] = cosine * points.cosStart + sine * points.sinStart;
      at.turn[1] = sine * points.cosStart - cosine * points.sinStart;
    }
    __syncthreads();
    if (at.firstColumn < layers[0].units) {
      copy_knots(at, layers);
    }
  }

  float sums[Product::LANE_ROWS][Product::LANE_COLUMNS];
  const int last = logits != nullptr ? hidden : hidden - 1;
#pragma unroll 1
  for (int l = 0; l <= last; ++l) {
    const int units = static_cast<int>(layers[l].units);
    {
      const Place<Product> at(thread_anew(), quads);
      if (at.firstColumn < units) {
        if (l == 0) {
          const long long reference =
              from + blockIdx.y * static_cast<long long>(stepsPerReference) + stepsPerReference / 2;
          first_differences(at, points, from + firstStep, reference, units, quads, sums);
          copy_async_wait<0>();
          __syncwarp();
        } else {
          multiply(at, layers + l, static_cast<int>(layers[l - 1].units), sums);
        }
      }
    }
    if (l == hidden) {
      break;
    }

    const int tileSteps = min(STEPS, steps - firstStep);
    {
      const Place<Product> at(thread_anew(), quads);
      // The next layer's first weights are on their way while this one's activations are found.
      if (l < last && at.firstColumn < layers[l + 1].units) {
        WeightStream<Product>(at, layers + l + 1, units).start();
      }
      if (at.firstColumn < units) {
        Count low;
        Count high;
        find_codes(at, smooth != 0, sums, low, high);
        count_transitions(at, low, high, l, tileSteps, perStep != nullptr || perBin != nullptr);
        if (hashes != nullptr) {
          add_hashes(Place<Product>(thread_anew(), quads), low, high,
                     static_cast<int>(layers[l].firstUnit));
        }
      }
    }

    // All sums are taken from the tile before it is overwritten.
    __syncthreads();
    {
      const Place<Product> at(thread_anew(), quads);
      if (threadIdx.x == 0 && at.transitions[l & 1] != 0) {
        atomicAdd(perLayer + l, static_cast<Count>(at.transitions[l & 1]));
        at.transitions[l & 1] = 0;
      }
      if (l < last && at.firstColumn < units) {
        store_tile(at, quads, sums);
        if (smooth) {
          smooth_differences(at, quads);
        }
      }
      __syncwarp();
      if (l + 1 < hidden && at.firstColumn < layers[l + 1].units) {
        copy_knots(at, layers + l + 1);
      }
    }
    __syncthreads();
  }

  const Place<Product> at(thread_anew(), quads);
  const int tileSteps = min(STEPS, steps - firstStep);
  if (logits != nullptr) {
    const int classes = static_cast<int>(layers[hidden].units);
    const float* const references =
        referenceLogits + blockIdx.y * static_cast<long long>(referenceStride);
    __syncthreads();
    if (at.firstColumn < classes) {
      store_tile(at, quads, sums);
    }
    __syncwarp();
    const int end = min(classes, at.firstColumn + Product::COLUMNS);
#pragma unroll 1
    for (int column = at.firstColumn; column < end; column += 4) {
#pragma unroll 1
      for (int row = at.lane; row < tileSteps; row += 32) {
        const Floats<4> four = *reinterpret_cast<const Floats<4>*>(at.entry(row, column));
        float* const to = logits + static_cast<long long>(firstStep + row) * logitsStride + column;
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          if (column + e < classes) {
            to[e] = references[column + e] + four.at[e];
          }
        }
      }
    }
  }
  for (int row = threadIdx.x; row < tileSteps; row += blockDim.x) {
    if (perStep != nullptr) {
      perStep[firstStep + row] = at.steps[row];
    }
    if (perBin != nullptr && at.steps[row] != 0) {
      const long long bin = (from + firstStep + row) % points.number * bins / points.number;
      atomicAdd(perBin + bin, static_cast<Count>(at.steps[row]));
    }
    if (hashes != nullptr) {
      hashes[firstStep + row] = at.hashes[row];
    }
  }
}

#define FORWARD_TRAJECTORY(NAME, PRODUCT)                                                         \
  extern "C" __global__ void __launch_bounds__(PRODUCT::MOST_THREADS, 1)                          \
      NAME(const double* __restrict__ images, const int imagesStride, const int corners,          \
           const double cosStart, const double sinStart, const long long points,                  \
           const long long from, const int steps, const int stepsPerReference,                    \
           const long long* __restrict__ layers, const int hidden, const int smooth, const int quads,            \
           const float* __restrict__ referenceLogits, const int referenceStride,                  \
           float* __restrict__ logits, const int logitsStride, Count* __restrict__ perLayer,      \
           Count* __restrict__ perBin, const int bins, int* __restrict__ perStep,                 \
           Count* __restrict__ hashes) {                                                          \
    const Points on = {images, imagesStride, corners, cosStart, sinStart, points};                \
    pass<PRODUCT>(on, from, steps, stepsPerReference, reinterpret_cast<const Layer*>(layers),     \
                  hidden, smooth, quads, referenceLogits, referenceStride, logits, logitsStride,  \
                  perLayer, perBin, bins, perStep, hashes);                                       \
  }

FORWARD_TRAJECTORY(forward_trajectory_16, FmaProduct<16>)
FORWARD_TRAJECTORY(forward_trajectory_32, FmaProduct<32>)
FORWARD_TRAJECTORY(forward_trajectory_64, FmaProduct<64>)
#if __CUDA_ARCH__ >= 800
FORWARD_TRAJECTORY(forward_trajectory_tensor_16, SplitProduct<16>)
FORWARD_TRAJECTORY(forward_trajectory_tensor_32, SplitProduct<32>)
FORWARD_TRAJECTORY(forward_trajectory_tensor_64, SplitProduct<64>)
#endif
