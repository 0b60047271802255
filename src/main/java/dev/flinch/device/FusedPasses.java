package dev.flinch.device;

/**
 * Passes of many points through a whole network that a device carries out as one kernel each, with
 * activations kept on chip. Each has a composed form made of a {@link Lane}'s operations, with the
 * same results up to rounding.
 */
public interface FusedPasses {
  /**
   * How many steps of a trajectory are taken together, or 0 where layers are too wide for the fused
   * form.
   *
   * @param widest units of the widest layer that is not the input
   */
  int trajectoryTile(int widest);

  /**
   * Where a trajectory's points are: point i is at parameter period · (i mod points) / points.
   *
   * @param curve its shape
   * @param images float64, one row for each of the curve's vectors: its product with the first
   *     layer's weights, so that rows combine to first-layer pre-activations without bias
   * @param points k
   */
  record Points(Curve curve, Matrix images, long points) {}

  /**
   * What a pass along a trajectory leaves; all counts are added to what is there.
   *
   * @param perLayer int64, transitions of each hidden layer
   * @param perBin int64, transitions of each of its equal bins of the parameter: a step from point
   *     i belongs to bin ⌊i · bins / k⌋; or null
   * @param perStep int32, written, transitions of each step from its first on; or null
   * @param hashes int64, written, the {@link PatternHash} of each step's first point; or null
   * @param logits steps × C, written, the logits of each step's first point; or null
   */
  record TrajectoryCounts(
      DeviceArray perLayer,
      DeviceArray perBin,
      DeviceArray perStep,
      DeviceArray hashes,
      Matrix logits) {}

  /**
   * Takes the points of consecutive steps of a trajectory through the hidden layers of one replica,
   * as differences from reference points: steps {@code t · stepsPerReference} and so many after it
   * have point {@code from + t · stepsPerReference + stepsPerReference / 2} for theirs. A step goes
   * from its point to the next one.
   *
   * @param from the first step
   * @param steps how many
   * @param stepsPerReference a multiple of {@link #trajectoryTile}
   * @param weights of layers 2, 3, … to the last
   * @param knots per hidden layer what {@link Lane#activateReferences} made of the references: 3 ·
   *     references × units
   * @param referenceLogits the logits of the references, with biases, references × C; or null
   *     without logits
   */
  void trajectory(
      Lane lane,
      Activation activation,
      Points points,
      long from,
      int steps,
      int stepsPerReference,
      Matrix[] weights,
      Matrix[] knots,
      Matrix referenceLogits,
      TrajectoryCounts counts);

  /**
   * Whether a network's Jacobians can be found in one kernel.
   *
   * @param widest units of the widest layer that is not the input
   */
  boolean takesJacobians(Activation activation, int depth, int widest, int classes);

  /**
   * Frobenius norms of one replica's input–output Jacobians at points, and their rows if asked for.
   * As the rows of the last product only enter through their norms, {@code first} may be any matrix
   * F with F Fᵀ = W₁W₁ᵀ, such as a Cholesky factor.
   *
   * @param weights of layers 2, 3, … to the last
   * @param biases of all layers, 1 × units each; or null for none
   * @param first units of the first hidden layer × any
   * @param z first-layer pre-activations without bias, points × units; left as they are
   * @param ofProbabilities of the probabilities, else of the logits
   * @param norms float64, points × 1; or null
   * @param rows the rows that the norms are of, before the seeds' scales: points · (C − 1) ×
   *     columns of {@code first} for probabilities as {@link Lane#probabilitySeeds} has them but
   *     scaled back, points · C for logits; or null
   */
  void jacobians(
      Lane lane,
      Activation activation,
      Matrix[] weights,
      Matrix[] biases,
      Matrix first,
      Matrix z,
      boolean ofProbabilities,
      Matrix norms,
      Matrix rows);
}
