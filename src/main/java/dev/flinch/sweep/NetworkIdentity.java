package dev.flinch.sweep;

import dev.flinch.experiment.Configuration;

/** The names that networks have for themselves: hashes of their resolved configurations. */
public final class NetworkIdentity {
  private NetworkIdentity() {}

  /** The identity of the one network of a configuration: 32 hexadecimal digits. */
  public static String of(Configuration network) {
    throw new UnsupportedOperationException();
  }

  /** The same of the configuration without the network's seed. */
  public static String ofSetting(Configuration network) {
    throw new UnsupportedOperationException();
  }
}
