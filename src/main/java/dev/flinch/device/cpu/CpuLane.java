package dev.flinch.device.cpu;

import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.cpu.CpuArray.Span;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Carries each operation out at once, on the thread that asks. */
final class CpuLane implements Lane {
  private final int index;
  private final ElementKernels kernels;
  private final Blas blas = new Blas();

  CpuLane(int index, ElementKernels kernels) {
    this.index = index;
    this.kernels = kernels;
  }

  @Override
  public int index() {
    return index;
  }

  @Override
  public void gemm(
      boolean transposeA, Matrix a, boolean transposeB, Matrix b, float beta, Matrix c) {
    int m = c.rows();
    int n = c.columns();
    int k = transposeA ? a.rows() : a.columns();
    require(
        (transposeA ? a.columns() : a.rows()) == m
            && (transposeB ? b.rows() : b.columns()) == n
            && (transposeB ? b.columns() : b.rows()) == k,
        "gemm",
        a,
        b,
        c);
    ElementType type = c.data().type();
    if (m == 0 || n == 0) {
      return;
    }
    for (int r = 0; r < c.replicas(); r++) {
      blas.gemm(
          type == ElementType.FLOAT64,
          transposeA,
          transposeB,
          m,
          n,
          k,
          array(a, type).address(a.start(r)),
          a.stride(),
          array(b, type).address(b.start(r)),
          b.stride(),
          beta,
          array(c, type).address(c.start(r)),
          c.stride());
    }
  }

  @Override
  public void gather(Matrix source, DeviceArray indices, long from, Matrix out) {
    require(source.columns() == out.columns(), "gather", source, out);
    Span list = array(indices, ElementType.INT32).span(from, out.rows());
    int bytes = 4 * out.columns();
    for (int r = 0; r < out.replicas(); r++) {
      Span to = span(out, r);
      for (int i = 0; i < out.rows(); i++) {
        int row = list.buffer().getInt(list.at() + 4 * i);
        if (row < 0 || row >= source.rows()) {
          throw new IllegalArgumentException(
              "gather: row %d of a matrix of %d rows".formatted(row, source.rows()));
        }
        Span one = array(source).span(source.start(0, row), source.columns());
        to.buffer().put(to.at() + i * 4 * out.stride(), one.buffer(), one.at(), bytes);
      }
    }
  }

  @Override
  public void addBias(Matrix z, Matrix bias) {
    requireRow("addBias", bias, z);
    for (int r = 0; r < z.replicas(); r++) {
      Span to = span(z, r);
      Span add = span(bias, r);
      for (int i = 0; i < z.rows(); i++) {
        int row = to.at() + i * 4 * z.stride();
        for (int j = 0; j < 4 * z.columns(); j += 4) {
          to.buffer()
              .putFloat(
                  row + j, to.buffer().getFloat(row + j) + add.buffer().getFloat(add.at() + j));
        }
      }
    }
  }

  @Override
  public void activate(Activation activation, Matrix z, Matrix bias, Matrix h) {
    requireSameShape("activate", z, h);
    if (bias != null) {
      requireRow("activate", bias, z);
    }
    for (int r = 0; r < z.replicas(); r++) {
      Span from = span(z, r);
      Span to = span(h, r);
      Span add = bias == null ? new Span(null, 0) : span(bias, r);
      kernels.activate(
          activation,
          from.buffer(),
          from.at(),
          4 * z.stride(),
          add.buffer(),
          add.at(),
          to.buffer(),
          to.at(),
          4 * h.stride(),
          z.rows(),
          bias == null ? wholeVectors(z, h) : z.columns());
    }
  }

  @Override
  public void scale(Matrix a, Matrix slopes, int group, Matrix out) {
    requireSameShape("scale", a, out);
    require(
        slopes.rows() * group == a.rows() && slopes.columns() == a.columns(), "scale", a, slopes);
    for (int r = 0; r < a.replicas(); r++) {
      Span from = span(a, r);
      Span by = span(slopes, r);
      Span to = span(out, r);
      kernels.scale(
          from.buffer(),
          from.at(),
          4 * a.stride(),
          by.buffer(),
          by.at(),
          4 * slopes.stride(),
          group,
          to.buffer(),
          to.at(),
          4 * out.stride(),
          a.rows(),
          wholeVectors(a, slopes, out));
    }
  }

