package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cuda.driver.Natives;
import dev.flinch.device.cuda.driver.Signature;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompileResult;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Every kernel that is shipped is assembled for every card that it is shipped for, by NVIDIA's
 * assembler in JCuda's libraries, which needs neither a card nor a toolkit. What it says of each is
 * printed: registers of a thread, and static shared memory of a block. It is the assembler of CUDA
 * 12.0, so what it makes is what the oldest drivers make that take the PTX; newer ones may spill
 * less.
 */
class AssemblyTest {
  private static final Path SHIPPED =
      Path.of("src", "main", "resources", "dev", "flinch", "device", "cuda", "ptx");

  /** Kinds of cards, each of which takes the newest PTX that is not newer than itself. */
  private static final List<Integer> CARDS = List.of(75, 80, 86, 89, 90);

  private static final Pattern KERNEL =
      Pattern.compile(
          "Compiling entry function '(\\w+)'.*?(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill loads.*?Used (\\d+) registers([^\n]*)",
          Pattern.DOTALL);
  private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");

  /** What the assembler says of one kernel for one card. */
  private record Usage(int registers, int spilledBytes, int stackBytes, int sharedBytes) {
    @Override
    public String toString() {
      return registers
          + (sharedBytes > 0 ? "/" + sharedBytes : "")
          + (stackBytes > 0 ? " stack " + stackBytes : "")
          + (spilledBytes > 0 ? " SPILLS " + spilledBytes : "");
    }
  }

  @BeforeAll
  static void unpack() throws IOException {
    Assumptions.assumeTrue(
        System.getProperty("os.name").equals("Linux")
            && System.getProperty("os.arch").equals("amd64"),
        "JCuda's libraries are for Linux on x86-64");
    Natives.unpack("JNvPTXCompiler");
  }

  private static List<Path> modules(int architecture) throws IOException {
    try (Stream<Path> files = Files.list(SHIPPED.resolve("sm_" + architecture))) {
      return files.filter(file -> file.toString().endsWith(".ptx")).sorted().toList();
    }
  }

  private static List<Integer> cards(int architecture) {
    return CARDS.stream()
        .filter(
            card ->
                KernelLibrary.ARCHITECTURES.stream().filter(a -> a <= card).findFirst().get()
                    == architecture)
        .toList();
  }

  private static String log(nvPTXCompilerHandle compiler, boolean ofErrors) {
    long[] size = new long[1];
    int code =
        ofErrors
            ? JNvPTXCompiler.nvPTXCompilerGetErrorLogSize(compiler, size)
            : JNvPTXCompiler.nvPTXCompilerGetInfoLogSize(compiler, size);
    assertEquals(nvPTXCompileResult.NVPTXCOMPILE_SUCCESS, code);
    byte[] log = new byte[(int) size[0] + 1];
    code =
        ofErrors
            ? JNvPTXCompiler.nvPTXCompilerGetErrorLog(compiler, log)
            : JNvPTXCompiler.nvPTXCompilerGetInfoLog(compiler, log);
    assertEquals(nvPTXCompileResult.NVPTXCOMPILE_SUCCESS, code);
    return new String(log, StandardCharsets.UTF_8).replace("\0", "");
  }

  /** The log of assembling a module; fails the test where it is refused. */
  private static String assemble(String name, String ptx, int card) {
    nvPTXCompilerHandle compiler = new nvPTXCompilerHandle();
    byte[] text = (ptx + "\0").getBytes(StandardCharsets.US_ASCII);
    assertEquals(
        nvPTXCompileResult.NVPTXCOMPILE_SUCCESS,
        JNvPTXCompiler.nvPTXCompilerCreate(compiler, text.length, text));
    try {
      String[] options = {"--gpu-name=sm_" + card, "--verbose"};
      int code = JNvPTXCompiler.nvPTXCompilerCompile(compiler, options.length, options);
      if (code != nvPTXCompileResult.NVPTXCOMPILE_SUCCESS) {
        throw new AssertionError(
            "%s for sm_%d: %s: %s"
                .formatted(name, card, nvPTXCompileResult.stringFor(code), log(compiler, true)));
      }
      return log(compiler, false);
    } finally {
      JNvPTXCompiler.nvPTXCompilerDestroy(compiler);
    }
  }

