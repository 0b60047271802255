package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.driver.Signature;
import java.util.List;

/**
 * A kernel, ready to be run.
 *
 * @param name {@code module.entry}
 * @param parameterOffsets where each parameter lies in the parameter memory
 * @param predicates what each is at the start, as masks
 * @param registers32 what each 32-bit slot of a warp is
 * @param registers64 what each 64-bit slot of a warp is
 * @param shared arrays in shared memory with their offsets
 * @param sharedBytes of the static arrays, up to where the dynamic ones begin
 * @param granule bytes in which races in shared memory are looked for
 * @param localBytes of a thread
 * @param maxThreads of a block, 0 where the kernel doesn't say
 */
record Program(
    String name,
    Signature signature,
    List<Integer> parameterOffsets,
    int parameterBytes,
    Operation[] code,
    List<Integer> predicates,
    List<Slot> registers32,
    List<Slot> registers64,
    List<Placed> shared,
    int sharedBytes,
    int granule,
    int localBytes,
    int maxThreads) {

  /** What a slot of a warp's register table holds. */
  sealed interface Slot {
    /** A value that instructions change. */
    record Register() implements Slot {}

    /** The same value in all lanes, always. */
    record Constant(long bits) implements Slot {}

    /** What a thread is born with. */
    record Special(SpecialRegister register) implements Slot {}
  }

  /** An array in shared memory. */
  record Placed(String name, int offset, int bytes) {}

  /** Where a shared address lies, in words. */
  String describeShared(long offset, int bytes, int total) {
    String nearest = null;
    long distance = Long.MAX_VALUE;
    for (Placed array : shared) {
      int size = array.bytes() == 0 ? total - array.offset() : array.bytes();
      long past = offset + bytes - array.offset() - size;
      long before = array.offset() - offset;
      long d = Math.max(0, Math.max(past, before));
      if (d < distance) {
        distance = d;
        String where =
            before > 0
                ? "%,d bytes before the start of".formatted(before)
                : past > 0
                    ? "%,d bytes past the end of".formatted(past)
                    : "%,d bytes into".formatted(-before);
        nearest = "%s shared array %s of %,d bytes".formatted(where, array.name(), size);
      }
    }
    return "shared offset %d, %s"
        .formatted(offset, nearest == null ? "of a kernel without shared arrays" : nearest);
  }
}
