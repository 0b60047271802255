package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonValue;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Device;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.report.Figure;
import dev.flinch.report.RegionFigure;
import dev.flinch.sensitivity.HiddenLayers;
import dev.flinch.sensitivity.PlanePolygon;
import dev.flinch.sensitivity.PlaneRegions;
import dev.flinch.sensitivity.RegionMap;
import dev.flinch.sensitivity.RegionStatistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A network's linear regions on the plane through three images (Novak et al., Figure 3), before and
 * after training where both are known; its JSON is the result's.
 */
public final class RegionMeasurement {
  static final int SMALLEST = 16;
  static final int LARGEST = 8192;

  /** Regions that an exact drawing may have: of more, it would be too large to open. */
  private static final int MOST_EXACT = 500_000;

  /** Cells of a density's side in figures: large enough to average over. */
  private static final int CELLS = 32;

  private final RegionResult result;
  private final AnchoredPlane plane;
  private final String layerTitle;
  private final List<OfNetwork> networks;

  /**
   * One network's maps.
   *
   * @param exact null where not asked for
   */
  private record OfNetwork(
      String caption, RegionMap map, RegionStatistics statistics, PlaneRegions exact) {}

  private RegionMeasurement(
      RegionResult result, AnchoredPlane plane, String layerTitle, List<OfNetwork> networks) {
    this.result = result;
    this.plane = plane;
    this.layerTitle = layerTitle;
    this.networks = networks;
  }

  /**
   * How a plane is looked at.
   *
   * @param size pixels of the map's side
   * @param layer whose codes make up the patterns: {@code last}, {@code all} or the number of a
   *     hidden layer, 1 the first
   * @param exact whether regions are found exactly too, as polygons
   */
  public record View(int size, String layer, boolean exact) {}

  /**
   * A measurement that is asked for.
   *
   * @param anchors indices of three images of the training split
   * @param crop side of the central square that images are cropped to, or null for whole images
   */
  public record Request(
      List<Integer> anchors, String dataset, Path dataDirectory, Integer crop, View view) {}

  /**
   * Measures a network.
   *
   * @param before the same network before training, or none
   * @throws RequestException if the view or the anchors are impossible, if the data set is not
   *     there or doesn't fit the network, if {@code before} has another architecture, or if there
   *     are too many regions to be found exactly
   */
  public static RegionMeasurement of(
      Network network,
      Optional<Network> before,
      Request request,
      Device device,
      Progress progress) {
    requireView(network.architecture(), request.view());
    LabelledImages train =
        Measurement.dataSet(network, request.dataset(), request.dataDirectory(), request.crop())
            .train();
    long started = System.nanoTime();
    RegionMeasurement measured =
        of(network, before, train, request.anchors(), request.view(), device, progress);
    return new RegionMeasurement(
        measured.result.in((System.nanoTime() - started) / 1e9),
        measured.plane,
        measured.layerTitle,
        measured.networks);
  }

  /**
   * The same among images that are loaded, without the time it took.
   *
   * @param train the split that has the anchors
   */
  static RegionMeasurement of(
      Network network,
      Optional<Network> before,
      LabelledImages train,
      List<Integer> anchors,
      View view,
      Device device,
      Progress progress) {
    Architecture architecture = network.architecture();
    HiddenLayers layers = requireView(architecture, view);
    AnchoredPlane plane = AnchoredPlane.through(train, anchors);
    List<Network> stacked = new ArrayList<>();
    before.ifPresent(
        initial -> {
          if (!initial.architecture().equals(architecture)) {
            throw new RequestException(
                "before training: expected the same architecture, %s of %s units, found %s of %s"
                    .formatted(
                        architecture.title(),
                        architecture.units(),
                        initial.architecture().title(),
                        initial.architecture().units()));
          }
          stacked.add(initial);
        });
    stacked.add(network);
    List<OfNetwork> networks = new ArrayList<>();
    try (NetworkStack stack = new NetworkStack(device, stacked)) {
      // The exact ones first: there may turn out to be too many.
      PlaneRegions[] exact = new PlaneRegions[stacked.size()];
      for (int r = 0; r < exact.length && view.exact(); r++) {
        exact[r] = PlaneRegions.of(stack, r, plane.plane(), layers, MOST_EXACT, progress);
      }
      RegionMap[] maps = RegionMap.of(stack, plane.plane(), view.size(), layers, progress);
      for (int r = 0; r < maps.length; r++) {
        String caption =
            before.isEmpty() ? "Trained" : r == 0 ? "Before training" : "After training";
        networks.add(new OfNetwork(caption, maps[r], RegionStatistics.of(maps[r]), exact[r]));
      }
    }
    RegionResult result =
        new RegionResult(
            NetworkDescription.of(architecture),
            null,
            plane.anchors(),
            plane.classes(),
            view.size(),
            layers.first() + 1,
            layers.last() + 1,
            before.isEmpty() ? null : result(networks.get(0)),
            result(networks.get(networks.size() - 1)),
            null);
    return new RegionMeasurement(result, plane, title(architecture, layers), networks);
  }

