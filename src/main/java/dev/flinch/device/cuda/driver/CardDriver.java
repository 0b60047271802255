package dev.flinch.device.cuda.driver;

import dev.flinch.device.Device;
import dev.flinch.device.OutOfDeviceMemoryException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import jcuda.driver.JITOptions;

/**
 * A real card, through NVIDIA's driver. Works in the card's primary context, which libraries such
 * as cuBLAS share.
 */
public final class CardDriver implements Driver {
  /** Shared memory that a block is given without asking. */
  private static final int SHARED_BYTES_UNASKED = 48 << 10;

  private static final int LOG_BYTES = 16 << 10;
  private static final int WARP = 32;

  private final Card card;
  private final CUdevice device = new CUdevice();
  private final CUcontext context = new CUcontext();
  private final LaunchArguments launchArguments = new LaunchArguments();
  private volatile boolean lost;

  /**
   * Opens a card.
   *
   * @param card one that {@link Cards#find} found
   */
  public CardDriver(Card card) {
    this.card = card;
    check(JCudaDriver.cuDeviceGet(device, card.index()), "cuDeviceGet", "open the card");
    check(
        JCudaDriver.cuDevicePrimaryCtxRetain(context, device),
        "cuDevicePrimaryCtxRetain",
        "open the card");
    bind();
  }

  private record CardStream(CardDriver driver, CUstream handle) implements Stream {
    @Override
    public void close() {
      driver.release(() -> JCudaDriver.cuStreamDestroy(handle), "cuStreamDestroy", "end a stream");
    }
  }

  private record CardEvent(CardDriver driver, CUevent handle) implements Event {
    @Override
    public void close() {
      driver.release(() -> JCudaDriver.cuEventDestroy(handle), "cuEventDestroy", "free an event");
    }
  }

  private record CardGraph(CardDriver driver, CUgraphExec handle) implements Graph {
    @Override
    public void close() {
      driver.release(
          () -> JCudaDriver.cuGraphExecDestroy(handle), "cuGraphExecDestroy", "free a graph");
    }
  }

  private record CardModule(
      CardDriver driver, CUmodule handle, String name, Map<String, Signature> signatures)
      implements Module {
    @Override
    public Kernel kernel(String entry) {
      Signature signature = signatures.get(entry);
      if (signature == null) {
        throw new DriverException(
            "%s has no kernel %s: it has %s".formatted(name, entry, signatures.keySet()));
      }
      CUfunction function = new CUfunction();
      String kernel = name + "." + entry;
      driver.check(
          JCudaDriver.cuModuleGetFunction(function, handle, entry),
          "cuModuleGetFunction",
          "find the kernel %s",
          kernel);
      return new CardKernel(
          driver,
          function,
          kernel,
          signature,
          driver.attribute(
              function, kernel, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK),
          driver.attribute(
              function, kernel, CUfunction_attribute.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES),
          driver.attribute(function, kernel, CUfunction_attribute.CU_FUNC_ATTRIBUTE_NUM_REGS));
    }

    @Override
    public void close() {
      driver.release(
          () -> JCudaDriver.cuModuleUnload(handle), "cuModuleUnload", "unload the kernels " + name);
    }
  }

  private static final class CardKernel implements Kernel {
    private final CardDriver driver;
    private final CUfunction handle;
    private final String name;
    private final Signature signature;
    private final int mostThreads;
    private final int staticSharedBytes;
    private final int registers;
    private boolean asked;