  @Override
  public void softmaxCrossEntropy(
      Matrix logits,
      DeviceArray labels,
      long labelsFrom,
      long labelsStride,
      float factor,
      Matrix gradient,
      Matrix loss,
      Matrix correct) {
    requireColumn("softmaxCrossEntropy", loss, logits.rows());
    requireColumn("softmaxCrossEntropy", correct, logits.rows());
    if (gradient != null) {
      requireSameShape("softmaxCrossEntropy", logits, gradient);
    }
    int classes = logits.columns();
    double[] exponentials = new double[classes];
    for (int r = 0; r < logits.replicas(); r++) {
      Span in = span(logits, r);
      Span classOf =
          array(labels, ElementType.INT32).span(labelsFrom + r * labelsStride, logits.rows());
      Span losses = span(loss, r);
      Span hits = span(correct, r);
      Span out = gradient == null ? null : span(gradient, r);
      for (int i = 0; i < logits.rows(); i++) {
        int row = in.at() + i * 4 * logits.stride();
        int label = classOf.buffer().getInt(classOf.at() + 4 * i);
        int largest = largest(in.buffer(), row, classes);
        double top = in.buffer().getFloat(row + 4 * largest);
        double sum = exponentials(in.buffer(), row, top, exponentials);
        double logit = in.buffer().getFloat(row + 4 * label);
        losses
            .buffer()
            .putFloat(losses.at() + i * 4 * loss.stride(), (float) (Math.log(sum) + top - logit));
        hits.buffer().putFloat(hits.at() + i * 4 * correct.stride(), largest == label ? 1 : 0);
        if (out != null) {
          int outRow = out.at() + i * 4 * gradient.stride();
          for (int c = 0; c < classes; c++) {
            // For the class itself 1 − σ is the sum of the others: no cancellation.
            double g = c == label ? -(sum - exponentials[c]) / sum : exponentials[c] / sum;
            out.buffer().putFloat(outRow + 4 * c, (float) (factor * g));
          }
        }
      }
    }
  }

  private static int largest(ByteBuffer logits, int at, int classes) {
    int largest = 0;
    for (int c = 1; c < classes; c++) {
      if (logits.getFloat(at + 4 * c) > logits.getFloat(at + 4 * largest)) {
        largest = c;
      }
    }
    return largest;
  }

  /** out[c] ← exp(logit c − top); returns their sum. */
  private static double exponentials(ByteBuffer logits, int at, double top, double[] out) {
    double sum = 0;
    for (int c = 0; c < out.length; c++) {
      out[c] = Math.exp(logits.getFloat(at + 4 * c) - top);
      sum += out[c];
    }
    return sum;
  }

  @Override
  public void columnSums(Matrix a, Matrix sums) {
    requireRow("columnSums", sums, a);
    double[] totals = new double[a.columns()];
    for (int r = 0; r < a.replicas(); r++) {
      Arrays.fill(totals, 0);
      Span in = span(a, r);
      for (int i = 0; i < a.rows(); i++) {
        int row = in.at() + i * 4 * a.stride();
        for (int j = 0; j < totals.length; j++) {
          totals[j] += in.buffer().getFloat(row + 4 * j);
        }
      }
      Span out = span(sums, r);
      for (int j = 0; j < totals.length; j++) {
        out.buffer().putFloat(out.at() + 4 * j, (float) totals[j]);
      }
    }
  }

  @Override
  public void haltNonFinite(Matrix sums, DeviceArray running, long runningFrom) {
    Span flags = array(running, ElementType.INT32).span(runningFrom, sums.replicas());
    for (int r = 0; r < sums.replicas(); r++) {
      Span sum = span(sums, r);
      if (!Float.isFinite(sum.buffer().getFloat(sum.at()))) {
        flags.buffer().putInt(flags.at() + 4 * r, 0);
      }
    }
  }

