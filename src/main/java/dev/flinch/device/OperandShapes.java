package dev.flinch.device;

/**
 * What the shapes and types of operands must be, one method for each operation of a {@link Lane}:
 * every make asks here before it computes, so all refuse the same with the same words. Operands
 * that may be null are null where {@link Lane} says so.
 */
public final class OperandShapes {
  private OperandShapes() {}

  /** {@link Lane#gemm}. */
  public static void gemm(boolean transposeA, Matrix a, boolean transposeB, Matrix b, Matrix c) {
    requireType("gemm", c.data().type(), a, b);
    int k = transposeA ? a.rows() : a.columns();
    require(
        (transposeA ? a.columns() : a.rows()) == c.rows()
            && (transposeB ? b.rows() : b.columns()) == c.columns()
            && (transposeB ? b.columns() : b.rows()) == k
            && a.replicas() == c.replicas()
            && b.replicas() == c.replicas(),
        "gemm",
        a,
        b,
        c);
  }

  /** {@link Lane#gather}. */
  public static void gather(Matrix source, Matrix out) {
    requireType("gather", ElementType.FLOAT32, source, out);
    require(source.columns() == out.columns(), "gather", source, out);
  }

  /** {@link Lane#gatherImages}. */
  public static void gatherImages(ImageShape shape, Matrix out) {
    requireType("gatherImages", ElementType.FLOAT32, out);
    require(shape.size() == out.columns(), "gatherImages", out);
  }

  /** {@link Lane#addBias}. */
  public static void addBias(Matrix z, Matrix bias) {
    requireType("addBias", ElementType.FLOAT32, z, bias);
    requireRow("addBias", bias, z);
  }

  /** {@link Lane#activate}. */
  public static void activate(Matrix z, Matrix bias, Matrix h) {
    requireType("activate", ElementType.FLOAT32, z, bias, h);
    requireSameShape("activate", z, h);
    requireRowOrNull("activate", bias, z);
  }

  /** {@link Lane#scale}. */
  public static void scale(Matrix a, Matrix slopes, int group, Matrix out) {
    requireType("scale", ElementType.FLOAT32, a, slopes, out);
    requireSameShape("scale", a, out);
    require(
        slopes.rows() * (long) group == a.rows()
            && slopes.columns() == a.columns()
            && slopes.replicas() == a.replicas(),
        "scale",
        a,
        slopes);
  }

  /** {@link Lane#softmaxCrossEntropy}. */
  public static void softmaxCrossEntropy(
      Matrix logits, Matrix gradient, Matrix loss, Matrix correct) {
    requireType("softmaxCrossEntropy", ElementType.FLOAT32, logits, gradient, loss, correct);
    requireColumn("softmaxCrossEntropy", loss, logits.rows(), logits.replicas());
    requireColumn("softmaxCrossEntropy", correct, logits.rows(), logits.replicas());
    if (gradient != null) {
      requireSameShape("softmaxCrossEntropy", logits, gradient);
    }
  }

  /** {@link Lane#columnSums}. */
  public static void columnSums(Matrix a, Matrix sums) {
    requireType("columnSums", ElementType.FLOAT32, a, sums);
    requireRow("columnSums", sums, a);
  }

  /** {@link Lane#haltNonFinite}. */
  public static void haltNonFinite(Matrix sums) {
    requireType("haltNonFinite", ElementType.FLOAT32, sums);
    requireColumn("haltNonFinite", sums, 1, sums.replicas());
  }

  /** {@link Lane#update}. */
  public static void update(OptimizerRule rule, Matrix weights, Matrix gradient, Matrix... slots) {
    requireType("update", ElementType.FLOAT32, weights, gradient);
    requireType("update", ElementType.FLOAT32, slots);
    requireSameShape("update", weights, gradient);
    if (slots.length != rule.slots()) {
      throw new IllegalArgumentException(
          "update: expected %d slots for %s, found %d"
              .formatted(rule.slots(), rule.label(), slots.length));
    }
    for (Matrix slot : slots) {
      requireSameShape("update", weights, slot);
    }
  }

  /** {@link Lane#widen}. */
  public static void widen(Matrix narrow, Matrix wide) {
    requireType("widen", ElementType.FLOAT32, narrow);
    requireType("widen", ElementType.FLOAT64, wide);
    requireSameShape("widen", narrow, wide);
  }

  /** {@link Lane#narrow}. */
  public static void narrow(Matrix wide, Matrix narrow) {
    requireType("narrow", ElementType.FLOAT64, wide);
    requireType("narrow", ElementType.FLOAT32, narrow);
    requireSameShape("narrow", wide, narrow);
  }

  /** {@link Lane#combine}. */
  public static void combine(
      Matrix vectors, int terms, int[] indices, double[] coefficients, Matrix offset, Matrix out) {
    requireType("combine", ElementType.FLOAT64, vectors, offset);
    require(
        vectors.columns() == out.columns() && vectors.replicas() == out.replicas(),
        "combine",
        vectors,
        out);
    requireRowOrNull("combine", offset, out);
    long numbers = (long) out.rows() * terms;
    if (terms < 0 || indices.length < numbers || coefficients.length < numbers) {
      throw new IllegalArgumentException(
          "combine: expected %d × %d indices and coefficients, found %d and %d"
              .formatted(out.rows(), terms, indices.length, coefficients.length));
    }
    requireIndices("combine", indices, (int) numbers, vectors.rows());
  }

