// Mini-batches: rows of a matrix, or images of bytes, by index.
//
// gather_rows     out(r, i) <- source[indices[r * listStride + i]]
// gather_images   out(r, i) <- moved((pixels[indices[r * listStride + i]] - mean) * scale)
//
// for every replica r and row i of out: float32, element (r, i, j) at r * outReplica + i *
// outStride + j. One source serves all replicas. An index that isn't of a row of the source (or
// quarter turns of an image that isn't square) makes its row of out NaN: nothing is read beyond the
// source, and what is computed from the row isn't finite, so that training halts where it came
// from.
//
// gather_rows: a warp a row, 8 rows a block. 16 bytes a thread where the row in the source and in
// out starts at a multiple of 16 bytes. 8 bytes an element, no FLOP.
//
// gather_images: a block of 256 threads an image. mean and scale = 1 / standard deviation (0 for an
// image of one value) are the image's own, over all of its `channels * height * width` bytes, from
// whole-number sums, so that they are exact up to float64's last divisions, and every thread v <
// 256 computes what a pixel of value v becomes: (v - mean) * scale in float64, rounded once. So
// there are 256 float64 products an image, whatever its size, and a component is a look-up: bit for
// bit what dev.flinch.device.cpu.CpuLane.gatherImages writes. A move is
// dev.flinch.device.ImageMove's packed form: component (y, x) of out comes from the place that the
// shift, the flips and the turns, each undone in this order, lead to. 1 byte read twice (the second
// time from cache) and 4 written a component. Equal pixels are one look-up; different ones may meet
// in a bank, as the image has it.

constexpr unsigned WARP = 0xffffffffu;
constexpr int THREADS = 256;

__device__ __forceinline__ bool is_multiple_of(const void* address, const unsigned bytes) {
  return (reinterpret_cast<unsigned long long>(address) & (bytes - 1)) == 0;
}

