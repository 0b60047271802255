// Max-pooling of maps, and the ways around it (Lane.maxPool, unpool, poolReferences,
// poolDifferences). Windows of side x side pixels lie side by side from a map's first pixel on;
// pixels beyond the last whole window of a row or column are in none. For every replica r, map i,
// window w and channel c:
//   max_pool          out_i[w, c] <- the largest h_i[p, c] of the pixels p of w; slopes_i[p, c] <-
//                     0 for all of them but the first that has it, and for pixels of no window
//   unpool            out_i[p, c] <- errors_i[w, c] * slopes_(i / group)[p, c] with w the window of
//                     p; 0 for pixels of no window
//   pool_references   out_i[w, c] <- the largest h_i[p, c], in float64; gaps_i[p, c] <- h_i[p, c] -
//                     out_i[w, c], rounded to float32; 0 for pixels of no window
//   pool_differences  out_i[w, c] <- the largest z_i[p, c] + gaps[p, c]
// NaN is larger than any number, so that it is seen.
//
// Layout: maps [replicas][maps] of height * width * channels in a row each, ordered
// [height][width][channels]; pooled ones the same with height / side and width / side; gaps of
// pool_differences one row a replica. Any strides; nothing outside of the columns is read or
// written.
// Launch: blocks of x by y threads, x over what is written of one map (unpool: packs of 4 or 1
// channels of the map's pixels, elements.cuh; others: the channels of windows), y over maps, the
// grid's z over replicas; each loop strides over its dimension, so any grid covers any size. Where
// a thread reads and writes is the same in all maps: it divides indices once.
//
//                     bytes a pixel, n = side * side                             FLOP a pixel
//   max_pool          8 (read h, write out, and slopes but the largest's)        comparisons
//   unpool            4 + 4 / group + 4 / n, errors n times, n - 1 from cache    1
//   pool_references   12 + 8 / n, h again from cache                             1
//   pool_differences  4 + 4 / n, gaps again from cache                           1
// A warp's 32 channels of neighbouring windows are whole sectors where channels are multiples of 8;
// with fewer, the other columns of a window are in the same sectors, which then come from cache.
// max_pool stores zeros and leaves the largest's slope: reading slopes to write packs of 4 would
// cost 4 bytes more, and packs of which one element is left out store single elements 16 bytes
// apart, a sector for each.
#include "elements.cuh"

// Windows of maps.
struct Windows {
  int channels;
  int height;
  int width;
  int side;

  __device__ __forceinline__ int pooledHeight() const { return height / side; }
  __device__ __forceinline__ int pooledWidth() const { return width / side; }
};

// One channel of a window; or of what is left of one at the right or lower border.
struct Window {
  int pooled;   // where it is in a pooled map
  int first;    // where its first pixel is in a map
  int rows;     // how many rows and columns of it are within the map
  int columns;
  bool whole;   // whether all of it is
};

// Calls visit(window) for each of a thread's windows, with those that are not whole if `broken`.
template <typename Visit>
__device__ __forceinline__ void each_window(const Windows of, const bool broken,
                                            const Visit visit) {
  const int pooledHeight = of.pooledHeight();
  const int pooledWidth = of.pooledWidth();
  const int down = broken ? (of.height - 1) / of.side + 1 : pooledHeight;
  const int across = broken ? (of.width - 1) / of.side + 1 : pooledWidth;
  const unsigned all = static_cast<unsigned>(down) * across * of.channels;
  for (unsigned at = blockIdx.x * blockDim.x + threadIdx.x; at < all;
       at += gridDim.x * blockDim.x) {
    const unsigned window = at / of.channels;
    const int c = at - window * of.channels;
    const int y = window / across;
    const int x = window - y * across;
    const int top = y * of.side;
    const int left = x * of.side;
    visit(Window{(y * pooledWidth + x) * of.channels + c,
                 (top * of.width + left) * of.channels + c, min(of.side, of.height - top),
                 min(of.side, of.width - left), y < pooledHeight && x < pooledWidth});
  }
}

