package dev.flinch.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;

/** What {@code --version} prints: the version that Maven left in the jar. */
final class Version implements IVersionProvider {
  private static final String PROPERTIES = "/META-INF/maven/dev.flinch/flinch/pom.properties";

  @Override
  public String[] getVersion() throws IOException {
    Properties properties = new Properties();
    try (InputStream in = Version.class.getResourceAsStream(PROPERTIES)) {
      if (in != null) {
        properties.load(in);
      }
    }
    return new String[] {"flinch " + properties.getProperty("version", "(not from a jar)")};
  }
}
