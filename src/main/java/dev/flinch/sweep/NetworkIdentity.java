package dev.flinch.sweep;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Configurations;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * The names that networks have for themselves, whichever sweep asks for them: the first half of the
 * SHA-256 of the configuration that describes one network completely, written without spaces and
 * with its keys in alphabetical order; neither the title nor the seconds between checkpoints are
 * part of it. Numbers are written in the shortest form that reads back the same, by an algorithm
 * that doesn't change with the version of Java.
 */
public final class NetworkIdentity {
  static final int BYTES = 16;
  static final int DIGITS = 2 * BYTES;

  private static final JsonMapper CANONICAL =
      JsonMapper.builder()
          .enable(JsonNodeFeature.WRITE_PROPERTIES_SORTED)
          .enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER)
          .build();

  private NetworkIdentity() {}

  /**
   * The identity of the one network of a configuration: 32 hexadecimal digits.
   *
   * @throws IllegalArgumentException for a study of several networks
   */
  public static String of(Configuration network) {
    return hash(text(tree(network)));
  }

  /** The same of the configuration without the network's seed. */
  public static String ofSetting(Configuration network) {
    ObjectNode tree = tree(network);
    withoutSeed(tree);
    return hash(text(tree));
  }

  static void withoutSeed(ObjectNode tree) {
    ((ObjectNode) tree.get("networks")).remove("seeds");
  }

  /** What an identity is the hash of. */
  static ObjectNode tree(Configuration network) {
    if (network.replicas().size() != 1) {
      throw new IllegalArgumentException(
          "expected a study of one network, found " + network.replicas().size());
    }
    ObjectNode tree = (ObjectNode) Configurations.tree(network);
    tree.remove("title");
    ((ObjectNode) tree.get("training")).remove("checkpointSeconds");
    return tree;
  }

  /** Canonical JSON. */
  static String text(JsonNode tree) {
    try {
      return CANONICAL.writeValueAsString(tree);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a configuration that is not JSON", e);
    }
  }

  private static String hash(String text) {
    byte[] digest = sha256().digest(text.getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(digest, 0, BYTES);
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("a Java without SHA-256", e);
    }
  }
}
