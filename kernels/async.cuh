// Copies from device to shared memory that don't pass through registers, from sm_80 on; plain
// copies before. `valid` = 0 writes zeros without reading, for tails.
#pragma once

__device__ __forceinline__ void copy_async_4(float* shared, const float* global, const bool valid) {
#if __CUDA_ARCH__ >= 800
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int bytes = valid ? 4 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"(global), "r"(bytes)
               : "memory");
#else
  *shared = valid ? *global : 0.0f;
#endif
}

// 16 bytes; both addresses must be multiples of 16.
__device__ __forceinline__ void copy_async_16(float* shared, const float* global, const bool valid) {
#if __CUDA_ARCH__ >= 800
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(bytes)
               : "memory");
#else
  *reinterpret_cast<float4*>(shared) =
      valid ? *reinterpret_cast<const float4*>(global) : make_float4(0, 0, 0, 0);
#endif
}

// 16 bytes of which the first `count` values are read and the others are written as zeros; both
// addresses must be multiples of 16.
__device__ __forceinline__ void copy_async_quad(float* shared, const float* global,
                                                const int count) {
#if __CUDA_ARCH__ >= 800
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global),
               "r"(4 * count)
               : "memory");
#else
  *reinterpret_cast<float4*>(shared) =
      count == 4 ? *reinterpret_cast<const float4*>(global)
                 : make_float4(count > 0 ? global[0] : 0.0f, count > 1 ? global[1] : 0.0f,
                               count > 2 ? global[2] : 0.0f, 0.0f);
#endif
}

// Closes a group of copies.
__device__ __forceinline__ void copy_async_commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most `groups` of this thread's latest groups are under way; a barrier must follow
// before other threads' copies are read.
template <int groups>
__device__ __forceinline__ void copy_async_wait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
#endif
}
