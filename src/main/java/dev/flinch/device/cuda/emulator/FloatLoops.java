package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.emulator.Loops.II;
import dev.flinch.device.cuda.emulator.Loops.III;
import dev.flinch.device.cuda.emulator.Loops.IIII;
import dev.flinch.device.cuda.emulator.Loops.LL;
import dev.flinch.device.cuda.emulator.Loops.LLL;
import dev.flinch.device.cuda.emulator.Loops.LLLL;
import dev.flinch.device.cuda.emulator.Loops.PII;
import dev.flinch.device.cuda.emulator.Loops.PLL;

/**
 * Floating-point instructions over 32 lanes. A result that isn't a number is the one that cards
 * write, whatever the operands' bits were. The {@code .approx} instructions give the correctly
 * rounded value or its neighbour, which is within the bounds that PTX promises but need not be a
 * card's bits.
 */
final class FloatLoops {
  static final int NAN32 = 0x7fffffff;
  static final long NAN64 = 0xfff8000000000000L;

  private FloatLoops() {}

  static float f32(int bits) {
    return Float.intBitsToFloat(bits);
  }

  static double f64(long bits) {
    return Double.longBitsToDouble(bits);
  }

  static int bits(float value) {
    return value != value ? NAN32 : Float.floatToRawIntBits(value);
  }

  static long bits(double value) {
    return value != value ? NAN64 : Double.doubleToRawLongBits(value);
  }

