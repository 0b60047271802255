package dev.flinch.device.cuda.emulator;

/**
 * One instruction, decoded: carried out for the active lanes of a warp at once. Everything that the
 * text decides (types, modifiers, which registers) is decided when it is decoded.
 */
abstract class Operation {
  /** No guard. */
  static final int ALWAYS = -1;

  /** All 32 lanes. */
  static final int FULL = -1;

  private int line;
  private String text;
  private InstructionClass kind;
  int guard = ALWAYS;
  boolean guardNegated;

  /** Floating-point operations of one thread: an fma counts 2. */
  int flops;

  /** Carries the instruction out for the lanes in {@code mask}, of which there is at least one. */
  abstract void run(Warp warp, int mask);

  /** Whether the instruction decides what comes next: {@link #jump} is called, not {@link #run}. */
  boolean isControl() {
    return false;
  }

  /**
   * Carries out a control instruction.
   *
   * @param mask lanes that are active and whose guard holds; may be none
   * @return where the warp goes on
   */
  int jump(Warp warp, int mask, int pc) {
    throw new AssertionError(text);
  }

  /** Notes where the instruction stands and what class it is counted under. */
  Operation at(int line, String text, InstructionClass kind) {
    this.line = line;
    this.text = text;
    this.kind = kind;
    return this;
  }

  final int line() {
    return line;
  }

  final String text() {
    return text;
  }

  final InstructionClass kind() {
    return kind;
  }
}
