package dev.flinch.cli;

import dev.flinch.base.Progress;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Progress for people: a bar where stderr is a terminal, else a plain line a task every few seconds
 * and one at its end. Reports of a task may arrive out of order.
 */
final class ConsoleProgress implements Progress, AutoCloseable {
  private static final Duration QUIET = Duration.ofSeconds(5);

  /** How the task at hand is shown. */
  private interface Display extends AutoCloseable {
    void show(long done, long total);

    void detail(String words);

    @Override
    void close();
  }

  private final PrintWriter lines;
  private final PrintStream terminal;
  private final LongSupplier nanoTime;
  private String task;
  private long most;
  private boolean ended;
  private Display display;

  /**
   * @param terminal where bars are drawn, or null for lines
   */
  ConsoleProgress(PrintWriter lines, PrintStream terminal, LongSupplier nanoTime) {
    this.lines = lines;
    this.terminal = terminal;
    this.nanoTime = nanoTime;
  }

  /** Bars where the launcher found a terminal, else lines. */
  static ConsoleProgress onStderr(PrintWriter lines) {
    boolean bars = System.getProperty(Main.TERMINAL) != null;
    return new ConsoleProgress(lines, bars ? System.err : null, System::nanoTime);
  }

  @Override
  public synchronized void report(String name, long done, long total) {
    boolean same = name.equals(task);
    // A lane's report of some step may come after another lane's report of the end.
    if (same && ended && done < total && done > total / 2) {
      return;
    }
    if (!same || ended) {
      close();
      task = name;
      most = 0;
      ended = false;
      display = terminal == null ? new Lines(name) : new Bar(name, total);
    }
    most = Math.max(most, done);
    display.show(most, total);
    if (most >= total) {
      close();
      ended = true;
    }
  }

  @Override
  public synchronized void detail(String words) {
    if (display != null) {
      display.detail(words);
    }
  }

  @Override
  public synchronized void close() {
    if (display != null) {
      display.close();
      display = null;
    }
  }

  private final class Bar implements Display {
    private final ProgressBar bar;

    Bar(String name, long total) {
      bar =
          new ProgressBarBuilder()
              .setTaskName(name)
              .setInitialMax(total)
              .setStyle(ProgressBarStyle.UNICODE_BLOCK)
              .setUpdateIntervalMillis(200)
              .setConsumer(new ConsoleProgressBarConsumer(terminal))
              .build();
    }

    @Override
    public void show(long done, long total) {
      bar.maxHint(total);
      bar.stepTo(done);
    }

    @Override
    public void detail(String words) {
      bar.setExtraMessage(" " + words);
    }

    @Override
    public void close() {
      bar.close();
    }
  }

  private final class Lines implements Display {
    private final String name;
    private final long start = nanoTime.getAsLong();
    private long last = start;
    private String detail = "";

    Lines(String name) {
      this.name = name;
    }

    @Override
    public void show(long done, long total) {
      long now = nanoTime.getAsLong();
      double seconds = (now - start) / 1e9;
      if (done >= total) {
        line("%s: done in %.1f s", name, seconds);
      } else if (now - last >= QUIET.toNanos()) {
        line("%s: %d%% after %.0f s%s", name, 100 * done / total, seconds, detail);
        last = now;
      }
    }

    @Override
    public void detail(String words) {
      detail = ", " + words;
    }

    private void line(String format, Object... values) {
      lines.println(String.format(Locale.ROOT, format, values));
      lines.flush();
    }

    @Override
    public void close() {}
  }
}
