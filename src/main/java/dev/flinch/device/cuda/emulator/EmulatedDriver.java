package dev.flinch.device.cuda.emulator;

import dev.flinch.device.DeviceLostException;
import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.driver.DriverException;
import dev.flinch.device.cuda.driver.Geometry;
import dev.flinch.device.cuda.driver.Signature;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;

/**
 * A card that isn't there: takes the PTX that a card would and runs it on the CPU, checking what a
 * card lets pass and counting what kernels cost.
 *
 * <p>Work is done when it is given to a stream, on the calling thread (blocks on several): streams
 * are in order with each other, so a copy on one that should have waited for a kernel on another
 * goes unnoticed. Errors of a kernel come from its launch; the card stays usable after them, which
 * a real one's context does not.
 */
public final class EmulatedDriver implements Driver {
  private static final int LAUNCHES_NEVER = Integer.MAX_VALUE;
  private static final long MAX_GRID_X = Integer.MAX_VALUE;
  private static final int MAX_GRID_YZ = 65_535;
  private static final int MAX_THREADS = 1024;
  private static final int MAX_THREADS_Z = 64;
  private static final int PINNED_ALIGNMENT = 64;

  private final Card card;
  private final GlobalMemory memory;
  private final BlockRunner runner;
  private final Map<String, Counters> counters = new TreeMap<>();
  private final Set<ByteBuffer> pinned = Collections.newSetFromMap(new IdentityHashMap<>());
  private EmulatedStream capturing;
  private List<Runnable> captured;
  private int launchesUntilLost = LAUNCHES_NEVER;
  private int launchesUntilHung = LAUNCHES_NEVER;
  private boolean lost;
  private boolean hung;
  private boolean closed;

  /** Compute capability 8.0, 2 GiB of memory, blocks on all of the machine's processors. */
  public EmulatedDriver() {
    this(80, 2L << 30, Runtime.getRuntime().availableProcessors());
  }

  /**
   * @param computeCapability 75 or from 80 on, which decides what PTX loads and how much shared
   *     memory there is
   * @param memoryBytes of the card
   * @param parallelism threads of the host that run blocks
   */
  public EmulatedDriver(int computeCapability, long memoryBytes, int parallelism) {
    int shared =
        switch (computeCapability) {
          case 75 -> 65_536;
          case 80, 87 -> 166_912;
          case 86, 89 -> 101_376;
          case 90 -> 232_448;
          default ->
              throw new IllegalArgumentException(
                  "expected a compute capability of 75, 80, 86, 87, 89 or 90, found "
                      + computeCapability);
        };
    String name =
        "emulator (compute capability %d.%d)"
            .formatted(computeCapability / 10, computeCapability % 10);
    this.card =
        new Card(
            0,
            name,
            computeCapability / 10,
            computeCapability % 10,
            4,
            shared,
            memoryBytes,
            12_060);
    this.memory = new GlobalMemory(name, memoryBytes);
    this.runner = new BlockRunner(parallelism);
  }

  // What tests ask.

  /** What each kernel has cost since the start or {@link #resetCounters}, by its name. */
  public synchronized Map<String, Counters> counters() {
    return Collections.unmodifiableMap(new TreeMap<>(counters));
  }

  /** Counts from zero again. */
  public synchronized void resetCounters() {
    counters.clear();
  }

  /** Bytes that were allocated and not yet freed. */
  public long liveBytes() {
    return memory.liveBytes();
  }

  /** Allocations that were not yet freed. */
  public int liveAllocations() {
    return memory.liveAllocations();
  }

  /** Buffers of {@link #pin} that were not yet unpinned. */
  public synchronized int livePinned() {
    return pinned.size();
  }

  /** The card is lost at the launch after the next {@code launches}; for tests of what follows. */
  public synchronized void failAfter(int launches) {
    launchesUntilLost = launches;
  }

  /** The launch after the next {@code launches} never ends: events after it are never done. */
  public synchronized void hangAfter(int launches) {
    launchesUntilHung = launches;
  }

  // Driver.

  @Override
  public Card card() {
    return card;
  }

  @Override
  public void bind() {
    requireUsable();
  }

