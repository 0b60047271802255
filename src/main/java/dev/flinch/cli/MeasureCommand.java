package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.experiment.Measurement;
import dev.flinch.experiment.Measurement.Quantity;
import dev.flinch.network.Network;
import dev.flinch.sensitivity.JacobianNorms;
import java.io.PrintWriter;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code flinch measure}: measures one network on a data set. */
@Command(
    name = "measure",
    description = {
      "Measures a network on a data set: accuracy, loss and Jacobian norms.",
      "The file's convolutions (out × in × height × width), then its matrices (out × in), each in"
          + " natural order of their names, are the layers."
    },
    footer = {"", "Example:", "  flinch measure net.safetensors --activation ReLU --dataset mnist"})
final class MeasureCommand extends Action<Measurement> {
  @Mixin private NetworkOptions network;

  @Mixin private ImageOptions images;

  @Option(
      names = "--measures",
      split = ",",
      paramLabel = "NAME",
      description = "Of accuracy, loss, jacobian and logit-jacobian (all), with commas.")
  private Set<Quantity> measures = EnumSet.allOf(Quantity.class);

  @Mixin private DeviceOption device;
  @Mixin private DataDirectory data;

  @Override
  Measurement work(Progress progress) {
    Network read = network.read(Measurement.imagesOf(images.dataset, data.path(), images.crop));
    Measurement.Request request =
        new Measurement.Request(
            images.dataset, data.path(), images.split, images.count, images.crop, measures);
    try (Device opened = device.open(err())) {
      return Measurement.of(read, request, opened, progress);
    }
  }

  @Override
  void print(Measurement m, PrintWriter out) {
    line(
        out,
        "network",
        "%s, %,d parameters".formatted(m.network().architecture(), m.network().parameters()));
    line(
        out,
        "data",
        "%s %s, %,d images"
            .formatted(m.dataset(), m.split().name().toLowerCase(Locale.ROOT), m.count()));
    if (m.accuracy() != null) {
      line(out, "accuracy", "%.4f".formatted(m.accuracy()));
    }
    if (m.crossEntropy() != null) {
      line(out, "cross-entropy", "%.4g".formatted(m.crossEntropy()));
    }
    norms(out, "Jacobian norm", m.jacobianNorm());
    norms(out, "Jacobian norm of logits", m.logitJacobianNorm());
  }

  private static void norms(PrintWriter out, String name, JacobianNorms norms) {
    if (norms != null) {
      line(out, name, "%.4g ± %.2g".formatted(norms.mean(), norms.standardError()));
    }
  }

  private static void line(PrintWriter out, String name, String value) {
    out.printf("%-24s %s%n", name, value);
  }
}
