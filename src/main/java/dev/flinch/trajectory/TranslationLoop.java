package dev.flinch.trajectory;

import dev.flinch.data.ImageShape;

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
  public double period() {
    return shifts.length;
  }

  @Override
  public double[][] vectors() {
    return shifts;
  }

  @Override
  public int terms() {
    return 2;
  }

  @Override
  public void coordinates(double t, int[] indices, double[] coefficients, int at) {
    int whole = (int) t;
    indices[at] = whole % shifts.length;
    indices[at + 1] = (whole + 1) % shifts.length;
    coefficients[at] = 1 - (t - whole);
    coefficients[at + 1] = t - whole;
  }
}
