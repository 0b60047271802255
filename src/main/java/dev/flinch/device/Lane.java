package dev.flinch.device;

/**
 * Executes operations in the order they are given. Every operation takes any size, works on the
 * matrices of all replicas of its operands (which must have equally many), and refuses operands
 * whose shapes don't fit with an {@link IllegalArgumentException}. Element types are float32 unless
 * said otherwise. Operands may not overlap unless an operation says so.
 */
public interface Lane {
  /** From 0 to {@link Device#lanes()} − 1. */
  int index();

  /** c ← op(a) op(b) + beta c, with op the transposition where asked; float32 or float64. */
  void gemm(boolean transposeA, Matrix a, boolean transposeB, Matrix b, float beta, Matrix c);

  /**
   * out(r, i) ← source[indices[from + r · stride + i]], whole rows, for every replica r. An index
   * that is of no row is refused by a device that reads indices before its kernels do, and makes
   * its row NaN on one that doesn't.
   *
   * @param source one matrix for all replicas
   * @param indices int32
   * @param stride from one replica's indices to the next one's
   */
  void gather(Matrix source, DeviceArray indices, long from, long stride, Matrix out);

  /**
   * The same from images of bytes: each is normalised by itself (its mean subtracted, divided by
   * its population standard deviation, in float64 and rounded once; an image of one value becomes
   * zeros), then moved.
   *
   * @param pixels uint8, {@code [any][channels][height][width]} of {@code shape}
   * @param moves int32, at the same places as indices: what {@link ImageMove} packs; or null for
   *     none. A quarter turn needs images as high as wide.
   * @param out rows of channels · height · width
   */
  void gatherImages(
      DeviceArray pixels,
      ImageShape shape,
      DeviceArray indices,
      DeviceArray moves,
      long from,
      long stride,
      Matrix out);

  /** z[i] ← z[i] + bias, for every row. {@code bias}: 1 × columns. */
  void addBias(Matrix z, Matrix bias);

  /**
   * h ← φ(z + bias), and z ← φ′(z + bias), the slopes that {@link #scale} carries errors back with.
   *
   * @param bias 1 × columns, or null for none
   */
  void activate(Activation activation, Matrix z, Matrix bias, Matrix h);

  /**
   * out[i] ← a[i] ∘ slopes[i / group]: errors through an activation, where each row of slopes
   * serves {@code group} rows of errors. {@code out} may be {@code a} or, with group 1, {@code
   * slopes}.
   */
  void scale(Matrix a, Matrix slopes, int group, Matrix out);

  /**
   * Softmax cross-entropy of every row of logits.
   *
   * @param labels int32; row i has class {@code labels[labelsFrom + i]}, in replica r {@code
   *     labels[labelsFrom + r · labelsStride + i]}
   * @param factor what the gradient is multiplied by (1 / batch size for the mean)
   * @param gradient where factor · (softmax − one-hot) goes, or null; may be {@code logits}
   * @param loss rows × 1: −log of the class's probability
   * @param correct rows × 1: 1 where the class's logit is the largest (the first of equals), else 0
   */
  void softmaxCrossEntropy(
      Matrix logits,
      DeviceArray labels,
      long labelsFrom,
      long labelsStride,
      float factor,
      Matrix gradient,
      Matrix loss,
      Matrix correct);

  /** sums ← the sums of the columns of a; {@code sums}: 1 × columns. */
  void columnSums(Matrix a, Matrix sums);

  /**
   * Marks replicas whose sum is not finite: running[r] ← 0 where sums(r, 0, 0) is NaN or infinite.
   *
   * @param running int32, one a replica from {@code runningFrom} on
   */
  void haltNonFinite(Matrix sums, DeviceArray running, long runningFrom);

  /**
   * One step of an optimizer on weights, in place, for the replicas still running.
   *
   * @param rates float32: the learning rate of each replica
   * @param running int32: replicas with 0 are left untouched
   * @param replicaFrom where in {@code rates} and {@code running} the first replica stands
   * @param slots what the rule keeps: as many matrices as {@link OptimizerRule#slots()}
   */
  void update(
      OptimizerRule rule,
      DeviceArray rates,
      DeviceArray running,
      int replicaFrom,
      Matrix weights,
      Matrix gradient,
      Matrix... slots);

  /** wide ← narrow, float32 to float64. */
  void widen(Matrix narrow, Matrix wide);

  /** narrow ← wide, float64 to float32. */
  void narrow(Matrix wide, Matrix narrow);

