package dev.flinch.device.cpu;

import dev.flinch.device.ImageShape;
import dev.flinch.device.PatchShape;
import dev.flinch.device.PoolShape;
import java.nio.ByteBuffer;

/**
 * Patches and pooling of single images, by bytes of buffers in native order. What each computes is
 * said in {@link dev.flinch.device.Lane}; shapes were checked by the caller.
 */
final class MapKernels {
  private MapKernels() {}

  /**
   * Bytes of an image with zeros around it, so that a kernel at any pixel looks at something,
   * ordered {@code [height][width][channels]}.
   */
  static int framedBytes(PatchShape shape, int bytes) {
    int frame = shape.side() - 1;
    int pixels = Math.multiplyExact(shape.image().height() + frame, shape.image().width() + frame);
    return Math.multiplyExact(pixels, shape.image().channels() * bytes);
  }

  /**
   * The patches of one image.
   *
   * @param bytes of an element: 4 or 8
   * @param framed room for {@link #framedBytes}: zeros, but where an image of this shape was
   * @param stride from one patch to the next
   * @param appended whether each has a 1 at its end
   */
  static void patches(
      ElementKernels kernels,
      ByteBuffer image,
      int imageAt,
      PatchShape shape,
      int bytes,
      ByteBuffer framed,
      int framedAt,
      ByteBuffer out,
      int outAt,
      int stride,
      boolean appended) {
    ImageShape of = shape.image();
    int reach = shape.side() / 2;
    int pixel = of.channels() * bytes;
    int rowBytes = (of.width() + shape.side() - 1) * pixel;
    for (int y = 0; y < of.height(); y++) {
      int to = framedAt + (y + reach) * rowBytes + reach * pixel;
      if (shape.channelsFirst()) {
        transpose(image, imageAt, of, y, bytes, framed, to);
      } else {
        framed.put(to, image, imageAt + y * of.width() * pixel, of.width() * pixel);
      }
    }
    int run = shape.side() * pixel;
    for (int y = 0; y < of.height(); y++) {
      int first = outAt + y * of.width() * stride;
      for (int k = 0; k < shape.side(); k++) {
        kernels.copyRuns(
            framed,
            framedAt + (y + k) * rowBytes,
            pixel,
            out,
            first + k * run,
            stride,
            run / 4,
            of.width());
      }
      for (int x = 0; appended && x < of.width(); x++) {
        putOne(out, first + x * stride + shape.size() * bytes, bytes);
      }
    }
  }

  /** A row of pixels, channels first, to channels last. */
  private static void transpose(
      ByteBuffer image, int imageAt, ImageShape of, int row, int bytes, ByteBuffer out, int outAt) {
    int channels = of.channels();
    for (int c = 0; c < channels; c++) {
      int from = imageAt + ((c * of.height() + row) * of.width()) * bytes;
      if (bytes == 4) {
        for (int x = 0; x < of.width(); x++) {
          out.putInt(outAt + 4 * (x * channels + c), image.getInt(from + 4 * x));
        }
      } else {
        for (int x = 0; x < of.width(); x++) {
          out.putLong(outAt + 8 * (x * channels + c), image.getLong(from + 8 * x));
        }
      }
    }
  }

  /** Zeros, a multiple of 4 bytes. */
  static void zero(ByteBuffer out, int at, int bytes) {
    for (int i = at; i < at + bytes; i += 4) {
      out.putInt(i, 0);
    }
  }

  private static void putOne(ByteBuffer out, int at, int bytes) {
    if (bytes == 4) {
      out.putFloat(at, 1);
    } else {
      out.putDouble(at, 1);
    }
  }

  /**
   * The sums of one image's patches.
   *
   * @param stride from one patch to the next
   */
  static void patchSums(
      ElementKernels kernels,
      ByteBuffer patches,
      int patchesAt,
      int stride,
      PatchShape shape,
      ByteBuffer image,
      int imageAt) {
    ImageShape of = shape.image();
    int reach = shape.side() / 2;
    int pixel = 4 * of.channels();
    // From a term of a pixel to the next in its row of positions, and to the next row.
    int right = stride - pixel;
    int down = of.width() * stride - shape.side() * pixel;
    for (int y = 0; y < of.height(); y++) {
      int top = Math.max(0, y - reach);
      int deep = Math.min(of.height(), y + reach + 1) - top;
      int x = 0;
      while (x < of.width()) {
        int left = Math.max(0, x - reach);
        int across = Math.min(of.width(), x + reach + 1) - left;
        // Pixels from here on whose terms lie alike: all but those at a border.
        int alike = across == shape.side() ? of.width() - reach - x : 1;
        int component = (y - top + reach) * shape.side() + x - left + reach;
        int from = patchesAt + (top * of.width() + left) * stride + component * pixel;
        int at = y * of.width() + x;
        if (shape.channelsFirst()) {
          for (int c = 0; c < of.channels(); c++) {
            int to = imageAt + 4 * (c * shape.positions() + at);
            kernels.sumRows(
                patches, from + 4 * c, right, across, down, deep, stride, image, to, 4, 1, alike);
          }
        } else {
          kernels.sumRows(
              patches,
              from,
              right,
              across,
              down,
              deep,
              stride,
              image,
              imageAt + at * pixel,
              pixel,
              of.channels(),
              alike);
        }
        x += alike;
      }
    }
  }

