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
   * The patches of one image.
   *
   * @param bytes of an element: 4 or 8
   * @param stride from one patch to the next
   * @param appended whether each has a 1 at its end
   */
  static void patches(
      ByteBuffer image,
      int imageAt,
      PatchShape shape,
      int bytes,
      ByteBuffer out,
      int outAt,
      int stride,
      boolean appended) {
    ImageShape of = shape.image();
    int reach = shape.side() / 2;
    int channels = of.channels();
    int run = shape.side() * channels * bytes;
    for (int y = 0; y < of.height(); y++) {
      for (int x = 0; x < of.width(); x++) {
        int patch = outAt + (y * of.width() + x) * stride;
        int left = Math.max(0, x - reach);
        int right = Math.min(of.width(), x + reach + 1);
        for (int k = 0; k < shape.side(); k++) {
          int row = y + k - reach;
          int to = patch + k * run;
          if (row < 0 || row >= of.height()) {
            zero(out, to, run);
            continue;
          }
          int skipped = (left - (x - reach)) * channels * bytes;
          int length = (right - left) * channels * bytes;
          zero(out, to, skipped);
          if (!shape.channelsFirst() || channels == 1) {
            out.put(
                to + skipped,
                image,
                imageAt + (row * of.width() + left) * channels * bytes,
                length);
          } else {
            transpose(image, imageAt, of, row, left, right, bytes, out, to + skipped);
          }
          zero(out, to + skipped + length, run - skipped - length);
        }
        if (appended) {
          putOne(out, patch + shape.size() * bytes, bytes);
        }
      }
    }
  }

  /** Some pixels of a row, channels first, to channels last. */
  private static void transpose(
      ByteBuffer image,
      int imageAt,
      ImageShape of,
      int row,
      int left,
      int right,
      int bytes,
      ByteBuffer out,
      int outAt) {
    int channels = of.channels();
    for (int c = 0; c < channels; c++) {
      int from = imageAt + ((c * of.height() + row) * of.width()) * bytes;
      for (int x = left; x < right; x++) {
        int to = outAt + ((x - left) * channels + c) * bytes;
        if (bytes == 4) {
          out.putInt(to, image.getInt(from + 4 * x));
        } else {
          out.putLong(to, image.getLong(from + 8 * x));
        }
      }
    }
  }

  private static void zero(ByteBuffer out, int at, int bytes) {
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
      ByteBuffer patches,
      int patchesAt,
      int stride,
      PatchShape shape,
      ByteBuffer image,
      int imageAt) {
    ImageShape of = shape.image();
    int reach = shape.side() / 2;
    int channels = of.channels();
    int run = shape.side() * channels * 4;
    zero(image, imageAt, 4 * of.size());
    // A pixel's terms are added in the order of positions, whichever the order of channels.
    for (int y = 0; y < of.height(); y++) {
      for (int x = 0; x < of.width(); x++) {
        int patch = patchesAt + (y * of.width() + x) * stride;
        int left = Math.max(0, x - reach);
        int right = Math.min(of.width(), x + reach + 1);
        for (int k = Math.max(0, reach - y);
            k < Math.min(shape.side(), of.height() + reach - y);
            k++) {
          int row = y + k - reach;
          int from = patch + k * run + (left - (x - reach)) * channels * 4;
          if (shape.channelsFirst()) {
            for (int c = 0; c < channels; c++) {
              int to = imageAt + 4 * ((c * of.height() + row) * of.width() + left);
              add(patches, from + 4 * c, 4 * channels, image, to, right - left);
            }
          } else {
            int to = imageAt + 4 * (row * of.width() + left) * channels;
            add(patches, from, 4, image, to, (right - left) * channels);
          }
        }
      }
    }
  }

  private static void add(
      ByteBuffer from, int fromAt, int fromStep, ByteBuffer to, int toAt, int count) {
    for (int i = 0; i < count; i++) {
      int at = toAt + 4 * i;
      to.putFloat(at, to.getFloat(at) + from.getFloat(fromAt + i * fromStep));
    }
  }

  /** One map; {@code slopes} may be null. */
  static void maxPool(
      ByteBuffer h,
      int hAt,
      PoolShape shape,
      ByteBuffer slopes,
      int slopesAt,
      ByteBuffer out,
      int outAt) {
    ImageShape pooled = shape.pooled();
    int channels = pooled.channels();
    if (slopes != null) {
      clearOutside(shape, slopes, slopesAt);
    }
    for (int y = 0; y < pooled.height(); y++) {
      for (int x = 0; x < pooled.width(); x++) {
        for (int c = 0; c < channels; c++) {
          int best = pixel(shape, y, x, 0, c);
          for (int i = 1; i < shape.side() * shape.side(); i++) {
            int other = pixel(shape, y, x, i, c);
            float value = h.getFloat(hAt + other);
            // Once a NaN is found it stays, so that it is seen.
            if (value > h.getFloat(hAt + best)
                || (Float.isNaN(value) && !Float.isNaN(h.getFloat(hAt + best)))) {
              best = other;
            }
          }
          out.putFloat(
              outAt + 4 * ((y * pooled.width() + x) * channels + c), h.getFloat(hAt + best));
          for (int i = 0; slopes != null && i < shape.side() * shape.side(); i++) {
            int other = pixel(shape, y, x, i, c);
            if (other != best) {
              slopes.putFloat(slopesAt + other, 0);
            }
          }
        }
      }
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
    clearOutside(shape, out, outAt);
    for (int y = 0; y < pooled.height() * shape.side(); y++) {
      int window = errorsAt + 4 * (y / shape.side()) * pooled.width() * channels;
      for (int x = 0; x < pooled.width() * shape.side(); x++) {
        int from = window + 4 * (x / shape.side()) * channels;
        int at = 4 * (y * of.width() + x) * channels;
        for (int c = 0; c < 4 * channels; c += 4) {
          out.putFloat(
              outAt + at + c, errors.getFloat(from + c) * slopes.getFloat(slopesAt + at + c));
        }
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
      ByteBuffer z,
      int zAt,
      PoolShape shape,
      ByteBuffer gaps,
      int gapsAt,
      ByteBuffer out,
      int outAt) {
    ImageShape pooled = shape.pooled();
    int channels = pooled.channels();
    for (int y = 0; y < pooled.height(); y++) {
      for (int x = 0; x < pooled.width(); x++) {
        for (int c = 0; c < channels; c++) {
          float largest = Float.NEGATIVE_INFINITY;
          for (int i = 0; i < shape.side() * shape.side(); i++) {
            int at = pixel(shape, y, x, i, c);
            largest = Math.max(largest, z.getFloat(zAt + at) + gaps.getFloat(gapsAt + at));
          }
          out.putFloat(outAt + 4 * ((y * pooled.width() + x) * channels + c), largest);
        }
      }
    }
  }
}
