package dev.flinch.sensitivity;

import java.util.function.BiPredicate;

/**
 * Mean stiffness of pairs of examples by their classes, in one reading: the sign or the cosine of
 * the angle between their gradients (Fort et al.).
 *
 * @param within the mean of the class matrix's diagonal, over classes that have one; null where
 *     none has
 * @param between the mean of its other elements; null where there is none
 * @param classMatrix C(a, b), the mean over pairs of an example of class a and another of class b;
 *     null where there is no such pair, as on the diagonal of a class of one example
 */
public record ClassStiffness(Double within, Double between, Double[][] classMatrix) {

  /**
   * Means from sums.
   *
   * @param sums over pairs of each two classes
   * @param pairs how many those are
   */
  static ClassStiffness of(double[][] sums, long[][] pairs) {
    int classes = sums.length;
    Double[][] matrix = new Double[classes][classes];
    for (int a = 0; a < classes; a++) {
      for (int b = 0; b < classes; b++) {
        matrix[a][b] = pairs[a][b] == 0 ? null : (Double) (sums[a][b] / pairs[a][b]);
      }
    }
    return new ClassStiffness(
        mean(matrix, (a, b) -> a.equals(b)), mean(matrix, (a, b) -> !a.equals(b)), matrix);
  }

  /**
   * The mean between different classes of one group, such as a super-class of CIFAR-100; null where
   * there is none.
   *
   * @param groups the group of each class
   */
  public Double betweenWithinGroups(int[] groups) {
    if (groups.length != classMatrix.length) {
      throw new IllegalArgumentException(
          "expected a group for each of %d classes, found %d"
              .formatted(classMatrix.length, groups.length));
    }
    return mean(classMatrix, (a, b) -> !a.equals(b) && groups[a] == groups[b]);
  }

  private static Double mean(Double[][] matrix, BiPredicate<Integer, Integer> chosen) {
    double sum = 0;
    int count = 0;
    for (int a = 0; a < matrix.length; a++) {
      for (int b = 0; b < matrix.length; b++) {
        if (matrix[a][b] != null && chosen.test(a, b)) {
          sum += matrix[a][b];
          count++;
        }
      }
    }
    return count == 0 ? null : (Double) (sum / count);
  }
}
