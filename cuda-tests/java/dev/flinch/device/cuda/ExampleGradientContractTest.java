package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cuda.Twins.Fill;
import dev.flinch.device.cuda.Twins.Layout;
import dev.flinch.device.cuda.Twins.Numbers;
import dev.flinch.device.cuda.Twins.Operand;
import dev.flinch.device.cuda.Twins.Tolerance;
import dev.flinch.reference.Reference;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** crossEntropySeeds, unitRows and gramProduct. */
@Tag("cuda")
class ExampleGradientContractTest extends LaneContract {
  @ParameterizedTest
  @CsvSource({
    "1,1,2,DENSE",
    "2,31,2,PADDED",
    "3,33,3,ODD",
    "2,32,10,DENSE",
    "1,3,31,ALIGNED",
    "1,2,32,DENSE",
    "1,2,33,ODD",
    "1,1,127,PADDED",
    "1,3,1,DENSE",
    "1,270,10,DENSE",
    "20,1,3,ODD"
  })
  void seedsTimesTheirScalesAreTheErrorsOfTheLogits(
      int replicas, int rows, int classes, Layout layout) {
    // From even to all but certain answers, right and wrong.
    Fill fill = (r, i, j) -> normal(71, 1 + 30 * (i % 4)).at(r, i, j);
    Operand logits = twins.floats(replicas, rows, classes, layout, fill);
    Numbers labels =
        twins.ints(
            LongStream.range(0, rows + 3).map(i -> i < 3 ? -1 : (i * 5) % classes).toArray());
    Operand seeds = twins.floats(replicas, rows, classes, layout, zeros());
    Operand scales = twins.doubles(replicas, rows, 1, Layout.ODD, zeros());
    twins.run(
        (lane, on) ->
            lane.crossEntropySeeds(on.of(logits), on.of(labels), 3, on.of(seeds), on.of(scales)));
    seeds.agrees("seeds", (r, i, j, expected) -> 2 * ROUNDING * Math.abs(expected));
    scales.agrees("scales", (r, i, j, expected) -> 1e-13 * expected);
    for (int r = 0; r < replicas; r++) {
      for (int i = 0; i < rows; i++) {
        int replica = r;
        int row = i;
        int label = (i + 3) * 5 % classes;
        double[] sigma =
            Reference.softmax(
                IntStream.range(0, classes)
                    .mapToDouble(c -> logits.before(replica, row, c))
                    .toArray());
        double others = 0;
        for (int c = 0; c < classes; c++) {
          others += c == label ? 0 : sigma[c];
        }
        for (int c = 0; c < classes; c++) {
          double expected = c == label ? -others : sigma[c];
          double error = classes == 1 ? 0 : seeds.after(r, i, c) * scales.after(r, i, 0);
          // Below 1e-45 of the row's largest, float32 has nothing.
          assertEquals(
              expected, error, 2 * ROUNDING * Math.abs(expected) + 1e-45 * others, "class " + c);
        }
      }
    }
  }

