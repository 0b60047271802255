package dev.flinch.sweep;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.DataSet;
import dev.flinch.device.Device;
import dev.flinch.device.OutOfDeviceMemoryException;
import dev.flinch.experiment.Checkpoint;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.StackState;
import dev.flinch.experiment.StackWork;
import dev.flinch.experiment.StudyData;
import dev.flinch.experiment.StudyExamples;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkFile;
import dev.flinch.store.NetworkRow;
import dev.flinch.training.Augmentation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
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

  private final SweepFolder folder;
  private final boolean keepsWeights;
  private final Path dataDirectory;
  private final Map<String, String> checksums;
  private final Device device;
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
   * @param folder where checkpoints are, and weights
   * @param keepsWeights whether trained networks are written to files
   * @param checksums of the data files that the sweep began with, as {@link SweepWork#checksums}
   * @param device not closed here
   */
  public StackWorker(
      SweepFolder folder,
      boolean keepsWeights,
      Path dataDirectory,
      Map<String, String> checksums,
      Device device) {
    this.folder = folder;
    this.keepsWeights = keepsWeights;
    this.dataDirectory = dataDirectory;
    this.checksums = checksums;
    this.device = device;
  }

  /**
   * Trains and measures networks together, from their checkpoint if there is one.
   *
   * @param progress hears of every training step; what it throws ends the work
   * @return a row for each, in their order
   * @throws OutOfDeviceMemoryException if the device has no room for so many at once
   * @throws RequestException if data are missing here, or not those that the sweep began with; or
   *     if a checkpoint cannot be written
   */
  public List<NetworkRow> work(StackRequest request, Progress progress) {
    long started = System.nanoTime();
    try {
      return attempt(request, progress);
    } catch (OutOfDeviceMemoryException | OutOfMemoryError e) {
      if (loaded.size() < 2) {
        throw e;
      }
      // Images of other stacks took memory too.
      close();
      return attempt(request, progress);
    } finally {
      seconds += (System.nanoTime() - started) / 1e9;
    }
  }

  /** Deletes the checkpoint of networks whose rows are in the store. */
  void forget(List<String> identities) {
    folder.discard(folder.checkpoint(identities));
  }

  /** How long it has worked in all. */
  public double seconds() {
    return seconds;
  }

  private List<NetworkRow> attempt(StackRequest request, Progress progress) {
    long started = System.nanoTime();
    List<String> identities = request.identities();
    List<Configuration> networks = request.networks();
    Loaded images = load(request.configuration());
    StackWork stack =
        new StackWork(
            request.configuration(),
            images.data(),
            images.examples(),
            request.stack(),
            device,
            progress);
    Path checkpoint = folder.checkpoint(identities);
    StackWork.Done done =
        stack.complete(begun(checkpoint), saving(request.configuration(), checkpoint));
    if (keepsWeights) {
      write(images.data().architecture(request.stack()), identities, done.state());
    }
    double seconds = (System.nanoTime() - started) / 1e9 / identities.size();
    return IntStream.range(0, identities.size())
        .mapToObj(
            r ->
                NetworkRows.of(
                    networks.get(r), done.results().get(r), images.data(), seconds, device))
        .toList();
  }

  private static StackState begun(Path checkpoint) {
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
  private Consumer<StackState> saving(Configuration configuration, Path checkpoint) {
    long interval = configuration.training().checkpointSeconds() * 1_000_000_000L;
    long[] saved = {System.nanoTime()};
    return state -> {
      if (System.nanoTime() - saved[0] >= interval) {
        folder.write(checkpoint, file -> new Checkpoint(0, state, List.of()).write(file));
        saved[0] = System.nanoTime();
      }
    };
  }

  private void write(Architecture architecture, List<String> identities, StackState state) {
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
      requireSame(data.dataSet());
      there = new Loaded(data, StudyExamples.of(configuration, data, device));
      loaded.put(material, there);
    }
    return there;
  }

  /** Refuses files that differ from those of the sweep's other workers. */
  private void requireSame(DataSet data) {
    Map<String, String> here = SweepWork.checksums(data);
    Map<String, String> expected = new TreeMap<>(checksums);
    expected.keySet().retainAll(here.keySet());
    if (!expected.equals(here)) {
      throw new RequestException(
          "%s: other data files than those that the sweep began with: expected SHA-256 %s, found %s; copy those to this machine"
              .formatted(dataDirectory, expected, here));
    }
  }

  /** Gives the device's memory back. */
  @Override
  public void close() {
    loaded.values().forEach(images -> images.examples().close());
    loaded.clear();
  }
}
