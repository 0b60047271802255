package dev.flinch.experiment;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceLostException;
import dev.flinch.device.OutOfDeviceMemoryException;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import dev.flinch.report.Figure;
import dev.flinch.training.EpochRecord;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out a configuration: trains its networks a stack at a time, measures them, and keeps
 * everything in a run folder. A run that was interrupted, by whatever means, goes on from its last
 * checkpoint and ends with the same bytes as one that was not, {@code provenance.json} aside.
 */
public final class Study {
  private static final Logger LOG = LoggerFactory.getLogger(Study.class);

  private final Configuration configuration;
  private final Device device;
  private final StudyData data;
  private final Progress progress;
  private final RunFolder folder;
  private Provenance provenance;
  private final Map<String, Double> seconds = new LinkedHashMap<>();
  private long lapStarted;

  private Study(
      Configuration configuration,
      Device device,
      StudyData data,
      Progress progress,
      RunFolder folder,
      Provenance provenance,
      long started) {
    this.configuration = configuration;
    this.device = device;
    this.data = data;
    this.progress = progress;
    this.folder = folder;
    this.provenance = provenance;
    this.lapStarted = started;
    lap("data");
  }

  /**
   * Runs a study from the start, or goes on with it.
   *
   * @param runFolder where results go; with {@code resume} the folder of a run of the same
   *     configuration, else nothing may be there
   * @param resume go on from the last checkpoint; a finished run is left as it is
   * @throws RequestException if the configuration asks more than the data or the memory has, the
   *     folder is not as said above, or it cannot be written; nothing is written unless the request
   *     can be carried out, as far as can be told before the device's memory is full
   * @throws DeviceLostException if the device no longer answers; the run can go on from its last
   *     checkpoint in another process
   */
  public static StudyResult run(
      Configuration configuration,
      Device device,
      Path dataDirectory,
      Path runFolder,
      boolean resume,
      Progress progress) {
    return run(
        configuration, device, dataDirectory, runFolder, resume, progress, mostStackBytes(device));
  }

  /**
   * @param mostBytes memory that the buffers of one stack may take together, where it has more than
   *     one network
   */
  static StudyResult run(
      Configuration configuration,
      Device device,
      Path dataDirectory,
      Path runFolder,
      boolean resume,
      Progress progress,
      long mostBytes) {
    long started = System.nanoTime();
    if (resume) {
      Provenance last = RunFolder.requireRunOf(runFolder, configuration);
      if (last.finished() != null) {
        return alreadyFinished(runFolder, configuration);
      }
    } else {
      RunFolder.requireAbsent(runFolder);
    }
    StudyData data = StudyData.load(configuration, dataDirectory);
    if (!resume) {
      Provenance provenance =
          Provenance.now(configuration, data, device, stackSizes(configuration, data, mostBytes));
      try (RunFolder folder = RunFolder.create(runFolder, configuration, provenance)) {
        return new Study(configuration, device, data, progress, folder, provenance, started)
            .complete();
      }
    }
    try (RunFolder folder = RunFolder.open(runFolder)) {
      // Read again: whoever held the lock may have finished the run meanwhile.
      Provenance last = RunFolder.requireRunOf(runFolder, configuration);
      if (last.finished() != null) {
        folder.tidy();
        return alreadyFinished(runFolder, configuration);
      }
      requireSameData(runFolder, last, data);
      Provenance provenance =
          Provenance.now(configuration, data, device, last.stacks()).after(last);
      return new Study(configuration, device, data, progress, folder, provenance, started)
          .complete();
    }
  }

  /**
   * The run folder where none is asked for: {@code runs/NAME} after the configuration's file, with
   * {@code -2}, {@code -3}, … where that is taken.
   *
   * @param resume to choose the last one that is taken
   */
  public static Path defaultFolder(Path configurationFile, boolean resume) {
    String name = configurationFile.getFileName().toString().replaceFirst("(?i)\\.json$", "");
    Path last = null;
    for (int i = 1; ; i++) {
      Path next = Path.of("runs", i == 1 ? name : name + "-" + i);
      if (!Files.exists(next)) {
        return resume && last != null ? last : next;
      }
      last = next;
    }
  }

  private static StudyResult alreadyFinished(Path runFolder, Configuration configuration) {
    List<NetworkResult> networks = RunFolder.metrics(runFolder).networks();
    return new StudyResult(runFolder, true, networks, StudyReport.summary(configuration, networks));
  }

  private static void requireSameData(Path runFolder, Provenance last, StudyData data) {
    Map<String, String> now = data.dataSet().checksums();
    if (!last.dataChecksums().equals(now)) {
      throw new RequestException(
          "%s: began with other data files of %s: expected SHA-256 %s, found %s; point --data-dir to those, or begin a new run with another --out"
              .formatted(runFolder, data.dataSet().name(), last.dataChecksums(), now));
    }
  }

