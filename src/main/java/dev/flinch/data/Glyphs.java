package dev.flinch.data;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.device.ImageShape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;

/**
 * A data set that needs no file: 28 × 28 digits in the manner of handwriting. A digit is a few
 * strokes, smooth curves through points that differ a little every time; they are slanted, turned,
 * stretched, displaced and warped, then drawn with a pen of random and changing width. Stray
 * strokes, uneven contrast and noise make the set hard enough that networks which fit a few
 * thousand glyphs perfectly still differ on the test split.
 *
 * <p>A glyph depends on the seed, its split and its index alone, and is drawn when it is first
 * asked for. Its label is its index modulo 10, so the beginning of a split is as balanced as the
 * whole.
 */
public final class Glyphs {
  /** The seed of the glyphs that {@link DataSets} knows by name. */
  public static final long DEFAULT_SEED = 28;

  static final ImageShape SHAPE = new ImageShape(1, 28, 28);
  static final int CLASSES = 10;
  static final int TRAIN = 60_000;
  static final int TEST = 10_000;

  /**
   * The ways to write each digit. Strokes are separated by semicolons; a stroke runs through its
   * points x,y in a box of 100 × 100, y downwards, smoothly except at a point marked with an
   * exclamation mark.
   */
  private static final List<List<Stroke[]>> WAYS =
      Arrays.stream(
              new String[][] {
                {
                  "50,2 26,16 20,50 28,84 50,98 72,84 80,50 74,16 50,2",
                  "60,4 32,10 20,46 30,88 52,97 74,80 78,40 66,10 46,7"
                },
                {"50,2 50,98", "34,22 54,2! 50,98", "32,24 52,2! 50,98; 30,98 72,98"},
                {
                  "22,24 36,6 58,4 74,20 66,46 40,74 20,96! 50,94 80,97",
                  "24,22 44,3 70,12 70,38 48,68 26,92 24,78 40,76 60,94 82,90"
                },
                {
                  "24,12 50,2 74,16 66,40 42,48! 70,56 78,78 52,98 20,86",
                  "24,4 74,4! 46,40! 74,52 76,82 48,98 20,86"
                },
                {"56,2 20,64! 84,64; 62,36 60,98", "30,6 22,50 36,54 74,50; 72,8 68,98"},
                {
                  "76,4 34,5! 28,44! 56,38 78,60 66,90 40,98 20,86",
                  "36,5 30,44! 60,38 78,64 60,94 22,92; 36,5 78,3"
                },
                {
                  "66,4 38,24 22,62 34,94 60,96 74,74 60,52 36,56 24,72",
                  "54,2 30,40 26,80 48,98 70,84 66,60 44,56 28,74"
                },
                {"20,6 78,5! 56,44 42,98", "20,6 78,5! 58,44 42,98; 34,52 72,48"},
                {
                  "70,16 48,3 28,16 38,40 62,56 74,78 50,98 26,80 38,56 64,38 70,16",
                  "50,46 28,28 48,3 70,24 50,46 24,72 50,98 76,72 50,46"
                },
                {
                  "72,28 52,46 30,36 32,10 58,4 72,24! 70,60 60,98",
                  "72,24 50,4 28,22 40,46 66,38 74,20! 74,62 58,94 28,94"
                }
              })
          .map(ways -> Arrays.stream(ways).map(Glyphs::strokes).toList())
          .toList();

  /** The lines that a smooth piece between two points is made of. */
  private static final int LINES = 5;

  /**
   * @param points {@code [point][x, y]} in −1 … 1 around the centre
   * @param corner whether the stroke turns sharply at a point
   */
  private record Stroke(double[][] points, boolean[] corner) {}

  private final UniformRandomProvider uniform;
  private final ZigguratSampler.NormalizedGaussian normal;
  private final float[] ink = new float[SHAPE.size()];

  private Glyphs(UniformRandomProvider stream) {
    uniform = stream;
    normal = ZigguratSampler.NormalizedGaussian.of(stream);
  }

  /** The 60,000 and 10,000 glyphs of a seed, none of them drawn yet. */
  public static DataSet dataSet(long seed) {
    return new DataSet(
        "glyphs", split("train", seed, 0, TRAIN), split("test", seed, 1, TEST), Map.of());
  }

  private static LabelledImages split(String name, long seed, int split, int count) {
    return LabelledImages.lazily(
        "glyphs " + name,
        SHAPE,
        CLASSES,
        IntStream.range(0, count).map(i -> i % CLASSES).toArray(),
        i -> new Glyphs(RandomStreams.stream(seed, Purpose.GLYPHS, split, i)).draw(i % CLASSES));
  }

  private static Stroke[] strokes(String way) {
    return Arrays.stream(way.split("; "))
        .map(
            stroke -> {
              String[] points = stroke.split(" ");
              double[][] at = new double[points.length][];
              boolean[] corner = new boolean[points.length];
              for (int i = 0; i < points.length; i++) {
                corner[i] = points[i].endsWith("!");
                at[i] =
                    Arrays.stream(points[i].replace("!", "").split(","))
                        .mapToDouble(c -> Double.parseDouble(c) / 50 - 1)
                        .toArray();
              }
              return new Stroke(at, corner);
            })
        .toArray(Stroke[]::new);
  }

  private byte[] draw(int digit) {
    List<Stroke[]> ways = WAYS.get(digit);
    Hand hand = new Hand();
    double radius = between(0.8, 1.7);
    for (Stroke stroke : ways.get(uniform.nextInt(ways.size()))) {
      pen(hand, curve(jittered(stroke, 0.06)), radius, 1);
    }
    int strays = uniform.nextInt(3);
    for (int i = 0; i < strays; i++) {
      double x = between(-1.4, 1.4);
      double y = between(-1.4, 1.4);
      double[][] points = new double[3][];
      for (int j = 0; j < 3; j++) {
        points[j] = new double[] {x + 0.3 * normal.sample(), y + 0.3 * normal.sample()};
      }
      pen(hand, curve(new Stroke(points, new boolean[3])), 0.6, between(0.3, 0.9));
    }
    return exposed();
  }

