package dev.flinch.device.cuda;

import dev.flinch.device.Device;
import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.driver.Geometry;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * A driver whose launches are timed once it is told to: an event is recorded before and after each,
 * and the time between them is counted for the kernel. Everything else goes to the driver that it
 * is put around, which it closes.
 *
 * <p>An event costs the card a microsecond or two, so what is measured of a kernel that takes no
 * longer than that is mostly the events, and the whole run takes longer than without. What is
 * captured is kept as a list and launched one by one: within a graph launches could not be told
 * apart, and the gaps that a graph saves stand between the events of one launch and those of the
 * next, so they are not counted.
 */
public final class ProfilingDriver implements Driver {
  /** Launches whose events are not looked at yet, at most: enough that the card never waits. */
  private static final int MOST_PENDING = 1024;

  private final Driver driver;
  private final Waiting waiting;
  private final Map<String, Tally> tallies = new TreeMap<>();
  private final Deque<Pending> pending = new ArrayDeque<>();
  private final Deque<Event> spare = new ArrayDeque<>();
  private boolean started;
  private Work announced;
  private Stream capturing;
  private List<Runnable> captured;

  /**
   * What launches of one kernel took.
   *
   * @param launches how many
   * @param milliseconds of all of them together
   * @param medianMilliseconds of one
   * @param work of all launches together; null where it was not announced of each
   * @param registers of a thread; empty where the driver doesn't know
   * @param staticSharedBytes of a block; empty for a library's kernels
   * @param occupancy of the launch with most blocks, as {@link Driver.Kernel#occupancy}
   */
  public record Timing(
      long launches,
      double milliseconds,
      double medianMilliseconds,
      Work work,
      OptionalInt registers,
      OptionalInt staticSharedBytes,
      OptionalDouble occupancy) {}

  private record Pending(Tally tally, Event from, Event to) {}

  /** Launches captured, to be given again one by one. */
  private record CapturedLaunches(List<Runnable> launches) implements Graph {
    @Override
    public void close() {}
  }

  private static final class Tally {
    /** Null for a library's kernels, which nobody can ask. */
    private final Kernel kernel;

    private Geometry largest;
    private float[] milliseconds = new float[16];
    private int launches;
    private double flop;
    private double bytes;
    private boolean workIsKnown = true;

    Tally(Kernel kernel) {
      this.kernel = kernel;
    }

    void note(Geometry geometry, Work work) {
      if (geometry != null && (largest == null || geometry.blocks() > largest.blocks())) {
        largest = geometry;
      }
      workIsKnown &= work != null;
      if (work != null) {
        flop += work.flop();
        bytes += work.bytes();
      }
    }

    void add(float time) {
      if (launches == milliseconds.length) {
        milliseconds = Arrays.copyOf(milliseconds, 2 * launches);
      }
      milliseconds[launches++] = time;
    }

    Timing timing() {
      float[] sorted = Arrays.copyOf(milliseconds, launches);
      Arrays.sort(sorted);
      double sum = 0;
      for (float time : sorted) {
        sum += time;
      }
      return new Timing(
          launches,
          sum,
          (sorted[(launches - 1) / 2] + (double) sorted[launches / 2]) / 2,
          workIsKnown ? new Work(flop, bytes) : null,
          kernel == null ? OptionalInt.empty() : kernel.registers(),
          kernel == null ? OptionalInt.empty() : OptionalInt.of(kernel.staticSharedBytes()),
          kernel == null ? OptionalDouble.empty() : kernel.occupancy(largest));
    }
  }

  /**
   * Puts a profiling driver around another.
   *
   * @param driver is closed with this one
   */
  public ProfilingDriver(Driver driver) {
    this.driver = driver;
    this.waiting = new Waiting(driver, CudaDevice.patience());
  }

  /** From now on launches are timed; those timed before are forgotten. */
  public synchronized void start() {
    timings();
    tallies.clear();
    started = true;
  }

  /** What was launched since {@link #start}, by name; waits until it is done. */
  public synchronized Map<String, Timing> timings() {
    driver.bind();
    while (!pending.isEmpty()) {
      settle();
    }
    Map<String, Timing> timings = new TreeMap<>();
    tallies.forEach((name, tally) -> timings.put(name, tally.timing()));
    return timings;
  }

  /** Waits for the oldest launch and counts its time. */
  private void settle() {
    Pending oldest = pending.remove();
    waiting.until(oldest.to);
    oldest.tally.add(driver.milliseconds(oldest.from, oldest.to));
    spare.push(oldest.from);
    spare.push(oldest.to);
  }

