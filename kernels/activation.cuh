// The activations of dev.flinch.device.Activation as kernels take them: clamps between knots,
// phi(z) = min(max(z, low), high) + shift, or tanh where `smooth` is not 0.
#pragma once

struct Activation {
  int smooth;
  float low;
  float high;
  float shift;
};

// phi(z). NaN stays NaN: fminf and fmaxf would drop it, and a diverged network must show.
__device__ __forceinline__ float activation_value(const Activation a, const float z) {
  if (a.smooth) {
    return tanhf(z);
  }
  const float clamped = z < a.low ? a.low : (z > a.high ? a.high : z);
  return clamped + a.shift;
}

// phi'(z), with 0 at a lower knot and 1 at an upper one; `h` is phi(z).
__device__ __forceinline__ float activation_slope(const Activation a, const float z, const float h) {
  if (a.smooth) {
    return 1.0f - h * h;
  }
  // A NaN has slope 1, as on the CPU: it goes on to the gradients.
  return z <= a.low || z > a.high ? 0.0f : 1.0f;
}

// The number of knots below z.
__device__ __forceinline__ int activation_code(const Activation a, const float z) {
  return (z > a.low ? 1 : 0) + (z > a.high ? 1 : 0);
}

// phi(reference + z) - phi(reference) for the reference point that the knots are relative to
// (dev.flinch.device.Lane.activateReferences). For tanh `base` is t = tanh(reference), and with
// u = tanh(z) the addition theorem gives u (1 - t^2) / (1 + t u), where nothing cancels for small z.
__device__ __forceinline__ float activation_difference(const Activation a, const float z,
                                                       const float low, const float high,
                                                       const float base) {
  if (a.smooth) {
    const float u = tanhf(z);
    return u * ((1.0f - base) * (1.0f + base)) / fmaf(base, u, 1.0f);
  }
  return (z <= low ? low : (z > high ? high : z)) - base;
}

// The key of a hidden unit in pattern hashes: dev.flinch.device.PatternHash.
__device__ __forceinline__ unsigned long long pattern_key(const unsigned long long unit) {
  unsigned long long key = (unit + 1) * 0x9E3779B97F4A7C15ull;
  key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9ull;
  key = (key ^ (key >> 27)) * 0x94D049BB133111EBull;
  return key ^ (key >> 31);
}
