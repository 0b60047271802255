package dev.flinch.store;

import org.apache.commons.jexl3.JexlArithmetic;
import org.apache.commons.jexl3.JexlOperator;

/**
 * Arithmetic of conditions. Whole numbers are exact while they fit 64 bits and doubles beyond, so
 * nothing overflows; division is that of doubles. Whatever is computed from a missing value is
 * missing, and comparisons with it are false; {@code x == null} asks for it.
 */
final class ConditionArithmetic extends JexlArithmetic {
  ConditionArithmetic() {
    super(true);
  }

  @Override
  public boolean isStrict(JexlOperator operator) {
    return false;
  }

  private static boolean isWhole(Object value) {
    return value instanceof Long || value instanceof Integer;
  }

  private static double number(Object value) {
    if (value instanceof Number number) {
      return number.doubleValue();
    }
    throw new ArithmeticException("expected a number, found " + shown(value));
  }

  private static String shown(Object value) {
    return value instanceof String ? "'" + value + "'" : String.valueOf(value);
  }

  private static long whole(Object value) {
    return ((Number) value).longValue();
  }

  @Override
  public Object add(Object left, Object right) {
    if (left == null || right == null) {
      return null;
    }
    if (isWhole(left) && isWhole(right)) {
      long a = whole(left);
      long b = whole(right);
      long sum = a + b;
      if (((a ^ sum) & (b ^ sum)) >= 0) {
        return sum;
      }
    }
    return number(left) + number(right);
  }

  @Override
  public Object subtract(Object left, Object right) {
    if (left == null || right == null) {
      return null;
    }
    if (isWhole(left) && isWhole(right)) {
      long a = whole(left);
      long b = whole(right);
      long difference = a - b;
      if (((a ^ b) & (a ^ difference)) >= 0) {
        return difference;
      }
    }
    return number(left) - number(right);
  }

  @Override
  public Object multiply(Object left, Object right) {
    if (left == null || right == null) {
      return null;
    }
    if (isWhole(left) && isWhole(right)) {
      long a = whole(left);
      long b = whole(right);
      long product = a * b;
      if (Math.multiplyHigh(a, b) == product >> 63) {
        return product;
      }
    }
    return number(left) * number(right);
  }

  @Override
  public Object divide(Object left, Object right) {
    return left == null || right == null ? null : (Object) (number(left) / number(right));
  }

  @Override
  public Object mod(Object left, Object right) {
    if (left == null || right == null) {
      return null;
    }
    if (isWhole(left) && isWhole(right) && whole(right) != 0) {
      return whole(left) % whole(right);
    }
    return number(left) % number(right);
  }

  @Override
  public Object negate(Object value) {
    return subtract(0L, value);
  }

  @Override
  public Object positivize(Object value) {
    return add(0L, value);
  }

  @Override
  public boolean equals(Object left, Object right) {
    if (left == null || right == null) {
      return left == right;
    }
    if (isWhole(left) && isWhole(right)) {
      return whole(left) == whole(right);
    }
    if (left instanceof Number && right instanceof Number) {
      return number(left) == number(right);
    }
    return left.equals(right);
  }

  @Override
  public boolean strictEquals(Object left, Object right) {
    return equals(left, right);
  }

  @Override
  public boolean lessThan(Object left, Object right) {
    if (left == null || right == null) {
      return false;
    }
    if (isWhole(left) && isWhole(right)) {
      return whole(left) < whole(right);
    }
    if (left instanceof String a && right instanceof String b) {
      return a.compareTo(b) < 0;
    }
    return number(left) < number(right);
  }

  @Override
  public boolean lessThanOrEqual(Object left, Object right) {
    if (left == null || right == null) {
      return false;
    }
    if (isWhole(left) && isWhole(right)) {
      return whole(left) <= whole(right);
    }
    if (left instanceof String a && right instanceof String b) {
      return a.compareTo(b) <= 0;
    }
    return number(left) <= number(right);
  }

  @Override
  public boolean greaterThan(Object left, Object right) {
    return lessThan(right, left);
  }

  @Override
  public boolean greaterThanOrEqual(Object left, Object right) {
    return lessThanOrEqual(right, left);
  }

  @Override
  public Boolean contains(Object container, Object value) {
    return container == null || value == null ? Boolean.FALSE : super.contains(container, value);
  }

  @Override
  public Boolean startsWith(Object left, Object right) {
    return left == null || right == null ? Boolean.FALSE : super.startsWith(left, right);
  }

  @Override
  public Boolean endsWith(Object left, Object right) {
    return left == null || right == null ? Boolean.FALSE : super.endsWith(left, right);
  }

  @Override
  public boolean toBoolean(Object value) {
    if (value == null) {
      return false;
    }
    if (value instanceof Boolean truth) {
      return truth;
    }
    throw new ArithmeticException("expected true or false, found " + shown(value));
  }

  @Override
  protected boolean toBoolean(boolean strict, Object value) {
    return toBoolean(value);
  }

  @Override
  public boolean testPredicate(Object value) {
    return toBoolean(value);
  }
}
