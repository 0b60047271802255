package dev.flinch.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cpu.BlasLibrary;
import java.util.List;
import org.junit.jupiter.api.Test;

class CheckupTest {
  private static BlasLibrary blas(String kernels, String forced) {
    return new BlasLibrary("OpenBLAS", kernels, forced);
  }

  @Test
  void kernelsThatLeaveAvx512UnusedAreNoticed() {
    List<String> advice = Checkup.advice(blas("Haswell", "Haswell"), true);
    assertEquals(1, advice.size());
    assertTrue(advice.get(0).contains("unset OPENBLAS_CORETYPE"), advice.get(0));
    assertEquals(List.of(), Checkup.advice(blas("Haswell", null), false));
    assertEquals(List.of(), Checkup.advice(blas("SkylakeX", "SkylakeX"), true));
    assertEquals(List.of(), Checkup.advice(blas("Cooperlake", null), true));
  }
}
