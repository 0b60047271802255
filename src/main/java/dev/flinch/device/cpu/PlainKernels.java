package dev.flinch.device.cpu;

import dev.flinch.device.Activation;
import dev.flinch.device.OptimizerRule;
import java.nio.ByteBuffer;

/**
 * Plain loops: what {@link VectorKernels} is checked against, and what serves where it can't run.
 */
final class PlainKernels implements ElementKernels {
  @Override
  public String description() {
    return "plain loops";
  }

  @Override
  public void activate(
      Activation activation,
      ByteBuffer z,
      int zAt,
      int zStride,
      ByteBuffer bias,
      int biasAt,
      ByteBuffer h,
      int hAt,
      int hStride,
      int rows,
      int columns) {
    for (int i = 0; i < rows; i++) {
      activateRow(activation, z, zAt + i * zStride, bias, biasAt, h, hAt + i * hStride, 0, columns);
    }
  }

  /** Columns {@code from} to {@code to − 1} of one row. */
  static void activateRow(
      Activation activation,
      ByteBuffer z,
      int zAt,
      ByteBuffer bias,
      int biasAt,
      ByteBuffer h,
      int hAt,
      int from,
      int to) {
    float low = (float) activation.low();
    float high = (float) activation.high();
    float shift = (float) activation.shift();
    for (int j = 4 * from; j < 4 * to; j += 4) {
      float v = z.getFloat(zAt + j) + (bias == null ? 0 : bias.getFloat(biasAt + j));
      if (activation == Activation.TANH) {
        double t = Math.tanh(v);
        h.putFloat(hAt + j, (float) t);
        z.putFloat(zAt + j, (float) (1 - t * t));
      } else {
        // Comparisons that are false for NaN, so that it passes through and is seen.
        boolean below = v <= low;
        boolean above = v > high;
        h.putFloat(hAt + j, (below ? low : above ? high : v) + shift);
        z.putFloat(zAt + j, below || above ? 0 : 1);
      }
    }
  }

  @Override
  public void scale(
      ByteBuffer a,
      int aAt,
      int aStride,
      ByteBuffer slopes,
      int slopesAt,
      int slopesStride,
      int group,
      ByteBuffer out,
      int outAt,
      int outStride,
      int rows,
      int columns) {
    for (int i = 0; i < rows; i++) {
      scaleRow(
          a,
          aAt + i * aStride,
          slopes,
          slopesAt + i / group * slopesStride,
          out,
          outAt + i * outStride,
          0,
          columns);
    }
  }

  static void scaleRow(
      ByteBuffer a,
      int aAt,
      ByteBuffer slopes,
      int slopesAt,
      ByteBuffer out,
      int outAt,
      int from,
      int to) {
    for (int j = 4 * from; j < 4 * to; j += 4) {
      out.putFloat(outAt + j, a.getFloat(aAt + j) * slopes.getFloat(slopesAt + j));
    }
  }

  @Override
  public void update(
      OptimizerRule rule,
      float rate,
      ByteBuffer weights,
      int weightsAt,
      ByteBuffer gradient,
      int gradientAt,
      ByteBuffer first,
      int firstAt,
      ByteBuffer second,
      int secondAt,
      int columns) {
    updateRow(
        rule,
        rate,
        weights,
        weightsAt,
        gradient,
        gradientAt,
        first,
        firstAt,
        second,
        secondAt,
        0,
        columns);
  }

  static void updateRow(
      OptimizerRule rule,
      float rate,
      ByteBuffer weights,
      int weightsAt,
      ByteBuffer gradient,
      int gradientAt,
      ByteBuffer first,
      int firstAt,
      ByteBuffer second,
      int secondAt,
      int from,
      int to) {
    float decay = OptimizerRule.DECAY;
    float secondDecay = OptimizerRule.SECOND_DECAY;
    for (int j = 4 * from; j < 4 * to; j += 4) {
      float w = weights.getFloat(weightsAt + j);
      float g = gradient.getFloat(gradientAt + j);
      float s = first == null ? 0 : first.getFloat(firstAt + j);
      float step;
      switch (rule) {
        case SGD -> step = g;
        case MOMENTUM -> {
          s = decay * s + g;
          step = s;
        }
        case ADAM -> {
          s = decay * s + (1 - decay) * g;
          float v = second.getFloat(secondAt + j);
          v = secondDecay * v + (1 - secondDecay) * (g * g);
          second.putFloat(secondAt + j, v);
          step = s / ((float) Math.sqrt(v) + OptimizerRule.ADAM_EPSILON);
        }
        case RMSPROP -> {
          s = decay * s + (1 - decay) * (g * g);
          step = g / (float) Math.sqrt(s + OptimizerRule.RMSPROP_EPSILON);
        }
        default -> throw new AssertionError(rule);
      }
      if (first != null) {
        first.putFloat(firstAt + j, s);
      }
      weights.putFloat(weightsAt + j, w - rate * step);
    }
  }

