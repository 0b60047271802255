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

  /** {@link Lane#crossEntropySeeds}. */
  public static void crossEntropySeeds(Matrix logits, Matrix seeds, Matrix scales) {
    requireType("crossEntropySeeds", ElementType.FLOAT32, logits, seeds);
    requireType("crossEntropySeeds", ElementType.FLOAT64, scales);
    requireSameShape("crossEntropySeeds", logits, seeds);
    requireColumn("crossEntropySeeds", scales, logits.rows(), logits.replicas());
  }

  /** {@link Lane#unitRows}. */
  public static void unitRows(Matrix a, Matrix out, Matrix norms) {
    requireType("unitRows", ElementType.FLOAT32, a, out);
    requireType("unitRows", ElementType.FLOAT64, norms);
    require(
        out.rows() == a.rows()
            && (out.columns() == a.columns() || out.columns() == a.columns() + 1)
            && out.replicas() == a.replicas(),
        "unitRows",
        a,
        out);
    requireColumn("unitRows", norms, a.rows(), a.replicas());
  }

  /** {@link Lane#gramProduct}. */
  public static void gramProduct(
      Matrix a, Matrix b, Matrix d, Matrix e, Matrix u, Matrix v, Matrix c) {
    requireType("gramProduct", ElementType.FLOAT32, a, b, d, e, u, v, c);
    boolean fit = a.columns() == b.columns() && d.columns() == e.columns();
    for (Matrix left : new Matrix[] {a, d}) {
      fit &= left.rows() == c.rows() && left.replicas() == c.replicas();
    }
    for (Matrix right : new Matrix[] {b, e}) {
      fit &= right.rows() == c.columns() && right.replicas() == c.replicas();
    }
    require(fit, "gramProduct", a, b, d, e, c);
    requireFactors(u, c.rows(), c.replicas());
    requireFactors(v, c.columns(), c.replicas());
  }

  private static void requireFactors(Matrix factors, int columns, int replicas) {
    if (factors != null) {
      require(
          factors.rows() == 1 && factors.columns() == columns && factors.replicas() == replicas,
          "gramProduct",
          factors);
    }
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

  /** {@link Device#walks}. */
  public static void walks(RegionWalks.Networks networks) {
    if (!networks.activation().isPiecewiseLinear()) {
      throw new IllegalArgumentException(
          "walks: expected a piecewise-linear activation, found " + networks.activation().label());
    }
    Matrix[] weights = networks.weights();
    for (int l = 0; l < weights.length; l++) {
      requireType("walks", ElementType.FLOAT32, weights[l]);
      require(
          weights[l].replicas() == weights[0].replicas()
              && (l == 0 || weights[l].columns() == weights[l - 1].rows()),
          "walks",
          weights);
      if (networks.biases() != null) {
        requireRow("walks", networks.biases()[l + 1], weights[l].rows());
      }
    }
    if (networks.biases() != null) {
      requireRow("walks", networks.biases()[0], weights[0].columns());
    }
    if (networks.factors() != null) {
      requireType("walks", ElementType.FLOAT64, networks.factors());
      require(
          networks.factors().rows() == weights[0].columns()
              && networks.factors().replicas() == weights[0].replicas(),
          "walks",
          networks.factors(),
          weights[0]);
    }
  }

  private static void requireRow(String operation, Matrix row, int columns) {
    requireType(operation, ElementType.FLOAT32, row);
    require(row.rows() == 1 && row.columns() == columns, operation, row);
  }

  /** {@link RegionWalks#walk}. */
  public static void walk(
      RegionWalks.Networks networks, RegionWalks.Walkers walkers, RegionWalks.Trace trace) {
    int count = walkers.count();
    requireType("walk", ElementType.FLOAT64, walkers.first());
    require(
        walkers.first().rows() == 3L * count
            && walkers.first().columns() == networks.weights()[0].columns()
            && walkers.first().replicas() == 1,
        "walk",
        walkers.first());
    if (walkers.to().length != count
        || walkers.replicas().length != count
        || walkers.resumed().length != count) {
      throw new IllegalArgumentException(
          "walk: expected an end, a replica and a way to start for each of %d walkers"
              .formatted(count));
    }
    requireIndices("walk", walkers.replicas(), count, networks.replicas());
    long capacity = trace.capacity();
    if (capacity < 1) {
      throw new IllegalArgumentException("walk: expected room for a crossing, found " + capacity);
    }
    int hiddenUnits = networks.hiddenUnits();
    requireLength("walk", ElementType.INT32, trace.counts(), count);
    requireLength("walk", ElementType.FLOAT64, trace.reached(), count);
    requireLength("walk", ElementType.FLOAT64, trace.parameters(), count * capacity);
    requireLength("walk", ElementType.INT32, trace.crossings(), count * capacity);
    requireLength("walk", ElementType.INT32, trace.codes(), (long) count * hiddenUnits);
    requireLength("walk", ElementType.INT64, trace.hashes(), 2L * count);
    requireLength("walk", ElementType.FLOAT64, trace.drift(), count);
    if (trace.grams() != null) {
      if (networks.factors() == null) {
        throw new IllegalArgumentException(
            "walk: Gram matrices need a factor of each first layer, found none");
      }
      requireRegions("walk", networks, count, trace);
    }
  }

  private static void requireRegions(
      String operation, RegionWalks.Networks networks, int count, RegionWalks.Trace trace) {
    long regions = count * (trace.capacity() + 1L);
    long classes = networks.classes();
    requireLength(operation, ElementType.FLOAT64, trace.logits(), regions * 3 * classes);
    requireLength(operation, ElementType.FLOAT64, trace.grams(), regions * classes * classes);
  }

  /** {@link RegionWalks#norms}. */
  public static void regionNorms(
      RegionWalks.Networks networks,
      RegionWalks.Walkers walkers,
      RegionWalks.Trace trace,
      int[] pointsFrom,
      DeviceArray points,
      DeviceArray norms) {
    int count = walkers.count();
    if (pointsFrom.length != count + 1) {
      throw new IllegalArgumentException(
          "norms: expected %d starts of points, found %d".formatted(count + 1, pointsFrom.length));
    }
    for (int i = 0; i < count; i++) {
      if (pointsFrom[i] < 0 || pointsFrom[i + 1] < pointsFrom[i]) {
        throw new IllegalArgumentException(
            "norms: points of walker %d from %d to %d"
                .formatted(i, pointsFrom[i], pointsFrom[i + 1]));
      }
    }
    requireRegions("norms", networks, count, trace);
    requireLength("norms", ElementType.FLOAT64, points, pointsFrom[count]);
    requireLength("norms", ElementType.FLOAT64, norms, pointsFrom[count]);
  }

  private static void requireLength(
      String operation, ElementType type, DeviceArray array, long least) {
    if (array == null || array.type() != type || array.length() < least) {
      throw new IllegalArgumentException(
          "%s: expected %d elements of %s, found %s"
              .formatted(
                  operation,
                  least,
                  type,
                  array == null ? "none" : array.length() + " of " + array.type()));
    }
  }

  /** {@link Lane#patches}. */
  public static void patches(Matrix images, PatchShape shape, Matrix out) {
    requireType("patches", out.data().type(), images);
    requirePatches("patches", images, shape, out, 1);
  }

  /** {@link Lane#patchSums}. */
  public static void patchSums(Matrix patches, PatchShape shape, Matrix images) {
    requireType("patchSums", ElementType.FLOAT32, patches, images);
    requirePatches("patchSums", images, shape, patches, 0);
  }

  private static void requirePatches(
      String operation, Matrix images, PatchShape shape, Matrix patches, int mostAppended) {
    int appended = patches.columns() - shape.size();
    require(
        images.columns() == shape.image().size()
            && patches.rows() == (long) images.rows() * shape.positions()
            && appended >= 0
            && appended <= mostAppended
            && patches.replicas() == images.replicas(),
        operation,
        images,
        patches);
  }

  /** {@link Lane#maxPool}. */
  public static void maxPool(Matrix h, PoolShape shape, Matrix slopes, Matrix out) {
    requireType("maxPool", ElementType.FLOAT32, h, slopes, out);
    requirePooled("maxPool", h, shape, out);
    if (slopes != null) {
      requireSameShape("maxPool", h, slopes);
    }
  }

  /** {@link Lane#unpool}. */
  public static void unpool(Matrix errors, PoolShape shape, Matrix slopes, int group, Matrix out) {
    requireType("unpool", ElementType.FLOAT32, errors, slopes, out);
    requirePooled("unpool", out, shape, errors);
    require(
        slopes.rows() * (long) group == out.rows()
            && slopes.columns() == out.columns()
            && slopes.replicas() == out.replicas(),
        "unpool",
        out,
        slopes);
  }

  /** {@link Lane#poolReferences}. */
  public static void poolReferences(Matrix h, PoolShape shape, Matrix gaps, Matrix out) {
    requireType("poolReferences", ElementType.FLOAT64, h, out);
    requireType("poolReferences", ElementType.FLOAT32, gaps);
    requirePooled("poolReferences", h, shape, out);
    requireSameShape("poolReferences", h, gaps);
  }

  /** {@link Lane#poolDifferences}. */
  public static void poolDifferences(Matrix z, PoolShape shape, Matrix gaps, Matrix out) {
    requireType("poolDifferences", ElementType.FLOAT32, z, gaps, out);
    requirePooled("poolDifferences", z, shape, out);
    requireRow("poolDifferences", gaps, z);
  }

  private static void requirePooled(String operation, Matrix maps, PoolShape shape, Matrix pooled) {
    require(
        maps.columns() == shape.map().size()
            && pooled.columns() == shape.pooled().size()
            && pooled.rows() == maps.rows()
            && pooled.replicas() == maps.replicas(),
        operation,
        maps,
        pooled);
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
