package dev.flinch.sweep;

import dev.flinch.base.RequestException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.LongStream;

/**
 * The settings of a plan, and the pairs that they form: candidates that satisfy all constraints,
 * each once. Where pairs are asked for, a candidate stands for the two sides of each of them.
 */
final class Selection {
  private static final int AT_ONCE = 1 << 14;

  /** Problems that are reported; they are told apart by their words. */
  private static final int MOST_PROBLEMS = 20;

  private final SweepConfiguration sweep;
  private final SettingRules rules;
  private final Candidates candidates;
  private final Map<Factor, Map<Object, byte[]>> known;
  private final Map<Setting.Kind, CanonicalText> texts = new ConcurrentHashMap<>();
  private final Settings settings;
  private final IdentityTable identities = new IdentityTable();
  private final List<IntList> left = new ArrayList<>();
  private final List<IntList> right = new ArrayList<>();

  /**
   * A candidate that was looked at.
   *
   * @param sides left and right of each pair; itself where there are none
   * @param hashes two numbers a side
   * @param broken a constraint that a side breaks, or null
   */
  private record Tried(
      List<Setting> sides, long[] hashes, Constraint broken, List<String> problems) {}

  Selection(SweepConfiguration sweep, SettingRules rules) {
    this.sweep = sweep;
    this.rules = rules;
    this.candidates = new Candidates(sweep);
    this.settings = new Settings(sweep.factors());
    for (int p = 0; p < sweep.pairs().size(); p++) {
      left.add(new IntList());
      right.add(new IntList());
    }
    this.known = known();
    choose();
  }

  /** The canonical text of settings that have the same factors as one of them. */
  private CanonicalText text(Setting example) {
    return texts.computeIfAbsent(
        example.kind(), kind -> new CanonicalText(example, sweep, Set.of(Factor.SEED), known));
  }

  private Map<Factor, Map<Object, byte[]>> known() {
    Map<Factor, Collection<Object>> values = new EnumMap<>(Factor.class);
    candidates.listed().forEach((factor, of) -> values.put(factor, new LinkedHashSet<>(of)));
    for (PairedSides pair : sweep.pairs()) {
      pair.left().forEach((factor, value) -> values.get(factor).add(value));
      pair.right().forEach((factor, value) -> values.get(factor).add(value));
    }
    return CanonicalText.known(values);
  }

  private void choose() {
    Set<String> problems = new LinkedHashSet<>();
    Map<Constraint, Integer> excluded = new LinkedHashMap<>();
    List<Set<Long>> seen = sweep.pairs().stream().<Set<Long>>map(p -> new HashSet<>()).toList();
    boolean grid = sweep.sampling().method() == Sampling.Method.GRID;
    long wanted = grid ? Long.MAX_VALUE : sweep.sampling().settings();
    long chosen = 0;
    long tried = 0;
    while (tried < candidates.mostTried(chosen)
        && chosen < wanted
        && problems.size() < MOST_PROBLEMS) {
      long from = tried;
      long to = Math.min(candidates.mostTried(chosen), from + AT_ONCE);
      List<Tried> some = LongStream.range(from, to).parallel().mapToObj(this::attempt).toList();
      for (Tried one : some) {
        if (chosen == wanted) {
          break;
        }
        tried++;
        if (one.broken != null) {
          excluded.merge(one.broken, 1, Integer::sum);
        } else if (!one.problems.isEmpty()) {
          problems.addAll(one.problems);
        } else if (take(one, seen)) {
          chosen++;
        }
      }
    }
    if (!problems.isEmpty()) {
      throw new RequestException(
          "the sweep can't be carried out as it is asked for:\n  %s"
              .formatted(String.join("\n  ", problems)));
    }
    if (chosen == 0 || !grid && chosen < wanted) {
      throw new RequestException(tooFew(chosen, tried, excluded));
    }
  }

  private Tried attempt(long number) {
    Setting candidate = candidates.get(number);
    if (candidate == null) {
      return new Tried(List.of(), new long[0], null, List.of());
    }
    List<Setting> sides = new ArrayList<>();
    for (PairedSides pair : sweep.pairs()) {
      sides.add(candidate.with(pair.left()));
      sides.add(candidate.with(pair.right()));
    }
    if (sides.isEmpty()) {
      sides.add(candidate);
    }
    List<String> problems = new ArrayList<>();
    for (Setting side : sides) {
      Constraint broken = rules.broken(side);
      if (broken != null) {
        return new Tried(sides, new long[0], broken, List.of());
      }
      problems.addAll(rules.problems(side));
    }
    long[] hashes = new long[2 * sides.size()];
    MessageDigest sha256 = NetworkIdentity.sha256();
    for (int s = 0; s < sides.size() && problems.isEmpty(); s++) {
      Setting side = sides.get(s);
      text(side).hash(side, 0, sha256, hashes, 2 * s);
    }
    return new Tried(sides, hashes, null, problems);
  }

  /** Whether there was anything new about it. */
  private boolean take(Tried tried, List<Set<Long>> seen) {
    int before = identities.size();
    int[] numbers = new int[tried.sides.size()];
    for (int s = 0; s < numbers.length; s++) {
      numbers[s] = identities.add(tried.hashes[2 * s], tried.hashes[2 * s + 1]);
      if (numbers[s] == settings.size()) {
        settings.add(tried.sides.get(s));
      }
    }
    boolean isNew = identities.size() > before;
    for (int p = 0; p < seen.size(); p++) {
      long pair = (long) numbers[2 * p] << 32 | numbers[2 * p + 1];
      if (numbers[2 * p] != numbers[2 * p + 1] && seen.get(p).add(pair)) {
        left.get(p).add(numbers[2 * p]);
        right.get(p).add(numbers[2 * p + 1]);
        isNew = true;
      }
    }
    return isNew;
  }

  private String tooFew(long chosen, long tried, Map<Constraint, Integer> excluded) {
    StringBuilder message = new StringBuilder();
    if (sweep.sampling().method() == Sampling.Method.GRID) {
      message.append(
          "constraints: expected settings that satisfy them, found none among %,d combinations"
              .formatted(tried));
    } else {
      message.append(
          "sampling.settings: expected %,d different settings, found %,d in %,d draws; ask for fewer, or let factors take more values"
              .formatted(sweep.sampling().settings(), chosen, tried));
    }
    excluded.forEach(
        (constraint, count) ->
            message.append("\n  constraint %s leaves out %,d".formatted(constraint, count)));
    return message.toString();
  }

  /** The JSON of values that many settings have. */
  Map<Factor, Map<Object, byte[]>> knownTexts() {
    return known;
  }

  Settings settings() {
    return settings;
  }

  /** Of settings, in their order. */
  IdentityTable identities() {
    return identities;
  }

  /** Settings on the left of a pair. */
  IntList left(int pair) {
    return left.get(pair);
  }

  /** Settings on the right of a pair, in the order of those on its left. */
  IntList right(int pair) {
    return right.get(pair);
  }
}
