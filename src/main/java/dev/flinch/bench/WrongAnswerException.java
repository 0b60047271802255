package dev.flinch.bench;

/** A benchmark whose answer is not that of plain double-precision arithmetic. */
public final class WrongAnswerException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  WrongAnswerException(String message) {
    super(message);
  }
}
