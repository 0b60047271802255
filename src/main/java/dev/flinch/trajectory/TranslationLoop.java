package dev.flinch.trajectory;

import dev.flinch.device.Curve;
import dev.flinch.device.ImageShape;

/**
 * An image pushed once around horizontally: at t = j + f, j whole and 0 ≤ f &lt; 1, (1 − f) Sⱼ x +
 * f Sⱼ₊₁ x with Sⱼ the shift to the right by j pixels with wrap-around, every channel alike. t in
 * pixels.
 */
public final class TranslationLoop implements Trajectory {
  private final double[][] shifts;

  /**
   * @param image normalised, {@code [channels][height][width]}
   */
  public TranslationLoop(ImageShape shape, float[] image) {
    int width = shape.width();
    shifts = new double[width][image.length];
    for (int shift = 0; shift < width; shift++) {
      for (int i = 0; i < image.length; i++) {
        int column = i % width;
        shifts[shift][i - column + (column + shift) % width] = image[i];
      }
    }
  }

  @Override
  public String kind() {
    return "translation";
  }

  @Override
  public String parameter() {
    return "t";
  }

  @Override
  public Curve curve() {
    return Curve.polygon(shifts.length);
  }

  @Override
  public double[][] vectors() {
    return shifts;
  }
}
