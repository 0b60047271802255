package dev.flinch.device.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.flinch.device.cuda.driver.Geometry;
import java.util.Arrays;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Lanes that part and meet again, and what they do together. */
class WarpTest {
  private static final int THREADS = 96;

  private final Emulated card = new Emulated();

  @AfterEach
  void close() {
    card.close();
  }

  /** Runs a body that leaves a number in %r0 for each of 96 threads. */
  private int[] run(String body) {
    long out = card.allocate(4 * THREADS);
    card.run(
        "u64",
        "mov.u32 %r1, %tid.x;\n"
            + body
            + "\n"
            + Emulated.element("%rd1", "p0", 4)
            + "st.global.u32 [%rd1], %r0;",
        Geometry.of(1, THREADS),
        out);
    return card.ints(out, THREADS);
  }

  private void assertEach(IntUnaryOperator expected, String body) {
    assertArrayEquals(IntStream.range(0, THREADS).map(expected).toArray(), run(body));
  }

  @Test
  void lanesLoopAsOftenAsTheyLike() {
    // The length of the Collatz sequence from tid + 1: inner branch and data-dependent exit.
    assertEach(
        t -> {
          int steps = 0;
          for (int n = t + 1; n != 1; steps++) {
            n = n % 2 == 0 ? n / 2 : 3 * n + 1;
          }
          return steps;
        },
        """
        add.s32 %r2, %r1, 1;
        mov.u32 %r0, 0;
        LOOP:
        setp.eq.s32 %p1, %r2, 1;
        @%p1 bra DONE;
        and.b32 %r3, %r2, 1;
        setp.eq.s32 %p2, %r3, 0;
        @%p2 bra EVEN;
        mad.lo.s32 %r2, %r2, 3, 1;
        bra.uni NEXT;
        EVEN:
        shr.u32 %r2, %r2, 1;
        NEXT:
        add.s32 %r0, %r0, 1;
        bra LOOP;
        DONE:
        """);
  }

  @Test
  void lanesMeetAgainAfterNestedBranches() {
    // All lanes vote together after the branches, whichever way they came.
    assertEach(
        t -> 0xffffffff,
        """
        and.b32 %r2, %r1, 3;
        setp.eq.s32 %p1, %r2, 0;
        @%p1 bra A;
        setp.eq.s32 %p2, %r2, 1;
        @%p2 bra B;
        mov.u32 %r3, 2;
        bra C;
        B:
        mov.u32 %r3, 1;
        bra C;
        A:
        mov.u32 %r3, 0;
        C:
        setp.ge.s32 %p3, %r3, 0;
        vote.sync.ballot.b32 %r0, %p3, -1;
        """);
  }

  @Test
  void lanesEndEarlyInsideBranches() {
    long out = card.ints(new int[THREADS]);
    String body =
        """
        mov.u32 %r1, %tid.x;
        mov.u32 %r2, 0;
        LOOP:
        add.s32 %r2, %r2, 1;
        setp.eq.s32 %p1, %r2, %r1;
        @%p1 bra STORE;
        setp.gt.s32 %p2, %r2, 50;
        @%p2 exit;
        bra LOOP;
        STORE:
        """
            + Emulated.element("%rd1", "p0", 4)
            + "st.global.u32 [%rd1], %r2;";
    card.run("u64", body, Geometry.of(1, THREADS), out);
    int[] expected = IntStream.range(0, THREADS).map(t -> t >= 1 && t <= 51 ? t : 0).toArray();
    expected[51] = 51;
    assertArrayEquals(expected, card.ints(out, THREADS));
  }

  @Test
  void jumpTablesSendEachLaneItsWay() {
    assertEach(
        t -> new int[] {10, 20, 30, 10}[t % 4] + 1,
        """
        and.b32 %r2, %r1, 3;
        table: .branchtargets A, B, C, A;
        brx.idx %r2, table;
        A:
        mov.u32 %r0, 10;
        bra.uni D;
        B:
        mov.u32 %r0, 20;
        bra.uni D;
        C:
        mov.u32 %r0, 30;
        D:
        add.s32 %r0, %r0, 1;
        """);
  }

