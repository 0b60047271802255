package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

class TableTest {
  @Test
  void numbersAlignRightAndWordsLeft() {
    assertEquals(
        """
        network  labels    gap        norm
        ───────  ──────  ─────  ──────────
        2×64-a   true    0.071   0.41±0.02
        wide     random      –  12.30±0.40
        """,
        Table.format(
            List.of("network", "labels", "gap", "norm"),
            List.of(
                List.of("2×64-a", "true", "0.071", "0.41±0.02"),
                List.of("wide", "random", "–", "12.30±0.40"))));
  }

  @Test
  void shapesThatBeginWithADigitAreWords() {
    assertEquals(
        """
        network          gap
        ───────  ───────────
        2×64     1.2e-3 ± 1%
        10×8 x             1
        """,
        Table.format(
            List.of("network", "gap"),
            List.of(List.of("2×64", "1.2e-3 ± 1%"), List.of("10×8 x", "1"))));
  }

  @Test
  void aTableWithoutRowsIsItsHeader() {
    assertEquals("a  bc\n─  ──\n", Table.format(List.of("a", "bc"), List.of()));
  }

  @Test
  void rowsOfAnotherLengthAreRefused() {
    assertThrows(
        IllegalArgumentException.class,
        () -> Table.format(List.of("a", "b"), List.of(List.of("1"))));
  }
}
