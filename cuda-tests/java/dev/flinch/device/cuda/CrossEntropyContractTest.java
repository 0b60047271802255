package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cuda.Twins.Fill;
import dev.flinch.device.cuda.Twins.Layout;
import dev.flinch.device.cuda.Twins.Numbers;
import dev.flinch.device.cuda.Twins.Operand;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("cuda")
class CrossEntropyContractTest extends LaneContract {
  private static final float FACTOR = 0.125f;

  private static long[] labels(int count, int classes) {
    return IntStream.range(0, count).mapToLong(i -> i * 7L % classes).toArray();
  }

  /**
   * Relative error of a sum of exponentials without the largest, and its logarithm: rounding z −
   * max, a unit in the last place or two for each function, and a rounding for each term that a
   * lane adds.
   */
  private static double errorOfSums(double[] z) {
    // Below e⁻¹⁰⁴ a term is nothing in float32.
    return ROUNDING * (Math.min(104, max(z) - min(z)) + 16 + z.length / 32);
  }

  /** The same for an exponential over a sum. */
  private static double error(double[] z, double logit) {
    return errorOfSums(z) + ROUNDING * Math.min(104, max(z) - logit);
  }

  private static double max(double[] z) {
    double max = z[0];
    for (double v : z) {
      max = Math.max(max, v);
    }
    return max;
  }

  private static double min(double[] z) {
    double min = z[0];
    for (double v : z) {
      min = Math.min(min, v);
    }
    return min;
  }

  private static double[] row(Operand logits, int r, int i, int classes) {
    return IntStream.range(0, classes).mapToDouble(c -> logits.before(r, i, c)).toArray();
  }

  /** −log softmax, with the sum of the other exponentials through log1p. */
  private static double loss(double[] z, int label) {
    double others = 0;
    for (int c = 0; c < z.length; c++) {
      others += c == label ? 0 : Math.exp(z[c] - z[label]);
    }
    return others < 1e300 ? Math.log1p(others) : max(z) - z[label];
  }

  private static double gradient(double[] z, int label, int c) {
    double top = max(z);
    double sum = 0;
    double others = 0;
    for (int k = 0; k < z.length; k++) {
      sum += Math.exp(z[k] - top);
      others += k == label ? 0 : Math.exp(z[k] - top);
    }
    return FACTOR * (c == label ? -others / sum : Math.exp(z[c] - top) / sum);
  }

  @ParameterizedTest
  @CsvSource({
    "1,33,1,DENSE",
    "2,31,2,PADDED",
    "1,127,3,DENSE",
    "3,33,10,ODD",
    "2,3,31,DENSE",
    "1,3,32,ALIGNED",
    "2,2,33,PADDED",
    "1,3,127,ODD",
    "1,2,1000,DENSE",
    "1,1000,2,DENSE",
    "1,150,33,DENSE",
    "20,1,3,DENSE"
  })
  void lossAndGradientAgreeWithDoublePrecision(int replicas, int rows, int classes, Layout layout) {
    agrees(replicas, rows, classes, layout, normal(11, 2));
  }

  @Test
  void nothingOverflowsOrCancelsWhereLogitsAreFarApart() {
    double[] sizes = {1e30, 1000, 88, 30, 1e-30, 1e-42};
    agrees(1, 12, 10, Layout.DENSE, (r, i, j) -> normal(12, sizes[i % sizes.length]).at(r, i, j));
    // A confident and right answer: a loss of 1e-12 keeps its digits.
    agrees(1, 1, 3, Layout.DENSE, (r, i, j) -> j == 0 ? 27.6 : 0);
  }

