package dev.flinch.report;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.commons.rng.UniformRandomProvider;

/** Numbers shaped like those of a study, for figures to be drawn from. */
final class Examples {
  private Examples() {}

  static List<NetworkPoint> networks() {
    UniformRandomProvider random = RandomStreams.stream(5, Purpose.BENCHMARK, 0, 0);
    List<NetworkPoint> networks = new ArrayList<>();
    for (String group : List.of("2×64 ReLU", "3×100 ReLU", "5×100 ReLU", "500–300–100 Tanh")) {
      for (String teaching : List.of("true labels", "random labels")) {
        boolean real = teaching.equals("true labels");
        double shift = random.nextDouble();
        for (int seed = 0; seed < 4; seed++) {
          networks.add(
              new NetworkPoint(
                  group,
                  teaching,
                  (real ? 0.04 + 0.05 * shift : 0.87) + 0.02 * random.nextDouble(),
                  (real ? 0.3 : 8) * (1 + 2 * shift) * (1 + 0.4 * random.nextDouble())));
        }
      }
    }
    return networks;
  }

  static List<NetworkPoint> manyGroups() {
    UniformRandomProvider random = RandomStreams.stream(8, Purpose.BENCHMARK, 0, 0);
    List<NetworkPoint> networks = new ArrayList<>();
    for (int group = 0; group < 14; group++) {
      for (int seed = 0; seed < 3; seed++) {
        double norm = Math.pow(10, -1 + 0.2 * group + 0.1 * random.nextDouble());
        networks.add(
            new NetworkPoint(
                (2 + group) + "×200 HardTanh",
                "true labels",
                0.1 + 0.02 * group + 0.03 * random.nextDouble(),
                norm));
      }
    }
    return networks;
  }

  /** Ellipse profiles of some networks, low at three anchors. */
  static TrajectoryFigure.Series series(String label, int networks, double level) {
    UniformRandomProvider random = RandomStreams.stream(6, Purpose.BENCHMARK, 0, (long) level);
    double[][] transitions = new double[networks][60];
    double[][] norms = new double[networks][60];
    for (int n = 0; n < networks; n++) {
      double own = 0.6 + 0.8 * random.nextDouble();
      for (int bin = 0; bin < 60; bin++) {
        double wave = 0.5 + 0.5 * Math.cos(3 * (bin + 0.5) * 2 * Math.PI / 60);
        transitions[n][bin] = own * level * (0.5 + wave) + 8 * random.nextDouble();
        norms[n][bin] =
            own * own * Math.pow(10, -2 + 5 * wave + level / 80) * (0.5 + random.nextDouble());
      }
    }
    return new TrajectoryFigure.Series(label, transitions, norms);
  }

  static List<TrajectoryFigure.Anchor> anchors() {
    return List.of(
        new TrajectoryFigure.Anchor(Math.PI / 3, "3"),
        new TrajectoryFigure.Anchor(Math.PI, "8"),
        new TrajectoryFigure.Anchor(5 * Math.PI / 3, "1"));
  }

  static List<HistoryFigure.History> histories() {
    UniformRandomProvider random = RandomStreams.stream(7, Purpose.BENCHMARK, 0, 0);
    List<HistoryFigure.History> histories = new ArrayList<>();
    for (String teaching : List.of("true labels", "random labels")) {
      for (int n = 0; n < 8; n++) {
        int epochs = teaching.equals("true labels") ? 30 + n : 80 + 3 * n;
        double[] loss = new double[epochs];
        double[] accuracy = new double[epochs];
        for (int e = 0; e < epochs; e++) {
          double rest = Math.exp(-6.0 * e / epochs) * (0.9 + 0.2 * random.nextDouble());
          loss[e] = 2.3 * rest;
          accuracy[e] = Math.max(0.1, 1 - rest);
        }
        histories.add(new HistoryFigure.History(teaching, loss, accuracy));
      }
    }
    return histories;
  }

  /** A map of stripes and a disc, and the densities of its edges. */
  static RegionFigure.Pixels pixels(String caption, int size) {
    long[] hashes = new long[size * size];
    double[] densities = new double[16];
    for (int i = 0; i < hashes.length; i++) {
      int x = i % size;
      int y = i / size;
      boolean disc = Math.hypot(x - size / 2.0, y - size / 2.0) < size / 3.0;
      hashes[i] = (x * 9L / size + (disc ? 100 : 0)) * 0x9E3779B97F4A7C15L;
    }
    for (int i = 0; i < densities.length; i++) {
      densities[i] = 3.5 * i;
    }
    return new RegionFigure.Pixels(caption, size, hashes, densities, 4, "density of " + caption);
  }