  @Test
  void shufflesMoveWithinSegments() {
    assertEach(t -> t ^ 5, "shfl.sync.bfly.b32 %r0, %r1, 5, 31, -1;");
    assertEach(t -> t % 32 + 3 < 32 ? t + 3 : t, "shfl.sync.down.b32 %r0, %r1, 3, 31, 0xffffffff;");
    assertEach(t -> t % 32 >= 4 ? t - 4 : t, "shfl.sync.up.b32 %r0, %r1, 4, 0, -1;");
    assertEach(t -> t / 32 * 32 + 7, "shfl.sync.idx.b32 %r0, %r1, 7, 31, -1;");
    // Segments of eight lanes: c is (32 - 8) << 8 | 31.
    assertEach(t -> t / 8 * 8 + 2, "shfl.sync.idx.b32 %r0, %r1, 2, 0x181f, -1;");
    assertEach(
        t -> t % 8 + 3 < 8 ? 1 : 0,
        "shfl.sync.down.b32 %r2|%p1, %r1, 3, 0x181f, -1;\nselp.b32 %r0, 1, 0, %p1;");
    assertEach(
        t -> t,
        "mov.u32 %r0, %r1;\nshfl.sync.bfly.b32 %r0, %r0, 1, 31, -1;\n"
            + "shfl.sync.bfly.b32 %r0, %r0, 1, 31, -1;");
  }

  @Test
  void votesMatchesAndReductionsSeeAllLanes() {
    String odd = "and.b32 %r2, %r1, 1;\nsetp.ne.s32 %p1, %r2, 0;\n";
    assertEach(t -> 0xaaaaaaaa, odd + "vote.sync.ballot.b32 %r0, %p1, -1;");
    assertEach(t -> 0x55555555, odd + "vote.sync.ballot.b32 %r0, !%p1, -1;");
    assertEach(t -> 1, odd + "vote.sync.any.pred %p2, %p1, -1;\nselp.b32 %r0, 1, 0, %p2;");
    assertEach(t -> 0, odd + "vote.sync.all.pred %p2, %p1, -1;\nselp.b32 %r0, 1, 0, %p2;");
    assertEach(t -> 0, odd + "vote.sync.uni.pred %p2, %p1, -1;\nselp.b32 %r0, 1, 0, %p2;");
    assertEach(t -> 0x11111111 << t % 4, "and.b32 %r2, %r1, 3;\nmatch.any.sync.b32 %r0, %r2, -1;");
    assertEach(
        t -> t < 32 ? -1 : 0,
        "setp.lt.s32 %p1, %r1, 32;\nselp.b32 %r2, 0, %r1, %p1;\n"
            + "match.all.sync.b32 %r0|%p2, %r2, -1;");
    assertEach(
        t -> IntStream.range(t / 32 * 32, t / 32 * 32 + 32).sum(),
        "redux.sync.add.s32 %r0, %r1, -1;");
    assertEach(t -> t / 32 * 32 + 31, "redux.sync.max.u32 %r0, %r1, -1;");
    assertEach(t -> t % 2 == 1 ? 0xaaaaaaaa : 0, odd + "mov.u32 %r0, 0;\n@%p1 activemask.b32 %r0;");
  }

  @Test
  void barriersReduce() {
    String third = "rem.u32 %r2, %r1, 3;\nsetp.eq.s32 %p1, %r2, 0;\n";
    assertEach(t -> 32, third + "bar.red.popc.u32 %r0, 0, %p1;");
    assertEach(t -> 64, third + "bar.red.popc.u32 %r0, 0, !%p1;");
    assertEach(t -> 1, third + "bar.red.or.pred %p2, 0, %p1;\nselp.b32 %r0, 1, 0, %p2;");
    assertEach(t -> 0, third + "bar.red.and.pred %p2, 0, %p1;\nselp.b32 %r0, 1, 0, %p2;");
  }

