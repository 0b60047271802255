package dev.flinch.device.cuda;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.FusedPasses;
import dev.flinch.device.RegionWalks;
import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.Driver;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A card, or the emulator in its place. There is one lane: a stream that every operation is given
 * to without waiting, so that the card always has work while the host prepares more. Copies have a
 * stream of their own.
 */
public final class CudaDevice implements Device {
  /** The system property that says how many seconds a card may take to answer. */
  public static final String PATIENCE = "flinch.cuda.patience";

  private static final int DEFAULT_PATIENCE = 300;

  /** What keeps a large card busy with matrix products, and is small beside its memory. */
  private static final long LANE_BYTES = 64 << 20;

  private static final int PRODUCT_ROWS = 16384;

  private final String name;
  private final Driver driver;
  private final AtomicLong liveBytes = new AtomicLong();
  private final Driver.Stream compute;
  private final Waiting waiting;
  private final Copies copies;
  private final KernelLibrary kernels;
  private final ArgumentRing ring;
  private final Scratch scratch;
  private final Launcher launcher;
  private final Products products;
  private final CudaLane lane;
  private final FusedPasses fused;

  /**
   * A device on an open card, which it closes.
   *
   * @param name what {@code --device} calls it
   */
  public CudaDevice(String name, Driver driver) {
    this.name = name;
    this.driver = driver;
    driver.bind();
    this.waiting = new Waiting(driver, patience());
    this.compute = driver.stream();
    this.copies = new Copies(driver, compute, waiting);
    this.kernels = new KernelLibrary(driver);
    this.ring = new ArgumentRing(driver, compute, waiting);
    this.scratch = new Scratch(driver);
    this.launcher = new Launcher(driver, compute, kernels, ring, scratch);
    this.products = new Products(launcher);
    this.lane = new CudaLane(launcher, products);
    this.fused = new CudaFusedPasses(launcher);
  }

