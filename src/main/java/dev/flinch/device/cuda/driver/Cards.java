package dev.flinch.device.cuda.driver;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import jcuda.driver.CUdevice;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * The machine's NVIDIA cards, or why there are none that can be used.
 *
 * @param found by index
 * @param missing what there isn't, and what would help; null where cards were found
 */
public record Cards(List<Card> found, String missing) {
  /** Drivers for CUDA 12.0, which are those from 525 on, and newer ones. */
  private static final int OLDEST_DRIVER = 12000;

  private static Cards ofThisMachine;

  public Cards {
    found = List.copyOf(found);
  }

  /**
   * Looks for cards, once a process. This is the one place that touches JCuda's driver class first:
   * where NVIDIA's driver is missing, that throws an {@link UnsatisfiedLinkError} once and a {@link
   * NoClassDefFoundError} ever after.
   */
  public static synchronized Cards find() {
    if (ofThisMachine == null) {
      ofThisMachine = look();
    }
    return ofThisMachine;
  }

  private static Cards look() {
    try {
      Natives.unpack("JCudaDriver");
      return ask();
    } catch (IOException e) {
      return none("the driver's bindings can't be unpacked: " + e.getMessage());
    } catch (LinkageError e) {
      String message = String.valueOf(e.getMessage());
      return none(
          message.contains("libcuda.so")
              ? "no libcuda.so.1: NVIDIA's driver is not installed, or this container was started without it"
              : "the driver's bindings don't load: " + message.lines().findFirst().orElse(""));
    }
  }

  private static Cards none(String missing) {
    return new Cards(List.of(), missing);
  }

  private static Cards ask() {
    int code = JCudaDriver.cuInit(0);
    int[] count = new int[1];
    if (code == CUresult.CUDA_SUCCESS) {
      code = JCudaDriver.cuDeviceGetCount(count);
    }
    if (code == CUresult.CUDA_ERROR_NO_DEVICE || (code == CUresult.CUDA_SUCCESS && count[0] == 0)) {
      return none(
          "no card: NVIDIA's driver finds none; nvidia-smi lists what it sees, and CUDA_VISIBLE_DEVICES may hide cards");
    }
    if (code != CUresult.CUDA_SUCCESS) {
      String advice = Results.advice(code);
      return none(
          "NVIDIA's driver answers %s%s"
              .formatted(Results.describe(code), advice.isEmpty() ? "" : "; " + advice));
    }
    int[] version = new int[1];
    check(JCudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion");
    if (version[0] < OLDEST_DRIVER) {
      return none(
          "NVIDIA's driver is too old: it is for CUDA %d.%d; 525, for CUDA 12.0, or a newer one is needed"
              .formatted(version[0] / 1000, version[0] % 1000 / 10));
    }
    List<Card> cards = new ArrayList<>();
    for (int i = 0; i < count[0]; i++) {
      cards.add(card(i, version[0]));
    }
    return new Cards(cards, null);
  }

  private static Card card(int index, int driverVersion) {
    CUdevice device = new CUdevice();
    check(JCudaDriver.cuDeviceGet(device, index), "cuDeviceGet");
    byte[] name = new byte[256];
    check(JCudaDriver.cuDeviceGetName(name, name.length, device), "cuDeviceGetName");
    long[] bytes = new long[1];
    check(JCudaDriver.cuDeviceTotalMem(bytes, device), "cuDeviceTotalMem");
    return new Card(
        index,
        text(name),
        attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device),
        attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device),
        attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device),
        attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, device),
        bytes[0],
        driverVersion);
  }

  private static int attribute(int attribute, CUdevice device) {
    int[] value = new int[1];
    check(JCudaDriver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute");
    return value[0];
  }

  private static void check(int code, String call) {
    Results.check(code, "NVIDIA's driver", call, "describe the machine's cards");
  }

  /** The characters before the first zero. */
  static String text(byte[] characters) {
    int length = 0;
    while (length < characters.length && characters[length] != 0) {
      length++;
    }
    return new String(characters, 0, length, StandardCharsets.UTF_8);
  }

  /** One line for people: the cards, or what is missing. */
  public String description() {
    return found.isEmpty()
        ? missing
        : found.stream().map(Card::description).collect(Collectors.joining("; "));
  }
}
