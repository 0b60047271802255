package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SweepProgressTest {
  @ParameterizedTest
  @CsvSource({
    "0.4, 0 s",
    "59.4, 59 s",
    "59.6, 1 min 0 s",
    "3599, 59 min 59 s",
    "3661, 1 h 1 min",
    "90000, 1 d 1 h"
  })
  void timesAreSaidInTheTwoLargestUnitsThatTheyFill(double seconds, String words) {
    assertEquals(words, SweepProgress.inWords(seconds));
  }
}