  private Event spareEvent() {
    return spare.isEmpty() ? driver.event() : spare.pop();
  }

  private void time(
      Stream stream, String name, Kernel kernel, Geometry geometry, Work work, Runnable launch) {
    if (!started) {
      launch.run();
      return;
    }
    Event from = spareEvent();
    Event to = spareEvent();
    try {
      driver.record(stream, from);
      launch.run();
      driver.record(stream, to);
    } catch (RuntimeException e) {
      spare.push(from);
      spare.push(to);
      throw e;
    }
    Tally tally = tallies.computeIfAbsent(name, key -> new Tally(kernel));
    tally.note(geometry, work);
    pending.add(new Pending(tally, from, to));
    if (pending.size() > MOST_PENDING) {
      settle();
    }
  }

  /** Does work now, or keeps it where the stream is being captured. */
  private void give(Stream stream, Runnable work) {
    if (stream == capturing) {
      captured.add(work);
    } else {
      work.run();
    }
  }

  @Override
  public synchronized void announce(Work work) {
    announced = work;
  }

  private Work takeAnnounced() {
    Work work = announced;
    announced = null;
    return work;
  }

  @Override
  public synchronized void launch(
      Stream stream, Kernel kernel, Geometry geometry, Object... arguments) {
    Work work = takeAnnounced();
    give(
        stream,
        () ->
            time(
                stream,
                kernel.name(),
                kernel,
                geometry,
                work,
                () -> driver.launch(stream, kernel, geometry, arguments)));
  }

  @Override
  public synchronized void launch(Stream stream, String name, Runnable launches) {
    Work work = takeAnnounced();
    give(stream, () -> time(stream, name, null, null, work, launches));
  }

  @Override
  public synchronized Graph capture(Stream stream, Runnable work) {
    capturing = stream;
    captured = new ArrayList<>();
    try {
      work.run();
      return new CapturedLaunches(captured);
    } finally {
      capturing = null;
      captured = null;
    }
  }

  @Override
  public synchronized void launch(Stream stream, Graph graph) {
    ((CapturedLaunches) graph).launches.forEach(Runnable::run);
  }

  @Override
  public synchronized void zero(Stream stream, long address, long bytes) {
    give(stream, () -> driver.zero(stream, address, bytes));
  }

  @Override
  public synchronized void upload(
      Stream stream, ByteBuffer pinned, int from, long address, int bytes) {
    give(stream, () -> driver.upload(stream, pinned, from, address, bytes));
  }

  @Override
  public synchronized void download(
      Stream stream, long address, ByteBuffer pinned, int from, int bytes) {
    give(stream, () -> driver.download(stream, address, pinned, from, bytes));
  }

  @Override
  public synchronized void record(Stream stream, Event event) {
    give(stream, () -> driver.record(stream, event));
  }

  @Override
  public synchronized void await(Stream stream, Event event) {
    give(stream, () -> driver.await(stream, event));
  }

  @Override
  public Device.Range range(String name) {
    return driver.range(name);
  }

  @Override
  public Driver observed() {
    return driver.observed();
  }

  @Override
  public Card card() {
    return driver.card();
  }

  @Override
  public void bind() {
    driver.bind();
  }

  @Override
  public long allocate(long bytes) {
    return driver.allocate(bytes);
  }

  @Override
  public void free(long address) {
    driver.free(address);
  }

  @Override
  public long freeBytes() {
    return driver.freeBytes();
  }

  @Override
  public ByteBuffer pin(int bytes) {
    return driver.pin(bytes);
  }

  @Override
  public void unpin(ByteBuffer pinned) {
    driver.unpin(pinned);
  }

  @Override
  public Stream stream() {
    return driver.stream();
  }

  @Override
  public Event event() {
    return driver.event();
  }

  @Override
  public Module load(String name, String ptx) {
    return driver.load(name, ptx);
  }

  @Override
  public boolean done(Event event) {
    return driver.done(event);
  }

  @Override
  public float milliseconds(Event from, Event to) {
    return driver.milliseconds(from, to);
  }

  @Override
  public void abandon() {
    driver.abandon();
  }

  @Override
  public synchronized void close() {
    pending.forEach(
        launch -> {
          launch.from.close();
          launch.to.close();
        });
    pending.clear();
    spare.forEach(Event::close);
    spare.clear();
    driver.close();
  }
}
