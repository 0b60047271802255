package dev.flinch.cli;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.TypeConversionException;

/** A number of points, written as 1048576 or 2^20. */
record Points(long count) {
  private static final Pattern POWER = Pattern.compile("(\\d{1,18})(?:\\^(\\d{1,2}))?");

  static Points parse(String text) {
    Matcher match = POWER.matcher(text.strip());
    try {
      if (match.matches()) {
        long count = 1;
        int exponent = match.group(2) == null ? 1 : Integer.parseInt(match.group(2));
        for (int i = 0; i < exponent; i++) {
          count = Math.multiplyExact(count, Long.parseLong(match.group(1)));
        }
        return new Points(count);
      }
    } catch (ArithmeticException e) {
      // Too large for a long: no better than a malformed number.
    }
    throw new TypeConversionException(
        "expected a whole number such as 1048576 or 2^20, found '%s'".formatted(text));
  }
}
