package dev.flinch.sweep;

import dev.flinch.device.Device;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.Optional;

/**
 * Names of workers: machine, process, when that began, and device. They tell which leases belong to
 * processes of this machine that are no more, so that nobody waits for those to expire.
 */
public final class Workers {
  /** Each process reckons the others' beginnings from its own idea of when the machine began. */
  private static final Duration DOUBT = Duration.ofMinutes(1);

  private Workers() {}

  /** The worker of a device in this process. */
  static String name(Device device) {
    return name(device.name());
  }

  /** A worker of this process, of which it may have several. */
  public static String name(String which) {
    ProcessHandle self = ProcessHandle.current();
    return String.join(" ", host(), String.valueOf(self.pid()), started(self), which);
  }

  /** Whether a worker was of this machine and its process has ended. */
  public static boolean isDead(String worker) {
    String[] parts = worker.split(" ", 4);
    if (parts.length < 4 || !parts[0].equals(host()) || !parts[1].matches("\\d{1,18}")) {
      return false;
    }
    Optional<ProcessHandle> process = ProcessHandle.of(Long.parseLong(parts[1]));
    return process.isEmpty()
        || !process.get().isAlive()
        || isAnother(started(process.get()), parts[2]);
  }

  /** Whether processes of one number began too far apart to be the same. */
  private static boolean isAnother(String began, String named) {
    try {
      return Duration.between(Instant.parse(began), Instant.parse(named)).abs().compareTo(DOUBT)
          > 0;
    } catch (DateTimeParseException e) {
      // Unknown: then leases tell.
      return false;
    }
  }

  private static String started(ProcessHandle process) {
    return process.info().startInstant().map(Instant::toString).orElse("-");
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName().replace(' ', '-');
    } catch (UnknownHostException e) {
      return "localhost";
    }
  }
}
