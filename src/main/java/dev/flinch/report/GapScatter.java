package dev.flinch.report;

import dev.flinch.report.Marks.Crowd;
import dev.flinch.report.Marks.Mark;
import dev.flinch.report.PanelGrid.Panel;
import dev.flinch.store.Column;
import java.awt.Color;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

/**
 * Generalization gap against another quantity, a mark for each setting that {@link
 * AccurateSettings} has and a panel for each value of a factor.
 */
final class GapScatter {
  private static final int MOST_PANELS = 12;
  private static final int COLUMNS = 3;
  private static final int ENVELOPE_BINS = 20;

  /** Values of a factor as panels stand: numbers by size, then names, then what is not known. */
  private static final Comparator<Object> ORDER =
      Comparator.comparingDouble(
              (Object v) ->
                  v instanceof Number n
                      ? n.doubleValue()
                      : v == null ? Double.NaN : Double.MAX_VALUE)
          .thenComparing(Setting::text);

  private final Column x;
  private final AccurateSettings accurate;
  private final List<Part> parts;

  private GapScatter(Column x, AccurateSettings accurate, List<Part> parts) {
    this.x = x;
    this.accurate = accurate;
    this.parts = parts;
  }

  /** A mean gap at a value of the other quantity. */
  record Place(double x, double gap) {}

  /** The settings of one panel. */
  record Part(String name, List<Setting> settings, List<Estimate> xs, List<Estimate> gaps) {
    private static Part of(String name, Column x, List<Setting> settings) {
      return new Part(
          name,
          settings,
          settings.stream().map(setting -> setting.mean(x)).toList(),
          settings.stream().map(setting -> setting.mean(Column.GAP)).toList());
    }

    List<Place> places() {
      List<Place> places = new ArrayList<>();
      for (int i = 0; i < settings.size(); i++) {
        places.add(new Place(xs.get(i).mean(), gaps.get(i).mean()));
      }
      return places;
    }

    /** How well the quantity orders gaps. */
    double tau() {
      return GapScatter.tau(places());
    }

    /**
     * The lower envelope: of each of 20 bins of the quantity, all as wide on a logarithmic axis,
     * the place of the least mean gap.
     */
    List<Place> envelope() {
      List<Place> positive = places().stream().filter(p -> p.x() > 0).toList();
      double low = positive.stream().mapToDouble(p -> Math.log(p.x())).min().orElse(0);
      double high = positive.stream().mapToDouble(p -> Math.log(p.x())).max().orElse(0);
      TreeMap<Integer, Place> least = new TreeMap<>();
      for (Place place : positive) {
        int bin =
            high > low ? (int) ((Math.log(place.x()) - low) / (high - low) * ENVELOPE_BINS) : 0;
        least.merge(Math.min(bin, ENVELOPE_BINS - 1), place, (a, b) -> b.gap() < a.gap() ? b : a);
      }
      return List.copyOf(least.values());
    }
  }

  private static double tau(List<Place> places) {
    return RankCorrelation.kendallTauB(
        places.stream().mapToDouble(Place::x).toArray(),
        places.stream().mapToDouble(Place::gap).toArray());
  }

  /**
   * The scatter of some settings.
   *
   * @param x what gaps are drawn against
   * @param panels the factor that panels differ in
   */
  static GapScatter of(AccurateSettings all, Column x, Column panels) {
    AccurateSettings accurate = all.having(Column.GAP, x);
    Map<Object, List<Setting>> byValue = new HashMap<>();
    accurate
        .settings()
        .forEach(s -> byValue.computeIfAbsent(s.factor(panels), value -> new ArrayList<>()).add(s));
    List<Part> parts =
        byValue.entrySet().stream()
            .sorted(
                Comparator.comparing((Map.Entry<Object, List<Setting>> e) -> -e.getValue().size())
                    .thenComparing(Map.Entry::getKey, ORDER))
            .limit(MOST_PANELS)
            .sorted(Map.Entry.comparingByKey(ORDER))
            .map(e -> Part.of(heading(panels, e.getKey()), x, e.getValue()))
            .toList();
    return new GapScatter(x, accurate, parts);
  }

