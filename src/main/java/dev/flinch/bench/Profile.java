package dev.flinch.bench;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.device.cuda.CudaDevice;
import dev.flinch.device.cuda.ProfilingDriver;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.emulator.Counters;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Study;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * What each kernel of a study took on a card, or what it cost on the emulator.
 *
 * @param device what computed
 * @param seconds of the whole study, on a card longer than without being observed
 * @param ceilings of the card in this run; null on the emulator
 * @param times of kernels on a card, the longest first; null on the emulator
 * @param counts of kernels on the emulator, those of most instructions first; null on a card
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Profile(
    String device,
    double seconds,
    Ceilings ceilings,
    List<KernelTime> times,
    List<KernelCount> counts) {

  /**
   * What the card reached before the study, without being observed.
   *
   * @param gemm its best rate of float32 matrix products
   */
  public record Ceilings(GemmRate gemm, CopyRate copy) {
    /** The least seconds that work can take. */
    double seconds(Driver.Work work) {
      return Math.max(productSeconds(work), memorySeconds(work));
    }

    String binding(Driver.Work work) {
      return productSeconds(work) > memorySeconds(work) ? "products" : "memory";
    }

    private double productSeconds(Driver.Work work) {
      return work.flop() / (1e9 * gemm.gflops());
    }

    private double memorySeconds(Driver.Work work) {
      return work.bytes() / (1e9 * copy.gigabytes());
    }
  }

  /**
   * A kernel on a card. What isn't known of it is null: the work of kernels that don't announce it,
   * and what a library's kernels take of a multiprocessor.
   *
   * @param name module.entry, by which Nsight shows it too, or a library's function
   * @param seconds of all launches, between events before and after each
   * @param medianSeconds of one launch
   * @param gflops 10⁹ multiplications and additions of the operation's definition a second
   * @param gigabytes 10⁹ bytes of its operands and results a second, each counted once
   * @param binding which ceiling it would meet first: products or memory
   * @param fraction of that ceiling
   * @param registers of a thread
   * @param staticSharedBytes of a block
   * @param occupancy how full of its largest launch's blocks a multiprocessor can be
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record KernelTime(
      String name,
      long launches,
      double seconds,
      double medianSeconds,
      Double gflops,
      Double gigabytes,
      String binding,
      Double fraction,
      Integer registers,
      Integer staticSharedBytes,
      Double occupancy) {

    static KernelTime of(String name, ProfilingDriver.Timing timing, Ceilings ceilings) {
      double seconds = timing.milliseconds() / 1e3;
      Driver.Work work = timing.work();
      boolean known = work != null && seconds > 0;
      return new KernelTime(
          name,
          timing.launches(),
          seconds,
          timing.medianMilliseconds() / 1e3,
          known ? work.flop() / seconds / 1e9 : null,
          known ? work.bytes() / seconds / 1e9 : null,
          known ? ceilings.binding(work) : null,
          known ? ceilings.seconds(work) / seconds : null,
          orNull(timing.registers()),
          orNull(timing.staticSharedBytes()),
          orNull(timing.occupancy()));
    }

    private static Integer orNull(OptionalInt value) {
      return value.isPresent() ? value.getAsInt() : null;
    }

    private static Double orNull(OptionalDouble value) {
      return value.isPresent() ? value.getAsDouble() : null;
    }
  }

  /**
   * A kernel on the emulator.
   *
   * @param threadInstructions carried out by threads
   * @param flop floating-point operations that it made, as {@link Counters#flops}
   * @param loadedBytes that threads asked global memory for
   * @param loadEfficiency those by the bytes of the sectors touched; null where nothing was loaded
   * @param storedBytes to global memory
   * @param storeEfficiency the same of stores
   * @param bankConflicts cycles lost to them
   * @param divergentBranches at which a warp's lanes parted
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record KernelCount(
      String name,
      long launches,
      long threadInstructions,
      long flop,
      long loadedBytes,
      Double loadEfficiency,
      long storedBytes,
      Double storeEfficiency,
      long bankConflicts,
      long divergentBranches) {

    static KernelCount of(String name, Counters c) {
      return new KernelCount(
          name,
          c.launches(),
          c.allThreadInstructions(),
          c.flops(),
          c.globalLoadBytes(),
          c.globalLoadSectors() == 0 ? null : c.loadEfficiency(),
          c.globalStoreBytes(),
          c.globalStoreSectors() == 0 ? null : c.storeEfficiency(),
          c.bankConflicts(),
          c.divergentBranches());
    }
  }

  /**
   * Refuses a device that launches no kernels.
   *
   * @throws RequestException saying which do
   */
  private static void requireKernels(Device device) {
    if (!(device instanceof CudaDevice)) {
      throw new RequestException(
          "profile: %s (%s) launches no kernels; --device cuda times them on a card, --device emulator counts what they cost"
              .formatted(device.name(), device.description()));
    }
  }

  /**
   * Carries out a study in a temporary folder, which is deleted, and observes its kernels.
   *
   * @param device was opened with the observer around its driver
   * @throws RequestException for a device without kernels, and as {@link Study#run}
   */
  public static Profile of(
      Configuration study,
      Device device,
      LaunchObserver observer,
      Path dataDirectory,
      Progress progress)
      throws IOException {
    requireKernels(device);
    boolean onCard = observer.card() != null;
    Ceilings ceilings =
        onCard ? new Ceilings(GemmRate.best(device), CopyRate.measure(device)) : null;
    if (onCard) {
      observer.card().start();
    } else {
      observer.emulator().resetCounters();
    }
    long started = System.nanoTime();
    Path folder = Files.createTempDirectory("flinch-profile");
    try {
      Study.run(study, device, dataDirectory, folder.resolve("run"), false, progress);
    } finally {
      delete(folder);
    }
    device.finish();
    double seconds = (System.nanoTime() - started) / 1e9;
    return new Profile(
        device.description(),
        seconds,
        ceilings,
        onCard ? times(observer.card(), ceilings) : null,
        onCard
            ? null
            : observer.emulator().counters().entrySet().stream()
                .map(kernel -> KernelCount.of(kernel.getKey(), kernel.getValue()))
                .sorted(Comparator.comparingLong(KernelCount::threadInstructions).reversed())
                .toList());
  }

  private static List<KernelTime> times(ProfilingDriver card, Ceilings ceilings) {
    return card.timings().entrySet().stream()
        .map(kernel -> KernelTime.of(kernel.getKey(), kernel.getValue(), ceilings))
        .sorted(Comparator.comparingDouble(KernelTime::seconds).reversed())
        .toList();
  }

  private static void delete(Path folder) throws IOException {
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path emptied, IOException failure)
              throws IOException {
            if (failure != null) {
              throw failure;
            }
            Files.delete(emptied);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
