package dev.flinch.network;

/**
 * The order of a layer's columns, in memory and in files. Where a layer reads maps or patches,
 * memory has a pixel's channels side by side, {@code [pixel][channel]}, and files have a channel's
 * pixels, {@code [channel][pixel]}, as PyTorch has. All other columns are of one channel or one
 * pixel, and their order is the same.
 *
 * @param channels of the maps or patches that a row is multiplied with
 * @param pixels of the same: of a kernel, or of the maps that are flattened
 */
record ChannelOrder(int channels, int pixels) {
  static ChannelOrder of(Architecture architecture, int layer) {
    if (architecture.isConvolutional(layer)) {
      int kernel = architecture.convolutions().get(layer).kernel();
      return new ChannelOrder(architecture.map(layer).channels(), kernel * kernel);
    }
    return layer > 0 && architecture.isConvolutional(layer - 1)
        ? new ChannelOrder(
            architecture.map(layer).channels(),
            architecture.map(layer).height() * architecture.map(layer).width())
        : new ChannelOrder(1, architecture.columns(layer));
  }

  /** Rows {@code [pixel][channel]} as {@code [channel][pixel]}; may be the same array. */
  float[] first(float[] rows) {
    return transposed(rows, pixels, channels);
  }

  /** Rows {@code [channel][pixel]} as {@code [pixel][channel]}; may be the same array. */
  float[] last(float[] rows) {
    return transposed(rows, channels, pixels);
  }

  /** Every row, a matrix of {@code outer × inner}, transposed. */
  private static float[] transposed(float[] rows, int outer, int inner) {
    if (outer == 1 || inner == 1) {
      return rows;
    }
    int columns = outer * inner;
    float[] transposed = new float[rows.length];
    for (int row = 0; row < rows.length; row += columns) {
      for (int o = 0; o < outer; o++) {
        for (int i = 0; i < inner; i++) {
          transposed[row + i * outer + o] = rows[row + o * inner + i];
        }
      }
    }
    return transposed;
  }
}
