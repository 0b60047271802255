package dev.flinch.device;

import com.fasterxml.jackson.annotation.JsonValue;

/**
 * How a step of an optimizer changes a weight w by its gradient g, with the coefficients that
 * TensorFlow 1 had by default (Novak et al., §A.5.5). α is the learning rate.
 */
public enum OptimizerRule {
  /** w ← w − α g. */
  SGD("SGD", 0),
  /** v ← 0.9 v + g; w ← w − α v. */
  MOMENTUM("Momentum", 1),
  /**
   * m ← 0.9 m + 0.1 g; v ← 0.999 v + 0.001 g²; w ← w − αₜ m / (√v + 10⁻⁸), where the caller passes
   * αₜ = α √(1 − 0.999ᵗ) / (1 − 0.9ᵗ).
   */
  ADAM("Adam", 2),
  /** s ← 0.9 s + 0.1 g², s starting at 1; w ← w − α g / √(s + 10⁻¹⁰). */
  RMSPROP("RMSProp", 1);

  /**
   * Decay of the velocity (Momentum), of the first moment (Adam) and of the mean square (RMSProp).
   */
  public static final float DECAY = 0.9f;

  /** Decay of Adam's second moment. */
  public static final float SECOND_DECAY = 0.999f;

  public static final float ADAM_EPSILON = 1e-8f;
  public static final float RMSPROP_EPSILON = 1e-10f;

  private final String label;
  private final int slots;

  OptimizerRule(String label, int slots) {
    this.label = label;
    this.slots = slots;
  }

  /** The name that users write and read. */
  @JsonValue
  public String label() {
    return label;
  }

  /** Numbers that the rule keeps beside every weight. */
  public int slots() {
    return slots;
  }

  /** What the slots hold before the first step. */
  public float initialSlot() {
    return this == RMSPROP ? 1 : 0;
  }

  /**
   * The factor on the learning rate at step {@code t} = 1, 2, …: Adam's bias correction, else 1.
   */
  public double rateFactor(long t) {
    return this == ADAM ? Math.sqrt(1 - Math.pow(SECOND_DECAY, t)) / (1 - Math.pow(DECAY, t)) : 1;
  }
}
