package dev.flinch.network;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.network.Safetensors.Tensor;
import dev.flinch.reference.RandomNetworks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NetworkFileTest {
  @TempDir Path folder;
  private Path path;

  @BeforeEach
  void path() {
    path = folder.resolve("weights.safetensors");
  }

  private Network read() {
    return NetworkFile.read(path, Optional.of(Activation.RELU), Optional.empty());
  }

  private static void assertEqualNetworks(Network expected, Network found) {
    assertEquals(expected.architecture(), found.architecture());
    assertArrayEquals(expected.weights(), found.weights());
    assertArrayEquals(expected.biases(), found.biases());
  }

  /** Writes a file of zeros with tensors such as "0.weight 3 2; 0.bias 3". */
  private void writeZeros(String tensors) {
    Map<String, Tensor> zeros = new HashMap<>();
    for (String tensor : tensors.split("; *")) {
      String[] parts = tensor.strip().split(" ");
      List<Integer> shape =
          IntStream.range(1, parts.length).mapToObj(i -> Integer.valueOf(parts[i])).toList();
      zeros.put(
          parts[0], new Tensor.Floats(shape, new float[shape.stream().reduce(1, (a, b) -> a * b)]));
    }
    Safetensors.write(path, zeros, Map.of());
  }

  private void assertRefused(Optional<String> network, String... words) {
    RequestException e =
        assertThrows(
            RequestException.class,
            () -> NetworkFile.read(path, Optional.of(Activation.RELU), network));
    assertTrue(e.getMessage().startsWith(path + ": "), e.getMessage());
    for (String word : words) {
      assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage());
    }
  }

  @Test
  void oneNetworkOfAnyShapeReadsBackAsItWas() {
    RandomNetworks.forSeeds(
        10,
        seed -> {
          Activation activation = Activation.values()[(int) seed % 5];
          Network network =
              RandomNetworks.network(seed, activation, seed % 2 == 0, 33, 1, 31, 2, 127, 3);
          NetworkFile.write(path, Map.of("seed-" + seed, network), Map.of("note", "n"));
          assertEqualNetworks(network, NetworkFile.read(path, Optional.empty(), Optional.empty()));
          assertEqualNetworks(
              network, NetworkFile.read(path, Optional.empty(), Optional.of("seed-" + seed)));
          assertEquals(List.of("seed-" + seed), NetworkFile.ids(path));
          try (Safetensors file = Safetensors.open(path)) {
            assertEquals("n", file.metadata().get("note"));
            assertEquals(List.of(31L, 1L), file.entries().get("layers.1.weight").shape());
          }
        });
  }

  @Test
  void layersBeyondTenKeepTheirOrder() {
    Integer[] units = IntStream.rangeClosed(2, 70).boxed().toArray(Integer[]::new);
    Network network = RandomNetworks.network(1, Activation.TANH, true, units);
    NetworkFile.write(path, Map.of("deep", network), Map.of());
    assertEqualNetworks(network, NetworkFile.read(path, Optional.empty(), Optional.empty()));
  }

  @Test
  void severalNetworksAreToldApartByTheirIds() {
    Map<String, Network> networks = new TreeMap<>();
    // "2" and "2/a" share a beginning; ids are listed as people count.
    for (String id : List.of("10", "2", "2/a", "relu6 ü")) {
      Activation activation = id.equals("10") ? Activation.RELU : Activation.RELU6;
      networks.put(id, RandomNetworks.network(id.hashCode(), activation, id.length() > 2, 3, 3, 3));
    }
    NetworkFile.write(path, networks, Map.of());
    assertEquals(List.of("2", "2/a", "10", "relu6 ü"), NetworkFile.ids(path));
    networks.forEach(
        (id, network) ->
            assertEqualNetworks(
                network, NetworkFile.read(path, Optional.empty(), Optional.of(id))));
    assertRefused(Optional.empty(), "holds 4 networks: 2, 2/a, 10, relu6 ü", "--network ID");
    assertRefused(Optional.of("3"), "no network '3' but 4 networks: 2, 2/a, 10");
  }

  @Test
  void aLongListOfIdsIsCut() {
    Map<String, Network> networks = new HashMap<>();
    for (int i = 0; i < 40; i++) {
      networks.put("n" + i, RandomNetworks.network(i, Activation.RELU, false, 1, 1));
    }
    NetworkFile.write(path, networks, Map.of());
    assertRefused(Optional.empty(), "n0, n1, n2, n3,", "n11, … (40 in all)");
  }

  @Test
  void aDivergedNetworkLeavesItsNeighboursReadable() {
    Network good = RandomNetworks.network(0, Activation.RELU, true, 3, 4, 2);
    Network bad = RandomNetworks.network(1, Activation.RELU, true, 3, 4, 2);
    bad.weights()[1][6] = Float.NaN;
    NetworkFile.write(path, Map.of("good", good, "bad", bad), Map.of());
    assertEqualNetworks(good, NetworkFile.read(path, Optional.empty(), Optional.of("good")));
    assertRefused(
        Optional.of("bad"), "tensor bad/layers.1.weight", "found NaN at [1, 2]", "diverged");
    bad.weights()[1][6] = 0;
    bad.biases()[0][3] = Float.NEGATIVE_INFINITY;
    NetworkFile.write(path, Map.of("good", good, "bad", bad), Map.of());
    assertRefused(Optional.of("bad"), "bad/layers.0.bias", "found -Infinity at [3]");
  }

  @Test
  void readsAPyTorchSequentialByteByByte() throws IOException {
    // As nn.Sequential(Linear(2, 3), ReLU(), Linear(3, 1)) is saved, a counter beside it.
    String header =
        "{\"__metadata__\":{\"format\":\"pt\"},"
            + "\"0.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[8,20]},"
            + "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[20,44]},"
            + "\"2.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[44,48]},"
            + "\"2.weight\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[48,60]},"
            + "\"num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}}";
    byte[] values =
        SafetensorsTest.floats(0, 0, 7, 8, 9, 1, 2, 3, 4, 5, 6, -1, 0.5f, 0.25f, 0.125f);
    Files.write(path, SafetensorsTest.bytes(header, values));
    Network network = read();
    assertEquals(new Architecture(List.of(2, 3, 1), Activation.RELU, true), network.architecture());
    assertArrayEquals(new float[][] {{1, 2, 3, 4, 5, 6}, {0.5f, 0.25f, 0.125f}}, network.weights());
    assertArrayEquals(new float[][] {{7, 8, 9}, {-1}}, network.biases());
    assertEquals(List.of(), NetworkFile.ids(path));
    assertRefused(Optional.of("a"), "no network 'a' but one network, without a name");
    RequestException e =
        assertThrows(
            RequestException.class,
            () -> NetworkFile.read(path, Optional.empty(), Optional.empty()));
    assertTrue(e.getMessage().contains("--activation ReLU"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "fc1.weight 3 2; fc1.bias 3; fc2.weight 4 3; fc2.bias 4 | 2 3 4 | true",
        "W1 3 2; b1 3; W2 4 3; b2 4                   | 2 3 4 | true",
        "W_1 3 2; W_2 4 3                             | 2 3 4 | false",
        "net.9.weight 3 2; net.10.weight 4 3; net.10.bias 4 | 2 3 4 | true",
        "model/dense_1/weights 3 2; model/dense_1/biases 3  | 2 3   | true",
        "hidden 3 2; hidden.bias 3; output 4 3        | 2 3 4 | true",
        "w.0 3 2; b.0 3; w.1 4 3                       | 2 3 4 | true",
        "a.kernel 3 2; b.kernel 4 3                   | 2 3 4 | false",
        "layer_w_0 3 2; layer_b_0 3                   | 2 3   | true",
      })
  void readsTheUsualNames(String tensors, String units, boolean biases) {
    writeZeros(tensors);
    assertEquals(
        new Architecture(
            List.of(units.split(" ")).stream().map(Integer::valueOf).toList(),
            Activation.RELU,
            biases),
        read().architecture());
  }

  private static Network convolutional(long seed, boolean biases) {
    Network network =
        Network.initial(
            Architecture.convolutional(
                new ImageShape(3, 11, 8),
                List.of(
                    new Convolution(5, 3, 2), new Convolution(4, 5, 1), new Convolution(2, 1, 3)),
                seed % 2 == 0 ? List.of(3) : List.of(7, 1, 3),
                Activation.values()[(int) seed % 5],
                biases),
            seed,
            1);
    for (int l = 0; biases && l < network.biases().length; l++) {
      network.biases()[l] = RandomNetworks.inputs(seed + l, 1, network.biases()[l].length);
    }
    return network;
  }

  @Test
  void networksWithConvolutionsReadBackAsTheyWere() {
    Map<String, Network> networks = new TreeMap<>();
    RandomNetworks.forSeeds(
        5,
        seed -> {
          Network network = convolutional(seed, seed % 3 > 0);
          NetworkFile.write(path, Map.of("n", network), Map.of());
          assertEqualNetworks(network, NetworkFile.read(path, Optional.empty(), Optional.empty()));
          networks.put("n" + seed, network);
        });
    networks.put("dense", RandomNetworks.network(1, Activation.RELU, true, 3, 4, 2));
    NetworkFile.write(path, networks, Map.of());
    networks.forEach(
        (id, network) ->
            assertEqualNetworks(
                network, NetworkFile.read(path, Optional.empty(), Optional.of(id))));
  }

  /** Digits of a tensor's indices, so that every value says where it belongs. */
  private static Tensor.Floats numbered(int... shape) {
    int size = IntStream.of(shape).reduce(1, (a, b) -> a * b);
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      int rest = i;
      int digit = 1;
      for (int d = shape.length - 1; d >= 0; d--) {
        values[i] += digit * (rest % shape[d]);
        rest /= shape[d];
        digit *= 10;
      }
    }
    return new Tensor.Floats(IntStream.of(shape).boxed().toList(), values);
  }

  /** nn.Sequential(Conv2d(2, 3, 3, padding=1), ReLU, MaxPool2d(2), Flatten, Linear(3·2·4, 2)). */
  private void writeSequential() {
    // The matrix' columns are numbered by channel, row and column of the map.
    Tensor.Floats flattened = numbered(2, 3, 2, 4);
    Safetensors.write(
        path,
        Map.of(
            "0.weight", numbered(3, 2, 3, 3),
            "0.bias", new Tensor.Floats(List.of(3), new float[] {7, 8, 9}),
            "4.weight", new Tensor.Floats(List.of(2, 24), flattened.values()),
            "4.bias", new Tensor.Floats(List.of(2), new float[] {5, 6})),
        Map.of());
  }

  private Network readImages(ImageShape images, Integer... pools) {
    return NetworkFile.read(
        path,
        new NetworkFile.Known(
            Optional.of(Activation.RELU), Optional.ofNullable(images), List.of(pools)),
        Optional.empty());
  }

  @Test
  void readsConvolutionsInTheOrderOfPyTorch() {
    writeSequential();
    // Images of 5 × 9: the odd last row and column are in no window.
    Network network = readImages(new ImageShape(2, 5, 9));
    Architecture expected =
        Architecture.convolutional(
            new ImageShape(2, 5, 9),
            List.of(new Convolution(3, 3, 2)),
            List.of(2),
            Activation.RELU,
            true);
    assertEquals(expected, network.architecture());
    for (int o = 0; o < 3; o++) {
      for (int y = 0; y < 3; y++) {
        for (int x = 0; x < 3; x++) {
          for (int c = 0; c < 2; c++) {
            assertEquals(
                1000 * o + 100 * c + 10 * y + x,
                network.weights()[0][((o * 3 + y) * 3 + x) * 2 + c]);
          }
        }
      }
    }
    for (int o = 0; o < 2; o++) {
      for (int y = 0; y < 2; y++) {
        for (int x = 0; x < 4; x++) {
          for (int c = 0; c < 3; c++) {
            assertEquals(
                1000 * o + 100 * c + 10 * y + x,
                network.weights()[1][((o * 2 + y) * 4 + x) * 3 + c]);
          }
        }
      }
    }
    assertArrayEquals(new float[][] {{7, 8, 9}, {5, 6}}, network.biases());
    // Written again, the file has the same values in the same order.
    NetworkFile.write(path, Map.of("n", network), Map.of());
    try (Safetensors file = Safetensors.open(path)) {
      assertArrayEquals(
          numbered(3, 2, 3, 3).values(), ((Tensor.Floats) file.read("layers.0.weight")).values());
      assertEquals(List.of(3L, 2L, 3L, 3L), file.entries().get("layers.0.weight").shape());
      assertArrayEquals(
          numbered(2, 3, 2, 4).values(), ((Tensor.Floats) file.read("layers.1.weight")).values());
      assertEquals("2x5x9", file.metadata().get("image"));
      assertEquals("2", file.metadata().get("pools"));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0.weight 4 3 3 3; 3.weight 2 4 3 3; 7.weight 10 128 | 3 32 32 | 2     | 4/2 2/2",
        "0.weight 4 3 3 3; 3.weight 2 4 3 3; 7.weight 10 128 | 3 32 32 | 4,1   | 4/4 2/1",
        "0.weight 4 3 3 3; 3.weight 2 4 3 3; 7.weight 10 128 | 3 32 32 |       | 4/2 2/2",
        "0.weight 4 3 3 3; 3.weight 2 4 3 3; 7.weight 10 2048 | 3 32 32 |      | 4/1 2/1",
        "0.weight 4 3 3 3; 3.weight 2 4 3 3; 7.weight 10 512 | 3 32 32 | 1,2   | 4/1 2/2",
        // As torchvision names its own: classifier comes before features in the alphabet.
        "features.0.weight 6 1 5 5; classifier.1.weight 9 294; classifier.3.weight 10 9 | 1 28 28 |"
            + " 4 | 6/4",
      })
  void poolingsFollowFromTheColumnsOrAreSaid(
      String tensors, String image, String pools, String expected) {
    writeZeros(tensors);
    List<Integer> shape = Stream.of(image.split(" ")).map(Integer::valueOf).toList();
    Integer[] said =
        pools == null
            ? new Integer[0]
            : Stream.of(pools.split(",")).map(Integer::valueOf).toArray(Integer[]::new);
    Network network = readImages(new ImageShape(shape.get(0), shape.get(1), shape.get(2)), said);
    assertEquals(
        expected,
        network.architecture().convolutions().stream()
            .map(c -> c.channels() + "/" + c.pool())
            .collect(Collectors.joining(" ")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0.weight 4 3 3 3; 1.weight 5 9 | no pooling with equal windows makes so many columns |"
            + " 3 × 32 × 32; say the windows with --pool",
        "0.weight 4 3 3 3; 1.weight 5 16 | 1.weight, F32 [5, 16]: poolings with windows of 11, 12,"
            + " 13, 14, 15, 16 | say which with --pool",
        "0.weight 4 3 2 2; 1.weight 5 4 | 0.weight, F32 [4, 3, 2, 2]: expected a square kernel | odd",
        "0.weight 4 3 3 5; 1.weight 5 4 | [4, 3, 3, 5]: expected a square kernel of an odd side | 3",
        "0.weight 4 3 0 0; 1.weight 5 4 | expected a convolution of one channel or more | 0.weight",
        "0.weight 4 1 3 3; 1.weight 5 4 | images of 3 × 32 × 32 have 3 channels | groups",
        "0.weight 4 3 3 3; 1.weight 4 1 3 3; 2.weight 5 4 | 1.weight, F32 [4, 1, 3, 3]: expected 4"
            + " channels in | have no groups",
        "0.weight 4 3 3 3; 0.bias 4     | expected weight matrices (2 dimensions, out × in) behind |"
            + " convolutions",
        "0.weight 4 3 3 3; 1.weight 5 4096; 2.weight 5 4 | 2.weight, F32 [5, 4]: expected 5 columns |"
            + " the rows of 1.weight",
        "0.weight 4 3 3 3; 0.bias 3; 1.weight 5 4096 | 0.bias, F32 [3]: expected a bias of shape [4]"
            + " | 0.weight",
        "0.weight 4 3 3 3; 1.weight 4; 1.bias 4; 2.weight 5 4096 | 1.bias, F32 [4]: belongs to no |"
            + " and convolutions aren't measured",
        "0.bias 4 3 3 3; 1.weight 5 4   | 0.bias, F32 [4, 3, 3, 3]: expected matrices | biases",
        "0.weight 4 3 3 3 3; 1.weight 5 4 | [4, 3, 3, 3, 3]: expected matrices (out × in), | no other",
      })
  void refusesConvolutionsThatItCannotMeasure(String tensors, String words, String moreWords) {
    writeZeros(tensors);
    assertRefusedImages(new ImageShape(3, 32, 32), List.of(), words, moreWords);
  }

  private void assertRefusedImages(ImageShape images, List<Integer> pools, String... words) {
    RequestException e =
        assertThrows(
            RequestException.class, () -> readImages(images, pools.toArray(Integer[]::new)));
    assertTrue(e.getMessage().startsWith(path + ": "), e.getMessage());
    for (String word : words) {
      assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage());
    }
  }

  @Test
  void refusesPoolingsAndImagesThatDontFit() {
    writeSequential();
    assertRefusedImages(null, List.of(), "doesn't say the shape of the images", "--dataset");
    ImageShape images = new ImageShape(2, 5, 9);
    assertRefusedImages(
        images, List.of(2, 1), "a pooling window for each of 1 convolutions", "found [2, 1]");
    assertRefusedImages(
        images, List.of(1), "4.weight, F32 [2, 24]: expected 135 columns", "windows of [1]");
    assertRefusedImages(
        images, List.of(6), "0.weight, F32 [3, 2, 3, 3]: pool: expected ≤ 5", "found 6", "--pool");
  }

  @Test
  void refusesMetadataThatSayNoImageOrPools() {
    Map<String, String> sound =
        Map.of("flinchFormat", "1", "activation", "ReLU", "image", "1x4x4", "pools", "2");
    Map<String, Tensor> tensors =
        Map.of(
            "layers.0.weight", new Tensor.Floats(List.of(1, 1, 1, 1), new float[1]),
            "layers.1.weight", new Tensor.Floats(List.of(2, 4), new float[8]));
    Safetensors.write(path, tensors, sound);
    assertEquals(List.of(new Convolution(1, 1, 2)), readImages(null).architecture().convolutions());
    for (String damaged : List.of("image=1x4", "image=0x4x4", "image=", "pools=2,,2", "pools=-1")) {
      Map<String, String> metadata = new HashMap<>(sound);
      String[] pair = damaged.split("=", 2);
      metadata.put(pair[0], pair[1]);
      Safetensors.write(path, tensors, metadata);
      assertRefusedImages(
          null, List.of(), "metadata " + pair[0] + ": expected", "found " + pair[1]);
    }
  }

  @Test
  void aNaNInAConvolutionIsFound() {
    Network network = convolutional(0, false);
    network.weights()[1][7] = Float.NaN;
    NetworkFile.write(path, Map.of("n", network), Map.of());
    // In memory [out][row][column][in] of 4 × 5 × 5 × 5.
    assertRefused(Optional.empty(), "layers.1.weight", "found NaN at [0, 2, 0, 1]");
  }

  @Test
  void missingBiasesAreZerosWhereOthersHaveThem() {
    Safetensors.write(
        path,
        Map.of(
            "0.weight", new Tensor.Floats(List.of(2, 1), new float[] {1, 2}),
            "1.weight", new Tensor.Floats(List.of(1, 2), new float[] {3, 4}),
            "1.bias", new Tensor.Floats(List.of(1), new float[] {5})),
        Map.of());
    assertArrayEquals(new float[][] {{0, 0}, {5}}, read().biases());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0.weight 3 2; 1.weight 4 2   | tensor 1.weight, F32 [4, 2]: expected 3 columns, the rows of"
            + " 0.weight | The file holds: 0.weight F32 [3, 2], 1.weight F32 [4, 2]",
        "a.kernel 2 3; b.kernel 3 4   | expected 2 columns, the rows of a.kernel | transpose",
        "0.weight 3 2; 0.bias 2       | 0.bias, F32 [2]: expected a bias of shape [3] for 0.weight |"
            + " 0.weight F32 [3, 2]",
        "0.weight 3 2; 1.bias 3       | tensor 1.bias, F32 [3]: belongs to no matrix | 0.bias after",
        "0.weight 3 2; 1.weight 3; 1.bias 3; 1.running_mean 3 | belongs to no matrix | connected",
        "0.weight 3 2; scale          | tensor scale, F32 []: belongs to no matrix | The file holds",
        "0.weight 3 2; 0.bias 1 3     | 0.bias, F32 [1, 3]: expected a bias of shape [3] | 0.weight",
        "0.weight 3 2; 0.bias 3; 0.b 3 | has a bias already | 0.b",
        "1.weight 3 2; W1 3 3; b1 3   | belongs to several of [1.weight, W1] | b1",
        "0.weight 3 1 5; 1.weight 3 2 | 0.weight, F32 [3, 1, 5]: expected matrices | no other layers",
        "0.bias 3; step               | expected weight matrices (2 dimensions, out × in), found |"
            + " 0.bias F32 [3], step F32 []",
        "0.weight 0 2                 | one row and one column or more | 0.weight F32 [0, 2]",
      })
  void refusesWhatIsNoFullyConnectedNetwork(String tensors, String words, String moreWords) {
    writeZeros(tensors);
    assertRefused(Optional.empty(), words, moreWords);
  }

  @Test
  void refusesAFileWithoutTensorsAndMatricesOfIntegers() {
    Safetensors.write(path, Map.of(), Map.of());
    assertRefused(Optional.empty(), "expected weight matrices", "found no tensors");
    Safetensors.write(path, Map.of(), Map.of("flinchFormat", "1"));
    assertRefused(Optional.empty(), "expected a network, found no tensors");
    Safetensors.write(
        path, Map.of("0.weight", new Tensor.Longs(List.of(1, 1), new long[1])), Map.of());
    assertRefused(Optional.empty(), "0.weight, I64 [1, 1]: expected floating-point weights");
  }

  @Test
  void refusesAnotherVersionAndAnUnknownRecordedActivation() {
    Map<String, Tensor> tensors =
        Map.of("layers.0.weight", new Tensor.Floats(List.of(1, 1), new float[1]));
    Safetensors.write(path, tensors, Map.of("flinchFormat", "2"));
    assertRefused(Optional.empty(), "expected flinchFormat 1, found 2");
    Safetensors.write(path, tensors, Map.of("flinchFormat", "1", "activation", "Swish"));
    RequestException e =
        assertThrows(
            RequestException.class,
            () -> NetworkFile.read(path, Optional.empty(), Optional.empty()));
    assertTrue(e.getMessage().startsWith(path + ": metadata activation: "), e.getMessage());
    // A given activation goes before the recorded one.
    assertEquals(Activation.RELU, read().architecture().activation());
  }

  @Test
  void naturalOrderComparesNumbersAsNumbers() {
    // "a02" and "a2" are one number: plain order decides.
    List<String> ordered =
        List.of(
            "",
            "a",
            "a02",
            "a2",
            "a2b",
            "a10",
            "a10.1",
            "a10.9",
            "a10.12",
            "a" + "9".repeat(30),
            "b1");
    List<String> shuffled = new ArrayList<>(ordered);
    for (int turn = 0; turn < ordered.size(); turn++) {
      shuffled.add(shuffled.remove(0));
      assertEquals(ordered, shuffled.stream().sorted(NetworkFile.NATURAL_ORDER).toList());
    }
  }
}
