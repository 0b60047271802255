package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.driver.DriverException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads PTX as nvcc writes it: module-level variables, kernels, device functions, inline blocks.
 */
final class PtxParser {
  private static final Set<String> LINKING = Set.of(".visible", ".extern", ".weak", ".common");
  private static final Set<String> SPACES =
      Set.of(".global", ".const", ".shared", ".local", ".param");

  private final String module;
  private final List<String> lines;
  private final List<Token> tokens;
  private final Map<String, Variable> variables = new LinkedHashMap<>();
  private final Map<String, PtxModule.Function> functions = new LinkedHashMap<>();
  private int at;
  private int target;

  private PtxParser(String module, String ptx) {
    this.module = module;
    this.lines = ptx.lines().toList();
    this.tokens = Token.of(module, ptx);
  }

  /** Parses a text; what isn't PTX is refused with its line. */
  static PtxModule parse(String module, String ptx) {
    PtxParser parser = new PtxParser(module, ptx);
    parser.parse();
    return new PtxModule(module, parser.target, parser.lines, parser.variables, parser.functions);
  }

  private void parse() {
    while (at < tokens.size()) {
      boolean extern = false;
      while (LINKING.contains(peek())) {
        extern |= next().is(".extern");
      }
      switch (peek()) {
        case ".version", ".address_size" -> at += 2;
        case ".target" -> target();
        case ".pragma" -> {
          while (!next().is(";")) {}
        }
        case ".section" -> {
          while (!next().is("}")) {}
        }
        case ".entry", ".func" -> function();
        case ".global", ".const", ".shared" -> {
          Variable variable = variable(extern);
          variables.put(variable.name(), variable);
          expect(";");
        }
        case ";" -> at++;
        default -> throw unexpected();
      }
    }
  }

  private void target() {
    at++;
    String name = next().text();
    try {
      target = Integer.parseInt(name.replaceFirst("^sm_(\\d+)[af]?$", "$1"));
    } catch (NumberFormatException e) {
      throw refused(tokens.get(at - 1).line(), "expected .target sm_NN, found " + name, e);
    }
    while (accept(",")) {
      at++;
    }
  }

  private void function() {
    int line = tokens.get(at).line();
    boolean entry = next().is(".entry");
    List<Variable> results = peek().equals("(") ? parameters() : List.of();
    String name = next().text();
    List<Variable> parameters = peek().equals("(") ? parameters() : List.of();
    int maxThreads = 0;
    while (!peek().equals("{") && !peek().equals(";")) {
      Token directive = next();
      int product = 1;
      while (tokens.get(at).isNumber()) {
        product *= Integer.parseInt(next().text());
        accept(",");
      }
      if (directive.is(".maxntid") || directive.is(".reqntid")) {
        maxThreads = product;
      } else if (directive.is(".pragma")) {
        at++;
        expect(";");
      } else if (!Set.of(".minnctapersm", ".maxnreg", ".noreturn", ".maxnctapersm")
          .contains(directive.text())) {
        throw refused(directive.line(), "unknown directive " + directive.text(), null);
      }
    }
    if (accept(";")) {
      return;
    }
    expect("{");
    List<Statement> body = body();
    functions.put(
        name, new PtxModule.Function(line, entry, name, results, parameters, maxThreads, body));
  }

  private List<Variable> parameters() {
    List<Variable> parameters = new ArrayList<>();
    expect("(");
    while (!accept(")")) {
      parameters.add(variable(false));
      accept(",");
    }
    return parameters;
  }

  /** {@code .space [.align n] .type name[count] [= …]}. */
  private Variable variable(boolean extern) {
    int line = tokens.get(at).line();
    String space = next().text();
    if (!SPACES.contains(space)) {
      at--;
      throw unexpected();
    }
    int align = 0;
    String type = null;
    while (peek().startsWith(".")) {
      String word = next().text();
      switch (word) {
        case ".align" -> {
          int n = integer();
          // After .ptr the alignment is that of what is pointed to.
          align = type == null ? n : align;
        }
        case ".ptr", ".global", ".shared", ".const", ".local" -> {}
        default -> type = word.substring(1);
      }
    }
    if (type == null) {
      throw unexpected();
    }
    int width = width(type, line);
    String name = next().text();
    long count = 1;
    boolean unsized = false;
    while (accept("[")) {
      if (peek().equals("]")) {
        unsized = true;
      } else {
        count *= integer();
      }
      expect("]");
    }
    byte[] initial = accept("=") ? initial(type, width) : null;
    if (unsized && initial != null) {
      count = initial.length / width;
      unsized = false;
    }
    return new Variable(
        line,
        space.substring(1),
        Math.max(align, width),
        type,
        name,
        unsized ? 0 : Math.toIntExact(count * width),
        unsized || extern,
        initial);
  }

  private byte[] initial(String type, int width) {
    List<Operand> values = new ArrayList<>();
    if (accept("{")) {
      while (!accept("}")) {
        if (accept("{") || accept(",")) {
          continue;
        }
        values.add(number());
      }
    } else {
      values.add(number());
    }
    ByteBuffer bytes = ByteBuffer.allocate(values.size() * width).order(ByteOrder.LITTLE_ENDIAN);
    for (Operand value : values) {
      Operand.Immediate number = (Operand.Immediate) value;
      switch (width) {
        case 1 -> bytes.put((byte) number.bits());
        case 2 -> bytes.putShort((short) number.bits());
        case 4 -> bytes.putInt(number.bits32());
        default -> bytes.putLong(type.equals("f64") ? number.bits64() : number.bits());
      }
    }
    return bytes.array();
  }

