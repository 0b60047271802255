package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.emulator.KernelBuilder.Decoded;
import dev.flinch.device.cuda.emulator.MemoryAccess.AddressSource;
import dev.flinch.device.cuda.emulator.MemoryAccess.Space;
import dev.flinch.device.cuda.emulator.Opcode.Refusal;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.function.LongBinaryOperator;

/** Loads, stores, atomics, fences and address conversions. */
final class MemoryDecoder {
  private MemoryDecoder() {}

  /** Null where it's another decoder's. */
  static Decoded decode(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    return switch (opcode.base()) {
      case "ld", "ldu" -> load(kernel, opcode, operands);
      case "st" -> store(kernel, opcode, operands);
      case "atom", "red" -> atomic(kernel, opcode, operands);
      case "cvta" -> convertAddress(kernel, opcode, operands);
      case "isspacep" -> isSpace(kernel, opcode, operands);
      case "membar", "fence" -> {
        ordering(opcode);
        opcode.takeOneOf("gl", "cta", "sys");
        yield new Decoded(new Fence(), InstructionClass.BARRIER);
      }
      case "prefetch", "prefetchu", "discard", "applypriority" -> {
        space(opcode);
        opcode.takeAll("L");
        yield new Decoded(new Fence(), InstructionClass.CONTROL);
      }
      case "cp" -> opcode.take("async") ? asyncCopy(kernel, opcode, operands) : null;
      default -> null;
    };
  }

  private static final class Fence extends Operation {
    @Override
    void run(Warp warp, int mask) {
      VarHandle.fullFence();
    }
  }

  /** Takes what says how accesses are ordered and cached: all are in order here. */
  private static void ordering(Opcode opcode) {
    opcode.takeOneOf("weak", "volatile", "relaxed", "acquire", "release", "acq_rel", "sc", "mmio");
    opcode.takeOneOf("cta", "gpu", "sys", "cluster");
    opcode.takeOneOf("ca", "cg", "cs", "lu", "cv", "wb", "wt");
    opcode.takeAll("L1::");
    opcode.takeAll("L2::");
  }

  private static Space space(Opcode opcode) {
    if (opcode.take("shared") || opcode.take("shared::cta")) {
      return Space.SHARED;
    }
    if (opcode.take("local")) {
      return Space.LOCAL;
    }
    if (opcode.takeOneOf("global", "const", "const[0]") != null) {
      return Space.GLOBAL;
    }
    return Space.GENERIC;
  }

  private static InstructionClass kind(Space space, boolean store) {
    return switch (space) {
      case SHARED -> store ? InstructionClass.SHARED_STORE : InstructionClass.SHARED_LOAD;
      case LOCAL -> InstructionClass.LOCAL;
      default -> store ? InstructionClass.GLOBAL_STORE : InstructionClass.GLOBAL_LOAD;
    };
  }

  private static List<Operand> elements(Operand operand) {
    return operand instanceof Operand.Tuple tuple ? tuple.elements() : List.of(operand);
  }

  private static void requireVector(Opcode opcode, int count) {
    String vector = opcode.takeOneOf("v2", "v4");
    int expected = vector == null ? 1 : vector.charAt(1) - '0';
    if (count != expected) {
      throw new Refusal("expected %d elements, found %d".formatted(expected, count));
    }
  }