    CardKernel(
        CardDriver driver,
        CUfunction handle,
        String name,
        Signature signature,
        int mostThreads,
        int staticSharedBytes,
        int registers) {
      this.driver = driver;
      this.handle = handle;
      this.name = name;
      this.signature = signature;
      this.mostThreads = mostThreads;
      this.staticSharedBytes = staticSharedBytes;
      this.registers = registers;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public Signature signature() {
      return signature;
    }

    @Override
    public OptionalInt registers() {
      return OptionalInt.of(registers);
    }

    @Override
    public int staticSharedBytes() {
      return staticSharedBytes;
    }

    @Override
    public OptionalDouble occupancy(Geometry geometry) {
      prepare(geometry);
      int[] blocks = new int[1];
      driver.check(
          JCudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor(
              blocks, handle, geometry.threads(), geometry.sharedBytes()),
          "cuOccupancyMaxActiveBlocksPerMultiprocessor",
          "say how many blocks of %s a multiprocessor holds",
          name);
      int[] threads = new int[1];
      driver.check(
          JCudaDriver.cuDeviceGetAttribute(
              threads,
              CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR,
              driver.device),
          "cuDeviceGetAttribute",
          "say how many threads a multiprocessor holds");
      int warps = (geometry.threads() + WARP - 1) / WARP;
      return OptionalDouble.of((double) blocks[0] * warps * WARP / threads[0]);
    }

    /** Refuses a launch that the card has no room for, and asks for shared memory once. */
    synchronized void prepare(Geometry geometry) {
      if (geometry.threads() > mostThreads) {
        throw new IllegalArgumentException(
            "%s: blocks of %d threads; its registers leave room for %d on %s"
                .formatted(name, geometry.threads(), mostThreads, driver.card.name()));
      }
      int shared = staticSharedBytes + geometry.sharedBytes();
      if (shared > driver.card.sharedBytesPerBlock()) {
        throw new IllegalArgumentException(
            "%s: %d bytes of shared memory a block, %d of them dynamic; %s has %d"
                .formatted(
                    name,
                    shared,
                    geometry.sharedBytes(),
                    driver.card.name(),
                    driver.card.sharedBytesPerBlock()));
      }
      if (shared > SHARED_BYTES_UNASKED && !asked) {
        int most = driver.card.sharedBytesPerBlock() - staticSharedBytes;
        driver.check(
            JCudaDriver.cuFuncSetAttribute(
                handle, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, most),
            "cuFuncSetAttribute",
            "let %s have %d bytes of shared memory",
            name,
            most);
        asked = true;
      }
    }
  }

  /** An address that JCuda takes; its own class has no way to say one. */
  private static final class Address extends CUdeviceptr {
    Address() {}

    Address(long value) {
      super(new CUdeviceptr(), value);
    }

    long value() {
      return getNativePointer() + getByteOffset();
    }
  }

  @Override
  public Card card() {
    return card;
  }

  @Override
  public void bind() {
    if (!lost) {
      check(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent", "bind its context");
    }
  }

  @Override
  public long allocate(long bytes) {
    Address address = new Address();
    int code = JCudaDriver.cuMemAlloc(address, bytes);
    if (code == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
      throw new OutOfDeviceMemoryException(card.name(), bytes, freeBytes());
    }
    check(code, "cuMemAlloc", "allocate %,d bytes", bytes);
    return address.value();
  }

  @Override
  public void free(long address) {
    release(() -> JCudaDriver.cuMemFree(new Address(address)), "cuMemFree", "free memory");
  }

  @Override
  public long freeBytes() {
    long[] free = new long[1];
    check(JCudaDriver.cuMemGetInfo(free, new long[1]), "cuMemGetInfo", "ask for its free memory");
    return free[0];
  }

  @Override
  public ByteBuffer pin(int bytes) {
    Pointer pinned = new Pointer();
    check(
        JCudaDriver.cuMemAllocHost(pinned, bytes),
        "cuMemAllocHost",
        "pin %,d bytes of the host's memory",
        bytes);
    return pinned.getByteBuffer(0, bytes).order(ByteOrder.nativeOrder());
  }

  @Override
  public void unpin(ByteBuffer pinned) {
    release(
        () -> JCudaDriver.cuMemFreeHost(start(pinned)),
        "cuMemFreeHost",
        "free pinned memory of the host");
  }

  private static Pointer start(ByteBuffer pinned) {
    if (!pinned.isDirect()) {
      throw new IllegalArgumentException("expected pinned memory, found a buffer on the heap");
    }
    return Pointer.to(pinned);
  }

  @Override
  public Stream stream() {
    CUstream stream = new CUstream();
    check(
        JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING),
        "cuStreamCreate",
        "make a stream");
    return new CardStream(this, stream);
  }

