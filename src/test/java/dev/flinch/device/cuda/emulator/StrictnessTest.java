package dev.flinch.device.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cuda.driver.DriverException;
import dev.flinch.device.cuda.driver.Geometry;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Each kernel here commits a crime that a card lets pass; the emulator says who, where and what.
 */
class StrictnessTest {
  private static final String THREAD = "mov.u32 %r1, %tid.x;\n";

  private final Emulated card = new Emulated();

  @AfterEach
  void close() {
    card.close();
  }

  private String fault(String parameters, String body, Geometry geometry, Object... arguments) {
    EmulatorFault fault =
        assertThrows(EmulatorFault.class, () -> card.run(parameters, body, geometry, arguments));
    assertEquals("test.k", fault.kernel());
    assertTrue(fault.line() > 0, fault.getMessage());
    return fault.getMessage();
  }

  private static void assertSays(String message, String... parts) {
    for (String part : parts) {
      assertTrue(message.contains(part), () -> "expected \"" + part + "\" in: " + message);
    }
  }

  @Test
  void readPastTheEndNamesThreadLineAndArray() {
    long a = card.ints(new int[40]);
    String body = Emulated.element("%rd1", "p0", 4) + "ld.global.u32 %r2, [%rd1];";
    String message = fault("u64", body, Geometry.of(2, 32), a);
    assertSays(
        message,
        "kernel test.k",
        "block (1, 0, 0)",
        "thread (8, 0, 0)",
        "PTX line 21",
        "ld.global.u32 %r2, [%rd1];",
        "reads 4 bytes",
        "4 bytes past the end of allocation 1 of 160 bytes",
        "argument 0 of the kernel points into allocation 1");
  }

  @Test
  void writeBeforeTheStartIsRefused() {
    long a = card.ints(new int[8]);
    card.ints(new int[8]);
    String message =
        fault("u64", "ld.param.u64 %rd1, [p0];\nst.global.u32 [%rd1+-4], 7;", Geometry.of(1, 1), a);
    assertSays(message, "writes 4 bytes", "4 bytes before the start of allocation 1 of 32 bytes");
  }

  @Test
  void vectorThatStraddlesTheEndIsRefused() {
    long a = card.ints(new int[6]);
    String body =
        Emulated.element("%rd1", "p0", 16) + "ld.global.v4.u32 {%r1,%r2,%r3,%r4}, [%rd1];";
    assertSays(
        fault("u64", body, Geometry.of(1, 2), a),
        "thread (1, 0, 0)",
        "reads 16 bytes",
        "8 bytes past the end of allocation 1");
  }

  @Test
  void vectorsNeedTheirWholeAlignment() {
    long a = card.ints(new int[64]);
    String body = Emulated.element("%rd1", "p0", 8) + "ld.global.v4.u32 {%r1,%r2,%r3,%r4}, [%rd1];";
    assertSays(
        fault("u64", body, Geometry.of(1, 2), a),
        "thread (1, 0, 0)",
        "reads 16 bytes",
        "not a multiple of 16");
  }

  @Test
  void unwrittenGlobalMemoryIsNotRead() {
    long a = card.allocate(64);
    String store = Emulated.element("%rd1", "p0", 4) + "st.global.u32 [%rd1], 1;";
    card.run("u64", store, Geometry.of(1, 10), a);
    String load = Emulated.element("%rd1", "p0", 4) + "ld.global.u32 %r2, [%rd1];";
    card.run("u64", load, Geometry.of(1, 10), a);
    assertSays(
        fault("u64", load, Geometry.of(1, 16), a),
        "thread (10, 0, 0)",
        "what nobody wrote",
        "4 bytes at offset 40 of allocation 1 of 64 bytes");
    card.run("u64", store, Geometry.of(1, 16), a);
    card.run("u64", load, Geometry.of(1, 16), a);
  }

  @Test
  void singleBytesAreKnownToBeWrittenOrNot() {
    long a = card.allocate(8);
    String store = Emulated.element("%rd1", "p0", 2) + "st.global.u8 [%rd1], 1;";
    card.run("u64", store, Geometry.of(1, 4), a);
    String load = Emulated.element("%rd1", "p0", 1) + "ld.global.u8 %r2, [%rd1];";
    assertSays(fault("u64", load, Geometry.of(1, 8), a), "thread (1, 0, 0)", "offset 1");
  }

