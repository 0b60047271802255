package dev.flinch.device.cpu;

import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.ImageMove;
import dev.flinch.device.ImageShape;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.PatchShape;
import dev.flinch.device.PatternHash;
import dev.flinch.device.PoolShape;
import dev.flinch.device.cpu.CpuArray.Span;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;

/** Carries each operation out at once, on the thread that asks. */
final class CpuLane implements Lane {
  /** A tile of a product of Grams: two of them, and what they are added to, stay in cache. */
  private static final int GRAM_ROWS = 128;

  private static final int GRAM_COLUMNS = 512;

  private final int index;
  private final ElementKernels kernels;
  private final Blas blas = new Blas();

  /** Two tiles of a product of Grams, made when first needed. */
  private CpuArray gramTiles;

  /** An image with zeros around it, made when first needed. */
  private CpuArray framedImage;

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
    OperandShapes.gemm(transposeA, a, transposeB, b, c);
    int m = c.rows();
    int n = c.columns();
    int k = transposeA ? a.rows() : a.columns();
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
  public void gather(Matrix source, DeviceArray indices, long from, long stride, Matrix out) {
    OperandShapes.gather(source, out);
    int bytes = 4 * out.columns();
    for (int r = 0; r < out.replicas(); r++) {
      Span list = array(indices, ElementType.INT32).span(from + r * stride, out.rows());
      Span to = span(out, r);
      for (int i = 0; i < out.rows(); i++) {
        int row = index(list, i, source.rows());
        Span one = array(source).span(source.start(0, row), source.columns());
        to.buffer().put(to.at() + i * 4 * out.stride(), one.buffer(), one.at(), bytes);
      }
    }
  }

  private static int index(Span list, int i, long rows) {
    int row = list.buffer().getInt(list.at() + 4 * i);
    if (row < 0 || row >= rows) {
      throw new IllegalArgumentException("gather: row %d of %d rows".formatted(row, rows));
    }
    return row;
  }

  @Override
  public void gatherImages(
      DeviceArray pixels,
      ImageShape shape,
      DeviceArray indices,
      DeviceArray moves,
      long from,
      long stride,
      Matrix out) {
    OperandShapes.gatherImages(shape, out);
    CpuArray images = array(pixels, ElementType.UINT8);
    int d = shape.size();
    int[] rows = new int[shape.height()];
    int[] columns = new int[shape.width()];
    byte[] image = new byte[d];
    float[] normalised = new float[256];
    for (int r = 0; r < out.replicas(); r++) {
      Span list = array(indices, ElementType.INT32).span(from + r * stride, out.rows());
      Span moved =
          moves == null
              ? null
              : array(moves, ElementType.INT32).span(from + r * stride, out.rows());
      Span to = span(out, r);
      for (int i = 0; i < out.rows(); i++) {
        Span source = images.span((long) index(list, i, pixels.length() / d) * d, d);
        source.buffer().get(source.at(), image);
        long sum = 0;
        long squares = 0;
        for (byte value : image) {
          int pixel = value & 0xff;
          sum += pixel;
          squares += pixel * pixel;
        }
        // Whole numbers are summed without rounding: the variance is exact up to its last
        // divisions.
        double mean = (double) sum / d;
        double variance = (double) (squares * d - sum * sum) / d / d;
        double scale = variance > 0 ? 1 / Math.sqrt(variance) : 0;
        int move = moved == null ? 0 : moved.buffer().getInt(moved.at() + 4 * i);
        if (ImageMove.turns(move) && shape.height() != shape.width()) {
          throw new IllegalArgumentException("gatherImages: a quarter turn of images of " + shape);
        }
        for (int pixel = 0; pixel < normalised.length; pixel++) {
          normalised[pixel] = (float) ((pixel - mean) * scale);
        }
        // A row and a column of a moved image each come from one of the image as it was, so that
        // the place of a component is a sum.
        for (int y = 0; y < rows.length; y++) {
          rows[y] = ImageMove.source(move, shape, y * shape.width());
        }
        for (int x = 0; x < columns.length; x++) {
          columns[x] = ImageMove.source(move, shape, x) - rows[0];
        }
        int at = to.at() + i * 4 * out.stride();
        for (int plane = 0; plane < d; plane += shape.height() * shape.width()) {
          for (int row : rows) {
            for (int column : columns) {
              to.buffer().putFloat(at, normalised[image[plane + row + column] & 0xff]);
              at += 4;
            }
          }
        }
      }
    }
  }

