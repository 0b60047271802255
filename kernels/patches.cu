// Patches of images, and their sums back into images (Lane.patches, Lane.patchSums). With kernels
// of `side` pixels (odd, side = 2 reach + 1) centred on each pixel (y, x) of a channels x height x
// width image, for every replica r and image i, component (k, l, c) of a patch at column (k * side
// + l) * channels + c:
//   patches     out[i * height * width + y * width + x, (k, l, c)]
//                   <- image_i[c, y + k - reach, x + l - reach], 0 beyond the borders; and 1 in the
//                   column behind the last one, where `columns` says that there is one
//   patch_sums  image_i[c, y, x] <- the sum over k and l of component (k, l, c) of the patch at
//                   (y - k + reach, x - l + reach), where there is such a position
//
// Layout: images [replicas][images] of channels * height * width in a row each, ordered [channels]
// [height][width] where `channelsFirst`, else [height][width][channels]; patches [replicas][images
// * height * width][columns]; any strides. Nothing outside of the columns is read or written.
// Launch: blocks of x by y threads, x over the pieces of all patches of one image (patches) or
// over the pieces of one image (patch_sums), y over images, the grid's z over replicas; each loop
// strides over its dimension, so any grid covers any size. A piece is 4 channels, where images are
// not channels first, channels are a multiple of 4 and rows start at multiples of 16 bytes; else
// 1.
//
// Which pixel a thread copies, or which patches it adds, is the same for all images: it divides
// indices once and then walks through images and replicas by strides.
//
// patches: 4 bytes written an element and 4 read, of which all but 1 of side * side come from
// cache. Rows without gaps are written whole sectors at a time, whatever their length:
// neighbouring threads write neighbouring elements across the ends of rows. Channels last, side *
// channels neighbouring elements come from neighbouring addresses; channels first only `side` of
// them do, from as many planes as there are channels, and a warp of the 27 components of 3
// channels reads from 9 places. With threads over pixels reads would be whole and each store would
// touch a sector a thread.
// patch_sums: 4 bytes read for each component of a patch, each once, and 4 written a pixel; 1 FLOP
// a component. Neighbouring threads take neighbouring channels whatever the order of images, since
// there are side * side times as many reads as writes: of 3 channels a warp's load touches 13
// sectors where neighbouring pixels would touch 32, and its store, to three planes, 6 instead of
// 4. A pixel's terms are added from 0 in the order of positions, as the CPU does: the same bits,
// with no atomics.
#include "elements.cuh"

template <typename Piece, typename T>
__device__ __forceinline__ void patches(const T* __restrict__ images, const int imageStride,
                                        const long long imageReplica, const int channels,
                                        const int height, const int width, const int side,
                                        const int channelsFirst, T* __restrict__ out,
                                        const int outStride, const long long outReplica,
                                        const int columns, const int rows, const int replicas) {
  constexpr int SIZE = sizeof(Piece) / sizeof(T);
  const int reach = side / 2;
  const int run = side * channels;
  const int pieces = (columns + SIZE - 1) / SIZE;
  const int positions = height * width;
  const long long all = static_cast<long long>(positions) * pieces;
  const long long outImage = static_cast<long long>(positions) * outStride;
  for (long long at = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; at < all;
       at += static_cast<long long>(gridDim.x) * blockDim.x) {
    const int position = static_cast<int>(static_cast<unsigned long long>(at) / pieces);
    const int column = SIZE * static_cast<int>(at - static_cast<long long>(position) * pieces);
    T* const to = out + static_cast<long long>(position) * outStride + column;
    const unsigned k = static_cast<unsigned>(column) / run;
    if (k >= side) {
      each_row(rows, replicas, [=](const long long r, const long long i) {
        to[r * outReplica + i * outImage] = 1;
      });
      continue;
    }
    const int inRun = column - k * run;
    const unsigned l = static_cast<unsigned>(inRun) / channels;
    const int c = inRun - l * channels;
    const unsigned centre = static_cast<unsigned>(position) / width;
    const int y = static_cast<int>(centre + k) - reach;
    const int x = static_cast<int>(position - centre * width + l) - reach;
    const bool within = y >= 0 && y < height && x >= 0 && x < width;
    const T* const from =
        images + (channelsFirst ? c * positions + y * width + x : (y * width + x) * channels + c);
    each_row(rows, replicas, [=](const long long r, const long long i) {
      Piece value = {};
      if (within) {
        value = *reinterpret_cast<const Piece*>(from + r * imageReplica + i * imageStride);
      }
      *reinterpret_cast<Piece*>(to + r * outReplica + i * outImage) = value;
    });
  }
}