  @Override
  public void update(
      OptimizerRule rule,
      float[] rates,
      DeviceArray running,
      int replicaFrom,
      Matrix weights,
      Matrix gradient,
      Matrix... slots) {
    requireSameShape("update", weights, gradient);
    if (slots.length != rule.slots()) {
      throw new IllegalArgumentException(
          "update: expected %d slots for %s, found %d"
              .formatted(rule.slots(), rule.label(), slots.length));
    }
    for (Matrix slot : slots) {
      requireSameShape("update", weights, slot);
    }
    Span flags = array(running, ElementType.INT32).span(replicaFrom, weights.replicas());
    for (int r = 0; r < weights.replicas(); r++) {
      if (flags.buffer().getInt(flags.at() + 4 * r) == 0) {
        continue;
      }
      Span w = span(weights, r);
      Span g = span(gradient, r);
      Span first = slots.length > 0 ? span(slots[0], r) : new Span(null, 0);
      Span second = slots.length > 1 ? span(slots[1], r) : new Span(null, 0);
      // Rows that follow each other without a gap everywhere are one long row.
      boolean dense = weights.isDense() && gradient.isDense();
      for (Matrix slot : slots) {
        dense &= slot.isDense();
      }
      int rows = dense ? 1 : weights.rows();
      int columns = dense ? weights.rows() * weights.columns() : weights.columns();
      for (int i = 0; i < rows; i++) {
        kernels.update(
            rule,
            rates[replicaFrom + r],
            w.buffer(),
            w.at() + i * 4 * weights.stride(),
            g.buffer(),
            g.at() + i * 4 * gradient.stride(),
            first.buffer(),
            first.at() + (slots.length > 0 ? i * 4 * slots[0].stride() : 0),
            second.buffer(),
            second.at() + (slots.length > 1 ? i * 4 * slots[1].stride() : 0),
            columns);
      }
    }
  }

  @Override
  public void widen(Matrix narrow, Matrix wide) {
    requireSameShape("widen", narrow, wide);
    for (int r = 0; r < narrow.replicas(); r++) {
      Span in = span(narrow, r);
      Span out = span(wide, r);
      for (int i = 0; i < narrow.rows(); i++) {
        int inRow = in.at() + i * 4 * narrow.stride();
        int outRow = out.at() + i * 8 * wide.stride();
        for (int j = 0; j < narrow.columns(); j++) {
          out.buffer().putDouble(outRow + 8 * j, in.buffer().getFloat(inRow + 4 * j));
        }
      }
    }
  }

  @Override
  public void narrow(Matrix wide, Matrix narrow) {
    requireSameShape("narrow", wide, narrow);
    for (int r = 0; r < wide.replicas(); r++) {
      Span in = span(wide, r);
      Span out = span(narrow, r);
      for (int i = 0; i < wide.rows(); i++) {
        int inRow = in.at() + i * 8 * wide.stride();
        int outRow = out.at() + i * 4 * narrow.stride();
        for (int j = 0; j < wide.columns(); j++) {
          out.buffer().putFloat(outRow + 4 * j, (float) in.buffer().getDouble(inRow + 8 * j));
        }
      }
    }
  }

  @Override
  public void combine(
      Matrix vectors,
      int terms,
      int[] indices,
      double[] coefficients,
      Matrix offset,
      double sign,
      Matrix out) {
    require(vectors.columns() == out.columns(), "combine", vectors, out);
    boolean wide = out.data().type() == ElementType.FLOAT64;
    int[] vectorsAt = new int[terms];
    double[] factors = new double[terms];
    for (int r = 0; r < out.replicas(); r++) {
      Span in = span(vectors, r);
      Span add = offset == null ? new Span(null, 0) : span(offset, r);
      Span to = span(out, r);
      for (int i = 0; i < out.rows(); i++) {
        for (int k = 0; k < terms; k++) {
          vectorsAt[k] = in.at() + 8 * vectors.stride() * indices[i * terms + k];
          factors[k] = coefficients[i * terms + k];
        }
        kernels.combine(
            in.buffer(),
            vectorsAt,
            factors,
            add.buffer(),
            add.at(),
            sign,
            to.buffer(),
            to.at() + i * out.stride() * out.data().type().bytes(),
            wide,
            out.columns());
      }
    }
  }

