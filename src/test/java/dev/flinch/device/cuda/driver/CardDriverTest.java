package dev.flinch.device.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertLinesMatch;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cuda.StandIn;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The make of the driver's interface for cards, on a stand-in for NVIDIA's library. */
class CardDriverTest {
  @TempDir private Path folder;

  private String run(Map<String, String> environment, String... arguments) throws Exception {
    Path library = folder.resolve("lib/libcuda.so.1");
    if (!Files.exists(library)) {
      StandIn.compile("driver/libcuda.c", library);
    }
    return StandIn.run(
        CardDriverProcess.class,
        folder.resolve("cache"),
        library.getParent(),
        environment,
        arguments);
  }

  @Test
  void everyCallArrivesWithItsValues() throws Exception {
    assertLinesMatch(
        List.of(
            "0: Stand-in 0, 8 GiB, compute capability 8.9, driver for CUDA 12.4; "
                + "1: Stand-in 1, 16 GiB, compute capability 8.9, driver for CUDA 12.4",
            "probe.launched: 102400 bytes of shared memory a block, 101376 of them dynamic; Stand-in 1 has 101376",
            "probe.launched: blocks of 513 threads; its registers leave room for 512 on Stand-in 1",
            "probe.launched: argument 1: expected Integer for .u32, found Long",
            "probe has no kernel absent: it has [launched]",
            "Stand-in 1: cuModuleLoadDataEx, to load the kernels probe (ptxas fatal: syntax error near 'broken'), answers CUDA_ERROR_INVALID_PTX (218): a PTX JIT compilation failed; Flinch's kernels need NVIDIA's driver 525 or newer",
            "Stand-in 1: cuMemAlloc, to allocate 8,727,373,545,473 bytes, answers CUDA_ERROR_INVALID_VALUE (1): invalid argument",
            "Stand-in 1: cuMemAlloc, to allocate 8,727,373,546,385 bytes, answers .*913.*",
            "Stand-in 1: cuEventQuery, to say whether its work is done, answers CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access was encountered; a kernel failed, maybe an earlier one: CUDA_LAUNCH_BLOCKING=1 and compute-sanitizer show which",
            "done"),
        run(Map.of()).lines().toList());
    assertTrue(
        Files.exists(folder.resolve("cache/natives").resolve(Natives.fileName("JCudaDriver"))),
        "the bindings are unpacked to the cache");
  }

  @Test
  void whyThereIsNoCardIsSaid() throws Exception {
    assertEquals(
        "NVIDIA's driver is too old: it is for CUDA 11.4; 525, for CUDA 12.0, or a newer one is needed",
        run(Map.of("STANDIN_VERSION", "11040")));
    assertTrue(run(Map.of("STANDIN_CARDS", "0")).startsWith("no card: NVIDIA's driver finds none"));
    assertTrue(
        run(Map.of("STANDIN_INIT", "100")).startsWith("no card: NVIDIA's driver finds none"));
    assertTrue(
        StandIn.run(CardDriverProcess.class, folder.resolve("cache"), folder, Map.of(), "look")
            .matches("0: .*|no libcuda.so.1: .*|no card: .*"),
        "without a stand-in: this machine's cards, or none");
    String mismatch = run(Map.of("STANDIN_INIT", "803"));
    assertTrue(mismatch.contains("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"), mismatch);
    assertTrue(mismatch.endsWith("restart the machine after an update of the driver"), mismatch);
  }
}
