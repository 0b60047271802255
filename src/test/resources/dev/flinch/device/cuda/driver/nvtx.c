// A stand-in for NVTX's library of ranges and, by another door, for a profiler that puts its functions into the tables of a
// program, as nvtxTypes.h of NVTX 3 has them. Both say what they are called with.
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int depth;

static void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  fflush(stdout);
}

int nvtxRangePushA(const char *message) { say("push %s\n", message); return depth++; }
int nvtxRangePop(void) { say("pop %d\n", --depth); return depth; }

typedef void (*function)(void);
typedef struct { size_t size; int (*functions)(int module, function ***table, unsigned *size); } callbacks;
typedef struct { size_t size; uint32_t version, reserved; void (*set)(uint32_t); } version_info;

static int injected_push(const char *message) { say("to the profiler: "); return nvtxRangePushA(message); }
static int injected_pop(void) { say("to the profiler: "); return nvtxRangePop(); }

int InitializeInjectionNvtx2(const void *(*table_of)(uint32_t)) {
  const callbacks *c = table_of(1);
  const version_info *v = table_of(3);
  if (table_of(2) || table_of(4) || c->size != sizeof *c || v->size != sizeof *v || v->version != 3) return 0;
  v->set(3);
  function **table;
  unsigned size;
  for (int module = 1; module <= 6; module++) {
    if (!c->functions(module, &table, &size) || table[0] || table[size]) return 0;
    say("%d functions of module %d\n", size - 1, module);
    for (unsigned i = 1; i < size; i++) if (!table[i]) return 0;
  }
  if (c->functions(0, &table, &size) || c->functions(7, &table, &size) || !c->functions(1, 0, 0)) return 0;
  if (getenv("STANDIN_REFUSE")) return 0;
  c->functions(1, &table, &size);
  if (!getenv("STANDIN_NO_RANGES")) {
    *table[9] = (function)injected_push;
    *table[11] = (function)injected_pop;
  }
  return 1;
}
