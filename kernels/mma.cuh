// Tensor-core products in TF32 that keep float32 accuracy: each operand is split into two TF32
// numbers, x = big + small with |small| <= 2^-11 |x|, and three of the four products are summed
// (small * small is below float32's rounding). From sm_80 on.
#pragma once

#if __CUDA_ARCH__ >= 800

struct Split {
  unsigned big;
  unsigned small;
};

__device__ __forceinline__ unsigned to_tf32(const float x) {
  unsigned rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
}

__device__ __forceinline__ Split split_tf32(const float x) {
  Split s;
  s.big = to_tf32(x);
  s.small = to_tf32(x - __uint_as_float(s.big));
  return s;
}

// c += a b for a 16 x 8 and b 8 x 8, in a warp. With group = lane / 4 and in = lane % 4:
//   a[0] (group, in)  a[1] (group + 8, in)  a[2] (group, in + 4)  a[3] (group + 8, in + 4)
//   b[0] (in, group)  b[1] (in + 4, group)
//   c[0] (group, 2 in)  c[1] (group, 2 in + 1)  c[2] (group + 8, 2 in)  c[3] (group + 8, 2 in + 1)
__device__ __forceinline__ void mma_tf32(float c[4], const unsigned a[4], const unsigned b[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// The three products, the small ones first.
__device__ __forceinline__ void mma_split(float c[4], const Split a[4], const Split b[2]) {
  const unsigned aBig[4] = {a[0].big, a[1].big, a[2].big, a[3].big};
  const unsigned aSmall[4] = {a[0].small, a[1].small, a[2].small, a[3].small};
  const unsigned bBig[2] = {b[0].big, b[1].big};
  const unsigned bSmall[2] = {b[0].small, b[1].small};
  mma_tf32(c, aSmall, bBig);
  mma_tf32(c, aBig, bSmall);
  mma_tf32(c, aBig, bBig);
}

#endif