  private static Map<String, Usage> usages(String log) {
    Map<String, Usage> usages = new TreeMap<>();
    Matcher kernel = KERNEL.matcher(log);
    while (kernel.find()) {
      Matcher shared = SHARED.matcher(kernel.group(6));
      usages.put(
          kernel.group(1),
          new Usage(
              Integer.parseInt(kernel.group(5)),
              Integer.parseInt(kernel.group(3)) + Integer.parseInt(kernel.group(4)),
              Integer.parseInt(kernel.group(2)),
              shared.find() ? Integer.parseInt(shared.group(1)) : 0));
    }
    return usages;
  }

  @Test
  void everyShippedKernelIsAssembledForEveryCardWithoutSpills() throws IOException {
    List<String> table = new ArrayList<>();
    List<String> spills = new ArrayList<>();
    for (int architecture : KernelLibrary.ARCHITECTURES) {
      List<Integer> cards = cards(architecture);
      List<Path> modules = modules(architecture);
      assertFalse(modules.isEmpty(), "no PTX for sm_" + architecture);
      Map<String, List<Usage>> kernels = new TreeMap<>();
      modules.parallelStream()
          .map(module -> usages(module, cards))
          .toList()
          .forEach(kernels::putAll);
      table.add(
          row(
              "PTX for sm_" + architecture + ", registers/shared bytes on",
              cards.stream().map(card -> "sm_" + card).toList()));
      kernels.forEach(
          (kernel, usages) -> {
            table.add(row(kernel, usages));
            if (usages.stream().anyMatch(usage -> usage.spilledBytes() > 0)) {
              spills.add("%s, PTX for sm_%d: %s".formatted(kernel, architecture, usages));
            }
          });
    }
    System.out.println(String.join("\n", table));
    assertEquals(List.of(), spills);
  }

  private static String row(String name, List<?> cells) {
    return "%-44s".formatted(name)
        + cells.stream().map(" %14s"::formatted).collect(Collectors.joining());
  }

  /** For each kernel of a module, what it uses on each card. */
  private static Map<String, List<Usage>> usages(Path module, List<Integer> cards) {
    String name = module.getFileName().toString().replace(".ptx", "");
    String ptx;
    try {
      ptx = Files.readString(module);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Map<String, List<Usage>> kernels = new TreeMap<>();
    for (int card : cards) {
      Map<String, Usage> usages = usages(assemble(name, ptx, card));
      assertEquals(Signature.of(ptx).keySet(), usages.keySet(), name + " for sm_" + card);
      usages.forEach(
          (kernel, usage) ->
              kernels.computeIfAbsent(name + "." + kernel, k -> new ArrayList<>()).add(usage));
    }
    return kernels;
  }

  @Test
  void newerCardsHaveEveryKernelThatOlderOnesHave() throws IOException {
    for (Path older : modules(75)) {
      Path newer = SHIPPED.resolve("sm_80").resolve(older.getFileName());
      Map<String, Signature> kernels = Signature.of(Files.readString(newer));
      Signature.of(Files.readString(older))
          .forEach((name, signature) -> assertEquals(signature, kernels.get(name), name));
    }
  }

  @Test
  void everyDriverFrom525OnTakesWhatIsShipped() throws IOException {
    for (int architecture : KernelLibrary.ARCHITECTURES) {
      for (Path module : modules(architecture)) {
        String ptx = Files.readString(module);
        assertTrue(ptx.contains(".version 7.8\n"), module + ": another PTX ISA than 7.8");
        assertTrue(ptx.contains(".target sm_" + architecture + "\n"), module + ": another target");
        assertFalse(
            Pattern.compile("^\\.extern \\.func", Pattern.MULTILINE).matcher(ptx).find(),
            module + ": calls a function that is not there");
      }
    }
  }
}
