package dev.flinch.sweep;

import dev.flinch.device.Device;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Instant;
import java.util.Optional;

/**
 * Names of workers: machine, process, when that began, and device. They tell which leases belong to
 * processes of this machine that are no more, so that nobody waits for those to expire.
 */
final class Workers {
  private Workers() {}

  /** The worker of a device in this process. */
  static String name(Device device) {
    ProcessHandle self = ProcessHandle.current();
    return String.join(" ", host(), String.valueOf(self.pid()), started(self), device.name());
  }

  /** Whether a worker was of this machine and its process has ended. */
  static boolean isDead(String worker) {
    String[] parts = worker.split(" ", 4);
    if (parts.length < 4 || !parts[0].equals(host()) || !parts[1].matches("\\d{1,18}")) {
      return false;
    }
    Optional<ProcessHandle> process = ProcessHandle.of(Long.parseLong(parts[1]));
    return process.isEmpty()
        || !process.get().isAlive()
        || !started(process.get()).equals(parts[2]);
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