  @Test
  void downloadsOfUnwrittenMemoryAreRefused() {
    long a = card.allocate(64);
    DriverException e = assertThrows(DriverException.class, () -> card.ints(a, 16));
    assertSays(e.getMessage(), "download of 64 bytes", "allocation 1", "nobody wrote byte 0");
    card.driver.zero(card.stream, a, 64);
    assertArrayEquals(new int[16], card.ints(a, 16));
  }

  @Test
  void freedMemoryIsRemembered() {
    long a = card.ints(1, 2, 3, 4);
    card.ints(5);
    card.driver.free(a);
    assertSays(
        fault(
            "u64", "ld.param.u64 %rd1, [p0];\nld.global.u32 %r1, [%rd1+8];", Geometry.of(1, 1), a),
        "8 bytes into allocation 1 of 16 bytes, which was freed");
    assertThrows(DriverException.class, () -> card.driver.free(a));
  }

  @Test
  void constantMemoryIsNotWritten() {
    String ptx =
        Emulated.ptx(80, "", "mov.u64 %rd1, table;\nst.global.u32 [%rd1], 1;")
            .replace(".visible", ".const .align 4 .b8 table[8] = {1, 0, 0, 0, 2};\n.visible");
    EmulatorFault e =
        assertThrows(
            EmulatorFault.class,
            () ->
                card.driver.launch(
                    card.stream, card.driver.load("test", ptx).kernel("k"), Geometry.of(1, 1)));
    assertSays(e.getMessage(), "writes constant memory", "variable table of test");
  }

  @Test
  void sharedMemoryHasBounds() {
    String body =
        """
        .shared .align 4 .b8 s[128];
        mov.u32 %r1, %tid.x;
        shl.b32 %r2, %r1, 2;
        mov.u32 %r3, s;
        add.s32 %r3, %r3, %r2;
        st.shared.u32 [%r3], %r1;
        """;
    card.run("", body, Geometry.of(1, 32));
    assertSays(
        fault("", body, Geometry.of(1, 40)),
        "thread (32, 0, 0)",
        "4 bytes past the end of shared array s of 128 bytes");
    // Behind the static array lies dynamic memory, if the launch asks for it.
    card.run("", body, Geometry.of(1, 40).withShared(32));
  }

  @Test
  void unwrittenSharedMemoryIsNotRead() {
    String body =
        ".shared .align 4 .b8 s[256];\n" + THREAD + "mov.u32 %r3, s;\nld.shared.u32 %r4, [%r3+16];";
    assertSays(
        fault("", body, Geometry.of(1, 1)),
        "reads what nobody wrote",
        "16 bytes into shared array s of 256 bytes");
  }

  @Test
  void whatAnEarlierBlockWroteIsNotWritten() {
    String body =
        """
        .shared .align 4 .b8 s[256];
        mov.u32 %r1, %ctaid.x;
        setp.ne.s32 %p1, %r1, 0;
        @%p1 bra L;
        st.shared.u32 [s], %r1;
        L:
        ld.shared.u32 %r4, [s];
        """;
    try (Emulated one = new Emulated(new EmulatedDriver(80, 1 << 20, 1))) {
      EmulatorFault e =
          assertThrows(EmulatorFault.class, () -> one.run("", body, Geometry.of(2, 1)));
      assertSays(e.getMessage(), "block (1, 0, 0)", "reads what nobody wrote");
    }
  }

  /** Each thread writes its word, then reads its neighbour's. */
  private static String neighbour(String between) {
    return """
        .shared .align 4 .b8 s[4096];
        mov.u32 %%r1, %%tid.x;
        mov.u32 %%r2, %%ntid.x;
        shl.b32 %%r3, %%r1, 2;
        mov.u32 %%r4, s;
        add.s32 %%r5, %%r4, %%r3;
        st.shared.u32 [%%r5], %%r1;
        %s
        add.s32 %%r6, %%r1, 1;
        rem.u32 %%r6, %%r6, %%r2;
        shl.b32 %%r6, %%r6, 2;
        add.s32 %%r6, %%r6, %%r4;
        ld.shared.u32 %%r7, [%%r6];
        """
        .formatted(between);
  }

  @Test
  void readingANeighboursWordNeedsABarrier() {
    card.run("", neighbour("bar.sync 0;"), Geometry.of(1, 96));
    // Within a warp, lock-step is no order; a barrier of the warp is.
    assertSays(
        fault("", neighbour(""), Geometry.of(1, 32)),
        "thread (0, 0, 0)",
        "reads what thread 1 wrote, with no barrier between",
        "4 bytes into shared array s of 4,096 bytes");
    card.run("", neighbour("bar.warp.sync -1;"), Geometry.of(1, 32));
    card.run("", neighbour("bar.warp.sync 0xffffffff;"), Geometry.of(1, 7));
    // The warps run in turn: the first reads what the second has yet to write.
    assertSays(
        fault("", neighbour("bar.warp.sync -1;"), Geometry.of(1, 64)), "reads what nobody wrote");
    assertSays(
        fault("", neighbour("shfl.sync.idx.b32 %r9, %r1, 0, 31, -1;"), Geometry.of(1, 32)),
        "with no barrier between");
  }