  @Override
  public void activateDifferences(
      Activation activation,
      ByteBuffer z,
      int zAt,
      int zStride,
      ByteBuffer knots,
      int knotsAt,
      int knotsStride,
      ByteBuffer counts,
      int countsAt,
      int rows,
      int columns) {
    for (int i = 0; i < rows; i++) {
      int transitions =
          differencesRow(
              activation,
              z,
              zAt + i * zStride,
              i + 1 < rows ? zStride : 0,
              knots,
              knotsAt,
              knotsStride,
              0,
              columns);
      if (i + 1 < rows) {
        counts.putInt(countsAt + 4 * i, transitions);
      }
    }
  }

  /** One row; {@code next} bytes on stands the row it is compared with. Returns the transitions. */
  static int differencesRow(
      Activation activation,
      ByteBuffer z,
      int zAt,
      int next,
      ByteBuffer knots,
      int knotsAt,
      int knotsStride,
      int from,
      int to) {
    int transitions = 0;
    boolean twoKnots = activation.knots() == 2;
    for (int j = 4 * from; j < 4 * to; j += 4) {
      float v = z.getFloat(zAt + j);
      float w = z.getFloat(zAt + next + j);
      float low = knots.getFloat(knotsAt + j);
      float high = knots.getFloat(knotsAt + knotsStride + j);
      float base = knots.getFloat(knotsAt + 2 * knotsStride + j);
      transitions += v > low != w > low ? 1 : 0;
      if (twoKnots) {
        transitions += v > high != w > high ? 1 : 0;
      }
      if (activation == Activation.TANH) {
        // tanh(a + b) − tanh a, from the addition theorem, without cancellation for small b.
        double t = base;
        double u = Math.tanh(v);
        z.putFloat(zAt + j, (float) (u * (1 - t * t) / (1 + t * u)));
      } else {
        z.putFloat(zAt + j, (v <= low ? low : v > high ? high : v) - base);
      }
    }
    return transitions;
  }

  @Override
  public void addRows(ByteBuffer a, int aAt, int aStride, int rows, double[] totals) {
    addRows(a, aAt, aStride, rows, totals, 0);
  }

  /** Columns {@code from} and after. */
  static void addRows(ByteBuffer a, int aAt, int aStride, int rows, double[] totals, int from) {
    for (int i = 0; i < rows; i++) {
      int row = aAt + i * aStride;
      for (int j = from; j < totals.length; j++) {
        totals[j] += a.getFloat(row + 4 * j);
      }
    }
  }

  @Override
  public double dot(ByteBuffer a, int aAt, ByteBuffer b, int bAt, int columns) {
    double sum = 0;
    for (int j = 0; j < 4 * columns; j += 4) {
      sum += (double) a.getFloat(aAt + j) * b.getFloat(bAt + j);
    }
    return sum;
  }

  @Override
  public void multiply(
      ByteBuffer a, int aAt, float factor, ByteBuffer out, int outAt, int columns) {
    multiplyRow(a, aAt, factor, out, outAt, 0, columns);
  }

  static void multiplyRow(
      ByteBuffer a, int aAt, float factor, ByteBuffer out, int outAt, int from, int to) {
    for (int j = 4 * from; j < 4 * to; j += 4) {
      out.putFloat(outAt + j, factor * a.getFloat(aAt + j));
    }
  }

  @Override
  public void addProduct(
      ByteBuffer p,
      int pAt,
      ByteBuffer q,
      int qAt,
      float factor,
      ByteBuffer v,
      int vAt,
      float beta,
      ByteBuffer c,
      int cAt,
      int columns) {
    addProductRow(p, pAt, q, qAt, factor, v, vAt, beta, c, cAt, 0, columns);
  }