  @Override
  public void addBias(Matrix z, Matrix bias) {
    OperandShapes.addBias(z, bias);
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
    OperandShapes.activate(z, bias, h);
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
    OperandShapes.scale(a, slopes, group, out);
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
    OperandShapes.softmaxCrossEntropy(logits, gradient, loss, correct);
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
    OperandShapes.columnSums(a, sums);
    double[] totals = new double[a.columns()];
    for (int r = 0; r < a.replicas(); r++) {
      Arrays.fill(totals, 0);
      Span in = span(a, r);
      kernels.addRows(in.buffer(), in.at(), 4 * a.stride(), a.rows(), totals);
      Span out = span(sums, r);
      for (int j = 0; j < totals.length; j++) {
        out.buffer().putFloat(out.at() + 4 * j, (float) totals[j]);
      }
    }
  }

  @Override
  public void haltNonFinite(Matrix sums, DeviceArray running, long runningFrom) {
    OperandShapes.haltNonFinite(sums);
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
      DeviceArray rates,
      DeviceArray running,
      int replicaFrom,
      Matrix weights,
      Matrix gradient,
      Matrix... slots) {
    OperandShapes.update(rule, weights, gradient, slots);
    Span flags = array(running, ElementType.INT32).span(replicaFrom, weights.replicas());
    Span rate = array(rates, ElementType.FLOAT32).span(replicaFrom, weights.replicas());
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
            rate.buffer().getFloat(rate.at() + 4 * r),
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
    OperandShapes.widen(narrow, wide);
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
    OperandShapes.narrow(wide, narrow);
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
    OperandShapes.combine(vectors, terms, indices, coefficients, offset, out);
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
    OperandShapes.activateReferences(z, bias, knots);
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
    OperandShapes.activateDifferences(z, knots);
    if (z.rows() == 0) {
      return;
    }
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
    OperandShapes.probabilitySeeds(logits, seeds, scales);
    int classes = logits.columns();
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
  public void crossEntropySeeds(
      Matrix logits, DeviceArray labels, long labelsFrom, Matrix seeds, Matrix scales) {
    OperandShapes.crossEntropySeeds(logits, seeds, scales);
    int classes = logits.columns();
    double[] others = new double[classes];
    Span classOf = array(labels, ElementType.INT32).span(labelsFrom, logits.rows());
    for (int r = 0; r < logits.replicas(); r++) {
      Span in = span(logits, r);
      Span to = span(seeds, r);
      Span scale = span(scales, r);
      for (int i = 0; i < logits.rows(); i++) {
        int row = in.at() + i * 4 * logits.stride();
        int label = classOf.buffer().getInt(classOf.at() + 4 * i);
        double top = Double.NEGATIVE_INFINITY;
        double finite = 0;
        for (int c = 0; c < classes; c++) {
          float logit = in.buffer().getFloat(row + 4 * c);
          // NaN where the logit is not finite.
          finite += logit - logit;
          top = c == label ? top : Math.max(top, logit);
        }
        double sum = 0;
        for (int c = 0; c < classes; c++) {
          others[c] = c == label ? 0 : Math.exp(in.buffer().getFloat(row + 4 * c) - top);
          sum += others[c];
        }
        // 1 − σ = odds / (1 + odds), the odds of the others against the label.
        double logOdds = top - in.buffer().getFloat(row + 4 * label);
        double odds = sum * Math.exp(Math.min(logOdds, 0));
        double against = Math.exp(Math.min(-logOdds, 0));
        scale
            .buffer()
            .putDouble(
                scale.at() + i * 8 * scales.stride(),
                classes == 1 ? finite : odds / (against + odds) + finite);
        int out = to.at() + i * 4 * seeds.stride();
        for (int c = 0; c < classes; c++) {
          double seed = classes == 1 ? 0 : c == label ? -1 : others[c] / sum;
          to.buffer().putFloat(out + 4 * c, (float) seed);
        }
      }
    }
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
  public void groupNorms(Matrix a, int group, Matrix scales, Matrix norms) {
    OperandShapes.groupNorms(a, group, scales, norms);
    for (int r = 0; r < a.replicas(); r++) {
      Span in = span(a, r);
      Span by = scales == null ? null : span(scales, r);
      Span out = span(norms, r);
      for (int i = 0; i < norms.rows(); i++) {
        double sum = 0;
        for (int g = i * group; g < (i + 1) * group; g++) {
          int row = in.at() + g * 4 * a.stride();
          sum += kernels.dot(in.buffer(), row, in.buffer(), row, a.columns());
        }
        double scale = by == null ? 1 : by.buffer().getDouble(by.at() + i * 8 * scales.stride());
        out.buffer().putDouble(out.at() + i * 8 * norms.stride(), scale * Math.sqrt(sum));
      }
    }
  }

  @Override
  public void unitRows(Matrix a, Matrix out, Matrix norms) {
    OperandShapes.unitRows(a, out, norms);
    int columns = a.columns();
    double appended = out.columns() - columns;
    for (int r = 0; r < a.replicas(); r++) {
      Span in = span(a, r);
      Span to = span(out, r);
      Span length = span(norms, r);
      for (int i = 0; i < a.rows(); i++) {
        int row = in.at() + i * 4 * a.stride();
        int outRow = to.at() + i * 4 * out.stride();
        double squares = kernels.dot(in.buffer(), row, in.buffer(), row, columns);
        // Squares of values far from 1 are not numbers of float32, in which vectors are summed.
        boolean ordinary = squares > 1e-25 && squares < 1e25;
        if (!ordinary) {
          squares = 0;
          for (int j = 0; j < 4 * columns; j += 4) {
            double value = in.buffer().getFloat(row + j);
            squares += value * value;
          }
        }
        double norm = Math.sqrt(squares + appended);
        double inverse = norm == 0 ? 0 : 1 / norm;
        if (ordinary) {
          kernels.multiply(in.buffer(), row, (float) inverse, to.buffer(), outRow, columns);
        } else {
          for (int j = 0; j < 4 * columns; j += 4) {
            to.buffer().putFloat(outRow + j, (float) (in.buffer().getFloat(row + j) * inverse));
          }
        }
        if (appended > 0) {
          to.buffer().putFloat(outRow + 4 * columns, (float) inverse);
        }
        length.buffer().putDouble(length.at() + i * 8 * norms.stride(), norm);
      }
    }
  }

  @Override
  public void gramProduct(
      Matrix a, Matrix b, Matrix d, Matrix e, Matrix u, Matrix v, float beta, Matrix c) {
    OperandShapes.gramProduct(a, b, d, e, u, v, c);
    for (int r = 0; r < c.replicas(); r++) {
      for (int row = 0; row < c.rows(); row += GRAM_ROWS) {
        int rows = Math.min(GRAM_ROWS, c.rows() - row);
        for (int column = 0; column < c.columns(); column += GRAM_COLUMNS) {
          int columns = Math.min(GRAM_COLUMNS, c.columns() - column);
          gramTile(
              part(a, r, row, rows),
              part(b, r, column, columns),
              part(d, r, row, rows),
              part(e, r, column, columns),
              u == null ? null : u.replicas(r, 1).columns(row, rows),
              v == null ? null : v.replicas(r, 1).columns(column, columns),
              beta,
              part(c, r, row, rows).columns(column, columns));
        }
      }
    }
  }

  private static Matrix part(Matrix matrix, int replica, int from, int rows) {
    return matrix.replicas(replica, 1).rows(from, rows);
  }

  /** A tile whose two products stay in cache until they are multiplied. */
  private void gramTile(
      Matrix a, Matrix b, Matrix d, Matrix e, Matrix u, Matrix v, float beta, Matrix c) {
    int columns = c.columns();
    Matrix[] products = gramProducts(c.rows(), columns);
    gemm(false, a, true, b, 0, products[0]);
    gemm(false, d, true, e, 0, products[1]);
    Span p = span(products[0], 0);
    Span q = span(products[1], 0);
    Span out = span(c, 0);
    Span rowFactors = u == null ? null : span(u, 0);
    Span columnFactors = v == null ? new Span(null, 0) : span(v, 0);
    for (int i = 0; i < c.rows(); i++) {
      int from = 4 * i * products[0].stride();
      kernels.addProduct(
          p.buffer(),
          p.at() + from,
          q.buffer(),
          q.at() + from,
          u == null ? 1 : rowFactors.buffer().getFloat(rowFactors.at() + 4 * i),
          columnFactors.buffer(),
          columnFactors.at(),
          beta,
          out.buffer(),
          out.at() + 4 * i * c.stride(),
          columns);
    }
  }

  private Matrix[] gramProducts(int rows, int columns) {
    if (gramTiles == null) {
      gramTiles =
          new CpuArray(ElementType.FLOAT32, 2L * GRAM_ROWS * GRAM_COLUMNS, new AtomicLong());
    }
    return new Matrix[] {
      new Matrix(gramTiles, 0, rows, columns, GRAM_COLUMNS, false, 1, 0),
      new Matrix(gramTiles, GRAM_ROWS * GRAM_COLUMNS, rows, columns, GRAM_COLUMNS, false, 1, 0)
    };
  }

  /** Frees what the lane keeps between operations. */
  void close() {
    if (gramTiles != null) {
      gramTiles.close();
      gramTiles = null;
    }
    if (framedImage != null) {
      framedImage.close();
      framedImage = null;
    }
  }

  @Override
  public void groupGrams(Matrix a, int group, Matrix grams) {
    OperandShapes.groupGrams(a, group, grams);
    Span[] rows = new Span[group];
    for (int r = 0; r < a.replicas(); r++) {
      Span out = span(grams, r);
      for (int i = 0; i < grams.rows(); i++) {
        int to = out.at() + i * 8 * grams.stride();
        for (int p = 0; p < group; p++) {
          // Row by row, since the rows of a group may be further apart than a buffer reaches.
          rows[p] = array(a).span(a.start(r, i * group + p), a.columns());
          for (int q = 0; q <= p; q++) {
            double dot =
                kernels.dot(
                    rows[p].buffer(), rows[p].at(), rows[q].buffer(), rows[q].at(), a.columns());
            out.buffer().putDouble(to + 8 * (p * group + q), dot);
            out.buffer().putDouble(to + 8 * (q * group + p), dot);
          }
        }
      }
    }
  }

  @Override
  public void probabilityNorms(Matrix logits, Matrix grams, int[] regions, Matrix norms) {
    OperandShapes.probabilityNorms(logits, grams, regions, norms);
    int classes = logits.columns();
    Span in = span(logits, 0);
    Span gram = span(grams, 0);
    Span out = span(norms, 0);
    double[] sigma = new double[classes];
    RegionNorm region = new RegionNorm(classes);
    int entered = -1;
    for (int i = 0; i < logits.rows(); i++) {
      if (regions[i] != entered) {
        entered = regions[i];
        region.enter();
        gram.buffer()
            .slice(gram.at() + entered * 8 * grams.stride(), 8 * region.gram().length)
            .order(ByteOrder.nativeOrder())
            .asDoubleBuffer()
            .get(region.gram());
      }
      int row = in.at() + i * 4 * logits.stride();
      int largest = largest(in.buffer(), row, classes);
      exponentials(in.buffer(), row, in.buffer().getFloat(row + 4 * largest), sigma);
      out.buffer().putDouble(out.at() + i * 8 * norms.stride(), region.norm(sigma, largest));
    }
  }

  @Override
  public void hashPatterns(
      Activation activation, Matrix z, Matrix bias, long firstUnit, DeviceArray hashes, long from) {
    OperandShapes.hashPatterns(z, bias);
    long[] keys = new long[z.columns()];
    Arrays.setAll(keys, j -> PatternHash.key(firstUnit + j));
    Span in = span(z, 0);
    Span add = bias == null ? null : span(bias, 0);
    Span out = array(hashes, ElementType.INT64).span(from, z.rows());
    for (int i = 0; i < z.rows(); i++) {
      int row = in.at() + i * 4 * z.stride();
      long hash = out.buffer().getLong(out.at() + 8 * i);
      for (int j = 0; j < keys.length; j++) {
        float value = in.buffer().getFloat(row + 4 * j);
        if (add != null) {
          value += add.buffer().getFloat(add.at() + 4 * j);
        }
        hash += activation.code(value) * keys[j];
      }
      out.buffer().putLong(out.at() + 8 * i, hash);
    }
  }

  @Override
  public void countPatterns(DeviceArray hashes, long from, int count, DeviceArray out, long at) {
    long[] sorted = new long[count];
    Span in = array(hashes, ElementType.INT64).span(from, count);
    long runs = count == 0 ? 0 : 1;
    for (int i = 0; i < count; i++) {
      sorted[i] = in.buffer().getLong(in.at() + 8 * i);
      runs += i > 0 && sorted[i] != sorted[i - 1] ? 1 : 0;
    }
    Arrays.sort(sorted);
    long distinct = count == 0 ? 0 : 1;
    for (int i = 1; i < count; i++) {
      distinct += sorted[i] != sorted[i - 1] ? 1 : 0;
    }
    Span to = array(out, ElementType.INT64).span(at, 2);
    to.buffer().putLong(to.at(), distinct);
    to.buffer().putLong(to.at() + 8, runs);
  }

  @Override
  public void patches(Matrix images, PatchShape shape, Matrix out) {
    OperandShapes.patches(images, shape, out);
    int bytes = out.data().type().bytes();
    boolean appended = out.columns() > shape.size();
    Span framed = framed(MapKernels.framedBytes(shape, bytes));
    for (int r = 0; r < images.replicas(); r++) {
      for (int i = 0; i < images.rows(); i++) {
        Span from = row(images, r, i);
        Span to = rows(out, r, i * shape.positions(), shape.positions());
        MapKernels.patches(
            kernels,
            from.buffer(),
            from.at(),
            shape,
            bytes,
            framed.buffer(),
            framed.at(),
            to.buffer(),
            to.at(),
            bytes * out.stride(),
            appended);
      }
    }
  }

  /** Zeros for an image with a frame. */
  private Span framed(int bytes) {
    int floats = (bytes + 3) / 4;
    if (framedImage == null || framedImage.length() < floats) {
      if (framedImage != null) {
        framedImage.close();
      }
      framedImage = new CpuArray(ElementType.FLOAT32, floats, new AtomicLong());
    }
    Span room = framedImage.span(0, floats);
    MapKernels.zero(room.buffer(), room.at(), bytes);
    return room;
  }

  @Override
  public void patchSums(Matrix patches, PatchShape shape, Matrix images) {
    OperandShapes.patchSums(patches, shape, images);
    for (int r = 0; r < images.replicas(); r++) {
      for (int i = 0; i < images.rows(); i++) {
        Span from = rows(patches, r, i * shape.positions(), shape.positions());
        Span to = row(images, r, i);
        MapKernels.patchSums(
            kernels, from.buffer(), from.at(), 4 * patches.stride(), shape, to.buffer(), to.at());
      }
    }
  }

  @Override
  public void maxPool(Matrix h, PoolShape shape, Matrix slopes, Matrix out) {
    OperandShapes.maxPool(h, shape, slopes, out);
    for (int r = 0; r < h.replicas(); r++) {
      for (int i = 0; i < h.rows(); i++) {
        Span from = row(h, r, i);
        Span by = slopes == null ? new Span(null, 0) : row(slopes, r, i);
        Span to = row(out, r, i);
        MapKernels.maxPool(
            kernels, from.buffer(), from.at(), shape, by.buffer(), by.at(), to.buffer(), to.at());
      }
    }
  }

  @Override
  public void unpool(Matrix errors, PoolShape shape, Matrix slopes, int group, Matrix out) {
    OperandShapes.unpool(errors, shape, slopes, group, out);
    for (int r = 0; r < out.replicas(); r++) {
      for (int i = 0; i < out.rows(); i++) {
        Span from = row(errors, r, i);
        Span by = row(slopes, r, i / group);
        Span to = row(out, r, i);
        MapKernels.unpool(
            kernels, from.buffer(), from.at(), shape, by.buffer(), by.at(), to.buffer(), to.at());
      }
    }
  }

  @Override
  public void poolReferences(Matrix h, PoolShape shape, Matrix gaps, Matrix out) {
    OperandShapes.poolReferences(h, shape, gaps, out);
    for (int r = 0; r < h.replicas(); r++) {
      for (int i = 0; i < h.rows(); i++) {
        Span from = row(h, r, i);
        Span below = row(gaps, r, i);
        Span to = row(out, r, i);
        MapKernels.poolReferences(
            from.buffer(), from.at(), shape, below.buffer(), below.at(), to.buffer(), to.at());
      }
    }
  }

  @Override
  public void poolDifferences(Matrix z, PoolShape shape, Matrix gaps, Matrix out) {
    OperandShapes.poolDifferences(z, shape, gaps, out);
    for (int r = 0; r < z.replicas(); r++) {
      Span below = row(gaps, r, 0);
      for (int i = 0; i < z.rows(); i++) {
        Span from = row(z, r, i);
        Span to = row(out, r, i);
        MapKernels.poolDifferences(
            kernels,
            from.buffer(),
            from.at(),
            shape,
            below.buffer(),
            below.at(),
            to.buffer(),
            to.at());
      }
    }
  }

  private static Span row(Matrix matrix, int replica, int row) {
    return rows(matrix, replica, row, 1);
  }

  /** Some rows, which may be further on than one buffer reaches. */
  private static Span rows(Matrix matrix, int replica, int from, int count) {
    return array(matrix)
        .span(matrix.start(replica, from), (count - 1L) * matrix.stride() + matrix.columns());
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
}
