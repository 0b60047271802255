package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.experiment.InitialWeights;
import dev.flinch.experiment.Measurement;
import dev.flinch.experiment.RegionMeasurement;
import dev.flinch.experiment.RegionResult;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import dev.flinch.report.Table;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code flinch regions}: maps the linear regions on the plane through three images. */
@Command(
    name = "regions",
    description = {
      "Maps a network's linear regions on the plane through three training images, and how dense"
          + " transitions are there; before and after training where a run folder tells both."
    },
    footer = {
      "",
      "Example:",
      "  flinch regions runs/mnist/weights.safetensors --network 15x300-s1 \\",
      "      --dataset mnist --anchors 1,3,5 --figure regions.png"
    })
final class RegionsCommand extends Action<RegionMeasurement> {
  private static final String INITIAL = "initial";
  private static final String NONE = "none";

  @Mixin private NetworkOptions network;

  @Option(
      names = "--dataset",
      required = true,
      paramLabel = "NAME",
      description = "Where the images come from.")
  private String dataset;

  @Option(
      names = "--anchors",
      required = true,
      split = ",",
      paramLabel = "I",
      description = {
        "The indices of three training images. They stand at the upper left, the upper right and"
            + " below."
      })
  private List<Integer> anchors;

  @Option(
      names = "--crop",
      paramLabel = "N",
      description = "The central N × N of each image (all of it).")
  private Integer crop;

  @Option(
      names = "--size",
      paramLabel = "N",
      defaultValue = "1024",
      description = "Pixels of the map's side (${DEFAULT-VALUE}).")
  private int size;

  @Option(
      names = "--layer",
      paramLabel = "last|all|N",
      defaultValue = "last",
      description = {
        "Whose units' codes make up a pattern (${DEFAULT-VALUE}): the last hidden layer, all of"
            + " them, or hidden layer N, 1 the first."
      })
  private String layer;

  @Option(
      names = "--before",
      paramLabel = "FILE",
      description = {
        "Also map the network before training: weights in a file; initial, the ones that its run"
            + " began with; or none. By default the initial ones where WEIGHTS is of a run folder."
      })
  private String before;

  @Option(
      names = "--figure",
      paramLabel = "FILE",
      description = "Also draw the maps and the density of transitions: F.svg or F.png.")
  private Path figure;

  @Option(
      names = "--exact",
      paramLabel = "FILE",
      description = {
        "Also find the regions exactly, and draw their boundaries as lines: F.svg or F.png. Of"
            + " piecewise-linear activations, up to 500,000 regions."
      })
  private Path exact;

  @Mixin private DeviceOption device;
  @Mixin private DataDirectory data;

  @Override
  RegionMeasurement work(Progress progress) throws IOException {
    OutputFile drawing = figure == null ? null : OutputFile.drawing("--figure", figure);
    OutputFile lines = exact == null ? null : OutputFile.drawing("--exact", exact);
    Network read = network.read(Measurement.imagesOf(dataset, data.path(), crop));
    Optional<Network> initial = before(read);
    RegionMeasurement.Request request =
        new RegionMeasurement.Request(
            anchors,
            dataset,
            data.path(),
            crop,
            new RegionMeasurement.View(size, layer, exact != null));
    RegionMeasurement result;
    try (Device opened = device.open(err())) {
      result = RegionMeasurement.of(read, initial, request, opened, progress);
    }
    String heading = "%s, %s".formatted(network.title(), read.architecture().title());
    if (drawing != null) {
      drawing.write(result.figure(heading)::write);
    }
    if (lines != null) {
      lines.write(result.exactFigure(heading)::write);
    }
    return result;
  }

  private Optional<Network> before(Network trained) {
    if (NONE.equals(before)) {
      return Optional.empty();
    }
    if (before == null || before.equals(INITIAL)) {
      Optional<Network> initial =
          InitialWeights.of(network.path(), network.id(), trained.architecture());
      if (before != null && initial.isEmpty()) {
        throw new RequestException(
            "--before initial: %s is not the weights.safetensors of a run folder that says how its networks began; name their file, or leave out --before"
                .formatted(network.path()));
      }
      return initial;
    }
    Path file = Path.of(before);
    Optional<String> id = NetworkFile.ids(file).size() > 1 ? network.id() : Optional.empty();
    return Optional.of(NetworkFile.read(file, NetworkFile.Known.like(trained.architecture()), id));
  }

  @Override
  void print(RegionMeasurement measurement, PrintWriter out) {
    RegionResult r = measurement.result();
    out.printf(
        "%s, hidden layer%s of %d, %d × %d pixels, %.1f s%n",
        r.network().architecture(),
        r.firstLayer() == r.lastLayer() ? " " + r.lastLayer() : "s 1 to " + r.lastLayer(),
        r.network().units().size() - 2,
        r.size(),
        r.size(),
        r.seconds());
    List<RegionResult.OfNetwork> networks =
        Stream.of(r.before(), r.after()).filter(n -> n != null).collect(Collectors.toList());
    List<List<String>> rows = new ArrayList<>();
    rows.add(row("regions seen", networks, n -> "%,d".formatted(n.regions())));
    rows.add(row("different patterns", networks, n -> "%,d".formatted(n.patterns())));
    rows.add(row("pixels a region", networks, n -> "%.4g".formatted(n.meanRegionPixels())));
    for (int i = 0; i < r.anchors().size(); i++) {
      int anchor = i;
      rows.add(
          row(
              "density at image %d (class %d)".formatted(r.anchors().get(i), r.classes().get(i)),
              networks,
              n -> "%.4g".formatted(n.anchorDensities()[anchor])));
    }
    rows.add(row("density elsewhere", networks, n -> "%.4g".formatted(n.restDensity())));
    if (exact != null) {
      rows.add(row("linear regions, exactly", networks, n -> "%,d".formatted(n.linearRegions())));
    }
    out.print(
        Table.format(
            networks.size() == 1
                ? List.of("", "trained")
                : List.of("", "before training", "after training"),
            rows));
    for (Path file : Arrays.asList(figure, exact)) {
      if (file != null) {
        out.printf("%-8s %s%n", file == figure ? "figure" : "exact", file);
      }
    }
  }

  private static List<String> row(
      String what,
      List<RegionResult.OfNetwork> networks,
      Function<RegionResult.OfNetwork, String> value) {
    return Stream.concat(Stream.of(what), networks.stream().map(value)).toList();
  }
}