  private static Decoded load(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    ordering(opcode);
    opcode.take("nc");
    boolean parameter = opcode.take("param") || opcode.take("param::entry");
    parameter |= opcode.take("param::func");
    Space space = parameter ? Space.LOCAL : space(opcode);
    String type = opcode.takeType();
    List<Operand> elements = elements(operands.get(0));
    requireVector(opcode, elements.size());
    int bytes = Opcode.bits(type) / 8;
    boolean wide = false;
    boolean narrow = false;
    int[] destinations = new int[elements.size()];
    for (int i = 0; i < destinations.length; i++) {
      Operand element = elements.get(i);
      if (KernelBuilder.isSink(element)) {
        destinations[i] = -1;
        continue;
      }
      Names.Register register = kernel.register(element);
      wide = register != null && register.bits() == 64;
      narrow = register != null && register.bits() == 16;
      destinations[i] = wide ? kernel.destination64(element) : kernel.destination32(element);
    }
    if (bytes == 8 && !wide) {
      throw new Refusal("64 bits don't fit the register");
    }
    if (!(operands.get(1) instanceof Operand.Address address)) {
      throw new Refusal("expected an address in brackets");
    }
    if (parameter) {
      Names.Place place = kernel.place(address.base());
      if (place == null) {
        throw new Refusal("expected a parameter's name in the brackets");
      }
      if (place.space().equals("param")) {
        return new Decoded(
            new LoadParameter(
                (int) (place.address() + address.offset()),
                bytes,
                Opcode.signed(type),
                wide,
                destinations),
            InstructionClass.PARAMETER);
      }
    }
    AddressSource source = kernel.addressSource(address);
    if (space == Space.SHARED || space == Space.GENERIC) {
      kernel.noteSharedAccess(bytes);
    }
    return new Decoded(
        new Load(space, source, bytes, Opcode.signed(type), wide, narrow, destinations),
        kind(space, false));
  }

  private static Decoded store(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    ordering(opcode);
    boolean parameter = opcode.take("param") || opcode.take("param::func");
    Space space = parameter ? Space.LOCAL : space(opcode);
    String type = opcode.takeType();
    List<Operand> elements = elements(operands.get(1));
    requireVector(opcode, elements.size());
    int bytes = Opcode.bits(type) / 8;
    boolean wide = bytes == 8;
    for (Operand element : elements) {
      Names.Register register = kernel.register(element);
      wide |= register != null && register.bits() == 64;
    }
    int[] sources = new int[elements.size()];
    for (int i = 0; i < sources.length; i++) {
      sources[i] = wide ? kernel.source64(elements.get(i)) : kernel.source32(elements.get(i));
    }
    AddressSource source = kernel.addressSource(operands.get(0));
    if (space == Space.SHARED || space == Space.GENERIC) {
      kernel.noteSharedAccess(bytes);
    }
    return new Decoded(new Store(space, source, bytes, wide, sources), kind(space, true));
  }

  private static Decoded atomic(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    boolean reduction = opcode.base().equals("red");
    ordering(opcode);
    Space space = space(opcode);
    String name =
        opcode.takeOneOf("add", "min", "max", "exch", "cas", "and", "or", "xor", "inc", "dec");
    if (name == null) {
      throw new Refusal("the emulator doesn't know this atomic");
    }
    String type = opcode.takeType();
    boolean wide = Opcode.bits(type) == 64;
    if (Opcode.bits(type) < 32 || type.endsWith("x2")) {
      throw new Refusal("the emulator knows atomics on 32 and 64 bits only");
    }
    int at = reduction ? 0 : 1;
    int destination = -1;
    if (!reduction && !KernelBuilder.isSink(operands.get(0))) {
      destination =
          wide ? kernel.destination64(operands.get(0)) : kernel.destination32(operands.get(0));
    }
    AddressSource source = kernel.addressSource(operands.get(at));
    int operand =
        wide ? kernel.source64(operands.get(at + 1)) : kernel.source32(operands.get(at + 1));
    int replacement = -1;
    if (name.equals("cas")) {
      replacement =
          wide ? kernel.source64(operands.get(at + 2)) : kernel.source32(operands.get(at + 2));
    }
    LongBinaryOperator change = name.equals("cas") ? null : change(name, type);
    return new Decoded(
        new Atomic(space, source, wide, change, destination, operand, replacement),
        InstructionClass.ATOMIC);
  }

