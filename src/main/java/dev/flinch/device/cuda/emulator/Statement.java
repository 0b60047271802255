package dev.flinch.device.cuda.emulator;

import java.util.List;

/** What a function's body consists of, as written. */
sealed interface Statement {
  /** A place that branches name. */
  record Label(String name) implements Statement {}

  /** Opens a scope: names declared in it end with it. */
  record Open() implements Statement {}

  /** Closes a scope. */
  record Close() implements Statement {}

  /**
   * Registers: {@code name}, or {@code name0, name1, …} where a count is given.
   *
   * @param count 0 for one register of exactly that name
   */
  record Registers(int line, String type, String name, int count) implements Statement {}

  /** A variable of the body. */
  record Declared(Variable variable) implements Statement {}

  /** The table of a {@code brx.idx}. */
  record Targets(String name, List<String> labels) implements Statement {}

  /**
   * An instruction.
   *
   * @param guard the predicate that switches it, or null
   * @param opcode with its modifiers
   */
  record Instruction(
      int line,
      String text,
      String guard,
      boolean guardNegated,
      String opcode,
      List<Operand> operands)
      implements Statement {}
}
