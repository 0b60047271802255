package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Conditions say what they read as, overflow nowhere and reach nothing. */
class ConditionTest {
  private static final Map<String, Object> VALUES = values();

  private static Map<String, Object> values() {
    Map<String, Object> values = new HashMap<>();
    values.put("depth", 3);
    values.put("width", 3_000_000_000L);
    values.put("optimizer", "Adam");
    values.put("gap", 0.25);
    values.put("biases", true);
    values.put("missing", null);
    values.put("nan", Double.NaN);
    values.put("big", Long.MAX_VALUE);
    values.put("negative", -7L);
    return values;
  }

  private static boolean test(String expression) {
    return Condition.of(expression, VALUES.keySet()).test(VALUES::get);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "depth >= 3 and optimizer == 'Adam' && gap > 0.1",
        "depth == 3",
        "depth == 3.0",
        "depth eq 3",
        "3 < depth + 1",
        "not (depth > 3)",
        "!(depth > 3)",
        "depth > 3 or gap < 1",
        "depth > 3 || gap < 1",
        "depth / 2 == 1.5",
        "depth % 2 == 1",
        "negative < 0",
        "-negative == 7",
        "depth - 4 == -1",
        "gap * 4 == 1",
        "gap <= 2.5e-1",
        "width < 2e10",
        "width > 2e8",
        "optimizer < 'B'",
        "optimizer != 'SGD'",
        "optimizer =~ ['SGD', 'Adam']",
        "optimizer !~ ['SGD', 'Momentum']",
        "optimizer =~ 'A.*'",
        "optimizer =^ 'Ad'",
        "depth =~ [2, 3]",
        "biases",
        "biases == true",
        "(depth > 2 ? gap : 1) < 0.5",
        "depth > 2 ? biases : false",
      })
  void holds(String expression) {
    assertTrue(test(expression));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "width * width > 0 and width * width * width > 8e18",
        "width * width * 2 > 9223372036854775807",
        "big + 1 > 0",
        "big + big > 0",
        "-big - big < 0",
        "big * 2 > 1.8e19",
        "big * big > 0",
        "big * -2 < -1.8e19",
        "9007199254740993 != 9007199254740992",
        "big != big - 1",
        "big - 1 < big",
        "99999999999999999999 > big",
      })
  void wholeNumbersAreExactAndDoNotOverflow(String expression) {
    assertTrue(test(expression));
  }

  @ParameterizedTest
  @ValueSource(strings = {"missing", "nan"})
  void comparisonsWithWhatIsMissingAreFalse(String name) {
    for (String operator : List.of("<", "<=", ">", ">=", "==", "=~")) {
      String right = operator.equals("=~") ? "[1]" : "1";
      assertFalse(test(name + " " + operator + " " + right), operator);
      assertFalse(test(name + " * 2 + 1 - 3 / 5 % 2 " + operator + " " + right), operator);
      assertFalse(test("depth + " + name + " " + operator + " " + right), operator);
    }
    assertFalse(test("1 < " + name));
    assertFalse(test("-%s < 1 or %s > 1".formatted(name, name)));
    assertFalse(test(name));
    assertTrue(test(name + " == null"));
    assertTrue(test("depth != null"));
    assertTrue(test(name + " > 1 or depth == 3"));
  }

  @Test
  void rowsAreTestedByTheirColumns() {
    NetworkRow row =
        NetworkRow.builder()
            .set(Column.DEPTH, 3)
            .set(Column.OPTIMIZER, "Adam")
            .set(Column.JACOBIAN_NORM, 4.5)
            .build();
    Condition condition = Condition.of("depth >= 3 and jacobianNorm > 4 and gap == null");
    assertTrue(condition.test(row));
    assertFalse(condition.test(row.toBuilder().set(Column.GAP, 0.1).build()));
    assertEquals(Set.of("depth", "jacobianNorm", "gap"), condition.variables());
    assertEquals(Set.of(Column.DEPTH, Column.JACOBIAN_NORM, Column.GAP), condition.columns());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "depth >= | 'column 7'",
        "depth >= and gap > 1 | 'column 7'",
        "(depth > 1 | 'column 10'",
        "depth > 1) | 'column 10'",
        "depth > 'a | 'column 11'",
        "depth = 3 | 'equality is written =='",
        "depth > 1 gap | 'column 11'",
      })
  void mistakesAreShownWhereTheyAre(String expression, String said) {
    RequestException e = assertThrows(RequestException.class, () -> test(expression));
    assertTrue(e.getMessage().contains(said), e.getMessage());
    assertTrue(e.getMessage().contains(expression), e.getMessage());
  }

  @Test
  void unknownVariablesAreRefusedWithThoseThatThereAre() {
    RequestException e =
        assertThrows(RequestException.class, () -> Condition.of("dept > 3 and jacobian_norm > 1"));
    assertTrue(e.getMessage().contains("'dept'"), e.getMessage());
    assertTrue(e.getMessage().contains("perhaps depth?"), e.getMessage());
    assertTrue(e.getMessage().contains("jacobianNorm"), e.getMessage());
    e = assertThrows(RequestException.class, () -> Condition.of("jacobian_norm > 1"));
    assertTrue(e.getMessage().contains("perhaps jacobianNorm?"), e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "depth",
        "depth + 1",
        "optimizer",
        "optimizer > 3",
        "optimizer * 2 > 3",
        "depth and gap > 0.1",
        "!depth",
      })
  void otherThanConditionsAreRefused(String expression) {
    assertThrows(RequestException.class, () -> test(expression));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "depth = 4",
        "depth += 4",
        "depth++ > 1",
        "var x = 3; x > 2",
        "let x = 3",
        "depth > 1; depth > 2",
        "while (true) {}",
        "for (var i : [1, 2]) { i }",
        "if (depth > 1) { true } else { false }",
        "new('java.io.File', 'x') == null",
        "new java.io.File('x') == null",
        "optimizer.length() > 2",
        "optimizer.class == null",
        "optimizer['class'] == null",
        "optimizer.getClass().forName('java.lang.System') == null",
        "''.class.forName('java.lang.Runtime') == null",
        "''.length() == 0",
        "'a'['class'] == null",
        "'a'.bytes == null",
        "[1].size() > 0",
        "(x -> x > 1)(depth)",
        "function(x) { x > 1 }(depth)",
        "exit(1)",
        "java.lang.System.exit(1)",
        "#pragma jexl.import java.lang\ndepth > 1",
        "@synchronized true",
        "java:exit(1) == null",
        "return true",
        "$0 > 1",
        "context > 1",
      })
  void nothingIsCalledAssignedMadeOrReached(String expression) {
    assertThrows(RequestException.class, () -> test(expression));
  }
}