__device__ __forceinline__ void add(float& sum, const float term) { sum += term; }

__device__ __forceinline__ void add(float4& sum, const float4 term) {
  sum.x += term.x;
  sum.y += term.y;
  sum.z += term.z;
  sum.w += term.w;
}

template <typename Piece>
__device__ __forceinline__ void patch_sums(const float* __restrict__ patches, const int stride,
                                           const long long replica, const int channels,
                                           const int height, const int width, const int side,
                                           const int channelsFirst, float* __restrict__ images,
                                           const int imageStride, const long long imageReplica,
                                           const int rows, const int replicas) {
  constexpr int SIZE = sizeof(Piece) / sizeof(float);
  const int reach = side / 2;
  const int positions = height * width;
  const int pieces = channels / SIZE;
  const int all = positions * pieces;
  const long long ofImage = static_cast<long long>(positions) * stride;
  // From a term to the next in its row of positions, and from a row's first term to the next row's.
  const long long right = stride - channels;
  const long long down = static_cast<long long>(width) * stride - side * channels;
  for (long long at = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; at < all;
       at += static_cast<long long>(gridDim.x) * blockDim.x) {
    const int pixel = static_cast<unsigned>(at) / pieces;
    const int c = SIZE * (static_cast<int>(at) - pixel * pieces);
    const int y = static_cast<unsigned>(pixel) / width;
    const int x = pixel - y * width;
    const int top = max(0, y - reach);
    const int left = max(0, x - reach);
    const int deep = min(height, y + reach + 1) - top;
    const int wide = min(width, x + reach + 1) - left;
    const float* const first =
        patches + (static_cast<long long>(top) * width + left) * stride +
        ((y - top + reach) * side + (x - left + reach)) * channels + c;
    float* const to = images + (channelsFirst ? c * positions + pixel : pixel * channels + c);
    each_row(rows, replicas, [=](const long long r, const long long i) {
      const float* row = first + r * replica + i * ofImage;
      Piece sum = {};
      for (int k = 0; k < deep; k++) {
        const float* term = row;
        for (int l = 0; l < wide; l++) {
          add(sum, *reinterpret_cast<const Piece*>(term));
          term += right;
        }
        row += down;
      }
      *reinterpret_cast<Piece*>(to + r * imageReplica + i * imageStride) = sum;
    });
  }
}

#define PATCHES(name, Piece, T)                                                                   \
  extern "C" __global__ void name(                                                                \
      const T* __restrict__ images, const int imageStride, const long long imageReplica,          \
      const int channels, const int height, const int width, const int side,                      \
      const int channelsFirst, T* __restrict__ out, const int outStride,                          \
      const long long outReplica, const int columns, const int rows, const int replicas) {        \
    patches<Piece, T>(images, imageStride, imageReplica, channels, height, width, side,           \
                      channelsFirst, out, outStride, outReplica, columns, rows, replicas);        \
  }

#define PATCH_SUMS(name, Piece)                                                                   \
  extern "C" __global__ void name(                                                                \
      const float* __restrict__ patches, const int stride, const long long replica,               \
      const int channels, const int height, const int width, const int side,                      \
      const int channelsFirst, float* __restrict__ images, const int imageStride,                 \
      const long long imageReplica, const int rows, const int replicas) {                         \
    patch_sums<Piece>(patches, stride, replica, channels, height, width, side, channelsFirst,     \
                      images, imageStride, imageReplica, rows, replicas);                         \
  }

PATCHES(patches_4, float4, float)
PATCHES(patches_1, float, float)
PATCHES(patches_wide, double, double)
PATCH_SUMS(patch_sums_4, float4)
PATCH_SUMS(patch_sums_1, float)
