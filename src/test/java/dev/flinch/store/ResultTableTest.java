package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.io.ColumnIOFactory;
import org.apache.parquet.io.LocalInputFile;
import org.apache.parquet.io.RecordReader;
import org.apache.parquet.schema.MessageType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tables hold what rows hold, as their readers see it. */
class ResultTableTest {
  @TempDir private Path folder;

  /** Rows with long and short numbers, text of all sorts, and gaps. */
  private static List<NetworkRow> rows() {
    return List.of(
        Sweeps.done(Sweeps.identity(0)).toBuilder()
            .set(Column.SEED, Long.MAX_VALUE)
            .set(Column.GAP, 0.1 + 0.2)
            .set(Column.LEARNING_RATE, Double.MIN_VALUE)
            .set(Column.JACOBIAN_NORM, -Double.MAX_VALUE)
            .set(Column.TRANSITIONS_PER_LAYER, "[1.0, 2.5]")
            .set(Column.CONFIGURATION, "{\"title\": \"a, b\",\r\n\"é\": \"😀\"}")
            .build(),
        Sweeps.failed(Sweeps.identity(1)).toBuilder()
            .set(Column.ERROR, "line one\nline \"two\", with a comma")
            .build(),
        NetworkRow.builder().set(Column.IDENTITY, Sweeps.identity(2)).build());
  }

  @Test
  void textReadsBackAsItWasWritten() throws IOException {
    Path file = folder.resolve("table.csv");
    ResultTable.csv(rows(), file);
    List<NetworkRow> read = new ArrayList<>();
    try (Reader reader = Files.newBufferedReader(file);
        CSVParser parser =
            CSVFormat.RFC4180.builder().setHeader().setSkipHeaderRecord(true).get().parse(reader)) {
      assertEquals(
          Arrays.stream(Column.values()).map(Column::sqlName).toList(), parser.getHeaderNames());
      for (CSVRecord line : parser) {
        NetworkRow.Builder row = NetworkRow.builder();
        for (Column column : Column.values()) {
          String cell = line.get(column.sqlName());
          row.set(column, cell.isEmpty() ? null : value(column, cell));
        }
        read.add(row.build());
      }
    }
    assertEquals(rows(), read);
  }

  private static Object value(Column column, String cell) {
    return switch (column.kind()) {
      case TEXT -> cell;
      case INTEGER -> Long.valueOf(cell);
      case REAL -> Double.valueOf(cell);
    };
  }

  @Test
  void parquetReadsBackAsItWasWritten() throws IOException {
    Path file = folder.resolve("table.parquet");
    Files.writeString(file, "what was there before");
    ResultTable.parquet(rows(), file);
    assertEquals(rows(), read(file));
  }

  @Test
  void parquetTakesManyRowsAndNone() throws IOException {
    Path file = folder.resolve("table.parquet");
    ResultTable.parquet(List.of(), file);
    assertEquals(List.of(), read(file));
    List<NetworkRow> many = new ArrayList<>();
    for (int i = 0; i < 50_000; i++) {
      many.add(
          Sweeps.done(Sweeps.identity(i), i).toBuilder()
              .set(Column.GAP, Math.sqrt(i))
              .set(Column.CONFIGURATION, "{\"seed\": %d}".formatted(i))
              .build());
    }
    ResultTable.parquet(many, file);
    assertEquals(many, read(file));
    assertTrue(Files.size(file) < 60 * many.size(), "size " + Files.size(file));
  }

  /** What the format's own reader of records finds. */
  private static List<NetworkRow> read(Path file) throws IOException {
    List<NetworkRow> rows = new ArrayList<>();
    ParquetReadOptions options =
        ParquetReadOptions.builder(new PlainParquetConfiguration())
            .withCodecFactory(new GzipCodec())
            .build();
    try (ParquetFileReader reader = ParquetFileReader.open(new LocalInputFile(file), options)) {
      MessageType schema = reader.getFooter().getFileMetaData().getSchema();
      assertEquals(ParquetTable.schema(), schema);
      PageReadStore pages;
      while ((pages = reader.readNextRowGroup()) != null) {
        RecordReader<Group> records =
            new ColumnIOFactory()
                .getColumnIO(schema)
                .getRecordReader(pages, new GroupRecordConverter(schema));
        for (long i = 0; i < pages.getRowCount(); i++) {
          rows.add(row(records.read()));
        }
      }
    }
    return rows;
  }

  private static NetworkRow row(Group group) {
    NetworkRow.Builder row = NetworkRow.builder();
    for (Column column : Column.values()) {
      String name = column.sqlName();
      if (group.getFieldRepetitionCount(name) > 0) {
        row.set(
            column,
            switch (column.kind()) {
              case TEXT -> group.getString(name, 0);
              case INTEGER -> group.getLong(name, 0);
              case REAL -> group.getDouble(name, 0);
            });
      }
    }
    return row.build();
  }
}
