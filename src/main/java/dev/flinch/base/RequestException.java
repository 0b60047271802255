package dev.flinch.base;

/**
 * A request that cannot be carried out because of what was asked: a malformed file, an impossible
 * value, an index out of range. The message names the file or key, the place, what was expected and
 * found, and what to do. The command line prints it without a stack trace and exits with 2.
 */
public final class RequestException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public RequestException(String message) {
    super(message);
  }

  public RequestException(String message, Throwable cause) {
    super(message, cause);
  }
}
