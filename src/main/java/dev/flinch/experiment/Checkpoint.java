package dev.flinch.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.flinch.base.RequestException;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.Safetensors;
import dev.flinch.network.Safetensors.Tensor;
import dev.flinch.training.EpochRecord;
import dev.flinch.training.Outcome;
import dev.flinch.training.TrainerState;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;

/**
 * A stack between two steps, or after training and measuring.
 *
 * @param stack which of the run's
 * @param state the trainer's; of a finished stack only what its results need
 * @param results one a replica; empty while the stack is not finished
 */
public record Checkpoint(int stack, TrainerState state, List<NetworkResult> results) {
  private static final String HEAD = "flinchCheckpoint";
  private static final String CHECKSUM = "crc32c";
  private static final String HISTORY = "history";
  private static final int HISTORY_COLUMNS = 5;
  private static final String REMEDY =
      "If nothing else helps, delete this file: --resume then trains its stack again from the start.";

  /** What stands in the file's metadata. */
  private record Head(
      int stack,
      long step,
      List<Outcome> outcomes,
      List<Long> stepsTaken,
      List<NetworkResult> results) {}

  /** A finished stack, without what only training needed. */
  public static Checkpoint finished(int stack, TrainerState state, List<NetworkResult> results) {
    Map<String, float[]> parameters =
        state.arrays().entrySet().stream()
            .filter(array -> array.getKey().matches("(weights|biases)\\.\\d+"))
            .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
    return new Checkpoint(
        stack,
        new TrainerState(
            state.step(), state.outcomes(), state.stepsTaken(), state.history(), parameters),
        results);
  }

  /** Writes a whole file or nothing, as {@link Safetensors#write} does. */
  public void write(Path path) {
    Map<String, Tensor> tensors = new HashMap<>();
    state
        .arrays()
        .forEach(
            (name, values) -> tensors.put(name, new Tensor.Floats(List.of(values.length), values)));
    long[] history =
        state.history().stream()
            .flatMapToLong(
                e ->
                    Arrays.stream(
                        new long[] {
                          e.replica(),
                          e.epoch(),
                          e.step(),
                          Double.doubleToRawLongBits(e.loss()),
                          Double.doubleToRawLongBits(e.accuracy())
                        }))
            .toArray();
    tensors.put(
        HISTORY,
        new Tensor.Longs(List.of(history.length / HISTORY_COLUMNS, HISTORY_COLUMNS), history));
    Head head = new Head(stack, state.step(), state.outcomes(), state.stepsTaken(), results);
    Safetensors.write(
        path, tensors, Map.of(HEAD, Json.text(head), CHECKSUM, checksum(new TreeMap<>(tensors))));
  }

  /**
   * @throws RequestException if the file cannot be read or is not what {@link #write} wrote
   */
  public static Checkpoint read(Path path) {
    Safetensors.Contents contents;
    try {
      contents = Safetensors.read(path);
    } catch (RequestException e) {
      throw new RequestException(e.getMessage() + "\n" + REMEDY, e);
    }
    SortedMap<String, Tensor> tensors = contents.tensors();
    String json = contents.metadata().get(HEAD);
    if (json == null || !(tensors.remove(HISTORY) instanceof Tensor.Longs history)) {
      throw damaged(path, "expected a checkpoint of Flinch", null);
    }
    tensors.put(HISTORY, history);
    if (!checksum(tensors).equals(contents.metadata().get(CHECKSUM))) {
      throw damaged(path, "its values don't have the checksum they were written with", null);
    }
    tensors.remove(HISTORY);
    Map<String, float[]> arrays = new TreeMap<>();
    tensors.forEach((name, tensor) -> arrays.put(name, ((Tensor.Floats) tensor).values()));
    try {
      Head head = Configurations.MAPPER.readValue(json, Head.class);
      return new Checkpoint(
          head.stack,
          new TrainerState(
              head.step, head.outcomes, head.stepsTaken, records(history.values()), arrays),
          head.results);
    } catch (JsonProcessingException e) {
      throw damaged(path, e.getOriginalMessage(), e);
    }
  }

  private static List<EpochRecord> records(long[] values) {
    return IntStream.range(0, values.length / HISTORY_COLUMNS)
        .map(i -> i * HISTORY_COLUMNS)
        .mapToObj(
            i ->
                new EpochRecord(
                    (int) values[i],
                    (int) values[i + 1],
                    values[i + 2],
                    Double.longBitsToDouble(values[i + 3]),
                    Double.longBitsToDouble(values[i + 4])))
        .toList();
  }

  private static RequestException damaged(Path path, String what, Exception cause) {
    return new RequestException("%s: damaged: %s\n%s".formatted(path, what, REMEDY), cause);
  }

  private static String checksum(SortedMap<String, Tensor> tensors) {
    CRC32C crc = new CRC32C();
    ByteBuffer chunk = ByteBuffer.allocate(1 << 16);
    tensors.forEach(
        (name, tensor) -> {
          if (tensor instanceof Tensor.Floats floats) {
            float[] values = floats.values();
            for (int at = 0; at < values.length; at += chunk.capacity() / Float.BYTES) {
              int count = Math.min(chunk.capacity() / Float.BYTES, values.length - at);
              chunk.clear().asFloatBuffer().put(values, at, count);
              crc.update(chunk.limit(count * Float.BYTES));
            }
          } else if (tensor instanceof Tensor.Longs longs) {
            for (long value : longs.values()) {
              crc.update(chunk.clear().putLong(value).flip());
            }
          }
        });
    return Long.toHexString(crc.getValue());
  }

  /** One network of a stack of {@code replicas}. */
  public Network network(Architecture architecture, int replicas, int replica) {
    Function<String, float[][]> layers =
        kind ->
            IntStream.range(0, architecture.depth())
                .mapToObj(
                    l -> {
                      float[] all = state.arrays().get(kind + "." + l);
                      int size = all.length / replicas;
                      return Arrays.copyOfRange(all, replica * size, (replica + 1) * size);
                    })
                .toArray(float[][]::new);
    return new Network(
        architecture,
        layers.apply("weights"),
        architecture.biases() ? layers.apply("biases") : null);
  }
}
