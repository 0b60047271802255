package dev.flinch.device.cuda;

import dev.flinch.device.ElementType;
import dev.flinch.device.ImageShape;
import dev.flinch.device.PatchShape;
import dev.flinch.device.PoolShape;
import dev.flinch.device.cuda.Twins.Fill;
import dev.flinch.device.cuda.Twins.Layout;
import dev.flinch.device.cuda.Twins.Operand;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** patches, patchSums, maxPool, unpool, poolReferences and poolDifferences. */
@Tag("cuda")
class MapContractTest extends LaneContract {
  /** Which column of a row of an image's components a pixel's channel is. */
  private static int column(PatchShape shape, int c, int y, int x) {
    ImageShape of = shape.image();
    return shape.channelsFirst()
        ? (c * of.height() + y) * of.width() + x
        : (y * of.width() + x) * of.channels() + c;
  }

  /** Which column of the images a patch's component shows, or −1 beyond the borders. */
  private static int shown(PatchShape shape, int position, int component) {
    ImageShape of = shape.image();
    int c = component % of.channels();
    int l = component / of.channels() % shape.side();
    int k = component / of.channels() / shape.side();
    int y = position / of.width() + k - shape.side() / 2;
    int x = position % of.width() + l - shape.side() / 2;
    return y < 0 || x < 0 || y >= of.height() || x >= of.width() ? -1 : column(shape, c, y, x);
  }

  @ParameterizedTest
  @CsvSource({
    // replicas, images, channels, height, width, side, layout
    "1,1,1,1,1,1,DENSE",
    "2,2,1,1,1,3,ODD",
    "1,3,3,1,1,5,DENSE",
    "2,1,4,1,1,7,ALIGNED",
    "1,2,3,7,5,3,ODD",
    "2,3,3,6,6,3,DENSE",
    "1,1,16,3,2,3,DENSE",
    "2,2,16,5,4,3,PADDED",
    "2,2,17,3,4,3,DENSE",
    "1,2,17,4,3,5,ODD",
    "3,1,8,4,4,5,ALIGNED",
    "1,2,2,2,3,9,PADDED",
    "2,3,12,3,3,1,DENSE",
    "1,2,1,8,9,5,DENSE",
    // More replicas, and more images and components, than the grid has layers and blocks.
    "35,2,2,2,3,3,ODD",
    "1,40,4,8,8,3,DENSE"
  })
  void patchesShowWhatIsAroundEachPixelAndTheirSumsAddUpWhereItWasSeen(
      int replicas, int images, int channels, int height, int width, int side, Layout layout) {
    for (boolean channelsFirst : new boolean[] {false, true}) {
      PatchShape shape =
          new PatchShape(new ImageShape(channels, height, width), side, channelsFirst);
      for (ElementType type : new ElementType[] {ElementType.FLOAT32, ElementType.FLOAT64}) {
        for (int appended = 0; appended <= 1; appended++) {
          patches(shape, type, replicas, images, appended, layout);
        }
      }
      sums(shape, replicas, images, layout);
    }
  }

  private static void patches(
      PatchShape shape, ElementType type, int replicas, int images, int appended, Layout layout) {
    int positions = shape.positions();
    Operand x =
        twins.operand(type, replicas, images, shape.image().size(), layout, withNaN(normal(91)));
    Operand out =
        twins.operand(
            type, replicas, images * positions, shape.size() + appended, layout, normal(92));
    twins.run((lane, on) -> lane.patches(on.of(x), shape, on.of(out)));
    out.agreesExactly("patches");
    out.agrees(
        "patches",
        (r, i, j) -> {
          if (j == shape.size()) {
            return 1;
          }
          int from = shown(shape, i % positions, j);
          return from < 0 ? 0 : x.before(r, i / positions, from);
        },
        (r, i, j, expected) -> 0);
    twins.release();
  }

  /** The same with a NaN in the first image. */
  private static Fill withNaN(Fill fill) {
    return (r, i, j) -> r == 0 && i == 0 && j == 0 ? Double.NaN : fill.at(r, i, j);
  }

  private static void sums(PatchShape shape, int replicas, int images, Layout layout) {
    int positions = shape.positions();
    int size = shape.image().size();
    Operand patches =
        twins.floats(replicas, images * positions, shape.size(), layout, withNaN(normal(93)));
    Operand x = twins.floats(replicas, images, size, layout, normal(94));
    twins.run((lane, on) -> lane.patchSums(on.of(patches), shape, on.of(x)));
    x.agreesExactly("sums of patches");
    double[][][] sums = new double[replicas][images][size];
    double[][][] magnitudes = new double[replicas][images][size];
    for (int r = 0; r < replicas; r++) {
      for (int i = 0; i < images * positions; i++) {
        for (int j = 0; j < shape.size(); j++) {
          int to = shown(shape, i % positions, j);
          if (to >= 0) {
            sums[r][i / positions][to] += patches.before(r, i, j);
            magnitudes[r][i / positions][to] += Math.abs(patches.before(r, i, j));
          }
        }
      }
    }
    // One rounding an addition.
    double error = shape.side() * shape.side() * ROUNDING;
    x.agrees(
        "sums of patches",
        (r, i, j) -> sums[r][i][j],
        (r, i, j, expected) -> error * magnitudes[r][i][j]);
    twins.release();
  }

