// A stand-in for cuBLAS: the functions that Flinch calls, with matrices counted by columns as there,
// in host memory. STANDIN_CREATE in the environment is what cublasCreate answers.
#include <stdlib.h>

static void *stream;
static void *workspace;
int cublasCreate_v2(void **handle) { *handle = (void *)0x700; return getenv("STANDIN_CREATE") ? atoi(getenv("STANDIN_CREATE")) : 0; }
int cublasDestroy_v2(void *handle) { return handle != (void *)0x700; }
int cublasGetVersion_v2(void *handle, int *version) { *version = 130102; return 0; }
int cublasSetStream_v2(void *handle, void *s) { stream = s; workspace = 0; return !s; }
int cublasSetWorkspace_v2(void *handle, void *memory, size_t bytes) { workspace = memory; return !memory || bytes < 1 << 20; }
int cublasSetMathMode(void *handle, int mode) { return mode != 0; }
int cublasSetPointerMode_v2(void *handle, int mode) { return mode != 0; }

#define GEMM(NAME, T)                                                                              \
  int NAME(void *handle, int opA, int opB, int m, int n, int k, const T *alpha, const T *a, int lda, \
           long long strideA, const T *b, int ldb, long long strideB, const T *beta, T *c, int ldc, \
           long long strideC, int count) {                                                         \
    if (handle != (void *)0x700 || !stream || !workspace) return 1;                                \
    if (lda < (opA ? k : m) || ldb < (opB ? n : k) || ldc < m || !lda || !ldb) return 7;           \
    for (int r = 0; r < count; r++)                                                                \
      for (int i = 0; i < m; i++)                                                                  \
        for (int j = 0; j < n; j++) {                                                              \
          T sum = 0;                                                                               \
          for (int l = 0; l < k; l++)                                                              \
            sum += a[r * strideA + (opA ? l + (long)i * lda : i + (long)l * lda)] *                \
                   b[r * strideB + (opB ? j + (long)l * ldb : l + (long)j * ldb)];                 \
          T *at = c + r * strideC + i + (long)j * ldc;                                             \
          *at = *alpha * sum + (*beta == 0 ? 0 : *beta * *at);                                     \
        }                                                                                          \
    return 0;                                                                                      \
  }
GEMM(cublasSgemmStridedBatched, float)
GEMM(cublasDgemmStridedBatched, double)
