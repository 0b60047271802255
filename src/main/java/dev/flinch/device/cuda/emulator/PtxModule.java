package dev.flinch.device.cuda.emulator;

import java.util.List;
import java.util.Map;

/**
 * A PTX text, parsed.
 *
 * @param target such as 80 for sm_80
 * @param lines of the text, for messages
 */
record PtxModule(
    String name,
    int target,
    List<String> lines,
    Map<String, Variable> variables,
    Map<String, Function> functions) {

  /**
   * A kernel or device function.
   *
   * @param results parameters that a device function returns in
   * @param maxThreads of a block, 0 where not said
   */
  record Function(
      int line,
      boolean entry,
      String name,
      List<Variable> results,
      List<Variable> parameters,
      int maxThreads,
      List<Statement> body) {}
}
