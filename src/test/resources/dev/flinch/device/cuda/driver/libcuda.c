// A stand-in for NVIDIA's driver: host memory in the place of a card's, work done at once, and one
// kernel that writes down how it was launched. It shows that calls arrive with the right values;
// what a driver does with them it cannot show.
//
// cuMemAlloc of FAIL + code bytes answers with that code, so that each answer can be asked for.
// STANDIN_CARDS and STANDIN_VERSION in the environment say how many cards there are, and what CUDA
// the driver is for.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAIL 0x7f000000000ULL
typedef uint64_t address;
enum { NOT_READY = 600 };

static int variable(const char *name, int otherwise) {
  const char *text = getenv(name);
  return text ? atoi(text) : otherwise;
}

int cuInit(unsigned flags) { return variable("STANDIN_INIT", flags); }
int cuDriverGetVersion(int *version) { *version = variable("STANDIN_VERSION", 12040); return 0; }
int cuDeviceGetCount(int *count) { *count = variable("STANDIN_CARDS", 2); return 0; }
int cuDeviceGet(int *device, int index) { *device = index + 7; return 0; }
int cuDeviceGetName(char *name, int length, int device) {
  snprintf(name, length, "Stand-in %d", device - 7);
  return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)(device - 6) << 33; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  *value = attribute == 75 ? 8 : attribute == 76 ? 9 : attribute == 16 ? 128 : attribute == 97 ? 101376 : attribute == 39 ? 1536 : -1;
  return *value < 0;
}
int cuGetErrorName(int code, const char **name) {
  *name = code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : code == 218 ? "CUDA_ERROR_INVALID_PTX" : code == 1 ? "CUDA_ERROR_INVALID_VALUE" : 0;
  return !*name;
}
int cuGetErrorString(int code, const char **text) {
  *text = code == 700 ? "an illegal memory access was encountered" : code == 218 ? "a PTX JIT compilation failed" : code == 1 ? "invalid argument" : 0;
  return !*text;
}

static int retained;
static __thread void *current;
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = (void *)(uintptr_t)(device << 8); retained++; return 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { return --retained != 0; }
int cuCtxSetCurrent(void *context) { current = context; return 0; }
#define CONTEXT if (!current) return 201

static int lost;
int cuMemAlloc_v2(address *at, size_t bytes) {
  CONTEXT;
  if (bytes >= FAIL) {
    int code = bytes - FAIL;
    lost = code == 700 ? 700 : lost;
    return code;
  }
  if (lost) return lost;
  *at = (address)aligned_alloc(256, (bytes + 255) / 256 * 256);
  memset((void *)*at, 0xff, bytes);
  return 0;
}
int cuMemFree_v2(address at) { CONTEXT; if (lost) return lost; free((void *)at); return 0; }
int cuMemGetInfo_v2(size_t *unused, size_t *total) { *unused = 12345678; *total = 1 << 30; return 0; }
static void *pinned[16];
int cuMemAllocHost_v2(void **at, size_t bytes) {
  CONTEXT;
  *at = malloc(bytes);
  for (int i = 0; i < 16; i++) if (!pinned[i]) { pinned[i] = *at; return 0; }
  return 2;
}
int cuMemFreeHost(void *at) {
  for (int i = 0; i < 16; i++) if (pinned[i] == at) { pinned[i] = 0; free(at); return 0; }
  return 1;
}

