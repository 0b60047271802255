package dev.flinch.device.cuda.emulator;

/** The narrow floating-point formats: binary16, bfloat16 and TF32. */
final class HalfFloats {
  private HalfFloats() {}

  static float fromHalf(int half) {
    int sign = (half & 0x8000) << 16;
    int exponent = half >>> 10 & 0x1f;
    int fraction = half & 0x3ff;
    if (exponent == 0x1f) {
      return Float.intBitsToFloat(sign | 0x7f800000 | fraction << 13);
    }
    if (exponent == 0) {
      float magnitude = fraction * 0x1p-24f;
      return sign == 0 ? magnitude : -magnitude;
    }
    return Float.intBitsToFloat(sign | exponent + 112 << 23 | fraction << 13);
  }

  static int toHalf(float x, Rounding mode) {
    int sign = Float.floatToRawIntBits(x) >>> 16 & 0x8000;
    if (x != x) {
      return 0x7fff;
    }
    double magnitude = Math.abs((double) x);
    if (magnitude == Double.POSITIVE_INFINITY) {
      return sign | 0x7c00;
    }
    // One unit of the last place: that of the number's binade, or of the subnormals.
    double unit = magnitude < 0x1p-14 ? 0x1p-24 : Math.scalb(1.0, Math.getExponent(magnitude) - 10);
    double rounded = mode.whole(x / unit) * unit;
    magnitude = Math.abs(rounded);
    if (magnitude >= 65536) {
      return sign | (towardZero(x, mode) ? 0x7bff : 0x7c00);
    }
    if (magnitude < 0x1p-14) {
      return sign | (int) (magnitude * 0x1p24);
    }
    int exponent = Math.getExponent(magnitude);
    return sign | exponent + 15 << 10 | (int) ((Math.scalb(magnitude, -exponent) - 1) * 1024);
  }

  private static boolean towardZero(float x, Rounding mode) {
    return mode == Rounding.ZERO || mode == Rounding.DOWN && x > 0 || mode == Rounding.UP && x < 0;
  }

  /** The upper half of a float32, rounded. */
  static int toBrain(float x, Rounding mode) {
    if (x != x) {
      return 0x7fff;
    }
    int bits = Float.floatToRawIntBits(x);
    int cut = bits & 0xffff;
    int kept = bits >>> 16;
    boolean up =
        switch (mode) {
          case NEAREST -> cut > 0x8000 || cut == 0x8000 && (kept & 1) != 0;
          case ZERO -> false;
          case DOWN -> cut != 0 && bits < 0;
          case UP -> cut != 0 && bits > 0;
        };
    return up && (bits & 0x7f800000) != 0x7f800000 ? kept + 1 : kept;
  }

  /** Rounds to 10 bits of mantissa, ties away from zero. */
  static int tf32(int bits) {
    return (bits & 0x7f800000) == 0x7f800000 ? bits : bits + 0x1000 & ~0x1fff;
  }
}
