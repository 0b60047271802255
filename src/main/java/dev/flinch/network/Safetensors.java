package dev.flinch.network;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.flinch.base.RequestException;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A safetensors file: the length of the header in 8 little-endian bytes, the header (JSON: dtype,
 * shape and byte range of every tensor, and a text-to-text map under {@code __metadata__}), then
 * the values, row-major and little-endian, without gaps. The format is that of
 * github.com/huggingface/safetensors; its rules against duplicate keys, overlaps, holes and headers
 * above 100 MB are enforced.
 *
 * <p>Opening checks the whole header against the length of the file; values are read on demand, in
 * chunks, so reading takes the memory of the tensors asked for and no more. Values are not judged
 * here: a checkpoint may hold a NaN.
 */
public final class Safetensors implements AutoCloseable {
  /** A tensor in the host's memory, row-major; an empty shape is a scalar. */
  public sealed interface Tensor {
    List<Integer> shape();

    /** float32 values. */
    record Floats(List<Integer> shape, float[] values) implements Tensor {
      public Floats {
        shape = requireCount(shape, values.length);
      }
    }

    /** 64-bit integers. */
    record Longs(List<Integer> shape, long[] values) implements Tensor {
      public Longs {
        shape = requireCount(shape, values.length);
      }
    }

    private static List<Integer> requireCount(List<Integer> shape, int values) {
      if (shape.stream().anyMatch(n -> n < 0)
          || shape.stream().mapToLong(n -> n).reduce(1, Math::multiplyExact) != values) {
        throw new IllegalArgumentException(
            "expected as many values as the shape " + shape + " has, found " + values);
      }
      return List.copyOf(shape);
    }
  }

  /** All tensors of a file by name, and its metadata. */
  public record Contents(SortedMap<String, Tensor> tensors, SortedMap<String, String> metadata) {}

  /**
   * What the header says of a tensor.
   *
   * @param dtype as the file names it: F32, BF16, I64, …
   * @param shape its dimensions
   * @param begin where its values begin, in bytes from the end of the header
   */
  public record Entry(String dtype, List<Long> shape, long begin) {
    /** Whether the values are real numbers, of a readable dtype or not. */
    public boolean isFloating() {
      return dtype.startsWith("F") || dtype.startsWith("BF");
    }

    @Override
    public String toString() {
      return dtype + " " + shape;
    }
  }

  /** An entry as it stands in the header. */
  private record JsonEntry(
      String dtype, long[] shape, @JsonProperty("data_offsets") long[] dataOffsets) {}

  /** Work on values {@code at} to {@code at + count − 1} of a tensor. */
  private interface Step {
    void take(int at, int count) throws IOException;
  }

