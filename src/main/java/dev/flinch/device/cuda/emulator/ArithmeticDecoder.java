package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.emulator.KernelBuilder.Decoded;
import dev.flinch.device.cuda.emulator.Opcode.Refusal;
import java.util.List;
import java.util.Set;

/** Arithmetic, logic, comparison and selection on registers. */
final class ArithmeticDecoder {
  private static final Set<String> SPECIAL = Set.of("rsqrt", "ex2", "lg2", "sin", "cos", "tanh");

  private final KernelBuilder kernel;
  private final Opcode opcode;
  private final List<Operand> operands;

  private ArithmeticDecoder(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    this.kernel = kernel;
    this.opcode = opcode;
    this.operands = operands;
  }

  /** Null where nobody knows it. */
  static Decoded decode(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    return new ArithmeticDecoder(kernel, opcode, operands).decode();
  }

  private Decoded decode() {
    switch (opcode.base()) {
      case "setp":
        return setPredicate();
      case "set":
        return set();
      case "selp":
        return select();
      case "slct":
        return selectBySign();
      case "testp":
        return testPredicate();
      default:
        break;
    }
    if (!opcode.hasType()) {
      return null;
    }
    boolean multiplies = Set.of("mul", "mad", "madc", "mul24", "mad24").contains(opcode.base());
    boolean carryOut = opcode.take("cc");
    if (carryOut || Set.of("addc", "subc", "madc").contains(opcode.base())) {
      return withCarry(carryOut);
    }
    String type = opcode.takeType();
    if (type.equals("pred")) {
      return predicateLogic();
    }
    if (Opcode.floating(type)) {
      return switch (type) {
        case "f32" -> float32();
        case "f64" -> float64();
        default -> throw new Refusal("the emulator doesn't know arithmetic on ." + type);
      };
    }
    String part = multiplies ? opcode.takeOneOf("lo", "hi", "wide") : null;
    boolean signed = Opcode.signed(type);
    if ("wide".equals(part)) {
      return wide(type);
    }
    String name = part == null ? opcode.base() : opcode.base() + "." + part;
    return switch (Opcode.bits(type)) {
      case 16 -> integer16(name, signed);
      case 32 -> integer32(name, signed);
      case 64 -> integer64(name, signed);
      default -> throw new Refusal("the emulator doesn't know arithmetic on ." + type);
    };
  }

  private int s32(int i) {
    return kernel.source32(operands.get(i));
  }

  private int s64(int i) {
    return kernel.source64(operands.get(i));
  }

  private int d32() {
    return kernel.destination32(operands.get(0));
  }

  private int d64() {
    return kernel.destination64(operands.get(0));
  }

  private static Decoded integer(Operation operation) {
    return new Decoded(operation, InstructionClass.INTEGER);
  }

  private Decoded integer16(String name, boolean signed) {
    if (name.equals("mov")) {
      return move(
          Dense.of(
              d32(),
              s32(1),
              (Loops.II)
                  (d, a) -> {
                    for (int i = 0; i < 32; i++) {
                      d[i] = a[i] & 0xffff;
                    }
                  }));
    }
    boolean shift = name.equals("shl") || name.equals("shr");
    if (operands.size() == 2) {
      Loops.II loop =
          switch (name) {
            case "clz", "popc", "brev", "bfind" -> null;
            default -> IntegerLoops.unary32(name, signed);
          };
      return loop == null
          ? null
          : integer(
              Dense.of(
                  d32(),
                  s32(1),
                  (Loops.II)
                      (d, a) -> {
                        loop.apply(d, IntegerLoops.widen16(a, signed));
                        IntegerLoops.narrow16(d);
                      }));
    }
    if (operands.size() == 4) {
      Loops.IIII loop = IntegerLoops.ternary32(name, signed);
      return loop == null || !Set.of("mad.lo", "sad").contains(name)
          ? null
          : integer(
              Dense.of(
                  d32(),
                  s32(1),
                  s32(2),
                  s32(3),
                  (Loops.IIII)
                      (d, a, b, c) -> {
                        loop.apply(
                            d,
                            IntegerLoops.widen16(a, signed),
                            IntegerLoops.widen16(b, signed),
                            IntegerLoops.widen16(c, signed));
                        IntegerLoops.narrow16(d);
                      }));
    }
    if (name.equals("mul.hi")) {
      return integer(
          Dense.of(
              d32(),
              s32(1),
              s32(2),
              (Loops.III)
                  (d, a, b) -> {
                    int[] x = IntegerLoops.widen16(a, signed);
                    int[] y = IntegerLoops.widen16(b, signed);
                    for (int i = 0; i < 32; i++) {
                      d[i] = x[i] * y[i] >>> 16 & 0xffff;
                    }
                  }));
    }
    Loops.III loop = IntegerLoops.binary32(name, signed);
    return loop == null
        ? null
        : integer(
            Dense.of(
                d32(),
                s32(1),
                s32(2),
                (Loops.III)
                    (d, a, b) -> {
                      loop.apply(
                          d,
                          IntegerLoops.widen16(a, signed),
                          shift ? b : IntegerLoops.widen16(b, signed));
                      IntegerLoops.narrow16(d);
                    }));
  }

