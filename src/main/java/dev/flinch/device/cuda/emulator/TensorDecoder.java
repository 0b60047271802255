package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.emulator.KernelBuilder.Decoded;
import dev.flinch.device.cuda.emulator.Opcode.Refusal;
import java.util.List;
import java.util.Set;

/** Matrix instructions of a warp: {@code mma.sync} and {@code ldmatrix.sync}. */
final class TensorDecoder {
  private TensorDecoder() {}

  /** Null where it's another decoder's. */
  static Decoded decode(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    return switch (opcode.base()) {
      case "mma" -> multiply(kernel, opcode, operands);
      case "ldmatrix" -> loadMatrix(kernel, opcode, operands);
      default -> null;
    };
  }

  private static int[] slots(KernelBuilder kernel, Operand operand, int count, boolean result) {
    if (!(operand instanceof Operand.Tuple tuple) || tuple.elements().size() != count) {
      throw new Refusal("expected %d registers in braces".formatted(count));
    }
    return tuple.elements().stream()
        .mapToInt(e -> result ? kernel.destination32(e) : kernel.source32(e))
        .toArray();
  }

  private static void requireTarget(KernelBuilder kernel, int target, String what) {
    if (kernel.target() < target) {
      throw new Refusal("%s needs .target sm_%d or higher".formatted(what, target));
    }
  }

  private static Decoded multiply(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    boolean known = opcode.take("sync") && opcode.take("aligned");
    known &= opcode.take("row") && opcode.take("col");
    String shape = opcode.takeOneOf("m16n8k4", "m16n8k8", "m16n8k16");
    String c = opcode.takeType();
    String b = opcode.takeType();
    String a = opcode.takeType();
    String d = opcode.takeType();
    if (!known || shape == null || !c.equals("f32") || !d.equals("f32") || !a.equals(b)) {
      throw new Refusal("the emulator doesn't know this shape and types of mma");
    }
    int k = Integer.parseInt(shape.substring("m16n8k".length()));
    boolean fits = a.equals("tf32") ? k <= 8 : Set.of("f16", "bf16").contains(a) && k >= 8;
    if (!fits) {
      throw new Refusal("the emulator doesn't know mma %s on .%s".formatted(shape, a));
    }
    if (!a.equals("f16") || k == 16) {
      requireTarget(kernel, 80, "mma %s on .%s".formatted(shape, a));
    }
    int perRegister = a.equals("tf32") ? 1 : 2;
    Operation operation =
        new MatrixMultiply(
            a,
            k,
            slots(kernel, operands.get(0), 4, true),
            slots(kernel, operands.get(1), 16 * k / 32 / perRegister, false),
            slots(kernel, operands.get(2), 8 * k / 32 / perRegister, false),
            slots(kernel, operands.get(3), 4, false));
    return new Decoded(operation, InstructionClass.TENSOR, 2 * 16 * 8 * k / 32);
  }

  private static Decoded loadMatrix(KernelBuilder kernel, Opcode opcode, List<Operand> operands) {
    requireTarget(kernel, 75, "ldmatrix");
    boolean known = opcode.take("sync") && opcode.take("aligned") && opcode.take("m8n8");
    boolean transposed = opcode.take("trans");
    String count = opcode.takeOneOf("x1", "x2", "x4");
    opcode.take("shared");
    opcode.take("shared::cta");
    if (!known || count == null || !opcode.takeType().equals("b16")) {
      throw new Refusal("the emulator knows ldmatrix of m8n8 .b16 only");
    }
    int matrices = count.charAt(1) - '0';
    kernel.noteSharedAccess(4);
    return new Decoded(
        new LoadMatrix(
            kernel.addressSource(operands.get(1)),
            transposed,
            slots(kernel, operands.get(0), matrices, true)),
        InstructionClass.SHARED_LOAD);
  }

  private static void requireAll(Operation op, Warp w, int mask) {
    if (mask != Operation.FULL) {
      throw w.fault(
          op,
          Integer.numberOfTrailingZeros(~mask),
          "doesn't take part in a matrix instruction, which needs all 32 lanes");
    }
  }

  /**
   * {@code mma.sync}: D = A · B + C with A of 16 × k, B of k × 8. Operands are cut to what the
   * card's units read (tf32: the upper 19 bits); their products are exact. The sum of an element is
   * taken in double precision and rounded once: a card keeps fewer bits on the way, so its last
   * bits differ.
   */
  private static final class MatrixMultiply extends Operation {
    private final String type;
    private final int depth;
    private final int[] d;
    private final int[] a;
    private final int[] b;
    private final int[] c;