  @Override
  public void activateReferences(Activation activation, Matrix z, Matrix bias, Matrix knots) {
    require(
        knots.rows() == 3 * z.rows() && knots.columns() == z.columns(),
        "activateReferences",
        z,
        knots);
    boolean tanh = activation == Activation.TANH;
    for (int r = 0; r < z.replicas(); r++) {
      Span in = span(z, r);
      Span add = bias == null ? null : span(bias, r);
      Span out = span(knots, r);
      for (int i = 0; i < z.rows(); i++) {
        int row = in.at() + i * 8 * z.stride();
        int lowRow = out.at() + 3 * i * 4 * knots.stride();
        int highRow = lowRow + 4 * knots.stride();
        int baseRow = highRow + 4 * knots.stride();
        for (int j = 0; j < z.columns(); j++) {
          double v =
              in.buffer().getDouble(row + 8 * j)
                  + (add == null ? 0 : add.buffer().getFloat(add.at() + 4 * j));
          float low = (float) (activation.low() - v);
          float high = (float) (activation.high() - v);
          out.buffer().putFloat(lowRow + 4 * j, low);
          out.buffer().putFloat(highRow + 4 * j, high);
          // From the rounded knots, so that a difference of zero changes the output by zero.
          float base = tanh ? (float) Math.tanh(v) : 0 <= low ? low : 0 > high ? high : 0;
          out.buffer().putFloat(baseRow + 4 * j, base);
          in.buffer().putDouble(row + 8 * j, activation.value(v));
        }
        // Padding that no difference can cross.
        for (int j = z.columns(); knots.padded() && j < knots.stride(); j++) {
          out.buffer().putFloat(lowRow + 4 * j, Float.MAX_VALUE);
          out.buffer().putFloat(highRow + 4 * j, Float.MAX_VALUE);
          out.buffer().putFloat(baseRow + 4 * j, 0);
        }
      }
    }
  }

  @Override
  public void activateDifferences(
      Activation activation, Matrix z, Matrix knots, DeviceArray counts, long countsFrom) {
    require(
        knots.rows() == 3 && knots.columns() == z.columns() && z.replicas() == 1,
        "activateDifferences",
        z,
        knots);
    Span rows = span(z, 0);
    Span at = span(knots, 0);
    Span out = array(counts, ElementType.INT32).span(countsFrom, z.rows() - 1);
    kernels.activateDifferences(
        activation,
        rows.buffer(),
        rows.at(),
        4 * z.stride(),
        at.buffer(),
        at.at(),
        4 * knots.stride(),
        out.buffer(),
        out.at(),
        z.rows(),
        wholeVectors(z, knots));
  }

  @Override
  public void probabilitySeeds(Matrix logits, Matrix seeds, Matrix scales) {
    int classes = logits.columns();
    require(
        seeds.rows() == logits.rows() * (classes - 1) && seeds.columns() == classes,
        "probabilitySeeds",
        logits,
        seeds);
    requireColumn("probabilitySeeds", scales, logits.rows());
    double[] exponentials = new double[classes];
    double[] covariance = new double[classes * classes];
    double[] out = new double[(classes - 1) * classes];
    for (int r = 0; r < logits.replicas(); r++) {
      Span in = span(logits, r);
      Span to = span(seeds, r);
      Span scale = span(scales, r);
      for (int i = 0; i < logits.rows(); i++) {
        int row = in.at() + i * 4 * logits.stride();
        double top = in.buffer().getFloat(row + 4 * largest(in.buffer(), row, classes));
        double sum = exponentials(in.buffer(), row, top, exponentials);
        softmaxCovariance(exponentials, sum, covariance);
        double magnitude = sumZeroBasisTimes(covariance, classes, out);
        scale.buffer().putDouble(scale.at() + i * 8 * scales.stride(), magnitude);
        for (int k = 0; k < classes - 1; k++) {
          int seedRow = to.at() + (i * (classes - 1) + k) * 4 * seeds.stride();
          for (int c = 0; c < classes; c++) {
            double value = magnitude == 0 ? 0 : out[k * classes + c] / magnitude;
            to.buffer().putFloat(seedRow + 4 * c, (float) value);
          }
        }
      }
    }
  }

