// One step of an optimizer on the weights of all replicas, in place, and what stops a replica. With
// gradient g, rate alpha of the replica, and the coefficients of dev.flinch.device.OptimizerRule:
//   update_sgd       w <- w - alpha g
//   update_momentum  s <- 0.9 s + g;               w <- w - alpha s
//   update_adam      s <- 0.9 s + 0.1 g;  t <- 0.999 t + 0.001 g^2;
//                                                  w <- w - alpha s / (sqrt t + 1e-8)
//   update_rmsprop   s <- 0.9 s + 0.1 g^2;         w <- w - alpha g / sqrt(s + 1e-10)
// Replicas with running[r] = 0 are left untouched. halt_non_finite sets running[r] to 0 where the
// replica's loss is NaN or infinite.
//
// Layout: weights, gradient and slots [replicas][rows][columns], any strides; rates float32 and
// running int32, one a replica. Slots that a rule doesn't have are null.
// Launch: as activation.cu; rows that follow each other without a gap come as one.
//
//              bytes an element    FLOP an element
//   sgd        12                  2
//   momentum   20                  4
//   adam       28                  12, a division and a root among them
//   rmsprop    20                  9, a division and a root among them
#include "elements.cuh"

enum Rule { SGD, MOMENTUM, ADAM, RMSPROP };

template <Rule rule>
__device__ __forceinline__ float step(const float g, float& first, float& second) {
  const float decay = 0.9f;
  const float secondDecay = 0.999f;
  switch (rule) {
    case MOMENTUM:
      first = decay * first + g;
      return first;
    case ADAM:
      first = decay * first + (1 - decay) * g;
      second = secondDecay * second + (1 - secondDecay) * (g * g);
      return first / (sqrtf(second) + 1e-8f);
    case RMSPROP:
      first = decay * first + (1 - decay) * (g * g);
      return g / sqrtf(first + 1e-10f);
    default:
      return g;
  }
}

template <Rule rule, int width>
__device__ __forceinline__ void update(
    const float* __restrict__ rates, const int* __restrict__ running, float* __restrict__ weights,
    const int weightsStride, const long long weightsReplica, const float* __restrict__ gradient,
    const int gradientStride, const long long gradientReplica, float* __restrict__ first,
    const int firstStride, const long long firstReplica, float* __restrict__ second,
    const int secondStride, const long long secondReplica, const int rows, const int columns,
    const int replicas) {
  const int rowStep = gridDim.y * blockDim.y;
  for (int r = blockIdx.z; r < replicas; r += gridDim.z) {
    if (running[r] == 0) {
      continue;
    }
    const float rate = rates[r];
    for (int j = width * (blockIdx.x * blockDim.x + threadIdx.x); j < columns;
         j += width * gridDim.x * blockDim.x) {
      const int count = min(width, columns - j);
      for (int i = blockIdx.y * blockDim.y + threadIdx.y; i < rows; i += rowStep) {
        const long long row = i;
        float* const wAt = weights + r * weightsReplica + row * weightsStride + j;
        float* const sAt = first + r * firstReplica + row * firstStride + j;
        float* const tAt = second + r * secondReplica + row * secondStride + j;
        const Pack<width> g =
            load_pack<width>(gradient + r * gradientReplica + row * gradientStride + j, count);
        Pack<width> w = load_pack<width>(wAt, count);
        Pack<width> s = {};
        Pack<width> t = {};
        if (rule != SGD) {
          s = load_pack<width>(sAt, count);
        }
        if (rule == ADAM) {
          t = load_pack<width>(tAt, count);
        }
#pragma unroll
        for (int k = 0; k < width; k++) {
          w.at[k] -= rate * step<rule>(g.at[k], s.at[k], t.at[k]);
        }
        store_pack<width>(wAt, w, count);
        if (rule != SGD) {
          store_pack<width>(sAt, s, count);
        }
        if (rule == ADAM) {
          store_pack<width>(tAt, t, count);
        }
      }
    }
  }
}

#define ENTRY(name, rule, width)                                                                  \
  extern "C" __global__ void update_##name##_##width(                                             \
      const float* __restrict__ rates, const int* __restrict__ running,                           \
      float* __restrict__ weights, const int weightsStride, const long long weightsReplica,       \
      const float* __restrict__ gradient, const int gradientStride,                               \
      const long long gradientReplica, float* __restrict__ first, const int firstStride,          \
      const long long firstReplica, float* __restrict__ second, const int secondStride,           \
      const long long secondReplica, const int rows, const int columns, const int replicas) {     \
    update<rule, width>(rates, running, weights, weightsStride, weightsReplica, gradient,         \
                        gradientStride, gradientReplica, first, firstStride, firstReplica,        \
                        second, secondStride, secondReplica, rows, columns, replicas);            \
  }

ENTRY(sgd, SGD, 4)
ENTRY(sgd, SGD, 1)
ENTRY(momentum, MOMENTUM, 4)
ENTRY(momentum, MOMENTUM, 1)
ENTRY(adam, ADAM, 4)
ENTRY(adam, ADAM, 1)
ENTRY(rmsprop, RMSPROP, 4)
ENTRY(rmsprop, RMSPROP, 1)

// losses: float32, one a replica.
extern "C" __global__ void halt_non_finite(const float* __restrict__ losses,
                                           const long long lossesReplica,
                                           int* __restrict__ running, const int replicas) {
  const int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < replicas && !isfinite(losses[r * lossesReplica])) {
    running[r] = 0;
  }
}