  private static final int LONGEST_HEADER = 100_000_000;
  private static final int CHUNK_BYTES = 1 << 16;
  private static final String METADATA = "__metadata__";
  private static final String DAMAGED = "; the file is damaged: save or copy it again";
  private static final Pattern DTYPE = Pattern.compile("BOOL|(?:BF|F|I|U|C)(\\d{1,3})(?:_\\w+)?");
  private static final JsonMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder()
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .disable(JsonFactory.Feature.CHARSET_DETECTION)
                  .build())
          .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
          .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .build();

  private final Path path;
  private final FileChannel channel;
  private final long dataStart;
  private final long dataLength;
  private final ByteBuffer chunk = newChunk();
  private final SortedMap<String, String> metadata = new TreeMap<>();
  private final SortedMap<String, Entry> entries = new TreeMap<>();

  private Safetensors(Path path, FileChannel channel) throws IOException {
    this.path = path;
    this.channel = channel;
    long length = channel.size();
    if (length < Long.BYTES) {
      throw fault("expected a safetensors file, 8 bytes or more, found " + length + " bytes");
    }
    fill(chunk.limit(Long.BYTES), 0);
    long header = chunk.getLong(0);
    long longest = Math.min(length - Long.BYTES, LONGEST_HEADER);
    if (header < 2 || header > longest) {
      throw fault(
          "expected a header of 2 to %d bytes, found a length of %s; is this a safetensors file?"
              .formatted(longest, Long.toUnsignedString(header)));
    }
    dataStart = Long.BYTES + header;
    dataLength = length - dataStart;
    byte[] json = new byte[(int) header];
    fill(ByteBuffer.wrap(json), Long.BYTES);
    parse(json);
  }

  /**
   * Opens a file and checks its header.
   *
   * @throws RequestException if the file cannot be read or its header breaks a rule of the format
   */
  public static Safetensors open(Path path) {
    try {
      FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
      try {
        return new Safetensors(path, channel);
      } catch (IOException | RuntimeException e) {
        channel.close();
        throw e;
      }
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  /**
   * Reads a whole file.
   *
   * @throws RequestException as {@link #open} and {@link #read(String)} do
   */
  public static Contents read(Path path) {
    try (Safetensors file = open(path)) {
      SortedMap<String, Tensor> tensors = new TreeMap<>();
      file.entries.keySet().forEach(name -> tensors.put(name, file.read(name)));
      return new Contents(tensors, file.metadata);
    }
  }

  public SortedMap<String, String> metadata() {
    return Collections.unmodifiableSortedMap(metadata);
  }

  /** What the header says of every tensor, by name. */
  public SortedMap<String, Entry> entries() {
    return Collections.unmodifiableSortedMap(entries);
  }

  /**
   * Reads one tensor: F32, F64, F16 and BF16 as float32 values, I64 as integers.
   *
   * @throws RequestException if its dtype is another one, if its values don't fit into memory, or
   *     if the file cannot be read
   */
  public Tensor read(String name) {
    Entry entry = Objects.requireNonNull(entries.get(name), name);
    try {
      List<Integer> shape = entry.shape.stream().map(Math::toIntExact).toList();
      int count = Math.toIntExact(shape.stream().mapToLong(n -> n).reduce(1, (a, b) -> a * b));
      if (entry.dtype.equals("I64")) {
        long[] values = new long[count];
        stream(entry, count, 8, (at, n) -> chunk.asLongBuffer().get(values, at, n));
        return new Tensor.Longs(shape, values);
      }
      float[] values = new float[entry.isFloating() ? count : 0];
      switch (entry.dtype) {
        case "F32" -> stream(entry, count, 4, (at, n) -> chunk.asFloatBuffer().get(values, at, n));
        case "F64" ->
            stream(
                entry,
                count,
                8,
                (at, n) -> {
                  for (int i = 0; i < n; i++) {
                    values[at + i] = (float) chunk.getDouble(8 * i);
                  }
                });
        case "F16", "BF16" -> {
          boolean brain = entry.dtype.equals("BF16");
          stream(
              entry,
              count,
              2,
              (at, n) -> {
                for (int i = 0; i < n; i++) {
                  short bits = chunk.getShort(2 * i);
                  // A bfloat16 is the upper half of a float32.
                  values[at + i] = brain ? Float.intBitsToFloat(bits << 16) : half(bits);
                }
              });
        }
        default ->
            throw fault(
                "tensor %s: expected F32, F64, F16, BF16 or I64, found %s; save it as F32"
                    .formatted(name, entry));
      }
      return new Tensor.Floats(shape, values);
    } catch (IOException e) {
      throw unreadable(path, e);
    } catch (ArithmeticException e) {
      throw fault(
          "tensor %s: expected at most 2^31 − 1 values, found %s; split it".formatted(name, entry));
    } catch (OutOfMemoryError e) {
      throw fault(
          "tensor %s: %s doesn't fit into the %d MB of memory that Java may use; raise -Xmx"
              .formatted(name, entry, Runtime.getRuntime().maxMemory() >> 20));
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  /**
   * Writes a whole file or nothing: the bytes go to {@code NAME.part} in the same folder, which
   * takes the name when all of them are on the disk. Equal tensors and metadata give equal bytes.
   *
   * @throws RequestException if the file cannot be written; what was there is left as it was
   */
  public static void write(
      Path path, Map<String, ? extends Tensor> tensors, Map<String, String> metadata) {
    // Integers first, so that every value is aligned to its own size.
    List<Map.Entry<String, Tensor>> ordered =
        new ArrayList<>(new TreeMap<String, Tensor>(tensors).entrySet());
    ordered.sort(Comparator.comparing(t -> t.getValue() instanceof Tensor.Floats));
    Path part = path.resolveSibling(path.getFileName() + ".part");
    try {
      byte[] header = header(ordered, metadata);
      if (header.length > LONGEST_HEADER) {
        throw new RequestException(
            "%s: %d tensors need a header of %d bytes, and the format ends at %d; use several files"
                .formatted(path, tensors.size(), header.length, LONGEST_HEADER));
      }
      try (FileChannel out =
          FileChannel.open(
              part,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        ByteBuffer chunk = newChunk();
        drain(chunk.putLong(0, header.length).limit(Long.BYTES), out);
        drain(ByteBuffer.wrap(header), out);
        for (Map.Entry<String, Tensor> tensor : ordered) {
          drain(tensor.getValue(), chunk, out);
        }
        out.force(true);
      }
      Files.move(part, path, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      if (!Files.isDirectory(part)) {
        try {
          Files.deleteIfExists(part);
        } catch (IOException leftBehind) {
          e.addSuppressed(leftBehind);
        }
      }
      throw new RequestException(
          "%s: cannot be written: %s; nothing there was changed; free space or choose another folder"
              .formatted(path, reason(e)),
          e);
    }
  }

  private static byte[] header(
      List<Map.Entry<String, Tensor>> tensors, Map<String, String> metadata) throws IOException {
    Map<String, Object> header = new LinkedHashMap<>();
    if (!metadata.isEmpty()) {
      header.put(METADATA, new TreeMap<>(metadata));
    }
    long end = 0;
    for (Map.Entry<String, Tensor> tensor : tensors) {
      boolean floats = tensor.getValue() instanceof Tensor.Floats;
      long[] shape = tensor.getValue().shape().stream().mapToLong(n -> n).toArray();
      long begin = end;
      end += Arrays.stream(shape).reduce(floats ? Float.BYTES : Long.BYTES, (a, b) -> a * b);
      JsonEntry entry = new JsonEntry(floats ? "F32" : "I64", shape, new long[] {begin, end});
      if (tensor.getKey().equals(METADATA)) {
        throw new IllegalArgumentException("a tensor cannot be named " + METADATA);
      }
      header.put(tensor.getKey(), entry);
    }
    byte[] json = JSON.writeValueAsBytes(header);
    // Padding keeps the values aligned to 8 bytes.
    byte[] padded = Arrays.copyOf(json, (json.length + 7) / 8 * 8);
    Arrays.fill(padded, json.length, padded.length, (byte) ' ');
    return padded;
  }

  private static void drain(Tensor tensor, ByteBuffer chunk, FileChannel out) throws IOException {
    if (tensor instanceof Tensor.Floats floats) {
      inChunks(
          floats.values.length,
          Float.BYTES,
          (at, n) -> {
            chunk.clear().asFloatBuffer().put(floats.values, at, n);
            drain(chunk.limit(n * Float.BYTES), out);
          });
    } else if (tensor instanceof Tensor.Longs longs) {
      inChunks(
          longs.values.length,
          Long.BYTES,
          (at, n) -> {
            chunk.clear().asLongBuffer().put(longs.values, at, n);
            drain(chunk.limit(n * Long.BYTES), out);
          });
    }
  }

  private static void drain(ByteBuffer bytes, FileChannel out) throws IOException {
    while (bytes.hasRemaining()) {
      out.write(bytes);
    }
  }

  private void stream(Entry entry, int count, int bytes, Step step) throws IOException {
    inChunks(
        count,
        bytes,
        (at, n) -> {
          fill(chunk.clear().limit(n * bytes), dataStart + entry.begin + (long) at * bytes);
          chunk.flip();
          step.take(at, n);
        });
  }

  private static void inChunks(int count, int bytes, Step step) throws IOException {
    for (int at = 0, n; at < count; at += n) {
      n = Math.min(CHUNK_BYTES / bytes, count - at);
      step.take(at, n);
    }
  }

  private void fill(ByteBuffer bytes, long from) throws IOException {
    while (bytes.hasRemaining()) {
      int read = channel.read(bytes, from + bytes.position());
      if (read < 0) {
        throw new EOFException("it became shorter while it was read");
      }
    }
  }

  private void parse(byte[] header) throws IOException {
    if (header[0] != '{') {
      throw fault("header: expected '{' as its first character" + DAMAGED);
    }
    Map<String, JsonEntry> found = new LinkedHashMap<>();
    String name = null;
    try (JsonParser json = JSON.createParser(header)) {
      json.nextToken();
      while ((name = json.nextFieldName()) != null) {
        json.nextToken();
        if (name.equals(METADATA)) {
          Map<String, String> texts = json.readValueAs(new TypeReference<Map<String, String>>() {});
          if (texts == null || texts.containsValue(null)) {
            throw fault("header, __metadata__: expected texts, found null" + DAMAGED);
          }
          metadata.putAll(texts);
        } else {
          found.put(name, json.readValueAs(JsonEntry.class));
        }
      }
      if (json.nextToken() != null) {
        throw fault("header: expected nothing but spaces after the last '}'" + DAMAGED);
      }
    } catch (JacksonException e) {
      throw new RequestException(
          "%s: header%s, byte %s: %s%s"
              .formatted(
                  path,
                  name == null ? "" : ", " + name,
                  e.getLocation() == null ? "?" : e.getLocation().getByteOffset(),
                  e.getOriginalMessage(),
                  DAMAGED),
          e);
    }
    found.forEach(this::requireSize);
    requireContiguous(found);
    found.forEach(
        (tensor, entry) ->
            entries.put(
                tensor,
                new Entry(
                    entry.dtype,
                    Arrays.stream(entry.shape).boxed().toList(),
                    entry.dataOffsets[0])));
  }

  private void requireSize(String name, JsonEntry entry) {
    if (entry == null
        || entry.dtype == null
        || entry.shape == null
        || entry.dataOffsets == null
        || entry.dataOffsets.length != 2) {
      throw fault(
          "tensor %s: expected dtype, shape and two data_offsets%s".formatted(name, DAMAGED));
    }
    Matcher dtype = DTYPE.matcher(entry.dtype);
    if (!dtype.matches()) {
      throw fault(
          "tensor %s: unknown dtype %s: expected one such as F32".formatted(name, entry.dtype));
    }
    long begin = entry.dataOffsets[0];
    long end = entry.dataOffsets[1];
    if (begin < 0 || end < begin || end > dataLength) {
      throw fault(
          "tensor %s: expected data_offsets within the file's %d bytes of values, found [%d, %d]%s"
              .formatted(name, dataLength, begin, end, DAMAGED));
    }
    long bits = dtype.group(1) == null ? Byte.SIZE : Long.parseLong(dtype.group(1));
    String shape = Arrays.toString(entry.shape);
    try {
      for (long n : entry.shape) {
        if (n < 0) {
          throw fault("tensor %s: negative dimension in %s%s".formatted(name, shape, DAMAGED));
        }
        bits = Math.multiplyExact(bits, n);
      }
    } catch (ArithmeticException e) {
      throw fault("tensor %s: shape %s is larger than any file%s".formatted(name, shape, DAMAGED));
    }
    // Compared in bytes: 8 times the length could overflow.
    if (bits % Byte.SIZE != 0 || bits / Byte.SIZE != end - begin) {
      throw fault(
          "tensor %s: expected %s bytes for %s %s, found data_offsets [%d, %d]%s"
              .formatted(name, bits / 8.0, entry.dtype, shape, begin, end, DAMAGED));
    }
  }

  /** The format forbids overlaps and holes: tensors in order of their values cover them all. */
  private void requireContiguous(Map<String, JsonEntry> found) {
    List<Map.Entry<String, JsonEntry>> ordered = new ArrayList<>(found.entrySet());
    ordered.sort(
        Comparator.<Map.Entry<String, JsonEntry>>comparingLong(t -> t.getValue().dataOffsets[0])
            .thenComparingLong(t -> t.getValue().dataOffsets[1]));
    long end = 0;
    String before = "the header";
    for (Map.Entry<String, JsonEntry> tensor : ordered) {
      long begin = tensor.getValue().dataOffsets[0];
      if (begin != end) {
        throw fault(
            "tensor %s: expected its values at byte %d, after %s, found %d: %s%s"
                .formatted(
                    tensor.getKey(),
                    end,
                    before,
                    begin,
                    begin < end ? "they overlap" : "a hole",
                    DAMAGED));
      }
      end = tensor.getValue().dataOffsets[1];
      before = tensor.getKey();
    }
    if (end != dataLength) {
      throw fault(
          "expected the values to end with %s at byte %d, found %d bytes of values%s"
              .formatted(before, end, dataLength, DAMAGED));
    }
  }

  /** IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction. */
  private static float half(short bits) {
    int exponent = bits >> 10 & 31;
    int fraction = bits & 1023;
    float magnitude =
        switch (exponent) {
          case 0 -> fraction * 0x1p-24f;
          case 31 -> fraction == 0 ? Float.POSITIVE_INFINITY : Float.NaN;
          default -> Math.scalb(1024f + fraction, exponent - 25);
        };
    return bits < 0 ? -magnitude : magnitude;
  }

  private static ByteBuffer newChunk() {
    return ByteBuffer.allocate(CHUNK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  }

  private RequestException fault(String message) {
    return new RequestException(path + ": " + message);
  }

  private static RequestException unreadable(Path path, IOException e) {
    return new RequestException(
        "%s: cannot be read: %s; check the path and its permissions".formatted(path, reason(e)), e);
  }

  private static String reason(IOException e) {
    if (e instanceof NoSuchFileException) {
      return "no such file or folder";
    }
    if (e instanceof AccessDeniedException) {
      return "permission denied";
    }
    return e instanceof FileSystemException f && f.getReason() != null
        ? f.getReason()
        : String.valueOf(e.getMessage());
  }
}