  @Override
  public Event event() {
    CUevent event = new CUevent();
    check(
        JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DEFAULT),
        "cuEventCreate",
        "make an event");
    return new CardEvent(this, event);
  }

  @Override
  public void zero(Stream stream, long address, long bytes) {
    if (bytes > 0) {
      check(
          JCudaDriver.cuMemsetD8Async(new Address(address), (byte) 0, bytes, handle(stream)),
          "cuMemsetD8Async",
          "fill %,d bytes with zeros",
          bytes);
    }
  }

  @Override
  public void upload(Stream stream, ByteBuffer pinned, int from, long address, int bytes) {
    requireWithin(pinned, from, bytes);
    if (bytes > 0) {
      check(
          JCudaDriver.cuMemcpyHtoDAsync(
              new Address(address), start(pinned).withByteOffset(from), bytes, handle(stream)),
          "cuMemcpyHtoDAsync",
          "copy %,d bytes to it",
          bytes);
    }
  }

  @Override
  public void download(Stream stream, long address, ByteBuffer pinned, int from, int bytes) {
    requireWithin(pinned, from, bytes);
    if (bytes > 0) {
      check(
          JCudaDriver.cuMemcpyDtoHAsync(
              start(pinned).withByteOffset(from), new Address(address), bytes, handle(stream)),
          "cuMemcpyDtoHAsync",
          "copy %,d bytes from it",
          bytes);
    }
  }

  private static void requireWithin(ByteBuffer pinned, int from, int bytes) {
    if (from < 0 || bytes < 0 || from > pinned.capacity() - bytes) {
      throw new IllegalArgumentException(
          "bytes %d to %d of %d pinned".formatted(from, from + bytes - 1L, pinned.capacity()));
    }
  }