  /**
   * Rows of a flat or piecewise flat trajectory: out[i] ← Σₖ coefficients[i, k] vectors[indices[i,
   * k]] + sign · offset, summed in float64 and rounded once.
   *
   * @param vectors float64, {@code [any][columns]}
   * @param indices {@code [rows × terms]}
   * @param coefficients {@code [rows × terms]}
   * @param offset float64, 1 × columns, or null for none
   * @param out float32 or float64
   */
  void combine(
      Matrix vectors,
      int terms,
      int[] indices,
      double[] coefficients,
      Matrix offset,
      double sign,
      Matrix out);

  /**
   * The activation around reference points: h ← φ(z) in float64, and per unit what {@link
   * #activateDifferences} needs, rounded to float32. Around z a difference δ changes the output by
   * clamp(δ, low − z, high − z) − clamp(0, low − z, high − z) for a piecewise-linear φ.
   *
   * @param z float64 pre-activations, one row a reference point; replaced by φ(z)
   * @param bias float32, 1 × columns, added first; or null
   * @param knots float32, {@code 3 × columns} for each row of z (so 3 · rows rows): low − z, high −
   *     z, and the value that is subtracted; for Tanh −z, infinity, and tanh z
   */
  void activateReferences(Activation activation, Matrix z, Matrix bias, Matrix knots);

  /**
   * The activation on differences from a reference point, with the transitions between consecutive
   * rows: z ← φ(reference + z) − φ(reference), and counts[i] ← Σ over units of |code of row i + 1 −
   * code of row i| for i &lt; rows − 1.
   *
   * @param z differences of pre-activations, replaced by differences of activations
   * @param knots the 3 × columns of {@link #activateReferences} for the reference point
   * @param counts int32, written from {@code countsFrom} on, rows − 1 numbers
   */
  void activateDifferences(
      Activation activation, Matrix z, Matrix knots, DeviceArray counts, long countsFrom);

  /**
   * The rows that a Jacobian norm is propagated back from, each scaled so that none is lost to
   * underflow. With σ = softmax(logits) and S = diag σ − σσᵀ, whose columns sum to zero, ‖S A‖ = ‖U
   * S A‖ for any orthonormal (C − 1) × C basis U of the vectors that sum to zero: C − 1 rows a
   * point serve instead of C.
   *
   * @param logits points × C
   * @param seeds points · (C − 1) × C: rows of U S / scale
   * @param scales float64, points × 1: the largest absolute entry of U S
   */
  void probabilitySeeds(Matrix logits, Matrix seeds, Matrix scales);

  /**
   * The errors that a gradient of softmax cross-entropy is propagated back from, each row scaled so
   * that none is lost to underflow however sure the network is: seeds[i] ← (softmax − one-hot) /
   * scales[i] with scales[i] = 1 − σ_y, the largest absolute entry, as the sum of the other
   * probabilities. So the label's entry is −1, and the others share 1 among them.
   *
   * @param logits points × C
   * @param labels int32; row i of every replica has class {@code labels[labelsFrom + i]}
   * @param seeds points × C; rows of zeros where C = 1
   * @param scales float64, points × 1; NaN where a logit is not finite
   */
  void crossEntropySeeds(
      Matrix logits, DeviceArray labels, long labelsFrom, Matrix seeds, Matrix scales);

  /** seeds[i · C + c] ← the c-th unit vector; {@code seeds}: points · C × C. */
  void logitSeeds(Matrix seeds);

  /**
   * Gram matrices of groups of rows: grams[i] ← G Gᵀ, in float64, with G the i-th {@code group}
   * rows of a.
   *
   * @param grams float64, rows / group × group², each row a symmetric matrix
   */
  void groupGrams(Matrix a, int group, Matrix grams);

  /**
   * The Frobenius norm of the probabilities' Jacobian at points whose logits' Jacobian A is known
   * by its Gram matrix A Aᵀ, as it is throughout a linear region: row i of J is σᵢ (aᵢ − Σⱼ σⱼ aⱼ).
   *
   * @param logits points × C
   * @param grams float64, any × C²
   * @param regions which row of {@code grams} each point has
   * @param norms float64, points × 1
   */
  void probabilityNorms(Matrix logits, Matrix grams, int[] regions, Matrix norms);

  /**
   * The Frobenius norms of groups of rows: norms[i] ← scales[i] ‖G‖, in float64, with G the i-th
   * {@code group} rows of a.
   *
   * @param scales float64, rows / group × 1; or null for 1
   * @param norms float64, rows / group × 1
   */
  void groupNorms(Matrix a, int group, Matrix scales, Matrix norms);