  static List<RegionFigure.Anchor> insets() {
    BufferedImage image = new BufferedImage(28, 28, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < 28; i++) {
      image.setRGB(i, i, 0xFFFFFF);
    }
    return List.of(
        new RegionFigure.Anchor(-0.69, 0.4, "class 0", image),
        new RegionFigure.Anchor(0.69, 0.4, "class 1", image),
        new RegionFigure.Anchor(0, -0.8, "class 2", image));
  }

  /** The square in two triangles. */
  static RegionFigure.Polygons polygons() {
    return new RegionFigure.Polygons(
        "two triangles",
        List.of(
            new RegionFigure.Polygon(
                new double[] {-1, 1, 1},
                new double[] {-1, -1, 1},
                new boolean[] {false, false, true},
                1),
            new RegionFigure.Polygon(
                new double[] {-1, 1, -1}, new double[] {-1, 1, 1}, new boolean[3], 2)),
        2,
        new long[] {2, 2, 2, 1});
  }

  /** Points whose loss and error rise with their norms. */
  static List<PointErrorFigure.Series> points(int networks, int points) {
    List<PointErrorFigure.Series> all = new ArrayList<>();
    for (int network = 0; network < networks; network++) {
      UniformRandomProvider random = RandomStreams.stream(9, Purpose.BENCHMARK, 0, network);
      double[] norms = new double[points];
      double[] losses = new double[points];
      for (int i = 0; i < points; i++) {
        norms[i] = Math.pow(10, 5 * random.nextDouble() - 4);
        losses[i] = norms[i] * (0.5 + random.nextDouble()) / (1 + network);
      }
      List<PointErrorFigure.Bin> bins = new ArrayList<>();
      for (int bin = 0; bin < 10; bin++) {
        double fraction = 0.5 * Math.pow((bin + 0.5) / 10, 2 + 0.3 * network);
        bins.add(
            new PointErrorFigure.Bin(
                Math.pow(10, (bin + 0.5) / 2 - 4), fraction, 0.8 * fraction, 1.2 * fraction));
      }
      all.add(new PointErrorFigure.Series("network " + network, norms, losses, bins));
    }
    return all;
  }

  /** Points about their bounds. */
  static Figure bounds(int points) {
    UniformRandomProvider random = RandomStreams.stream(10, Purpose.BENCHMARK, 0, 0);
    double[] losses = new double[points];
    double[] norms = new double[points];
    boolean[] wrong = new boolean[points];
    for (int i = 0; i < points; i++) {
      losses[i] = Math.pow(10, 5.5 * random.nextDouble() - 5);
      wrong[i] = losses[i] > 0.7;
      norms[i] = Math.exp(-losses[i]) * losses[i] * (2.5 + 3 * random.nextDouble());
    }
    double[] at = new double[100];
    double[] lower = new double[100];
    double[] upper = new double[100];
    for (int i = 0; i < 100; i++) {
      at[i] = Math.pow(10, 5.5 * i / 99 - 5);
      lower[i] = 2.5 * Math.exp(-at[i]) * at[i];
      upper[i] = 1.6 * lower[i];
    }
    return PointBoundsFigure.of(
        "Points and their bounds",
        "one network",
        new PointBoundsFigure.Points(losses, norms, wrong),
        new PointBoundsFigure.Curves(at, lower, upper, 2.5));
  }

  /** Cosines from −0.27 between classes far apart to 0.73 within; none within the last. */
  static StiffnessFigure.Matrix stiffness(int classes) {
    Double[][] values = new Double[classes][classes];
    for (int a = 0; a < classes; a++) {
      for (int b = 0; b < classes; b++) {
        values[a][b] = a == b ? 0.73 : -0.27 * Math.abs(a - b) / (classes - 1);
      }
    }
    values[classes - 1][classes - 1] = null;
    return new StiffnessFigure.Matrix(
        values, "class of the train image", "class of the test image");
  }