  private Decoded integer32(String name, boolean signed) {
    String base = opcode.base();
    boolean saturate = opcode.take("sat");
    if (saturate && !name.equals("mad.hi") && !Set.of("add", "sub").contains(name)) {
      throw new Refusal("the emulator doesn't know .sat here");
    }
    switch (base) {
      case "mov" -> {
        return move32();
      }
      case "lop3" -> {
        int table = (int) ((Operand.Immediate) operands.get(4)).bits();
        return integer(
            Dense.of(
                d32(),
                s32(1),
                s32(2),
                s32(3),
                (Loops.IIII)
                    (d, a, b, c) -> {
                      for (int i = 0; i < 32; i++) {
                        d[i] = IntegerLoops.logic3(a[i], b[i], c[i], table);
                      }
                    }));
      }
      case "prmt" -> {
        String found = opcode.takeOneOf("f4e", "b4e", "rc8", "ecl", "ecr", "rc16");
        String mode = found == null ? "" : found;
        return integer(
            Dense.of(
                d32(),
                s32(1),
                s32(2),
                s32(3),
                (Loops.IIII)
                    (d, a, b, c) -> {
                      for (int i = 0; i < 32; i++) {
                        d[i] = IntegerLoops.permute(mode, a[i], b[i], c[i]);
                      }
                    }));
      }
      case "bfi" -> {
        return integer(
            Dense.of(
                d32(),
                s32(1),
                s32(2),
                s32(3),
                s32(4),
                (Loops.IIIII)
                    (d, a, b, c, e) -> {
                      for (int i = 0; i < 32; i++) {
                        d[i] = (int) IntegerLoops.insert(a[i], b[i], c[i], e[i], 31);
                      }
                    }));
      }
      case "shf" -> {
        String direction = opcode.takeOneOf("l", "r");
        String mode = opcode.takeOneOf("wrap", "clamp");
        Loops.IIII loop = IntegerLoops.ternary32("shf." + direction + "." + mode, false);
        return integer(Dense.of(d32(), s32(1), s32(2), s32(3), loop));
      }
      case "bfind" -> {
        String full = opcode.take("shiftamt") ? "bfind.shiftamt" : "bfind";
        return integer(Dense.of(d32(), s32(1), IntegerLoops.unary32(full, signed)));
      }
      default -> {}
    }
    if (operands.size() == 2) {
      Loops.II loop = IntegerLoops.unary32(name, signed);
      return loop == null ? null : integer(Dense.of(d32(), s32(1), loop));
    }
    if (operands.size() == 3) {
      Loops.III loop =
          saturate ? IntegerLoops.saturating32(name) : IntegerLoops.binary32(name, signed);
      return loop == null ? null : integer(Dense.of(d32(), s32(1), s32(2), loop));
    }
    Loops.IIII loop = IntegerLoops.ternary32(saturate ? name + ".sat" : name, signed);
    return loop == null ? null : integer(Dense.of(d32(), s32(1), s32(2), s32(3), loop));
  }