  @Override
  public synchronized long allocate(long bytes) {
    requireUsable();
    return memory.allocate(bytes);
  }

  @Override
  public synchronized void free(long address) {
    if (lost || closed) {
      return;
    }
    if (!memory.free(address)) {
      throw new DriverException(
          "free: 0x%x is no live allocation: %s".formatted(address, memory.describe(address, 1)));
    }
  }

  @Override
  public long freeBytes() {
    requireUsable();
    return memory.freeBytes();
  }

  @Override
  public synchronized ByteBuffer pin(int bytes) {
    requireUsable();
    // An aligned slice is cut at both ends.
    int padded = Math.addExact(bytes, 2 * PINNED_ALIGNMENT);
    ByteBuffer buffer =
        ByteBuffer.allocateDirect(padded)
            .alignedSlice(PINNED_ALIGNMENT)
            .slice(0, bytes)
            .order(ByteOrder.nativeOrder());
    pinned.add(buffer);
    return buffer;
  }

  @Override
  public synchronized void unpin(ByteBuffer buffer) {
    if (!pinned.remove(buffer) && !closed) {
      throw new DriverException("unpin: this buffer is not pinned");
    }
  }

  @Override
  public Stream stream() {
    requireUsable();
    return new EmulatedStream();
  }

  @Override
  public Event event() {
    requireUsable();
    return new EmulatedEvent();
  }

  @Override
  public synchronized void zero(Stream stream, long address, long bytes) {
    give(
        stream,
        () -> {
          Allocation array = range("zero", address, bytes);
          int at = (int) (address - array.base);
          java.util.Arrays.fill(array.data, at, at + (int) bytes, (byte) 0);
          array.noteFilled(at, (int) bytes);
        });
  }

  @Override
  public synchronized void upload(
      Stream stream, ByteBuffer buffer, int from, long address, int bytes) {
    requirePinned("upload", buffer, from, bytes);
    give(
        stream,
        () -> {
          Allocation array = range("upload", address, bytes);
          int at = (int) (address - array.base);
          buffer.get(from, array.data, at, bytes);
          array.noteFilled(at, bytes);
        });
  }

  @Override
  public synchronized void download(
      Stream stream, long address, ByteBuffer buffer, int from, int bytes) {
    requirePinned("download", buffer, from, bytes);
    give(
        stream,
        () -> {
          Allocation array = range("download", address, bytes);
          int at = (int) (address - array.base);
          int unwritten = array.isComplete() ? at + bytes : array.firstUnwritten(at, at + bytes);
          if (unwritten < at + bytes) {
            throw new EmulatorFault(
                "",
                0,
                "download of %,d bytes from %s of %,d bytes: nobody wrote byte %,d"
                    .formatted(bytes, array.name(), array.size, unwritten));
          }
          buffer.put(from, array.data, at, bytes);
        });
  }

  private void requirePinned(String call, ByteBuffer buffer, int from, int bytes) {
    if (!pinned.contains(buffer)) {
      throw new DriverException(call + ": the host's buffer is not pinned");
    }
    if (from < 0 || bytes < 0 || from > buffer.capacity() - bytes) {
      throw new DriverException(
          "%s: %d bytes from %d on don't fit the host's buffer of %d"
              .formatted(call, bytes, from, buffer.capacity()));
    }
  }

  private Allocation range(String call, long address, long bytes) {
    Allocation array = memory.find(address);
    if (array == null || address + bytes > array.base + array.size) {
      throw new EmulatorFault(
          "",
          0,
          "%s of %,d bytes at %s"
              .formatted(call, bytes, memory.describe(address, (int) Math.min(bytes, 1 << 30))));
    }
    return array;
  }

  @Override
  public synchronized Module load(String name, String ptx) {
    requireUsable();
    return new EmulatedModule(name, PtxParser.parse(name, ptx));
  }

  @Override
  public synchronized void launch(
      Stream stream, Kernel kernel, Geometry geometry, Object... arguments) {
    EmulatedKernel emulated = (EmulatedKernel) kernel;
    Program program = emulated.program;
    program.signature().require(program.name(), arguments);
    requireGeometry(program, geometry);
    Launch launch =
        new Launch(
            program, geometry, card.multiprocessors(), memory, parameters(program, arguments));
    give(stream, () -> run(emulated, launch));
  }