  static void addProductRow(
      ByteBuffer p,
      int pAt,
      ByteBuffer q,
      int qAt,
      float factor,
      ByteBuffer v,
      int vAt,
      float beta,
      ByteBuffer c,
      int cAt,
      int from,
      int to) {
    for (int j = 4 * from; j < 4 * to; j += 4) {
      float product = p.getFloat(pAt + j) * q.getFloat(qAt + j);
      float scaled = v == null ? product * factor : product * (factor * v.getFloat(vAt + j));
      c.putFloat(cAt + j, beta == 0 ? scaled : beta * c.getFloat(cAt + j) + scaled);
    }
  }

  @Override
  public void combine(
      ByteBuffer vectors,
      int[] vectorsAt,
      double[] coefficients,
      ByteBuffer offset,
      int offsetAt,
      double sign,
      ByteBuffer out,
      int outAt,
      boolean wide,
      int columns) {
    combineRow(
        vectors, vectorsAt, coefficients, offset, offsetAt, sign, out, outAt, wide, 0, columns);
  }

  static void combineRow(
      ByteBuffer vectors,
      int[] vectorsAt,
      double[] coefficients,
      ByteBuffer offset,
      int offsetAt,
      double sign,
      ByteBuffer out,
      int outAt,
      boolean wide,
      int from,
      int to) {
    for (int j = from; j < to; j++) {
      double sum = offset == null ? 0 : sign * offset.getDouble(offsetAt + 8 * j);
      for (int k = 0; k < vectorsAt.length; k++) {
        sum += coefficients[k] * vectors.getDouble(vectorsAt[k] + 8 * j);
      }
      if (wide) {
        out.putDouble(outAt + 8 * j, sum);
      } else {
        out.putFloat(outAt + 4 * j, (float) sum);
      }
    }
  }

  @Override
  public void copyRuns(
      ByteBuffer from,
      int fromAt,
      int fromStep,
      ByteBuffer to,
      int toAt,
      int toStep,
      int length,
      int runs) {
    for (int i = 0; i < runs; i++) {
      int in = fromAt + i * fromStep;
      int out = toAt + i * toStep;
      for (int j = 0; j < 4 * length; j += 4) {
        to.putInt(out + j, from.getInt(in + j));
      }
    }
  }

  @Override
  public void sumRows(
      ByteBuffer from,
      int fromAt,
      int right,
      int across,
      int down,
      int deep,
      int fromStep,
      ByteBuffer to,
      int toAt,
      int toStep,
      int columns,
      int sums) {
    for (int i = 0; i < sums; i++) {
      int first = fromAt + i * fromStep;
      sumOfRows(from, first, right, across, down, deep, to, toAt + i * toStep, 0, columns);
    }
  }

  static void sumOfRows(
      ByteBuffer from,
      int fromAt,
      int right,
      int across,
      int down,
      int deep,
      ByteBuffer to,
      int toAt,
      int first,
      int end) {
    for (int j = 4 * first; j < 4 * end; j += 4) {
      float sum = 0;
      for (int k = 0; k < deep; k++) {
        int at = fromAt + k * down + j;
        for (int l = 0; l < across; l++) {
          sum += from.getFloat(at + l * right);
        }
      }
      to.putFloat(toAt + j, sum);
    }
  }

  @Override
  public void maxPool(
      ByteBuffer h,
      int hAt,
      int row,
      ByteBuffer slopes,
      int slopesAt,
      ByteBuffer out,
      int outAt,
      int side,
      int channels,
      int windows) {
    for (int w = 0; w < windows; w++) {
      int from = 4 * w * side * channels;
      maxPoolOfWindow(
          h,
          hAt + from,
          row,
          slopes,
          slopesAt + from,
          out,
          outAt + 4 * w * channels,
          side,
          channels,
          0);
    }
  }

