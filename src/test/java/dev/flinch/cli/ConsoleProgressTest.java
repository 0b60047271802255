package dev.flinch.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class ConsoleProgressTest {
  private final AtomicLong seconds = new AtomicLong();
  private final StringWriter lines = new StringWriter();
  private final ConsoleProgress progress =
      new ConsoleProgress(new PrintWriter(lines), null, () -> seconds.get() * 1_000_000_000);

  private void report(long second, String task, long done, long total) {
    seconds.set(second);
    progress.report(task, done, total);
  }

  @Test
  void linesComeEveryFewSecondsAndAtTheEnd() {
    for (int second = 0; second <= 12; second++) {
      report(second, "training", second, 12);
    }
    assertEquals(
        """
        training: 41% after 5 s
        training: 83% after 10 s
        training: done in 12.0 s
        """,
        lines.toString());
  }

  @Test
  void aReportThatComesAfterTheEndIsDropped() {
    report(0, "counting", 1, 8);
    report(1, "counting", 8, 8);
    report(9, "counting", 7, 8);
    assertEquals("counting: done in 1.0 s\n", lines.toString());
  }

  @Test
  void aTaskMayStartOver() {
    report(0, "counting", 8, 8);
    report(1, "counting", 1, 8);
    report(3, "counting", 8, 8);
    assertEquals("counting: done in 0.0 s\ncounting: done in 2.0 s\n", lines.toString());
  }

  @Test
  void reportsFromManyThreadsEndATaskOnce() {
    AtomicLong done = new AtomicLong();
    LongStream.range(0, 10_000)
        .parallel()
        .forEach(i -> progress.report("counting", done.incrementAndGet(), 10_000));
    assertEquals("counting: done in 0.0 s\n", lines.toString());
  }

  @Test
  void aTerminalGetsABar() {
    ByteArrayOutputStream terminal = new ByteArrayOutputStream();
    PrintStream stream = new PrintStream(terminal, true, StandardCharsets.UTF_8);
    try (ConsoleProgress bars =
        new ConsoleProgress(new PrintWriter(lines), stream, System::nanoTime)) {
      bars.report("training", 1, 2);
      bars.report("training", 2, 2);
    }
    String drawn = terminal.toString(StandardCharsets.UTF_8);
    assertTrue(drawn.contains("training") && drawn.contains("100%"), drawn);
    assertEquals("", lines.toString());
  }
}