  private Decoded integer64(String name, boolean signed) {
    switch (opcode.base()) {
      case "mov" -> {
        return move64();
      }
      case "shl", "shr" -> {
        return integer(Dense.of(d64(), s64(1), s32(2), IntegerLoops.shift64(name, signed)));
      }
      case "bfe" -> {
        return integer(
            Dense.of(
                d64(),
                s64(1),
                s32(2),
                s32(3),
                (Loops.LLII)
                    (d, a, b, c) -> {
                      for (int i = 0; i < 32; i++) {
                        d[i] = IntegerLoops.extract(a[i], b[i], c[i], signed, 63);
                      }
                    }));
      }
      case "bfi" -> {
        return integer(
            Dense.of(
                d64(),
                s64(1),
                s64(2),
                s32(3),
                s32(4),
                (Loops.LLLII)
                    (d, a, b, c, e) -> {
                      for (int i = 0; i < 32; i++) {
                        d[i] = IntegerLoops.insert(a[i], b[i], c[i], e[i], 63);
                      }
                    }));
      }
      case "popc", "clz", "bfind" -> {
        String full = opcode.take("shiftamt") ? "bfind.shiftamt" : name;
        return integer(Dense.of(d32(), s64(1), IntegerLoops.counting64(full, signed)));
      }
      default -> {}
    }
    if (operands.size() == 2) {
      Loops.LL loop = IntegerLoops.unary64(name);
      return loop == null ? null : integer(Dense.of(d64(), s64(1), loop));
    }
    if (operands.size() == 3) {
      Loops.LLL loop = IntegerLoops.binary64(name, signed);
      return loop == null ? null : integer(Dense.of(d64(), s64(1), s64(2), loop));
    }
    Loops.LLLL loop = IntegerLoops.ternary64(name, signed);
    return loop == null ? null : integer(Dense.of(d64(), s64(1), s64(2), s64(3), loop));
  }

  /** {@code mul.wide} and {@code mad.wide}. */
  private Decoded wide(String type) {
    boolean signed = Opcode.signed(type);
    boolean add = opcode.base().equals("mad");
    if (Opcode.bits(type) == 16) {
      Loops.III product =
          (d, a, b) -> {
            for (int i = 0; i < 32; i++) {
              d[i] = signed ? (short) a[i] * (short) b[i] : (a[i] & 0xffff) * (b[i] & 0xffff);
            }
          };
      if (!add) {
        return integer(Dense.of(d32(), s32(1), s32(2), product));
      }
      return integer(
          Dense.of(
              d32(),
              s32(1),
              s32(2),
              s32(3),
              (Loops.IIII)
                  (d, a, b, c) -> {
                    for (int i = 0; i < 32; i++) {
                      d[i] =
                          c[i]
                              + (signed
                                  ? (short) a[i] * (short) b[i]
                                  : (a[i] & 0xffff) * (b[i] & 0xffff));
                    }
                  }));
    }
    if (add) {
      return integer(
          Dense.of(
              d64(),
              s32(1),
              s32(2),
              s64(3),
              signed
                  ? (Loops.LIIL)
                      (d, a, b, c) -> {
                        for (int i = 0; i < 32; i++) {
                          d[i] = (long) a[i] * b[i] + c[i];
                        }
                      }
                  : (Loops.LIIL)
                      (d, a, b, c) -> {
                        for (int i = 0; i < 32; i++) {
                          d[i] = (a[i] & 0xffffffffL) * (b[i] & 0xffffffffL) + c[i];
                        }
                      }));
    }
    return integer(
        Dense.of(
            d64(),
            s32(1),
            s32(2),
            signed
                ? (Loops.LII)
                    (d, a, b) -> {
                      for (int i = 0; i < 32; i++) {
                        d[i] = (long) a[i] * b[i];
                      }
                    }
                : (Loops.LII)
                    (d, a, b) -> {
                      for (int i = 0; i < 32; i++) {
                        d[i] = (a[i] & 0xffffffffL) * (b[i] & 0xffffffffL);
                      }
                    }));
  }

