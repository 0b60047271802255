package dev.flinch.device.cuda.emulator;

import java.util.List;

/** What an instruction is given, as written. */
sealed interface Operand {
  /** A register, variable, label or special register. */
  record Name(String name) implements Operand {}

  /** A predicate register whose value is taken the other way around. */
  record Negated(Name name) implements Operand {}

  /** A variable's address and a distance from it. */
  record Sum(Name name, long offset) implements Operand {}

  /** {@code [base + offset]}. */
  record Address(Operand base, long offset) implements Operand {}

  /** {@code {a, b, …}} or {@code (a, b, …)}. */
  record Tuple(List<Operand> elements) implements Operand {}

  /** {@code a|b}: two destinations. */
  record Pair(Operand first, Operand second) implements Operand {}

  /** A number. */
  record Immediate(Kind kind, long bits) implements Operand {
    enum Kind {
      INTEGER,
      FLOAT32,
      FLOAT64
    }

    static Immediate of(String text, boolean negative) {
      String digits = text.endsWith("U") ? text.substring(0, text.length() - 1) : text;
      if (hasPrefix(digits, 'f')) {
        int bits = Integer.parseUnsignedInt(digits.substring(2), 16);
        return new Immediate(Kind.FLOAT32, negative ? bits ^ 0x80000000 : bits);
      }
      if (hasPrefix(digits, 'd')) {
        long bits = Long.parseUnsignedLong(digits.substring(2), 16);
        return new Immediate(Kind.FLOAT64, negative ? bits ^ Long.MIN_VALUE : bits);
      }
      if (hasPrefix(digits, 'x')) {
        long value = Long.parseUnsignedLong(digits.substring(2), 16);
        return new Immediate(Kind.INTEGER, negative ? -value : value);
      }
      if (digits.contains(".")) {
        double value = Double.parseDouble(digits);
        return new Immediate(Kind.FLOAT64, Double.doubleToRawLongBits(negative ? -value : value));
      }
      boolean octal = digits.length() > 1 && digits.startsWith("0");
      long value = Long.parseUnsignedLong(digits, octal ? 8 : 10);
      return new Immediate(Kind.INTEGER, negative ? -value : value);
    }

    private static boolean hasPrefix(String digits, char prefix) {
      return digits.length() > 2
          && digits.charAt(0) == '0'
          && Character.toLowerCase(digits.charAt(1)) == prefix;
    }

    /** The bits that a 32-bit instruction gets. */
    int bits32() {
      return kind == Kind.FLOAT64
          ? Float.floatToRawIntBits((float) Double.longBitsToDouble(bits))
          : (int) bits;
    }

    /** The bits that a 64-bit instruction gets. */
    long bits64() {
      return kind == Kind.FLOAT32
          ? Double.doubleToRawLongBits(Float.intBitsToFloat((int) bits))
          : bits;
    }
  }
}
