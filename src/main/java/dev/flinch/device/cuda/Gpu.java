package dev.flinch.device.cuda;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import jcuda.driver.CUdevice;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * The machine's first GPU, or why there is none. The one place that touches the driver's classes
 * first: where the driver is missing, that throws an {@link UnsatisfiedLinkError} once and a {@link
 * NoClassDefFoundError} ever after.
 *
 * @param found whether there is one
 * @param description its name, memory and driver; or why there is none, and what would help
 */
public record Gpu(boolean found, String description) {
  private static final String NATIVE = "libJCudaDriver-12.6.0-linux-x86_64.so";

  /**
   * Looks for a GPU.
   *
   * @param natives a folder on {@code java.library.path}: the driver's bindings are unpacked there,
   *     since they would else go to a shared temporary folder under a fixed name
   */
  public static Gpu probe(Path natives) {
    try {
      unpack(natives);
      return ask();
    } catch (IOException e) {
      return new Gpu(false, "%s can't be written: %s".formatted(natives, e.getMessage()));
    } catch (LinkageError e) {
      boolean noDriver = String.valueOf(e.getMessage()).contains("libcuda.so");
      return new Gpu(
          false,
          noDriver
              ? "no libcuda.so.1: NVIDIA's driver is not installed"
              : "the driver's bindings don't load: " + firstLine(e));
    }
  }

  private static void unpack(Path natives) throws IOException {
    Path target = natives.resolve(NATIVE);
    try (InputStream in = Gpu.class.getResourceAsStream("/lib/" + NATIVE)) {
      if (in != null && !Files.exists(target)) {
        Files.createDirectories(natives);
        Path part = Files.createTempFile(natives, NATIVE, ".part");
        Files.copy(in, part, StandardCopyOption.REPLACE_EXISTING);
        Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
      }
    }
  }

  private static Gpu ask() {
    int[] count = new int[1];
    int[] version = new int[1];
    int code = JCudaDriver.cuInit(0);
    if (code == CUresult.CUDA_SUCCESS) {
      code = JCudaDriver.cuDeviceGetCount(count);
    }
    if (code != CUresult.CUDA_SUCCESS) {
      return new Gpu(false, "NVIDIA's driver answers " + CUresult.stringFor(code));
    }
    if (count[0] == 0) {
      return new Gpu(false, "NVIDIA's driver finds no card");
    }
    CUdevice device = new CUdevice();
    byte[] name = new byte[256];
    long[] bytes = new long[1];
    int[] major = new int[1];
    int[] minor = new int[1];
    JCudaDriver.setExceptionsEnabled(true);
    JCudaDriver.cuDriverGetVersion(version);
    JCudaDriver.cuDeviceGet(device, 0);
    JCudaDriver.cuDeviceGetName(name, name.length, device);
    JCudaDriver.cuDeviceTotalMem(bytes, device);
    JCudaDriver.cuDeviceGetAttribute(major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device);
    JCudaDriver.cuDeviceGetAttribute(minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
    return new Gpu(
        true,
        "%s%s, %d GiB, compute capability %d.%d, driver for CUDA %d.%d"
            .formatted(
                count[0] > 1 ? count[0] + " × " : "",
                new String(name, StandardCharsets.UTF_8).replace("\0", ""),
                bytes[0] >> 30,
                major[0],
                minor[0],
                version[0] / 1000,
                version[0] % 1000 / 10));
  }

  private static String firstLine(Throwable e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
  }
}