  /** How long a card may take to answer. */
  static Duration patience() {
    return Duration.ofSeconds(Integer.getInteger(PATIENCE, DEFAULT_PATIENCE));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String description() {
    Card card = driver.card();
    return "%s, %d GiB, kernels for sm_%d, matrix products by %s"
        .formatted(
            card.name(), card.memoryBytes() >> 30, kernels.architecture(), products.description());
  }

  @Override
  public DeviceArray allocate(ElementType type, long length) {
    driver.bind();
    CudaArray array = new CudaArray(driver, type, length, liveBytes);
    if (length > 0) {
      driver.zero(compute, array.address(0, length), array.bytes());
    }
    return array;
  }

  @Override
  public long liveBytes() {
    return liveBytes.get();
  }

  @Override
  public long freeBytes() {
    return driver.freeBytes();
  }

  @Override
  public int lanes() {
    return 1;
  }

  @Override
  public long laneBytes() {
    return LANE_BYTES;
  }

  @Override
  public int productRows() {
    return PRODUCT_ROWS;
  }

  @Override
  public boolean takesWholeStacks() {
    return true;
  }

  @Override
  public Optional<FusedPasses> fused() {
    return Optional.of(fused);
  }

  @Override
  public synchronized void run(int tasks, Task body) {
    driver.bind();
    for (int task = 0; task < tasks; task++) {
      body.run(lane, task);
    }
  }

  @Override
  public RegionWalks walks(RegionWalks.Networks networks) {
    return new CudaRegionWalks(launcher, networks);
  }

  @Override
  public void finish() {
    driver.bind();
    waiting.forAll(compute);
  }

  @Override
  public double seconds(Runnable work) {
    driver.bind();
    try (Driver.Event before = driver.event();
        Driver.Event after = driver.event()) {
      driver.record(compute, before);
      work.run();
      driver.record(compute, after);
      waiting.until(after);
      return driver.milliseconds(before, after) / 1e3;
    }
  }

  @Override
  public Range range(String name) {
    return driver.range(name);
  }

  @Override
  public Repetition repetition(int tasks, Task body) {
    return new CapturedTasks(tasks, body);
  }

  /** Tasks that are launched one by one the first time, and as one graph from then on. */
  private final class CapturedTasks implements Repetition {
    private final int tasks;
    private final Task body;
    private boolean started;
    private Driver.Graph graph;

    CapturedTasks(int tasks, Task body) {
      this.tasks = tasks;
      this.body = body;
    }

    @Override
    public void run() {
      if (!started) {
        // Loads kernels and finds memory, neither of which can be captured.
        CudaDevice.this.run(tasks, body);
        started = true;
        return;
      }
      driver.bind();
      if (graph == null) {
        ring.freeze(true);
        try {
          graph = driver.capture(compute, () -> CudaDevice.this.run(tasks, body));
        } finally {
          ring.freeze(false);
        }
      }
      driver.launch(compute, graph);
    }

    @Override
    public void close() {
      if (graph != null) {
        driver.bind();
        graph.close();
        graph = null;
      }
    }
  }

  @Override
  public void upload(byte[] source, int from, DeviceArray target, long at, int count) {
    upload(
        target,
        ElementType.UINT8,
        at,
        count,
        (buffer, first, n) -> buffer.put(source, from + first, n));
  }

  @Override
  public void upload(float[] source, int from, DeviceArray target, long at, int count) {
    upload(
        target,
        ElementType.FLOAT32,
        at,
        count,
        (buffer, first, n) -> buffer.asFloatBuffer().put(source, from + first, n));
  }

  @Override
  public void upload(int[] source, int from, DeviceArray target, long at, int count) {
    upload(
        target,
        ElementType.INT32,
        at,
        count,
        (buffer, first, n) -> buffer.asIntBuffer().put(source, from + first, n));
  }

  @Override
  public void upload(long[] source, int from, DeviceArray target, long at, int count) {
    upload(
        target,
        ElementType.INT64,
        at,
        count,
        (buffer, first, n) -> buffer.asLongBuffer().put(source, from + first, n));
  }

  @Override
  public void upload(double[] source, int from, DeviceArray target, long at, int count) {
    upload(
        target,
        ElementType.FLOAT64,
        at,
        count,
        (buffer, first, n) -> buffer.asDoubleBuffer().put(source, from + first, n));
  }

  @Override
  public void download(DeviceArray source, long at, float[] target, int from, int count) {
    download(
        source,
        ElementType.FLOAT32,
        at,
        count,
        (buffer, first, n) -> buffer.asFloatBuffer().get(target, from + first, n));
  }

  @Override
  public void download(DeviceArray source, long at, int[] target, int from, int count) {
    download(
        source,
        ElementType.INT32,
        at,
        count,
        (buffer, first, n) -> buffer.asIntBuffer().get(target, from + first, n));
  }

  @Override
  public void download(DeviceArray source, long at, long[] target, int from, int count) {
    download(
        source,
        ElementType.INT64,
        at,
        count,
        (buffer, first, n) -> buffer.asLongBuffer().get(target, from + first, n));
  }

  @Override
  public void download(DeviceArray source, long at, double[] target, int from, int count) {
    download(
        source,
        ElementType.FLOAT64,
        at,
        count,
        (buffer, first, n) -> buffer.asDoubleBuffer().get(target, from + first, n));
  }

  private void upload(DeviceArray target, ElementType type, long at, int count, Copies.Move fill) {
    driver.bind();
    copies.upload(Launcher.address(target, type, at, count), count, type.bytes(), fill);
  }

  private void download(
      DeviceArray source, ElementType type, long at, int count, Copies.Move take) {
    driver.bind();
    copies.download(Launcher.address(source, type, at, count), count, type.bytes(), take);
  }

  @Override
  public void close() {
    driver.bind();
    products.close();
    scratch.close();
    ring.close();
    copies.close();
    kernels.close();
    compute.close();
    driver.close();
  }
}
