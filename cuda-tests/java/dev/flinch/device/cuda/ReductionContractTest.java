package dev.flinch.device.cuda;

import dev.flinch.device.cuda.Twins.Fill;
import dev.flinch.device.cuda.Twins.Layout;
import dev.flinch.device.cuda.Twins.Operand;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** columnSums, groupNorms and groupGrams. */
@Tag("cuda")
class ReductionContractTest extends LaneContract {
  /** A float64 sum of n terms, relative to the sum of their magnitudes. */
  private static final double SUM = 1e-13;

  @ParameterizedTest
  @MethodSource("shapes")
  void columnsAreSummedInFloat64(Shape shape) {
    columnSums(shape.replicas(), shape.rows(), shape.columns(), shape.layout(), normal(31));
  }

  @Test
  void manyRowsAreSummedInChunks() {
    columnSums(2, 9000, 1, Layout.DENSE, normal(32));
    columnSums(1, 4097, 2, Layout.ODD, normal(33));
    // In float32 each of the small terms would be lost.
    columnSums(1, 4100, 1, Layout.DENSE, (r, i, j) -> i == 0 ? 1e8 : 1);
  }

  @Test
  void sumsOfNoRowsAreZero() {
    columnSums(2, 0, 3, Layout.DENSE, zeros());
  }

  private void columnSums(int replicas, int rows, int columns, Layout layout, Fill fill) {
    Operand a = twins.floats(replicas, rows, columns, layout, fill);
    Operand sums = twins.floats(replicas, 1, columns, Layout.ODD, normal(34));
    twins.run((lane, on) -> lane.columnSums(on.of(a), on.of(sums)));
    sums.agrees(
        "sums of %d × %d".formatted(rows, columns),
        (r, i, j, expected) -> 2 * ROUNDING * Math.abs(expected) + SUM * rows);
    sums.agrees(
        "sums of %d × %d".formatted(rows, columns),
        (r, i, j) -> {
          double sum = 0;
          for (int k = 0; k < rows; k++) {
            sum += a.before(r, k, j);
          }
          return sum;
        },
        (r, i, j, expected) -> ROUNDING * Math.abs(expected) + SUM * rows);
    twins.release();
  }

  @Test
  void sumsShowWhatIsNotFinite() {
    Operand a =
        twins.floats(
            1,
            70,
            3,
            Layout.DENSE,
            (r, i, j) -> i != 66 ? 1 : j == 0 ? Double.NaN : j == 1 ? Double.POSITIVE_INFINITY : 1);
    Operand sums = twins.floats(1, 1, 3, Layout.DENSE, zeros());
    twins.run((lane, on) -> lane.columnSums(on.of(a), on.of(sums)));
    sums.agreesExactly("sums");
  }

  @ParameterizedTest
  @CsvSource({
    "1,1,1,DENSE",
    "2,2,3,ODD",
    "3,9,33,PADDED",
    "5,10,31,DENSE",
    "2,1,1000,ODD",
    "33,3,2,DENSE",
    "1,127,1,DENSE",
    "4,1,32,ALIGNED",
    "2,9,127,PADDED"
  })
  void normsOfGroupsAgreeWithDoublePrecision(int groups, int group, int columns, Layout layout) {
    // More replicas than the grid has layers, once.
    int replicas = groups == 1 ? 19 : 2;
    for (boolean scaled : new boolean[] {false, true}) {
      Operand a = twins.floats(replicas, groups * group, columns, layout, normal(35, 1e-20));
      Operand scales =
          scaled
              ? twins.doubles(replicas, groups, 1, Layout.ODD, (r, i, j) -> 1e-30 * (1 + r + i))
              : null;
      Operand norms = twins.doubles(replicas, groups, 1, Layout.ODD, zeros());
      twins.run((lane, on) -> lane.groupNorms(on.of(a), group, on.of(scales), on.of(norms)));
      // The CPU adds a row in float32, in as many sums as its vectors have lanes.
      norms.agrees("norms", (r, i, j, expected) -> (columns / 4 + 4) * ROUNDING * expected);
      norms.agrees(
          "norms",
          (r, i, j) -> {
            double sum = 0;
            for (int k = i * group; k < (i + 1) * group; k++) {
              sum += dot(a, r, k, k, columns);
            }
            return (scaled ? scales.before(r, i, 0) : 1) * Math.sqrt(sum);
          },
          (r, i, j, expected) -> SUM * expected);
      twins.release();
    }
  }

  private static double dot(Operand a, int r, int p, int q, int columns) {
    double sum = 0;
    for (int j = 0; j < columns; j++) {
      sum += a.before(r, p, j) * a.before(r, q, j);
    }
    return sum;
  }

  @ParameterizedTest
  @CsvSource({
    "1,1,1,DENSE",
    "2,2,3,ODD",
    "3,3,33,PADDED",
    "5,10,31,DENSE",
    "2,1,1000,ODD",
    "2,9,127,PADDED",
    "1,33,2,ALIGNED"
  })
  void gramMatricesOfGroupsAgreeWithDoublePrecision(
      int groups, int group, int columns, Layout layout) {
    int replicas = groups == 1 ? 19 : 2;
    Operand a = twins.floats(replicas, groups * group, columns, layout, normal(36));
    Operand grams = twins.doubles(replicas, groups, group * group, Layout.ODD, zeros());
    twins.run((lane, on) -> lane.groupGrams(on.of(a), group, on.of(grams)));
    grams.agrees("Gram matrices", (r, i, j, expected) -> (columns + 4) * columns * ROUNDING);
    grams.agrees(
        "Gram matrices",
        (r, i, j) -> dot(a, r, i * group + j / group, i * group + j % group, columns),
        (r, i, j, expected) -> SUM * columns);
    // Exactly symmetric: whoever factors them relies on it.
    grams.agrees(
        "transposed",
        (r, i, j) -> grams.after(r, i, j % group * group + j / group),
        (r, i, j, expected) -> 0);
  }
}
