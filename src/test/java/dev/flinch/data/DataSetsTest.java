package dev.flinch.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flinch.base.RequestException;
import dev.flinch.device.ImageShape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DataSetsTest {
  @TempDir Path data;

  private void assertRefused(String name, String... parts) {
    RequestException refusal =
        assertThrows(RequestException.class, () -> DataSets.load(name, data));
    for (String part : parts) {
      assertTrue(refusal.getMessage().contains(part), part + " is not in: " + refusal.getMessage());
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void anIdxSetIsReadGzippedOrNot(boolean gzipped) throws IOException {
    Path folder = SmallFiles.mnist(data);
    Path labels = folder.resolve("train-labels-idx1-ubyte");
    if (gzipped) {
      for (String file : folder.toFile().list()) {
        byte[] bytes = Files.readAllBytes(folder.resolve(file));
        Files.delete(folder.resolve(file));
        Files.write(folder.resolve(file + ".gz"), SmallFiles.gzip(bytes));
      }
      labels = folder.resolve("train-labels-idx1-ubyte.gz");
    }
    DataSet set = DataSets.load("mnist", data);
    assertEquals(new ImageShape(1, 28, 28), set.train().shape());
    assertArrayEquals(SmallFiles.DIGITS, set.train().labels());
    assertArrayEquals(new int[] {7, 2}, set.test().labels());
    for (int j = 0; j < 784; j++) {
      assertEquals((byte) (4 + j), set.train().pixels(4)[j]);
      assertEquals((byte) (1 + j), set.test().pixels(1)[j]);
    }
    assertEquals(4, set.checksums().size());
    assertEquals(
        SmallFiles.sha256(Files.readAllBytes(labels)),
        set.checksums().get(labels.getFileName().toString()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"cifar10", "cifar10/cifar-10-batches-bin"})
  void cifar10IsReadInTheOrderOfItsBatches(String where) throws IOException {
    Path folder = Files.createDirectories(data.resolve(where));
    for (int batch = 1; batch <= 5; batch++) {
      Files.write(
          folder.resolve("data_batch_" + batch + ".bin"),
          SmallFiles.cifar(new int[] {batch}, new int[] {9 - batch}));
    }
    Files.write(folder.resolve("test_batch.bin.gz"), SmallFiles.gzip(SmallFiles.cifar(new int[1])));
    DataSet set = DataSets.load("cifar10", data);
    assertArrayEquals(new int[] {1, 8, 2, 7, 3, 6, 4, 5, 5, 4}, set.train().labels());
    assertArrayEquals(new int[] {0}, set.test().labels());
    assertEquals(3072, set.train().pixels(9).length);
    assertEquals((byte) (7 + 3071), set.train().pixels(9)[3071]);
    assertEquals(folder, DataSets.entry("cifar10", data).folder());
  }

  @Test
  void cifar100IsLabelledByItsFineClasses() throws IOException {
    Path folder = Files.createDirectories(data.resolve("cifar100/cifar-100-binary"));
    Files.write(
        folder.resolve("train.bin"), SmallFiles.cifar(new int[] {19, 99}, new int[] {0, 42}));
    Files.write(folder.resolve("test.bin"), SmallFiles.cifar(new int[] {7, 0}));
    DataSet set = DataSets.load("cifar100", data);
    assertArrayEquals(new int[] {99, 42}, set.train().labels());
    assertEquals(100, set.train().classes());
    assertEquals((byte) 7, set.train().pixels(1)[0]);
    List<Integer> superClasses = new ArrayList<>(Collections.nCopies(100, DataSet.NO_IMAGES));
    superClasses.set(99, 19);
    superClasses.set(42, 0);
    superClasses.set(0, 7);
    assertEquals(superClasses, set.superClasses());

    Files.write(folder.resolve("train.bin"), SmallFiles.cifar(new int[] {20, 99}));
    assertRefused("cifar100", "train.bin: byte 0: expected a label below 20, found 20");
    Files.write(
        folder.resolve("train.bin"), SmallFiles.cifar(new int[] {1, 99}, new int[] {1, 100}));
    assertRefused("cifar100", "train.bin: byte 3075: expected a label below 100, found 100");
  }

  @Test
  void aClassOfTwoSuperClassesIsRefusedWithinAFileAndBetweenTwo() throws IOException {
    Path folder = Files.createDirectories(data.resolve("cifar100/cifar-100-binary"));
    Path train = folder.resolve("train.bin");
    Path test = folder.resolve("test.bin");
    Files.write(train, SmallFiles.cifar(new int[] {3, 8}, new int[] {3, 8}, new int[] {4, 8}));
    Files.write(test, SmallFiles.cifar(new int[] {3, 8}));
    assertRefused(
        "cifar100",
        "train.bin: byte 6148: expected super-class 3 of class 8, as elsewhere, found 4",
        "flinch data fetch");
    Files.write(train, SmallFiles.cifar(new int[] {3, 8}, new int[] {3, 9}));
    assertEquals(3, DataSets.load("cifar100", data).superClasses().get(9));
    Files.write(test, SmallFiles.cifar(new int[] {3, 8}, new int[] {5, 9}));
    assertRefused(
        "cifar100",
        "test.bin: byte 3074: expected super-class 3 of class 9, as elsewhere, found 5");
  }

  @Test
  void dataOfOneLabelAnImageHasNoSuperClasses() throws IOException {
    SmallFiles.mnist(data);
    assertEquals(List.of(), DataSets.load("mnist", data).superClasses());
    assertEquals(List.of(), DataSets.load("glyphs", data).superClasses());
  }

  @Test
  void anUnknownNameIsRefusedWithTheKnownOnes() {
    assertRefused("imagenet", "'imagenet'", "mnist, fashion-mnist, cifar10, cifar100, glyphs");
  }

  @Test
  void aMissingFileIsRefusedWithTheFoldersAndAWayOut() throws IOException {
    assertRefused(
        "cifar10",
        "data_batch_1.bin",
        data.resolve("cifar10").toString(),
        data.resolve("cifar10/cifar-10-batches-bin").toString(),
        "flinch data fetch cifar10",
        "--data-dir");
    Files.delete(SmallFiles.mnist(data).resolve("t10k-labels-idx1-ubyte"));
    assertRefused("mnist", "t10k-labels-idx1-ubyte", "flinch data fetch mnist");
  }

  @Test
  void theListSaysWhatIsFoundWhere() throws IOException {
    Path folder = SmallFiles.mnist(data);
    List<DataSets.Entry> list = DataSets.list(data);
    assertEquals(DataSets.names(), list.stream().map(DataSets.Entry::name).toList());
    assertEquals(
        List.of("mnist", "glyphs"),
        list.stream().filter(DataSets.Entry::found).map(DataSets.Entry::name).toList());
    assertEquals(folder, list.get(0).folder());
    assertEquals(data.resolve("fashion-mnist"), list.get(1).folder());
    assertNull(DataSets.entry("glyphs", data).folder());
    Files.delete(folder.resolve("t10k-labels-idx1-ubyte"));
    assertFalse(DataSets.entry("mnist", data).found());
  }

  /** Changes one file of a good set, and expects a message with these parts. */
  private void assertIdxRefused(String file, byte[] content, String... parts) throws IOException {
    Path folder = SmallFiles.mnist(data);
    Files.write(folder.resolve(file), content);
    assertRefused("mnist", parts);
    assertRefused("mnist", folder.resolve(file).toString());
  }

  @ParameterizedTest
  @CsvSource({
    "0, byte 0: expected the magic number of 4 bytes",
    "3, byte 0: expected the magic number of 4 bytes",
    "6, byte 4: expected the number of items of 4 bytes",
    "15, byte 12: expected the width of 4 bytes",
    "16, byte 16: expected image 0 of 5 of 784 bytes",
    "3935, byte 3152: expected image 4 of 5 of 784 bytes",
  })
  void truncatedImagesAreRefused(int length, String expected) throws IOException {
    byte[] whole = SmallFiles.idxImages(5, 28, 28);
    assertIdxRefused(
        "train-images-idx3-ubyte", Arrays.copyOf(whole, length), expected, "flinch data fetch");
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0x00000801, byte 0: expected the IDX magic number 00000803, found 00000801",
    "0, 0x00000d03, byte 0: expected the IDX magic number 00000803, found 00000d03",
    "0, 0x1f8b0800, byte 0: expected the IDX magic number 00000803, found 1f8b0800",
    "4, 0, 'byte 4: expected one item or more, found none'",
    "4, 4, 'byte 3152: expected the end of the file, found more bytes'",
    "4, 6, 'byte 3936: expected image 5 of 6 of 784 bytes, found the end after 0 of them'",
    "4, 0xffffffff, image 5 of 4294967295 of 784 bytes",
    "8, 27, 'byte 8: expected a height of 28, found 27'",
    "8, 0x7fffffff, 'byte 8: expected a height of 28, found 2147483647'",
    "12, 0xffffffff, 'byte 12: expected a width of 28, found 4294967295'",
  })
  void aHeaderThatDoesNotFitIsRefused(int at, String number, String expected) throws IOException {
    byte[] file = SmallFiles.idxImages(5, 28, 28);
    ByteBuffer.wrap(file).putInt(at, Long.decode(number).intValue());
    assertIdxRefused(
        "train-images-idx3-ubyte",
        file,
        expected.replace("803,", "803 (unsigned bytes, dimensions: 3),"));
  }

  @Test
  void aHeaderOfAbsurdSizeIsRefusedInGzipToo() throws IOException {
    byte[] file = SmallFiles.idxImages(5, 28, 28);
    ByteBuffer.wrap(file).putInt(4, -1);
    Path folder = SmallFiles.mnist(data);
    Files.delete(folder.resolve("train-images-idx3-ubyte"));
    Files.write(folder.resolve("train-images-idx3-ubyte.gz"), SmallFiles.gzip(file));
    assertRefused("mnist", "train-images-idx3-ubyte.gz: byte 3936", "image 5 of 4294967295");
  }

  @Test
  void labelsThatDoNotFitAreRefused() throws IOException {
    String file = "train-labels-idx1-ubyte";
    assertIdxRefused(
        file, SmallFiles.idxLabels(3, 0, 10, 1, 1), "byte 10: expected a label below 10, found 10");
    assertIdxRefused(file, SmallFiles.idxLabels(1, 2, 3, 255, 1), "byte 11", "found 255");
    assertIdxRefused(
        file, SmallFiles.idxLabels(1, 2), "byte 4: expected 5 labels, one for each", "found 2");
    assertIdxRefused(file, Arrays.copyOf(SmallFiles.idxLabels(1, 2, 3, 4, 5), 12), "byte 12");
    assertIdxRefused(
        file, Arrays.copyOf(SmallFiles.idxLabels(1, 2, 3, 4, 5), 14), "byte 13", "more bytes");
  }

  @Test
  void aCorruptGzipIsRefused() throws IOException {
    Path folder = SmallFiles.mnist(data);
    Files.delete(folder.resolve("train-images-idx3-ubyte"));
    Path file = folder.resolve("train-images-idx3-ubyte.gz");
    byte[] good = SmallFiles.gzip(SmallFiles.idxImages(5, 28, 28));

    byte[] wrongCrc = good.clone();
    wrongCrc[good.length - 8] ^= 1;
    byte[] garbage = Arrays.copyOf(good, good.length + 3);
    Arrays.fill(garbage, good.length, garbage.length, (byte) 1);
    byte[] wrongBlock = good.clone();
    wrongBlock[10] |= 7;
    for (byte[] bad :
        List.of(
            wrongCrc,
            garbage,
            wrongBlock,
            Arrays.copyOf(good, good.length / 2),
            Arrays.copyOf(good, 5),
            new byte[0],
            new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})) {
      Files.write(file, bad);
      assertRefused("mnist", file + ": cannot be read past byte ", "flinch data fetch");
    }
    Files.write(file, good);
    assertEquals(5, DataSets.load("mnist", data).train().count());
  }

  @ParameterizedTest
  @CsvSource({
    "0, 'byte 0: expected a first record of 3073 bytes, found the end after 0 of them'",
    "1000, 'byte 0: expected a first record of 3073 bytes, found the end after 1000 of them'",
    "3074, found 1 more bytes",
    "6145, found 3072 more bytes",
    "6149, found 3 more bytes",
  })
  void aCifarFileOfOddLengthIsRefused(int length, String expected) throws IOException {
    Path folder = Files.createDirectories(data.resolve("cifar10"));
    byte[] whole = SmallFiles.cifar(new int[] {1}, new int[] {2});
    for (int batch = 1; batch <= 5; batch++) {
      Files.write(folder.resolve("data_batch_" + batch + ".bin"), whole);
    }
    Files.write(folder.resolve("test_batch.bin"), whole);
    Files.write(folder.resolve("data_batch_4.bin"), Arrays.copyOf(whole, length));
    assertRefused("cifar10", folder.resolve("data_batch_4.bin").toString(), expected);
  }

  @Test
  void aCifarLabelOutOfRangeIsRefused() throws IOException {
    Path folder = Files.createDirectories(data.resolve("cifar10"));
    for (int batch = 1; batch <= 5; batch++) {
      Files.write(
          folder.resolve("data_batch_" + batch + ".bin"), SmallFiles.cifar(new int[] {batch}));
    }
    Files.write(folder.resolve("test_batch.bin"), SmallFiles.cifar(new int[] {9}, new int[] {200}));
    assertRefused("cifar10", "test_batch.bin: byte 3073: expected a label below 10, found 200");
  }

  @Test
  void glyphsNeedNoFile() {
    DataSet glyphs = DataSets.load("glyphs", data.resolve("missing"));
    assertEquals(60_000, glyphs.train().count());
    assertEquals(10_000, glyphs.test().count());
    assertEquals(Map.of(), glyphs.checksums());
  }

  private static Path realData(String name) {
    String folder = System.getenv("FLINCH_DATA");
    assumeTrue(
        folder != null && DataSets.entry(name, Path.of(folder)).found(),
        "no " + name + " below FLINCH_DATA");
    return Path.of(folder);
  }

  private static int[] classCounts(LabelledImages images) {
    int[] counts = new int[images.classes()];
    IntStream.of(images.labels()).forEach(label -> counts[label]++);
    return counts;
  }

  @Test
  void realMnistHasItsPublishedCountsAndMean() {
    DataSet mnist = DataSets.load("mnist", realData("mnist"));
    assertArrayEquals(
        new int[] {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
        classCounts(mnist.train()));
    assertArrayEquals(
        new int[] {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009},
        classCounts(mnist.test()));
    long sum = 0;
    for (int i = 0; i < mnist.train().count(); i++) {
      for (byte b : mnist.train().pixels(i)) {
        sum += b & 0xff;
      }
    }
    // The mean that is known of this split is 0.1307 of full brightness.
    assertEquals(0.1307, sum / 255.0 / 60_000 / 784, 5e-5);
  }

  @Test
  void realCifar10IsBalancedAndHasItsChannelMeans() {
    DataSet cifar = DataSets.load("cifar10", realData("cifar10"));
    int[] balanced = new int[10];
    Arrays.fill(balanced, 5000);
    assertArrayEquals(balanced, classCounts(cifar.train()));
    double[] sums = new double[3];
    for (int i = 0; i < 50_000; i++) {
      byte[] image = cifar.train().pixels(i);
      for (int j = 0; j < 3072; j++) {
        sums[j / 1024] += image[j] & 0xff;
      }
    }
    // Known means of red, green and blue; recompressed copies differ a little.
    double[] known = {0.4914, 0.4822, 0.4465};
    for (int c = 0; c < 3; c++) {
      assertEquals(known[c], sums[c] / 255 / 50_000 / 1024, 2e-3);
    }
  }
}
