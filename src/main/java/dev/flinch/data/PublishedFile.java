package dev.flinch.data;

import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A file as its publisher offers it.
 *
 * @param name also the end of its address on every mirror
 * @param bytes its exact size
 * @param sha256 in lower-case hexadecimal digits
 * @param mirrors base addresses, each ending in a slash, in the order to try
 */
record PublishedFile(String name, long bytes, String sha256, List<URI> mirrors) {
  /**
   * The files of every data set that is published. Sizes and checksums are those that TensorFlow
   * Datasets checks its downloads against (tensorflow_datasets/url_checksums).
   */
  static final Map<String, List<PublishedFile>> BY_DATA_SET =
      Map.of(
          "mnist",
          offered(
              List.of(
                  "https://ossci-datasets.s3.amazonaws.com/mnist/",
                  "https://storage.googleapis.com/cvdf-datasets/mnist/"),
              "train-images-idx3-ubyte.gz 9912422 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
              "train-labels-idx1-ubyte.gz 28881 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
              "t10k-images-idx3-ubyte.gz 1648877 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
              "t10k-labels-idx1-ubyte.gz 4542 f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
          "fashion-mnist",
          offered(
              List.of(
                  "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                  "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
              "train-images-idx3-ubyte.gz 26421880 3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
              "train-labels-idx1-ubyte.gz 29515 a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
              "t10k-images-idx3-ubyte.gz 4422102 346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
              "t10k-labels-idx1-ubyte.gz 5148 67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
          "cifar10",
          offered(
              List.of("https://www.cs.toronto.edu/~kriz/"),
              "cifar-10-binary.tar.gz 170052171 c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
          "cifar100",
          offered(
              List.of("https://www.cs.toronto.edu/~kriz/"),
              "cifar-100-binary.tar.gz 168513733 58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"));

  private static List<PublishedFile> offered(List<String> mirrors, String... files) {
    return Stream.of(files)
        .map(file -> file.split(" "))
        .map(
            f ->
                new PublishedFile(
                    f[0], Long.parseLong(f[1]), f[2], mirrors.stream().map(URI::create).toList()))
        .toList();
  }

  boolean isArchive() {
    return name.endsWith(".tar.gz");
  }
}
