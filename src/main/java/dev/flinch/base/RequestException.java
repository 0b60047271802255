package dev.flinch.base;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * A request that cannot be carried out because of what was asked: a malformed file, an impossible
 * value, an index out of range. The message names the file or key, the place, what was expected and
 * found, and what to do. The command line prints it without a stack trace and exits with 2.
 */
public class RequestException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public RequestException(String message) {
    super(message);
  }

  public RequestException(String message, Throwable cause) {
    super(message, cause);
  }

  /**
   * For a file that cannot be written.
   *
   * @param remedy what to do about it
   */
  public static RequestException cannotWrite(Path path, String remedy, IOException e) {
    return new RequestException(
        "%s: cannot be written: %s; %s".formatted(path, reason(e), remedy), e);
  }

  /** Why reading or writing failed, in words for users. */
  public static String reason(IOException e) {
    if (e instanceof AccessDeniedException) {
      return "permission denied";
    }
    if (e instanceof NoSuchFileException) {
      return "no such file or folder";
    }
    if (e instanceof FileAlreadyExistsException f) {
      return f.getFile() + " is a file";
    }
    return e instanceof FileSystemException f && f.getReason() != null
        ? f.getReason()
        : e.getMessage();
  }
}