  /** S = diag σ − σσᵀ, with 1 − σ as the sum of the other probabilities: no cancellation. */
  private static void softmaxCovariance(double[] exponentials, double sum, double[] covariance) {
    int n = exponentials.length;
    for (int i = 0; i < n; i++) {
      double others = 0;
      for (int j = 0; j < n; j++) {
        if (j != i) {
          others += exponentials[j];
          covariance[i * n + j] = -(exponentials[i] / sum) * (exponentials[j] / sum);
        }
      }
      covariance[i * n + i] = exponentials[i] / sum * (others / sum);
    }
  }

  /**
   * out ← U S with the rows of Helmert's basis, uₖ = (1, …, 1, −k, 0, …, 0) / √(k(k+1)) with k
   * ones, k = 1 … n − 1. Returns the largest absolute entry.
   */
  private static double sumZeroBasisTimes(double[] covariance, int n, double[] out) {
    double magnitude = 0;
    for (int c = 0; c < n; c++) {
      double before = 0;
      for (int k = 1; k < n; k++) {
        before += covariance[(k - 1) * n + c];
        double value = (before - k * covariance[k * n + c]) / Math.sqrt((double) k * (k + 1));
        out[(k - 1) * n + c] = value;
        magnitude = Math.max(magnitude, Math.abs(value));
      }
    }
    return magnitude;
  }

  @Override
  public void logitSeeds(Matrix seeds) {
    int classes = seeds.columns();
    for (int r = 0; r < seeds.replicas(); r++) {
      Span to = span(seeds, r);
      for (int i = 0; i < seeds.rows(); i++) {
        for (int c = 0; c < classes; c++) {
          to.buffer().putFloat(to.at() + 4 * (i * seeds.stride() + c), i % classes == c ? 1 : 0);
        }
      }
    }
  }

  @Override
  public void groupDots(Matrix a, Matrix b, int group, Matrix out) {
    requireSameShape("groupDots", a, b);
    requireColumn("groupDots", out, a.rows() / group);
    for (int r = 0; r < a.replicas(); r++) {
      Span left = span(a, r);
      Span right = span(b, r);
      Span to = span(out, r);
      for (int i = 0; i < out.rows(); i++) {
        double sum = 0;
        for (int g = i * group; g < (i + 1) * group; g++) {
          sum +=
              kernels.dot(
                  left.buffer(),
                  left.at() + g * 4 * a.stride(),
                  right.buffer(),
                  right.at() + g * 4 * b.stride(),
                  a.columns());
        }
        to.buffer().putDouble(to.at() + i * 8 * out.stride(), sum);
      }
    }
  }

  @Override
  public void groupGrams(Matrix a, int group, Matrix grams) {
    require(
        grams.rows() * group == a.rows() && grams.columns() == group * group,
        "groupGrams",
        a,
        grams);
    for (int r = 0; r < a.replicas(); r++) {
      Span in = span(a, r);
      Span out = span(grams, r);
      for (int i = 0; i < grams.rows(); i++) {
        int to = out.at() + i * 8 * grams.stride();
        for (int p = 0; p < group; p++) {
          for (int q = 0; q <= p; q++) {
            double dot =
                kernels.dot(
                    in.buffer(),
                    in.at() + (i * group + p) * 4 * a.stride(),
                    in.buffer(),
                    in.at() + (i * group + q) * 4 * a.stride(),
                    a.columns());
            out.buffer().putDouble(to + 8 * (p * group + q), dot);
            out.buffer().putDouble(to + 8 * (q * group + p), dot);
          }
        }
      }
    }
  }

  @Override
  public void probabilityNorms(Matrix logits, Matrix grams, int[] regions, Matrix norms) {
    int classes = logits.columns();
    require(grams.columns() == classes * classes, "probabilityNorms", logits, grams);
    requireColumn("probabilityNorms", norms, logits.rows());
    Span in = span(logits, 0);
    Span gram = span(grams, 0);
    Span out = span(norms, 0);
    double[] sigma = new double[classes];
    double[] g = new double[classes * classes];
    int copied = -1;
    for (int i = 0; i < logits.rows(); i++) {
      if (regions[i] != copied) {
        copied = regions[i];
        gram.buffer()
            .slice(gram.at() + copied * 8 * grams.stride(), 8 * g.length)
            .order(ByteOrder.nativeOrder())
            .asDoubleBuffer()
            .get(g);
      }
      int row = in.at() + i * 4 * logits.stride();
      int largest = largest(in.buffer(), row, classes);
      double top = in.buffer().getFloat(row + 4 * largest);
      double sum = exponentials(in.buffer(), row, top, sigma);
      for (int c = 0; c < classes; c++) {
        sigma[c] /= sum;
      }
      out.buffer().putDouble(out.at() + i * 8 * norms.stride(), norm(sigma, largest, g));
    }
  }