    MatrixMultiply(String type, int depth, int[] d, int[] a, int[] b, int[] c) {
      this.type = type;
      this.depth = depth;
      this.d = d;
      this.a = a;
      this.b = b;
      this.c = c;
    }

    @Override
    void run(Warp w, int mask) {
      requireAll(this, w, mask);
      double[] left = new double[16 * depth];
      double[] right = new double[8 * depth];
      boolean single = type.equals("tf32");
      for (int lane = 0; lane < 32; lane++) {
        int group = lane >> 2;
        int member = lane & 3;
        for (int r = 0; r < a.length; r++) {
          // Registers alternate between the upper and lower eight rows.
          int row = group + 8 * (r & 1);
          int bits = w.r32[a[r]][lane];
          if (single) {
            left[row * depth + member + 4 * (r >> 1)] = tf32(bits);
          } else {
            int column = 2 * member + 8 * (r >> 1);
            left[row * depth + column] = half(bits);
            left[row * depth + column + 1] = half(bits >>> 16);
          }
        }
        for (int r = 0; r < b.length; r++) {
          int bits = w.r32[b[r]][lane];
          if (single) {
            right[group * depth + member + 4 * r] = tf32(bits);
          } else {
            int row = 2 * member + 8 * r;
            right[group * depth + row] = half(bits);
            right[group * depth + row + 1] = half(bits >>> 16);
          }
        }
      }
      int[] sums = new int[4];
      for (int lane = 0; lane < 32; lane++) {
        for (int r = 0; r < 4; r++) {
          int row = (lane >> 2) + 8 * (r >> 1);
          int column = 2 * (lane & 3) + (r & 1);
          double sum = 0;
          for (int i = 0; i < depth; i++) {
            sum += left[row * depth + i] * right[column * depth + i];
          }
          sum += FloatLoops.f32(w.r32[c[r]][lane]);
          sums[r] = FloatLoops.bits((float) sum);
        }
        // Only now: C may be the registers of D.
        for (int r = 0; r < 4; r++) {
          w.r32[d[r]][lane] = sums[r];
        }
      }
    }

    private static float tf32(int bits) {
      return Float.intBitsToFloat(bits & ~0x1fff);
    }

    private float half(int bits) {
      return type.equals("f16")
          ? HalfFloats.fromHalf(bits & 0xffff)
          : Float.intBitsToFloat(bits << 16);
    }
  }

  /** {@code ldmatrix}: lanes 8 i to 8 i + 7 give the rows of matrix i, sixteen bytes each. */
  private static final class LoadMatrix extends Operation {
    private final Rows rows;
    private final int given;

    LoadMatrix(MemoryAccess.AddressSource source, boolean transposed, int[] destinations) {
      this.rows = new Rows(source, transposed, destinations);
      this.given = destinations.length == 4 ? FULL : (1 << 8 * destinations.length) - 1;
    }

    @Override
    Operation at(int line, String text, InstructionClass kind) {
      rows.at(line, text, kind);
      return super.at(line, text, kind);
    }

    @Override
    void run(Warp w, int mask) {
      requireAll(this, w, mask);
      rows.run(w, given);
    }
  }

  private static final class Rows extends MemoryAccess {
    private final boolean transposed;
    private final int[] destinations;

    Rows(AddressSource source, boolean transposed, int[] destinations) {
      super(Space.SHARED, source, 16, 16);
      this.transposed = transposed;
      this.destinations = destinations;
    }

    @Override
    String verb() {
      return "reads";
    }

    @Override
    boolean writes() {
      return false;
    }

    @Override
    void shared(Warp w, int mask) {
      requireReadable(w, mask);
      w.block.tally.shared(w, mask, bytes);
      for (int i = 0; i < destinations.length; i++) {
        for (int lane = 0; lane < 32; lane++) {
          int across = lane >> 2;
          int along = 2 * (lane & 3);
          int low = transposed ? element(w, i, along, across) : element(w, i, across, along);
          int high =
              transposed ? element(w, i, along + 1, across) : element(w, i, across, along + 1);
          w.r32[destinations[i]][lane] = low | high << 16;
        }
      }
    }

    private static int element(Warp w, int matrix, int row, int column) {
      int at = w.offset[8 * matrix + row] + 2 * column;
      return (short) Allocation.SHORT.get(w.block.shared.data, at) & 0xffff;
    }

    @Override
    void global(Warp w, Allocation array, int mask) {
      throw new AssertionError();
    }

    @Override
    void local(Warp w, int mask) {
      throw new AssertionError();
    }
  }
}
