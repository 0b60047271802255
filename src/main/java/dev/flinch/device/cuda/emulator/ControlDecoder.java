package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.emulator.KernelBuilder.Decoded;
import dev.flinch.device.cuda.emulator.Opcode.Refusal;
import java.util.List;

/** Branches, exits and barriers. */
final class ControlDecoder {
  private ControlDecoder() {}

  /** Null where it's another decoder's. */
  static Decoded decode(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    return switch (opcode.base()) {
      case "bra" -> {
        opcode.take("uni");
        String label = ((Operand.Name) operands.get(0)).name();
        yield new Decoded(new Branch(kernel.label(label)), InstructionClass.CONTROL);
      }
      case "brx" -> {
        opcode.take("idx");
        opcode.take("uni");
        int index = kernel.source32(operands.get(0));
        yield new Decoded(
            new IndexedBranch(index, kernel.targets(operands.get(1))), InstructionClass.CONTROL);
      }
      case "ret", "exit" -> {
        opcode.take("uni");
        yield new Decoded(new Exit(), InstructionClass.CONTROL);
      }
      case "trap", "brkpt" -> new Decoded(new Trap(), InstructionClass.CONTROL);
      case "bar", "barrier" -> barrier(kernel, opcode, operands);
      default -> null;
    };
  }

  private static Decoded barrier(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    if (opcode.take("warp")) {
      opcode.take("sync");
      return new Decoded(
          new WarpBarrier(kernel.source32(operands.get(0))), InstructionClass.BARRIER);
    }
    opcode.take("cta");
    opcode.take("aligned");
    String action = opcode.takeOneOf("sync", "arrive", "red");
    if (action == null) {
      throw new Refusal("expected .sync, .arrive or .red");
    }
    if (!action.equals("red")) {
      int count = operands.size() > 1 ? kernel.source32(operands.get(1)) : -1;
      return new Decoded(
          new Barrier(
              kernel.source32(operands.get(0)),
              count,
              action.equals("arrive"),
              Barrier.Reduction.NONE,
              -1,
              -1,
              false),
          InstructionClass.BARRIER);
    }
    Barrier.Reduction reduction =
        opcode.take("popc")
            ? Barrier.Reduction.POPC
            : opcode.take("and") ? Barrier.Reduction.AND : Barrier.Reduction.OR;
    opcode.take("or");
    opcode.takeType();
    Operand predicate = operands.get(operands.size() - 1);
    return new Decoded(
        new Barrier(
            kernel.source32(operands.get(1)),
            operands.size() > 3 ? kernel.source32(operands.get(2)) : -1,
            false,
            reduction,
            reduction == Barrier.Reduction.POPC
                ? kernel.destination32(operands.get(0))
                : kernel.predicate(operands.get(0)),
            kernel.predicate(predicate),
            predicate instanceof Operand.Negated),
        InstructionClass.BARRIER);
  }

  /** {@code trap}: the kernel itself says that something is wrong. */
  private static final class Trap extends Operation {
    @Override
    void run(Warp w, int mask) {
      throw w.fault(this, Integer.numberOfTrailingZeros(mask), "the kernel trapped");
    }
  }

  /** {@code bar.warp.sync}. */
  private static final class WarpBarrier extends Operation {
    private final int members;

    WarpBarrier(int members) {
      this.members = members;
    }

    @Override
    void run(Warp w, int mask) {
      Members.require(this, w, mask, members);
      int named = w.r32[members][Integer.numberOfTrailingZeros(mask)];
      if ((w.alive & ~named) == 0) {
        w.syncedFloor = w.block.shared.warpBarrier();
      }
    }
  }
}