// One of four bytes, the first in memory first.
__device__ __forceinline__ unsigned byte_of(const unsigned four, const int b) {
  return four >> 8 * b & 0xff;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    gather_rows(const float* __restrict__ source, const int sourceStride, const int sourceRows,
                const int* __restrict__ indices, const long long listStride,
                float* __restrict__ out, const int outStride, const long long outReplica,
                const int rows, const int columns, const int replicas) {
  const unsigned at = blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
  const int replica = at / rows;
  const int row = at % rows;
  if (replica >= replicas) {
    return;
  }
  const int lane = threadIdx.x % 32;
  const int index = indices[replica * listStride + row];
  float* to = out + replica * outReplica + (long long)row * outStride;
  if (index < 0 || index >= sourceRows) {
#pragma unroll 1
    for (int j = lane; j < columns; j += 32) {
      to[j] = __int_as_float(0x7fc00000);
    }
    return;
  }
  const float* from = source + (long long)index * sourceStride;
  const int quads = is_multiple_of(from, 16) && is_multiple_of(to, 16) ? columns / 4 : 0;
  for (int j = lane; j < quads; j += 32) {
    reinterpret_cast<float4*>(to)[j] = reinterpret_cast<const float4*>(from)[j];
  }
#pragma unroll 1
  for (int j = 4 * quads + lane; j < columns; j += 32) {
    to[j] = from[j];
  }
}

// A move, for components of an image in order.
struct Move {
  int right;
  int down;
  bool flipHorizontally;
  bool flipVertically;
  int quarterTurns;

  __device__ __forceinline__ Move(const int packed, const int height, const int width)
      : right(wrapped(static_cast<signed char>(packed), width)),
        down(wrapped(static_cast<signed char>(packed >> 8), height)),
        flipHorizontally((packed & 1 << 16) != 0),
        flipVertically((packed & 1 << 17) != 0),
        quarterTurns(packed >> 18 & 3) {}

  // The place in an image, as it was, of component `target` of the moved image.
  __device__ __forceinline__ int source(const int target, const int height, const int width) const {
    const int rowOfAll = target / width;
    const int plane = rowOfAll / height;
    int y = rowOfAll - plane * height - down;
    int x = target - rowOfAll * width - right;
    y += y < 0 ? height : 0;
    x += x < 0 ? width : 0;
    x = flipHorizontally ? width - 1 - x : x;
    y = flipVertically ? height - 1 - y : y;
    for (int turn = quarterTurns; turn > 0; turn--) {
      const int row = x;
      x = width - 1 - y;
      y = row;
    }
    return (plane * height + y) * width + x;
  }

 private:
  // A shift as one from 0 to size - 1.
  static __device__ __forceinline__ int wrapped(const int shift, const int size) {
    const int rest = shift % size;
    return rest < 0 ? rest + size : rest;
  }
};

extern "C" __global__ void __launch_bounds__(THREADS)
    gather_images(const unsigned char* __restrict__ pixels, const long long images,
                  const int channels, const int height, const int width,
                  const int* __restrict__ indices, const int* __restrict__ moves,
                  const long long listStride, float* __restrict__ out, const int outStride,
                  const long long outReplica, const int rows) {
  __shared__ float normalised[256];
  __shared__ unsigned long long warpSums[THREADS / 32];
  __shared__ unsigned long long warpSquares[THREADS / 32];
  __shared__ double mean;
  __shared__ double scale;

  const int size = channels * height * width;
  const int replica = blockIdx.x / rows;
  const int row = blockIdx.x % rows;
  const int index = indices[replica * listStride + row];
  const int packed = moves == nullptr ? 0 : moves[replica * listStride + row];
  float* to = out + replica * outReplica + (long long)row * outStride;
  if (index < 0 || index >= images || ((packed >> 18 & 3) != 0 && height != width)) {
#pragma unroll 1
    for (int j = threadIdx.x; j < size; j += THREADS) {
      to[j] = __int_as_float(0x7fc00000);
    }
    return;
  }
  const unsigned char* image = pixels + (long long)index * size;
  const int quads = is_multiple_of(image, 4) ? size / 4 : 0;

  unsigned long long sum = 0;
  unsigned long long squares = 0;
  for (int j = threadIdx.x; j < quads; j += THREADS) {
    const unsigned four = reinterpret_cast<const unsigned*>(image)[j];
    for (int b = 0; b < 4; b++) {
      const unsigned pixel = byte_of(four, b);
      sum += pixel;
      squares += pixel * pixel;
    }
  }
#pragma unroll 1
  for (int j = 4 * quads + threadIdx.x; j < size; j += THREADS) {
    const unsigned pixel = image[j];
    sum += pixel;
    squares += pixel * pixel;
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(WARP, sum, offset);
    squares += __shfl_xor_sync(WARP, squares, offset);
  }
  if (threadIdx.x % 32 == 0) {
    warpSums[threadIdx.x / 32] = sum;
    warpSquares[threadIdx.x / 32] = squares;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int warp = 1; warp < THREADS / 32; warp++) {
      sum += warpSums[warp];
      squares += warpSquares[warp];
    }
    const double variance = __ddiv_rn(
        __ddiv_rn(static_cast<double>(static_cast<long long>(squares * size - sum * sum)), size),
        size);
    mean = __ddiv_rn(static_cast<double>(static_cast<long long>(sum)), size);
    scale = variance > 0 ? __ddiv_rn(1.0, __dsqrt_rn(variance)) : 0.0;
  }
  __syncthreads();
  normalised[threadIdx.x] =
      static_cast<float>(__dmul_rn(__dsub_rn(static_cast<double>(threadIdx.x), mean), scale));
  __syncthreads();

  if (packed != 0) {
    const Move move(packed, height, width);
    for (int j = threadIdx.x; j < size; j += THREADS) {
      to[j] = normalised[image[move.source(j, height, width)]];
    }
    return;
  }
  const int whole = is_multiple_of(to, 16) ? quads : 0;
  for (int j = threadIdx.x; j < whole; j += THREADS) {
    const unsigned four = reinterpret_cast<const unsigned*>(image)[j];
    reinterpret_cast<float4*>(to)[j] =
        make_float4(normalised[byte_of(four, 0)], normalised[byte_of(four, 1)],
                    normalised[byte_of(four, 2)], normalised[byte_of(four, 3)]);
  }
#pragma unroll 1
  for (int j = 4 * whole + threadIdx.x; j < size; j += THREADS) {
    to[j] = normalised[image[j]];
  }
}