  @Test
  void namedBarriersHandOver() {
    // Warps 0 and 1 produce, warp 2 consumes.
    assertEach(
        t -> t < 64 ? 0 : t - 64 + 1000,
        """
        .shared .align 4 .b8 s[128];
        mov.u32 %r0, 0;
        shl.b32 %r2, %r1, 2;
        mov.u32 %r3, s;
        setp.ge.s32 %p1, %r1, 64;
        @%p1 bra CONSUME;
        setp.ge.s32 %p2, %r1, 32;
        @%p2 bra ARRIVE;
        add.s32 %r3, %r3, %r2;
        add.s32 %r4, %r1, 1000;
        st.shared.u32 [%r3], %r4;
        ARRIVE:
        bar.arrive 1, 96;
        bra.uni DONE;
        CONSUME:
        bar.sync 1, 96;
        add.s32 %r3, %r3, %r2;
        ld.shared.u32 %r0, [%r3+-256];
        DONE:
        """);
  }

  @Test
  void specialRegistersDescribeTheThread() {
    long out = card.allocate(4 * 2 * 3 * 4 * 5 * 8);
    String body =
        """
        mov.u32 %r1, %tid.x;
        mov.u32 %r2, %tid.y;
        mov.u32 %r3, %tid.z;
        mov.u32 %r4, %ntid.x;
        mov.u32 %r5, %ntid.y;
        mov.u32 %r6, %ntid.z;
        mov.u32 %r7, %ctaid.x;
        mov.u32 %r8, %ctaid.y;
        mov.u32 %r9, %ctaid.z;
        mov.u32 %r10, %nctaid.x;
        mov.u32 %r11, %nctaid.y;
        mad.lo.s32 %r12, %r9, %r11, %r8;
        mad.lo.s32 %r12, %r12, %r10, %r7;
        mad.lo.s32 %r12, %r12, %r6, %r3;
        mad.lo.s32 %r12, %r12, %r5, %r2;
        mad.lo.s32 %r12, %r12, %r4, %r1;
        mul.wide.u32 %rd1, %r12, 4;
        ld.param.u64 %rd2, [p0];
        add.u64 %rd1, %rd1, %rd2;
        mov.u32 %r13, %laneid;
        mov.u32 %r14, %warpid;
        mad.lo.s32 %r15, %r14, 32, %r13;
        mov.u32 %r16, %lanemask_lt;
        popc.b32 %r17, %r16;
        mad.lo.s32 %r15, %r17, 1000, %r15;
        st.global.u32 [%rd1], %r15;
        """;
    card.run("u64", body, new Geometry(2, 3, 4, 5, 2, 4, 0), out);
    int threads = 40;
    int[] expected =
        IntStream.range(0, 24 * threads)
            .map(i -> i % threads + 1000 * (i % threads % 32))
            .toArray();
    assertArrayEquals(expected, card.ints(out, 24 * threads));
  }

  @Test
  void atomicsLoseNothingAcrossBlocks() {
    long sums = card.longs(0, 0, 0, 0);
    String body =
        """
        ld.param.u64 %rd1, [p0];
        mov.u32 %r1, %tid.x;
        mov.u32 %r2, %ctaid.x;
        mov.u32 %r3, %ntid.x;
        mad.lo.s32 %r4, %r2, %r3, %r1;
        red.global.add.u32 [%rd1], %r4;
        atom.global.max.u32 %r5, [%rd1+4], %r4;
        cvt.u64.u32 %rd2, %r4;
        atom.global.add.u64 %rd3, [%rd1+8], %rd2;
        atom.global.inc.u32 %r6, [%rd1+16], 99;
        mov.f32 %f1, 0f3F800000;
        red.global.add.f32 [%rd1+20], %f1;
        L:
        ld.global.u32 %r7, [%rd1+24];
        add.s32 %r8, %r7, 1;
        atom.global.cas.b32 %r9, [%rd1+24], %r7, %r8;
        setp.ne.s32 %p1, %r9, %r7;
        @%p1 bra L;
        and.b32 %r10, %r4, 31;
        shl.b32 %r11, 1, %r10;
        red.global.or.b32 [%rd1+28], %r11;
        """;
    card.run("u64", body, Geometry.of(50, 96), sums);
    int threads = 50 * 96;
    int[] found = card.ints(sums, 8);
    assertEquals(threads * (threads - 1) / 2, found[0]);
    assertEquals(threads - 1, found[1]);
    assertEquals((long) threads * (threads - 1) / 2, card.longs(sums, 4)[1]);
    assertEquals(threads % 100, found[4]);
    assertEquals((float) threads, Float.intBitsToFloat(found[5]));
    assertEquals(threads, found[6]);
    assertEquals(-1, found[7]);
  }

