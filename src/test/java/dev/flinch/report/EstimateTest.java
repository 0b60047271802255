package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

class EstimateTest {
  @Test
  void standardErrorIsThatOfTheMean() {
    Estimate estimate = Estimate.of(DoubleStream.of(2, 4, 4, 6));
    assertEquals(4, estimate.mean());
    // The sample variance is 8/3, that of the mean a quarter of it.
    assertEquals(Math.sqrt(8.0 / 3 / 4), estimate.standardError(), 1e-15);
  }

  @Test
  void valuesThatAreNotFiniteAreCountedNotAveraged() {
    assertEquals(
        new Estimate(3, 0, 2),
        Estimate.of(DoubleStream.of(Double.NaN, 3, Double.NEGATIVE_INFINITY)));
    assertEquals(new Estimate(Double.NaN, 0, 1), Estimate.of(DoubleStream.of(Double.NaN)));
  }
}