  @Override
  public Module load(String name, String ptx) {
    CUmodule module = new CUmodule();
    JITOptions options = new JITOptions();
    options.putBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER, new byte[LOG_BYTES]);
    options.putInt(CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, LOG_BYTES);
    options.putBytes(CUjit_option.CU_JIT_INFO_LOG_BUFFER, new byte[LOG_BYTES]);
    options.putInt(CUjit_option.CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, LOG_BYTES);
    int code =
        JCudaDriver.cuModuleLoadDataJIT(
            module, Pointer.to((ptx + "\0").getBytes(StandardCharsets.US_ASCII)), options);
    if (code != CUresult.CUDA_SUCCESS) {
      String log = Cards.text(options.getBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER)).strip();
      check(
          code,
          "cuModuleLoadDataEx",
          "load the kernels %s%s",
          name,
          log.isEmpty() ? "" : " (" + log + ")");
    }
    return new CardModule(this, module, name, Signature.of(ptx));
  }

  private int attribute(CUfunction function, String kernel, int attribute) {
    int[] value = new int[1];
    check(
        JCudaDriver.cuFuncGetAttribute(value, attribute, function),
        "cuFuncGetAttribute",
        "ask what %s needs",
        kernel);
    return value[0];
  }

  @Override
  public void launch(Stream stream, Kernel kernel, Geometry geometry, Object... arguments) {
    CardKernel own = (CardKernel) kernel;
    own.signature.require(own.name, arguments);
    own.prepare(geometry);
    int code;
    synchronized (launchArguments) {
      code =
          JCudaDriver.cuLaunchKernel(
              own.handle,
              geometry.gridX(),
              geometry.gridY(),
              geometry.gridZ(),
              geometry.blockX(),
              geometry.blockY(),
              geometry.blockZ(),
              geometry.sharedBytes(),
              handle(stream),
              launchArguments.of(arguments),
              null);
    }
    check(code, "cuLaunchKernel", "launch %s as %s", own.name, geometry);
  }

  @Override
  public Device.Range range(String name) {
    return Nvtx.range(name);
  }

  @Override
  public void record(Stream stream, Event event) {
    check(
        JCudaDriver.cuEventRecord(handle(event), handle(stream)), "cuEventRecord", "note an event");
  }

  @Override
  public void await(Stream stream, Event event) {
    check(
        JCudaDriver.cuStreamWaitEvent(handle(stream), handle(event), 0),
        "cuStreamWaitEvent",
        "have a stream wait for an event");
  }

  @Override
  public boolean done(Event event) {
    int code = JCudaDriver.cuEventQuery(handle(event));
    if (code == CUresult.CUDA_ERROR_NOT_READY) {
      return false;
    }
    check(code, "cuEventQuery", "say whether its work is done");
    return true;
  }

  @Override
  public float milliseconds(Event from, Event to) {
    float[] milliseconds = new float[1];
    check(
        JCudaDriver.cuEventElapsedTime(milliseconds, handle(from), handle(to)),
        "cuEventElapsedTime",
        "say how long its work took");
    return milliseconds[0];
  }

  @Override
  public Graph capture(Stream stream, Runnable work) {
    // Of this thread alone: other threads may allocate meanwhile.
    check(
        JCudaDriver.cuStreamBeginCapture(
            handle(stream), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
        "cuStreamBeginCapture",
        "capture a stream's work");
    CUgraph graph = new CUgraph();
    int end;
    boolean whole = false;
    try {
      work.run();
      whole = true;
    } finally {
      end = JCudaDriver.cuStreamEndCapture(handle(stream), graph);
      if (!whole && end == CUresult.CUDA_SUCCESS) {
        JCudaDriver.cuGraphDestroy(graph);
      }
    }
    check(end, "cuStreamEndCapture", "capture a stream's work");
    CUgraphExec executable = new CUgraphExec();
    int made = JCudaDriver.cuGraphInstantiate(executable, graph, 0);
    release(() -> JCudaDriver.cuGraphDestroy(graph), "cuGraphDestroy", "free a captured graph");
    check(made, "cuGraphInstantiate", "make captured work ready");
    return new CardGraph(this, executable);
  }

  @Override
  public void launch(Stream stream, Graph graph) {
    check(
        JCudaDriver.cuGraphLaunch(((CardGraph) graph).handle, handle(stream)),
        "cuGraphLaunch",
        "launch captured work");
  }

  /** JCuda's handle of a stream of this driver, for libraries that work on it. */
  public static CUstream handle(Stream stream) {
    return ((CardStream) stream).handle;
  }

  private static CUevent handle(Event event) {
    return ((CardEvent) event).handle;
  }

  /** Whether the card no longer answers; nothing is given back to it then. */
  public boolean isLost() {
    return lost;
  }

  @Override
  public void abandon() {
    lost = true;
  }

  @Override
  public void close() {
    release(
        () -> JCudaDriver.cuDevicePrimaryCtxRelease(device),
        "cuDevicePrimaryCtxRelease",
        "close the card");
  }

  /** A call of the driver, with its answer. */
  @FunctionalInterface
  private interface Call {
    int code();
  }

  /** Makes a call that gives something back; a card that is lost is not asked any more. */
  private void release(Call call, String name, String what) {
    if (!lost) {
      check(call.code(), name, what);
    }
  }

  private void check(int code, String call, String what, Object... details) {
    if (code != CUresult.CUDA_SUCCESS) {
      lost |= Results.isLost(code);
      Results.check(code, card.name(), call, what.formatted(details));
    }
  }
}