  private Decoded move32() {
    if (operands.get(0) instanceof Operand.Tuple tuple) {
      return unpack(tuple, false);
    }
    if (operands.get(1) instanceof Operand.Tuple tuple) {
      return pack(tuple, false);
    }
    if (operands.get(1) instanceof Operand.Name name && Clock.isClock(name.name())) {
      return new Decoded(new Clock(d32(), false), InstructionClass.MOVE);
    }
    return move(Dense.of(d32(), s32(1), MOVE32));
  }

  private static final Loops.II MOVE32 = (d, a) -> System.arraycopy(a, 0, d, 0, 32);
  private static final Loops.LL MOVE64 = (d, a) -> System.arraycopy(a, 0, d, 0, 32);

  private static Decoded move(Operation operation) {
    return new Decoded(operation, InstructionClass.MOVE);
  }

  private Decoded move64() {
    if (operands.get(0) instanceof Operand.Tuple tuple) {
      return unpack(tuple, true);
    }
    if (operands.get(1) instanceof Operand.Tuple tuple) {
      return pack(tuple, true);
    }
    if (operands.get(1) instanceof Operand.Name name && Clock.isClock(name.name())) {
      return new Decoded(new Clock(d64(), true), InstructionClass.MOVE);
    }
    return move(Dense.of(d64(), s64(1), MOVE64));
  }

