package dev.flinch.experiment;

import dev.flinch.base.RequestException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A run that has ended, as its folder keeps it.
 *
 * @param networks in the configuration's order
 * @param provenance where its numbers come from, a line each, by what it says
 */
public record FinishedRun(
    Configuration configuration, List<NetworkResult> networks, Map<String, String> provenance) {

  /** Whether a folder is that of a run, finished or not. */
  public static boolean isRun(Path folder) {
    return Files.isRegularFile(folder.resolve(RunFolder.CONFIG))
        && Files.isRegularFile(folder.resolve(RunFolder.PROVENANCE));
  }

  /**
   * Reads the folder of a run.
   *
   * @throws RequestException if it isn't one, is damaged, or has not ended
   */
  public static FinishedRun read(Path folder) {
    Provenance origin = RunFolder.provenance(folder);
    if (origin.finished() == null) {
      throw new RequestException(
          folder + ": this run has not ended; flinch run … --resume goes on with it");
    }
    Map<String, String> lines = new LinkedHashMap<>();
    lines.put("Flinch", origin.flinch());
    lines.put("device", "%s: %s".formatted(origin.device(), origin.deviceDescription()));
    lines.put("Java", origin.java());
    lines.put("system", "%s, %d processors".formatted(origin.os(), origin.processors()));
    lines.put("began", origin.started());
    lines.put("ended", origin.finished());
    origin.dataChecksums().forEach((file, sum) -> lines.put("SHA-256 of " + file, sum));
    return new FinishedRun(
        Configurations.load(folder.resolve(RunFolder.CONFIG), List.of()),
        RunFolder.metrics(folder).networks(),
        lines);
  }
}