// Calls visit(place) for each pixel of a window, row by row. `fixed` is its side where that is
// known when this is compiled and the window is whole, so that loops are unrolled; else 0.
template <int fixed, typename Visit>
__device__ __forceinline__ void each_pixel(const Windows of, const Window window,
                                           const Visit visit) {
  const int rows = fixed ? fixed : window.rows;
  const int columns = fixed ? fixed : window.columns;
  int row = window.first;
#pragma unroll (fixed ? fixed : 1)
  for (int k = 0; k < rows; k++) {
    int at = row;
#pragma unroll (fixed ? fixed : 1)
    for (int l = 0; l < columns; l++) {
      visit(at);
      at += of.channels;
    }
    row += of.width * of.channels;
  }
}

// Whether `value` takes the place of the largest so far.
template <typename T>
__device__ __forceinline__ bool is_larger(const T value, const T largest) {
  return value > largest || (value != value && largest == largest);
}

template <int fixed>
__device__ __forceinline__ void max_pool(const float* __restrict__ h, const int hStride,
                                         const long long hReplica, const Windows windows,
                                         float* __restrict__ slopes, const int slopesStride,
                                         const long long slopesReplica, float* __restrict__ out,
                                         const int outStride, const long long outReplica,
                                         const int rows, const int replicas) {
  each_window(windows, slopes != nullptr, [=](const Window window) {
    each_row(rows, replicas, [=](const long long r, const long long i) {
      const float* const from = h + r * hReplica + i * hStride;
      float* const slope =
          slopes == nullptr ? nullptr : slopes + r * slopesReplica + i * slopesStride;
      int best = -1;
      if (window.whole) {
        best = window.first;
        float largest = from[best];
        each_pixel<fixed>(windows, window, [&](const int at) {
          const float value = from[at];
          const bool larger = is_larger(value, largest);
          largest = larger ? value : largest;
          best = larger ? at : best;
        });
        out[r * outReplica + i * outStride + window.pooled] = largest;
        if (slope != nullptr) {
          each_pixel<fixed>(windows, window, [&](const int at) {
            if (at != best) {
              slope[at] = 0;
            }
          });
        }
      } else {
        each_pixel<0>(windows, window, [&](const int at) { slope[at] = 0; });
      }
    });
  });
}

// `out` may be `slopes`: hence neither is restricted.
template <int width>
__device__ __forceinline__ void unpool(const float* __restrict__ errors, const int errorsStride,
                                       const long long errorsReplica, const Windows windows,
                                       const float* slopes, const int slopesStride,
                                       const long long slopesReplica, const int group, float* out,
                                       const int outStride, const long long outReplica,
                                       const int rows, const int replicas) {
  const unsigned pieces = windows.channels / width;
  const unsigned all = static_cast<unsigned>(windows.height) * windows.width * pieces;
  for (unsigned piece = blockIdx.x * blockDim.x + threadIdx.x; piece < all;
       piece += gridDim.x * blockDim.x) {
    const unsigned pixel = piece / pieces;
    const int c = width * (piece - pixel * pieces);
    const unsigned y = pixel / windows.width;
    const int row = y / windows.side;
    const int column = (pixel - y * windows.width) / static_cast<unsigned>(windows.side);
    const bool within = row < windows.pooledHeight() && column < windows.pooledWidth();
    const float* const error =
        errors + (row * windows.pooledWidth() + column) * windows.channels + c;
    const int at = width * piece;
    each_row(rows, replicas, [=](const long long r, const long long i) {
      Pack<width> value = {};
      if (within) {
        value = load_pack<width>(error + r * errorsReplica + i * errorsStride, width);
        const long long ofGroup = static_cast<int>(i) / group;
        const Pack<width> by =
            load_pack<width>(slopes + r * slopesReplica + ofGroup * slopesStride + at, width);
#pragma unroll
        for (int k = 0; k < width; k++) {
          value.at[k] *= by.at[k];
        }
      }
      store_pack<width>(out + r * outReplica + i * outStride + at, value, width);
    });
  }
}

