package dev.flinch.cli;

import dev.flinch.experiment.FlinchVersion;
import picocli.CommandLine.IVersionProvider;

/** What {@code --version} prints. */
final class Version implements IVersionProvider {
  @Override
  public String[] getVersion() {
    return new String[] {"flinch " + FlinchVersion.current()};
  }
}