  private static byte[] parameters(Program program, Object... arguments) {
    ByteBuffer parameters =
        ByteBuffer.allocate(program.parameterBytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < arguments.length; i++) {
      int at = program.parameterOffsets().get(i);
      Object argument = arguments[i];
      if (argument instanceof Long value) {
        parameters.putLong(at, value);
      } else if (argument instanceof Integer value) {
        parameters.putInt(at, value);
      } else if (argument instanceof Float value) {
        parameters.putFloat(at, value);
      } else {
        parameters.putDouble(at, (Double) argument);
      }
    }
    return parameters.array();
  }

  private void requireGeometry(Program program, Geometry geometry) {
    int shared = program.sharedBytes() + geometry.sharedBytes();
    int mostThreads =
        program.maxThreads() == 0 ? MAX_THREADS : Math.min(MAX_THREADS, program.maxThreads());
    long threads = (long) geometry.blockX() * geometry.blockY() * geometry.blockZ();
    String why = null;
    if (threads > mostThreads) {
      why = "%,d threads in a block, at most %,d".formatted(threads, mostThreads);
    } else if (geometry.blockZ() > MAX_THREADS_Z) {
      why = "%d threads in z, at most %d".formatted(geometry.blockZ(), MAX_THREADS_Z);
    } else if (geometry.gridX() > MAX_GRID_X
        || geometry.gridY() > MAX_GRID_YZ
        || geometry.gridZ() > MAX_GRID_YZ) {
      why =
          "%,d × %,d × %,d blocks, at most %,d × %,d × %,d"
              .formatted(
                  geometry.gridX(),
                  geometry.gridY(),
                  geometry.gridZ(),
                  MAX_GRID_X,
                  MAX_GRID_YZ,
                  MAX_GRID_YZ);
    } else if (geometry.sharedBytes() < 0 || shared > card.sharedBytesPerBlock()) {
      why =
          "%,d bytes of shared memory for a block, at most %,d"
              .formatted(shared, card.sharedBytesPerBlock());
    }
    if (why != null) {
      throw new DriverException("launch of %s: %s".formatted(program.name(), why));
    }
  }

  private void run(EmulatedKernel kernel, Launch launch) {
    if (launchesUntilLost-- <= 0) {
      lost = true;
      requireUsable();
    }
    if (launchesUntilHung-- <= 0) {
      hung = true;
    }
    if (hung) {
      return;
    }
    kernel.requireLoaded();
    List<Tally> tallies = runner.run(launch);
    memory.settle();
    Counters counted = Counters.of(launch.program, tallies);
    counters.merge(launch.program.name(), counted, Counters::plus);
  }

  @Override
  public synchronized void record(Stream stream, Event event) {
    EmulatedEvent at = (EmulatedEvent) event;
    give(stream, () -> at.record(hung));
  }

  @Override
  public synchronized void await(Stream stream, Event event) {
    requireUsable();
    ((EmulatedStream) stream).requireOpen();
  }

  @Override
  public synchronized boolean done(Event event) {
    requireUsable();
    return ((EmulatedEvent) event).isDone();
  }

  @Override
  public synchronized float milliseconds(Event from, Event to) {
    requireUsable();
    return (((EmulatedEvent) to).nanos() - ((EmulatedEvent) from).nanos()) * 1e-6f;
  }

  @Override
  public synchronized Graph capture(Stream stream, Runnable work) {
    requireUsable();
    if (capturing != null) {
      throw new DriverException("capture: a capture is under way");
    }
    capturing = (EmulatedStream) stream;
    captured = new ArrayList<>();
    try {
      work.run();
      return new EmulatedGraph(captured);
    } finally {
      capturing = null;
      captured = null;
    }
  }

  @Override
  public synchronized void launch(Stream stream, Graph graph) {
    List<Runnable> work = ((EmulatedGraph) graph).work();
    give(stream, () -> work.forEach(Runnable::run));
  }

  /** Does work now, or notes it where the stream is being captured. */
  private void give(Stream stream, Runnable work) {
    requireUsable();
    EmulatedStream to = (EmulatedStream) stream;
    to.requireOpen();
    if (to == capturing) {
      captured.add(work);
    } else {
      work.run();
    }
  }

