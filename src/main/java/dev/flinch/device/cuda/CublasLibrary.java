package dev.flinch.device.cuda;

import dev.flinch.device.cuda.driver.Natives;
import dev.flinch.device.cuda.driver.SystemLibraries;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * NVIDIA's cuBLAS on this machine, found and loaded so that JCuda's binding can use it.
 *
 * <p>The binding was linked to {@code libcublas.so.12}. All functions that it imports are in {@code
 * libcublas.so.13} too, so where there is only that one, a copy of the binding that asks for it is
 * put in place: see {@link #forCuda13}. The binding has one file name whichever it asks for, so a
 * copy that asks for the other one is replaced.
 *
 * @param major of the CUDA version that it belongs to; 0 where there is none
 * @param missing why there is none, else null
 */
record CublasLibrary(int major, String missing) {
  /**
   * The system property for a {@code libcublas.so.12} or {@code .13} in an unusual place, or {@code
   * none}.
   */
  static final String PROPERTY = "flinch.cublas";

  private static final String BINDING = "JCublas2";
  private static final String SONAME = "libcublas.so.";
  private static final List<Integer> MAJORS = List.of(12, 13);

  /** The ELF hash of libcublas.so.12, by which symbols name the version they want. */
  private static final int HASH_12 = 0x0ef62132;

  private static final int HASH_13 = 0x0ef62133;

  private static CublasLibrary ofThisMachine;

  /** Looks for the library and loads it, once a process. */
  static synchronized CublasLibrary load() {
    if (ofThisMachine == null) {
      ofThisMachine = look(System.getProperty(PROPERTY));
    }
    return ofThisMachine;
  }

  private static CublasLibrary look(String asked) {
    if ("none".equals(asked)) {
      return none("turned off by -D%s=none".formatted(PROPERTY));
    }
    List<String> failures = new ArrayList<>();
    for (int major : MAJORS) {
      Optional<Path> file =
          asked == null
              ? SystemLibraries.find(SONAME + major)
              : Optional.of(Path.of(asked)).filter(f -> isOf(f, major));
      if (file.isPresent()) {
        try {
          loadWithItsParts(file.get().toAbsolutePath());
          installBinding(major);
          return new CublasLibrary(major, null);
        } catch (IOException | UnsatisfiedLinkError e) {
          failures.add(e.getMessage());
        }
      }
    }
    if (!failures.isEmpty()) {
      return none(String.join("; ", failures));
    }
    return none(
        asked == null
            ? "libcublas.so.12 and libcublas.so.13 are not found; -D%s=FILE names one in an unusual place"
                .formatted(PROPERTY)
            : "-D%s=%s: expected a libcublas.so.12 or libcublas.so.13".formatted(PROPERTY, asked));
  }

  private static CublasLibrary none(String missing) {
    return new CublasLibrary(0, missing);
  }

  private static boolean isOf(Path file, int major) {
    return file.getFileName().toString().startsWith(SONAME + major) && Files.exists(file);
  }

  /** The binding is satisfied by libraries that are loaded, wherever they come from. */
  private static void loadWithItsParts(Path file) {
    Path parts = file.resolveSibling(file.getFileName().toString().replace("cublas", "cublasLt"));
    if (Files.exists(parts)) {
      System.load(parts.toString());
    }
    System.load(file.toString());
  }

  private static void installBinding(int major) throws IOException {
    Optional<Path> folder = Natives.folder();
    if (folder.isEmpty()) {
      if (major == 12) {
        return;
      }
      throw new IOException(
          "the binding for CUDA 13 needs a folder on java.library.path: -D%s=CACHE -Djava.library.path=CACHE/natives"
              .formatted(Natives.CACHE));
    }
    byte[] binding = Natives.packed(BINDING);
    byte[] wanted = major == 12 ? binding : forCuda13(binding);
    Path file = folder.get().resolve(Natives.fileName(BINDING));
    if (!Files.exists(file) || !Arrays.equals(Files.readAllBytes(file), wanted)) {
      Natives.replace(file, wanted);
    }
  }

  /**
   * A copy of the binding that asks for {@code libcublas.so.13}: the one string that names the
   * library it needs and the version of its symbols, and the one hash of that version, are replaced
   * by others of the same length.
   *
   * @throws IOException if the binding is not as expected
   */
  static byte[] forCuda13(byte[] binding) throws IOException {
    byte[] patched = binding.clone();
    byte[] name = ("\0" + SONAME + "12\0").getBytes(StandardCharsets.US_ASCII);
    byte[] hash = littleEndian(HASH_12);
    System.arraycopy(
        ("\0" + SONAME + "13\0").getBytes(StandardCharsets.US_ASCII),
        0,
        patched,
        only(binding, name, "the name " + SONAME + "12"),
        name.length);
    System.arraycopy(
        littleEndian(HASH_13), 0, patched, only(binding, hash, "that name's hash"), hash.length);
    return patched;
  }

  private static byte[] littleEndian(int value) {
    return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
  }

  private static int only(byte[] binding, byte[] sought, String what) throws IOException {
    int[] places =
        IntStream.rangeClosed(0, binding.length - sought.length)
            .filter(at -> Arrays.equals(binding, at, at + sought.length, sought, 0, sought.length))
            .toArray();
    if (places.length != 1) {
      throw new IOException(
          "JCuda's binding is not as expected: it has %s %d times, not once"
              .formatted(what, places.length));
    }
    return places[0];
  }
}