  private static String heading(Column panels, Object value) {
    boolean speaks = panels.kind() == Column.Kind.TEXT && value != null;
    return (speaks ? "" : Setting.name(panels) + " ") + Setting.text(value);
  }

  boolean isEmpty() {
    return parts.isEmpty();
  }

  List<Part> parts() {
    return parts;
  }

  List<Setting> settings() {
    return accurate.settings();
  }

  /**
   * The figure.
   *
   * @param xLabel of the horizontal axis
   * @param enveloped whether the lower envelope is drawn
   */
  Figure figure(String title, String xLabel, Column colour, boolean enveloped) {
    Colouring colouring = Colouring.of(colour, accurate.settings());
    Crowd crowd = Crowd.of(parts.stream().mapToInt(part -> part.settings().size()));
    List<Panel> panels =
        (isEmpty() ? Stream.of(Part.of("", x, List.of())) : parts.stream())
            .map(
                part ->
                    new Panel(
                        parts.size() > 1
                            ? part.name() + ",  " + Setting.count(part.settings().size(), "setting")
                            : "",
                        caption(part, enveloped),
                        plot(part, xLabel, colouring, crowd, enveloped)))
            .toList();
    return new PanelGrid(Math.min(COLUMNS, panels.size()), List.of(), panels)
        .figure(title, subtitle(crowd, enveloped), colouring.legend());
  }

  private XYPlot plot(
      Part part, String xLabel, Colouring colouring, Crowd crowd, boolean enveloped) {
    LogScale xs = new LogScale(xLabel, part.xs().stream().mapToDouble(Estimate::mean));
    NumberAxis gaps =
        Style.linear(
            "generalization gap  (train − test accuracy)",
            part.gaps().stream().flatMapToDouble(e -> DoubleStream.of(e.low(), e.high())));
    List<Mark> marks = new ArrayList<>();
    for (int i = 0; i < part.settings().size(); i++) {
      Color colour = colouring.of(part.settings().get(i));
      marks.add(new Mark(part.xs().get(i), part.gaps().get(i), colour));
    }
    XYPlot plot = Marks.plot(xs, gaps, marks, crowd);
    if (enveloped) {
      XYSeries line = new XYSeries("envelope", false, true);
      part.envelope().forEach(place -> line.add(place.x(), place.gap()));
      XYLineAndShapeRenderer renderer = (XYLineAndShapeRenderer) plot.getRenderer();
      renderer.setSeriesPaint(0, Style.INK);
      renderer.setSeriesStroke(0, Style.LINE);
      plot.setDataset(new XYSeriesCollection(line));
    }
    return plot;
  }

  private static String caption(Part part, boolean enveloped) {
    return "Kendall's τ-b "
        + (enveloped
            ? "of gap %s, of envelope %s".formatted(text(part.tau()), text(tau(part.envelope())))
            : text(part.tau()));
  }

  private static String text(double tau) {
    return Double.isNaN(tau) ? "–" : String.format(Locale.ROOT, "%.2f", tau).replace('-', '−');
  }

  private String subtitle(Crowd crowd, boolean enveloped) {
    List<String> sentences = new ArrayList<>();
    sentences.add(
        (crowd.dots()
                ? "Dots: means over seeds, of "
                : "Marks: means over seeds, with standard errors, of ")
            + Setting.count(accurate.settings().size(), "setting")
            + ", "
            + Setting.count(accurate.networks(), "network")
            + ", all of train accuracy 1.");
    if (enveloped) {
      sentences.add(
          "Line: the least mean gap in each of %d bins of weights.".formatted(ENVELOPE_BINS));
    }
    if (parts.stream().flatMap(part -> part.xs().stream()).anyMatch(e -> e.mean() <= 0)) {
      sentences.add("Zeros stand at the left end.");
    }
    int hidden = accurate.settings().size() - crowd.inFigure();
    if (hidden > 0) {
      sentences.add(
          String.format(Locale.ROOT, "Settings in no panel: %,d, of rarer values.", hidden));
    }
    sentences.add(accurate.leftOut());
    return sentences.stream().filter(s -> !s.isEmpty()).collect(Collectors.joining("  "));
  }
}