  /** {@link Lane#activateReferences}. */
  public static void activateReferences(Matrix z, Matrix bias, Matrix knots) {
    requireType("activateReferences", ElementType.FLOAT64, z);
    requireType("activateReferences", ElementType.FLOAT32, bias, knots);
    require(
        knots.rows() == 3L * z.rows()
            && knots.columns() == z.columns()
            && knots.replicas() == z.replicas(),
        "activateReferences",
        z,
        knots);
    requireRowOrNull("activateReferences", bias, z);
  }

  /** {@link Lane#activateDifferences}. */
  public static void activateDifferences(Matrix z, Matrix knots) {
    requireType("activateDifferences", ElementType.FLOAT32, z, knots);
    require(
        knots.rows() == 3 && knots.columns() == z.columns() && z.replicas() == 1,
        "activateDifferences",
        z,
        knots);
  }

  /** {@link Lane#probabilitySeeds}. */
  public static void probabilitySeeds(Matrix logits, Matrix seeds, Matrix scales) {
    requireType("probabilitySeeds", ElementType.FLOAT32, logits, seeds);
    requireType("probabilitySeeds", ElementType.FLOAT64, scales);
    int classes = logits.columns();
    require(
        classes > 0
            && seeds.rows() == logits.rows() * (classes - 1L)
            && seeds.columns() == classes
            && seeds.replicas() == logits.replicas(),
        "probabilitySeeds",
        logits,
        seeds);
    requireColumn("probabilitySeeds", scales, logits.rows(), logits.replicas());
  }

  /** {@link Lane#groupGrams}. */
  public static void groupGrams(Matrix a, int group, Matrix grams) {
    requireType("groupGrams", ElementType.FLOAT32, a);
    requireType("groupGrams", ElementType.FLOAT64, grams);
    require(
        grams.rows() * (long) group == a.rows()
            && grams.columns() == (long) group * group
            && grams.replicas() == a.replicas(),
        "groupGrams",
        a,
        grams);
  }

  /** {@link Lane#probabilityNorms}. */
  public static void probabilityNorms(Matrix logits, Matrix grams, int[] regions, Matrix norms) {
    requireType("probabilityNorms", ElementType.FLOAT32, logits);
    requireType("probabilityNorms", ElementType.FLOAT64, grams, norms);
    require(
        grams.columns() == (long) logits.columns() * logits.columns()
            && logits.replicas() == 1
            && grams.replicas() == 1,
        "probabilityNorms",
        logits,
        grams);
    requireColumn("probabilityNorms", norms, logits.rows(), 1);
    if (regions.length < logits.rows()) {
      throw new IllegalArgumentException(
          "probabilityNorms: expected a region for each of %d points, found %d"
              .formatted(logits.rows(), regions.length));
    }
    requireIndices("probabilityNorms", regions, logits.rows(), grams.rows());
  }

  /** {@link Lane#groupNorms}. */
  public static void groupNorms(Matrix a, int group, Matrix scales, Matrix norms) {
    requireType("groupNorms", ElementType.FLOAT32, a);
    requireType("groupNorms", ElementType.FLOAT64, scales, norms);
    require(norms.rows() * (long) group == a.rows(), "groupNorms", a, norms);
    requireColumn("groupNorms", norms, norms.rows(), a.replicas());
    if (scales != null) {
      requireColumn("groupNorms", scales, norms.rows(), a.replicas());
    }
  }

  /** {@link Lane#hashPatterns}. */
  public static void hashPatterns(Matrix z, Matrix bias) {
    requireType("hashPatterns", ElementType.FLOAT32, z, bias);
    require(z.replicas() == 1, "hashPatterns", z);
    requireRowOrNull("hashPatterns", bias, z);
  }

  /** Null operands have no type. */
  private static void requireType(String operation, ElementType type, Matrix... operands) {
    for (Matrix operand : operands) {
      if (operand != null && operand.data().type() != type) {
        throw new IllegalArgumentException(
            "%s: expected %s, found %s".formatted(operation, type, operand.data().type()));
      }
    }
  }

  private static void requireSameShape(String operation, Matrix a, Matrix b) {
    require(
        a.rows() == b.rows() && a.columns() == b.columns() && a.replicas() == b.replicas(),
        operation,
        a,
        b);
  }

  private static void requireRowOrNull(String operation, Matrix row, Matrix like) {
    if (row != null) {
      requireRow(operation, row, like);
    }
  }

  private static void requireRow(String operation, Matrix row, Matrix like) {
    if (row.rows() != 1 || row.columns() != like.columns() || row.replicas() != like.replicas()) {
      throw new IllegalArgumentException(
          "%s: expected %d × (1 × %d), found %s"
              .formatted(operation, like.replicas(), like.columns(), shape(row)));
    }
  }

  private static void requireColumn(String operation, Matrix column, int rows, int replicas) {
    if (column.rows() != rows || column.columns() != 1 || column.replicas() != replicas) {
      throw new IllegalArgumentException(
          "%s: expected %d × (%d × 1), found %s"
              .formatted(operation, replicas, rows, shape(column)));
    }
  }

  private static void requireIndices(String operation, int[] indices, int count, int rows) {
    for (int i = 0; i < count; i++) {
      if (indices[i] < 0 || indices[i] >= rows) {
        throw new IllegalArgumentException(
            "%s: expected rows below %d, found %d".formatted(operation, rows, indices[i]));
      }
    }
  }

  private static void require(boolean fits, String operation, Matrix... operands) {
    if (!fits) {
      StringBuilder shapes = new StringBuilder(operation + ": shapes don't fit:");
      for (Matrix operand : operands) {
        shapes.append(' ').append(shape(operand));
      }
      throw new IllegalArgumentException(shapes.toString());
    }
  }

  private static String shape(Matrix m) {
    return "%d × (%d × %d)".formatted(m.replicas(), m.rows(), m.columns());
  }
}
