package dev.flinch.sweep.spark;

import dev.flinch.base.RequestException;
import java.net.InetAddress;
import java.net.UnknownHostException;

/** What Flinch needs of the Java that an executor runs on. */
final class ExecutorJvm {
  private static final String VECTORS = "jdk.incubator.vector";

  private ExecutorJvm() {}

  /**
   * @throws RequestException if Flinch's kernels can't run here
   */
  static void require() {
    int version = Runtime.version().feature();
    boolean vectors = ModuleLayer.boot().findModule(VECTORS).isPresent();
    if (version < 17 || version > 20 || !vectors) {
      throw new RequestException(
          "executors: expected a JDK 17 to 20 with --add-modules %s, found %s %s it; name one with --conf spark.executorEnv.JAVA_HOME=…"
              .formatted(VECTORS, Runtime.version(), vectors ? "with" : "without"));
    }
  }

  /** What a user is told where native libraries, or Spark's, are not those that Flinch expects. */
  static String doesNotLoad(LinkageError failure) {
    return "%s: Flinch's libraries don't load there: %s; executors need Spark 4.2 and the platform that Flinch was built on, found %s %s"
        .formatted(host(), failure, System.getProperty("os.name"), System.getProperty("os.arch"));
  }

  /** The machine, for messages. */
  static String host() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "localhost";
    }
  }
}