// What a stream is given: done at once, or kept while it is captured.
typedef struct { char kind; address to; address from; size_t bytes; int64_t launched[16]; } operation;
typedef struct { int count; operation operations[64]; } graph;
typedef struct { graph *captured; } stream;
static int execute(operation *o) {
  if (o->kind == 'z') memset((void *)o->to, 0, o->bytes);
  if (o->kind == 'c') memcpy((void *)o->to, (void *)o->from, o->bytes);
  if (o->kind == 'l') memcpy((void *)o->to, o->launched, sizeof o->launched);
  return 0;
}
static int give(stream *s, operation o) {
  CONTEXT;
  if (!s) return 400;
  if (!s->captured) return execute(&o);
  s->captured->operations[s->captured->count++] = o;
  return 0;
}
int cuStreamCreate(stream **s, unsigned flags) { CONTEXT; *s = calloc(1, sizeof(stream)); return flags != 1; }
int cuStreamDestroy_v2(stream *s) { free(s); return 0; }
int cuMemsetD8Async(address at, unsigned char value, size_t bytes, stream *s) {
  return value ? 1 : give(s, (operation){'z', at, 0, bytes});
}
int cuMemcpyHtoDAsync_v2(address to, const void *from, size_t bytes, stream *s) { return give(s, (operation){'c', to, (address)from, bytes}); }
int cuMemcpyDtoHAsync_v2(void *to, address from, size_t bytes, stream *s) { return give(s, (operation){'c', (address)to, from, bytes}); }
int cuStreamBeginCapture_v2(stream *s, int mode) { s->captured = calloc(1, sizeof(graph)); return mode != 1; }
int cuStreamEndCapture(stream *s, graph **g) { *g = s->captured; s->captured = 0; return 0; }
int cuGraphInstantiateWithFlags(graph **executable, graph *g, unsigned long long flags) {
  *executable = malloc(sizeof(graph));
  memcpy(*executable, g, sizeof(graph));
  return flags != 0;
}
int cuGraphLaunch(graph *executable, stream *s) {
  CONTEXT;
  for (int i = 0; i < executable->count; i++) execute(executable->operations + i);
  return !s;
}
int cuGraphDestroy(graph *g) { free(g); return 0; }
int cuGraphExecDestroy(graph *g) { free(g); return 0; }

// An event is done the second time it is asked.
typedef struct { int asked; float at; } event;
static float clock_;
int cuEventCreate(event **e, unsigned flags) { *e = calloc(1, sizeof(event)); return flags != 0; }
int cuEventDestroy_v2(event *e) { free(e); return 0; }
int cuEventRecord(event *e, stream *s) { CONTEXT; e->asked = 0; e->at = clock_ += 1.5f; return !s; }
int cuEventQuery(event *e) { if (lost) return lost; return e->asked++ ? 0 : NOT_READY; }
int cuEventElapsedTime(float *milliseconds, event *from, event *to) { *milliseconds = to->at - from->at; return 0; }
int cuStreamWaitEvent(stream *s, event *e, unsigned flags) { return !s || !e || flags; }

// The one kernel: launched(.u64 out, .u32 a, .f32 b, .f64 c).
static int mostShared;
int cuModuleLoadDataEx(void **module, const char *text, unsigned count, int *options, void **values) {
  CONTEXT;
  *module = (void *)0x500;
  if (!strstr(text, "broken")) return 0;
  unsigned long size = 0;
  for (unsigned i = 0; i < count; i++) if (options[i] == 6) size = (unsigned)(uintptr_t)values[i];
  for (unsigned i = 0; i < count; i++) if (options[i] == 5) snprintf(values[i], size, "ptxas fatal: syntax error near 'broken'\n");
  return 218;
}
int cuModuleUnload(void *module) { return module != (void *)0x500; }
int cuModuleGetFunction(void **function, void *module, const char *name) {
  *function = (void *)0x600;
  return module != (void *)0x500 || strcmp(name, "launched");
}
int cuFuncGetAttribute(int *value, int attribute, void *function) {
  *value = attribute == 0 ? 512 : attribute == 1 ? 1024 : attribute == 4 ? 40 : -1;
  return function != (void *)0x600 || *value < 0;
}
int cuFuncSetAttribute(void *function, int attribute, int value) {
  mostShared = value;
  return function != (void *)0x600 || attribute != 8;
}
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *function, int threads, size_t shared) {
  *blocks = threads == 70 && shared == 4096 ? 4 : threads == 96 && shared == 51200 ? mostShared == 100352 : -1;
  return function != (void *)0x600 || *blocks < 0;
}
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, stream *s, void **p, void **extra) {
  if (function != (void *)0x600 || extra || (shared + 1024 > 49152 && shared > mostShared)) return 1;
  operation o = {'l', *(address *)p[0]};
  int64_t launched[16] = {gx, gy, gz, bx, by, bz, shared, *(int32_t *)p[1], mostShared};
  double b = *(float *)p[2], c = *(double *)p[3];
  memcpy(launched + 9, &b, 8);
  memcpy(launched + 10, &c, 8);
  memcpy(o.launched, launched, sizeof launched);
  return give(s, o);
}
