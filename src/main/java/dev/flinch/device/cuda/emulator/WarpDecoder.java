package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.emulator.KernelBuilder.Decoded;
import dev.flinch.device.cuda.emulator.Opcode.Refusal;
import java.util.List;

/** What the lanes of a warp do together: shuffles, votes, matches. */
final class WarpDecoder {
  private WarpDecoder() {}

  /** Null where it's another decoder's. */
  static Decoded decode(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    return switch (opcode.base()) {
      case "shfl" -> shuffle(kernel, opcode, operands);
      case "vote" -> vote(kernel, opcode, operands);
      case "match" -> match(kernel, opcode, operands);
      case "redux" -> reduce(kernel, opcode, operands);
      case "activemask" -> {
        opcode.takeType();
        int d = kernel.destination32(operands.get(0));
        yield new Decoded(
            new Operation() {
              @Override
              void run(Warp w, int mask) {
                spread(w.r32[d], mask, mask);
              }
            },
            InstructionClass.SHUFFLE);
      }
      default -> null;
    };
  }

  private static void spread(int[] to, int mask, int value) {
    for (int m = mask; m != 0; m &= m - 1) {
      to[Integer.numberOfTrailingZeros(m)] = value;
    }
  }

  private static void requireSync(Opcode opcode) {
    if (!opcode.take("sync")) {
      throw new Refusal("only the .sync form exists on the cards that this is for");
    }
  }

  private static Decoded shuffle(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    requireSync(opcode);
    String mode = opcode.takeOneOf("idx", "up", "down", "bfly");
    opcode.takeType();
    Operand result = operands.get(0);
    int predicate = -1;
    if (result instanceof Operand.Pair pair) {
      result = pair.first();
      predicate = kernel.predicate(pair.second());
    }
    return new Decoded(
        new Shuffle(
            mode,
            kernel.destination32(result),
            predicate,
            kernel.source32(operands.get(1)),
            kernel.source32(operands.get(2)),
            kernel.source32(operands.get(3)),
            kernel.source32(operands.get(4))),
        InstructionClass.SHUFFLE);
  }

  /** {@code shfl.sync}. */
  private static final class Shuffle extends Operation {
    private final String mode;
    private final int d;
    private final int predicate;
    private final int a;
    private final int b;
    private final int c;
    private final int members;

    Shuffle(String mode, int d, int predicate, int a, int b, int c, int members) {
      this.mode = mode;
      this.d = d;
      this.predicate = predicate;
      this.a = a;
      this.b = b;
      this.c = c;
      this.members = members;
    }