  /** {@code mov.b64 {a, b}, c} and its narrower and finer forms. */
  private Decoded unpack(Operand.Tuple tuple, boolean wide) {
    int count = tuple.elements().size();
    int bits = (wide ? 64 : 32) / count;
    int source = wide ? s64(1) : s32(1);
    int[] slots = new int[count];
    for (int i = 0; i < count; i++) {
      Operand element = tuple.elements().get(i);
      slots[i] = KernelBuilder.isSink(element) ? -1 : kernel.destination32(element);
    }
    return move(
        new Operation() {
          @Override
          void run(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
              int lane = Integer.numberOfTrailingZeros(m);
              long value = wide ? w.r64[source][lane] : w.r32[source][lane];
              for (int i = 0; i < slots.length; i++) {
                if (slots[i] >= 0) {
                  int part = (int) (value >>> i * bits);
                  w.r32[slots[i]][lane] = bits == 32 ? part : part & (1 << bits) - 1;
                }
              }
            }
          }
        });
  }

  private Decoded pack(Operand.Tuple tuple, boolean wide) {
    int count = tuple.elements().size();
    int bits = (wide ? 64 : 32) / count;
    int[] slots = new int[count];
    for (int i = 0; i < count; i++) {
      slots[i] = kernel.source32(tuple.elements().get(i));
    }
    int d = wide ? d64() : d32();
    return move(
        new Operation() {
          @Override
          void run(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
              int lane = Integer.numberOfTrailingZeros(m);
              long value = 0;
              for (int i = 0; i < slots.length; i++) {
                long part = w.r32[slots[i]][lane] & 0xffffffffL;
                value |= (bits == 32 ? part : part & (1L << bits) - 1) << i * bits;
              }
              if (wide) {
                w.r64[d][lane] = value;
              } else {
                w.r32[d][lane] = (int) value;
              }
            }
          }
        });
  }

  /** {@code and}, {@code or}, {@code xor}, {@code not} and {@code mov} of predicates. */
  private Decoded predicateLogic() {
    String name = opcode.base();
    int d = kernel.predicate(operands.get(0));
    int a = kernel.predicate(operands.get(1));
    boolean aNegated = operands.get(1) instanceof Operand.Negated;
    boolean binary = operands.size() > 2;
    int b = binary ? kernel.predicate(operands.get(2)) : a;
    boolean bNegated = binary && operands.get(2) instanceof Operand.Negated;
    if (!Set.of("and", "or", "xor", "not", "mov").contains(name)) {
      return null;
    }
    return integer(
        new Operation() {
          @Override
          void run(Warp w, int mask) {
            int x = aNegated ? ~w.predicates[a] : w.predicates[a];
            int y = bNegated ? ~w.predicates[b] : w.predicates[b];
            int result =
                switch (name) {
                  case "and" -> x & y;
                  case "or" -> x | y;
                  case "xor" -> x ^ y;
                  case "not" -> ~x;
                  default -> x;
                };
            w.predicates[d] = result & mask | w.predicates[d] & ~mask;
          }
        });
  }

  private Decoded float32() {
    boolean flush = opcode.take("ftz");
    boolean saturate = opcode.take("sat");
    boolean approximate = opcode.take("approx");
    approximate |= opcode.take("full");
    Rounding given = opcode.takeRounding();
    Rounding mode = given == null ? Rounding.NEAREST : given;
    boolean toNearest = mode == Rounding.NEAREST;
    String name = opcode.base();
    if (Set.of("min", "max").contains(name) && opcode.take("NaN")) {
      name += ".NaN";
    }
    if (name.equals("mov")) {
      return move(Dense.of(d32(), s32(1), MOVE32));
    }
    InstructionClass kind =
        approximate || SPECIAL.contains(name)
            ? InstructionClass.SPECIAL_FUNCTION
            : InstructionClass.FLOAT32;
    if (operands.size() == 2) {
      Loops.II loop = toNearest ? FloatLoops.unary32(name) : FloatLoops.directedUnary32(name, mode);
      if (loop == null) {
        return null;
      }
      Loops.II whole =
          !flush && !saturate
              ? loop
              : (d, a) -> {
                loop.apply(d, flush ? FloatLoops.flushed(a) : a);
                finish32(d, flush, saturate);
              };
      int flops = Set.of("abs", "neg").contains(name) ? 0 : 1;
      return new Decoded(Dense.of(d32(), s32(1), whole), kind, flops);
    }
    if (operands.size() == 3) {
      Loops.III loop = toNearest ? FloatLoops.binary32(name) : FloatLoops.directed32(name, mode);
      if (loop == null) {
        return null;
      }
      Loops.III whole =
          !flush && !saturate
              ? loop
              : (d, a, b) -> {
                loop.apply(d, flush ? FloatLoops.flushed(a) : a, flush ? FloatLoops.flushed(b) : b);
                finish32(d, flush, saturate);
              };
      int flops = Set.of("add", "sub", "mul", "div").contains(name) ? 1 : 0;
      return new Decoded(Dense.of(d32(), s32(1), s32(2), whole), kind, flops);
    }
    if (!Set.of("fma", "mad").contains(name)) {
      return null;
    }
    Loops.IIII loop = FloatLoops.fma32(mode);
    Loops.IIII whole =
        !flush && !saturate
            ? loop
            : (d, a, b, c) -> {
              loop.apply(
                  d,
                  flush ? FloatLoops.flushed(a) : a,
                  flush ? FloatLoops.flushed(b) : b,
                  flush ? FloatLoops.flushed(c) : c);
              finish32(d, flush, saturate);
            };
    return new Decoded(Dense.of(d32(), s32(1), s32(2), s32(3), whole), InstructionClass.FLOAT32, 2);
  }

  private static void finish32(int[] d, boolean flush, boolean saturate) {
    if (flush) {
      FloatLoops.flush(d);
    }
    if (saturate) {
      FloatLoops.saturate32(d);
    }
  }

  private Decoded float64() {
    boolean approximate = opcode.take("approx");
    opcode.take("ftz");
    Rounding given = opcode.takeRounding();
    Rounding mode = given == null ? Rounding.NEAREST : given;
    boolean toNearest = mode == Rounding.NEAREST;
    String name = opcode.base();
    if (name.equals("mov")) {
      return move64();
    }
    InstructionClass kind =
        approximate ? InstructionClass.SPECIAL_FUNCTION : InstructionClass.FLOAT64;
    if (operands.size() == 2) {
      Loops.LL loop =
          toNearest
              ? FloatLoops.unary64(approximate ? name + ".approx" : name)
              : FloatLoops.directedUnary64(name, mode);
      int flops = Set.of("abs", "neg").contains(name) ? 0 : 1;
      return loop == null ? null : new Decoded(Dense.of(d64(), s64(1), loop), kind, flops);
    }
    if (operands.size() == 3) {
      Loops.LLL loop = toNearest ? FloatLoops.binary64(name) : FloatLoops.directed64(name, mode);
      int flops = Set.of("add", "sub", "mul", "div").contains(name) ? 1 : 0;
      return loop == null ? null : new Decoded(Dense.of(d64(), s64(1), s64(2), loop), kind, flops);
    }
    return !Set.of("fma", "mad").contains(name)
        ? null
        : new Decoded(Dense.of(d64(), s64(1), s64(2), s64(3), FloatLoops.fma64(mode)), kind, 2);
  }

  private static final String[] COMPARISONS = {
    "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu",
    "geu", "num", "nan"
  };

  /** The comparison of {@code setp} and {@code set}, of the operands from {@code at} on. */
  private Dense.Comparison comparison(
      String comparison,
      String type,
      boolean flush,
      int at,
      int d,
      int inverse,
      Dense.Combination combination,
      Operand with) {
    int other = combination == null ? -1 : kernel.predicate(with);
    boolean negated = with instanceof Operand.Negated;
    boolean signed = Opcode.signed(type);
    if (Opcode.bits(type) == 64) {
      Loops.PLL loop =
          type.equals("f64")
              ? FloatLoops.compare64(comparison)
              : IntegerLoops.compare64(comparison, signed);
      requireKnown(type.equals("f64") ? FloatLoops.isComparison(comparison) : loop != null);
      int a = s64(at);
      int b = s64(at + 1);
      return new Dense.Comparison(d, inverse, combination, other, negated) {
        @Override
        int compare(Warp w) {
          return loop.apply(w.r64[a], w.r64[b]);
        }
      };
    }
    Loops.PII plain =
        type.equals("f32")
            ? FloatLoops.compare32(comparison)
            : Opcode.floating(type)
                ? null
                : signed
                    ? IntegerLoops.compare32(comparison)
                    : IntegerLoops.compareUnsigned32(comparison);
    requireKnown(plain != null);
    Loops.PII loop =
        flush
            ? (a, b) -> plain.apply(FloatLoops.flushed(a), FloatLoops.flushed(b))
            : Opcode.bits(type) == 16
                ? (a, b) ->
                    plain.apply(IntegerLoops.widen16(a, signed), IntegerLoops.widen16(b, signed))
                : plain;
    int a = s32(at);
    int b = s32(at + 1);
    return new Dense.Comparison(d, inverse, combination, other, negated) {
      @Override
      int compare(Warp w) {
        return loop.apply(w.r32[a], w.r32[b]);
      }
    };
  }

  private static void requireKnown(boolean known) {
    if (!known) {
      throw new Refusal("the emulator doesn't know this comparison");
    }
  }

  private Dense.Combination takeCombination() {
    String name = opcode.takeOneOf("and", "or", "xor");
    return name == null ? null : Dense.Combination.valueOf(name.toUpperCase(java.util.Locale.ROOT));
  }

  private Decoded setPredicate() {
    String comparison = opcode.takeOneOf(COMPARISONS);
    requireKnown(comparison != null);
    Dense.Combination combination = takeCombination();
    boolean flush = opcode.take("ftz");
    String type = opcode.takeType();
    Operand result = operands.get(0);
    int inverse = -1;
    if (result instanceof Operand.Pair pair) {
      result = pair.first();
      inverse = KernelBuilder.isSink(pair.second()) ? -1 : kernel.predicate(pair.second());
    }
    int d = KernelBuilder.isSink(result) ? -1 : kernel.predicate(result);
    return new Decoded(
        comparison(
            comparison,
            type,
            flush,
            1,
            d,
            inverse,
            combination,
            combination == null ? null : operands.get(3)),
        kind(type));
  }

  private static InstructionClass kind(String type) {
    return switch (type) {
      case "f32" -> InstructionClass.FLOAT32;
      case "f64" -> InstructionClass.FLOAT64;
      default -> InstructionClass.INTEGER;
    };
  }

  /** {@code set}: a comparison whose result is a number. */
  private Decoded set() {
    String comparison = opcode.takeOneOf(COMPARISONS);
    requireKnown(comparison != null);
    Dense.Combination combination = takeCombination();
    boolean flush = opcode.take("ftz");
    String source = opcode.takeType();
    String result = opcode.takeType();
    int yes = result.equals("f32") ? Float.floatToRawIntBits(1) : -1;
    int scratch = kernel.newPredicate();
    Dense.Comparison compare =
        comparison(
            comparison,
            source,
            flush,
            1,
            scratch,
            -1,
            combination,
            combination == null ? null : operands.get(3));
    int d = d32();
    return new Decoded(
        new Operation() {
          @Override
          void run(Warp w, int mask) {
            compare.run(w, mask);
            for (int m = mask; m != 0; m &= m - 1) {
              int lane = Integer.numberOfTrailingZeros(m);
              w.r32[d][lane] = (w.predicates[scratch] >>> lane & 1) != 0 ? yes : 0;
            }
          }
        },
        kind(source));
  }

  private Decoded select() {
    String type = opcode.takeType();
    Operand choice = operands.get(3);
    int p = kernel.predicate(choice);
    boolean negated = choice instanceof Operand.Negated;
    if (Opcode.bits(type) == 64) {
      int a = s64(1);
      int b = s64(2);
      return integer(
          new Dense.To64(d64()) {
            @Override
            void compute(Warp w, long[] out) {
              int chosen = negated ? ~w.predicates[p] : w.predicates[p];
              long[] x = w.r64[a];
              long[] y = w.r64[b];
              for (int i = 0; i < 32; i++) {
                out[i] = (chosen >>> i & 1) != 0 ? x[i] : y[i];
              }
            }
          });
    }
    int a = s32(1);
    int b = s32(2);
    int keep = Opcode.bits(type) == 16 ? 0xffff : -1;
    return integer(
        new Dense.To32(d32()) {
          @Override
          void compute(Warp w, int[] out) {
            int chosen = negated ? ~w.predicates[p] : w.predicates[p];
            int[] x = w.r32[a];
            int[] y = w.r32[b];
            for (int i = 0; i < 32; i++) {
              out[i] = ((chosen >>> i & 1) != 0 ? x[i] : y[i]) & keep;
            }
          }
        });
  }

  private Decoded selectBySign() {
    boolean flush = opcode.take("ftz");
    boolean byFloat = opcode.takeType().equals("f32");
    boolean wide = Opcode.bits(opcode.takeType()) == 64;
    int c = s32(3);
    if (wide) {
      int a = s64(1);
      int b = s64(2);
      return integer(
          new Dense.To64(d64()) {
            @Override
            void compute(Warp w, long[] out) {
              for (int i = 0; i < 32; i++) {
                out[i] = notNegative(w.r32[c][i], byFloat, flush) ? w.r64[a][i] : w.r64[b][i];
              }
            }
          });
    }
    int a = s32(1);
    int b = s32(2);
    return integer(
        new Dense.To32(d32()) {
          @Override
          void compute(Warp w, int[] out) {
            for (int i = 0; i < 32; i++) {
              out[i] = notNegative(w.r32[c][i], byFloat, flush) ? w.r32[a][i] : w.r32[b][i];
            }
          }
        });
  }

  private static boolean notNegative(int c, boolean isFloat, boolean flush) {
    return isFloat ? FloatLoops.f32(flush ? FloatLoops.flush32(c) : c) >= 0 : c >= 0;
  }

  private Decoded testPredicate() {
    String test =
        opcode.takeOneOf("finite", "infinite", "number", "notanumber", "normal", "subnormal");
    requireKnown(test != null);
    boolean wide = opcode.takeType().equals("f64");
    int d = kernel.predicate(operands.get(0));
    int a = wide ? s64(1) : s32(1);
    return new Decoded(
        new Dense.Comparison(d, -1, null, -1, false) {
          @Override
          int compare(Warp w) {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              double x = wide ? FloatLoops.f64(w.r64[a][i]) : FloatLoops.f32(w.r32[a][i]);
              double least = wide ? Double.MIN_NORMAL : Float.MIN_NORMAL;
              double magnitude = Math.abs(x);
              boolean holds =
                  switch (test) {
                    case "finite" -> magnitude <= Double.MAX_VALUE;
                    case "infinite" -> Double.isInfinite(x);
                    case "number" -> x == x;
                    case "notanumber" -> x != x;
                    case "normal" -> magnitude >= least && magnitude <= Double.MAX_VALUE;
                    default -> magnitude > 0 && magnitude < least;
                  };
              p |= (holds ? 1 : 0) << i;
            }
            return p;
          }
        },
        wide ? InstructionClass.FLOAT64 : InstructionClass.FLOAT32);
  }

  /** {@code add.cc}, {@code addc}, {@code sub.cc}, {@code subc}, {@code mad.cc}, {@code madc}. */
  private Decoded withCarry(boolean carryOut) {
    String name = opcode.base();
    boolean carryIn = name.endsWith("c");
    String type = opcode.takeType();
    boolean wide = Opcode.bits(type) == 64;
    String part = opcode.takeOneOf("lo", "hi");
    boolean subtract = name.startsWith("sub");
    boolean multiply = name.startsWith("mad");
    boolean signed = Opcode.signed(type);
    int d = wide ? d64() : d32();
    int a = wide ? s64(1) : s32(1);
    int b = wide ? s64(2) : s32(2);
    int c = !multiply ? -1 : wide ? s64(3) : s32(3);
    return integer(
        new Operation() {
          @Override
          void run(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
              int lane = Integer.numberOfTrailingZeros(m);
              long x = wide ? w.r64[a][lane] : w.r32[a][lane];
              long y = wide ? w.r64[b][lane] : w.r32[b][lane];
              if (multiply) {
                x = product(x, y);
                y = wide ? w.r64[c][lane] : w.r32[c][lane];
              }
              // A difference is the sum with the complement; its carry means "no borrow".
              int in = carryIn ? w.carry >>> lane & 1 : 0;
              long sum;
              boolean out;
              if (subtract) {
                sum = x - y - in;
                int order =
                    wide ? Long.compareUnsigned(x, y) : Integer.compareUnsigned((int) x, (int) y);
                out = order < 0 || order == 0 && in == 1;
              } else if (wide) {
                sum = x + y + in;
                int order = Long.compareUnsigned(sum, x);
                out = order < 0 || order == 0 && in == 1;
              } else {
                sum = (x & 0xffffffffL) + (y & 0xffffffffL) + in;
                out = sum >>> 32 != 0;
              }
              if (wide) {
                w.r64[d][lane] = sum;
              } else {
                w.r32[d][lane] = (int) sum;
              }
              if (carryOut) {
                w.carry = out ? w.carry | 1 << lane : w.carry & ~(1 << lane);
              }
            }
          }

          private long product(long x, long y) {
            if (part.equals("lo")) {
              return x * y;
            }
            return wide
                ? IntegerLoops.high(x, y, signed)
                : signed
                    ? (int) x * (long) (int) y >> 32
                    : (x & 0xffffffffL) * (y & 0xffffffffL) >>> 32;
          }
        });
  }

  /** {@code mov} of a clock: instructions that this host thread has issued for the kernel. */
  private static final class Clock extends Operation {
    private final int d;
    private final boolean wide;

    Clock(int d, boolean wide) {
      this.d = d;
      this.wide = wide;
    }

    static boolean isClock(String name) {
      return Set.of("%clock", "%clock_hi", "%clock64", "%globaltimer").contains(name);
    }

    @Override
    void run(Warp w, int mask) {
      long now = 0;
      for (long count : w.block.tally.warpInstructions) {
        now += count;
      }
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        if (wide) {
          w.r64[d][lane] = now;
        } else {
          w.r32[d][lane] = (int) now;
        }
      }
    }
  }
}