  @Test
  void scalesTellLogitsThatAreNotFinite() {
    double[][] rows = {
      {1, 2, 3},
      {Double.NaN, 2, 3},
      {1, Double.NaN, 3},
      {Double.POSITIVE_INFINITY, 2, 3},
      {1, 2, Double.NEGATIVE_INFINITY},
      {300, -3e38, 3e38}
    };
    Operand logits = twins.floats(1, rows.length, 3, Layout.DENSE, (r, i, j) -> rows[i][j]);
    Numbers labels = twins.ints(0, 0, 0, 0, 0, 2);
    Operand seeds = twins.floats(1, rows.length, 3, Layout.DENSE, zeros());
    Operand scales = twins.doubles(1, rows.length, 1, Layout.DENSE, zeros());
    twins.run(
        (lane, on) ->
            lane.crossEntropySeeds(on.of(logits), on.of(labels), 0, on.of(seeds), on.of(scales)));
    scales.agrees("scales", (r, i, j, expected) -> 1e-13 * Math.abs(expected));
    for (int i = 0; i < rows.length; i++) {
      double scale = scales.after(0, i, 0);
      assertEquals(i > 0 && i < 5, Double.isNaN(scale), "row " + i + ": " + scale);
    }
    assertEquals(0, scales.after(0, 5, 0));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void rowsHaveLengthOneAndTellWhatItWas(Shape shape) {
    // Rows of ordinary, very small and very large values, and of zeros.
    double[] scales = {1, 1e-30, 1e30, 0, 3e-39};
    Fill fill = (r, i, j) -> scales[i % 5] * normal(72).at(r, i, j);
    for (int appended = 0; appended <= 1; appended++) {
      int one = appended;
      int rows = shape.rows();
      int columns = shape.columns();
      Operand a = twins.floats(shape.replicas(), rows, columns, shape.layout(), fill);
      Operand out =
          twins.floats(shape.replicas(), rows, columns + appended, Layout.PADDED, zeros());
      Operand norms = twins.doubles(shape.replicas(), rows, 1, Layout.ODD, zeros());
      twins.run((lane, on) -> lane.unitRows(on.of(a), on.of(out), on.of(norms)));
      // The CPU sums ordinary rows in float32.
      double error = (4 + columns / 8.0) * ROUNDING;
      norms.agrees("norms", (r, i, j, expected) -> error * expected);
      norms.agrees(
          "norms",
          (r, i, j) -> norm(a, r, i, columns, one),
          (r, i, j, expected) -> error * expected);
      out.agrees("rows", (r, i, j, expected) -> error * Math.abs(expected) + 1e-45);
      out.agrees(
          "rows",
          (r, i, j) -> {
            double norm = norm(a, r, i, columns, one);
            return norm == 0 ? 0 : (j == columns ? 1 : a.before(r, i, j)) / norm;
          },
          (r, i, j, expected) -> (error + 2 * ROUNDING) * Math.abs(expected) + 1e-45);
      twins.release();
    }
  }

  private static double norm(Operand a, int r, int i, int columns, int appended) {
    double squares = appended;
    for (int k = 0; k < columns; k++) {
      squares += a.before(r, i, k) * a.before(r, i, k);
    }
    return Math.sqrt(squares);
  }

  @ParameterizedTest
  @CsvSource({
    "1,1,1,1,1,ODD",
    "2,2,3,5,1,DENSE",
    "1,31,33,32,10,PADDED",
    "2,64,64,16,16,ALIGNED",
    "2,65,63,17,15,ODD",
    "1,127,130,33,10,DENSE",
    "1,3,1000,20,3,ODD",
    "3,129,2,100,31,PADDED"
  })
  void productsOfGramsAreProductsOfRowsTimesProductsOfRows(
      int replicas, int rows, int columns, int inputs, int outputs, Layout layout) {
    Operand a = twins.floats(replicas, rows, inputs, layout, normal(73));
    Operand b = twins.floats(replicas, columns, inputs, layout, normal(74));
    Operand d = twins.floats(replicas, rows, outputs, layout, normal(75));
    Operand e = twins.floats(replicas, columns, outputs, Layout.ODD, normal(76));
    Operand u = twins.floats(replicas, 1, rows, Layout.ODD, normal(77));
    Operand v = twins.floats(replicas, 1, columns, layout, normal(78));
    for (boolean factors : new boolean[] {false, true}) {
      for (float beta : new float[] {0, 1, -0.5f}) {
        Fill before = beta == 0 ? (r, i, j) -> Double.NaN : normal(79);
        Operand c = twins.floats(replicas, rows, columns, layout, before);
        twins.run(
            (lane, on) ->
                lane.gramProduct(
                    on.of(a),
                    on.of(b),
                    on.of(d),
                    on.of(e),
                    factors ? on.of(u) : null,
                    factors ? on.of(v) : null,
                    beta,
                    on.of(c)));
        Tolerance error =
            (r, i, j, expected) ->
                (inputs + outputs + 8)
                    * ROUNDING
                    * (magnitude(a, b, r, i, j, inputs)
                            * magnitude(d, e, r, i, j, outputs)
                            * (factors ? Math.abs(u.before(r, 0, i) * v.before(r, 0, j)) : 1)
                        + Math.abs(beta) * (beta == 0 ? 0 : Math.abs(c.before(r, i, j))));
        c.agrees("products", error);
        c.agrees(
            "products",
            (r, i, j) ->
                dot(a, b, r, i, j, inputs)
                        * dot(d, e, r, i, j, outputs)
                        * (factors ? u.before(r, 0, i) * v.before(r, 0, j) : 1)
                    + (beta == 0 ? 0 : beta * c.before(r, i, j)),
            error);
      }
    }
  }

  @Test
  void oneSetOfExamplesMayBeBothSides() {
    Operand a = twins.floats(1, 70, 20, Layout.PADDED, normal(80));
    Operand d = twins.floats(1, 70, 5, Layout.PADDED, normal(81));
    Operand c = twins.floats(1, 70, 70, Layout.DENSE, zeros());
    twins.run(
        (lane, on) ->
            lane.gramProduct(on.of(a), on.of(a), on.of(d), on.of(d), null, null, 0, on.of(c)));
    for (int i = 0; i < 70; i++) {
      assertTrue(c.after(0, i, i) > 0);
      for (int j = 0; j < 70; j++) {
        assertEquals(c.after(0, i, j), c.after(0, j, i), "the same bits");
      }
    }
  }

  private static double dot(Operand a, Operand b, int r, int i, int j, int depth) {
    double sum = 0;
    for (int k = 0; k < depth; k++) {
      sum += a.before(r, i, k) * b.before(r, j, k);
    }
    return sum;
  }

  private static double magnitude(Operand a, Operand b, int r, int i, int j, int depth) {
    double sum = 0;
    for (int k = 0; k < depth; k++) {
      sum += Math.abs(a.before(r, i, k) * b.before(r, j, k));
    }
    return sum;
  }
}
