package dev.flinch.sensitivity;

import dev.flinch.base.RequestException;

/**
 * A network has outputs, or gradients, that are infinite or undefined: its training has diverged.
 */
public final class NotFiniteException extends RequestException {
  private static final long serialVersionUID = 1L;

  NotFiniteException(String message) {
    super(message);
  }
}
