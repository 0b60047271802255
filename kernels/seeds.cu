// The rows that Jacobians are propagated back from. For logits with softmax sigma and S = diag sigma
// - sigma sigma^T:
//   probability_seeds   for every point U S / m, with U Helmert's basis of the vectors that sum to
//                       zero, u_k = (1, ..., 1, -k, 0, ..., 0) / sqrt(k (k + 1)) with k ones, k = 1
//                       ... C - 1, and m the largest absolute entry, which goes to `scales`
//   logit_seeds         for every point the C unit vectors
//
// Layout: logits [replicas][points][C], seeds [replicas][points (C - 1) or points C][C], scales
// float64 [replicas][points], any strides.
#include "softmax.cuh"

// Row k of U S at column c is (b - k S_kc) / sqrt(k (k + 1)) with b = sum over j < k of S_jc, so a
// lane walks down its column with one running sum: S is never stored. Entries on the diagonal are
// sigma_c (1 - sigma_c) with 1 - sigma_c as the sum of the others: no cancellation.
struct HelmertColumn {
  const double* sigma;
  int c;
  double own;
  double diagonal;
  double before;

  __device__ HelmertColumn(const double* sigma, const int c, const int classes)
      : sigma(sigma), c(c), own(sigma[c]), before(0) {
    double others = 0;
    for (int j = 0; j < classes; j++) {
      others += j == c ? 0 : sigma[j];
    }
    diagonal = own * others;
  }

  __device__ double covariance(const int k) const {
    return k == c ? diagonal : -(sigma[k] * own);
  }

  // The entry of row k; to be asked for k = 1, 2, ... in turn.
  __device__ double entry(const int k) {
    before += covariance(k - 1);
    return (before - k * covariance(k)) / sqrt(static_cast<double>(k) * (k + 1));
  }
};

// Launch: blocks of 256 threads; `width` lanes (a power of two up to 32) share a point, each with
// every width-th column; the grid's x strides over points, its z over replicas. `sigmas`: float64
// [blocks of the whole grid][256 / width][C], for the softmax of the point in work.
// Bytes a point: 4 C read, 4 C (C - 1) written. An entry is 6 FLOP, a root and a division in
// float64, and is found twice, the first time for the largest of them: that costs less than keeping
// C (C - 1) of them.
extern "C" __global__ void probability_seeds(
    const float* __restrict__ logits, const int logitsStride, const long long logitsReplica,
    float* __restrict__ seeds, const int seedsStride, const long long seedsReplica,
    double* __restrict__ scales, const int scalesStride, const long long scalesReplica,
    double* sigmas, const int points, const int classes, const int width, const int replicas) {
  const int lane = threadIdx.x % width;
  const int pointsPerBlock = blockDim.x / width;
  const long long block = static_cast<long long>(blockIdx.z) * gridDim.x + blockIdx.x;
  double* const sigma = sigmas + (block * pointsPerBlock + threadIdx.x / width) * classes;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    for (int first = blockIdx.x * pointsPerBlock; first < points;
         first += gridDim.x * pointsPerBlock) {
      const int i = first + threadIdx.x / width;
      const int mine = i < points ? classes : 0;
      group_softmax(logits + r * logitsReplica + static_cast<long long>(i) * logitsStride, mine,
                    lane, width, sigma);
      double magnitude = 0;
      for (int c = lane; c < mine; c += width) {
        HelmertColumn column(sigma, c, classes);
        for (int k = 1; k < classes; k++) {
          const double entry = fabs(column.entry(k));
          // A NaN is kept, so that it shows in the scale.
          magnitude = entry <= magnitude ? magnitude : entry;
        }
      }
      for (int d = width / 2; d > 0; d /= 2) {
        const double other = __shfl_xor_sync(0xffffffffu, magnitude, d, width);
        magnitude = other <= magnitude || magnitude != magnitude ? magnitude : other;
      }
      float* const to = seeds + r * seedsReplica +
                        static_cast<long long>(i) * (classes - 1) * seedsStride;
      for (int c = lane; c < mine; c += width) {
        HelmertColumn column(sigma, c, classes);
        for (int k = 1; k < classes; k++) {
          const double entry = column.entry(k);
          to[static_cast<long long>(k - 1) * seedsStride + c] =
              magnitude == 0 ? 0.0f : static_cast<float>(entry / magnitude);
        }
      }
      if (lane == 0 && i < points) {
        scales[r * scalesReplica + static_cast<long long>(i) * scalesStride] = magnitude;
      }
      // The next point's softmax takes the place of this one's.
      __syncwarp();
    }
  }
}

// Launch: blocks of x by y threads, x over columns, y over rows, the grid's z over replicas, each
// striding. 4 bytes an element.
extern "C" __global__ void logit_seeds(float* __restrict__ seeds, const int stride,
                                       const long long replica, const int rows,
                                       const int classes, const int replicas) {
  const int rowStep = gridDim.y * blockDim.y;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    for (int c = blockIdx.x * blockDim.x + threadIdx.x; c < classes; c += gridDim.x * blockDim.x) {
      for (int i = blockIdx.y * blockDim.y + threadIdx.y; i < rows; i += rowStep) {
        seeds[r * replica + static_cast<long long>(i) * stride + c] =
            i % classes == c ? 1.0f : 0.0f;
      }
    }
  }
}
