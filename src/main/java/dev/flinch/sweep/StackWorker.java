package dev.flinch.sweep;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.device.OutOfDeviceMemoryException;
import dev.flinch.experiment.Checkpoint;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.StackWork;
import dev.flinch.experiment.StudyData;
import dev.flinch.experiment.StudyExamples;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkFile;
import dev.flinch.store.NetworkRow;
import dev.flinch.training.Augmentation;
import dev.flinch.training.TrainerState;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trains and measures stacks of a sweep on one device, for whoever schedules them. Images stay on
 * the device from one stack to the next. Not for several threads at once.
 */
public final class StackWorker implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(StackWorker.class);

  /** Sets of images that are kept on the device. */
  private static final int MOST_LOADED = 3;

  private final SweepPlan plan;
  private final SweepFolder folder;
  private final Path dataDirectory;
  private final Device device;

  private final boolean keepsWeights;
  private double seconds;

  /** The one used last comes last. */
  private final Map<Material, Loaded> loaded = new LinkedHashMap<>(16, 0.75f, true);

  /** What decides which images a stack needs, in which form. */
  private record Material(
      Configuration.Data data, long seed, Configuration.Measures measures, boolean pixels) {
    static Material of(Configuration configuration) {
      boolean pixels =
          configuration.training().augmentations().stream().anyMatch(a -> a != Augmentation.NONE);
      return new Material(
          configuration.data(), configuration.seed(), configuration.measures(), pixels);
    }
  }

  private record Loaded(StudyData data, StudyExamples examples) {}

  /**
   * @param keepsWeights whether trained networks are written to files
   * @param folder where those are, and checkpoints
   * @param device not closed here
   */
  public StackWorker(
      SweepPlan plan, boolean keepsWeights, SweepFolder folder, Path dataDirectory, Device device) {
    this.plan = plan;
    this.keepsWeights = keepsWeights;
    this.folder = folder;
    this.dataDirectory = dataDirectory;
    this.device = device;
  }

  /**
   * Trains and measures networks that the plan has put into one stack, from their checkpoint if
   * there is one.
   *
   * @param identities of all networks of the stack, or of a part
   * @param progress hears of every training step; what it throws ends the work
   * @return a row for each, in their order
   * @throws OutOfDeviceMemoryException if the device has no room for so many at once
   */
  public List<NetworkRow> work(List<String> identities, Progress progress) {
    long started = System.nanoTime();
    try {
      return attempt(identities, progress);
    } catch (OutOfDeviceMemoryException e) {
      if (loaded.size() < 2) {
        throw e;
      }
      // Images of other stacks took memory too.
      close();
      return attempt(identities, progress);
    } finally {
      seconds += (System.nanoTime() - started) / 1e9;
    }
  }

  /** Rows of networks that could not be trained or measured. */
  List<NetworkRow> failed(List<String> identities, String error) {
    return identities.stream()
        .map(identity -> NetworkRows.failed(plan.configuration(plan.indexOf(identity)), error))
        .toList();
  }

  /** Deletes the checkpoint of networks whose rows are in the store. */
  void forget(List<String> identities) {
    folder.discard(folder.checkpoint(identities));
  }

  /** How long it has worked in all. */
  public double seconds() {
    return seconds;
  }

  private List<NetworkRow> attempt(List<String> identities, Progress progress) {
    long started = System.nanoTime();
    StackRequest work = plan.request(identities);
    Loaded images = load(work.configuration());
    StackWork stack =
        new StackWork(
            work.configuration(), images.data(), images.examples(), work.stack(), device, progress);
    Path checkpoint = folder.checkpoint(identities);
    StackWork.Done done =
        stack.complete(begun(checkpoint), saving(work.configuration(), checkpoint));
    if (keepsWeights) {
      write(images.data().architecture(work.stack()), identities, done.state());
    }
    double seconds = (System.nanoTime() - started) / 1e9 / identities.size();
    return IntStream.range(0, identities.size())
        .mapToObj(
            r ->
                NetworkRows.of(
                    plan.configuration(plan.indexOf(identities.get(r))),
                    done.results().get(r),
                    images.data(),
                    seconds,
                    device))
        .toList();
  }

  private static TrainerState begun(Path checkpoint) {
    if (!Files.exists(checkpoint)) {
      return null;
    }
    try {
      return Checkpoint.read(checkpoint).state();
    } catch (RequestException e) {
      LOG.warn("{}\nThis stack is trained again from the start.", e.getMessage());
      return null;
    }
  }

  /** Writes a checkpoint where training has taken so long that it would be a pity to lose it. */
  private Consumer<TrainerState> saving(Configuration configuration, Path checkpoint) {
    long interval = configuration.training().checkpointSeconds() * 1_000_000_000L;
    long[] saved = {System.nanoTime()};
    return state -> {
      if (System.nanoTime() - saved[0] >= interval) {
        folder.write(checkpoint, file -> new Checkpoint(0, state, List.of()).write(file));
        saved[0] = System.nanoTime();
      }
    };
  }

  private void write(Architecture architecture, List<String> identities, TrainerState state) {
    Checkpoint finished = Checkpoint.finished(0, state, List.of());
    for (int r = 0; r < identities.size(); r++) {
      String identity = identities.get(r);
      var network = finished.network(architecture, identities.size(), r);
      folder.write(
          folder.weights(identity),
          file -> NetworkFile.write(file, Map.of(identity, network), Map.of()));
    }
  }

  private Loaded load(Configuration configuration) {
    Material material = Material.of(configuration);
    Loaded there = loaded.get(material);
    if (there == null) {
      if (loaded.size() == MOST_LOADED) {
        loaded.remove(loaded.keySet().iterator().next()).examples().close();
      }
      StudyData data = StudyData.load(configuration, dataDirectory);
      there = new Loaded(data, StudyExamples.of(configuration, data, device));
      loaded.put(material, there);
    }
    return there;
  }

  /** Gives the device's memory back. */
  @Override
  public void close() {
    loaded.values().forEach(images -> images.examples().close());
    loaded.clear();
  }
}
