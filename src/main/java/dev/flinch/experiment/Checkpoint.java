package dev.flinch.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import dev.flinch.base.RequestException;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.Safetensors;
import dev.flinch.network.Safetensors.Tensor;
import dev.flinch.training.EpochRecord;
import dev.flinch.training.Outcome;
import dev.flinch.training.TrainerState;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
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
 * @param state of a finished stack only what its results need
 * @param results one a replica; empty while the stack is not finished
 */
public record Checkpoint(int stack, StackState state, List<NetworkResult> results) {
  private static final String HEAD = "flinchCheckpoint";
  private static final String CHECKSUM = "crc32c";
  private static final String HISTORY = "history";
  private static final int HISTORY_COLUMNS = 5;
  private static final String STIFFNESS = "stiffness";
  private static final String REMEDY =
      "If nothing else helps, delete this file: --resume then trains its stack again from the start.";

  private static final TypeReference<List<List<StiffnessRecord>>> RECORDS =
      new TypeReference<>() {};

  /**
   * What stands in the file's metadata.
   *
   * @param results without their stiffness: metadata have no room for long trainings
   */
  private record Head(
      int stack,
      long step,
      List<Outcome> outcomes,
      List<Long> stepsTaken,
      List<NetworkResult> results) {}

  /** A finished stack, without what only training needed. */
  public static Checkpoint finished(int stack, StackState state, List<NetworkResult> results) {
    TrainerState trainer = state.trainer();
    Map<String, float[]> parameters =
        trainer.arrays().entrySet().stream()
            .filter(array -> array.getKey().matches("(weights|biases)\\.\\d+"))
            .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
    return new Checkpoint(
        stack,
        new StackState(
            new TrainerState(
                trainer.step(),
                trainer.outcomes(),
                trainer.stepsTaken(),
                trainer.history(),
                parameters),
            state.stiffness()),
        results);
  }

  /** Writes a whole file or nothing, as {@link Safetensors#write} does. */
  public void write(Path path) {
    Map<String, Tensor> tensors = new HashMap<>();
    TrainerState trainer = state.trainer();
    trainer
        .arrays()
        .forEach(
            (name, values) -> tensors.put(name, new Tensor.Floats(List.of(values.length), values)));
    long[] history =
        trainer.history().stream()
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
    if (!state.stiffness().isEmpty()) {
      long[] text = packed(state.stiffness());
      tensors.put(STIFFNESS, new Tensor.Longs(List.of(text.length), text));
    }
    Head head =
        new Head(
            stack,
            trainer.step(),
            trainer.outcomes(),
            trainer.stepsTaken(),
            results.stream().map(r -> r.withStiffness(null)).toList());
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
    Tensor stiffness = tensors.remove(STIFFNESS);
    Map<String, float[]> arrays = new TreeMap<>();
    tensors.forEach((name, tensor) -> arrays.put(name, ((Tensor.Floats) tensor).values()));
    try {
      Head head = Configurations.MAPPER.readValue(json, Head.class);
      List<List<StiffnessRecord>> along =
          stiffness == null ? List.of() : unpacked(((Tensor.Longs) stiffness).values());
      return new Checkpoint(
          head.stack,
          new StackState(
              new TrainerState(
                  head.step, head.outcomes, head.stepsTaken, records(history.values()), arrays),
              along),
          along.isEmpty()
              ? head.results
              : IntStream.range(0, head.results.size())
                  .mapToObj(r -> head.results.get(r).withStiffness(along.get(r)))
                  .toList());
    } catch (JsonProcessingException e) {
      throw damaged(path, e.getOriginalMessage(), e);
    }
  }

  /** JSON in UTF-8, padded with spaces: eight bytes a number, the first its lowest. */
  private static long[] packed(List<List<StiffnessRecord>> records) {
    byte[] json;
    try {
      json = Configurations.MAPPER.writeValueAsBytes(records);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("records that are not JSON", e);
    }
    byte[] padded = Arrays.copyOf(json, (json.length + Long.BYTES - 1) / Long.BYTES * Long.BYTES);
    Arrays.fill(padded, json.length, padded.length, (byte) ' ');
    long[] values = new long[padded.length / Long.BYTES];
    ByteBuffer.wrap(padded).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().get(values);
    return values;
  }

  private static List<List<StiffnessRecord>> unpacked(long[] values)
      throws JsonProcessingException {
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asLongBuffer().put(values);
    return Configurations.MAPPER.readValue(
        new String(bytes.array(), StandardCharsets.UTF_8), RECORDS);
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
                      float[] all = state.trainer().arrays().get(kind + "." + l);
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
