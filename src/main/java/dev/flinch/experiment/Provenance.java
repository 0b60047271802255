package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.device.Device;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Where the numbers of a run folder come from: everything that may differ between two runs of one
 * configuration.
 *
 * @param flinch version of the program
 * @param seed keys what all networks share
 * @param networkSeeds one network each
 * @param openblasCoretype what the environment makes OpenBLAS take the processor for, where it does
 * @param dataChecksums SHA-256 of every data file
 * @param deviceDescription with what multiplies matrices on it; on a card, which kernels too
 * @param stacks how many networks were trained together, a number for each stack
 * @param started when this process began, UTC
 * @param finished when the run was done; null while it is not
 * @param seconds that this process spent on each phase, up to its last checkpoint
 * @param interrupted the processes that began this run and did not end it, the first one first
 */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
record Provenance(
    String flinch,
    long seed,
    List<Long> networkSeeds,
    String device,
    String deviceDescription,
    String java,
    String os,
    int processors,
    String openblasCoretype,
    String dataset,
    Map<String, String> dataChecksums,
    List<Integer> stacks,
    String started,
    String finished,
    Map<String, Double> seconds,
    List<Provenance> interrupted) {
  Provenance {
    interrupted = interrupted == null ? List.of() : List.copyOf(interrupted);
    dataChecksums = dataChecksums == null ? Map.of() : new TreeMap<>(dataChecksums);
  }

  /** Of a process that begins now. */
  static Provenance now(
      Configuration configuration, StudyData data, Device device, List<Integer> stacks) {
    return new Provenance(
        FlinchVersion.current(),
        configuration.seed(),
        configuration.networks().seeds(),
        device.name(),
        device.description(),
        "%s %s".formatted(System.getProperty("java.vm.name"), Runtime.version()),
        Stream.of("os.name", "os.version", "os.arch")
            .map(System::getProperty)
            .collect(Collectors.joining(" ")),
        Runtime.getRuntime().availableProcessors(),
        System.getenv("OPENBLAS_CORETYPE"),
        data.dataSet().name(),
        data.dataSet().checksums(),
        stacks,
        time(),
        null,
        null,
        null);
  }

  /** The same with other stacks, where those could not be held in the device's memory. */
  Provenance with(List<Integer> otherStacks) {
    return new Provenance(
        flinch,
        seed,
        networkSeeds,
        device,
        deviceDescription,
        java,
        os,
        processors,
        openblasCoretype,
        dataset,
        dataChecksums,
        otherStacks,
        started,
        finished,
        seconds,
        interrupted);
  }

  static String time() {
    return Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
  }

  /** This process, going on with a run that others began. */
  Provenance after(Provenance last) {
    List<Provenance> before =
        Stream.concat(
                last.interrupted.stream(), Stream.of(last.with(last.finished, last.seconds, null)))
            .toList();
    return with(finished, seconds, before);
  }

  Provenance with(String end, Map<String, Double> spent, List<Provenance> before) {
    return new Provenance(
        flinch,
        seed,
        networkSeeds,
        device,
        deviceDescription,
        java,
        os,
        processors,
        openblasCoretype,
        dataset,
        dataChecksums,
        stacks,
        started,
        end,
        spent,
        before);
  }
}
