package dev.flinch.device.cpu;

import dev.flinch.device.Activation;
import dev.flinch.device.OptimizerRule;
import java.nio.ByteBuffer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The element-wise loops that are worth the processor's vector instructions. Positions and strides
 * are in bytes of a buffer in native order; shapes were checked by the caller. What each computes
 * is said in {@link dev.flinch.device.Lane}.
 */
interface ElementKernels {
  /** A word for people on how it computes. */
  String description();

  /** h ← φ(z + bias), z ← φ′(z + bias). {@code bias} may be null. */
  void activate(
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
      int columns);

  /** out[i] ← a[i] ∘ slopes[i / group]. */
  void scale(
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
      int columns);

  /** One row of an optimizer's step; slots that the rule doesn't have are null. */
  void update(
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
      int columns);

  /** Activations of differences and transitions between consecutive rows. */
  void activateDifferences(
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
      int columns);

  /** totals ← totals + the rows of a, one after the other, in float64. */
  void addRows(ByteBuffer a, int aAt, int aStride, int rows, double[] totals);

  /** Σ a ∘ b over one row, in float64. */
  double dot(ByteBuffer a, int aAt, ByteBuffer b, int bAt, int columns);

  /** out ← factor · a, over one row. */
  void multiply(ByteBuffer a, int aAt, float factor, ByteBuffer out, int outAt, int columns);

  /**
   * One row of a product of Grams: c ← beta · c + factor · v ∘ p ∘ q; c is not read where beta is
   * 0.
   *
   * @param v or null for ones
   */
  void addProduct(
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
      int columns);

  /**
   * One row of a trajectory: out ← Σₖ coefficients[k] · vectors[k] + sign · offset. The first
   * vector starts at byte {@code vectorsAt[0]}, and so on.
   *
   * @param wide whether {@code out} is float64
   */
  void combine(
      ByteBuffer vectors,
      int[] vectorsAt,
      double[] coefficients,
      ByteBuffer offset,
      int offsetAt,
      double sign,
      ByteBuffer out,
      int outAt,
      boolean wide,
      int columns);

  /**
   * Copies runs of neighbouring elements of 4 bytes, one after the other.
   *
   * @param fromStep bytes from one run to the next
   * @param length elements of a run
   */
  void copyRuns(
      ByteBuffer from,
      int fromAt,
      int fromStep,
      ByteBuffer to,
      int toAt,
      int toStep,
      int length,
      int runs);

  /**
   * Sums of rows: to[i] ← the sum of {@code deep} groups of {@code across} rows, in their order
   * from 0.
   *
   * @param right bytes from a row to the next of a group
   * @param down bytes from the first row of a group to that of the next group
   * @param fromStep bytes from the first row of a sum to that of the next sum
   * @param toStep bytes from a sum to the next
   */
  void sumRows(
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
      int sums);

  /**
   * Max-pooling of windows side by side: out ← their largest values, slopes ← 0 but for each one's
   * largest, the first of equals or the first NaN.
   *
   * @param row bytes from one row of h, and of slopes, to the next
   * @param slopes or null
   */
  void maxPool(
      ByteBuffer h,
      int hAt,
      int row,
      ByteBuffer slopes,
      int slopesAt,
      ByteBuffer out,
      int outAt,
      int side,
      int channels,
      int windows);

  /** Max-pooling of windows side by side: out ← the largest of z + gaps, or NaN. */
  void poolDifferences(
      ByteBuffer z,
      int zAt,
      int row,
      ByteBuffer gaps,
      int gapsAt,
      ByteBuffer out,
      int outAt,
      int side,
      int channels,
      int windows);

  /**
   * Polynomials of a layer's units: c ← c + factors ⊗ change, for c₀, c₁ and c₂.
   *
   * @param coefficients 3 × {@code stride}: c₀ of all units, then c₁, then c₂
   * @param factors one a unit
   */
  void addPolynomials(
      double[] coefficients,
      int stride,
      double[] factors,
      double change0,
      double change1,
      double change2);

  /**
   * The earliest root from {@code now} on, over a layer's units, where sign · (c₀ + c₁ t + c₂ t² −
   * knot · w(t)) becomes positive; {@code now} where it is so already. Roots that touch are none. A
   * unit that stays on its knot has the code below it, so with sign −1 it crosses now.
   *
   * @param stride units, rounded up to {@link #POLYNOMIALS}
   * @param signs 1 or −1; or 0 for none
   * @param arcs whether w(t) = 1 + t², else 1
   * @param time takes the root
   * @return the first unit that has it, or −1 where none has a root
   */
  int earliest(
      double[] coefficients,
      int stride,
      double[] signs,
      double[] knots,
      boolean arcs,
      double now,
      double[] time);

  /** Layers of polynomials have room for a multiple of so many units, with zeros at the end. */
  int POLYNOMIALS = 8;

  /** Where two roots are so near, by the terms of the discriminant, they touch. */
  double TOUCHING = 0x1p-44;

  /** The fastest that this JVM can run; says in the log what would make it faster. */
  static ElementKernels best() {
    Logger log = LoggerFactory.getLogger(ElementKernels.class);
    if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
      log.warn(
          "Element-wise work runs in plain loops: start Java with --add-modules"
              + " jdk.incubator.vector (the launcher does) for vector instructions.");
      return new PlainKernels();
    }
    if (Runtime.version().feature() > 20) {
      log.warn(
          "Element-wise work runs in plain loops: the vector instructions need Java 17 to 20, this"
              + " is Java {}.",
          Runtime.version().feature());
      return new PlainKernels();
    }
    return new VectorKernels();
  }
}