  static List<StiffnessFigure.Bin> distances() {
    return IntStream.range(0, 18)
        .mapToObj(
            i -> {
              double distance = 0.05 * i + 0.03;
              return new StiffnessFigure.Bin(
                  distance,
                  0.5 - 0.8 * distance + 0.02 * Math.sin(7 * i),
                  1 + (long) (400 * Math.exp(-Math.pow((i - 9) / 4.0, 2))));
            })
        .toList();
  }

  /** Three choices of pairs of a network that overfits from epoch 30 on. */
  static List<StiffnessCourseFigure.StiffnessCourse> courses() {
    double[] epoch = IntStream.rangeClosed(0, 20).mapToDouble(i -> 5 * i).toArray();
    double[] trainLoss = Arrays.stream(epoch).map(e -> 2.3 * Math.exp(-0.06 * e)).toArray();
    double[] testLoss =
        Arrays.stream(epoch).map(e -> e < 30 ? 2.3 - e / 15 : 0.3 + (e - 30) / 100).toArray();
    return Stream.of("train-train", "train-test", "test-test")
        .map(
            label -> {
              double level = label.equals("train-train") ? 0.8 : 0.5;
              double[] within = Arrays.stream(epoch).map(e -> level * Math.exp(-e / 30)).toArray();
              return new StiffnessCourseFigure.StiffnessCourse(
                  label,
                  epoch,
                  trainLoss,
                  testLoss,
                  within,
                  Arrays.stream(within).map(w -> 0.4 * w - 0.05).toArray(),
                  Arrays.stream(within).map(w -> 0.7 * w).toArray());
            })
        .toList();
  }

  /**
   * Of three learning rates, the larger the faster and the less stiff, with an undefined critical
   * length each; the last one's loss rises once, and ends at 0 twice.
   */
  static List<StiffnessLossFigure.Course> lossCourses() {
    return IntStream.range(0, 3)
        .mapToObj(
            rate -> {
              double[] loss =
                  IntStream.range(0, 30)
                      .mapToDouble(i -> 2.3 * Math.exp(-0.2 * (1 + rate) * i))
                      .toArray();
              if (rate == 2) {
                loss[9] = 0.4;
                loss[28] = 0;
                loss[29] = 0;
              }
              double[] within =
                  IntStream.range(0, 30)
                      .mapToDouble(i -> 0.6 * Math.exp(-0.05 * i) - 0.04 * rate)
                      .toArray();
              double[] lengths = Arrays.stream(within).map(w -> 0.5 + w).toArray();
              lengths[4 * rate] = Double.NaN;
              return new StiffnessLossFigure.Course(
                  "rate 1e-" + (5 - rate),
                  loss,
                  within,
                  Arrays.stream(within).map(w -> 0.2 * w - 0.05).toArray(),
                  lengths);
            })
        .toList();
  }

  /** Without a line where that is null. */
  static StiffnessDistanceFigure.Moment distanceMoment(
      String label, List<StiffnessFigure.Bin> bins, StiffnessFigure.Line line) {
    return new StiffnessDistanceFigure.Moment(
        label, bins, line == null ? new StiffnessFigure.Line(null, null, null, null, null) : line);
  }

  static List<StiffnessDistanceFigure.Moment> distanceMoments() {
    return List.of(
        distanceMoment("epoch 0", List.of(new StiffnessFigure.Bin(0.4, 0.6, 3)), null),
        distanceMoment(
            "epoch 1", distances(), new StiffnessFigure.Line(-0.05, 0.5, 10.0, 0.9, null)),
        distanceMoment("epoch 10", distances(), new StiffnessFigure.Line(-0.5, 0.4, 0.8, 0.7, 0.9)),
        distanceMoment(
            "epoch 100", distances(), new StiffnessFigure.Line(-0.5, 0.2, 0.4, null, null)));
  }

  /** Of two moments, one of each without a value. */
  static List<CriticalLengthFigure.Point> criticalLengths(int rates) {
    return Stream.of("epoch 1", "epoch 100")
        .flatMap(
            moment ->
                IntStream.range(0, rates)
                    .mapToObj(
                        i -> {
                          double xi = i == 3 ? Double.NaN : 0.9 / (1 + 0.1 * i * moment.length());
                          return new CriticalLengthFigure.Point(
                              moment, 1e-5 * Math.pow(10, i / 2.0), xi, 0.9 * xi, 1.2 * xi);
                        }))
        .toList();
  }
}