  /**
   * What the buffers of a stack may take together: half of what the device has free, but not more
   * than half of what Java may copy it to.
   */
  public static long mostStackBytes(Device device) {
    return Math.min(device.freeBytes() / 2, Runtime.getRuntime().maxMemory() / 2);
  }

  /** Cuts each architecture's networks into stacks of a bounded size, as equal as can be. */
  private static List<Integer> stackSizes(
      Configuration configuration, StudyData data, long mostBytes) {
    int images = data.splits().train().count();
    List<Integer> sizes = new ArrayList<>();
    for (Stack stack : configuration.stacks()) {
      Architecture architecture = data.architecture(stack);
      int largest =
          IntStream.range(0, architecture.depth())
              .map(l -> Math.multiplyExact(architecture.rows(l), architecture.columns(l)))
              .max()
              .orElseThrow();
      // A checkpoint holds a layer of a whole stack in one array.
      long most =
          Math.max(
              1,
              Math.min(
                  mostBytes / StackWork.bytes(configuration, architecture, images),
                  Integer.MAX_VALUE / largest));
      int networks = stack.replicas().size();
      int stacks = (int) ((networks + most - 1) / most);
      for (int i = 0; i < stacks; i++) {
        sizes.add((int) ((i + 1L) * networks / stacks - (long) i * networks / stacks));
      }
    }
    return List.copyOf(sizes);
  }

  private void lap(String phase) {
    long now = System.nanoTime();
    seconds.merge(phase, (now - lapStarted) / 1_000_000 / 1e3, Double::sum);
    lapStarted = now;
  }

  private List<Stack> stacks() {
    Iterator<Replica> replicas =
        configuration.stacks().stream().flatMap(s -> s.replicas().stream()).iterator();
    return provenance.stacks().stream()
        .map(size -> new Stack(IntStream.range(0, size).mapToObj(i -> replicas.next()).toList()))
        .toList();
  }

  private StudyResult complete() {
    folder.write(provenance);
    try {
      trainAndMeasure();
      return report();
    } catch (DeviceLostException e) {
      throw new DeviceLostException(
          "%s%n%s holds all work up to the last checkpoint: go on with --resume once the device answers again, or on another --device"
              .formatted(e.getMessage(), folder.path()),
          e);
    }
  }

  /** Writes what a finished run keeps, once every stack's file is there. */
  private StudyResult report() {
    List<Stack> stacks = stacks();
    Map<String, Network> networks = new LinkedHashMap<>();
    List<NetworkResult> measured = new ArrayList<>();
    Map<String, List<EpochRecord>> histories = new LinkedHashMap<>();
    for (int i = 0; i < stacks.size(); i++) {
      List<Replica> replicas = stacks.get(i).replicas();
      Checkpoint finished = Checkpoint.read(folder.finished(i));
      measured.addAll(finished.results());
      for (int r = 0; r < replicas.size(); r++) {
        String id = replicas.get(r).id();
        networks.put(id, finished.network(data.architecture(stacks.get(i)), replicas.size(), r));
        int replica = r;
        histories.put(
            id,
            finished.state().trainer().history().stream()
                .filter(e -> e.replica() == replica)
                .toList());
      }
    }
    List<NetworkResult> results = mapRegions(networks, measured);
    lap("measures");
    Path weights = folder.path().resolve(RunFolder.WEIGHTS);
    folder.write(weights, file -> NetworkFile.write(file, networks, Map.of()));
    folder.writeText(RunFolder.HISTORY, csv(histories));
    if (configuration.measures().stiffness() != null) {
      folder.writeText(RunFolder.STIFFNESS, StiffnessTable.csv(results));
    }
    StudyReport.figures(configuration, data, results, histories).forEach(this::write);
    folder.writeText(
        RunFolder.METRICS,
        Json.text(new StudyMetrics(configuration.title(), data.dataSet().name(), results)));
    lap("report");
    folder.write(provenance.with(Provenance.time(), seconds, provenance.interrupted()));
    folder.tidy();
    return new StudyResult(
        folder.path(), false, List.copyOf(results), StudyReport.summary(configuration, results));
  }

  private void write(String name, Figure figure) {
    folder.write(folder.path().resolve(RunFolder.FIGURES).resolve(name), figure::write);
  }

  /**
   * Maps the regions of those networks that are to be mapped, and draws each map at once: its
   * pixels are not kept. Maps follow from the weights, so a run that is interrupted here makes them
   * again.
   *
   * @param networks by id
   * @return the results, with the regions of these networks
   */
  private List<NetworkResult> mapRegions(
      Map<String, Network> networks, List<NetworkResult> results) {
    List<Configuration.Regions> asked = configuration.measures().regions();
    List<Long> seeds = configuration.networks().seeds();
    List<NetworkResult> mapped = new ArrayList<>();
    for (NetworkResult result : results) {
      List<RegionResult> regions = new ArrayList<>();
      for (int p = 0; p < asked.size() && result.isTrained(); p++) {
        if (seeds.indexOf(result.seed()) < asked.get(p).networks()) {
          RegionMeasurement map = mapRegions(networks.get(result.id()), result, p);
          StudyReport.figures(configuration, result, p, map).forEach(this::write);
          regions.add(map.result().ofPlane(p + 1));
        }
      }
      mapped.add(regions.isEmpty() ? result : result.withRegions(regions));
    }
    return mapped;
  }

