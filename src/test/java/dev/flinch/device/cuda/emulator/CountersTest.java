package dev.flinch.device.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cuda.driver.Geometry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Counts of small kernels against counts by hand. */
class CountersTest {
  private final Emulated card = new Emulated();

  @AfterEach
  void close() {
    card.close();
  }

  /** A load of {@code bytes} by each of 32 lanes, {@code stride} bytes apart. */
  private Counters load(int bytes, int stride) {
    long a = card.ints(new int[2048]);
    String type =
        switch (bytes) {
          case 4 -> "u32 %r1";
          case 8 -> "v2.u32 {%r1, %r2}";
          default -> "v4.u32 {%r1, %r2, %r3, %r4}";
        };
    card.driver.resetCounters();
    card.run(
        "u64",
        Emulated.element("%rd1", "p0", stride) + "ld.global." + type + ", [%rd1];",
        Geometry.of(1, 32),
        a);
    return card.counters();
  }

  @Test
  void sectorsFollowTheStride() {
    assertEquals(4, load(4, 4).globalLoadSectors());
    assertEquals(8, load(4, 8).globalLoadSectors());
    assertEquals(32, load(4, 32).globalLoadSectors());
    assertEquals(32, load(4, 128).globalLoadSectors());
    assertEquals(1, load(4, 0).globalLoadSectors());
    assertEquals(16, load(16, 16).globalLoadSectors());
    assertEquals(1.0, load(4, 4).loadEfficiency());
    assertEquals(0.125, load(4, 32).loadEfficiency());
    assertEquals(512, load(16, 16).globalLoadBytes());
  }

  @Test
  void sectorsOfScatteredAddressesAreCountedOnce() {
    long a = card.ints(new int[64]);
    // Lanes read words 0, 63, 2, 61, …: all eight sectors of 64 words.
    String body =
        """
        mov.u32 %r1, %tid.x;
        and.b32 %r2, %r1, 1;
        sub.s32 %r3, 64, %r1;
        setp.eq.s32 %p1, %r2, 0;
        selp.b32 %r4, %r1, %r3, %p1;
        ld.param.u64 %rd1, [p0];
        mul.wide.u32 %rd2, %r4, 4;
        add.u64 %rd1, %rd1, %rd2;
        ld.global.u32 %r5, [%rd1];
        """;
    card.run("u64", body, Geometry.of(1, 32), a);
    assertEquals(8, card.counters().globalLoadSectors());
  }

  /** Conflicts of a store by each of 32 lanes, {@code stride} bytes apart in shared memory. */
  private long conflicts(int bytes, int stride) {
    String type =
        switch (bytes) {
          case 4 -> "u32 [%r3], %r1";
          case 8 -> "v2.u32 [%r3], {%r1, %r1}";
          default -> "v4.u32 [%r3], {%r1, %r1, %r1, %r1}";
        };
    card.driver.resetCounters();
    card.run(
        "",
        """
        .shared .align 16 .b8 s[8192];
        mov.u32 %%r1, %%tid.x;
        mov.u32 %%r2, s;
        mad.lo.s32 %%r3, %%r1, %d, %%r2;
        st.shared.%s;
        """
            .formatted(stride, type),
        Geometry.of(1, 32));
    return card.counters().bankConflicts();
  }

  @Test
  void bankConflictsFollowTheStride() {
    assertEquals(0, conflicts(4, 4));
    assertEquals(1, conflicts(4, 8));
    assertEquals(31, conflicts(4, 128));
    assertEquals(0, conflicts(4, 132));
    // Wide accesses need two or four cycles anyway.
    assertEquals(0, conflicts(8, 8));
    assertEquals(2, conflicts(8, 16));
    assertEquals(0, conflicts(16, 16));
    assertEquals(4, conflicts(16, 32));
    assertEquals(4 * 7, conflicts(16, 128));
  }

  @Test
  void aWordForAllIsFree() {
    card.run(
        "",
        """
        .shared .align 4 .b8 s[4];
        mov.u32 %r1, %tid.x;
        setp.eq.s32 %p1, %r1, 0;
        @%p1 st.shared.u32 [s], 5;
        bar.sync 0;
        ld.shared.u32 %r2, [s];
        """,
        Geometry.of(1, 32));
    assertEquals(0, card.counters().bankConflicts());
  }

  @Test
  void classesFlopsAndDivergenceAddUp() {
    String body =
        """
        mov.u32 %r1, %tid.x;
        cvt.rn.f32.u32 %f1, %r1;
        fma.rn.f32 %f2, %f1, %f1, %f1;
        mul.f32 %f3, %f2, %f1;
        ex2.approx.ftz.f32 %f4, %f3;
        setp.lt.s32 %p1, %r1, 8;
        @%p1 bra A;
        add.f32 %f5, %f3, %f1;
        A:
        @%p1 add.f64 %fd1, %fd2, %fd3;
        shfl.sync.bfly.b32 %r2, %r1, 1, 31, -1;
        bar.sync 0;
        """;
    for (int i = 0; i < 3; i++) {
      card.run("", body, Geometry.of(5, 64));
    }
    Counters counted = card.counters();
    long warps = 3 * 5 * 2;
    long threads = 32 * warps;
    assertEquals(3, counted.launches());
    assertEquals(threads, counted.threads(InstructionClass.CONVERSION));
    assertEquals(threads, counted.threads(InstructionClass.SPECIAL_FUNCTION));
    // fma, mul, and the add of the lanes from 8 on in each first warp.
    long adds = 3 * 5 * (32 + 24);
    assertEquals(2 * threads + adds, counted.threads(InstructionClass.FLOAT32));
    assertEquals(3 * warps, counted.warps(InstructionClass.FLOAT32));
    long doubles = 3 * 5 * 8;
    assertEquals(doubles, counted.threads(InstructionClass.FLOAT64));
    assertEquals(warps, counted.warps(InstructionClass.SHUFFLE));
    assertEquals(warps, counted.warps(InstructionClass.BARRIER));
    assertEquals(threads * (2 + 1 + 1) + adds + doubles, counted.flops());
    assertEquals(3 * 5, counted.divergentBranches());
    String table = counted.toString();
    assertTrue(table.contains("float32"), table);
    card.driver.resetCounters();
    assertTrue(card.driver.counters().isEmpty());
  }
}
