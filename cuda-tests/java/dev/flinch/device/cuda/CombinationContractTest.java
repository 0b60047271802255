package dev.flinch.device.cuda;

import dev.flinch.device.ElementType;
import dev.flinch.device.cuda.Twins.Layout;
import dev.flinch.device.cuda.Twins.Operand;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** combine, widen and narrow. */
@Tag("cuda")
class CombinationContractTest extends LaneContract {
  @ParameterizedTest
  @MethodSource("shapes")
  void rowsCombineTheVectorsTheyName(Shape shape) {
    for (ElementType type : new ElementType[] {ElementType.FLOAT32, ElementType.FLOAT64}) {
      for (int terms = 2; terms <= 3; terms++) {
        int rows = shape.rows();
        int vectorCount = 5;
        int perRow = terms;
        SplittableRandom random = new SplittableRandom(41);
        // One more than is needed: callers keep their arrays.
        int[] indices = random.ints(rows * terms + 1, 0, vectorCount).toArray();
        double[] coefficients = random.doubles(rows * terms + 1, -1, 1).toArray();
        Operand vectors =
            twins.doubles(
                shape.replicas(), vectorCount, shape.columns(), shape.layout(), normal(42));
        Operand offset =
            terms == 2
                ? null
                : twins.doubles(shape.replicas(), 1, shape.columns(), Layout.ODD, normal(43));
        Operand out =
            twins.operand(type, shape.replicas(), rows, shape.columns(), shape.layout(), zeros());
        twins.run(
            (lane, on) ->
                lane.combine(
                    on.of(vectors), perRow, indices, coefficients, on.of(offset), -1, on.of(out)));
        // Four roundings of numbers of a few units, and that to float32.
        double error = 1e-15;
        double rounding = type == ElementType.FLOAT32 ? ROUNDING : 0;
        out.agrees(
            "rows of " + shape,
            (r, i, j, expected) -> error * 10 + 2 * rounding * Math.abs(expected));
        out.agrees(
            "rows of " + shape,
            (r, i, j) -> {
              double sum = offset == null ? 0 : -offset.before(r, 0, j);
              for (int k = 0; k < perRow; k++) {
                sum += coefficients[i * perRow + k] * vectors.before(r, indices[i * perRow + k], j);
              }
              return sum;
            },
            (r, i, j, expected) -> error * 10 + rounding * Math.abs(expected));
        twins.release();
      }
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void wideningIsExactAndNarrowingRoundsOnce(Shape shape) {
    double[] special = {Double.NaN, Double.POSITIVE_INFINITY, 1e-42, -0.0, 1e300, 1e-50};
    Operand wide =
        twins.doubles(
            shape.replicas(),
            shape.rows(),
            shape.columns(),
            shape.layout(),
            (r, i, j) -> (i + j) % 7 < 6 ? normal(44).at(r, i, j) : special[(i + j) / 7 % 6]);
    Operand narrow =
        twins.floats(shape.replicas(), shape.rows(), shape.columns(), Layout.PADDED, zeros());
    Operand back =
        twins.doubles(shape.replicas(), shape.rows(), shape.columns(), Layout.ODD, zeros());
    twins.run(
        (lane, on) -> {
          lane.narrow(on.of(wide), on.of(narrow));
          lane.widen(on.of(narrow), on.of(back));
        });
    narrow.agrees("narrow", (r, i, j) -> (float) wide.before(r, i, j), (r, i, j, expected) -> 0);
    back.agrees("wide", (r, i, j) -> (float) wide.before(r, i, j), (r, i, j, expected) -> 0);
  }
}
