package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.emulator.Loops.III;
import dev.flinch.device.cuda.emulator.Loops.IIII;
import dev.flinch.device.cuda.emulator.Loops.LLI;
import dev.flinch.device.cuda.emulator.Loops.LLL;
import dev.flinch.device.cuda.emulator.Loops.LLLL;
import dev.flinch.device.cuda.emulator.Loops.PII;
import dev.flinch.device.cuda.emulator.Loops.PLL;

/**
 * Integer and logic instructions over 32 lanes. Narrow values are kept zero-extended in 32 bits;
 * {@link #narrow16} and {@link #widen16} fit a 32-bit loop to them.
 */
final class IntegerLoops {
  private IntegerLoops() {}

  static III binary32(String op, boolean signed) {
    return switch (op) {
      case "add" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] + b[i];
            }
          };
      case "sub" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] - b[i];
            }
          };
      case "mul.lo" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] * b[i];
            }
          };
      case "mul.hi" ->
          signed
              ? (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = (int) ((long) a[i] * b[i] >> 32);
                }
              }
              : (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = (int) ((a[i] & 0xffffffffL) * (b[i] & 0xffffffffL) >>> 32);
                }
              };
      case "and" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] & b[i];
            }
          };
      case "or" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] | b[i];
            }
          };
      case "xor" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] ^ b[i];
            }
          };
      case "shl" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = (b[i] & ~31) == 0 ? a[i] << b[i] : 0;
            }
          };
      case "shr" ->
          signed
              ? (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = (b[i] & ~31) == 0 ? a[i] >> b[i] : a[i] >> 31;
                }
              }
              : (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = (b[i] & ~31) == 0 ? a[i] >>> b[i] : 0;
                }
              };
      case "min" ->
          signed
              ? (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = Math.min(a[i], b[i]);
                }
              }
              : (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = Integer.compareUnsigned(a[i], b[i]) <= 0 ? a[i] : b[i];
                }
              };
      case "max" ->
          signed
              ? (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = Math.max(a[i], b[i]);
                }
              }
              : (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = Integer.compareUnsigned(a[i], b[i]) >= 0 ? a[i] : b[i];
                }
              };
      // What a quotient by zero is PTX leaves open; cards answer all ones, and the dividend as
      // rest.
      case "div" ->
          signed
              ? (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = b[i] == 0 ? -1 : a[i] / b[i];
                }
              }
              : (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = b[i] == 0 ? -1 : Integer.divideUnsigned(a[i], b[i]);
                }
              };
      case "rem" ->
          signed
              ? (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = b[i] == 0 ? a[i] : a[i] % b[i];
                }
              }
              : (d, a, b) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = b[i] == 0 ? a[i] : Integer.remainderUnsigned(a[i], b[i]);
                }
              };
      case "mul24.lo" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = (int) product24(a[i], b[i], signed);
            }
          };
      case "mul24.hi" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = (int) (product24(a[i], b[i], signed) >>> 16);
            }
          };
      default -> null;
    };
  }

  private static long product24(int a, int b, boolean signed) {
    return signed ? (long) (a << 8 >> 8) * (b << 8 >> 8) : (long) (a & 0xffffff) * (b & 0xffffff);
  }

  static III saturating32(String op) {
    return (d, a, b) -> {
      for (int i = 0; i < 32; i++) {
        long exact = op.equals("add") ? (long) a[i] + b[i] : (long) a[i] - b[i];
        d[i] = (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, exact));
      }
    };
  }

  static Loops.II unary32(String op, boolean signed) {
    return switch (op) {
      case "not" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = ~a[i];
            }
          };
      case "cnot" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] == 0 ? 1 : 0;
            }
          };
      case "neg" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = -a[i];
            }
          };
      case "abs" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = Math.abs(a[i]);
            }
          };
      case "popc" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = Integer.bitCount(a[i]);
            }
          };
      case "clz" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = Integer.numberOfLeadingZeros(a[i]);
            }
          };
      case "brev" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = Integer.reverse(a[i]);
            }
          };
      case "bfind" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              int x = signed && a[i] < 0 ? ~a[i] : a[i];
              d[i] = 31 - Integer.numberOfLeadingZeros(x);
            }
          };
      case "bfind.shiftamt" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              int x = signed && a[i] < 0 ? ~a[i] : a[i];
              d[i] = x == 0 ? -1 : Integer.numberOfLeadingZeros(x);
            }
          };
      default -> null;
    };
  }

  static Loops.LL unary64(String op) {
    return switch (op) {
      case "not" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = ~a[i];
            }
          };
      case "cnot" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] == 0 ? 1 : 0;
            }
          };
      case "neg" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = -a[i];
            }
          };
      case "abs" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = Math.abs(a[i]);
            }
          };
      case "brev" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = Long.reverse(a[i]);
            }
          };
      default -> null;
    };
  }

  /** Those whose source has 64 bits and whose result has 32. */
  static Loops.IL counting64(String op, boolean signed) {
    return switch (op) {
      case "popc" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = Long.bitCount(a[i]);
            }
          };
      case "clz" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = Long.numberOfLeadingZeros(a[i]);
            }
          };
      case "bfind" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              long x = signed && a[i] < 0 ? ~a[i] : a[i];
              d[i] = 63 - Long.numberOfLeadingZeros(x);
            }
          };
      case "bfind.shiftamt" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              long x = signed && a[i] < 0 ? ~a[i] : a[i];
              d[i] = x == 0 ? -1 : Long.numberOfLeadingZeros(x);
            }
          };
      default -> null;
    };
  }

  static LLL binary64(String op, boolean signed) {
    return switch (op) {
      case "add" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] + b[i];
            }
          };
      case "sub" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] - b[i];
            }
          };
      case "mul.lo" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] * b[i];
            }
          };
      case "mul.hi" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = high(a[i], b[i], signed);
            }
          };
      case "and" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] & b[i];
            }
          };
      case "or" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] | b[i];
            }
          };
      case "xor" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] ^ b[i];
            }
          };
      case "min" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = less(a[i], b[i], signed) ? a[i] : b[i];
            }
          };
      case "max" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = less(a[i], b[i], signed) ? b[i] : a[i];
            }
          };
      case "div" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = b[i] == 0 ? -1 : signed ? a[i] / b[i] : Long.divideUnsigned(a[i], b[i]);
            }
          };
      case "rem" ->
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = b[i] == 0 ? a[i] : signed ? a[i] % b[i] : Long.remainderUnsigned(a[i], b[i]);
            }
          };
      default -> null;
    };
  }

  private static boolean less(long a, long b, boolean signed) {
    return signed ? a < b : Long.compareUnsigned(a, b) < 0;
  }

  static long high(long a, long b, boolean signed) {
    long high = Math.multiplyHigh(a, b);
    return signed ? high : high + (a >> 63 & b) + (b >> 63 & a);
  }

  static LLI shift64(String op, boolean signed) {
    if (op.equals("shl")) {
      return (d, a, b) -> {
        for (int i = 0; i < 32; i++) {
          d[i] = (b[i] & ~63) == 0 ? a[i] << b[i] : 0;
        }
      };
    }
    return signed
        ? (d, a, b) -> {
          for (int i = 0; i < 32; i++) {
            d[i] = (b[i] & ~63) == 0 ? a[i] >> b[i] : a[i] >> 63;
          }
        }
        : (d, a, b) -> {
          for (int i = 0; i < 32; i++) {
            d[i] = (b[i] & ~63) == 0 ? a[i] >>> b[i] : 0;
          }
        };
  }

  static IIII ternary32(String op, boolean signed) {
    return switch (op) {
      case "mad.lo" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] * b[i] + c[i];
            }
          };
      case "mad.hi" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] =
                  c[i]
                      + (signed
                          ? (int) ((long) a[i] * b[i] >> 32)
                          : (int) ((a[i] & 0xffffffffL) * (b[i] & 0xffffffffL) >>> 32));
            }
          };
      case "mad.hi.sat" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              long sum = ((long) a[i] * b[i] >> 32) + c[i];
              d[i] = (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, sum));
            }
          };
      case "mad24.lo" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = (int) product24(a[i], b[i], signed) + c[i];
            }
          };
      case "mad24.hi" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = (int) (product24(a[i], b[i], signed) >>> 16) + c[i];
            }
          };
      case "sad" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              boolean less = signed ? a[i] < b[i] : Integer.compareUnsigned(a[i], b[i]) < 0;
              d[i] = c[i] + (less ? b[i] - a[i] : a[i] - b[i]);
            }
          };
      case "bfe" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = (int) extract(signed ? a[i] : a[i] & 0xffffffffL, b[i], c[i], signed, 31);
            }
          };
      case "shf.l.wrap" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = (int) (pair(a[i], b[i]) << (c[i] & 31) >>> 32);
            }
          };
      case "shf.l.clamp" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = (int) (pair(a[i], b[i]) << clamp(c[i]) >>> 32);
            }
          };
      case "shf.r.wrap" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = (int) (pair(a[i], b[i]) >>> (c[i] & 31));
            }
          };
      case "shf.r.clamp" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = (int) (pair(a[i], b[i]) >>> clamp(c[i]));
            }
          };
      default -> null;
    };
  }

  private static long pair(int low, int high) {
    return (long) high << 32 | low & 0xffffffffL;
  }

  private static int clamp(int shift) {
    return shift < 0 || shift > 32 ? 32 : shift;
  }

  static LLLL ternary64(String op, boolean signed) {
    return switch (op) {
      case "mad.lo" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] * b[i] + c[i];
            }
          };
      case "mad.hi" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = high(a[i], b[i], signed) + c[i];
            }
          };
      case "sad" ->
          (d, a, b, c) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = c[i] + (less(a[i], b[i], signed) ? b[i] - a[i] : a[i] - b[i]);
            }
          };
      default -> null;
    };
  }

  /** {@code bfe}: see the pseudo-code of the PTX ISA; {@code msb} is 31 or 63. */
  static long extract(long a, int position, int length, boolean signed, int msb) {
    int pos = position & 0xff;
    int len = length & 0xff;
    long sign = !signed || len == 0 ? 0 : a >>> Math.min(pos + len - 1, msb) & 1;
    long result = sign == 0 ? 0 : -1L;
    for (int i = 0; i <= msb && i < len; i++) {
      long bit = pos + i <= msb ? a >>> (pos + i) & 1 : sign;
      result = result & ~(1L << i) | bit << i;
    }
    return result;
  }

  /** {@code bfi}: the low {@code length} bits of a, put into b. */
  static long insert(long a, long b, int position, int length, int msb) {
    int pos = position & 0xff;
    int len = length & 0xff;
    if (pos > msb || len == 0) {
      return b;
    }
    long ones = len > 63 ? -1L : (1L << len) - 1;
    return b & ~(ones << pos) | (a & ones) << pos;
  }

  static int logic3(int a, int b, int c, int table) {
    int result = 0;
    result |= (table & 0x01) != 0 ? ~a & ~b & ~c : 0;
    result |= (table & 0x02) != 0 ? ~a & ~b & c : 0;
    result |= (table & 0x04) != 0 ? ~a & b & ~c : 0;
    result |= (table & 0x08) != 0 ? ~a & b & c : 0;
    result |= (table & 0x10) != 0 ? a & ~b & ~c : 0;
    result |= (table & 0x20) != 0 ? a & ~b & c : 0;
    result |= (table & 0x40) != 0 ? a & b & ~c : 0;
    result |= (table & 0x80) != 0 ? a & b & c : 0;
    return result;
  }

  static int permute(String mode, int a, int b, int c) {
    long bytes = pair(a, b);
    int n = c & 3;
    int selector =
        switch (mode) {
          case "" -> c;
          case "f4e" -> new int[] {0x3210, 0x4321, 0x5432, 0x6543}[n];
          case "b4e" -> new int[] {0x5670, 0x6701, 0x7012, 0x0123}[n];
          case "rc8" -> 0x1111 * n;
          case "ecl" -> new int[] {0x3210, 0x3211, 0x3222, 0x3333}[n];
          case "ecr" -> new int[] {0x0000, 0x1110, 0x2210, 0x3210}[n];
          case "rc16" -> (n & 1) == 0 ? 0x1010 : 0x3232;
          default -> throw new AssertionError(mode);
        };
    int result = 0;
    for (int i = 0; i < 4; i++) {
      int s = selector >>> 4 * i;
      int value = (int) (bytes >>> 8 * (s & 7)) & 0xff;
      if ((s & 8) != 0 && mode.isEmpty()) {
        value = (value & 0x80) != 0 ? 0xff : 0;
      }
      result |= value << 8 * i;
    }
    return result;
  }

  static PII compare32(String comparison) {
    return switch (comparison) {
      case "eq" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] == b[i] ? 1 : 0) << i;
            }
            return p;
          };
      case "ne" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] != b[i] ? 1 : 0) << i;
            }
            return p;
          };
      case "lt" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] < b[i] ? 1 : 0) << i;
            }
            return p;
          };
      case "le" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] <= b[i] ? 1 : 0) << i;
            }
            return p;
          };
      case "gt" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] > b[i] ? 1 : 0) << i;
            }
            return p;
          };
      case "ge" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] >= b[i] ? 1 : 0) << i;
            }
            return p;
          };
      default -> null;
    };
  }

  static PII compareUnsigned32(String comparison) {
    return switch (comparison) {
      case "eq", "ne" -> compare32(comparison);
      case "lt", "lo" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] + Integer.MIN_VALUE < b[i] + Integer.MIN_VALUE ? 1 : 0) << i;
            }
            return p;
          };
      case "le", "ls" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] + Integer.MIN_VALUE <= b[i] + Integer.MIN_VALUE ? 1 : 0) << i;
            }
            return p;
          };
      case "gt", "hi" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] + Integer.MIN_VALUE > b[i] + Integer.MIN_VALUE ? 1 : 0) << i;
            }
            return p;
          };
      case "ge", "hs" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] + Integer.MIN_VALUE >= b[i] + Integer.MIN_VALUE ? 1 : 0) << i;
            }
            return p;
          };
      default -> null;
    };
  }

  static PLL compare64(String comparison, boolean signed) {
    return switch (comparison) {
      case "eq" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] == b[i] ? 1 : 0) << i;
            }
            return p;
          };
      case "ne" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (a[i] != b[i] ? 1 : 0) << i;
            }
            return p;
          };
      case "lt", "lo" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (less(a[i], b[i], signed) ? 1 : 0) << i;
            }
            return p;
          };
      case "le", "ls" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (less(b[i], a[i], signed) ? 0 : 1) << i;
            }
            return p;
          };
      case "gt", "hi" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (less(b[i], a[i], signed) ? 1 : 0) << i;
            }
            return p;
          };
      case "ge", "hs" ->
          (a, b) -> {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              p |= (less(a[i], b[i], signed) ? 0 : 1) << i;
            }
            return p;
          };
      default -> null;
    };
  }

  /** Sign- or zero-extended copies of 16-bit lanes. */
  static int[] widen16(int[] a, boolean signed) {
    int[] wide = new int[32];
    for (int i = 0; i < 32; i++) {
      wide[i] = signed ? (short) a[i] : a[i] & 0xffff;
    }
    return wide;
  }

  /** Drops what a 16-bit lane can't hold. */
  static void narrow16(int[] d) {
    for (int i = 0; i < 32; i++) {
      d[i] &= 0xffff;
    }
  }
}
