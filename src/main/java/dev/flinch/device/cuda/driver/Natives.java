package dev.flinch.device.cuda.driver;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Optional;
import jcuda.JCudaVersion;

/**
 * The native libraries of JCuda and JNA, which come in jars. Left alone, they are unpacked to the
 * machine's temporary folder, JCuda's under a fixed name that takes whatever stands there already;
 * here they are unpacked to a folder of this user's, where {@code java.library.path} has Java look
 * first.
 */
public final class Natives {
  /** The system property for the folder of all that Flinch can make again. */
  public static final String CACHE = "flinch.cache";

  private Natives() {}

  /**
   * Where libraries are unpacked to: {@code natives} in the cache folder, if Java looks for
   * libraries there.
   */
  public static Optional<Path> folder() {
    String cache = System.getProperty(CACHE);
    if (cache == null) {
      return Optional.empty();
    }
    Path folder = Path.of(cache, "natives").toAbsolutePath();
    return Arrays.stream(System.getProperty("java.library.path", "").split(":"))
            .anyMatch(path -> Path.of(path).toAbsolutePath().equals(folder))
        ? Optional.of(folder)
        : Optional.empty();
  }

  /**
   * Unpacks a library where that has not been done before; leaves it to JCuda where there is no
   * folder for it.
   *
   * @param library such as JCudaDriver
   */
  public static void unpack(String library) throws IOException {
    Optional<Path> folder = folder();
    if (folder.isPresent()) {
      unpack(resource(library), folder.get().resolve(fileName(library)));
    }
  }

  /** Unpacks a resource of a jar to a file that is not there yet. */
  static void unpack(String resource, Path file) throws IOException {
    if (!Files.exists(file)) {
      replace(file, packedAs(resource));
    }
  }

  /** What a library's file is called. */
  public static String fileName(String library) {
    return "lib%s-%s-linux-x86_64.so".formatted(library, JCudaVersion.get());
  }

  /**
   * A library as its jar has it.
   *
   * @throws IOException if there is none for this platform
   */
  public static byte[] packed(String library) throws IOException {
    return packedAs(resource(library));
  }

  private static String resource(String library) {
    return "/lib/" + fileName(library);
  }

  private static byte[] packedAs(String resource) throws IOException {
    try (InputStream in = Natives.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IOException("there is no " + resource + " on the class path");
      }
      return in.readAllBytes();
    }
  }

  /** Puts a file there, whole or not at all; who has the old one loaded keeps it. */
  public static void replace(Path file, byte[] contents) throws IOException {
    Files.createDirectories(file.getParent());
    Path part = Files.createTempFile(file.getParent(), file.getFileName().toString(), ".part");
    try {
      Files.write(part, contents);
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(part);
    }
  }
}
