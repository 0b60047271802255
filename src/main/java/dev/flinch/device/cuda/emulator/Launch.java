package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.driver.Geometry;

/** One launch of a kernel. */
final class Launch {
  final Program program;
  final Geometry geometry;
  final int multiprocessors;
  final GlobalMemory memory;

  /** Little-endian, as the kernel's parameters lie. */
  final byte[] parameters;

  Launch(
      Program program,
      Geometry geometry,
      int multiprocessors,
      GlobalMemory memory,
      byte[] parameters) {
    this.program = program;
    this.geometry = geometry;
    this.multiprocessors = multiprocessors;
    this.memory = memory;
    this.parameters = parameters;
  }

  /** Shared memory of a block, static and dynamic. */
  int sharedBytes() {
    return program.sharedBytes() + geometry.sharedBytes();
  }

  /** Which argument points to the array at or nearest before an address, for messages. */
  String argumentNear(long address) {
    for (int i = 0; i < program.parameterOffsets().size(); i++) {
      if (!program.signature().types().get(i).endsWith("64")) {
        continue;
      }
      long argument = (long) Allocation.LONG.get(parameters, program.parameterOffsets().get(i));
      Allocation array = memory.find(argument);
      if (array != null
          && address >= array.base - array.size
          && address < array.base + 2L * array.size) {
        return " (argument %d of the kernel points into %s)".formatted(i, array.name());
      }
    }
    return "";
  }
}