extern "C" __global__ void pool_references(const double* __restrict__ h, const int hStride,
                                           const long long hReplica, const int channels,
                                           const int height, const int width, const int side,
                                           float* __restrict__ gaps, const int gapsStride,
                                           const long long gapsReplica, double* __restrict__ out,
                                           const int outStride, const long long outReplica,
                                           const int rows, const int replicas) {
  const Windows windows = {channels, height, width, side};
  each_window(windows, true, [=](const Window window) {
    each_row(rows, replicas, [=](const long long r, const long long i) {
      const double* const from = h + r * hReplica + i * hStride;
      float* const gap = gaps + r * gapsReplica + i * gapsStride;
      if (window.whole) {
        double largest = from[window.first];
        each_pixel<0>(windows, window, [&](const int at) {
          const double value = from[at];
          largest = is_larger(value, largest) ? value : largest;
        });
        out[r * outReplica + i * outStride + window.pooled] = largest;
        each_pixel<0>(windows, window, [&](const int at) {
          gap[at] = static_cast<float>(from[at] - largest);
        });
      } else {
        each_pixel<0>(windows, window, [&](const int at) { gap[at] = 0; });
      }
    });
  });
}

template <int fixed>
__device__ __forceinline__ void pool_differences(const float* __restrict__ z, const int zStride,
                                                 const long long zReplica, const Windows windows,
                                                 const float* __restrict__ gaps,
                                                 const long long gapsReplica,
                                                 float* __restrict__ out, const int outStride,
                                                 const long long outReplica, const int rows,
                                                 const int replicas) {
  each_window(windows, false, [=](const Window window) {
    each_row(rows, replicas, [=](const long long r, const long long i) {
      const float* const from = z + r * zReplica + i * zStride;
      const float* const gap = gaps + r * gapsReplica;
      float largest = from[window.first] + gap[window.first];
      each_pixel<fixed>(windows, window, [&](const int at) {
        const float value = from[at] + gap[at];
        largest = is_larger(value, largest) ? value : largest;
      });
      out[r * outReplica + i * outStride + window.pooled] = largest;
    });
  });
}

#define POOLS(suffix, fixed)                                                                      \
  extern "C" __global__ void max_pool_##suffix(                                                   \
      const float* __restrict__ h, const int hStride, const long long hReplica,                   \
      const int channels, const int height, const int width, const int side,                      \
      float* __restrict__ slopes, const int slopesStride, const long long slopesReplica,          \
      float* __restrict__ out, const int outStride, const long long outReplica, const int rows,   \
      const int replicas) {                                                                       \
    max_pool<fixed>(h, hStride, hReplica, {channels, height, width, side}, slopes, slopesStride,  \
                    slopesReplica, out, outStride, outReplica, rows, replicas);                   \
  }                                                                                               \
  extern "C" __global__ void pool_differences_##suffix(                                           \
      const float* __restrict__ z, const int zStride, const long long zReplica,                   \
      const int channels, const int height, const int width, const int side,                      \
      const float* __restrict__ gaps, const long long gapsReplica, float* __restrict__ out,       \
      const int outStride, const long long outReplica, const int rows, const int replicas) {      \
    pool_differences<fixed>(z, zStride, zReplica, {channels, height, width, side}, gaps,          \
                            gapsReplica, out, outStride, outReplica, rows, replicas);             \
  }

#define UNPOOL(size)                                                                              \
  extern "C" __global__ void unpool_##size(                                                       \
      const float* __restrict__ errors, const int errorsStride, const long long errorsReplica,    \
      const int channels, const int height, const int width, const int side,                      \
      const float* slopes, const int slopesStride, const long long slopesReplica,                 \
      const int group, float* out, const int outStride, const long long outReplica,               \
      const int rows, const int replicas) {                                                       \
    unpool<size>(errors, errorsStride, errorsReplica, {channels, height, width, side}, slopes,    \
                 slopesStride, slopesReplica, group, out, outStride, outReplica, rows, replicas); \
  }

POOLS(2, 2)
POOLS(any, 0)
UNPOOL(4)
UNPOOL(1)
