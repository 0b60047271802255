package dev.flinch.sweep.spark;

import dev.flinch.base.RequestException;
import dev.flinch.device.DeviceLostException;
import java.util.concurrent.ExecutionException;

/**
 * Why a job of Spark failed, once its task was tried as often as Spark tries.
 *
 * @param thrown by whatever waited for the job
 * @param ended whether Spark has ended the application
 */
record JobFailure(Throwable thrown, boolean ended) {
  /**
   * @throws DeviceLostException if a device no longer answers
   * @throws RequestException if Spark has ended the application
   */
  void throwOthers() {
    for (Throwable t = thrown; t != null; t = t.getCause()) {
      if (t instanceof DeviceLostException lost) {
        throw lost;
      }
    }
    if (ended) {
      throw new RequestException(
          "Spark has ended the application: %s; what is done is kept, and the same command goes on with it"
              .formatted(reason()),
          thrown);
    }
  }

  /** In a line. */
  String reason() {
    Throwable of =
        thrown instanceof ExecutionException && thrown.getCause() != null
            ? thrown.getCause()
            : thrown;
    return String.valueOf(of.getMessage()).lines().findFirst().orElse(of.toString());
  }
}
