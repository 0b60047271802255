package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cuda.Twins.Fill;
import dev.flinch.device.cuda.Twins.Layout;
import dev.flinch.device.cuda.Twins.Operand;
import dev.flinch.reference.Reference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** probabilitySeeds, logitSeeds and probabilityNorms. */
@Tag("cuda")
class JacobianEndsContractTest extends LaneContract {
  private static double[] softmax(Operand logits, int r, int i, int classes) {
    return Reference.softmax(
        IntStream.range(0, classes).mapToDouble(c -> logits.before(r, i, c)).toArray());
  }

  /** S = diag σ − σσᵀ at (i, j), with 1 − σ as the sum of the others. */
  private static double covariance(double[] sigma, int i, int j) {
    if (i != j) {
      return -sigma[i] * sigma[j];
    }
    double others = 0;
    for (int k = 0; k < sigma.length; k++) {
      others += k == i ? 0 : sigma[k];
    }
    return sigma[i] * others;
  }

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
  void seedsSpanTheRowsOfTheProbabilitiesJacobian(
      int replicas, int points, int classes, Layout layout) {
    // From even to all but certain answers.
    Fill fill = (r, i, j) -> normal(61, 1 + 8 * (i % 4)).at(r, i, j);
    Operand logits = twins.floats(replicas, points, classes, layout, fill);
    Operand seeds = twins.floats(replicas, points * (classes - 1), classes, layout, zeros());
    Operand scales = twins.doubles(replicas, points, 1, Layout.ODD, zeros());
    twins.run((lane, on) -> lane.probabilitySeeds(on.of(logits), on.of(seeds), on.of(scales)));
    // Entries are at most 1, and rounded once; running sums cancel a little.
    seeds.agrees("seeds", (r, i, j, expected) -> 2 * ROUNDING * Math.abs(expected) + 1e-12);
    scales.agrees("scales", (r, i, j, expected) -> 1e-12 * expected);
    for (int r = 0; r < replicas; r++) {
      for (int i = 0; i < points; i++) {
        double[] sigma = softmax(logits, r, i, classes);
        double ofSeeds = 0;
        double ofCovariance = 0;
        for (int c = 0; c < classes; c++) {
          double sum = 0;
          for (int k = 0; k < classes - 1; k++) {
            double entry = seeds.after(r, i * (classes - 1) + k, c);
            ofSeeds += entry * entry;
            sum = Math.max(sum, Math.abs(entry));
          }
          assertTrue(sum <= 1, "an entry of " + sum);
          for (int k = 0; k < classes; k++) {
            ofCovariance += covariance(sigma, k, c) * covariance(sigma, k, c);
          }
        }
        double norm = Math.sqrt(ofSeeds) * scales.after(r, i, 0);
        double expected = Math.sqrt(ofCovariance);
        assertEquals(expected, norm, 1e-6 * expected, "norm of U S at point " + i);
      }
    }
  }

  @Test
  void seedsOfCertainAnswersAreZeroAndOfNaNAreSeen() {
    Operand logits =
        twins.floats(
            1,
            3,
            10,
            Layout.DENSE,
            (r, i, j) -> j == 4 ? (i == 0 ? 1e6 : i == 1 ? Double.NaN : 200) : 0);
    Operand seeds = twins.floats(1, 27, 10, Layout.DENSE, zeros());
    Operand scales = twins.doubles(1, 3, 1, Layout.DENSE, zeros());
    twins.run((lane, on) -> lane.probabilitySeeds(on.of(logits), on.of(seeds), on.of(scales)));
    assertEquals(0, scales.after(0, 0, 0));
    assertTrue(Double.isNaN(scales.after(0, 1, 0)));
    assertTrue(scales.after(0, 2, 0) > 0, "e⁻²⁰⁰ is no zero");
    for (int k = 0; k < 9; k++) {
      for (int c = 0; c < 10; c++) {
        assertEquals(0, seeds.after(0, k, c));
        assertTrue(Double.isNaN(seeds.after(0, 9 + k, c)));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1,1,1,DENSE", "2,3,2,ODD", "3,31,10,PADDED", "1,2,33,DENSE", "1,1,127,ALIGNED"})
  void seedsOfLogitsAreUnitVectors(int replicas, int points, int classes, Layout layout) {
    Operand seeds = twins.floats(replicas, points * classes, classes, layout, normal(62));
    twins.run((lane, on) -> lane.logitSeeds(on.of(seeds)));
    seeds.agreesExactly("seeds");
    seeds.agrees("seeds", (r, i, j) -> i % classes == j ? 1 : 0, (r, i, j, expected) -> 0);
  }

  @ParameterizedTest
  @CsvSource({
    "1,1,DENSE",
    "33,2,PADDED",
    "127,3,ODD",
    "70,10,DENSE",
    "1000,2,DENSE",
    "3,31,ALIGNED",
    "2,32,DENSE",
    "2,33,ODD",
    "270,10,DENSE"
  })
  void normsOfTheProbabilitiesFollowFromGramMatrices(int points, int classes, Layout layout) {
    int regions = Math.min(3, points);
    int inputs = 7;
    Fill rows = (r, i, j) -> 1 + normal(63).at(r, i, j);
    Operand jacobians = twins.floats(1, regions * classes, inputs, Layout.DENSE, rows);
    Operand grams = twins.doubles(1, regions, classes * classes, layout, zeros());
    Operand logits =
        twins.floats(
            1, points, classes, layout, (r, i, j) -> normal(64, 1 + 3 * (i % 4)).at(r, i, j));
    Operand norms = twins.doubles(1, points, 1, Layout.ODD, zeros());
    int[] regionOf = IntStream.range(0, points).map(i -> i * regions / points).toArray();
    twins.run(
        (lane, on) -> {
          lane.groupGrams(on.of(jacobians), classes, on.of(grams));
          lane.probabilityNorms(on.of(logits), on.of(grams), regionOf, on.of(norms));
        });
    norms.agrees(
        "norms of probabilities",
        (r, i, j) -> {
          double[] sigma = softmax(logits, r, i, classes);
          double squares = 0;
          for (int c = 0; c < classes; c++) {
            for (int x = 0; x < inputs; x++) {
              double entry = 0;
              for (int k = 0; k < classes; k++) {
                entry +=
                    covariance(sigma, c, k) * jacobians.before(0, regionOf[i] * classes + k, x);
              }
              squares += entry * entry;
            }
          }
          return Math.sqrt(squares);
        },
        // Gram matrices square their rows: half of the digits of float64 are left where rows of J
        // nearly cancel.
        (r, i, j, expected) -> 1e-9 * expected);
    norms.agrees("norms of probabilities", (r, i, j, expected) -> 3e-5 * expected);
  }
}
