package dev.flinch.device.cuda.emulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * An instruction's name taken apart. A decoder takes what it understands; what is left over at the
 * end is a modifier that nobody knows, and the instruction is refused.
 */
final class Opcode {
  private static final Set<String> TYPES =
      Set.of(
          "u8", "s8", "b8", "u16", "s16", "b16", "u32", "s32", "b32", "u64", "s64", "b64", "f16",
          "f16x2", "bf16", "bf16x2", "tf32", "f32", "f64", "pred");

  private final String base;
  private final List<String> modifiers;

  Opcode(String opcode) {
    List<String> parts = new ArrayList<>(Arrays.asList(opcode.split("\\.")));
    this.base = parts.remove(0);
    this.modifiers = parts;
  }

  String base() {
    return base;
  }

  /** Takes a modifier if it's there. */
  boolean take(String modifier) {
    return modifiers.remove(modifier);
  }

  /** Takes the first of some modifiers that is there, or null. */
  String takeOneOf(String... choices) {
    for (String choice : choices) {
      if (modifiers.remove(choice)) {
        return choice;
      }
    }
    return null;
  }

  /** Takes all modifiers that begin like this. */
  void takeAll(String prefix) {
    modifiers.removeIf(m -> m.startsWith(prefix));
  }

  /** Takes a rounding, or null. */
  Rounding takeRounding() {
    String name = takeOneOf("rn", "rz", "rm", "rp");
    return name == null ? null : Rounding.of(name);
  }

  /** Takes the last type; an instruction without is refused. */
  String takeType() {
    for (int i = modifiers.size() - 1; i >= 0; i--) {
      if (TYPES.contains(modifiers.get(i))) {
        return modifiers.remove(i);
      }
    }
    throw new Refusal("an instruction without a type");
  }

  boolean hasType() {
    return modifiers.stream().anyMatch(TYPES::contains);
  }

  /** Whether everything was understood. */
  void requireAllTaken() {
    if (!modifiers.isEmpty()) {
      throw new Refusal("the emulator doesn't know the modifier ." + modifiers.get(0));
    }
  }

  /** Bits of a type. */
  static int bits(String type) {
    return switch (type) {
      case "pred" -> 1;
      case "u8", "s8", "b8" -> 8;
      case "u16", "s16", "b16", "f16", "bf16" -> 16;
      case "u64", "s64", "b64", "f64" -> 64;
      default -> 32;
    };
  }

  static boolean signed(String type) {
    return type.startsWith("s");
  }

  static boolean floating(String type) {
    return type.startsWith("f") || type.startsWith("bf") || type.startsWith("tf");
  }

  /** Why an instruction can't be decoded; the builder adds which. */
  static final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1;

    Refusal(String message) {
      super(message);
    }
  }
}
