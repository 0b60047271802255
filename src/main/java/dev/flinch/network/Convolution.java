package dev.flinch.network;

/**
 * A convolutional layer: a square kernel at every pixel, with zeros beyond the borders, so that
 * maps keep their size; the activation; then max-pooling of windows that lie side by side.
 *
 * @param channels that it writes
 * @param kernel side of the kernel, odd
 * @param pool side of a window of the max-pooling, or 1 for none
 */
public record Convolution(int channels, int kernel, int pool) {
  public Convolution {
    if (channels < 1 || kernel < 1 || kernel % 2 == 0 || pool < 1) {
      throw new IllegalArgumentException(
          "expected a channel or more, a kernel of an odd side and windows of a pixel or more, found %d, %d and %d"
              .formatted(channels, kernel, pool));
    }
  }

  /** Such as {@code 16/2}, or {@code 16@5/2} where the kernel is not 3 × 3. */
  String title() {
    return channels + (kernel == 3 ? "" : "@" + kernel) + (pool == 1 ? "" : "/" + pool);
  }
}