  /**
   * Rows of length one: out[i] ← v / ‖v‖ and norms[i] ← ‖v‖ in float64, where v is a[i], with a 1
   * appended where {@code out} has one column more than {@code a}. A row of zeros stays one, and no
   * row is too small or too large.
   *
   * @param norms float64, rows × 1
   */
  void unitRows(Matrix a, Matrix out, Matrix norms);

  /**
   * The elementwise product of two products of rows, with factors: c(i, j) ← beta c(i, j) + u(i)
   * v(j) (a[i] · b[j]) (d[i] · e[j]). Where a and b are the inputs of a dense layer at two sets of
   * examples, and d and e the errors at its outputs, that is the product of its weights' gradients
   * at every pair of them. Neither of the two products needs a place in memory.
   *
   * @param a rows × any
   * @param b columns × as many as a
   * @param d rows × any
   * @param e columns × as many as d
   * @param u 1 × rows, or null for ones
   * @param v 1 × columns, or null for ones
   * @param c rows × columns; not read where beta is 0
   */
  void gramProduct(
      Matrix a, Matrix b, Matrix d, Matrix e, Matrix u, Matrix v, float beta, Matrix c);

  /**
   * The part of a layer's units in the pattern hashes of points: hashes[i] ← hashes[i] + Σⱼ code of
   * (z + bias)(i, j) · {@link PatternHash#key}(firstUnit + j), modulo 2⁶⁴. Summed over all hidden
   * layers, points of one pattern have one hash.
   *
   * @param bias 1 × columns, or null for none
   * @param firstUnit units of the layers before
   * @param hashes int64, one for each row of z from {@code from} on
   */
  void hashPatterns(
      Activation activation, Matrix z, Matrix bias, long firstUnit, DeviceArray hashes, long from);

  /**
   * Counts patterns by their hashes: out[at] ← how many distinct ones there are, out[at + 1] ← how
   * many runs of equal neighbours.
   *
   * @param hashes int64, {@code count} of them from {@code from} on
   * @param out int64
   */
  void countPatterns(DeviceArray hashes, long from, int count, DeviceArray out, long at);

  /**
   * What a convolution multiplies its weights with: row i · positions + p of out ← the patch of
   * image i at position p, with a 1 appended where {@code out} has one column more than patches
   * have components; float32 or float64.
   *
   * @param images one image a row
   */
  void patches(Matrix images, PatchShape shape, Matrix out);

  /**
   * The way back from {@link #patches}, its transposition: images[i] ← each component of the
   * patches of image i, added to the pixel that it shows. Float32.
   */
  void patchSums(Matrix patches, PatchShape shape, Matrix images);

  /**
   * Max-pooling: out[i] ← the largest value of each channel in each window of map h[i]. Slopes
   * become 0 for all pixels but each window's largest, the first of equals, so that {@link #unpool}
   * takes errors back through the pooling and what is before it at once.
   *
   * @param slopes of the same shape as h; or null
   */
  void maxPool(Matrix h, PoolShape shape, Matrix slopes, Matrix out);

  /**
   * Errors back through {@link #maxPool}: a pixel of out[i] ← the error of its window in errors[i],
   * times its slope in slopes[i / group]; 0 for a pixel of no window.
   *
   * @param errors as {@code maxPool} writes {@code out}
   * @param slopes as {@code maxPool} leaves them; each row serves {@code group} rows of errors
   * @param out may be {@code slopes} with group 1
   */
  void unpool(Matrix errors, PoolShape shape, Matrix slopes, int group, Matrix out);

  /**
   * Max-pooling of reference points: out ← the largest values of windows, and gaps, rounded to
   * float32, ← how far below it each pixel is, so 0 or negative; 0 for pixels of no window.
   *
   * @param h float64, a map a row
   * @param gaps float32, of the shape of h
   * @param out float64
   */
  void poolReferences(Matrix h, PoolShape shape, Matrix gaps, Matrix out);

  /**
   * Max-pooling of differences from a reference point: out[i] ← the largest of z[i] + gaps in each
   * window, which is how much its largest value differs from the reference's.
   *
   * @param gaps 1 × columns: of the reference point, as {@link #poolReferences} has them
   */
  void poolDifferences(Matrix z, PoolShape shape, Matrix gaps, Matrix out);
}