  /** One window, from a channel on. */
  static void maxPoolOfWindow(
      ByteBuffer h,
      int hAt,
      int row,
      ByteBuffer slopes,
      int slopesAt,
      ByteBuffer out,
      int outAt,
      int side,
      int channels,
      int first) {
    for (int c = 4 * first; c < 4 * channels; c += 4) {
      int best = c;
      float largest = h.getFloat(hAt + c);
      for (int k = 0; k < side; k++) {
        for (int l = 0; l < side; l++) {
          int at = k * row + 4 * l * channels + c;
          float value = h.getFloat(hAt + at);
          // Once a NaN is found it stays, so that it is seen.
          boolean stays = value <= largest || largest != largest;
          largest = stays ? largest : value;
          best = stays ? best : at;
        }
      }
      out.putFloat(outAt + c, largest);
      for (int k = 0; slopes != null && k < side; k++) {
        for (int l = 0; l < side; l++) {
          int at = k * row + 4 * l * channels + c;
          if (at != best) {
            slopes.putFloat(slopesAt + at, 0);
          }
        }
      }
    }
  }

  @Override
  public void poolDifferences(
      ByteBuffer z,
      int zAt,
      int row,
      ByteBuffer gaps,
      int gapsAt,
      ByteBuffer out,
      int outAt,
      int side,
      int channels,
      int windows) {
    for (int w = 0; w < windows; w++) {
      int from = 4 * w * side * channels;
      poolDifferencesOfWindow(
          z,
          zAt + from,
          row,
          gaps,
          gapsAt + from,
          out,
          outAt + 4 * w * channels,
          side,
          channels,
          0);
    }
  }

  /** One window, from a channel on. */
  static void poolDifferencesOfWindow(
      ByteBuffer z,
      int zAt,
      int row,
      ByteBuffer gaps,
      int gapsAt,
      ByteBuffer out,
      int outAt,
      int side,
      int channels,
      int first) {
    for (int c = 4 * first; c < 4 * channels; c += 4) {
      float largest = Float.NEGATIVE_INFINITY;
      for (int k = 0; k < side; k++) {
        for (int l = 0; l < side; l++) {
          int at = k * row + 4 * l * channels + c;
          largest = Math.max(largest, z.getFloat(zAt + at) + gaps.getFloat(gapsAt + at));
        }
      }
      out.putFloat(outAt + c, largest);
    }
  }

  @Override
  public void addPolynomials(
      double[] coefficients,
      int stride,
      double[] factors,
      double change0,
      double change1,
      double change2) {
    for (int j = 0; j < stride; j++) {
      coefficients[j] += factors[j] * change0;
      coefficients[stride + j] += factors[j] * change1;
      coefficients[2 * stride + j] += factors[j] * change2;
    }
  }

  @Override
  public int earliest(
      double[] coefficients,
      int stride,
      double[] signs,
      double[] knots,
      boolean arcs,
      double now,
      double[] time) {
    int first = -1;
    double earliest = Double.POSITIVE_INFINITY;
    double weight = arcs ? 1 : 0;
    for (int j = 0; j < stride; j++) {
      double c0 = signs[j] * (coefficients[j] - knots[j]);
      double half1 = 0.5 * signs[j] * coefficients[stride + j];
      double c2 = signs[j] * (coefficients[2 * stride + j] - weight * knots[j]);
      double root = upwards(signs[j], c0, half1, c2, now);
      if (root < earliest) {
        earliest = root;
        first = j;
      }
    }
    time[0] = earliest;
    return first;
  }

  /**
   * Where p(t) = c₀ + 2 half₁ t + c₂ t², taken for negative at {@code now}, becomes positive;
   * {@code now} itself where it is so already. Infinity for nowhere.
   *
   * <p>An upward parabola becomes positive at its right root, a downward one at its left root,
   * unless that and the other root lie behind. Signs of p are told by where its roots are, not by
   * its value, so that a root just passed isn't found again.
   */
  private static double upwards(double sign, double c0, double half1, double c2, double now) {
    double square = half1 * half1;
    double product = c2 * c0;
    double discriminant = square - product;
    if (discriminant <= TOUCHING * (square + Math.abs(product))) {
      // All the same sign; or zero throughout, where the unit has the code below its knot.
      double all = c2 + c0;
      return all > 0 || all == 0 && sign < 0 ? now : Double.POSITIVE_INFINITY;
    }
    double root = Math.sqrt(discriminant);
    double rising = half1 > 0 ? -c0 / (half1 + root) : (root - half1) / c2;
    boolean opensUpwards = c2 > 0 || c2 == 0 && half1 > 0;
    if (!opensUpwards) {
      double falling = half1 > 0 ? -(half1 + root) / c2 : c0 / (root - half1);
      if (now >= falling) {
        return Double.POSITIVE_INFINITY;
      }
    }
    return Math.max(rising, now);
  }
}
