package dev.flinch.device.cuda.driver;

import com.sun.jna.Callback;
import com.sun.jna.CallbackReference;
import com.sun.jna.Function;
import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;
import dev.flinch.device.Device;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Named ranges in NVIDIA's profilers: the two functions of NVTX that open and close one on the
 * calling thread.
 *
 * <p>NVTX 3, which CUDA 13 has alone, is a header without a library: a profiler names one of its
 * own by {@value #INJECTION}, and the header, compiled into a program, calls that library's {@value
 * #INITIALIZE} with a way to tables of pointers, where the profiler puts its functions. This class
 * does what the header does. Where no profiler asks for that, the functions are those of {@value
 * #LIBRARY}, which older toolkits have; where there is none either, ranges do nothing, and JNA is
 * never loaded.
 *
 * <p>Layouts and numbers are those of {@code nvtxTypes.h}, which NVIDIA keeps compatible.
 */
final class Nvtx {
  private static final String INJECTION = "NVTX_INJECTION64_PATH";
  private static final String INITIALIZE = "InitializeInjectionNvtx2";
  private static final String LIBRARY = "libnvToolsExt.so.1";

  /** As the header opens a profiler's library: its symbols stay its own. */
  private static final int RTLD_LAZY = 1;

  private static final Device.Range NONE = () -> {};

  /**
   * Libraries that stay open, and what a profiler may point to, for as long as the process lives.
   */
  private static final List<Object> KEPT = new ArrayList<>();

  private final Function push;
  private final Function pop;

  private Nvtx(Pointer push, Pointer pop) {
    this.push = function(push);
    this.pop = function(pop);
  }

  /** Looked for when a range is first opened. */
  private static final class OfThisProcess {
    private static final Nvtx FOUND = look(System.getenv(INJECTION));
  }

  /** A range on this thread; does nothing where nobody listens. */
  static Device.Range range(String name) {
    return OfThisProcess.FOUND == null ? NONE : OfThisProcess.FOUND.open(name);
  }

  private static Nvtx look(String injection) {
    boolean asked = injection != null && !injection.isEmpty();
    Optional<Path> library = SystemLibraries.find(LIBRARY);
    if (!asked && library.isEmpty()) {
      return null;
    }
    try {
      prepareJna();
      Nvtx injected = asked ? injected(injection) : null;
      return injected == null && library.isPresent() ? linked(library.get()) : injected;
    } catch (IOException | LinkageError e) {
      // As in NVTX itself: a profiler that can't be reached is no failure of the program.
      return null;
    }
  }

  /** Has JNA's native library where JCuda's are, if there is a folder for them. */
  private static void prepareJna() throws IOException {
    Optional<Path> folder = Natives.folder();
    if (folder.isPresent()) {
      String name = "jnidispatch-" + Native.VERSION;
      Natives.unpack(
          "/com/sun/jna/%s/%s"
              .formatted(Platform.RESOURCE_PREFIX, System.mapLibraryName("jnidispatch")),
          folder.get().resolve(System.mapLibraryName(name)));
      System.setProperty("jna.boot.library.path", folder.get().toString());
      System.setProperty("jna.boot.library.name", name);
    }
  }

  private static NativeLibrary load(String library) {
    NativeLibrary loaded =
        NativeLibrary.getInstance(library, Map.of(Library.OPTION_OPEN_FLAGS, RTLD_LAZY));
    KEPT.add(loaded);
    return loaded;
  }

  private static Function function(Pointer address) {
    return Function.getFunction(address, Function.C_CONVENTION, StandardCharsets.UTF_8.name());
  }

  private static Nvtx linked(Path file) {
    NativeLibrary library = load(file.toString());
    return new Nvtx(
        library.getGlobalVariableAddress("nvtxRangePushA"),
        library.getGlobalVariableAddress("nvtxRangePop"));
  }

  /** The profiler's functions; null where it refuses, has none for ranges, or can't be loaded. */
  private static Nvtx injected(String injection) {
    try {
      NativeLibrary profiler = load(injection);
      ExportTables tables = new ExportTables();
      KEPT.add(tables);
      if (profiler.getFunction(INITIALIZE).invokeInt(new Object[] {tables.find}) == 0) {
        return null;
      }
      Pointer push = tables.core(ExportTables.RANGE_PUSH);
      Pointer pop = tables.core(ExportTables.RANGE_POP);
      return push == null || pop == null ? null : new Nvtx(push, pop);
    } catch (UnsatisfiedLinkError e) {
      return null;
    }
  }

  private Device.Range open(String name) {
    push.invokeInt(new Object[] {name});
    return new Open();
  }

  /** A range that was pushed and not popped yet. */
  private final class Open implements Device.Range {
    private boolean open = true;

    @Override
    public void close() {
      if (open) {
        open = false;
        pop.invokeInt(new Object[0]);
      }
    }
  }

  /** What a profiler asks a program for: where to put its functions, and the version of NVTX. */
  private static final class ExportTables {
    /** Of {@code NvtxCallbackIdCore}. */
    static final int RANGE_PUSH = 9;

    static final int RANGE_POP = 11;

    private static final int CORE = 1;

    /** Functions of each {@code NvtxCallbackModule}, the 0th of each aside; module 0 has none. */
    private static final int[] SIZES = {0, 16, 9, 15, 7, 16, 7};

    private static final int CALLBACKS = 1;
    private static final int VERSION_INFO = 3;
    private static final int VERSION = 3;

    /** {@code NvtxGetExportTableFunc_t}. */
    private interface FindTable extends Callback {
      Pointer invoke(int table);
    }

    /** {@code GetModuleFunctionTable} of {@code NvtxExportTableCallbacks}. */
    private interface FindFunctions extends Callback {
      int invoke(int module, Pointer table, Pointer size);
    }

    /** {@code SetInjectionNvtxVersion} of {@code NvtxExportTableVersionInfo}. */
    private interface TakeVersion extends Callback {
      void invoke(int version);
    }

    final FindTable find = this::table;
    private final FindFunctions findFunctions = this::functions;
    private final TakeVersion takeVersion = version -> {};
    private final Memory callbacks = zeros(16);
    private final Memory versionInfo = zeros(24);

    /** The functions of each module, and a table of pointers to them that ends with a null. */
    private final Memory[] functions = new Memory[SIZES.length];

    private final Memory[] pointers = new Memory[SIZES.length];

    ExportTables() {
      callbacks.setLong(0, callbacks.size());
      callbacks.setPointer(8, CallbackReference.getFunctionPointer(findFunctions));
      versionInfo.setLong(0, versionInfo.size());
      versionInfo.setInt(8, VERSION);
      versionInfo.setPointer(16, CallbackReference.getFunctionPointer(takeVersion));
      for (int module = CORE; module < SIZES.length; module++) {
        functions[module] = zeros((long) SIZES[module] * Native.POINTER_SIZE);
        pointers[module] = zeros((SIZES[module] + 1L) * Native.POINTER_SIZE);
        for (int id = 1; id < SIZES[module]; id++) {
          long at = (long) id * Native.POINTER_SIZE;
          pointers[module].setPointer(at, functions[module].share(at));
        }
      }
    }

    private static Memory zeros(long bytes) {
      Memory memory = new Memory(bytes);
      memory.clear();
      return memory;
    }

    private Pointer table(int id) {
      return switch (id) {
        case CALLBACKS -> callbacks;
        case VERSION_INFO -> versionInfo;
        default -> null;
      };
    }

    private int functions(int module, Pointer table, Pointer size) {
      if (module < CORE || module >= SIZES.length) {
        return 0;
      }
      if (size != null) {
        size.setInt(0, SIZES[module]);
      }
      if (table != null) {
        table.setPointer(0, pointers[module]);
      }
      return 1;
    }

    /** What the profiler has put for a function of the core; null where it has none. */
    Pointer core(int id) {
      return functions[CORE].getPointer((long) id * Native.POINTER_SIZE);
    }
  }
}
