package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.commons.jexl3.JexlBuilder;
import org.apache.commons.jexl3.JexlContext;
import org.apache.commons.jexl3.JexlEngine;
import org.apache.commons.jexl3.JexlException;
import org.apache.commons.jexl3.JexlFeatures;
import org.apache.commons.jexl3.JexlInfo;
import org.apache.commons.jexl3.JexlScript;
import org.apache.commons.jexl3.introspection.JexlPermissions;

/**
 * An expression that is true or false of a network, such as {@code depth >= 3 and optimizer ==
 * 'Adam' && gap > 0.1}: comparisons, arithmetic, {@code and}, {@code or}, {@code not} and sets, as
 * in {@code activation =~ ['ReLU', 'Tanh']} (Apache Commons JEXL). It can't call, assign or make
 * anything, and can't reach anything but its variables. Immutable; threads may share one.
 *
 * <p>Comparisons with a missing value are false, but {@code !=}, which is the opposite of {@code
 * ==}. Numbers don't overflow: {@link ConditionArithmetic}.
 */
public final class Condition {
  private static final JexlFeatures FEATURES =
      JexlFeatures.createNone()
          .script(false)
          .structuredLiteral(true)
          .comparatorNames(true)
          .sideEffect(false)
          .sideEffectGlobal(false);

  private static final JexlEngine ENGINE =
      new JexlBuilder()
          .permissions(new Nothing())
          .features(FEATURES)
          .arithmetic(new ConditionArithmetic())
          .strict(true)
          .safe(false)
          .silent(false)
          .cancellable(false)
          .antish(false)
          .create();

  private static final Map<String, Column> COLUMNS =
      Arrays.stream(Column.values()).collect(Collectors.toMap(Column::variable, c -> c));

  private final String expression;
  private final JexlScript script;
  private final Set<String> variables;

  /** No class, method or field is anything that an expression may use. */
  private static final class Nothing implements JexlPermissions {
    @Override
    public boolean allow(Package pack) {
      return false;
    }

    @Override
    public boolean allow(Class<?> type) {
      return false;
    }

    @Override
    public boolean allow(Constructor<?> constructor) {
      return false;
    }

    @Override
    public boolean allow(Method method) {
      return false;
    }

    @Override
    public boolean allow(Field field) {
      return false;
    }

    @Override
    public JexlPermissions compose(String... source) {
      return this;
    }
  }

  /** Variables that are read from somewhere and never written. */
  private record Values(Set<String> names, Function<String, Object> source) implements JexlContext {
    @Override
    public Object get(String name) {
      Object value = source.apply(name);
      return value instanceof Double number && number.isNaN() ? null : value;
    }

    @Override
    public boolean has(String name) {
      return names.contains(name);
    }

    @Override
    public void set(String name, Object value) {
      throw new UnsupportedOperationException(name);
    }
  }

  private Condition(String expression, JexlScript script, Set<String> variables) {
    this.expression = expression;
    this.script = script;
    this.variables = variables;
  }

  /**
   * A condition on rows of results; its variables are {@link Column#variable} names.
   *
   * @throws RequestException that says what is wrong with the expression, and where
   */
  public static Condition of(String expression) {
    return of(expression, COLUMNS.keySet());
  }

  /**
   * A condition on variables of the caller's.
   *
   * @param permitted their names
   * @throws RequestException likewise
   */
  public static Condition of(String expression, Collection<String> permitted) {
    if (expression.isBlank()) {
      throw new RequestException("expected a condition such as depth >= 3, found nothing");
    }
    JexlScript script;
    try {
      script = ENGINE.createScript(FEATURES, new JexlInfo("condition", 1, 1), expression);
    } catch (JexlException e) {
      throw refused(expression, e);
    }
    Set<String> variables = new TreeSet<>();
    for (List<String> path : script.getVariables()) {
      String name = String.join(".", path);
      if (!permitted.contains(name)) {
        throw new RequestException(unknown(expression, name, permitted));
      }
      variables.add(name);
    }
    return new Condition(expression, script, Collections.unmodifiableSet(variables));
  }

  private static RequestException refused(String expression, JexlException e) {
    JexlInfo info = e.getInfo();
    int column =
        info == null ? 1 : Math.max(1, Math.min(info.getColumn(), expression.length() + 1));
    String detail = e.getDetail() == null ? "" : e.getDetail().strip();
    String hint =
        expression.matches("(?s).*[^=!<>~^$]=[^=~^$].*") ? " (equality is written ==)" : "";
    return new RequestException(
        "condition: expected comparisons such as depth >= 3, with and, or, not; can't read it from %s on%s, at column %d:%n  %s%n  %s^"
            .formatted(
                detail.isEmpty() ? "here" : detail,
                hint,
                column,
                expression,
                " ".repeat(column - 1)),
        e);
  }

  private static String unknown(String expression, String name, Collection<String> permitted) {
    List<String> near =
        permitted.stream()
            .filter(p -> distance(name, p) <= Math.max(1, name.length() / 3))
            .sorted()
            .toList();
    return "condition: unknown variable '%s' in %s; %sthere are %s"
        .formatted(
            name,
            expression,
            near.isEmpty() ? "" : "perhaps " + String.join(" or ", near) + "? ",
            permitted.stream().sorted().collect(Collectors.joining(", ")));
  }

  /** Letters to insert, delete or replace to make one of the other, in whichever case. */
  private static int distance(String a, String b) {
    String from = a.toLowerCase(Locale.ROOT);
    String to = b.toLowerCase(Locale.ROOT);
    int[] above = new int[to.length() + 1];
    Arrays.setAll(above, j -> j);
    for (int i = 1; i <= from.length(); i++) {
      int[] row = new int[to.length() + 1];
      row[0] = i;
      for (int j = 1; j <= to.length(); j++) {
        int replaced = above[j - 1] + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        row[j] = Math.min(replaced, 1 + Math.min(above[j], row[j - 1]));
      }
      above = row;
    }
    return above[to.length()];
  }

  /** Whether it holds for a network. */
  public boolean test(NetworkRow row) {
    return test(name -> row.get(COLUMNS.get(name)));
  }

  /**
   * Whether it holds for values of its variables.
   *
   * @param values by name: String, Boolean, Integer, Long, Double, or null where there is none
   * @throws RequestException if they are not what the expression computes with, as in {@code
   *     optimizer > 3}
   */
  public boolean test(Function<String, Object> values) {
    Object result;
    try {
      result = script.execute(new Values(variables, values));
    } catch (JexlException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw new RequestException("condition %s: %s".formatted(expression, cause.getMessage()), e);
    }
    if (result instanceof Boolean truth) {
      return truth;
    }
    if (result == null) {
      return false;
    }
    throw new RequestException(
        "condition %s: expected true or false, found %s; compare it, as in depth >= 3"
            .formatted(expression, result));
  }

  /** The names of variables that it has. */
  public Set<String> variables() {
    return variables;
  }

  /** Those of a condition on rows, as columns. */
  Set<Column> columns() {
    Set<Column> columns = EnumSet.noneOf(Column.class);
    variables.forEach(name -> columns.add(COLUMNS.get(name)));
    return columns;
  }

  /** The expression as it was written. */
  @Override
  public String toString() {
    return expression;
  }
}
