package dev.flinch.bench;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * How fast each operation is on this machine, beside the rate of its matrix products.
 *
 * @param device what computed
 * @param images what the networks were shown: mnist or random
 * @param gemmGflops the best rate of {@code gemm}, the ceiling of all jobs
 * @param gemmShape the shape that reached it
 * @param gemm rates of products of several shapes
 * @param copy the rate of the device's memory, the other ceiling
 */
public record Benchmark(
    String device,
    String images,
    double gemmGflops,
    String gemmShape,
    List<GemmRate> gemm,
    CopyRate copy,
    List<Result> jobs) {
  private static final List<Job> JOBS =
      List.of(
          new TransitionsJob(),
          ExactJob.transitions(),
          new TrajectoryNormsJob(),
          ExactJob.norms(),
          ExactJob.translations(),
          new JacobianJob(20, 200),
          new JacobianJob(3, 1000),
          new RegionsJob(),
          new StiffnessJob(500),
          new StiffnessJob(10_000),
          new EpochJob(1, 20, 200),
          new EpochJob(1, 3, 1000),
          new EpochJob(8, 5, 100),
          new EpochJob(128, 20, 200));

  /**
   * One job.
   *
   * @param seconds the median of its repeats, as {@link Device#seconds} takes them
   * @param flop multiplications and additions in matrix products; 0, like what follows of it, where
   *     they depend on what the job finds
   * @param gflops 10⁹ of them a second
   * @param fractionOfGemm {@code gflops} by the rate of products, the first ceiling
   * @param bytes of memory that its operations beside products must move; a pass that stays on chip
   *     moves hardly any
   * @param fractionOfCopy what it moved of them a second by the rate of {@code copy}, the other
   *     ceiling; below it by what products, latency and launches took, above it where caches serve
   * @param deviceBytes the most that was allocated on the device
   * @param processBytes the most memory that the process held meanwhile, or null where the system
   *     doesn't say
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Result(
      String name,
      double seconds,
      double flop,
      double gflops,
      double fractionOfGemm,
      double bytes,
      double fractionOfCopy,
      long deviceBytes,
      Long processBytes) {}

  /** The names of all jobs. */
  public static List<String> names() {
    return JOBS.stream().map(Job::name).toList();
  }

  /** The peers' job that answers the same question as one of these; null for none. */
  public static String peer(String name) {
    return JOBS.stream()
        .filter(job -> job.name().equals(name))
        .map(Job::peer)
        .filter(Objects::nonNull)
        .findFirst()
        .orElse(null);
  }

  /**
   * Checks the answers of jobs, then times them.
   *
   * @param names which jobs, or none for all that the device is fast enough for
   * @param repeats timed runs of each, after one that isn't timed
   * @throws RequestException for a name that there is not
   * @throws WrongAnswerException before anything is timed, if an answer is wrong
   */
  public static Benchmark run(
      Device device, Path dataDirectory, Collection<String> names, int repeats, Progress progress) {
    List<Job> jobs = choose(names, device);
    if (repeats < 1) {
      throw new RequestException("repeats: expected 1 or more, found " + repeats);
    }
    BenchData data = BenchData.find(dataDirectory);
    for (int i = 0; i < jobs.size(); i++) {
      progress.report("checking answers", i, jobs.size());
      jobs.get(i).check(device, data);
    }
    progress.report("checking answers", jobs.size(), jobs.size());
    // Before and after the jobs: a machine that slows down or is shared shows in either.
    List<GemmRate> before = GemmRate.several(device);
    List<Timing> timings = new ArrayList<>();
    for (Job job : jobs) {
      timings.add(time(job, device, data, repeats, progress));
    }
    List<GemmRate> after = GemmRate.several(device);
    List<GemmRate> rates =
        IntStream.range(0, before.size())
            .mapToObj(
                i -> Stream.of(before.get(i), after.get(i)).max(GemmRate.BY_RATE).orElseThrow())
            .toList();
    CopyRate copy = CopyRate.measure(device);
    GemmRate best = rates.stream().max(GemmRate.BY_RATE).orElseThrow();
    return new Benchmark(
        device.description(),
        data.source(),
        best.gflops(),
        best.shape(),
        rates,
        copy,
        timings.stream().map(timing -> timing.beside(best, copy)).toList());
  }

  private static List<Job> choose(Collection<String> names, Device device) {
    for (String name : names) {
      if (!names().contains(name)) {
        throw new RequestException(
            "unknown job '%s': expected one of %s".formatted(name, String.join(", ", names())));
      }
    }
    return JOBS.stream()
        .filter(job -> names.isEmpty() ? job.runsUnasked(device) : names.contains(job.name()))
        .collect(Collectors.toList());
  }

  private static Timing time(
      Job job, Device device, BenchData data, int repeats, Progress progress) {
    AtomicLong deviceBytes = new AtomicLong();
    AtomicLong processBytes = new AtomicLong();
    Progress watch =
        (task, done, total) -> {
          deviceBytes.accumulateAndGet(device.liveBytes(), Math::max);
          processBytes.accumulateAndGet(residentBytes(), Math::max);
        };
    try (Job.Run run = job.prepare(device, data)) {
      progress.report(job.name(), 0, repeats + 1);
      run.time(watch);
      AtomicLong done = new AtomicLong();
      double seconds =
          GemmRate.median(
              repeats,
              () -> {
                progress.report(job.name(), done.incrementAndGet(), repeats + 1);
                return run.time(Progress.NONE);
              });
      progress.report(job.name(), repeats + 1, repeats + 1);
      return new Timing(
          job, seconds, deviceBytes.get(), processBytes.get() > 0 ? processBytes.get() : null);
    }
  }

  private record Timing(Job job, double seconds, long deviceBytes, Long processBytes) {
    Result beside(GemmRate gemm, CopyRate copy) {
      double gflops = job.flop() / seconds / 1e9;
      return new Result(
          job.name(),
          seconds,
          job.flop(),
          gflops,
          gflops / gemm.gflops(),
          job.bytes(),
          job.bytes() / seconds / 1e9 / copy.gigabytes(),
          deviceBytes,
          processBytes);
    }
  }

  /** What the process holds of the machine's memory, where Linux says so, else 0. */
  private static long residentBytes() {
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) {
      return 0;
    }
    try {
      return Files.readAllLines(status).stream()
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
          .findFirst()
          .orElse(0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
