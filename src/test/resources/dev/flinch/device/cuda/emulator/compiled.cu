// Compiled to compiled.ptx, which is what nvcc 13 writes for compute_75:
//   nvcc -ptx -std=c++17 -O3 -arch=compute_75 compiled.cu
extern "C" __global__ void saxpy(const float* __restrict__ x, float* __restrict__ y, const float a,
                                 const int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = fmaf(a, x[i], y[i]);
}

extern "C" __global__ void sum(const float* __restrict__ x, float* __restrict__ out, const int n) {
  __shared__ float partial[256];
  float total = 0;
  for (int i = threadIdx.x; i < n; i += 256) total += x[i];
  partial[threadIdx.x] = total;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) out[0] = partial[0];
}

extern "C" __global__ void product(const float* __restrict__ a, const float* __restrict__ b,
                                   float* __restrict__ c, const int n) {
  __shared__ float left[16][17], right[16][17];
  const int x = threadIdx.x, y = threadIdx.y;
  const int row = blockIdx.y * 16 + y, column = blockIdx.x * 16 + x;
  float total = 0;
  for (int k = 0; k < n; k += 16) {
    left[y][x] = row < n && k + x < n ? a[row * n + k + x] : 0;
    right[y][x] = column < n && k + y < n ? b[(k + y) * n + column] : 0;
    __syncthreads();
    for (int j = 0; j < 16; j++) total = fmaf(left[y][j], right[j][x], total);
    __syncthreads();
  }
  if (row < n && column < n) c[row * n + column] = total;
}

// Slow paths included: sinf reduces large arguments with a table and carries.
extern "C" __global__ void functions(const float* __restrict__ x, float* __restrict__ y,
                                     double* __restrict__ z, const int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float v = x[i];
  y[i * 7] = tanhf(v);
  y[i * 7 + 1] = expf(v);
  y[i * 7 + 2] = logf(v);
  y[i * 7 + 3] = sinf(v * 1e6f);
  y[i * 7 + 4] = atan2f(v, 2.0f);
  y[i * 7 + 5] = sqrtf(v);
  y[i * 7 + 6] = 1.0f / v;
  const double d = v;
  z[i * 3] = exp(d);
  z[i * 3 + 1] = atan(d);
  z[i * 3 + 2] = fmod(d * 100, 1.3);
}
