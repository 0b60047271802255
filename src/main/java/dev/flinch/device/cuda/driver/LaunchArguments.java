package dev.flinch.device.cuda.driver;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.stream.IntStream;
import jcuda.NativePointerObject;
import jcuda.Pointer;

/**
 * The arguments of a launch as the driver wants them: an array of pointers to values. The values
 * stand in one buffer that is used for every launch, since the driver has copied them when a launch
 * returns; so a launch makes no objects.
 */
final class LaunchArguments {
  /** Parameters of a kernel take 4 KiB at most. */
  private static final int MOST = 4096 / Long.BYTES;

  private final ByteBuffer values =
      ByteBuffer.allocateDirect(MOST * Long.BYTES).order(ByteOrder.nativeOrder());
  private final Pointer[] ofCount = new Pointer[MOST + 1];

  /** Pointers to arguments that a {@link Signature} has let pass, until the next call. */
  Pointer of(Object... arguments) {
    for (int i = 0; i < arguments.length; i++) {
      int at = i * Long.BYTES;
      Object argument = arguments[i];
      if (argument instanceof Long value) {
        values.putLong(at, value);
      } else if (argument instanceof Integer value) {
        values.putInt(at, value);
      } else if (argument instanceof Float value) {
        values.putFloat(at, value);
      } else {
        values.putDouble(at, (Double) argument);
      }
    }
    if (ofCount[arguments.length] == null) {
      Pointer start = Pointer.to(values);
      ofCount[arguments.length] =
          Pointer.to(
              IntStream.range(0, arguments.length)
                  .mapToObj(i -> start.withByteOffset((long) i * Long.BYTES))
                  .toArray(NativePointerObject[]::new));
    }
    return ofCount[arguments.length];
  }
}
