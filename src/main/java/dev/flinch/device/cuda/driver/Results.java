package dev.flinch.device.cuda.driver;

import dev.flinch.device.DeviceLostException;
import java.util.Set;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * What the driver answered: the one place where a call's result is looked at. JCuda's own
 * exceptions stay off, since some of its calls never throw them.
 */
final class Results {
  /** After any of these the context is of no use, and every further call answers the same. */
  private static final Set<Integer> LOST =
      Set.of(
          CUresult.CUDA_ERROR_DEINITIALIZED,
          CUresult.CUDA_ERROR_DEVICE_UNAVAILABLE,
          CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
          CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
          CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
          CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
          CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
          CUresult.CUDA_ERROR_ASSERT,
          CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
          CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
          CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
          CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
          CUresult.CUDA_ERROR_INVALID_PC,
          CUresult.CUDA_ERROR_LAUNCH_FAILED,
          CUresult.CUDA_ERROR_EXTERNAL_DEVICE,
          CUresult.CUDA_ERROR_MPS_RPC_FAILURE,
          CUresult.CUDA_ERROR_MPS_CLIENT_TERMINATED,
          CUresult.CUDA_ERROR_UNKNOWN);

  private Results() {}

  /** Whether the card is lost to this process. */
  static boolean isLost(int code) {
    return LOST.contains(code);
  }

  /**
   * Returns if a call succeeded.
   *
   * @param card its name, for the message
   * @param call the function that was called
   * @param what it was to do, with the sizes involved
   * @throws DeviceLostException if the card is lost
   * @throws DriverException for any other answer but success
   */
  static void check(int code, String card, String call, String what) {
    if (code == CUresult.CUDA_SUCCESS) {
      return;
    }
    String advice = advice(code);
    String message =
        "%s: %s, to %s, answers %s%s"
            .formatted(card, call, what, describe(code), advice.isEmpty() ? "" : "; " + advice);
    throw isLost(code) ? new DeviceLostException(message) : new DriverException(message);
  }

  /** The name of an answer and what the driver says that it means. */
  static String describe(int code) {
    String[] name = new String[1];
    String[] meaning = new String[1];
    boolean known =
        JCudaDriver.cuGetErrorName(code, name) == CUresult.CUDA_SUCCESS
            && JCudaDriver.cuGetErrorString(code, meaning) == CUresult.CUDA_SUCCESS;
    return known
        ? "%s (%d): %s".formatted(name[0], code, meaning[0])
        : "%s (%d)".formatted(CUresult.stringFor(code), code);
  }

  /** What to try after an answer, or nothing. */
  static String advice(int code) {
    return switch (code) {
      case CUresult.CUDA_ERROR_INVALID_PTX,
          CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
          CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU ->
          "Flinch's kernels need NVIDIA's driver 525 or newer";
      case CUresult.CUDA_ERROR_JIT_COMPILER_NOT_FOUND ->
          "libnvidia-ptxjitcompiler.so.1 belongs to NVIDIA's driver and is missing: install the whole driver, or give the container its compute capability (NVIDIA_DRIVER_CAPABILITIES=compute,utility)";
      case CUresult.CUDA_ERROR_DEVICE_UNAVAILABLE ->
          "another process may have it to itself: nvidia-smi shows who";
      case CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH ->
          "libcuda.so.1 and the kernel's module are of different versions: restart the machine after an update of the driver";
      case CUresult.CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE ->
          "CUDA's forward compatibility is for data center cards: take its folder off LD_LIBRARY_PATH";
      case CUresult.CUDA_ERROR_STUB_LIBRARY ->
          "libcuda.so.1 is the toolkit's stub, which is for linking only: take its folder off LD_LIBRARY_PATH";
      case CUresult.CUDA_ERROR_SYSTEM_NOT_READY ->
          "nvidia-fabricmanager may not be running: systemctl status nvidia-fabricmanager";
      case CUresult.CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES ->
          "a block of so many threads needs more registers or shared memory than a multiprocessor has";
      case CUresult.CUDA_ERROR_LAUNCH_TIMEOUT ->
          "a card that draws a screen stops long kernels: use one without a screen";
      case CUresult.CUDA_ERROR_ECC_UNCORRECTABLE ->
          "its memory has an error that cannot be corrected: nvidia-smi -q -d ECC";
      case CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
          CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
          CUresult.CUDA_ERROR_LAUNCH_FAILED,
          CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION ->
          "a kernel failed, maybe an earlier one: CUDA_LAUNCH_BLOCKING=1 and compute-sanitizer show which";
      case CUresult.CUDA_ERROR_UNKNOWN ->
          "dmesg | grep -i xid shows whether the card fell off the bus";
      default -> "";
    };
  }
}
