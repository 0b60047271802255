package dev.flinch.device.cuda.emulator;

/**
 * Register-to-register instructions: one operation for each shape of {@link Loops}. Where a
 * lambda's parameters leave the shape open, its caller says it with a cast.
 */
@SuppressWarnings("overloads")
final class Dense {
  private Dense() {}

  /** A 32-bit result, blended into its register where only some lanes are active. */
  abstract static class To32 extends Operation {
    final int d;

    To32(int d) {
      this.d = d;
    }

    abstract void compute(Warp w, int[] out);

    @Override
    final void run(Warp w, int mask) {
      int[] register = w.r32[d];
      if (mask == FULL) {
        compute(w, register);
      } else {
        int[] out = w.scratch32;
        compute(w, out);
        for (int m = mask; m != 0; m &= m - 1) {
          int lane = Integer.numberOfTrailingZeros(m);
          register[lane] = out[lane];
        }
      }
    }
  }

  /** A 64-bit result. */
  abstract static class To64 extends Operation {
    final int d;

    To64(int d) {
      this.d = d;
    }

    abstract void compute(Warp w, long[] out);

    @Override
    final void run(Warp w, int mask) {
      long[] register = w.r64[d];
      if (mask == FULL) {
        compute(w, register);
      } else {
        long[] out = w.scratch64;
        compute(w, out);
        for (int m = mask; m != 0; m &= m - 1) {
          int lane = Integer.numberOfTrailingZeros(m);
          register[lane] = out[lane];
        }
      }
    }
  }

  static Operation of(int d, int a, Loops.II loop) {
    return new To32(d) {
      @Override
      void compute(Warp w, int[] out) {
        loop.apply(out, w.r32[a]);
      }
    };
  }

  static Operation of(int d, int a, int b, Loops.III loop) {
    return new To32(d) {
      @Override
      void compute(Warp w, int[] out) {
        loop.apply(out, w.r32[a], w.r32[b]);
      }
    };
  }

  static Operation of(int d, int a, int b, int c, Loops.IIII loop) {
    return new To32(d) {
      @Override
      void compute(Warp w, int[] out) {
        loop.apply(out, w.r32[a], w.r32[b], w.r32[c]);
      }
    };
  }

  static Operation of(int d, int a, int b, int c, int e, Loops.IIIII loop) {
    return new To32(d) {
      @Override
      void compute(Warp w, int[] out) {
        loop.apply(out, w.r32[a], w.r32[b], w.r32[c], w.r32[e]);
      }
    };
  }

  static Operation of(int d, int a, Loops.IL loop) {
    return new To32(d) {
      @Override
      void compute(Warp w, int[] out) {
        loop.apply(out, w.r64[a]);
      }
    };
  }

  static Operation of(int d, int a, Loops.LL loop) {
    return new To64(d) {
      @Override
      void compute(Warp w, long[] out) {
        loop.apply(out, w.r64[a]);
      }
    };
  }

  static Operation of(int d, int a, int b, Loops.LLL loop) {
    return new To64(d) {
      @Override
      void compute(Warp w, long[] out) {
        loop.apply(out, w.r64[a], w.r64[b]);
      }
    };
  }

  static Operation of(int d, int a, int b, int c, Loops.LLLL loop) {
    return new To64(d) {
      @Override
      void compute(Warp w, long[] out) {
        loop.apply(out, w.r64[a], w.r64[b], w.r64[c]);
      }
    };
  }

  static Operation of(int d, int a, Loops.LI loop) {
    return new To64(d) {
      @Override
      void compute(Warp w, long[] out) {
        loop.apply(out, w.r32[a]);
      }
    };
  }

  static Operation of(int d, int a, int b, Loops.LII loop) {
    return new To64(d) {
      @Override
      void compute(Warp w, long[] out) {
        loop.apply(out, w.r32[a], w.r32[b]);
      }
    };
  }

  static Operation of(int d, int a, int b, int c, Loops.LIIL loop) {
    return new To64(d) {
      @Override
      void compute(Warp w, long[] out) {
        loop.apply(out, w.r32[a], w.r32[b], w.r64[c]);
      }
    };
  }

  static Operation of(int d, int a, int b, Loops.LLI loop) {
    return new To64(d) {
      @Override
      void compute(Warp w, long[] out) {
        loop.apply(out, w.r64[a], w.r32[b]);
      }
    };
  }

  static Operation of(int d, int a, int b, int c, Loops.LLII loop) {
    return new To64(d) {
      @Override
      void compute(Warp w, long[] out) {
        loop.apply(out, w.r64[a], w.r32[b], w.r32[c]);
      }
    };
  }

  static Operation of(int d, int a, int b, int c, int e, Loops.LLLII loop) {
    return new To64(d) {
      @Override
      void compute(Warp w, long[] out) {
        loop.apply(out, w.r64[a], w.r64[b], w.r32[c], w.r32[e]);
      }
    };
  }

  /** {@code setp}: where the comparison holds, and where it doesn't, each combined with another. */
  abstract static class Comparison extends Operation {
    private final int d;
    private final int inverse;
    private final Combination combination;
    private final int other;
    private final boolean otherNegated;

    /**
     * @param inverse the second destination, or negative for none
     * @param combination null for none
     */
    Comparison(int d, int inverse, Combination combination, int other, boolean otherNegated) {
      this.d = d;
      this.inverse = inverse;
      this.combination = combination;
      this.other = other;
      this.otherNegated = otherNegated;
    }

    abstract int compare(Warp w);

    @Override
    final void run(Warp w, int mask) {
      int holds = compare(w);
      int not = ~holds;
      if (combination != null) {
        int with = otherNegated ? ~w.predicates[other] : w.predicates[other];
        holds = combination.apply(holds, with);
        not = combination.apply(not, with);
      }
      if (d >= 0) {
        w.predicates[d] = holds & mask | w.predicates[d] & ~mask;
      }
      if (inverse >= 0) {
        w.predicates[inverse] = not & mask | w.predicates[inverse] & ~mask;
      }
    }
  }

  /** How a comparison is combined with another predicate. */
  enum Combination {
    AND,
    OR,
    XOR;

    int apply(int a, int b) {
      return switch (this) {
        case AND -> a & b;
        case OR -> a | b;
        case XOR -> a ^ b;
      };
    }
  }
}
