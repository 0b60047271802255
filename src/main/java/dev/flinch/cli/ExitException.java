package dev.flinch.cli;

/** Another process has done the work, and said what came of it: this one ends as that did. */
final class ExitException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int code;

  ExitException(int code) {
    super("exit code " + code);
    this.code = code;
  }

  int code() {
    return code;
  }
}