  private Stroke jittered(Stroke stroke, double deviation) {
    double[][] points = new double[stroke.points.length][];
    for (int i = 0; i < points.length; i++) {
      points[i] =
          new double[] {
            stroke.points[i][0] + deviation * normal.sample(),
            stroke.points[i][1] + deviation * normal.sample()
          };
    }
    return new Stroke(points, stroke.corner);
  }

  /** Lines along a Catmull–Rom spline through the points, broken at corners. */
  private static List<double[]> curve(Stroke stroke) {
    double[][] p = stroke.points;
    List<double[]> line = new ArrayList<>();
    line.add(p[0]);
    for (int i = 0; i + 1 < p.length; i++) {
      double[] before = i == 0 || stroke.corner[i] ? p[i] : p[i - 1];
      double[] after = i + 2 == p.length || stroke.corner[i + 1] ? p[i + 1] : p[i + 2];
      for (int j = 1; j <= LINES; j++) {
        double t = (double) j / LINES;
        line.add(
            new double[] {
              spline(before[0], p[i][0], p[i + 1][0], after[0], t),
              spline(before[1], p[i][1], p[i + 1][1], after[1], t)
            });
      }
    }
    return line;
  }

  private static double spline(double a, double b, double c, double d, double t) {
    return b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  }

  /** One writer's way of placing the digit: an affine map to pixels and a smooth warp. */
  private final class Hand {
    private final double slant = 0.22 * normal.sample();
    private final double turn = 0.1 * normal.sample();
    private final double width = between(6.5, 10);
    private final double height = between(8, 10.5);
    private final double x = 13.5 + between(-1.8, 1.8);
    private final double y = 13.5 + between(-1.8, 1.8);
    // Two waves for each coordinate: amplitude, phase, and the waves' numbers along x and y.
    private final double[][] waves =
        IntStream.range(0, 4)
            .mapToObj(
                i ->
                    new double[] {
                      0.08 * normal.sample(),
                      between(0, 2 * Math.PI),
                      1.5 * normal.sample(),
                      1.5 * normal.sample()
                    })
            .toArray(double[][]::new);

    // StrictMath, as glyphs have to be the same bytes on every machine.
    private double wave(int i, double[] p) {
      double[] w = waves[i];
      return w[0] * StrictMath.sin(w[1] + w[2] * p[0] + w[3] * p[1]);
    }

    double[] place(double[] p) {
      double u = p[0] + wave(0, p) + wave(1, p);
      double v = p[1] + wave(2, p) + wave(3, p);
      double sheared = width * u - slant * height * v;
      return new double[] {x + sheared - turn * height * v, y + height * v + turn * sheared};
    }
  }

  /** Draws a curve with a pen whose radius, in pixels, grows or shrinks on the way. */
  private void pen(Hand hand, List<double[]> curve, double radius, double strength) {
    double end = radius * between(0.6, 1.4);
    double[] from = hand.place(curve.get(0));
    for (int i = 1; i < curve.size(); i++) {
      double[] to = hand.place(curve.get(i));
      line(from, to, radius + (end - radius) * i / curve.size(), strength);
      from = to;
    }
  }

  /** Covers every pixel by how far within {@code radius} of the line its centre lies. */
  private void line(double[] from, double[] to, double radius, double strength) {
    double dx = to[0] - from[0];
    double dy = to[1] - from[1];
    double square = dx * dx + dy * dy + 1e-12;
    double reach = radius + 0.5;
    int left = (int) Math.max(0, Math.ceil(Math.min(from[0], to[0]) - reach));
    int right = (int) Math.min(SHAPE.width() - 1, Math.floor(Math.max(from[0], to[0]) + reach));
    int top = (int) Math.max(0, Math.ceil(Math.min(from[1], to[1]) - reach));
    int bottom = (int) Math.min(SHAPE.height() - 1, Math.floor(Math.max(from[1], to[1]) + reach));
    for (int y = top; y <= bottom; y++) {
      for (int x = left; x <= right; x++) {
        double along = ((x - from[0]) * dx + (y - from[1]) * dy) / square;
        double t = Math.min(Math.max(along, 0), 1);
        double ex = x - from[0] - t * dx;
        double ey = y - from[1] - t * dy;
        double cover = Math.min(1, reach - Math.sqrt(ex * ex + ey * ey));
        int at = y * SHAPE.width() + x;
        ink[at] = (float) Math.max(ink[at], strength * cover);
      }
    }
  }

  /** The drawn ink as bytes: on an uneven ground, with a random contrast and noise. */
  private byte[] exposed() {
    double ground = between(0, 60);
    double contrast = between(120, 195);
    double slopeX = 1.5 * normal.sample();
    double slopeY = 1.5 * normal.sample();
    double noise = between(4, 26);
    byte[] bytes = new byte[ink.length];
    for (int i = 0; i < bytes.length; i++) {
      double light =
          ground
              + slopeX * (i % SHAPE.width() - 13.5)
              + slopeY * (i / SHAPE.width() - 13.5)
              + contrast * ink[i]
              + noise * normal.sample();
      bytes[i] = (byte) Math.min(Math.max(Math.round(light), 0), 255);
    }
    return bytes;
  }

  private double between(double low, double high) {
    return low + (high - low) * uniform.nextDouble();
  }
}