  @Test
  void overwritingWhatOthersReadNeedsABarrier() {
    String store = "st.shared.u32 [%r5], %r7;";
    assertSays(
        fault("", neighbour("bar.sync 0;") + store, Geometry.of(1, 64)),
        "writes what thread",
        "read, with no barrier between");
    card.run("", neighbour("bar.sync 0;") + "bar.sync 0;\n" + store, Geometry.of(1, 64));
  }

  @Test
  void twoWritersOfAWordRace() {
    String body = ".shared .align 4 .b8 s[4];\n" + THREAD + "st.shared.u32 [s], %r1;";
    assertSays(
        fault("", body, Geometry.of(1, 2)),
        "thread (1, 0, 0)",
        "writes what thread 0 wrote, with no barrier between");
    card.run("", body, Geometry.of(1, 1));
  }

  @Test
  void bytesOfOneWordAreDifferentPlaces() {
    String body =
        ".shared .align 4 .b8 s[64];\n"
            + THREAD
            + "mov.u32 %r2, s;\nadd.s32 %r2, %r2, %r1;\n"
            + "st.shared.u8 [%r2], %r1;";
    card.run("", body, Geometry.of(1, 64));
  }

  @Test
  void sharedAtomicsDoNotRaceWithEachOther() {
    String body =
        """
        .shared .align 4 .b8 s[4];
        mov.u32 %r1, %tid.x;
        setp.ne.s32 %p1, %r1, 0;
        @!%p1 st.shared.u32 [s], 0;
        bar.sync 0;
        atom.shared.add.u32 %r2, [s], 1;
        %s
        @!%p1 ld.shared.u32 %r3, [s];
        """;
    card.run("", body.replace("%s", "bar.sync 0;"), Geometry.of(1, 128));
    assertSays(
        fault("", body.replace("%s", ""), Geometry.of(1, 128)),
        "reads what thread 31 wrote, with no barrier between");
    assertSays(
        fault("", ".shared .align 4 .b8 s[4];\nred.shared.add.u32 [s], 1;", Geometry.of(1, 1)),
        "changes what nobody wrote");
  }

  @Test
  void allLiveThreadsReachABarrier() {
    String half = THREAD + "setp.lt.s32 %p1, %r1, 16;\n@%p1 bar.sync 0;";
    assertSays(
        fault("", half, Geometry.of(1, 32)),
        "thread (16, 0, 0)",
        "thread 0 of the same warp waits at this barrier");
    String ways =
        THREAD
            + "setp.lt.s32 %p1, %r1, 32;\n@%p1 bra A;\nbar.sync 0;\nbra.uni B;\nA:\nbar.sync 0;\n"
            + "B:";
    assertSays(
        fault("", ways, Geometry.of(1, 64)),
        "waits at a barrier that not all threads of the block reach",
        "warp 0 waits at line",
        "warp 1 waits at line");
    String numbers = THREAD + "shr.u32 %r2, %r1, 5;\nbar.sync %r2;";
    assertSays(fault("", numbers, Geometry.of(1, 64)), "not all threads of the block reach");
    // Threads that have ended are not waited for.
    card.run("", THREAD + "setp.ge.s32 %p1, %r1, 40;\n@%p1 ret;\nbar.sync 0;", Geometry.of(1, 64));
  }

  @Test
  void memberMasksNameThoseWhoAreThere() {
    String body =
        THREAD + "setp.lt.s32 %p1, %r1, 16;\n@%p1 shfl.sync.idx.b32 %r2, %r1, 0, 31, %r3;";
    assertSays(
        fault("", "mov.u32 %r3, -1;\n" + body, Geometry.of(1, 32)),
        "names lane 16, which took another way");
    card.run("", "mov.u32 %r3, 0xffff;\n" + body, Geometry.of(1, 32));
    assertSays(
        fault("", THREAD + "vote.sync.ballot.b32 %r2, %p1, 1;", Geometry.of(1, 2)),
        "doesn't name the lane itself");
    assertSays(
        fault("", THREAD + "shfl.sync.down.b32 %r2, %r1, 1, 31, -1;", Geometry.of(1, 31)),
        "thread (30, 0, 0)",
        "reads from lane 31, which doesn't take part");
  }

