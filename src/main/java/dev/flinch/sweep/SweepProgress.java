package dev.flinch.sweep;

import dev.flinch.base.Progress;
import dev.flinch.store.Counts;
import dev.flinch.store.ResultStore;
import java.time.Duration;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * How far a sweep is, for people: networks done, by whomever; at which rate, and how long it will
 * take; what failed, and what its engine says of its workers.
 */
public final class SweepProgress implements Progress, AutoCloseable {
  private static final Duration REFRESH = Duration.ofSeconds(1);

  /** Counting a million networks takes a while: at most one part in so many of the time. */
  private static final int SHARE = 200;

  private final String title;
  private final Supplier<String> workers;
  private final Progress shown;
  private final ResultStore store;
  private final long started = System.nanoTime();
  private final Counts atStart;
  private final double costAtStart;
  private long refreshed = started;
  private long pause = REFRESH.toNanos();

  /**
   * @param workers says how they do, in a few words
   */
  public SweepProgress(SweepWork work, Supplier<String> workers, Progress shown) {
    this.title = work.plan().sweep().title();
    this.workers = workers;
    this.shown = shown;
    this.store = ResultStore.openExisting(work.store());
    this.atStart = store.counts();
    this.costAtStart = store.costLeft();
    refresh();
  }

  /** A step of training somewhere. */
  @Override
  public void report(String task, long done, long total) {
    refreshSometimes();
  }

  private synchronized void refreshSometimes() {
    if (System.nanoTime() - refreshed >= pause) {
      refresh();
    }
  }

  private synchronized void refresh() {
    refreshed = System.nanoTime();
    Counts now = store.counts();
    shown.detail(detail(now));
    shown.report(title, now.finished(), now.networks());
    pause = Math.max(REFRESH.toNanos(), SHARE * (System.nanoTime() - refreshed));
  }

  private String detail(Counts now) {
    double seconds = (refreshed - started) / 1e9;
    StringBuilder words = new StringBuilder("%,d of %,d".formatted(now.finished(), now.networks()));
    double costLeft = store.costLeft();
    double costDone = costAtStart - costLeft;
    if (now.finished() > atStart.finished() && costDone > 0) {
      words.append(
          String.format(
              Locale.ROOT,
              ", %.3g networks/s, %s left",
              (now.finished() - atStart.finished()) / seconds,
              inWords(seconds * costLeft / costDone)));
    }
    if (now.diverged() > 0) {
      words.append(", %d diverged".formatted(now.diverged()));
    }
    if (now.failed() > 0) {
      words.append(", %d failed".formatted(now.failed()));
    }
    return words.append(", ").append(workers.get()).toString();
  }

  /** Seconds in the two largest units that they fill. */
  static String inWords(double seconds) {
    long s = Math.round(seconds);
    if (s < 60) {
      return s + " s";
    }
    if (s < 3600) {
      return "%d min %d s".formatted(s / 60, s % 60);
    }
    return s < 86400
        ? "%d h %d min".formatted(s / 3600, s % 3600 / 60)
        : "%d d %d h".formatted(s / 86400, s % 86400 / 3600);
  }

  @Override
  public void close() {
    refresh();
    store.close();
  }
}