  @Test
  void genericAddressesReachEverySpace() {
    long a = card.ints(7, 8, 9);
    assertEach(
        t -> 7 + 100 + t,
        """
        .shared .align 4 .b8 s[4096];
        .local .align 4 .b8 depot[16];
        ld.param.u64 %rd20, [p0];
        mov.u64 %rd2, s;
        cvta.shared.u64 %rd3, %rd2;
        mul.wide.u32 %rd4, %r1, 4;
        add.u64 %rd3, %rd3, %rd4;
        st.u32 [%rd3], 100;
        mov.u64 %rd5, depot;
        cvta.local.u64 %rd6, %rd5;
        st.u32 [%rd6+8], %r1;
        ld.u32 %r2, [%rd3];
        ld.local.u32 %r3, [%rd5+8];
        cvta.to.shared.u64 %rd7, %rd3;
        ld.shared.u32 %r4, [%rd7];
        mov.u64 %rd8, GLOBAL;
        ld.u32 %r5, [%rd8];
        add.s32 %r0, %r3, %r4;
        add.s32 %r0, %r0, %r5;
        """
            .replace("mov.u64 %rd8, GLOBAL", "mov.u64 %rd8, " + a));
  }

  @Test
  void functionsAreCalled() {
    String function =
        """
        .func (.param .b32 result) twice(.param .b32 x, .param .b32 y)
        {
        .reg .b32 %r<5>;
        .reg .pred %p<2>;
        ld.param.b32 %r1, [x];
        ld.param.b32 %r2, [y];
        setp.lt.s32 %p1, %r1, %r2;
        @%p1 bra SMALL;
        st.param.b32 [result], %r2;
        ret;
        SMALL:
        add.s32 %r3, %r1, %r1;
        st.param.b32 [result], %r3;
        ret;
        }
        """;
    String body =
        "mov.u32 %r1, %tid.x;\n"
            + """
            {
            .param .b32 a;
            .param .b32 b;
            .param .b32 r;
            st.param.b32 [a], %r1;
            st.param.b32 [b], 10;
            call.uni (r), twice, (a, b);
            ld.param.b32 %r0, [r];
            }
            """
            + Emulated.element("%rd1", "p0", 4)
            + "st.global.u32 [%rd1], %r0;";
    String ptx = Emulated.ptx(80, "u64", body).replace(".visible", function + ".visible");
    long out = card.allocate(4 * THREADS);
    card.driver.launch(
        card.stream, card.driver.load("test", ptx).kernel("k"), Geometry.of(1, THREADS), out);
    int[] expected = IntStream.range(0, THREADS).map(t -> t < 10 ? 2 * t : 10).toArray();
    assertArrayEquals(expected, card.ints(out, THREADS));
  }

  @Test
  void constantTablesAreRead() {
    String body =
        "mov.u32 %r1, %tid.x;\nand.b32 %r2, %r1, 3;\nmul.wide.u32 %rd2, %r2, 4;\n"
            + "mov.u64 %rd3, table;\nadd.u64 %rd3, %rd3, %rd2;\nld.const.u32 %r0, [%rd3];\n"
            + "ld.const.u8 %r3, [bytes+1];\nadd.s32 %r0, %r0, %r3;\n"
            + Emulated.element("%rd1", "p0", 4)
            + "st.global.u32 [%rd1], %r0;";
    String ptx =
        Emulated.ptx(80, "u64", body)
            .replace(
                ".visible",
                ".const .align 4 .u32 table[4] = {3, 1, 4};\n"
                    + ".const .align 1 .b8 bytes[2] = {9, 200};\n.visible");
    long out = card.allocate(4 * THREADS);
    card.driver.launch(
        card.stream, card.driver.load("test", ptx).kernel("k"), Geometry.of(1, THREADS), out);
    int[] table = {203, 201, 204, 200};
    int[] expected = new int[THREADS];
    Arrays.setAll(expected, t -> table[t % 4]);
    assertArrayEquals(expected, card.ints(out, THREADS));
  }
}
