package dev.flinch.device;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import dev.flinch.base.RequestException;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * The element-wise functions of Novak et al., §A.4. The piecewise-linear ones are clamps between
 * their knots: φ(z) = min(max(z, low), high) + shift. A unit's code is the number of its knots
 * below its pre-activation z.
 */
public enum Activation {
  RELU("ReLU", 2, 0, Double.POSITIVE_INFINITY, 0),
  RELU6("ReLU6", 2, 0, 6, 0),
  HARD_TANH("HardTanh", 1, -1, 1, 0),
  HARD_SIGMOID("HardSigmoid", 2, -0.5, 0.5, 0.5),
  TANH("Tanh", 1, 0, Double.POSITIVE_INFINITY, 0);

  private final String label;
  private final double gain;
  private final double low;
  private final double high;
  private final double shift;

  Activation(String label, double gain, double low, double high, double shift) {
    this.label = label;
    this.gain = gain;
    this.low = low;
    this.high = high;
    this.shift = shift;
  }

  /** The activation of a name such as {@code ReLU6}, in any case. */
  @JsonCreator
  public static Activation named(String name) {
    return Arrays.stream(values())
        .filter(a -> a.label.equalsIgnoreCase(name.strip()))
        .findFirst()
        .orElseThrow(
            () ->
                new RequestException(
                    "unknown activation '%s': expected one of %s"
                        .formatted(
                            name,
                            Arrays.stream(values())
                                .map(Activation::label)
                                .collect(Collectors.joining(", ")))));
  }

  /** The name that users write and read. */
  @JsonValue
  public String label() {
    return label;
  }

  /** Variance of the initial weights times the fan-in (§A.5): 2 or 1. */
  public double gain() {
    return gain;
  }

  /** The lowest knot. */
  public double low() {
    return low;
  }

  /** The upper knot, or infinity where there is but one. */
  public double high() {
    return high;
  }

  /** What a clamp to [low, high] is shifted by; φ = clamp(z) + shift for piecewise-linear φ. */
  public double shift() {
    return shift;
  }

  public boolean isPiecewiseLinear() {
    return this != TANH;
  }

  /** Knots: 1 or 2; codes run from 0 to this number. */
  public int knots() {
    return high == Double.POSITIVE_INFINITY ? 1 : 2;
  }

  /** φ(z). */
  public double value(double z) {
    return this == TANH ? Math.tanh(z) : Math.min(Math.max(z, low), high) + shift;
  }

  /** φ′(z), with 1 at an upper knot and 0 at a lower one; 1 − tanh² z for Tanh. */
  public double derivative(double z) {
    if (this == TANH) {
      double t = Math.tanh(z);
      return 1 - t * t;
    }
    return z > low && z <= high ? 1 : 0;
  }

  /** The number of knots below z. */
  public int code(double z) {
    return (z > low ? 1 : 0) + (z > high ? 1 : 0);
  }
}