  /** The columns of a map that the pixels of a pooled map's column are, row by row. */
  private static int[] pixels(PoolShape shape, int pooled) {
    ImageShape of = shape.map();
    int c = pooled % of.channels();
    int y = pooled / of.channels() / shape.pooled().width() * shape.side();
    int x = pooled / of.channels() % shape.pooled().width() * shape.side();
    return IntStream.range(0, shape.side() * shape.side())
        .map(i -> ((y + i / shape.side()) * of.width() + x + i % shape.side()) * of.channels() + c)
        .toArray();
  }

  /** For each column of a map the column of its pooled map, or −1 for a pixel of no window. */
  private static int[] windows(PoolShape shape) {
    int[] windows = IntStream.range(0, shape.map().size()).map(j -> -1).toArray();
    for (int pooled = 0; pooled < shape.pooled().size(); pooled++) {
      for (int pixel : pixels(shape, pooled)) {
        windows[pixel] = pooled;
      }
    }
    return windows;
  }

  /** The pixel of a window that has the largest value: the first of equals, or the first NaN. */
  private static int largest(PoolShape shape, int pooled, Fill map, int r, int i) {
    int best = -1;
    for (int pixel : pixels(shape, pooled)) {
      double value = map.at(r, i, pixel);
      if (best < 0
          || Double.isNaN(value) && !Double.isNaN(map.at(r, i, best))
          || value > map.at(r, i, best)) {
        best = pixel;
      }
    }
    return best;
  }

  /** Small whole numbers, so that windows have equals, with NaN and infinities here and there. */
  private static Fill withEquals(long seed) {
    Fill fill = normal(seed, 2);
    return (r, i, j) -> {
      double value = Math.rint(fill.at(r, i, j));
      return value == 5
          ? Double.NaN
          : value == 4 ? Double.POSITIVE_INFINITY : value == -4 ? Double.NEGATIVE_INFINITY : value;
    };
  }

  private static final String MAPS =
      """
      1,1,1,1,1,1,DENSE
      2,3,1,2,2,2,ODD
      1,2,3,6,6,2,DENSE
      2,2,16,5,7,2,DENSE
      1,3,16,4,4,2,PADDED
      2,2,17,7,4,3,ODD
      1,2,4,9,5,4,ALIGNED
      2,1,8,6,3,3,ALIGNED
      1,1,5,8,8,8,DENSE
      3,2,2,3,3,1,ODD
      1,2,3,5,11,5,DENSE
      35,2,1,3,5,2,ODD
      1,40,12,8,9,2,DENSE
      """;

  @ParameterizedTest
  @CsvSource(textBlock = MAPS)
  void poolingKeepsTheLargestAndErrorsGoBackThroughIt(
      int replicas, int maps, int channels, int height, int width, int side, Layout layout) {
    PoolShape shape = new PoolShape(new ImageShape(channels, height, width), side);
    int size = shape.map().size();
    int left = shape.pooled().size();
    int[] windows = windows(shape);
    Operand h = twins.floats(replicas, maps, size, layout, withEquals(95));
    Operand slopes = twins.floats(replicas, maps, size, layout, normal(96));
    Operand out = twins.floats(replicas, maps, left, layout, normal(97));
    twins.run((lane, on) -> lane.maxPool(on.of(h), shape, on.of(slopes), on.of(out)));
    Fill pooled = (r, i, j) -> h.before(r, i, largest(shape, j, h::before, r, i));
    out.agreesExactly("pooled");
    out.agrees("pooled", pooled, (r, i, j, expected) -> 0);
    slopes.agreesExactly("slopes");
    slopes.agrees(
        "slopes",
        (r, i, j) ->
            windows[j] >= 0 && largest(shape, windows[j], h::before, r, i) == j
                ? slopes.before(r, i, j)
                : 0,
        (r, i, j, expected) -> 0);
    twins.run((lane, on) -> lane.maxPool(on.of(h), shape, null, on.of(out)));
    out.agrees("pooled without slopes", pooled, (r, i, j, expected) -> 0);
    slopes.agrees("slopes left alone", slopes::before, (r, i, j, expected) -> 0);
    twins.release();
  }

