package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.geom.Rectangle2D;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import org.jfree.chart.axis.NumberTick;
import org.jfree.chart.ui.RectangleEdge;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LogScaleTest {
  private static List<String> names(double... values) {
    return new LogScale("", DoubleStream.of(values))
        .refreshTicks(null, null, new Rectangle2D.Double(0, 0, 1, 1), RectangleEdge.LEFT).stream()
            .map(tick -> ((NumberTick) tick).getText())
            .filter(name -> !name.isEmpty())
            .collect(Collectors.toList());
  }

  @Test
  void decadesAreNamedPlainlyOrByPowers() {
    assertEquals(List.of("0.01", "0.1", "1", "10", "100"), names(0.01, 100));
    assertEquals(List.of("10⁻¹²", "10⁻⁹", "10⁻⁶", "10⁻³", "10⁰", "10³"), names(1e-12, 5e4));
    assertEquals(List.of("2", "5", "10", "20", "50"), names(2, 60));
  }

  /** However narrow or wide, an axis without names cannot be read. */
  @ParameterizedTest
  @CsvSource({"1,1", "3,3", "9.9,9.9", "0.5,2", "1e-300,1e300", "0,0", "7e-9,8e-9", "1e-45,3e38"})
  void everyAxisHasTwoToTenNames(double low, double high) {
    int count = names(low, high).size();
    assertTrue(count >= 2 && count <= 10, () -> names(low, high).toString());
  }

  @Test
  void zerosStandAtTheLowerEndAndTheRestInside() {
    LogScale axis = new LogScale("", DoubleStream.of(0, 1e-3, Double.NaN, 5));
    assertTrue(axis.getRange().contains(axis.place(0)));
    assertTrue(axis.place(0) < 1e-3);
    assertEquals(1e-3, axis.place(1e-3));
    assertTrue(axis.getRange().contains(5));
  }
}
