package dev.flinch.device.cuda.driver;

/**
 * What is known of a card.
 *
 * @param index which of the machine's cards, from 0
 * @param name such as NVIDIA GeForce RTX 4090
 * @param major of the compute capability
 * @param minor of the compute capability
 * @param multiprocessors streaming multiprocessors
 * @param sharedBytesPerBlock shared memory that a kernel can be given when it asks
 * @param memoryBytes of the card
 * @param driverVersion of CUDA that the driver is for: 1000 · major + 10 · minor
 */
public record Card(
    int index,
    String name,
    int major,
    int minor,
    int multiprocessors,
    int sharedBytesPerBlock,
    long memoryBytes,
    int driverVersion) {

  /** The compute capability as one number, such as 89. */
  public int architecture() {
    return 10 * major + minor;
  }

  /** One line for people. */
  public String description() {
    return "%d: %s, %d GiB, compute capability %d.%d, driver for CUDA %d.%d"
        .formatted(
            index,
            name,
            memoryBytes >> 30,
            major,
            minor,
            driverVersion / 1000,
            driverVersion % 1000 / 10);
  }

  /**
   * Whether three TF32 products on tensor cores are faster than one product in float32. They are on
   * the cards for data centres of compute capability 8.0 and 9.0, whose data sheets give them 7 to
   * 8 times as many (A100 156 to 19.5 TFLOP/s, H100 495 to 67); on GeForce cards both rates are
   * alike. Of newer ones we don't know.
   */
  public boolean splitTf32Pays() {
    return architecture() == 80 || architecture() == 90;
  }
}
