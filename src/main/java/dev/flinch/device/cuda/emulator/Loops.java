package dev.flinch.device.cuda.emulator;

/**
 * The shapes of a register-to-register instruction, as loops over a warp's 32 lanes: one letter for
 * the result, then one for each source. {@code I} is a 32-bit (or narrower, kept zero-extended)
 * register, {@code L} a 64-bit one, {@code P} a predicate, which is a mask with a bit per lane.
 * float32 values are their bits in an {@code I}, float64 in an {@code L}.
 *
 * <p>A loop runs over all lanes, active or not: it has no side effects, so what it computes for an
 * idle lane is thrown away afterwards.
 */
final class Loops {
  private Loops() {}

  interface II {
    void apply(int[] d, int[] a);
  }

  interface III {
    void apply(int[] d, int[] a, int[] b);
  }

  interface IIII {
    void apply(int[] d, int[] a, int[] b, int[] c);
  }

  interface IIIII {
    void apply(int[] d, int[] a, int[] b, int[] c, int[] e);
  }

  interface LL {
    void apply(long[] d, long[] a);
  }

  interface LLL {
    void apply(long[] d, long[] a, long[] b);
  }

  interface LLLL {
    void apply(long[] d, long[] a, long[] b, long[] c);
  }

  interface LI {
    void apply(long[] d, int[] a);
  }

  interface IL {
    void apply(int[] d, long[] a);
  }

  interface LII {
    void apply(long[] d, int[] a, int[] b);
  }

  interface LIIL {
    void apply(long[] d, int[] a, int[] b, long[] c);
  }

  interface LLI {
    void apply(long[] d, long[] a, int[] b);
  }

  interface LLII {
    void apply(long[] d, long[] a, int[] b, int[] c);
  }

  interface LLLII {
    void apply(long[] d, long[] a, long[] b, int[] c, int[] e);
  }

  interface PII {
    int apply(int[] a, int[] b);
  }

  interface PLL {
    int apply(long[] a, long[] b);
  }
}
