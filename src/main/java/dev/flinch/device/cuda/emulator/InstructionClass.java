package dev.flinch.device.cuda.emulator;

/** What kind of work an instruction is; the units that carry it out on a card differ. */
public enum InstructionClass {
  INTEGER("integer"),
  FLOAT32("float32"),
  FLOAT64("float64"),
  CONVERSION("conversion"),
  SPECIAL_FUNCTION("special function"),
  TENSOR("tensor"),
  GLOBAL_LOAD("global load"),
  GLOBAL_STORE("global store"),
  SHARED_LOAD("shared load"),
  SHARED_STORE("shared store"),
  LOCAL("local load/store"),
  PARAMETER("parameter load"),
  ATOMIC("atomic"),
  SHUFFLE("shuffle/vote"),
  BARRIER("barrier"),
  CONTROL("control"),
  MOVE("move");

  private final String title;

  InstructionClass(String title) {
    this.title = title;
  }

  /** In words, for tables. */
  public String title() {
    return title;
  }
}
