package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.emulator.KernelBuilder.Decoded;
import dev.flinch.device.cuda.emulator.Opcode.Refusal;
import java.math.BigDecimal;
import java.util.List;
import java.util.function.LongUnaryOperator;

/** {@code cvt}. */
final class ConversionDecoder {
  private static final long WORD = 0xffffffffL;

  private ConversionDecoder() {}

  /** Null where it's another decoder's. */
  static Decoded decode(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    if (!opcode.base().equals("cvt")) {
      return null;
    }
    String integerRounding = opcode.takeOneOf("rni", "rzi", "rmi", "rpi");
    boolean awayFromZero = opcode.take("rna");
    Rounding given = integerRounding != null ? Rounding.of(integerRounding) : opcode.takeRounding();
    Rounding mode = given == null ? Rounding.NEAREST : given;
    boolean flush = opcode.take("ftz");
    boolean saturate = opcode.take("sat");
    boolean relu = opcode.take("relu");
    String from = opcode.takeType();
    String to = opcode.takeType();
    if (to.equals("tf32")) {
      if (!awayFromZero || !from.equals("f32")) {
        throw new Refusal("the emulator knows cvt.rna.tf32.f32 only");
      }
      return narrow(kernel, operands, x -> HalfFloats.tf32((int) x));
    }
    if (to.endsWith("x2")) {
      return pair(kernel, operands, to, mode, relu);
    }
    if (relu) {
      throw new Refusal("the emulator doesn't know .relu here");
    }
    boolean wideFrom = Opcode.bits(from) == 64;
    boolean wideTo = Opcode.bits(to) == 64;
    LongUnaryOperator convert = convert(from, to, mode, integerRounding != null, flush, saturate);
    Names.Register source = kernel.register(operands.get(1));
    Names.Register result = kernel.register(operands.get(0));
    if (result == null) {
      throw new Refusal("expected a register as the result");
    }
    boolean sourceWide = wideFrom || source != null && source.bits() == 64;
    boolean resultWide = wideTo || result.bits() == 64;
    int keep = result.bits() == 16 ? 0xffff : -1;
    int a = sourceWide ? kernel.source64(operands.get(1)) : kernel.source32(operands.get(1));
    int d =
        resultWide ? kernel.destination64(operands.get(0)) : kernel.destination32(operands.get(0));
    // A register wider than its type takes the careful way.
    boolean plain = !saturate && !flush && sourceWide == wideFrom && resultWide == wideTo;
    boolean fits = keep == -1 ? Opcode.bits(to) >= 32 : Opcode.bits(to) == 16;
    Operation quick = plain && fits ? quick(from, to, mode, resultWide, d, a) : null;
    if (quick != null) {
      return new Decoded(quick, InstructionClass.CONVERSION);
    }
    return new Decoded(
        new Operation() {
          @Override
          void run(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
              int lane = Integer.numberOfTrailingZeros(m);
              long value = convert.applyAsLong(sourceWide ? w.r64[a][lane] : w.r32[a][lane]);
              if (resultWide) {
                w.r64[d][lane] = value;
              } else {
                w.r32[d][lane] = (int) value & keep;
              }
            }
          }
        },
        InstructionClass.CONVERSION);
  }

  /** The conversions that kernels are full of, as loops; null for the others. */
  private static Operation quick(
      String from, String to, Rounding mode, boolean resultWide, int d, int a) {
    if (from.endsWith("64")) {
      Loops.IL loop = from64(from, to, mode);
      return loop == null || resultWide ? null : Dense.of(d, a, loop);
    }
    if (resultWide) {
      Loops.LI loop = to64(from, to);
      return loop == null ? null : Dense.of(d, a, loop);
    }
    Loops.II loop = within32(from, to, mode);
    return loop == null ? null : Dense.of(d, a, loop);
  }

  private static Loops.IL from64(String from, String to, Rounding mode) {
    if (from.equals("f64")) {
      return to.equals("f32") && mode == Rounding.NEAREST
          ? (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = FloatLoops.bits((float) FloatLoops.f64(a[i]));
            }
          }
          : null;
    }
    return to.equals("u32") || to.equals("s32")
        ? (d, a) -> {
          for (int i = 0; i < 32; i++) {
            d[i] = (int) a[i];
          }
        }
        : null;
  }

  private static Loops.LI to64(String from, String to) {
    boolean integer = to.equals("s64") || to.equals("u64");
    if (integer && from.equals("s32")) {
      return (d, a) -> {
        for (int i = 0; i < 32; i++) {
          d[i] = a[i];
        }
      };
    }
    if (integer && from.equals("u32")) {
      return (d, a) -> {
        for (int i = 0; i < 32; i++) {
          d[i] = a[i] & WORD;
        }
      };
    }
    if (to.equals("f64") && from.equals("f32")) {
      return (d, a) -> {
        for (int i = 0; i < 32; i++) {
          d[i] = FloatLoops.bits((double) FloatLoops.f32(a[i]));
        }
      };
    }
    if (to.equals("f64") && from.equals("s32")) {
      return (d, a) -> {
        for (int i = 0; i < 32; i++) {
          d[i] = FloatLoops.bits((double) a[i]);
        }
      };
    }
    return null;
  }

  private static Loops.II within32(String from, String to, Rounding mode) {
    return switch (from + " " + to) {
      case "s32 f32" ->
          mode != Rounding.NEAREST
              ? null
              : (d, a) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = Float.floatToRawIntBits((float) a[i]);
                }
              };
      case "u32 f32" ->
          mode != Rounding.NEAREST
              ? null
              : (d, a) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = Float.floatToRawIntBits((float) (a[i] & WORD));
                }
              };
      case "f32 s32" ->
          mode == Rounding.ZERO
              ? (d, a) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = (int) FloatLoops.f32(a[i]);
                }
              }
              : (d, a) -> {
                for (int i = 0; i < 32; i++) {
                  d[i] = (int) mode.whole(FloatLoops.f32(a[i]));
                }
              };
      case "u16 u32", "u32 u16", "u16 s32", "s32 u16" ->
          (d, a) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = a[i] & 0xffff;
            }
          };
      default -> null;
    };
  }

  private static Decoded narrow(
      KernelBuilder kernel, List<Operand> operands, LongUnaryOperator convert) {
    return new Decoded(
        Dense.of(
            kernel.destination32(operands.get(0)),
            kernel.source32(operands.get(1)),
            (Loops.II)
                (d, a) -> {
                  for (int i = 0; i < 32; i++) {
                    d[i] = (int) convert.applyAsLong(a[i]);
                  }
                }),
        InstructionClass.CONVERSION);
  }

  /** Two float32 values to the upper and lower half. */
  private static Decoded pair(
      KernelBuilder kernel, List<Operand> operands, String to, Rounding mode, boolean relu) {
    if (operands.size() != 3 || mode != Rounding.NEAREST && mode != Rounding.ZERO) {
      throw new Refusal("the emulator knows cvt.rn and cvt.rz of two float32 values only");
    }
    boolean brain = to.startsWith("bf16");
    return new Decoded(
        Dense.of(
            kernel.destination32(operands.get(0)),
            kernel.source32(operands.get(1)),
            kernel.source32(operands.get(2)),
            (Loops.III)
                (d, a, b) -> {
                  for (int i = 0; i < 32; i++) {
                    d[i] = half(a[i], brain, mode, relu) << 16 | half(b[i], brain, mode, relu);
                  }
                }),
        InstructionClass.CONVERSION);
  }

  private static int half(int bits, boolean brain, Rounding mode, boolean relu) {
    float x = Float.intBitsToFloat(bits);
    float kept = relu && x <= 0 ? 0f : x;
    return brain ? HalfFloats.toBrain(kept, mode) : HalfFloats.toHalf(kept, mode);
  }

  private static LongUnaryOperator convert(
      String from, String to, Rounding mode, boolean toInteger, boolean flush, boolean saturate) {
    if (!Opcode.floating(from) && !Opcode.floating(to)) {
      return x -> integer(extend(x, from), from, to, saturate);
    }
    if (!Opcode.floating(from)) {
      return x -> {
        long value = extend(x, from);
        boolean unsigned64 = from.equals("u64");
        return switch (to) {
          case "f32" -> FloatLoops.bits(toFloat(value, unsigned64, mode));
          case "f64" -> FloatLoops.bits(toDouble(value, unsigned64, mode));
          case "f16" -> HalfFloats.toHalf(toFloat(value, unsigned64, mode), mode);
          default -> throw new AssertionError(to);
        };
      };
    }
    if (!Opcode.floating(to)) {
      boolean zeroForNan = !from.equals("f64") && Opcode.bits(to) != 64;
      return x -> {
        double value = number(x, from, flush);
        if (value != value) {
          return zeroForNan ? 0 : 1L << Opcode.bits(to) - 1;
        }
        return clamp(mode.whole(value), to);
      };
    }
    if (from.equals("tf32") || from.endsWith("x2")) {
      throw new Refusal("the emulator doesn't know this conversion");
    }
    return x -> {
      double value = number(x, from, flush);
      if (toInteger) {
        value = mode.whole(value);
      }
      if (saturate) {
        value = value > 0 ? Math.min(value, 1) : 0;
      }
      return switch (to) {
        case "f64" -> FloatLoops.bits(value);
        case "f32" -> {
          int bits = FloatLoops.bits(mode.narrow(value, 0));
          yield flush ? FloatLoops.flush32(bits) : bits;
        }
        case "f16" -> HalfFloats.toHalf((float) value, mode);
        default -> HalfFloats.toBrain((float) value, mode);
      };
    };
  }

  private static double number(long bits, String type, boolean flush) {
    return switch (type) {
      case "f64" -> FloatLoops.f64(bits);
      case "f32" -> FloatLoops.f32(flush ? FloatLoops.flush32((int) bits) : (int) bits);
      case "f16" -> HalfFloats.fromHalf((int) bits);
      case "bf16" -> Float.intBitsToFloat((int) bits << 16);
      default -> throw new AssertionError(type);
    };
  }

  private static long extend(long bits, String type) {
    return switch (type) {
      case "s8" -> (byte) bits;
      case "u8", "b8" -> bits & 0xff;
      case "s16" -> (short) bits;
      case "u16", "b16" -> bits & 0xffff;
      case "s32" -> (int) bits;
      case "u32", "b32" -> bits & 0xffffffffL;
      default -> bits;
    };
  }

  private static long integer(long value, String from, String to, boolean saturate) {
    if (!saturate) {
      return extend(value, to);
    }
    int bits = Opcode.bits(to);
    boolean huge = from.equals("u64") && value < 0;
    if (Opcode.signed(to)) {
      long most = bits == 64 ? Long.MAX_VALUE : (1L << bits - 1) - 1;
      return huge ? most : Math.max(-most - 1, Math.min(most, value));
    }
    if (bits == 64) {
      return from.equals("u64") ? value : Math.max(0, value);
    }
    long most = (1L << bits) - 1;
    return huge ? most : Math.max(0, Math.min(most, value));
  }

  private static long clamp(double whole, String to) {
    int bits = Opcode.bits(to);
    if (Opcode.signed(to)) {
      long most = bits == 64 ? Long.MAX_VALUE : (1L << bits - 1) - 1;
      return Math.max(-most - 1, Math.min(most, (long) whole));
    }
    if (whole <= 0) {
      return 0;
    }
    if (bits < 64) {
      return Math.min((1L << bits) - 1, (long) whole);
    }
    if (whole >= 0x1p64) {
      return -1;
    }
    return whole < 0x1p63 ? (long) whole : (long) (whole - 0x1p63) + Long.MIN_VALUE;
  }

  private static float toFloat(long value, boolean unsigned64, Rounding mode) {
    if (mode == Rounding.NEAREST) {
      // Halving keeps a sticky bit, so the rounding sees that something was cut off.
      return unsigned64 && value < 0 ? (float) (value >>> 1 | value & 1) * 2 : (float) value;
    }
    double nearest = toDouble(value, unsigned64, Rounding.NEAREST);
    return mode.narrow(nearest, exact(value, unsigned64).compareTo(new BigDecimal(nearest)));
  }

  private static double toDouble(long value, boolean unsigned64, Rounding mode) {
    double nearest =
        unsigned64 && value < 0 ? (double) (value >>> 1 | value & 1) * 2 : (double) value;
    if (mode == Rounding.NEAREST) {
      return nearest;
    }
    int order = exact(value, unsigned64).compareTo(new BigDecimal(nearest));
    boolean up = mode == Rounding.UP || mode == Rounding.ZERO && nearest < 0;
    return order > 0 && up
        ? Math.nextUp(nearest)
        : order < 0 && !up ? Math.nextDown(nearest) : nearest;
  }

  private static BigDecimal exact(long value, boolean unsigned64) {
    BigDecimal exact = BigDecimal.valueOf(value);
    return unsigned64 && value < 0 ? exact.add(BigDecimal.valueOf(2).pow(64)) : exact;
  }
}