  private List<Statement> body() {
    List<Statement> body = new ArrayList<>();
    int depth = 0;
    while (true) {
      Token token = tokens.get(at);
      switch (token.text()) {
        case "{" -> {
          at++;
          depth++;
          body.add(new Statement.Open());
        }
        case "}" -> {
          at++;
          if (depth-- == 0) {
            return body;
          }
          body.add(new Statement.Close());
        }
        case ";" -> at++;
        case ".pragma" -> {
          while (!next().is(";")) {}
        }
        case ".reg" -> registers(body);
        case ".shared", ".local", ".param", ".global", ".const" -> {
          body.add(new Statement.Declared(variable(false)));
          expect(";");
        }
        default -> {
          if (tokens.get(at + 1).is(":")) {
            at += 2;
            if (peek().equals(".branchtargets")) {
              at++;
              List<String> labels = new ArrayList<>();
              do {
                labels.add(next().text());
              } while (accept(","));
              expect(";");
              body.add(new Statement.Targets(token.text(), labels));
            } else {
              body.add(new Statement.Label(token.text()));
            }
          } else {
            body.add(instruction());
          }
        }
      }
    }
  }

  private void registers(List<Statement> body) {
    int line = next().line();
    String type = next().text().substring(1);
    do {
      String name = next().text();
      int count = 0;
      if (accept("<")) {
        count = integer();
        expect(">");
      }
      body.add(new Statement.Registers(line, type, name, count));
    } while (accept(","));
    expect(";");
  }

  private Statement instruction() {
    Token first = tokens.get(at);
    String guard = null;
    boolean negated = false;
    if (accept("@")) {
      negated = accept("!");
      guard = next().text();
    }
    Token opcode = next();
    if (!Character.isLetter(opcode.text().charAt(0))) {
      at--;
      throw unexpected();
    }
    List<Operand> operands = new ArrayList<>();
    if (!accept(";")) {
      do {
        operands.add(operand());
      } while (accept(","));
      expect(";");
    }
    return new Statement.Instruction(
        first.line(), line(first.line()), guard, negated, opcode.text(), operands);
  }

  private Operand operand() {
    if (accept("!")) {
      return new Operand.Negated(new Operand.Name(next().text()));
    }
    if (accept("[")) {
      Operand base = operand();
      long offset = 0;
      if (base instanceof Operand.Sum sum) {
        base = sum.name();
        offset = sum.offset();
      }
      expect("]");
      return new Operand.Address(base, offset);
    }
    if (accept("{")) {
      return new Operand.Tuple(elements("}"));
    }
    if (accept("(")) {
      return new Operand.Tuple(elements(")"));
    }
    if (tokens.get(at).isNumber() || peek().equals("-")) {
      return number();
    }
    if (!tokens.get(at).isName()) {
      throw unexpected();
    }
    Operand.Name name = new Operand.Name(next().text());
    if (accept("|")) {
      return new Operand.Pair(name, operand());
    }
    long offset = 0;
    boolean sum = false;
    while (peek().equals("+") || peek().equals("-")) {
      sum = true;
      accept("+");
      offset += number().bits();
    }
    return sum ? new Operand.Sum(name, offset) : name;
  }

  private List<Operand> elements(String close) {
    List<Operand> elements = new ArrayList<>();
    while (!accept(close)) {
      elements.add(operand());
      accept(",");
    }
    return elements;
  }

  private Operand.Immediate number() {
    boolean negative = accept("-");
    if (!tokens.get(at).isNumber()) {
      throw unexpected();
    }
    return Operand.Immediate.of(next().text(), negative);
  }

  private int integer() {
    return (int) number().bits();
  }

  private int width(String type, int line) {
    return switch (type) {
      case "b8", "u8", "s8" -> 1;
      case "b16", "u16", "s16", "f16" -> 2;
      case "b32", "u32", "s32", "f32" -> 4;
      case "b64", "u64", "s64", "f64" -> 8;
      default -> throw refused(line, "unknown type ." + type, null);
    };
  }

  private String peek() {
    if (at >= tokens.size()) {
      throw new DriverException(module + ": the PTX ends in the middle");
    }
    return tokens.get(at).text();
  }

  private Token next() {
    peek();
    return tokens.get(at++);
  }

  private boolean accept(String text) {
    if (peek().equals(text)) {
      at++;
      return true;
    }
    return false;
  }

  private void expect(String text) {
    if (!accept(text)) {
      throw refused(
          tokens.get(at).line(), "expected \"%s\", found \"%s\"".formatted(text, peek()), null);
    }
  }

  private String line(int number) {
    return lines.get(number - 1).strip();
  }

  private DriverException unexpected() {
    return refused(tokens.get(at).line(), "unexpected \"%s\"".formatted(peek()), null);
  }

  private DriverException refused(int line, String why, Throwable cause) {
    return new DriverException(
        "%s: PTX line %d \"%s\": %s".formatted(module, line, line(line), why), cause);
  }
}
