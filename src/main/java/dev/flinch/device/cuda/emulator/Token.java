package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.driver.DriverException;
import java.util.ArrayList;
import java.util.List;

/**
 * A word, number or sign of a PTX text.
 *
 * @param line from 1
 */
record Token(String text, int line) {
  private static final String SIGNS = "{}()[],;:|!@<>=+-*";

  /** Cuts a text into its tokens; comments and notes of source lines are left out. */
  static List<Token> of(String module, String ptx) {
    return new Lexer(module, ptx).run();
  }

  boolean is(String expected) {
    return text.equals(expected);
  }

  boolean isNumber() {
    return isDigit(text.charAt(0));
  }

  /** Whether this names something: a register, variable, label or instruction. */
  boolean isName() {
    char first = text.charAt(0);
    return isWord(first) && !isDigit(first) || first == '%';
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  private static boolean isWord(char c) {
    return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || c == '_' || c == '$';
  }

  /** Written by hand: texts have tens of thousands of lines, and regular expressions are slow. */
  private static final class Lexer {
    private final String module;
    private final String ptx;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;

    Lexer(String module, String ptx) {
      this.module = module;
      this.ptx = ptx;
    }

    List<Token> run() {
      while (at < ptx.length()) {
        char c = ptx.charAt(at);
        if (c == '\n') {
          line++;
          at++;
        } else if (c == ' ' || c == '\t' || c == '\r') {
          at++;
        } else if (ptx.startsWith("//", at)) {
          skipLine();
        } else if (ptx.startsWith("/*", at)) {
          skipComment();
        } else if (isDigit(c)) {
          number();
        } else if (isWord(c) || c == '%' || c == '.') {
          word();
        } else if (c == '"') {
          int end = ptx.indexOf('"', at + 1);
          take(end < 0 ? ptx.length() : end + 1);
        } else if (SIGNS.indexOf(c) >= 0) {
          take(at + 1);
        } else {
          throw new DriverException(
              "%s: PTX line %d: unexpected \"%c\"".formatted(module, line, c));
        }
      }
      return tokens;
    }

    private void take(int end) {
      tokens.add(new Token(ptx.substring(at, end), line));
      at = end;
    }

    private void skipLine() {
      int end = ptx.indexOf('\n', at);
      at = end < 0 ? ptx.length() : end;
    }

    private void skipComment() {
      int end = ptx.indexOf("*/", at + 2);
      int to = end < 0 ? ptx.length() : end + 2;
      line += (int) ptx.substring(at, to).chars().filter(c -> c == '\n').count();
      at = to;
    }

    private char peek(int index) {
      return index < ptx.length() ? ptx.charAt(index) : '\n';
    }

    /** Digits in any base, a fraction and an exponent: what it means is found out later. */
    private void number() {
      int end = at + 1;
      boolean decimal = "xXfFdD".indexOf(peek(end)) < 0;
      while (isWord(peek(end)) || peek(end) == '.') {
        boolean exponent = decimal && (peek(end) == 'e' || peek(end) == 'E');
        end += exponent && (peek(end + 1) == '+' || peek(end + 1) == '-') ? 2 : 1;
      }
      take(end);
    }

    /** A name with dots, as {@code %tid.x} and {@code ld.global.L2::128B.f32}. */
    private void word() {
      int end = at + 1;
      while (true) {
        char c = peek(end);
        if (isWord(c) || c == '.') {
          end++;
        } else if (c == ':' && peek(end + 1) == ':' && isWord(peek(end + 2))) {
          end += 2;
        } else {
          break;
        }
      }
      String text = ptx.substring(at, end);
      if (text.equals(".loc") || text.equals(".file")) {
        skipLine();
      } else {
        take(end);
      }
    }
  }
}
