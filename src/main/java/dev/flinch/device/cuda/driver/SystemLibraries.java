package dev.flinch.device.cuda.driver;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** NVIDIA's libraries where they are installed on this machine. */
public final class SystemLibraries {
  private static final Path LOADER_CACHE = Path.of("/etc/ld.so.cache");
  private static final Path TOOLKITS = Path.of("/usr/local");

  private SystemLibraries() {}

  /**
   * Where the system's loader would find a library, and where CUDA's toolkits are installed.
   *
   * @param name such as {@code libcublas.so.12}
   */
  public static Optional<Path> find(String name) {
    List<Path> candidates = new ArrayList<>();
    for (String folder :
        Optional.ofNullable(System.getenv("LD_LIBRARY_PATH"))
            .orElse("")
            .split(File.pathSeparator)) {
      if (!folder.isEmpty()) {
        candidates.add(Path.of(folder, name));
      }
    }
    try {
      if (Files.exists(LOADER_CACHE)) {
        String cache = Files.readString(LOADER_CACHE, StandardCharsets.ISO_8859_1);
        Matcher path = Pattern.compile("\0(/[^\0]*/" + Pattern.quote(name) + ")\0").matcher(cache);
        while (path.find()) {
          candidates.add(Path.of(path.group(1)));
        }
      }
      if (Files.isDirectory(TOOLKITS)) {
        try (DirectoryStream<Path> toolkits = Files.newDirectoryStream(TOOLKITS, "cuda*")) {
          toolkits.forEach(toolkit -> candidates.add(toolkit.resolve("lib64").resolve(name)));
        }
      }
    } catch (IOException e) {
      // What cannot be read is no place to find a library in.
    }
    return candidates.stream().filter(Files::exists).findFirst();
  }
}