    @Override
    void run(Warp w, int mask) {
      Members.require(this, w, mask, members);
      int[] out = w.scratch32;
      int[] value = w.r32[a];
      int found = 0;
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        int by = w.r32[b][lane] & 31;
        int clamp = w.r32[c][lane] & 31;
        int segment = w.r32[c][lane] >>> 8 & 31;
        int highest = lane & segment | clamp & ~segment;
        int lowest = lane & segment;
        int from;
        boolean inside;
        switch (mode) {
          case "up" -> {
            from = lane - by;
            inside = from >= highest;
          }
          case "down" -> {
            from = lane + by;
            inside = from <= highest;
          }
          case "bfly" -> {
            from = lane ^ by;
            inside = from <= highest;
          }
          default -> {
            from = lowest | by & ~segment;
            inside = from <= highest;
          }
        }
        if (!inside) {
          from = lane;
        } else {
          found |= 1 << lane;
        }
        if ((mask >>> from & 1) == 0) {
          throw w.fault(this, lane, "reads from lane %d, which doesn't take part".formatted(from));
        }
        out[lane] = value[from];
      }
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        w.r32[d][lane] = out[lane];
      }
      if (predicate >= 0) {
        w.predicates[predicate] = found & mask | w.predicates[predicate] & ~mask;
      }
    }
  }

  private static Decoded vote(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    requireSync(opcode);
    String mode = opcode.takeOneOf("all", "any", "uni", "ballot");
    opcode.takeType();
    boolean ballot = "ballot".equals(mode);
    int d = ballot ? kernel.destination32(operands.get(0)) : kernel.predicate(operands.get(0));
    Operand source = operands.get(1);
    boolean negated = source instanceof Operand.Negated;
    int p = kernel.predicate(source);
    int members = kernel.source32(operands.get(2));
    return new Decoded(
        new Operation() {
          @Override
          void run(Warp w, int mask) {
            Members.require(this, w, mask, members);
            int votes = (negated ? ~w.predicates[p] : w.predicates[p]) & mask;
            if (ballot) {
              spread(w.r32[d], mask, votes);
              return;
            }
            boolean holds =
                switch (mode) {
                  case "all" -> votes == mask;
                  case "any" -> votes != 0;
                  default -> votes == 0 || votes == mask;
                };
            w.predicates[d] = holds ? w.predicates[d] | mask : w.predicates[d] & ~mask;
          }
        },
        InstructionClass.SHUFFLE);
  }

  private static Decoded match(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    requireSync(opcode);
    boolean all = "all".equals(opcode.takeOneOf("any", "all"));
    boolean wide = opcode.takeType().equals("b64");
    Operand result = operands.get(0);
    int predicate = -1;
    if (result instanceof Operand.Pair pair) {
      result = pair.first();
      predicate = kernel.predicate(pair.second());
    }
    int d = kernel.destination32(result);
    int a = wide ? kernel.source64(operands.get(1)) : kernel.source32(operands.get(1));
    int members = kernel.source32(operands.get(2));
    int p = predicate;
    return new Decoded(
        new Operation() {
          @Override
          void run(Warp w, int mask) {
            Members.require(this, w, mask, members);
            int uniform = 0;
            int[] out = new int[32];
            for (int m = mask; m != 0; m &= m - 1) {
              int lane = Integer.numberOfTrailingZeros(m);
              int same = 0;
              for (int n = mask; n != 0; n &= n - 1) {
                int other = Integer.numberOfTrailingZeros(n);
                boolean equal =
                    wide ? w.r64[a][lane] == w.r64[a][other] : w.r32[a][lane] == w.r32[a][other];
                same |= equal ? 1 << other : 0;
              }
              out[lane] = !all || same == mask ? same : 0;
              uniform |= same == mask ? 1 << lane : 0;
            }
            for (int m = mask; m != 0; m &= m - 1) {
              int lane = Integer.numberOfTrailingZeros(m);
              w.r32[d][lane] = out[lane];
            }
            if (p >= 0) {
              w.predicates[p] = uniform & mask | w.predicates[p] & ~mask;
            }
          }
        },
        InstructionClass.SHUFFLE);
  }

  private static Decoded reduce(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    requireSync(opcode);
    if (kernel.target() < 80) {
      throw new Refusal("redux.sync needs .target sm_80 or higher");
    }
    String mode = opcode.takeOneOf("add", "min", "max", "and", "or", "xor");
    boolean signed = opcode.takeType().equals("s32");
    int d = kernel.destination32(operands.get(0));
    int a = kernel.source32(operands.get(1));
    int members = kernel.source32(operands.get(2));
    Loops.III loop = IntegerLoops.binary32(mode, signed);
    return new Decoded(
        new Operation() {
          @Override
          void run(Warp w, int mask) {
            Members.require(this, w, mask, members);
            int[] sum = new int[32];
            int[] next = new int[32];
            int[] value = w.r32[a];
            boolean first = true;
            for (int m = mask; m != 0; m &= m - 1) {
              next[0] = value[Integer.numberOfTrailingZeros(m)];
              if (first) {
                sum[0] = next[0];
                first = false;
              } else {
                loop.apply(sum, sum, next);
              }
            }
            spread(w.r32[d], mask, sum[0]);
          }
        },
        InstructionClass.SHUFFLE);
  }
}
