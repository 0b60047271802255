package dev.flinch.data;

import dev.flinch.base.RequestException;
import dev.flinch.device.ImageShape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The data sets that users call by name. Below a data directory DIR, the files of a set lie in
 * DIR/NAME, or in the folder there that its archive unpacks to; each may be gzipped, and where it
 * lies both ways, the one that is not is read.
 */
public final class DataSets {
  /**
   * A data set and whether it is at hand.
   *
   * @param train images of the published training split
   * @param test images of the published test split
   * @param found whether it can be loaded: all of its files are there, or it needs none
   * @param folder where its files are, or where they are missing; null for data that is made
   */
  public record Entry(
      String name,
      String description,
      ImageShape shape,
      int classes,
      int train,
      int test,
      boolean found,
      Path folder) {}

  private interface Format {
    LabelledImages read(
        String name, ImageShape shape, int classes, List<Path> files, FileNotes notes);
  }

  /**
   * A published data set.
   *
   * @param archiveFolder the folder that its archive unpacks to; empty for one without
   */
  private record Published(
      String name,
      String description,
      ImageShape shape,
      int classes,
      int train,
      int test,
      String archiveFolder,
      List<String> trainFiles,
      List<String> testFiles,
      Format format) {

    List<Path> folders(Path dataDirectory) {
      Path folder = dataDirectory.resolve(name);
      return archiveFolder.isEmpty()
          ? List.of(folder)
          : List.of(folder, folder.resolve(archiveFolder));
    }

    Optional<Path> find(String file, Path dataDirectory) {
      return folders(dataDirectory).stream()
          .flatMap(folder -> Stream.of(folder.resolve(file), folder.resolve(file + ".gz")))
          .filter(Files::isRegularFile)
          .findFirst();
    }

    Entry entry(Path dataDirectory) {
      List<Optional<Path>> files =
          Stream.concat(trainFiles.stream(), testFiles.stream())
              .map(file -> find(file, dataDirectory))
              .toList();
      boolean found = files.stream().allMatch(Optional::isPresent);
      return new Entry(
          name,
          description,
          shape,
          classes,
          train,
          test,
          found,
          found ? files.get(0).get().getParent() : dataDirectory.resolve(name));
    }

    DataSet load(Path dataDirectory) {
      // Both are looked for before either is read, so a missing file is known at once.
      List<Path> training = require(trainFiles, dataDirectory);
      List<Path> testing = require(testFiles, dataDirectory);
      FileNotes notes = new FileNotes();
      LabelledImages train = format.read(name + " train", shape, classes, training, notes);
      LabelledImages test = format.read(name + " test", shape, classes, testing, notes);
      return new DataSet(name, train, test, notes.checksums(), notes.superClasses(classes));
    }

    private List<Path> require(List<String> files, Path dataDirectory) {
      List<Path> found = new ArrayList<>();
      for (String file : files) {
        found.add(
            find(file, dataDirectory)
                .orElseThrow(
                    () ->
                        new RequestException(
                            "%s: no file %s, gzipped or not, in %s; run `flinch data fetch %s`, or point --data-dir to the folder that holds %s"
                                .formatted(
                                    name,
                                    file,
                                    folders(dataDirectory).stream()
                                        .map(folder -> folder.toAbsolutePath().toString())
                                        .collect(Collectors.joining(" or ")),
                                    name,
                                    name))));
      }
      return found;
    }
  }

  private static final String GLYPHS = "glyphs";
  private static final List<String> IDX_TRAIN =
      List.of("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
  private static final List<String> IDX_TEST =
      List.of("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");

  private static final List<Published> PUBLISHED =
      List.of(
          new Published(
              "mnist",
              "handwritten digits (LeCun, Cortes, Burges)",
              new ImageShape(1, 28, 28),
              10,
              60_000,
              10_000,
              "",
              IDX_TRAIN,
              IDX_TEST,
              IdxFormat::read),
          new Published(
              "fashion-mnist",
              "articles of clothing (Xiao, Rasul, Vollgraf)",
              new ImageShape(1, 28, 28),
              10,
              60_000,
              10_000,
              "",
              IDX_TRAIN,
              IDX_TEST,
              IdxFormat::read),
          new Published(
              "cifar10",
              "colour photographs of 10 classes (Krizhevsky)",
              new ImageShape(3, 32, 32),
              10,
              50_000,
              10_000,
              "cifar-10-batches-bin",
              List.of(
                  "data_batch_1.bin",
                  "data_batch_2.bin",
                  "data_batch_3.bin",
                  "data_batch_4.bin",
                  "data_batch_5.bin"),
              List.of("test_batch.bin"),
              CifarFormat::read),
          new Published(
              "cifar100",
              "colour photographs of 100 classes (Krizhevsky)",
              new ImageShape(3, 32, 32),
              100,
              50_000,
              10_000,
              "cifar-100-binary",
              List.of("train.bin"),
              List.of("test.bin"),
              CifarFormat::read));

  private DataSets() {}

  /** Where data is looked for unless users say otherwise: FLINCH_DATA or ~/.cache/flinch/data. */
  public static Path defaultDirectory() {
    String chosen = System.getenv("FLINCH_DATA");
    return chosen == null || chosen.isBlank()
        ? Path.of(System.getProperty("user.home"), ".cache", "flinch", "data")
        : Path.of(chosen);
  }

  /** The names of all data sets. */
  public static List<String> names() {
    return Stream.concat(PUBLISHED.stream().map(Published::name), Stream.of(GLYPHS)).toList();
  }

  /** All data sets, and which of them are at hand below a data directory. */
  public static List<Entry> list(Path dataDirectory) {
    return Stream.concat(
            PUBLISHED.stream().map(published -> published.entry(dataDirectory)),
            Stream.of(
                new Entry(
                    GLYPHS,
                    "digits drawn from strokes, made here",
                    Glyphs.SHAPE,
                    Glyphs.CLASSES,
                    Glyphs.TRAIN,
                    Glyphs.TEST,
                    true,
                    null)))
        .toList();
  }

  /** What {@link #list} says of one data set; refuses an unknown name. */
  public static Entry entry(String name, Path dataDirectory) {
    return list(dataDirectory).stream()
        .filter(entry -> entry.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new RequestException(
                    "unknown data set '%s': expected one of %s"
                        .formatted(name, String.join(", ", names()))));
  }

  /**
   * Reads a data set. Glyphs are drawn when they are first asked for, so taking a few of them costs
   * no more than those.
   *
   * @throws RequestException for an unknown name, a missing file, or one that is not what it should
   *     be
   */
  public static DataSet load(String name, Path dataDirectory) {
    entry(name, dataDirectory);
    return PUBLISHED.stream()
        .filter(published -> published.name().equals(name))
        .findFirst()
        .map(published -> published.load(dataDirectory))
        .orElseGet(() -> Glyphs.dataSet(Glyphs.DEFAULT_SEED));
  }
}