  /** Rounds to nearest. */
  static III binary32(String op) {
    return switch (op) {
      case "add" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(f32(a[i]) + f32(b[i]));
            }
          };
      case "sub" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(f32(a[i]) - f32(b[i]));
            }
          };
      case "mul" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(f32(a[i]) * f32(b[i]));
            }
          };
      case "div" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(f32(a[i]) / f32(b[i]));
            }
          };
      case "min" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              float x = f32(a[i]);
              float y = f32(b[i]);
              d[i] = bits(x != x ? y : y != y ? x : Math.min(x, y));
            }
          };
      case "max" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              float x = f32(a[i]);
              float y = f32(b[i]);
              d[i] = bits(x != x ? y : y != y ? x : Math.max(x, y));
            }
          };
      case "min.NaN" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(Math.min(f32(a[i]), f32(b[i])));
            }
          };
      case "max.NaN" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(Math.max(f32(a[i]), f32(b[i])));
            }
          };
      // The sign is the first operand's.
      case "copysign" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] & 0x80000000 | b[i] & 0x7fffffff;
            }
          };
      default -> null;
    };
  }

  /** Rounds as asked: rm, rp or rz. */
  static III directed32(String op, Rounding mode) {
    return switch (op) {
      case "add" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.fma32(f32(a[i]), 1f, f32(b[i])));
            }
          };
      case "sub" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.fma32(f32(a[i]), 1f, -f32(b[i])));
            }
          };
      case "mul" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.multiply32(f32(a[i]), f32(b[i])));
            }
          };
      case "div" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.divide32(f32(a[i]), f32(b[i])));
            }
          };
      default -> null;
    };
  }

  static IIII fma32(Rounding mode) {
    return mode == Rounding.NEAREST
        ? (d, a, b, c) -> {
          for (int i = 0; i < 32; i++) {
            d[i] = bits(Math.fma(f32(a[i]), f32(b[i]), f32(c[i])));
          }
        }
        : (d, a, b, c) -> {
          for (int i = 0; i < 32; i++) {
            d[i] = bits(mode.fma32(f32(a[i]), f32(b[i]), f32(c[i])));
          }
        };
  }

  static II unary32(String op) {
    return switch (op) {
      case "abs" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] & 0x7fffffff;
            }
          };
      case "neg" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] ^ 0x80000000;
            }
          };
      case "sqrt" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits((float) Math.sqrt(f32(a[i])));
            }
          };
      case "rcp" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(1f / f32(a[i]));
            }
          };
      case "rsqrt" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits((float) (1 / Math.sqrt(f32(a[i]))));
            }
          };
      case "ex2" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(Elementary.exp2(f32(a[i])));
            }
          };
      case "lg2" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(Elementary.log2(f32(a[i])));
            }
          };
      case "sin" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits((float) StrictMath.sin(f32(a[i])));
            }
          };
      case "cos" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits((float) StrictMath.cos(f32(a[i])));
            }
          };
      case "tanh" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits((float) StrictMath.tanh(f32(a[i])));
            }
          };
      default -> null;
    };
  }

  static II directedUnary32(String op, Rounding mode) {
    return switch (op) {
      case "sqrt" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.sqrt32(f32(a[i])));
            }
          };
      case "rcp" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.divide32(1f, f32(a[i])));
            }
          };
      default -> null;
    };
  }

  static LLL binary64(String op) {
    return switch (op) {
      case "add" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(f64(a[i]) + f64(b[i]));
            }
          };
      case "sub" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(f64(a[i]) - f64(b[i]));
            }
          };
      case "mul" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(f64(a[i]) * f64(b[i]));
            }
          };
      case "div" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(f64(a[i]) / f64(b[i]));
            }
          };
      case "min" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              double x = f64(a[i]);
              double y = f64(b[i]);
              d[i] = bits(x != x ? y : y != y ? x : Math.min(x, y));
            }
          };
      case "max" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              double x = f64(a[i]);
              double y = f64(b[i]);
              d[i] = bits(x != x ? y : y != y ? x : Math.max(x, y));
            }
          };
      case "copysign" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] & Long.MIN_VALUE | b[i] & Long.MAX_VALUE;
            }
          };
      default -> null;
    };
  }

  static LLL directed64(String op, Rounding mode) {
    return switch (op) {
      case "add" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.fma64(f64(a[i]), 1, f64(b[i])));
            }
          };
      case "sub" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.fma64(f64(a[i]), 1, -f64(b[i])));
            }
          };
      case "mul" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.multiply64(f64(a[i]), f64(b[i])));
            }
          };
      case "div" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.divide64(f64(a[i]), f64(b[i])));
            }
          };
      default -> null;
    };
  }

  static LLLL fma64(Rounding mode) {
    return mode == Rounding.NEAREST
        ? (d, a, b, c) -> {
          for (int i = 0; i < 32; i++) {
            d[i] = bits(Math.fma(f64(a[i]), f64(b[i]), f64(c[i])));
          }
        }
        : (d, a, b, c) -> {
          for (int i = 0; i < 32; i++) {
            d[i] = bits(mode.fma64(f64(a[i]), f64(b[i]), f64(c[i])));
          }
        };
  }

  static LL unary64(String op) {
    return switch (op) {
      case "abs" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] & Long.MAX_VALUE;
            }
          };
      case "neg" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] ^ Long.MIN_VALUE;
            }
          };
      case "sqrt" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(Math.sqrt(f64(a[i])));
            }
          };
      case "rcp" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(1 / f64(a[i]));
            }
          };
      // The coarse forms know the upper half of a double only.
      case "rcp.approx" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = upperHalf(bits(1 / f64(flush64(upperHalf(a[i])))));
            }
          };
      case "rsqrt.approx" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = upperHalf(bits(1 / Math.sqrt(f64(flush64(upperHalf(a[i]))))));
            }
          };
      default -> null;
    };
  }

  private static long upperHalf(long bits) {
    return bits & 0xffffffff00000000L;
  }

  private static long flush64(long bits) {
    return (bits & 0x7ff0000000000000L) == 0 ? bits & Long.MIN_VALUE : bits;
  }

  static LL directedUnary64(String op, Rounding mode) {
    return switch (op) {
      case "sqrt" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.sqrt64(f64(a[i])));
            }
          };
      case "rcp" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = bits(mode.divide64(1, f64(a[i])));
            }
          };
      default -> null;
    };
  }

  /** A subnormal number becomes a zero of its sign. */
  static int flush32(int bits) {
    return (bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits;
  }

  static int[] flushed(int[] a) {
    int[] flushed = new int[32];
    for (int i = 0; i < 32; i++) {
      flushed[i] = flush32(a[i]);
    }
    return flushed;
  }

  static void flush(int[] d) {
    for (int i = 0; i < 32; i++) {
      d[i] = flush32(d[i]);
    }
  }

  /** Into [0, 1]; what isn't a number becomes 0. */
  static void saturate32(int[] d) {
    for (int i = 0; i < 32; i++) {
      float x = f32(d[i]);
      d[i] = x > 0 ? Float.floatToRawIntBits(Math.min(x, 1f)) : 0;
    }
  }

  static void saturate64(long[] d) {
    for (int i = 0; i < 32; i++) {
      double x = f64(d[i]);
      d[i] = x > 0 ? Double.doubleToRawLongBits(Math.min(x, 1)) : 0;
    }
  }

  static PII compare32(String comparison) {
    return switch (comparison) {
      case "eq" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (f32(a[i]) == f32(b[i]) ? 1 : 0) << i;
            }
            return p;
          };
      case "lt" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (f32(a[i]) < f32(b[i]) ? 1 : 0) << i;
            }
            return p;
          };
      case "le" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (f32(a[i]) <= f32(b[i]) ? 1 : 0) << i;
            }
            return p;
          };
      case "nan" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (f32(a[i]) != f32(a[i]) || f32(b[i]) != f32(b[i]) ? 1 : 0) << i;
            }
            return p;
          };
      case "gt" -> swapped(compare32("lt"));
      case "ge" -> swapped(compare32("le"));
      // Unordered comparisons hold where the opposite ordered one doesn't.
      case "neu" -> not(compare32("eq"));
      case "geu" -> not(compare32("lt"));
      case "gtu" -> not(compare32("le"));
      case "leu" -> not(compare32("gt"));
      case "ltu" -> not(compare32("ge"));
      case "num" -> not(compare32("nan"));
      case "equ" -> either(compare32("eq"), compare32("nan"));
      case "ne" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              float x = f32(a[i]);
              float y = f32(b[i]);
              p |= (x < y || x > y ? 1 : 0) << i;
            }
            return p;
          };
      default -> null;
    };
  }

  private static PII swapped(PII loop) {
    return (a, b) -> loop.apply(b, a);
  }

  private static PII not(PII loop) {
    return (a, b) -> ~loop.apply(a, b);
  }

  private static PII either(PII one, PII other) {
    return (a, b) -> one.apply(a, b) | other.apply(a, b);
  }

  static PLL compare64(String comparison) {
    return (a, b) -> {
      int p = 0;
      for (int i = 0; i < 32; i++) {
        p |= (holds(comparison, f64(a[i]), f64(b[i])) ? 1 : 0) << i;
      }
      return p;
    };
  }

  static boolean isComparison(String name) {
    return compare32(name) != null;
  }

  private static boolean holds(String comparison, double x, double y) {
    return switch (comparison) {
      case "eq" -> x == y;
      case "ne" -> x < y || x > y;
      case "lt" -> x < y;
      case "le" -> x <= y;
      case "gt" -> x > y;
      case "ge" -> x >= y;
      case "equ" -> !(x < y || x > y);
      case "neu" -> x != y;
      case "ltu" -> !(x >= y);
      case "leu" -> !(x > y);
      case "gtu" -> !(x <= y);
      case "geu" -> !(x < y);
      case "num" -> x == x && y == y;
      case "nan" -> x != x || y != y;
      default -> throw new AssertionError(comparison);
    };
  }
}
