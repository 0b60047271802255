package dev.flinch.device.cpu;

import dev.flinch.device.Activation;
import dev.flinch.device.OptimizerRule;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The loops by the JVM's vector instructions, on as many elements at once as the processor takes;
 * the rest of a row falls to {@link PlainKernels}. Nothing here depends on the order in which lanes
 * are summed, so interpreted and compiled code give the same bits.
 */
final class VectorKernels implements ElementKernels {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Integer> INTS =
      VectorSpecies.of(int.class, FLOATS.vectorShape());
  private static final VectorSpecies<Double> DOUBLES = DoubleVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Float> HALF =
      VectorSpecies.of(
          float.class, VectorShape.forBitSize(Math.max(64, DOUBLES.vectorBitSize() / 2)));

  /** Up to 8 elements, for runs that may be shorter than the longest vectors. */
  private static final VectorSpecies<Integer> SHORT =
      VectorSpecies.of(int.class, VectorShape.forBitSize(Math.min(256, FLOATS.vectorBitSize())));

  private static final PlainKernels PLAIN = new PlainKernels();
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();
  private static final int WIDTH = FLOATS.length();
  private static final int STEP = 4 * WIDTH;

  @Override
  public String description() {
    return "%d-bit vectors".formatted(FLOATS.vectorBitSize());
  }

  private static FloatVector load(ByteBuffer buffer, int at) {
    return FloatVector.fromByteBuffer(FLOATS, buffer, at, ORDER);
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
    int vectorised = FLOATS.loopBound(columns);
    FloatVector low = FloatVector.broadcast(FLOATS, (float) activation.low());
    FloatVector high = FloatVector.broadcast(FLOATS, (float) activation.high());
    FloatVector one = FloatVector.broadcast(FLOATS, 1);
    float shift = (float) activation.shift();
    boolean tanh = activation == Activation.TANH;
    for (int i = 0; i < rows; i++) {
      int zRow = zAt + i * zStride;
      int hRow = hAt + i * hStride;
      for (int j = 0; j < 4 * vectorised; j += STEP) {
        FloatVector v = load(z, zRow + j);
        if (bias != null) {
          v = v.add(load(bias, biasAt + j));
        }
        if (tanh) {
          FloatVector t = tanh(v);
          t.intoByteBuffer(h, hRow + j, ORDER);
          one.sub(t.mul(t)).intoByteBuffer(z, zRow + j, ORDER);
        } else {
          VectorMask<Float> below = v.compare(VectorOperators.LE, low);
          VectorMask<Float> above = v.compare(VectorOperators.GT, high);
          v.blend(low, below).blend(high, above).add(shift).intoByteBuffer(h, hRow + j, ORDER);
          one.blend(0, below.or(above)).intoByteBuffer(z, zRow + j, ORDER);
        }
      }
      PlainKernels.activateRow(activation, z, zRow, bias, biasAt, h, hRow, vectorised, columns);
    }
  }

  /**
   * tanh to about two units in the last place. Below 0.625 an odd polynomial, above 1 − 2 / (e²ˣ +
   * 1) with e²ˣ by range reduction; the coefficients are those of the Cephes library (S. Moshier,
   * tanhf.c and expf.c). NaN stays NaN.
   */
  static FloatVector tanh(FloatVector x) {
    FloatVector magnitude = x.abs();
    FloatVector square = x.mul(x);
    FloatVector small =
        square
            .mul(-5.70498872745e-3f)
            .add(2.06390887954e-2f)
            .mul(square)
            .add(-5.37397155531e-2f)
            .mul(square)
            .add(1.33314422036e-1f)
            .mul(square)
            .add(-3.33332819422e-1f)
            .mul(square)
            .mul(x)
            .add(x);
    // From 10 on, tanh is 1 in float32; a NaN passes the comparison unchanged.
    FloatVector capped = magnitude.blend(10, magnitude.compare(VectorOperators.GT, 10));
    FloatVector large = exp(capped.add(capped)).add(1);
    large = FloatVector.broadcast(FLOATS, -2).div(large).add(1);
    large = large.blend(large.neg(), x.compare(VectorOperators.LT, 0));
    return large.blend(small, magnitude.compare(VectorOperators.LT, 0.625f));
  }