  private static RegionResult.OfNetwork result(OfNetwork network) {
    return RegionResult.OfNetwork.of(
        network.statistics(), network.exact() == null ? null : network.exact().polygons().size());
  }

  /** Refuses an impossible view; returns the layers that it is of. */
  private static HiddenLayers requireView(Architecture architecture, View view) {
    if (view.size() < SMALLEST || view.size() > LARGEST) {
      throw new RequestException(
          "size: expected %d to %d pixels, found %d".formatted(SMALLEST, LARGEST, view.size()));
    }
    int hidden = architecture.depth() - 1;
    if (hidden == 0) {
      throw new RequestException(
          "the network has no hidden layers, so it is linear everywhere: there is one region");
    }
    if (view.exact() && architecture.isConvolutional()) {
      throw new RequestException(
          "exact regions are found of fully connected networks only, and this one is %s; leave out --exact"
              .formatted(architecture.title()));
    }
    if (view.exact() && !architecture.activation().isPiecewiseLinear()) {
      throw new RequestException(
          "exact regions need a piecewise-linear activation, and the network's is %s; leave out --exact"
              .formatted(architecture.activation().label()));
    }
    if (view.layer().equalsIgnoreCase("all")) {
      return HiddenLayers.all(architecture);
    }
    if (view.layer().equalsIgnoreCase("last")) {
      return HiddenLayers.last(architecture);
    }
    int layer = view.layer().matches("\\d{1,9}") ? Integer.parseInt(view.layer()) : 0;
    if (layer < 1 || layer > hidden) {
      throw new RequestException(
          "layer: expected last, all, or one of the %d hidden layers, 1 to %d; found %s"
              .formatted(hidden, hidden, view.layer()));
    }
    return HiddenLayers.one(layer - 1);
  }

  private static String title(Architecture architecture, HiddenLayers layers) {
    int hidden = architecture.depth() - 1;
    return layers.first() < layers.last()
        ? "all %d hidden layers".formatted(hidden)
        : hidden == 1
            ? "the hidden layer"
            : layers.first() == hidden - 1
                ? "the last of %d hidden layers".formatted(hidden)
                : "hidden layer %d of %d".formatted(layers.first() + 1, hidden);
  }

  @JsonValue
  public RegionResult result() {
    return result;
  }

  /** The pixel maps with the densities of transitions. */
  public Figure figure(String heading) {
    return RegionFigure.pixels(
        heading,
        subtitle(
            "Colours: patterns of %s.  Unit of length: half a side.  Circles: what is at an image."
                .formatted(layerTitle)),
        networks.stream()
            .map(
                n ->
                    new RegionFigure.Pixels(
                        caption(n, n.statistics().regions(), "regions seen"),
                        n.map().size(),
                        n.map().hashes(),
                        n.map().densities(Math.min(CELLS, n.map().size())),
                        Math.min(CELLS, n.map().size()),
                        "Transition density: "
                            + IntStream.range(0, 3)
                                .mapToObj(i -> density(n.statistics().anchorDensities()[i]))
                                .reduce((a, b) -> a + ", " + b)
                                .orElseThrow()
                            + " at the images, "
                            + density(n.statistics().restDensity())
                            + " elsewhere"))
            .toList(),
        plane.marks(),
        RegionStatistics.ANCHOR_RADIUS);
  }

  /**
   * The regions drawn exactly, if they were asked for.
   *
   * @throws IllegalStateException if they weren't
   */
  public Figure exactFigure(String heading) {
    if (networks.get(0).exact() == null) {
      throw new IllegalStateException("exact regions were not asked for");
    }
    return RegionFigure.exact(
        heading,
        subtitle(
            "Lines: knots of %s, exactly.  Colours: patterns of the same.".formatted(layerTitle)),
        networks.stream()
            .map(
                n ->
                    new RegionFigure.Polygons(
                        n.caption(), polygons(n.exact()), n.map().size(), n.map().hashes()))
            .toList(),
        plane.marks());
  }

  private static List<RegionFigure.Polygon> polygons(PlaneRegions regions) {
    return IntStream.range(0, regions.polygons().size())
        .mapToObj(
            i -> {
              PlanePolygon polygon = regions.polygons().get(i);
              boolean[] drawn = new boolean[polygon.corners()];
              for (int edge = 0; edge < drawn.length; edge++) {
                int on = polygon.edges()[edge];
                drawn[edge] = on > 0 && regions.layers().contains(regions.layerOf(on));
              }
              return new RegionFigure.Polygon(polygon.x(), polygon.y(), drawn, regions.hashes()[i]);
            })
        .toList();
  }

  private static String caption(OfNetwork network, long count, String what) {
    return String.format(Locale.ROOT, "%s: %,d %s", network.caption(), count, what);
  }

  private String subtitle(String what) {
    return "The plane through three training images.  " + what;
  }

  private static String density(double value) {
    return String.format(Locale.ROOT, value < 10 ? "%.1f" : "%,.0f", value);
  }
}