  /** One map; {@code slopes} may be null. */
  static void maxPool(
      ElementKernels kernels,
      ByteBuffer h,
      int hAt,
      PoolShape shape,
      ByteBuffer slopes,
      int slopesAt,
      ByteBuffer out,
      int outAt) {
    ImageShape pooled = shape.pooled();
    int channels = pooled.channels();
    int row = 4 * shape.map().width() * channels;
    if (slopes != null) {
      clearOutside(shape, slopes, slopesAt);
    }
    for (int y = 0; y < pooled.height(); y++) {
      int from = y * shape.side() * row;
      kernels.maxPool(
          h,
          hAt + from,
          row,
          slopes,
          slopesAt + from,
          out,
          outAt + 4 * y * pooled.width() * channels,
          shape.side(),
          channels,
          pooled.width());
    }
  }

  /** The byte, from a float32 map's start, of pixel {@code i} of a window. */
  private static int pixel(PoolShape shape, int y, int x, int i, int channel) {
    int row = y * shape.side() + i / shape.side();
    int column = x * shape.side() + i % shape.side();
    return 4 * ((row * shape.map().width() + column) * shape.map().channels() + channel);
  }

  /** Zeros for the pixels of no window. */
  private static void clearOutside(PoolShape shape, ByteBuffer map, int at) {
    ImageShape of = shape.map();
    int bottom = shape.pooled().height() * shape.side();
    int right = shape.pooled().width() * shape.side();
    int rowBytes = 4 * of.width() * of.channels();
    for (int y = 0; y < of.height(); y++) {
      int from = y < bottom ? 4 * right * of.channels() : 0;
      zero(map, at + y * rowBytes + from, rowBytes - from);
    }
  }

  /** One map. */
  static void unpool(
      ElementKernels kernels,
      ByteBuffer errors,
      int errorsAt,
      PoolShape shape,
      ByteBuffer slopes,
      int slopesAt,
      ByteBuffer out,
      int outAt) {
    ImageShape of = shape.map();
    int channels = of.channels();
    ImageShape pooled = shape.pooled();
    int pixel = 4 * channels;
    clearOutside(shape, out, outAt);
    for (int y = 0; y < pooled.height() * shape.side(); y++) {
      int window = errorsAt + y / shape.side() * pooled.width() * pixel;
      for (int x = 0; x < pooled.width(); x++) {
        int at = (y * of.width() + x * shape.side()) * pixel;
        // The pixels of a row of a window, all by the same error.
        kernels.scale(
            errors,
            window + x * pixel,
            0,
            slopes,
            slopesAt + at,
            pixel,
            1,
            out,
            outAt + at,
            pixel,
            shape.side(),
            channels);
      }
    }
  }

  /** One map; {@code h} and {@code out} are float64. */
  static void poolReferences(
      ByteBuffer h,
      int hAt,
      PoolShape shape,
      ByteBuffer gaps,
      int gapsAt,
      ByteBuffer out,
      int outAt) {
    ImageShape pooled = shape.pooled();
    int channels = pooled.channels();
    int pixels = shape.side() * shape.side();
    clearOutside(shape, gaps, gapsAt);
    for (int y = 0; y < pooled.height(); y++) {
      for (int x = 0; x < pooled.width(); x++) {
        for (int c = 0; c < channels; c++) {
          double largest = Double.NEGATIVE_INFINITY;
          for (int i = 0; i < pixels; i++) {
            largest = Math.max(largest, h.getDouble(hAt + 2 * pixel(shape, y, x, i, c)));
          }
          out.putDouble(outAt + 8 * ((y * pooled.width() + x) * channels + c), largest);
          for (int i = 0; i < pixels; i++) {
            int at = pixel(shape, y, x, i, c);
            gaps.putFloat(gapsAt + at, (float) (h.getDouble(hAt + 2 * at) - largest));
          }
        }
      }
    }
  }

  /** One map. */
  static void poolDifferences(
      ElementKernels kernels,
      ByteBuffer z,
      int zAt,
      PoolShape shape,
      ByteBuffer gaps,
      int gapsAt,
      ByteBuffer out,
      int outAt) {
    ImageShape pooled = shape.pooled();
    int channels = pooled.channels();
    int row = 4 * shape.map().width() * channels;
    for (int y = 0; y < pooled.height(); y++) {
      int from = y * shape.side() * row;
      kernels.poolDifferences(
          z,
          zAt + from,
          row,
          gaps,
          gapsAt + from,
          out,
          outAt + 4 * y * pooled.width() * channels,
          shape.side(),
          channels,
          pooled.width());
    }
  }
}