  @ParameterizedTest
  @CsvSource(textBlock = MAPS)
  void errorsGoBackToTheirWindowsByGroups(
      int replicas, int maps, int channels, int height, int width, int side, Layout layout) {
    PoolShape shape = new PoolShape(new ImageShape(channels, height, width), side);
    int[] windows = windows(shape);
    for (int group : new int[] {1, 3}) {
      int rows = group * maps;
      Operand errors =
          twins.floats(replicas, rows, shape.pooled().size(), layout, withNaN(normal(98)));
      Operand slopes = twins.floats(replicas, maps, shape.map().size(), Layout.ODD, normal(99));
      Operand out = twins.floats(replicas, rows, shape.map().size(), layout, normal(100));
      Fill expected =
          (r, i, j) ->
              windows[j] < 0
                  ? 0
                  // One product, rounded once.
                  : (float) (errors.before(r, i, windows[j]) * slopes.before(r, i / group, j));
      twins.run((lane, on) -> lane.unpool(on.of(errors), shape, on.of(slopes), group, on.of(out)));
      out.agreesExactly("errors");
      out.agrees("errors", expected, (r, i, j, value) -> 0);
      if (group == 1) {
        twins.run((lane, on) -> lane.unpool(on.of(errors), shape, on.of(slopes), 1, on.of(slopes)));
        slopes.agreesExactly("errors in the place of slopes");
        slopes.agrees("errors in the place of slopes", expected, (r, i, j, value) -> 0);
      }
      twins.release();
    }
  }

  @ParameterizedTest
  @CsvSource(textBlock = MAPS)
  void differencesArePooledAsTheValuesAroundTheirReference(
      int replicas, int maps, int channels, int height, int width, int side, Layout layout) {
    PoolShape shape = new PoolShape(new ImageShape(channels, height, width), side);
    int size = shape.map().size();
    int left = shape.pooled().size();
    int[] windows = windows(shape);
    Operand h = twins.doubles(replicas, maps, size, layout, withNaN(normal(101)));
    Operand gaps = twins.floats(replicas, maps, size, layout, normal(102));
    Operand references = twins.doubles(replicas, maps, left, layout, normal(103));
    twins.run((lane, on) -> lane.poolReferences(on.of(h), shape, on.of(gaps), on.of(references)));
    references.agreesExactly("references");
    gaps.agreesExactly("gaps");
    Fill largest = (r, i, j) -> h.before(r, i, largest(shape, j, h::before, r, i));
    references.agrees("references", largest, (r, i, j, expected) -> 0);
    gaps.agrees(
        "gaps",
        (r, i, j) ->
            windows[j] < 0 ? 0 : (float) (h.before(r, i, j) - largest.at(r, i, windows[j])),
        (r, i, j, expected) -> 0);
    twins.release();

    Operand reference = twins.doubles(replicas, 1, size, layout, normal(104));
    Operand gap = twins.floats(replicas, 1, size, layout, normal(105));
    Operand pooledReference = twins.doubles(replicas, 1, left, Layout.ODD, zeros());
    Operand z = twins.floats(replicas, maps, size, layout, withNaN(normal(106, 0.3)));
    Operand out = twins.floats(replicas, maps, left, layout, normal(107));
    twins.run(
        (lane, on) -> {
          lane.poolReferences(on.of(reference), shape, on.of(gap), on.of(pooledReference));
          lane.poolDifferences(on.of(z), shape, on.of(gap), on.of(out));
        });
    out.agreesExactly("differences");
    Fill values = (r, i, j) -> reference.before(r, 0, j) + z.before(r, i, j);
    // The gap is rounded once, and its sum with the difference.
    out.agrees(
        "differences",
        (r, i, j) ->
            values.at(r, i, largest(shape, j, values, r, i))
                - reference.before(r, 0, largest(shape, j, reference::before, r, 0)),
        (r, i, j, expected) -> 16 * ROUNDING);
    twins.release();
  }

  @Test
  void ofDifferencesNotANumberIsTheLargest() {
    PoolShape shape = new PoolShape(new ImageShape(1, 2, 2), 2);
    for (int at = 0; at < 4; at++) {
      int nan = at;
      Operand z = twins.floats(1, 1, 4, Layout.DENSE, (r, i, j) -> j == nan ? Double.NaN : 1 + j);
      Operand gaps = twins.floats(1, 1, 4, Layout.DENSE, zeros());
      Operand out = twins.floats(1, 1, 1, Layout.DENSE, zeros());
      twins.run((lane, on) -> lane.poolDifferences(on.of(z), shape, on.of(gaps), on.of(out)));
      out.agreesExactly("NaN at " + at);
      out.agrees("NaN at " + at, (r, i, j) -> Double.NaN, (r, i, j, expected) -> 0);
      twins.release();
    }
  }
}