  /** eˣ for 0 ≤ x ≤ 20. */
  private static FloatVector exp(FloatVector x) {
    // Adding and subtracting 1.5 · 2²³ rounds to the nearest whole number.
    float magic = 12582912f;
    FloatVector power = x.mul(1.44269504f).add(magic).sub(magic);
    FloatVector r = x.sub(power.mul(0.693359375f)).sub(power.mul(-2.12194440e-4f));
    FloatVector series =
        r.mul(1.9875691500e-4f)
            .add(1.3981999507e-3f)
            .mul(r)
            .add(8.3334519073e-3f)
            .mul(r)
            .add(4.1665795894e-2f)
            .mul(r)
            .add(1.6666665459e-1f)
            .mul(r)
            .add(5.0000001201e-1f)
            .mul(r)
            .mul(r)
            .add(r)
            .add(1);
    IntVector exponent =
        ((IntVector) power.convertShape(VectorOperators.F2I, INTS, 0))
            .add(127)
            .lanewise(VectorOperators.LSHL, 23);
    return series.mul(exponent.reinterpretAsFloats());
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
    int vectorised = FLOATS.loopBound(columns);
    for (int i = 0; i < rows; i++) {
      int aRow = aAt + i * aStride;
      int slopesRow = slopesAt + i / group * slopesStride;
      int outRow = outAt + i * outStride;
      for (int j = 0; j < 4 * vectorised; j += STEP) {
        load(a, aRow + j).mul(load(slopes, slopesRow + j)).intoByteBuffer(out, outRow + j, ORDER);
      }
      PlainKernels.scaleRow(a, aRow, slopes, slopesRow, out, outRow, vectorised, columns);
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
    int vectorised = FLOATS.loopBound(columns);
    float decay = OptimizerRule.DECAY;
    float secondDecay = OptimizerRule.SECOND_DECAY;
    for (int j = 0; j < 4 * vectorised; j += STEP) {
      FloatVector w = load(weights, weightsAt + j);
      FloatVector g = load(gradient, gradientAt + j);
      FloatVector step;
      switch (rule) {
        case SGD -> step = g;
        case MOMENTUM -> {
          step = load(first, firstAt + j).mul(decay).add(g);
          step.intoByteBuffer(first, firstAt + j, ORDER);
        }
        case ADAM -> {
          FloatVector m = load(first, firstAt + j).mul(decay).add(g.mul(1 - decay));
          FloatVector v =
              load(second, secondAt + j).mul(secondDecay).add(g.mul(g).mul(1 - secondDecay));
          m.intoByteBuffer(first, firstAt + j, ORDER);
          v.intoByteBuffer(second, secondAt + j, ORDER);
          step = m.div(v.sqrt().add(OptimizerRule.ADAM_EPSILON));
        }
        case RMSPROP -> {
          FloatVector s = load(first, firstAt + j).mul(decay).add(g.mul(g).mul(1 - decay));
          s.intoByteBuffer(first, firstAt + j, ORDER);
          step = g.div(s.add(OptimizerRule.RMSPROP_EPSILON).sqrt());
        }
        default -> throw new AssertionError(rule);
      }
      w.sub(step.mul(rate)).intoByteBuffer(weights, weightsAt + j, ORDER);
    }
    PlainKernels.updateRow(
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
        vectorised,
        columns);
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
    int vectorised = FLOATS.loopBound(columns);
    boolean twoKnots = activation.knots() == 2;
    boolean tanh = activation == Activation.TANH;
    for (int i = 0; i < rows; i++) {
      int row = zAt + i * zStride;
      int next = i + 1 < rows ? zStride : 0;
      // v > k exactly where k − v is negative, so transitions are differences of sign bits.
      IntVector signs = IntVector.zero(INTS);
      for (int j = 0; j < 4 * vectorised; j += STEP) {
        FloatVector v = load(z, row + j);
        FloatVector w = load(z, row + next + j);
        FloatVector low = load(knots, knotsAt + j);
        FloatVector base = load(knots, knotsAt + 2 * knotsStride + j);
        signs = signs.add(differentSigns(low.sub(v), low.sub(w)));
        if (tanh) {
          FloatVector u = tanh(v);
          u.mul(base.mul(base).neg().add(1))
              .div(base.mul(u).add(1))
              .intoByteBuffer(z, row + j, ORDER);
        } else {
          FloatVector clamped = v.blend(low, v.compare(VectorOperators.LE, low));
          if (twoKnots) {
            FloatVector high = load(knots, knotsAt + knotsStride + j);
            signs = signs.add(differentSigns(high.sub(v), high.sub(w)));
            clamped = clamped.blend(high, v.compare(VectorOperators.GT, high));
          }
          clamped.sub(base).intoByteBuffer(z, row + j, ORDER);
        }
      }
      int transitions =
          signs.reduceLanes(VectorOperators.ADD)
              + PlainKernels.differencesRow(
                  activation, z, row, next, knots, knotsAt, knotsStride, vectorised, columns);
      if (next != 0) {
        counts.putInt(countsAt + 4 * i, transitions);
      }
    }
  }

  private static IntVector differentSigns(FloatVector a, FloatVector b) {
    return a.reinterpretAsInts()
        .lanewise(VectorOperators.XOR, b.reinterpretAsInts())
        .lanewise(VectorOperators.LSHR, 31);
  }

  @Override
  public void addRows(ByteBuffer a, int aAt, int aStride, int rows, double[] totals) {
    int vectorised = FLOATS.loopBound(totals.length);
    int half = DOUBLES.length();
    for (int j = 0; j < vectorised; j += WIDTH) {
      DoubleVector low = DoubleVector.fromArray(DOUBLES, totals, j);
      DoubleVector high = DoubleVector.fromArray(DOUBLES, totals, j + half);
      for (int i = 0; i < rows; i++) {
        FloatVector values = load(a, aAt + i * aStride + 4 * j);
        low = low.add(values.convertShape(VectorOperators.F2D, DOUBLES, 0));
        high = high.add(values.convertShape(VectorOperators.F2D, DOUBLES, 1));
      }
      low.intoArray(totals, j);
      high.intoArray(totals, j + half);
    }
    PlainKernels.addRows(a, aAt, aStride, rows, totals, vectorised);
  }

  @Override
  public double dot(ByteBuffer a, int aAt, ByteBuffer b, int bAt, int columns) {
    int vectorised = FLOATS.loopBound(columns);
    FloatVector sums = FloatVector.zero(FLOATS);
    for (int j = 0; j < 4 * vectorised; j += STEP) {
      sums = sums.add(load(a, aAt + j).mul(load(b, bAt + j)));
    }
    double total = 0;
    // The order of reduceLanes is not specified for floating point; this one is.
    for (int lane = 0; lane < WIDTH && vectorised > 0; lane++) {
      total += sums.lane(lane);
    }
    for (int j = 4 * vectorised; j < 4 * columns; j += 4) {
      total += (double) a.getFloat(aAt + j) * b.getFloat(bAt + j);
    }
    return total;
  }

  @Override
  public void multiply(
      ByteBuffer a, int aAt, float factor, ByteBuffer out, int outAt, int columns) {
    int vectorised = FLOATS.loopBound(columns);
    for (int j = 0; j < 4 * vectorised; j += STEP) {
      load(a, aAt + j).mul(factor).intoByteBuffer(out, outAt + j, ORDER);
    }
    PlainKernels.multiplyRow(a, aAt, factor, out, outAt, vectorised, columns);
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
    int vectorised = FLOATS.loopBound(columns);
    FloatVector scale = FloatVector.broadcast(FLOATS, factor);
    for (int j = 0; j < 4 * vectorised; j += STEP) {
      FloatVector product = load(p, pAt + j).mul(load(q, qAt + j));
      FloatVector scaled = product.mul(v == null ? scale : scale.mul(load(v, vAt + j)));
      (beta == 0 ? scaled : load(c, cAt + j).mul(beta).add(scaled))
          .intoByteBuffer(c, cAt + j, ORDER);
    }
    PlainKernels.addProductRow(p, pAt, q, qAt, factor, v, vAt, beta, c, cAt, vectorised, columns);
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
    int vectorised = DOUBLES.loopBound(columns);
    for (int j = 0; j < vectorised; j += DOUBLES.length()) {
      DoubleVector sum =
          offset == null
              ? DoubleVector.zero(DOUBLES)
              : DoubleVector.fromByteBuffer(DOUBLES, offset, offsetAt + 8 * j, ORDER).mul(sign);
      for (int k = 0; k < vectorsAt.length; k++) {
        sum =
            sum.add(
                DoubleVector.fromByteBuffer(DOUBLES, vectors, vectorsAt[k] + 8 * j, ORDER)
                    .mul(coefficients[k]));
      }
      if (wide) {
        sum.intoByteBuffer(out, outAt + 8 * j, ORDER);
      } else {
        ((FloatVector) sum.convertShape(VectorOperators.D2F, HALF, 0))
            .intoByteBuffer(out, outAt + 4 * j, ORDER);
      }
    }
    PlainKernels.combineRow(
        vectors,
        vectorsAt,
        coefficients,
        offset,
        offsetAt,
        sign,
        out,
        outAt,
        wide,
        vectorised,
        columns);
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
    int size = SHORT.length();
    if (length < size) {
      PLAIN.copyRuns(from, fromAt, fromStep, to, toAt, toStep, length, runs);
      return;
    }
    // The last vector of a run overlaps the one before.
    int last = 4 * (length - size);
    for (int i = 0; i < runs; i++) {
      int in = fromAt + i * fromStep;
      int out = toAt + i * toStep;
      for (int j = 0; j < last; j += 4 * size) {
        IntVector.fromByteBuffer(SHORT, from, in + j, ORDER).intoByteBuffer(to, out + j, ORDER);
      }
      IntVector.fromByteBuffer(SHORT, from, in + last, ORDER).intoByteBuffer(to, out + last, ORDER);
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
    int vectorised = FLOATS.loopBound(columns);
    for (int i = 0; i < sums; i++) {
      int first = fromAt + i * fromStep;
      int out = toAt + i * toStep;
      for (int j = 0; j < 4 * vectorised; j += STEP) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int k = 0; k < deep; k++) {
          int at = first + k * down + j;
          if (across == 3) {
            // The usual kernel, without a loop that would hardly begin.
            sum =
                sum.add(load(from, at)).add(load(from, at + right)).add(load(from, at + 2 * right));
            continue;
          }
          for (int l = 0; l < across; l++) {
            sum = sum.add(load(from, at + l * right));
          }
        }
        sum.intoByteBuffer(to, out + j, ORDER);
      }
      PlainKernels.sumOfRows(from, first, right, across, down, deep, to, out, vectorised, columns);
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
    int vectorised = FLOATS.loopBound(channels);
    for (int w = 0; w < windows; w++) {
      int window = 4 * w * side * channels;
      int to = outAt + 4 * w * channels;
      for (int c = 0; c < 4 * vectorised; c += STEP) {
        FloatVector largest = load(h, hAt + window + c);
        // Which pixel of the window has it.
        FloatVector best = FloatVector.zero(FLOATS);
        for (int i = 1; i < side * side; i++) {
          FloatVector value = load(h, hAt + window + pixel(i, side, row, channels) + c);
          // Once a NaN is found it stays, so that it is seen.
          VectorMask<Float> stays =
              value
                  .compare(VectorOperators.LE, largest)
                  .or(largest.compare(VectorOperators.NE, largest));
          largest = value.blend(largest, stays);
          best = FloatVector.broadcast(FLOATS, i).blend(best, stays);
        }
        largest.intoByteBuffer(out, to + c, ORDER);
        for (int i = 0; slopes != null && i < side * side; i++) {
          int at = slopesAt + window + pixel(i, side, row, channels) + c;
          VectorMask<Float> lower = best.compare(VectorOperators.NE, i);
          load(slopes, at).blend(0, lower).intoByteBuffer(slopes, at, ORDER);
        }
      }
      PlainKernels.maxPoolOfWindow(
          h, hAt + window, row, slopes, slopesAt + window, out, to, side, channels, vectorised);
    }
  }

  /** Bytes from a window's first pixel to another, of those counted row by row. */
  private static int pixel(int i, int side, int row, int channels) {
    int k = i / side;
    return k * row + 4 * (i - k * side) * channels;
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
    int vectorised = FLOATS.loopBound(channels);
    for (int w = 0; w < windows; w++) {
      int window = 4 * w * side * channels;
      int to = outAt + 4 * w * channels;
      for (int c = 0; c < 4 * vectorised; c += STEP) {
        FloatVector largest = load(z, zAt + window + c).add(load(gaps, gapsAt + window + c));
        for (int i = 1; i < side * side; i++) {
          int at = window + pixel(i, side, row, channels) + c;
          largest = largest.max(load(z, zAt + at).add(load(gaps, gapsAt + at)));
        }
        largest.intoByteBuffer(out, to + c, ORDER);
      }
      PlainKernels.poolDifferencesOfWindow(
          z, zAt + window, row, gaps, gapsAt + window, out, to, side, channels, vectorised);
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
    for (int j = 0; j < stride; j += DOUBLES.length()) {
      DoubleVector factor = DoubleVector.fromArray(DOUBLES, factors, j);
      add(coefficients, j, factor.mul(change0));
      add(coefficients, stride + j, factor.mul(change1));
      add(coefficients, 2 * stride + j, factor.mul(change2));
    }
  }

  private static void add(double[] values, int at, DoubleVector change) {
    DoubleVector.fromArray(DOUBLES, values, at).add(change).intoArray(values, at);
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
    double weight = arcs ? 1 : 0;
    DoubleVector never = DoubleVector.broadcast(DOUBLES, Double.POSITIVE_INFINITY);
    DoubleVector present = DoubleVector.broadcast(DOUBLES, now);
    DoubleVector best = never;
    DoubleVector bestAt = DoubleVector.zero(DOUBLES);
    for (int j = 0; j < stride; j += DOUBLES.length()) {
      DoubleVector sign = DoubleVector.fromArray(DOUBLES, signs, j);
      DoubleVector knot = DoubleVector.fromArray(DOUBLES, knots, j);
      DoubleVector c0 = sign.mul(DoubleVector.fromArray(DOUBLES, coefficients, j).sub(knot));
      DoubleVector half1 =
          sign.mul(0.5).mul(DoubleVector.fromArray(DOUBLES, coefficients, stride + j));
      DoubleVector c2 =
          sign.mul(
              DoubleVector.fromArray(DOUBLES, coefficients, 2 * stride + j).sub(knot.mul(weight)));
      // As PlainKernels.upwards has it, with both sides of each question computed.
      DoubleVector square = half1.mul(half1);
      DoubleVector product = c2.mul(c0);
      DoubleVector discriminant = square.sub(product);
      VectorMask<Double> touching =
          discriminant.compare(VectorOperators.LE, square.add(product.abs()).mul(TOUCHING));
      DoubleVector root = discriminant.max(0).sqrt();
      VectorMask<Double> positive = half1.compare(VectorOperators.GT, 0);
      DoubleVector sum = half1.add(root);
      DoubleVector difference = root.sub(half1);
      DoubleVector rising = difference.div(c2).blend(c0.neg().div(sum), positive);
      DoubleVector falling = c0.div(difference).blend(sum.neg().div(c2), positive);
      VectorMask<Double> opensUpwards =
          c2.compare(VectorOperators.GT, 0).or(c2.compare(VectorOperators.EQ, 0).and(positive));
      VectorMask<Double> behind = falling.compare(VectorOperators.LE, now).andNot(opensUpwards);
      DoubleVector all = c2.add(c0);
      VectorMask<Double> already =
          all.compare(VectorOperators.GT, 0)
              .or(all.compare(VectorOperators.EQ, 0).and(sign.compare(VectorOperators.LT, 0)));
      DoubleVector found =
          rising.max(present).blend(never, behind).blend(never.blend(present, already), touching);
      VectorMask<Double> earlier = found.compare(VectorOperators.LT, best);
      best = best.blend(found, earlier);
      bestAt = bestAt.blend(j, earlier);
    }
    int first = -1;
    double earliest = Double.POSITIVE_INFINITY;
    for (int i = 0; i < DOUBLES.length(); i++) {
      double candidate = best.lane(i);
      int unit = (int) bestAt.lane(i) + i;
      if (candidate < earliest || candidate == earliest && first >= 0 && unit < first) {
        earliest = candidate;
        first = unit;
      }
    }
    time[0] = earliest;
    return first;
  }
}
