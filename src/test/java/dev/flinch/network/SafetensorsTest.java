package dev.flinch.network;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.base.RequestException;
import dev.flinch.network.Safetensors.Tensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.commons.rng.UniformRandomProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsTest {
  @TempDir Path folder;

  /** A file byte by byte: length, header, values. */
  static byte[] bytes(String header, byte[] values) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + json.length + values.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length)
        .put(json)
        .put(values)
        .array();
  }

  static byte[] floats(float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return bytes.array();
  }

  private Path file(byte[] bytes) throws IOException {
    return Files.write(folder.resolve("a.safetensors"), bytes);
  }

  /** Reading must fail, name the file and say each of the given words. */
  private void assertRefused(byte[] bytes, String... words) throws IOException {
    Path path = file(bytes);
    RequestException e = assertThrows(RequestException.class, () -> Safetensors.read(path));
    assertTrue(e.getMessage().startsWith(path + ": "), e.getMessage());
    for (String word : words) {
      assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage());
    }
  }

  private static float[] values(Tensor tensor) {
    return assertInstanceOf(Tensor.Floats.class, tensor).values();
  }

  @Test
  void writesTheBytesOfTheFormat() throws IOException {
    Path path = folder.resolve("a.safetensors");
    Safetensors.write(
        path,
        Map.of(
            "b", new Tensor.Floats(List.of(2, 1), new float[] {1.5f, -2}),
            "a", new Tensor.Floats(List.of(), new float[] {3}),
            "step", new Tensor.Longs(List.of(1), new long[] {1L << 40})),
        Map.of("z", "1", "k", "ü"));
    // Integers first, then names in order; padded to a multiple of 8.
    String header =
        "{\"__metadata__\":{\"k\":\"ü\",\"z\":\"1\"},"
            + "\"step\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
            + "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]},"
            + "\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[12,20]}}";
    while (header.getBytes(StandardCharsets.UTF_8).length % 8 != 0) {
      header += " ";
    }
    byte[] values =
        ByteBuffer.allocate(20)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(1L << 40)
            .put(floats(3, 1.5f, -2))
            .array();
    assertArrayEquals(bytes(header, values), Files.readAllBytes(path));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 31, 33, 1000, 16383, 16384, 16385, 100_003})
  void readsBackWhatWasWrittenAtAnySize(int n) {
    float[] floats = new float[n];
    RandomStreams.fillNormal(RandomStreams.stream(n, Purpose.BENCHMARK, 0, 0), 1, floats, 0, n);
    if (n > 2) {
      floats[0] = Float.NaN;
      floats[1] = Float.NEGATIVE_INFINITY;
      floats[2] = -0f;
    }
    long[] longs = RandomStreams.stream(n, Purpose.BENCHMARK, 0, 1).longs(n).toArray();
    Path path = folder.resolve("a.safetensors");
    Safetensors.write(
        path,
        Map.of(
            "floats", new Tensor.Floats(List.of(1, n), floats),
            "longs", new Tensor.Longs(List.of(n), longs)),
        Map.of("epoch", "7"));

    Safetensors.Contents contents = Safetensors.read(path);
    assertEquals(Map.of("epoch", "7"), contents.metadata());
    assertEquals(List.of("floats", "longs"), List.copyOf(contents.tensors().keySet()));
    assertEquals(List.of(1, n), contents.tensors().get("floats").shape());
    assertArrayEquals(floats, values(contents.tensors().get("floats")));
    assertArrayEquals(longs, ((Tensor.Longs) contents.tensors().get("longs")).values());
  }

  @Test
  void convertsOtherFloatingPointTypes() throws IOException {
    // binary16: 1, −2, the largest, the smallest subnormal, the largest subnormal, ∞, −0, NaN.
    short[] halves = {0x3c00, (short) 0xc000, 0x7bff, 1, 0x3ff, 0x7c00, (short) 0x8000, 0x7e01};
    float[] expectedHalves = {
      1, -2, 65504, 0x1p-24f, 1023 * 0x1p-24f, Float.POSITIVE_INFINITY, -0f, Float.NaN
    };
    short[] brains = {0x3f80, (short) 0xc040, (short) 0xff80};
    float[] expectedBrains = {1, -3, Float.NEGATIVE_INFINITY};
    ByteBuffer values = ByteBuffer.allocate(16 + 16 + 6).order(ByteOrder.LITTLE_ENDIAN);
    values.putDouble(0.1).putDouble(1e300);
    values.asShortBuffer().put(halves).put(brains);
    Map<String, Tensor> tensors =
        Safetensors.read(
                file(
                    bytes(
                        "{\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]},"
                            + "\"b\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[32,38]},"
                            + "\"h\":{\"dtype\":\"F16\",\"shape\":[8],\"data_offsets\":[16,32]}}",
                        values.array())))
            .tensors();
    assertArrayEquals(new float[] {0.1f, Float.POSITIVE_INFINITY}, values(tensors.get("d")));
    assertArrayEquals(expectedHalves, values(tensors.get("h")));
    assertArrayEquals(expectedBrains, values(tensors.get("b")));
  }

  @Test
  void readsWhatTheFormatAllows() throws IOException {
    // Unsorted tensors, spaces, empty tensors at equal offsets, no tensors at all.
    Safetensors.Contents contents =
        Safetensors.read(
            file(
                bytes(
                    "{ \"y\":{\"shape\":[1],\"data_offsets\":[4,8],\"dtype\":\"F32\"},\n"
                        + "\"e\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[4,4]},"
                        + "\"x\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}   ",
                    floats(1, 2))));
    assertArrayEquals(new float[] {1}, values(contents.tensors().get("x")));
    assertArrayEquals(new float[] {2}, values(contents.tensors().get("y")));
    assertEquals(List.of(0, 3), contents.tensors().get("e").shape());
    assertTrue(Safetensors.read(file(bytes("{}", new byte[0]))).tensors().isEmpty());
  }

  @Test
  void refusesFilesThatAreTooShortOrHaveAnAbsurdHeader() throws IOException {
    assertRefused(new byte[0], "8 bytes or more, found 0");
    assertRefused(new byte[7], "8 bytes or more, found 7");
    assertRefused(new byte[8], "header of 2 to 0 bytes", "found a length of 0");
    byte[] whole = bytes("{}", new byte[0]);
    assertRefused(Arrays.copyOf(whole, 9), "header of 2 to 1 bytes", "found a length of 2");
    Arrays.fill(whole, 0, 8, (byte) -1);
    assertRefused(whole, "found a length of 18446744073709551615");
    assertRefused(new byte[] {'P', 'K', 3, 4, 0, 0, 8, 0, 0, 0}, "is this a safetensors file?");
  }

  @Test
  void refusesAHeaderAboveTheFormatsLimitEvenInALargerFile() throws IOException {
    Path path = folder.resolve("a.safetensors");
    try (RandomAccessFile sparse = new RandomAccessFile(path.toFile(), "rw")) {
      sparse.write(new byte[] {1, (byte) 0xe1, (byte) 0xf5, 5}); // 100,000,001
      sparse.setLength(200_000_000);
    }
    RequestException e = assertThrows(RequestException.class, () -> Safetensors.read(path));
    assertTrue(e.getMessage().contains("2 to 100000000 bytes"), e.getMessage());
    assertTrue(e.getMessage().contains("found a length of 100000001"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        " [1]                                                     | expected '{'",
        "{\"a\":                                                  | end-of-input",
        "{\"a\"}                                                  | byte 4",
        "{} x                                                     | x",
        "{} {}                                                    | after the last",
        "{\"__metadata__\":{},\"__metadata__\":{}}                | Duplicate",
        "{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}}             | Duplicate",
        "{\"__metadata__\":{\"a\":null}}                          | __metadata__",
        "{\"__metadata__\":{\"a\":{}}}                            | __metadata__",
        "{\"__metadata__\":null}                                  | __metadata__",
        "{\"a\":null}                                             | tensor a",
        "{\"a\":{}}                                               | tensor a",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[null],\"data_offsets\":[0,4]}}   | header, a",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}    | header, a",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}  | header, a",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}        | two data_offsets",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}} | Duplicate",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,99999999999999999999]}}"
            + " | header, a",
      })
  void refusesMalformedHeaders(String header, String word) throws IOException {
    assertRefused(bytes(header, floats(1)), word, "damaged");
  }

  @Test
  void refusesDuplicateTensorsHostileNestingAndBrokenUtf8() throws IOException {
    String a = "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}";
    assertRefused(bytes("{" + a + "," + a + "}", floats(1)), "Duplicate field 'a'");
    assertRefused(bytes("{\"a\":" + "[".repeat(100_000), new byte[0]), "header, a");
    assertRefused(bytes("{\"a\":{\"x\":" + "[".repeat(100_000), new byte[0]), "header, a");
    byte[] broken = bytes("{\"__metadata__\":{\"a\":\"??\"}}", new byte[0]);
    broken[8 + 22] = (byte) 0xff;
    broken[8 + 23] = (byte) 0xfe;
    assertRefused(broken, "UTF-8");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        // dtype | shape | begin | end | words; 8 bytes of values.
        "F32 | [2]  | 0  | 12 | tensor a: expected data_offsets within the file's 8 bytes",
        "F32 | [2]  | 8  | 0  | found [8, 0]",
        "F32 | [2]  | -8 | 0  | found [-8, 0]",
        "F32 | [2]  | 9223372036854775807 | 9223372036854775807 | within the file's 8 bytes",
        "F32 | [3]  | 0  | 8  | expected 12.0 bytes for F32 [3], found data_offsets [0, 8]",
        "F64 | [2]  | 0  | 8  | expected 16.0 bytes",
        "F32 | [-2] | 0  | 8  | negative dimension in [-2]",
        "F32 | [-1, -2] | 0 | 8  | negative dimension",
        "F32 | [4611686018427387904, 4] | 0 | 0  | larger than any file",
        "F32 | [4294967296, 4294967296] | 0 | 0  | larger than any file",
        "F32 | [288230376151711744] | 0 | 0  | larger than any file",
        "F4  | [3]  | 0  | 2  | expected 1.5 bytes",
        "F31x| [2]  | 0  | 8  | unknown dtype F31x",
        "Q8  | [8]  | 0  | 8  | unknown dtype Q8",
        "F8_E4M3 | [8] | 0 | 8 | expected F32, F64, F16, BF16 or I64, found F8_E4M3 [8]",
        "I32 | [2]  | 0  | 8  | found I32 [2]; save it as F32",
        "BOOL | [8] | 0  | 8  | found BOOL [8]",
        "F32 | [1]  | 4  | 8  | tensor a: expected its values at byte 0, after the header, found 4",
        "F32 | [1]  | 0  | 4  | expected the values to end with a at byte 4, found 8 bytes",
      })
  void refusesTensorsThatDontFitTheValues(
      String dtype, String shape, String begin, String end, String words) throws IOException {
    String header =
        "{\"a\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%s,%s]}}"
            .formatted(dtype, shape, begin, end);
    assertRefused(bytes(header, floats(1, 2)), words);
  }

  @ParameterizedTest
  @CsvSource({"0,4,they overlap", "8,12,a hole"})
  void refusesOverlapsAndHoles(int begin, int end, String words) throws IOException {
    String header =
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
            + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%d,%d]}}"
                .formatted(begin, end);
    assertRefused(
        bytes(header, floats(1, 2, 3)), "tensor b", "at byte 4, after a", "found " + begin, words);
  }

  @Test
  void readsBeyondFourGigabytesAndRefusesWhatMemoryCannotHold() throws IOException {
    Path path = folder.resolve("a.safetensors");
    long large = 4L * Integer.MAX_VALUE;
    byte[] start =
        bytes(
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[0,%d]},"
                    .formatted(Integer.MAX_VALUE, large)
                + "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[%d,%d]}}"
                    .formatted(large, large + 8),
            new byte[0]);
    try (RandomAccessFile sparse = new RandomAccessFile(path.toFile(), "rw")) {
      sparse.write(start);
      sparse.seek(start.length + large);
      sparse.write(floats(5, 6));
    }
    try (Safetensors file = Safetensors.open(path)) {
      assertArrayEquals(new float[] {5, 6}, values(file.read("b")));
      // No Java array has 2^31 − 1 elements, so this holds for every heap.
      RequestException e = assertThrows(RequestException.class, () -> file.read("a"));
      assertTrue(e.getMessage().contains("raise -Xmx"), e.getMessage());
    }
  }

  @Test
  void namesThePathThatCannotBeRead() {
    for (Path path : List.of(folder.resolve("absent/a.safetensors"), folder)) {
      RequestException e = assertThrows(RequestException.class, () -> Safetensors.read(path));
      assertTrue(e.getMessage().startsWith(path + ": "), e.getMessage());
      assertTrue(e.getMessage().contains("check the path"), e.getMessage());
    }
  }

  @Test
  void aFullDiskLeavesTheOldFileWhole() throws IOException {
    assumeTrue(Files.exists(Path.of("/dev/full")), "needs the device that is always full");
    Path path = folder.resolve("a.safetensors");
    Safetensors.write(path, Map.of("a", new Tensor.Longs(List.of(), new long[] {1})), Map.of());
    byte[] before = Files.readAllBytes(path);
    Files.createSymbolicLink(folder.resolve("a.safetensors.part"), Path.of("/dev/full"));
    Map<String, Tensor> large =
        Map.of("a", new Tensor.Floats(List.of(100_000), new float[100_000]));
    RequestException e =
        assertThrows(RequestException.class, () -> Safetensors.write(path, large, Map.of()));
    assertTrue(e.getMessage().startsWith(path + ": cannot be written"), e.getMessage());
    assertTrue(e.getMessage().contains("No space left"), e.getMessage());
    assertArrayEquals(before, Files.readAllBytes(path));
    try (var left = Files.list(folder)) {
      assertEquals(List.of(path), left.toList());
    }
    // And with room again, the same call writes over the old file.
    Safetensors.write(path, large, Map.of());
    assertEquals(100_000, values(Safetensors.read(path).tensors().get("a")).length);
  }

  @Test
  void aPlaceThatCannotBeWrittenIsNamed() throws IOException {
    Path taken = Files.createDirectory(folder.resolve("taken"));
    Files.createFile(taken.resolve("inhabitant"));
    Path locked = Files.createDirectory(folder.resolve("locked"));
    // A superuser may write anywhere: then the other two places make the point.
    boolean refuses = locked.toFile().setWritable(false) && !Files.isWritable(locked);
    for (Path path :
        refuses
            ? List.of(folder.resolve("absent/a"), taken, locked.resolve("a"))
            : List.of(folder.resolve("absent/a"), taken)) {
      RequestException e =
          assertThrows(RequestException.class, () -> Safetensors.write(path, Map.of(), Map.of()));
      assertTrue(e.getMessage().startsWith(path + ": cannot be written"), e.getMessage());
    }
    assertTrue(Files.exists(taken.resolve("inhabitant")));
    assertFalse(Files.exists(folder.resolve("taken.part")));
  }

  @Test
  void anyCorruptionEitherReadsOrIsARequestException() throws IOException {
    Path path = folder.resolve("a.safetensors");
    Safetensors.write(
        path,
        Map.of(
            "fc1.weight", new Tensor.Floats(List.of(3, 2), new float[6]),
            "fc1.bias", new Tensor.Floats(List.of(3), new float[3]),
            "fc2.weight", new Tensor.Floats(List.of(2, 3), new float[6]),
            "steps", new Tensor.Longs(List.of(), new long[] {9})),
        Map.of("activation", "ReLU", "flinchFormat", "1"));
    byte[] whole = Files.readAllBytes(path);
    int header = whole.length - 8 - 15 * 4;
    int refused = 0;
    for (int seed = 0; seed < 4000; seed++) {
      UniformRandomProvider random = RandomStreams.stream(seed, Purpose.BENCHMARK, 0, 0);
      byte[] bytes = whole.clone();
      for (int flips = random.nextInt(4); flips >= 0; flips--) {
        // Mostly in the header, where it matters, and there mostly to characters that JSON has.
        int at = random.nextInt(random.nextInt(8) == 0 ? bytes.length : header);
        bytes[at] =
            random.nextBoolean()
                ? (byte) "0123456789[]{},:\"\\-eE. nFIBU".charAt(random.nextInt(28))
                : (byte) (bytes[at] ^ 1 << random.nextInt(8));
      }
      if (random.nextInt(4) == 0) {
        bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length + 16));
      }
      Files.write(path, bytes);
      refused += refuses(seed, () -> Safetensors.read(path)) ? 1 : 0;
      refuses(seed, () -> NetworkFile.read(path, Optional.empty(), Optional.empty()));
    }
    assertTrue(refused > 2000 && refused < 4000, "refused " + refused);
  }

  private static boolean refuses(int seed, Runnable reading) {
    try {
      reading.run();
      return false;
    } catch (RequestException expected) {
      return true;
    } catch (Throwable other) {
      return fail("seed " + seed, other);
    }
  }
}
