package dev.flinch.report;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.Pair;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;

/**
 * {@code report.html}: the networks of a study or a sweep as one page that needs nothing but a
 * browser. It holds its script, its style and the chart library (Apache ECharts); it asks no
 * network for anything, and a content security policy says so to the browser.
 *
 * <p>Networks are held by column, each column as JSON, compressed by gzip, in base64. What the page
 * draws is read when it opens; what only details show, such as configurations, when it is asked
 * for. Correlations of all networks come from {@link Correlations}; those of the networks that
 * filters leave are found in the page.
 */
public final class ReportPage {
  private static final ObjectMapper JSON =
      new ObjectMapper(
          JsonFactory.builder().enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER).build());
  private static final Pattern PLACE = Pattern.compile("\\{\\{(\\w+)}}");

  /**
   * Where the networks come from.
   *
   * @param title of the study or the sweep
   * @param source of its networks, such as the name of its file
   * @param provenance what there is to say about how they were computed, in order: version,
   *     devices, checksums of data, when
   * @param configurationJson the study or the sweep as JSON
   */
  public record Origin(
      String title, String source, Map<String, String> provenance, String configurationJson) {}

  private ReportPage() {}

  /**
   * Writes the page, over what is there, all at once.
   *
   * @param rows each network once, in the order in which the table shows them first
   * @param pairs of which the page leaves out, and counts, those with an unknown network
   */
  public static void write(Path file, Origin origin, List<NetworkRow> rows, List<Pair> pairs)
      throws IOException {
    Path part =
        file.resolveSibling(
            ".flinch-%d-%s".formatted(ProcessHandle.current().pid(), file.getFileName()));
    try {
      try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(part), 1 << 16)) {
        write(out, origin, rows, pairs);
      }
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(part);
    }
  }

  private static void write(
      OutputStream out, Origin origin, List<NetworkRow> rows, List<Pair> pairs) throws IOException {
    List<Column> columns =
        Arrays.stream(Column.values())
            .filter(c -> rows.stream().anyMatch(r -> r.get(c) != null))
            .toList();
    PairTable pairTable = new PairTable(rows, pairs);
    String charts = resource("echarts.min.js");
    String script = resource("report.js");
    Map<String, String> texts = new HashMap<>();
    texts.put("title", escaped(origin.title()));
    texts.put("policy", policy(charts, script));
    texts.put("style", resource("report.css"));
    texts.put("charts", charts);
    texts.put("script", script);
    texts.put("summary", summary(origin, rows, columns, pairTable));

    String template = resource("report.html");
    Matcher places = PLACE.matcher(template);
    int from = 0;
    while (places.find()) {
      text(out, template.substring(from, places.start()));
      from = places.end();
      if (places.group(1).equals("columns")) {
        columns(out, rows, columns, pairTable);
      } else {
        text(out, texts.get(places.group(1)));
      }
    }
    text(out, template.substring(from));
  }

  private static void text(OutputStream out, String text) throws IOException {
    out.write(text.getBytes(StandardCharsets.UTF_8));
  }

  private static String resource(String name) throws IOException {
    try (InputStream in = ReportPage.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("the program lacks dev/flinch/report/" + name);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  static String escaped(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;")
        .replace("'", "&#39;");
  }

  /** Nothing is loaded, and no script runs but these. */
  private static String policy(String... scripts) {
    StringBuilder sources = new StringBuilder();
    for (String script : scripts) {
      try {
        byte[] hash =
            MessageDigest.getInstance("SHA-256").digest(script.getBytes(StandardCharsets.UTF_8));
        sources.append(" 'sha256-%s'".formatted(Base64.getEncoder().encodeToString(hash)));
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every Java has SHA-256", e);
      }
    }
    return ("default-src 'none'; script-src%s; style-src 'unsafe-inline'; img-src data:; "
            + "base-uri 'none'; form-action 'none'")
        .formatted(sources);
  }

  /** Everything but the columns, as JSON that no markup can end. */
  private static String summary(
      Origin origin, List<NetworkRow> rows, List<Column> columns, PairTable pairs)
      throws IOException {
    Map<String, Object> summary = new LinkedHashMap<>();
    summary.put("title", origin.title());
    summary.put("source", origin.source());
    summary.put("provenance", origin.provenance());
    summary.put("configuration", origin.configurationJson());
    summary.put("networks", rows.size());
    List<Map<String, String>> about = new ArrayList<>();
    for (Column column : columns) {
      about.add(
          Map.of(
              "name", column.sqlName(),
              "kind", column.kind().name().toLowerCase(Locale.ROOT),
              "role", column.role().name().toLowerCase(Locale.ROOT),
              "meaning", column.meaning()));
    }
    summary.put("columns", about);
    summary.put("measures", Correlations.MEASURES.stream().map(Column::sqlName).toList());
    summary.put("groups", Correlations.of(rows).stream().map(ReportPage::group).toList());
    summary.put("resamples", Correlations.RESAMPLES);
    summary.put("resampleNetworks", Correlations.RESAMPLE_NETWORKS);
    summary.put("contrasts", pairs.contrasts());
    summary.put("pairsLeftOut", pairs.leftOut());
    StringWriter text = new StringWriter();
    JSON.writeValue(text, summary);
    return text.toString().replace("<", "\\u003c");
  }

  private static Map<String, Object> group(Correlations.Group group) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("factor", group.factor() == null ? null : group.factor().sqlName());
    values.put("value", group.value());
    values.put("networks", group.networks());
    values.put(
        "associations",
        group.associations().stream()
            .map(
                a ->
                    Map.of(
                        "networks", a.networks(),
                        "tau", interval(a.kendall()),
                        "rho", interval(a.spearman())))
            .toList());
    return values;
  }

  /** JSON has no NaN. */
  private static List<Double> interval(Correlations.Interval interval) {
    return Stream.of(interval.value(), interval.low(), interval.high())
        .map(v -> Double.isNaN(v) ? null : v)
        .toList();
  }

  /** One element a column, and one of pairs. */
  private static void columns(
      OutputStream out, List<NetworkRow> rows, List<Column> columns, PairTable pairs)
      throws IOException {
    List<Block> blocks = new ArrayList<>();
    for (Column column : columns) {
      blocks.add(new Block(column.sqlName(), json -> ColumnJson.write(json, column, rows)));
    }
    blocks.add(new Block("pairs", pairs::write));
    List<byte[]> packed = blocks.parallelStream().map(b -> packed(b.content())).toList();
    for (int i = 0; i < blocks.size(); i++) {
      text(
          out,
          "<script type=\"application/octet-stream;base64\" data-name=\"%s\">"
              .formatted(blocks.get(i).name()));
      out.write(Base64.getEncoder().encode(packed.get(i)));
      text(out, "</script>\n");
    }
  }

  /** Writes a JSON value. */
  @FunctionalInterface
  interface Content {
    void write(JsonGenerator json) throws IOException;
  }

  private record Block(String name, Content content) {}

  private static byte[] packed(Content content) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json =
        JSON.getFactory().createGenerator(new GZIPOutputStream(bytes, 1 << 16))) {
      content.write(json);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }
}
