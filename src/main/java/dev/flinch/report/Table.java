package dev.flinch.report;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A table in plain text. */
public final class Table {
  private static final String GAP = "  ";

  private Table() {}

  /**
   * Aligns columns: to the right where every cell is a number or missing, else to the left.
   *
   * @param rows each with a cell for every column of the header
   * @return the header, a rule and the rows, each line ended by a line feed
   */
  public static String format(List<String> header, List<List<String>> rows) {
    for (List<String> row : rows) {
      if (row.size() != header.size()) {
        throw new IllegalArgumentException(
            "expected %d cells, found %d: %s".formatted(header.size(), row.size(), row));
      }
    }
    int[] widths =
        IntStream.range(0, header.size())
            .map(c -> lines(header, rows).mapToInt(row -> width(row.get(c))).max().orElse(0))
            .toArray();
    List<Boolean> numeric =
        IntStream.range(0, header.size())
            .mapToObj(c -> rows.stream().allMatch(row -> isNumber(row.get(c))))
            .collect(Collectors.toList());
    List<String> rule = IntStream.of(widths).mapToObj("─"::repeat).collect(Collectors.toList());
    return Stream.concat(Stream.of(header, rule), rows.stream())
        .map(
            row ->
                IntStream.range(0, row.size())
                    .mapToObj(c -> pad(row.get(c), widths[c], numeric.get(c)))
                    .collect(Collectors.joining(GAP))
                    .stripTrailing())
        .collect(Collectors.joining("\n", "", "\n"));
  }

  private static Stream<List<String>> lines(List<String> header, List<List<String>> rows) {
    return Stream.concat(Stream.of(header), rows.stream());
  }

  private static String pad(String cell, int width, boolean right) {
    String space = " ".repeat(width - width(cell));
    return right ? space + cell : cell + space;
  }

  private static int width(String cell) {
    return cell.codePointCount(0, cell.length());
  }

  private static boolean isNumber(String cell) {
    return cell.matches("[-−+]?\\d[\\d.,]*([eE][-+]?\\d+)?([ ±%].*)?|NaN|[-−]?(Infinity|∞)|–|—|");
  }
}