  /**
   * ‖(diag σ − σσᵀ) A‖ from G = A Aᵀ. The rows of A are taken relative to that of the most probable
   * class y, bᵢ = aᵢ − a_y, so that nothing cancels where σ_y is almost 1: row i of J is σᵢ (bᵢ −
   * m) with m = Σⱼ σⱼ bⱼ, and b_y = 0.
   */
  private static double norm(double[] sigma, int y, double[] g) {
    int n = sigma.length;
    double squaredMean = 0;
    double total = 0;
    double weight = sigma[y] * sigma[y];
    for (int i = 0; i < n; i++) {
      if (i == y) {
        continue;
      }
      double alongMean = 0;
      for (int j = 0; j < n; j++) {
        if (j != y) {
          alongMean += sigma[j] * (g[i * n + j] - g[i * n + y] - g[j * n + y] + g[y * n + y]);
        }
      }
      double square = g[i * n + i] - 2 * g[i * n + y] + g[y * n + y];
      squaredMean += sigma[i] * alongMean;
      total += sigma[i] * sigma[i] * (square - 2 * alongMean);
      weight += sigma[i] * sigma[i];
    }
    // Rounding may leave a tiny negative number where A is constant over the classes.
    return Math.sqrt(Math.max(0, total + weight * squaredMean));
  }

  private static CpuArray array(DeviceArray array, ElementType type) {
    if (array.type() != type) {
      throw new IllegalArgumentException("expected %s, found %s".formatted(type, array.type()));
    }
    return array(array);
  }

  private static CpuArray array(Matrix matrix, ElementType type) {
    return array(matrix.data(), type);
  }

  private static CpuArray array(Matrix matrix) {
    return array(matrix.data());
  }

  private static CpuArray array(DeviceArray array) {
    if (array instanceof CpuArray cpu) {
      return cpu;
    }
    throw new IllegalArgumentException("expected memory of the CPU, found " + array.getClass());
  }

  private static Span span(Matrix matrix, int replica) {
    long elements =
        matrix.rows() == 0
            ? 0
            : (matrix.rows() - 1L) * matrix.stride()
                + (matrix.padded() ? Matrix.paddedColumns(matrix.columns()) : matrix.columns());
    return array(matrix).span(matrix.start(replica), elements);
  }

  /** Columns up to which an element-wise loop may run: through the padding, where all have it. */
  private static int wholeVectors(Matrix... operands) {
    int columns = operands[0].columns();
    for (Matrix operand : operands) {
      if (!operand.padded()) {
        return columns;
      }
    }
    return Matrix.paddedColumns(columns);
  }

  private static void requireSameShape(String operation, Matrix a, Matrix b) {
    require(
        a.rows() == b.rows() && a.columns() == b.columns() && a.replicas() == b.replicas(),
        operation,
        a,
        b);
  }

  private static void requireRow(String operation, Matrix row, Matrix like) {
    require(
        row.rows() == 1 && row.columns() == like.columns() && row.replicas() == like.replicas(),
        operation,
        row,
        like);
  }

  private static void requireColumn(String operation, Matrix column, int rows) {
    if (column.rows() != rows || column.columns() != 1) {
      throw new IllegalArgumentException(
          "%s: expected %d × 1, found %d × %d"
              .formatted(operation, rows, column.rows(), column.columns()));
    }
  }

  private static void require(boolean fits, String operation, Matrix... operands) {
    if (!fits) {
      StringBuilder shapes = new StringBuilder(operation + ": shapes don't fit:");
      for (Matrix m : operands) {
        shapes.append(" %d × (%d × %d)".formatted(m.replicas(), m.rows(), m.columns()));
      }
      throw new IllegalArgumentException(shapes.toString());
    }
  }
}