  /** On 32-bit types the operands come zero-extended, and the upper half of the result is cut. */
  private static LongBinaryOperator change(String name, String type) {
    boolean signed32 = type.equals("s32");
    return switch (name) {
      case "add" ->
          switch (type) {
            case "f32" ->
                (a, b) ->
                    FloatLoops.bits(Float.intBitsToFloat((int) a) + Float.intBitsToFloat((int) b));
            case "f64" ->
                (a, b) -> FloatLoops.bits(Double.longBitsToDouble(a) + Double.longBitsToDouble(b));
            default -> Long::sum;
          };
      case "min" ->
          signed32
              ? (a, b) -> Math.min((int) a, (int) b)
              : type.equals("s64") ? Math::min : (a, b) -> Long.compareUnsigned(a, b) <= 0 ? a : b;
      case "max" ->
          signed32
              ? (a, b) -> Math.max((int) a, (int) b)
              : type.equals("s64") ? Math::max : (a, b) -> Long.compareUnsigned(a, b) >= 0 ? a : b;
      case "exch" -> (a, b) -> b;
      case "and" -> (a, b) -> a & b;
      case "or" -> (a, b) -> a | b;
      case "xor" -> (a, b) -> a ^ b;
      case "inc" -> (a, b) -> Long.compareUnsigned(a, b) >= 0 ? 0 : a + 1;
      default -> (a, b) -> a == 0 || Long.compareUnsigned(a, b) > 0 ? b : a - 1;
    };
  }

  private static Decoded convertAddress(
      KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    boolean fromGeneric = opcode.take("to");
    Space space = space(opcode);
    opcode.takeOneOf("param");
    if (!opcode.takeType().endsWith("64")) {
      throw new Refusal("the emulator knows 64-bit addresses only");
    }
    long window =
        switch (space) {
          case SHARED -> Warp.SHARED_WINDOW;
          case LOCAL -> Warp.LOCAL_WINDOW;
          default -> 0;
        };
    long shift = fromGeneric ? -window : window;
    return new Decoded(
        Dense.of(
            kernel.destination64(operands.get(0)),
            kernel.source64(operands.get(1)),
            (Loops.LL)
                (d, a) -> {
                  for (int i = 0; i < 32; i++) {
                    d[i] = a[i] + shift;
                  }
                }),
        InstructionClass.INTEGER);
  }

  private static Decoded isSpace(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    Space space = space(opcode);
    int d = kernel.predicate(operands.get(0));
    int a = kernel.source64(operands.get(1));
    return new Decoded(
        new Dense.Comparison(d, -1, null, -1, false) {
          @Override
          int compare(Warp w) {
            int p = 0;
            for (int i = 0; i < 32; i++) {
              long address = w.r64[a][i];
              Space found =
                  address >= Warp.SHARED_WINDOW && address < Warp.LOCAL_WINDOW
                      ? Space.SHARED
                      : address >= Warp.LOCAL_WINDOW
                              && address < Warp.LOCAL_WINDOW + Warp.WINDOW_BYTES
                          ? Space.LOCAL
                          : Space.GLOBAL;
              p |= (found == space ? 1 : 0) << i;
            }
            return p;
          }
        },
        InstructionClass.INTEGER);
  }

  private static Decoded asyncCopy(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    if (kernel.target() < 80) {
      throw new Refusal("cp.async needs .target sm_80 or higher");
    }
    if (opcode.take("commit_group")) {
      return new Decoded(
          new Operation() {
            @Override
            void run(Warp w, int mask) {
              w.copies.commit(mask);
            }
          },
          InstructionClass.BARRIER);
    }
    boolean all = opcode.take("wait_all");
    if (all || opcode.take("wait_group")) {
      int newest = all ? -1 : (int) ((Operand.Immediate) operands.get(0)).bits();
      return new Decoded(
          new Operation() {
            @Override
            void run(Warp w, int mask) {
              w.copies.await(w, mask, newest);
            }
          },
          InstructionClass.BARRIER);
    }
    opcode.takeOneOf("ca", "cg");
    opcode.take("shared");
    opcode.take("shared::cta");
    opcode.take("global");
    opcode.takeAll("L2::");
    int bytes = (int) ((Operand.Immediate) operands.get(2)).bits();
    if (bytes != 4 && bytes != 8 && bytes != 16) {
      throw new Refusal("cp.async copies 4, 8 or 16 bytes, not " + bytes);
    }
    int sourceBytes = operands.size() > 3 ? kernel.source32(operands.get(3)) : -1;
    kernel.noteSharedAccess(bytes);
    return new Decoded(
        new AsyncCopy(
            kernel.addressSource(operands.get(0)),
            kernel.addressSource(operands.get(1)),
            bytes,
            sourceBytes),
        InstructionClass.GLOBAL_LOAD);
  }
}
