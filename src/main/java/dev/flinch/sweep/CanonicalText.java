package dev.flinch.sweep;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntFunction;
import java.util.function.IntToLongFunction;
import java.util.stream.IntStream;

/**
 * The canonical JSON of all settings that have the same factors, with a gap for each of them: what
 * {@link NetworkIdentity} hashes, put together from its pieces, so that a million networks take
 * seconds.
 */
final class CanonicalText {
  /** No text of a configuration begins so, as its titles are not part of it. */
  private static final String MARK = "\0";

  private static final int HASHED_AT_ONCE = 1 << 12;

  /** How JSON escapes it. */
  private static final String ESCAPED_MARK = "\\u0000";

  private final List<byte[]> pieces = new ArrayList<>();
  private final List<Factor> gaps = new ArrayList<>();
  private final Map<Factor, Map<Object, byte[]>> known;

  /** Values whose JSON is needed again and again. */
  static Map<Factor, Map<Object, byte[]>> known(Map<Factor, ? extends Collection<Object>> values) {
    Map<Factor, Map<Object, byte[]>> known = new EnumMap<>(Factor.class);
    for (Factor factor : Factor.values()) {
      Map<Object, byte[]> texts = new HashMap<>();
      for (Object value : values.get(factor)) {
        texts.put(value, json(factor, value));
      }
      known.put(factor, texts);
    }
    return known;
  }

  /**
   * @param example a setting of the same kind as all that this is asked for
   * @param without factors that are left out
   * @param known the JSON of some values
   */
  CanonicalText(
      Setting example,
      SweepConfiguration sweep,
      Collection<Factor> without,
      Map<Factor, Map<Object, byte[]>> known) {
    this.known = known;
    ObjectNode tree = NetworkIdentity.tree(example.configuration(sweep, 0));
    for (Factor factor : Factor.values()) {
      if (example.has(factor)) {
        mark(tree, factor, without.contains(factor));
      }
    }
    String text = NetworkIdentity.text(tree);
    int from = 0;
    String begin = "\"" + ESCAPED_MARK;
    for (int at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, from)) {
      int end = text.indexOf('"', at + 1);
      pieces.add(text.substring(from, at).getBytes(StandardCharsets.UTF_8));
      gaps.add(Factor.named(text.substring(at + begin.length(), end)).orElseThrow());
      from = end + 1;
    }
    pieces.add(text.substring(from).getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Hashes the texts of many networks, on all cores.
   *
   * @param settings by network
   * @param seeds by network
   * @param without factors that are left out
   * @return two numbers a network: the first half of its hash
   */
  static long[] hashes(
      int networks,
      IntFunction<Setting> settings,
      IntToLongFunction seeds,
      SweepConfiguration sweep,
      Collection<Factor> without,
      Map<Factor, Map<Object, byte[]>> known) {
    Map<Setting.Kind, CanonicalText> texts = new ConcurrentHashMap<>();
    long[] hashes = new long[2 * networks];
    IntStream.range(0, (networks + HASHED_AT_ONCE - 1) / HASHED_AT_ONCE)
        .parallel()
        .forEach(
            part -> {
              MessageDigest sha256 = NetworkIdentity.sha256();
              int to = Math.min(networks, (part + 1) * HASHED_AT_ONCE);
              for (int i = part * HASHED_AT_ONCE; i < to; i++) {
                Setting setting = settings.apply(i);
                texts
                    .computeIfAbsent(
                        setting.kind(), kind -> new CanonicalText(setting, sweep, without, known))
                    .hash(setting, seeds.applyAsLong(i), sha256, hashes, 2 * i);
              }
            });
    return hashes;
  }

  private static void mark(ObjectNode tree, Factor factor, boolean leaveOut) {
    String pointer = factor.pointer();
    int slash = pointer.lastIndexOf('/');
    String key = pointer.substring(slash + 1);
    JsonNode parent = tree.at(pointer.substring(0, slash));
    TextNode mark = TextNode.valueOf(MARK + factor.key());
    if (parent instanceof ArrayNode list) {
      if (leaveOut) {
        int before = pointer.lastIndexOf('/', slash - 1);
        ((ObjectNode) tree.at(pointer.substring(0, before)))
            .remove(pointer.substring(before + 1, slash));
      } else if (!list.isEmpty()) {
        list.set(0, mark);
      }
    } else if (parent instanceof ObjectNode object && object.has(key)) {
      if (leaveOut) {
        object.remove(key);
      } else {
        object.set(key, mark);
      }
    }
  }

  private static byte[] json(Factor factor, Object value) {
    return NetworkIdentity.text(factor.json(value)).getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Hashes the text of a network.
   *
   * @param seed not looked at where the seed is left out
   * @param at two numbers go here: the first half of the hash
   */
  void hash(Setting setting, long seed, MessageDigest sha256, long[] into, int at) {
    sha256.reset();
    for (int i = 0; i < gaps.size(); i++) {
      sha256.update(pieces.get(i));
      Factor factor = gaps.get(i);
      Object value = factor == Factor.SEED ? (Object) seed : setting.get(factor);
      byte[] text = known.get(factor).get(value);
      sha256.update(text != null ? text : json(factor, value));
    }
    sha256.update(pieces.get(gaps.size()));
    ByteBuffer digest = ByteBuffer.wrap(sha256.digest());
    into[at] = digest.getLong();
    into[at + 1] = digest.getLong();
  }
}