  private RegionMeasurement mapRegions(Network network, NetworkResult result, int plane) {
    Configuration.Regions asked = configuration.measures().regions().get(plane);
    Optional<Network> before =
        asked.before()
            ? Optional.of(
                Network.initial(network.architecture(), result.seed(), result.initScale()))
            : Optional.empty();
    try {
      return RegionMeasurement.of(
          network,
          before,
          data.dataSet().train(),
          data.planes().get(plane).anchors(),
          new RegionMeasurement.View(asked.size(), asked.layer().toString(), false),
          device,
          progress);
    } catch (OutOfDeviceMemoryException e) {
      throw new RequestException(
          "mapping the regions of %s doesn't fit into the device's memory: %s; %s holds all trained networks: go on with --resume on another --device"
              .formatted(result.id(), e.getMessage(), folder.path()),
          e);
    }
  }

  private static String csv(Map<String, List<EpochRecord>> histories) {
    StringBuilder csv = new StringBuilder("network,epoch,step,loss,accuracy\n");
    histories.forEach(
        (id, epochs) ->
            epochs.forEach(
                e ->
                    csv.append(
                        "%s,%d,%d,%s,%s\n"
                            .formatted(id, e.epoch(), e.step(), e.loss(), e.accuracy()))));
    return csv.toString();
  }

  /** Does what is not done yet; each finished stack leaves its file in the folder. */
  private void trainAndMeasure() {
    Checkpoint begun =
        Files.exists(folder.checkpoint()) ? Checkpoint.read(folder.checkpoint()) : null;
    try (StudyExamples examples = StudyExamples.of(configuration, data, device)) {
      lap("data");
      for (int i = 0; i < provenance.stacks().size(); i++) {
        while (!Files.exists(folder.finished(i))) {
          Checkpoint from = begun != null && begun.stack() == i ? begun : null;
          try {
            complete(i, examples, from);
          } catch (OutOfDeviceMemoryException e) {
            split(i, e);
            begun = null;
          }
        }
      }
    } catch (OutOfDeviceMemoryException e) {
      throw new RequestException(
          "the images don't fit into the device's memory: %s; ask for fewer (data.train, data.test), or for another --device"
              .formatted(e.getMessage()),
          e);
    }
  }

  private void complete(int index, StudyExamples examples, Checkpoint from) {
    StackWork work =
        new StackWork(configuration, data, examples, stacks().get(index), device, progress);
    StackWork.Done done;
    try {
      done =
          work.complete(
              from == null ? null : from.state(),
              state -> {
                folder.write(
                    folder.checkpoint(),
                    file -> new Checkpoint(index, state, List.of()).write(file));
                lap("training");
                folder.write(provenance.with(null, seconds, provenance.interrupted()));
              });
    } catch (StackWork.OtherStateException e) {
      throw new RequestException(
          "%s: %s; delete it, and --resume trains this stack again from the start"
              .formatted(folder.checkpoint(), e.getMessage()),
          e);
    }
    folder.write(
        folder.finished(index),
        file -> Checkpoint.finished(index, done.state(), done.results()).write(file));
    lap("measures");
  }

  /**
   * Makes two stacks of one that the device has no memory for. Its networks are trained again from
   * the start, as are those of later stacks that were finished, since the numbers of these change;
   * they end with the same bits. Files go before the provenance changes, so that whoever resumes
   * never finds those of other stacks.
   */
  private void split(int index, OutOfDeviceMemoryException reason) {
    List<Integer> sizes = provenance.stacks();
    int size = sizes.get(index);
    Stack stack = stacks().get(index);
    if (size == 1) {
      throw new RequestException(
          "network %s doesn't fit into the device's memory by itself: training takes about %,d bytes beside the images, measuring some too, and %s; ask for a smaller network or training.batchSize, or for another --device"
              .formatted(
                  stack.replicas().get(0).id(),
                  StackWork.bytes(
                      configuration, data.architecture(stack), data.splits().train().count()),
                  reason.getMessage()),
          reason);
    }
    List<Path> stale = new ArrayList<>(List.of(folder.checkpoint()));
    for (int i = index + 1; i < sizes.size(); i++) {
      stale.add(folder.finished(i));
    }
    folder.delete(stale);
    List<Integer> smaller = new ArrayList<>(sizes);
    smaller.set(index, size / 2);
    smaller.add(index + 1, size - size / 2);
    provenance = provenance.with(smaller);
    folder.write(provenance.with(null, seconds, provenance.interrupted()));
    LOG.info(
        "{}: {} networks at once don't fit, going on with {}", reason.getMessage(), size, size / 2);
  }
}