  private void requireUsable() {
    if (lost) {
      throw new DeviceLostException(card.name() + " was lost, as the test asked");
    }
    if (closed) {
      throw new DriverException("this driver was closed");
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    runner.close();
  }

  private static final class EmulatedStream implements Stream {
    private boolean open = true;

    void requireOpen() {
      if (!open) {
        throw new DriverException("this stream was closed");
      }
    }

    @Override
    public void close() {
      open = false;
    }
  }

  private static final class EmulatedEvent implements Event {
    private boolean recorded;
    private boolean never;
    private boolean open = true;
    private long nanos;

    void record(boolean hung) {
      requireOpen();
      recorded = true;
      never = hung;
      nanos = System.nanoTime();
    }

    /** An event that was never recorded is done, as on a card. */
    boolean isDone() {
      requireOpen();
      return !never;
    }

    long nanos() {
      requireOpen();
      if (!recorded || never) {
        throw new DriverException("milliseconds: the event was not recorded or is not done");
      }
      return nanos;
    }

    private void requireOpen() {
      if (!open) {
        throw new DriverException("this event was closed");
      }
    }

    @Override
    public void close() {
      open = false;
    }
  }

  private static final class EmulatedGraph implements Graph {
    private List<Runnable> work;

    EmulatedGraph(List<Runnable> work) {
      this.work = work;
    }

    List<Runnable> work() {
      if (work == null) {
        throw new DriverException("this graph was closed");
      }
      return work;
    }

    @Override
    public void close() {
      work = null;
    }
  }

  private final class EmulatedModule implements Module {
    private final String name;
    private final Map<String, EmulatedKernel> kernels = new HashMap<>();
    private final List<Allocation> variables = new ArrayList<>();
    private boolean open = true;

    EmulatedModule(String name, PtxModule ptx) {
      this.name = name;
      if (ptx.target() > card.architecture()) {
        throw new DriverException(
            "load of %s: the PTX is for sm_%d, the card is sm_%d"
                .formatted(name, ptx.target(), card.architecture()));
      }
      Map<String, Names.Place> places = new HashMap<>();
      for (Variable variable : ptx.variables().values()) {
        if (!variable.space().equals("shared")) {
          Allocation placed = memory.variable(variable, name);
          variables.add(placed);
          places.put(variable.name(), new Names.Place(variable.space(), placed.base));
        }
      }
      try {
        for (PtxModule.Function function : ptx.functions().values()) {
          if (function.entry()) {
            Program program = new KernelBuilder(ptx, function, places).build();
            kernels.put(function.name(), new EmulatedKernel(this, program));
          }
        }
      } catch (RuntimeException e) {
        close();
        throw e;
      }
    }

    @Override
    public Kernel kernel(String entry) {
      EmulatedKernel kernel = kernels.get(entry);
      if (kernel == null) {
        throw new DriverException(
            "module %s has no kernel %s; it has %s"
                .formatted(name, entry, new java.util.TreeSet<>(kernels.keySet())));
      }
      return kernel;
    }

    @Override
    public void close() {
      if (open) {
        open = false;
        variables.forEach(memory::freeVariable);
        kernels.values().forEach(kernel -> runner.forget(kernel.program));
      }
    }
  }

  private static final class EmulatedKernel implements Kernel {
    private final EmulatedModule module;
    private final Program program;

    EmulatedKernel(EmulatedModule module, Program program) {
      this.module = module;
      this.program = program;
    }

    void requireLoaded() {
      if (!module.open) {
        throw new DriverException("launch of %s: its module was closed".formatted(name()));
      }
    }

    @Override
    public String name() {
      return program.name();
    }

    @Override
    public Signature signature() {
      return program.signature();
    }

    /** None: registers are what an assembler makes of PTX. */
    @Override
    public OptionalInt registers() {
      return OptionalInt.empty();
    }

    @Override
    public int staticSharedBytes() {
      return program.sharedBytes();
    }

    @Override
    public OptionalDouble occupancy(Geometry geometry) {
      return OptionalDouble.empty();
    }
  }
}
