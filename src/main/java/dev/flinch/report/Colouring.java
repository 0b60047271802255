package dev.flinch.report;

import dev.flinch.store.Column;
import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jfree.chart.LegendItemCollection;

/**
 * Colours of settings by a factor: numbers from dark to light, by their logarithms where they are
 * all above 0; names in colours of the palette, the rarest of many alike in grey.
 */
final class Colouring {
  private static final int MOST_NAMES = 6;
  private static final int MOST_LABELS = 12;

  /** The lightest end of the scale is hard to see on white. */
  private static final double LIGHTEST = 0.9;

  private static final double MARKER = 9;
  private static final Color OTHERS = new Color(0x9A, 0x9A, 0x9A);

  private final Column factor;
  private final Map<Object, Color> colours = new HashMap<>();
  private final Map<String, Color> labels = new LinkedHashMap<>();

  private Colouring(Column factor) {
    this.factor = factor;
  }

  /** Colours of all of the factor's values. */
  static Colouring of(Column factor, List<Setting> settings) {
    Map<Object, Long> counts =
        settings.stream()
            .map(setting -> setting.factor(factor))
            .filter(value -> value != null)
            .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
    Colouring colouring = new Colouring(factor);
    if (factor.kind() == Column.Kind.TEXT) {
      colouring.names(counts);
    } else {
      colouring.numbers(counts.keySet());
    }
    if (settings.stream().anyMatch(setting -> setting.factor(factor) == null)) {
      colouring.labels.put(Setting.text(null), OTHERS);
    }
    return colouring;
  }

  private void names(Map<Object, Long> counts) {
    List<String> byCount =
        counts.entrySet().stream()
            .sorted(
                Comparator.comparing((Map.Entry<Object, Long> e) -> -e.getValue())
                    .thenComparing(e -> e.getKey().toString()))
            .map(e -> e.getKey().toString())
            .toList();
    boolean many = byCount.size() > MOST_NAMES;
    List<String> named =
        byCount.subList(0, many ? MOST_NAMES - 1 : byCount.size()).stream().sorted().toList();
    for (int i = 0; i < named.size(); i++) {
      colours.put(named.get(i), Style.colour(i));
      labels.put(named.get(i), Style.colour(i));
    }
    if (many) {
      labels.put("%d others".formatted(byCount.size() - named.size()), OTHERS);
    }
  }

  private void numbers(Set<Object> values) {
    List<Number> sorted =
        values.stream()
            .map(Number.class::cast)
            .sorted(Comparator.comparingDouble(Number::doubleValue))
            .toList();
    boolean logarithms = sorted.stream().allMatch(n -> n.doubleValue() > 0);
    double[] places =
        sorted.stream()
            .mapToDouble(n -> logarithms ? Math.log(n.doubleValue()) : n.doubleValue())
            .toArray();
    int last = places.length - 1;
    List<Color> scale = new ArrayList<>();
    for (double place : places) {
      double part = last == 0 ? 0.3 : (place - places[0]) / (places[last] - places[0]);
      scale.add(new Color(Viridis.rgb(LIGHTEST * part)));
    }
    IntStream.rangeClosed(0, last).forEach(i -> colours.put(sorted.get(i), scale.get(i)));
    int step = Math.max(1, (last + MOST_LABELS - 2) / (MOST_LABELS - 1));
    for (int i = 0; i <= last; i++) {
      if (i % step == 0 || i == last) {
        labels.put(Setting.text(sorted.get(i)), scale.get(i));
      }
    }
  }

  /** The colour of a setting. */
  Color of(Setting setting) {
    return colours.getOrDefault(setting.factor(factor), OTHERS);
  }

  /** The factor's name, and its values or, of many numbers, some of them at even steps. */
  LegendItemCollection legend() {
    LegendItemCollection legend = new LegendItemCollection();
    legend.add(
        Style.legendMarker(
            Setting.name(factor) + ":", new Rectangle2D.Double(0, 0, 0, 0), Color.WHITE));
    labels.forEach(
        (label, colour) -> legend.add(Style.legendMarker(label, Style.marker(0, MARKER), colour)));
    return legend;
  }
}
