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
