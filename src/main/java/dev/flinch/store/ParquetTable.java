package dev.flinch.store;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.conf.ParquetConfiguration;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.hadoop.ParquetFileWriter;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.LocalOutputFile;
import org.apache.parquet.io.OutputFile;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.RecordConsumer;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;
import org.apache.parquet.schema.Types;

/** Rows in Apache Parquet, by the format's own writer. */
final class ParquetTable implements ResultTable {
  private static final Column[] COLUMNS = Column.values();

  /** Rows are gathered in memory up to so many bytes, then written together. */
  private static final long GROUP_BYTES = 32L << 20;

  private final ParquetWriter<NetworkRow> writer;

  ParquetTable(Path file) throws IOException {
    writer =
        new Builder(new LocalOutputFile(file))
            .withConf(new PlainParquetConfiguration())
            .withWriteMode(ParquetFileWriter.Mode.OVERWRITE)
            .withCodecFactory(new GzipCodec())
            .withCompressionCodec(CompressionCodecName.GZIP)
            .withRowGroupSize(GROUP_BYTES)
            .build();
  }

  @Override
  public void add(NetworkRow row) throws IOException {
    writer.write(row);
  }

  @Override
  public void close() throws IOException {
    writer.close();
  }

  static MessageType schema() {
    return new MessageType(
        "network", Arrays.stream(COLUMNS).map(ParquetTable::field).toArray(Type[]::new));
  }

  private static Type field(Column column) {
    return switch (column.kind()) {
      case TEXT ->
          Types.optional(PrimitiveTypeName.BINARY)
              .as(LogicalTypeAnnotation.stringType())
              .named(column.sqlName());
      case INTEGER -> Types.optional(PrimitiveTypeName.INT64).named(column.sqlName());
      case REAL -> Types.optional(PrimitiveTypeName.DOUBLE).named(column.sqlName());
    };
  }

  private static final class Builder extends ParquetWriter.Builder<NetworkRow, Builder> {
    Builder(OutputFile file) {
      super(file);
    }

    @Override
    protected Builder self() {
      return this;
    }

    @Override
    protected WriteSupport<NetworkRow> getWriteSupport(Configuration configuration) {
      return new Rows();
    }

    @Override
    protected WriteSupport<NetworkRow> getWriteSupport(ParquetConfiguration configuration) {
      return new Rows();
    }
  }

  private static final class Rows extends WriteSupport<NetworkRow> {
    private RecordConsumer consumer;

    @Override
    public WriteContext init(Configuration configuration) {
      return new WriteContext(schema(), Map.of());
    }

    @Override
    public WriteContext init(ParquetConfiguration configuration) {
      return new WriteContext(schema(), Map.of());
    }

    @Override
    public void prepareForWrite(RecordConsumer recordConsumer) {
      consumer = recordConsumer;
    }

    @Override
    public void write(NetworkRow row) {
      consumer.startMessage();
      for (Column column : COLUMNS) {
        Object value = row.get(column);
        if (value != null) {
          consumer.startField(column.sqlName(), column.ordinal());
          switch (column.kind()) {
            case TEXT -> consumer.addBinary(Binary.fromString((String) value));
            case INTEGER -> consumer.addLong((Long) value);
            case REAL -> consumer.addDouble((Double) value);
          }
          consumer.endField(column.sqlName(), column.ordinal());
        }
      }
      consumer.endMessage();
    }
  }
}