  private static final String COPY =
      """
      .shared .align 16 .b8 s[512];
      ld.param.u64 %%rd1, [p0];
      mov.u32 %%r1, %%tid.x;
      mul.wide.u32 %%rd2, %%r1, 16;
      add.u64 %%rd1, %%rd1, %%rd2;
      mov.u32 %%r2, s;
      shl.b32 %%r3, %%r1, 4;
      add.s32 %%r2, %%r2, %%r3;
      cp.async.cg.shared.global [%%r2], [%%rd1], 16;
      cp.async.commit_group;
      %s
      ld.shared.u32 %%r4, [%%r2];
      """;

  @Test
  void asynchronousCopiesAreWaitedFor() {
    long a = card.ints(IntStream.range(0, 128).toArray());
    card.run("u64", COPY.formatted("cp.async.wait_group 0;"), Geometry.of(1, 32), a);
    card.run("u64", COPY.formatted("cp.async.wait_all;"), Geometry.of(1, 32), a);
    for (String tooLittle : new String[] {"", "bar.sync 0;", "cp.async.wait_group 1;"}) {
      assertSays(
          fault("u64", COPY.formatted(tooLittle), Geometry.of(1, 32), a),
          "reads what a cp.async of thread 0 is still copying");
    }
    assertSays(
        fault("u64", COPY.formatted("st.shared.u32 [%r2], 1;"), Geometry.of(1, 32), a),
        "writes what a cp.async of thread 0 is still copying");
    // A wait is for the thread's own copies: others see them after a barrier.
    String other = COPY.replace("ld.shared.u32 %%r4, [%%r2]", "ld.shared.u32 %%r4, [s]");
    assertSays(
        fault("u64", other.formatted("cp.async.wait_all;"), Geometry.of(1, 32), a),
        "reads what thread 0 wrote, with no barrier between");
    card.run("u64", other.formatted("cp.async.wait_all;\nbar.sync 0;"), Geometry.of(1, 32), a);
  }

  @Test
  void launchesBeyondTheCardAreRefused() {
    String body = "mov.u32 %r1, 0;";
    assertSays(
        refusal(body, Geometry.of(1, 1025)), "launch of test.k", "1,025 threads", "at most 1,024");
    assertSays(refusal(body, new Geometry(1, 1, 1, 1, 1, 65, 0)), "65 threads in z, at most 64");
    assertSays(refusal(body, Geometry.of(1, 65_536, 1, 1)), "1 × 65,536 × 1 blocks");
    assertSays(
        refusal(body, Geometry.of(1, 1).withShared(166_913)),
        "166,913 bytes of shared memory",
        "at most 166,912");
    card.run("", body, Geometry.of(1, 1).withShared(166_912));
  }

  private String refusal(String body, Geometry geometry) {
    return assertThrows(DriverException.class, () -> card.run("", body, geometry)).getMessage();
  }

  @Test
  void unknownInstructionsAndModifiersAreRefusedWhenLoaded() {
    for (String line :
        new String[] {
          "add.nice.f32 %f1, %f2, %f3;",
          "frobnicate.b32 %r1, %r2;",
          "add.f32 %f1, %rd1, %f2;",
          "add.u32 %r1, %r2, %nothing;",
          "bra NOWHERE;",
          "wgmma.fence.sync.aligned;"
        }) {
      DriverException e =
          assertThrows(DriverException.class, () -> card.kernel("", line), () -> line);
      assertSays(e.getMessage(), "kernel test.k", "PTX line 13", line);
    }
    DriverException e =
        assertThrows(DriverException.class, () -> card.kernel("", "add.u32 %r1, %r2 %r3;"));
    assertSays(e.getMessage(), "test", "PTX line 13");
  }

  @Test
  void theFirstBlocksErrorIsReportedForAnyParallelism() {
    String body =
        """
        ld.param.u64 %rd1, [p0];
        mov.u32 %r1, %ctaid.x;
        setp.lt.s32 %p1, %r1, 37;
        @%p1 ret;
        ld.global.u32 %r2, [%rd1+64];
        """;
    for (int parallelism : new int[] {1, 2, 5}) {
      try (Emulated some = new Emulated(new EmulatedDriver(80, 1 << 20, parallelism))) {
        long a = some.ints(new int[4]);
        EmulatorFault e =
            assertThrows(EmulatorFault.class, () -> some.run("u64", body, Geometry.of(500, 1), a));
        assertSays(e.getMessage(), "block (37, 0, 0)");
      }
    }
  }
}
