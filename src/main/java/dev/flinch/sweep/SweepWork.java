package dev.flinch.sweep;

import dev.flinch.data.DataSet;
import dev.flinch.device.Device;
import dev.flinch.store.StoreLocation;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * A sweep that has begun in its store, and all that an engine needs to carry it out.
 *
 * @param folder where checkpoints and weights go
 * @param store where stacks are claimed and rows are written
 * @param dataDirectory where data sets are, on every machine that works on it
 * @param checksums SHA-256 of the data files that the sweep began with, by data set and file
 */
public record SweepWork(
    SweepPlan plan,
    SweepFolder folder,
    StoreLocation store,
    Path dataDirectory,
    Map<String, String> checksums,
    Sweep.Options options) {
  public SweepWork {
    store = store.afterAnswer();
    checksums = Map.copyOf(checksums);
  }

  /** What carries out stacks on a device of this process. */
  public StackWorker worker(Device device) {
    return new StackWorker(folder, options.keepWeights(), dataDirectory, checksums, device);
  }

  /** A data set's checksums, by data set and file. */
  static Map<String, String> checksums(DataSet data) {
    Map<String, String> checksums = new TreeMap<>();
    data.checksums().forEach((file, sum) -> checksums.put(data.name() + "/" + file, sum));
    return checksums;
  }
}
