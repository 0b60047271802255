package dev.flinch.device.cuda.driver;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The parameters of a kernel as its PTX declares them, so that a launch with other arguments is
 * refused: the driver would read past them.
 *
 * @param types PTX types in order, such as u64 and f32
 */
public record Signature(List<String> types) {
  private static final Pattern ENTRY =
      Pattern.compile("\\.entry\\s+([\\w$]+)\\s*\\(([^)]*)\\)", Pattern.DOTALL);
  private static final Pattern PARAMETER =
      Pattern.compile("\\.param\\s+(?:\\.align\\s+\\d+\\s+)?\\.(\\w+)");

  public Signature {
    types = List.copyOf(types);
  }

  /** The kernels of a PTX text with their parameters, in its order. */
  public static Map<String, Signature> of(String ptx) {
    Map<String, Signature> signatures = new LinkedHashMap<>();
    Matcher entry = ENTRY.matcher(ptx);
    while (entry.find()) {
      List<String> types = new ArrayList<>();
      Matcher parameter = PARAMETER.matcher(entry.group(2));
      while (parameter.find()) {
        types.add(parameter.group(1));
      }
      signatures.put(entry.group(1), new Signature(types));
    }
    return signatures;
  }

  /**
   * Refuses arguments that are not what the kernel declares.
   *
   * @param kernel its name, for the message
   */
  public void require(String kernel, Object... arguments) {
    if (arguments.length != types.size()) {
      throw new IllegalArgumentException(
          "%s: expected %d arguments %s, found %d"
              .formatted(kernel, types.size(), types, arguments.length));
    }
    for (int i = 0; i < arguments.length; i++) {
      Class<?> expected =
          switch (types.get(i)) {
            case "u64", "s64", "b64" -> Long.class;
            case "u32", "s32", "b32" -> Integer.class;
            case "f32" -> Float.class;
            case "f64" -> Double.class;
            default ->
                throw new IllegalArgumentException(
                    "%s: parameter %d is of type %s, which launches don't pass"
                        .formatted(kernel, i, types.get(i)));
          };
      if (!expected.isInstance(arguments[i])) {
        throw new IllegalArgumentException(
            "%s: argument %d: expected %s for .%s, found %s"
                .formatted(
                    kernel,
                    i,
                    expected.getSimpleName(),
                    types.get(i),
                    arguments[i] == null ? "null" : arguments[i].getClass().getSimpleName()));
      }
    }
  }
}