  private void agrees(int replicas, int rows, int classes, Layout layout, Fill fill) {
    Operand logits = twins.floats(replicas, rows, classes, layout, fill);
    Operand gradient = twins.floats(replicas, rows, classes, Layout.ODD, zeros());
    Operand loss = twins.floats(replicas, rows, 1, Layout.DENSE, zeros());
    Operand correct = twins.floats(replicas, rows, 1, Layout.PADDED, zeros());
    int stride = rows + 3;
    long[] classOf = labels(5 + replicas * stride, classes);
    Numbers labels = twins.ints(classOf);
    twins.run(
        (lane, on) ->
            lane.softmaxCrossEntropy(
                on.of(logits),
                on.of(labels),
                5,
                stride,
                FACTOR,
                on.of(gradient),
                on.of(loss),
                on.of(correct)));
    String what = rows + " rows of " + classes + " classes";
    loss.agrees(
        "loss of " + what,
        (r, i, j) -> loss(row(logits, r, i, classes), (int) classOf[5 + r * stride + i]),
        (r, i, j, expected) ->
            errorOfSums(row(logits, r, i, classes)) * expected + Float.MIN_VALUE);
    loss.agrees(
        "loss of " + what,
        (r, i, j, expected) ->
            // The CPU takes the logarithm of a float64 sum: what is below 1e-16 is lost there.
            errorOfSums(row(logits, r, i, classes)) * expected + 1e-15);
    gradient.agrees(
        "gradient of " + what,
        (r, i, j) -> gradient(row(logits, r, i, classes), (int) classOf[5 + r * stride + i], j),
        (r, i, j, expected) ->
            error(row(logits, r, i, classes), logits.before(r, i, j)) * Math.abs(expected)
                + 2 * Float.MIN_VALUE);
    correct.agreesExactly("hits of " + what);
    Operand inPlace = twins.floats(replicas, rows, classes, layout, fill);
    twins.run(
        (lane, on) -> {
          lane.softmaxCrossEntropy(
              on.of(inPlace),
              on.of(labels),
              5,
              stride,
              FACTOR,
              on.of(inPlace),
              on.of(loss),
              on.of(correct));
          lane.softmaxCrossEntropy(
              on.of(logits),
              on.of(labels),
              5,
              stride,
              FACTOR,
              on.of(gradient),
              on.of(loss),
              on.of(correct));
        });
    inPlace.agrees("gradient in place of " + what, gradient::after, (r, i, j, expected) -> 0);
    twins.release();
  }

  @Test
  void theFirstOfEqualLogitsIsTheAnswer() {
    Operand logits = twins.floats(1, 40, 40, Layout.DENSE, (r, i, j) -> j >= i ? 2 : 1);
    Operand loss = twins.floats(1, 40, 1, Layout.DENSE, zeros());
    Operand correct = twins.floats(1, 40, 1, Layout.DENSE, zeros());
    Numbers labels = twins.ints(IntStream.range(0, 40).mapToLong(i -> i / 2 * 2).toArray());
    twins.run(
        (lane, on) ->
            lane.softmaxCrossEntropy(
                on.of(logits), on.of(labels), 0, 0, 1, null, on.of(loss), on.of(correct)));
    correct.agrees("hits", (r, i, j) -> i % 2 == 0 ? 1 : 0, (r, i, j, expected) -> 0);
  }

  @Test
  void whatIsNotFiniteShowsInTheLoss() {
    double inf = Double.POSITIVE_INFINITY;
    double[][] rows = {
      {Double.NaN, 1, 2},
      {1, Double.NaN, 2},
      {1, 2, Double.NaN},
      {inf, 1, 2},
      {1, inf, 2},
      {-inf, -inf, -inf},
      {Double.NaN, Double.NaN, Double.NaN}
    };
    for (int classes : new int[] {3, 40}) {
      for (int label = 0; label < 3; label++) {
        Operand logits =
            twins.floats(
                1,
                rows.length,
                classes,
                Layout.DENSE,
                (r, i, j) -> j < 3 ? rows[i][j] : rows[i][j % 3]);
        Operand loss = twins.floats(1, rows.length, 1, Layout.DENSE, zeros());
        Operand correct = twins.floats(1, rows.length, 1, Layout.DENSE, zeros());
        Numbers labels = twins.ints(label, label, label, label, label, label, label);
        twins.run(
            (lane, on) ->
                lane.softmaxCrossEntropy(
                    on.of(logits), on.of(labels), 0, 0, 1, null, on.of(loss), on.of(correct)));
        for (int i = 0; i < rows.length; i++) {
          assertTrue(Double.isNaN(loss.after(0, i, 0)), "row " + i + ", label " + label);
        }
        twins.release();
      }
    }
    Operand logits = twins.floats(1, 2, 3, Layout.DENSE, (r, i, j) -> j == i ? -inf : j);
    Operand loss = twins.floats(1, 2, 1, Layout.DENSE, zeros());
    Operand correct = twins.floats(1, 2, 1, Layout.DENSE, zeros());
    Numbers labels = twins.ints(0, 2);
    twins.run(
        (lane, on) ->
            lane.softmaxCrossEntropy(
                on.of(logits), on.of(labels), 0, 0, 1, null, on.of(loss), on.of(correct)));
    assertEquals(inf, loss.after(0, 0, 0), "an impossible class was the answer");
    assertEquals(
        Math.log1p(Math.exp(-2)), loss.after(0, 1, 0), 1e-7, "another class is impossible");
  }
}
