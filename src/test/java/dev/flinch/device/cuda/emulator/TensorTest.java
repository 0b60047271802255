package dev.flinch.device.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cuda.driver.DriverException;
import dev.flinch.device.cuda.driver.Geometry;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Matrix instructions and asynchronous copies against plain products and copies. */
class TensorTest {
  private static final long SEED = 7;

  private final Emulated card = new Emulated();
  private final SplittableRandom random = new SplittableRandom(SEED);

  @AfterEach
  void close() {
    card.close();
  }

  /** Element (row, column) that a lane keeps in a register, as the PTX ISA's figures show. */
  private interface Place {
    int index(int lane, int register);
  }

  private static final Place RESULT =
      (lane, r) -> (lane / 4 + r / 2 * 8) * 8 + lane % 4 * 2 + r % 2;

  private float[] random(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextDouble(-4, 4);
    }
    return values;
  }

  /** Runs one mma on registers loaded from [lane][register] arrays. */
  private int[] multiply(String instruction, int[][] a, int[][] b, int[][] c) {
    StringBuilder body = new StringBuilder("mov.u32 %r1, %tid.x;\n");
    String left = load(body, "p0", a[0].length, 2);
    String right = load(body, "p1", b[0].length, 6);
    String sum = load(body, "p2", 4, 8).replace("%r", "%f");
    for (int r = 0; r < 4; r++) {
      body.append("mov.b32 %%f%d, %%r%d;\n".formatted(8 + r, 8 + r));
    }
    body.append(instruction)
        .append(" {%f20,%f21,%f22,%f23}, " + left + ", " + right + ", " + sum + ";\n")
        .append("ld.param.u64 %rd1, [p3];\nmul.wide.u32 %rd2, %r1, 16;\n")
        .append("add.u64 %rd1, %rd1, %rd2;\n")
        .append("st.global.v4.f32 [%rd1], {%f20,%f21,%f22,%f23};");
    long out = card.allocate(4 * 128);
    card.run(
        "u64 u64 u64 u64",
        body.toString(),
        Geometry.of(1, 32),
        card.ints(flat(a)),
        card.ints(flat(b)),
        card.ints(flat(c)),
        out);
    return card.ints(out, 128);
  }

  private static String load(StringBuilder body, String parameter, int count, int first) {
    body.append("ld.param.u64 %%rd1, [%s];\n".formatted(parameter));
    body.append(
        "mul.wide.u32 %%rd2, %%r1, %d;\nadd.u64 %%rd1, %%rd1, %%rd2;\n".formatted(4 * count));
    StringBuilder registers = new StringBuilder();
    for (int r = 0; r < count; r++) {
      body.append("ld.global.u32 %%r%d, [%%rd1+%d];\n".formatted(first + r, 4 * r));
      registers.append(r == 0 ? "{" : ",").append("%r").append(first + r);
    }
    return registers.append('}').toString();
  }

  private static int[] flat(int[][] values) {
    return java.util.Arrays.stream(values).flatMapToInt(IntStream::of).toArray();
  }

  private static int[][] lanes(
      int registers, Place place, java.util.function.IntUnaryOperator bits) {
    int[][] values = new int[32][registers];
    for (int lane = 0; lane < 32; lane++) {
      for (int r = 0; r < registers; r++) {
        values[lane][r] = bits.applyAsInt(place.index(lane, r));
      }
    }
    return values;
  }

  private void assertProduct(float[] a, float[] b, float[] c, int k, int[] found) {
    for (int lane = 0; lane < 32; lane++) {
      for (int r = 0; r < 4; r++) {
        int at = RESULT.index(lane, r);
        double sum = c[at];
        double size = Math.abs(sum);
        for (int i = 0; i < k; i++) {
          sum += (double) a[at / 8 * k + i] * b[i * 8 + at % 8];
          size += Math.abs((double) a[at / 8 * k + i] * b[i * 8 + at % 8]);
        }
        // One rounding to float32, of a sum whose terms are no larger than `size`.
        assertEquals(
            sum, Float.intBitsToFloat(found[4 * lane + r]), size * 0x1p-23, "seed " + SEED);
      }
    }
  }

  @Test
  void tf32ProductsIgnoreTheLowBits() {
    for (int k : new int[] {4, 8}) {
      float[] a = random(16 * k);
      float[] b = random(k * 8);
      float[] c = random(128);
      int[] found =
          multiply(
              "mma.sync.aligned.m16n8k%d.row.col.f32.tf32.tf32.f32".formatted(k),
              lanes(
                  k / 2,
                  (lane, r) -> (lane / 4 + r % 2 * 8) * k + lane % 4 + r / 2 * 4,
                  i -> Float.floatToRawIntBits(a[i])),
              lanes(
                  k / 4,
                  (lane, r) -> (lane % 4 + r * 4) * 8 + lane / 4,
                  i -> Float.floatToRawIntBits(b[i])),
              lanes(4, RESULT, i -> Float.floatToRawIntBits(c[i])));
      for (float[] operand : new float[][] {a, b}) {
        for (int i = 0; i < operand.length; i++) {
          operand[i] = Float.intBitsToFloat(Float.floatToRawIntBits(operand[i]) & ~0x1fff);
        }
      }
      assertProduct(a, b, c, k, found);
      assertEquals(2 * 16 * 8 * k, card.counters().flops());
      card.driver.resetCounters();
    }
  }

  @Test
  void halfAndBrainProductsAreExact() {
    for (String type : new String[] {"f16", "bf16"}) {
      for (int k : new int[] {8, 16}) {
        float[] a = random(16 * k);
        float[] b = random(k * 8);
        float[] c = random(128);
        int[] left = rounded(a, type);
        int[] right = rounded(b, type);
        int[] found =
            multiply(
                "mma.sync.aligned.m16n8k%d.row.col.f32.%s.%s.f32".formatted(k, type, type),
                lanes(
                    k / 4,
                    (lane, r) -> (lane / 4 + r % 2 * 8) * k + lane % 4 * 2 + r / 2 * 8,
                    i -> left[i] | left[i + 1] << 16),
                lanes(
                    k / 8,
                    (lane, r) -> (lane % 4 * 2 + r * 8) * 8 + lane / 4,
                    i -> right[i] | right[i + 8] << 16),
                lanes(4, RESULT, i -> Float.floatToRawIntBits(c[i])));
        assertProduct(a, b, c, k, found);
      }
    }
  }

  /** Rounds to few bits, in place, so that both formats hold the values; gives their bits. */
  private static int[] rounded(float[] values, String type) {
    int[] bits = new int[values.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = Math.round(values[i] * 16) / 16f;
      bits[i] =
          type.equals("f16")
              ? HalfFloats.toHalf(values[i], Rounding.NEAREST)
              : Float.floatToRawIntBits(values[i]) >>> 16;
    }
    return bits;
  }

  @Test
  void matrixInstructionsNeedAllLanes() {
    String body =
        """
        mov.u32 %r1, %tid.x;
        setp.lt.s32 %p1, %r1, 31;
        @%p1 mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 \
        {%f1,%f2,%f3,%f4}, {%r2,%r3}, {%r4}, {%f1,%f2,%f3,%f4};
        """;
    EmulatorFault e =
        assertThrows(EmulatorFault.class, () -> card.run("", body, Geometry.of(1, 32)));
    assertTrue(e.getMessage().contains("needs all 32 lanes"), e.getMessage());
  }

  @Test
  void matricesAreLoadedAsTheirFragments() {
    for (boolean transposed : new boolean[] {false, true}) {
      for (int count : new int[] {1, 2, 4}) {
        // Matrix i, row r, column c holds 64 i + 8 r + c, sixteen bytes a row.
        String registers =
            new String[] {"", "{%r10}", "{%r10,%r11}", "", "{%r10,%r11,%r12,%r13}"}[count];
        StringBuilder body =
            new StringBuilder(
                """
                .shared .align 16 .b8 s[512];
                mov.u32 %r1, %tid.x;
                mov.u32 %r2, s;
                mad.lo.s32 %r2, %r1, 16, %r2;
                shl.b32 %r3, %r1, 3;
                mad.lo.s32 %r4, %r3, 0x10001, 0x10000;
                add.s32 %r5, %r4, 0x20002;
                add.s32 %r6, %r5, 0x20002;
                add.s32 %r7, %r6, 0x20002;
                st.shared.v4.u32 [%r2], {%r4,%r5,%r6,%r7};
                bar.warp.sync -1;
                """);
        body.append(
            "ldmatrix.sync.aligned.m8n8.x%d%s.shared.b16 %s, [%%r2];\n"
                .formatted(count, transposed ? ".trans" : "", registers));
        body.append(Emulated.element("%rd1", "p0", 4 * count));
        for (int i = 0; i < count; i++) {
          body.append("st.global.u32 [%%rd1+%d], %%r%d;\n".formatted(4 * i, 10 + i));
        }
        long out = card.allocate(128 * count);
        card.run("u64", body.toString(), Geometry.of(1, 32), out);
        int[] expected = new int[32 * count];
        for (int lane = 0; lane < 32; lane++) {
          for (int i = 0; i < count; i++) {
            int low = lane / 4 * 8 + lane % 4 * 2;
            int high = low + 1;
            if (transposed) {
              low = lane % 4 * 2 * 8 + lane / 4;
              high = low + 8;
            }
            expected[count * lane + i] = 64 * i + low | 64 * i + high << 16;
          }
        }
        assertArrayEquals(expected, card.ints(out, 32 * count));
        assertEquals(0, card.counters().bankConflicts());
      }
    }
  }

  @Test
  void copiesFillUpWithZeros() {
    long a = card.ints(IntStream.rangeClosed(1, 64).toArray());
    long out = card.allocate(4 * 64);
    String body =
        """
        .shared .align 16 .b8 s[256];
        mov.u32 %r1, %tid.x;
        shl.b32 %r2, %r1, 4;
        mov.u32 %r3, s;
        add.s32 %r3, %r3, %r2;
        and.b32 %r4, %r1, 3;
        shl.b32 %r4, %r4, 2;
        cvt.u64.u32 %rd2, %r2;
        ld.param.u64 %rd1, [p0];
        add.u64 %rd1, %rd1, %rd2;
        cp.async.cg.shared.global [%r3], [%rd1], 16, %r4;
        cp.async.commit_group;
        cp.async.wait_group 0;
        ld.shared.v4.u32 {%r5,%r6,%r7,%r8}, [%r3];
        ld.param.u64 %rd3, [p1];
        add.u64 %rd3, %rd3, %rd2;
        st.global.v4.u32 [%rd3], {%r5,%r6,%r7,%r8};
        """;
    card.run("u64 u64", body, Geometry.of(1, 16), a, out);
    assertArrayEquals(
        IntStream.range(0, 64).map(i -> i % 4 < i / 4 % 4 ? i + 1 : 0).toArray(),
        card.ints(out, 64));
    // What isn't taken may lie outside: lane 3 takes its 12 bytes, no more.
    long tail = card.ints(IntStream.rangeClosed(1, 15).toArray());
    card.run("u64 u64", body, Geometry.of(1, 4), tail, out);
    assertEquals(15, card.ints(out, 64)[14]);
  }

  @Test
  void groupsAreAwaitedInOrder() {
    long a = card.ints(11, 22, 33);
    String body =
        """
        .shared .align 4 .b8 s[12];
        ld.param.u64 %%rd1, [p0];
        cp.async.ca.shared.global [s], [%%rd1], 4;
        cp.async.commit_group;
        cp.async.ca.shared.global [s+4], [%%rd1+4], 4;
        cp.async.commit_group;
        cp.async.ca.shared.global [s+8], [%%rd1+8], 4;
        cp.async.commit_group;
        cp.async.wait_group %d;
        ld.shared.u32 %%r1, [s+%d];
        """;
    for (int newest = 0; newest < 4; newest++) {
      for (int copy = 0; copy < 3; copy++) {
        String text = body.formatted(newest, 4 * copy);
        if (copy < 3 - newest) {
          card.run("u64", text, Geometry.of(1, 1), a);
        } else {
          assertThrows(EmulatorFault.class, () -> card.run("u64", text, Geometry.of(1, 1), a));
        }
      }
    }
  }

  @Test
  void oldTargetsHaveNoNewInstructions() {
    try (Emulated turing = new Emulated(new EmulatedDriver(75, 1 << 20, 1))) {
      for (String line :
          new String[] {
            "cp.async.wait_all;",
            "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                + "{%f1,%f2,%f3,%f4}, {%r1,%r2,%r3,%r4}, {%r5,%r6}, {%f1,%f2,%f3,%f4};",
            "redux.sync.add.s32 %r1, %r2, -1;"
          }) {
        DriverException e =
            assertThrows(DriverException.class, () -> turing.kernel("", line), () -> line);
        assertTrue(e.getMessage().contains("needs .target sm_80"), e.getMessage());
      }
      DriverException e =
          assertThrows(
              DriverException.class, () -> turing.driver.load("m", Emulated.ptx(80, "", "")));
      assertTrue(e.getMessage().contains("the PTX is for sm_80, the card is sm_75"));
    }
  }
}
