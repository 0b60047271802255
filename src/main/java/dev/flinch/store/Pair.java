package dev.flinch.store;

/**
 * Two networks that differ in one factor alone (Novak et al., Figure 4).
 *
 * @param name of the factor that tells them apart, such as {@code labels}
 * @param leftLabel what the left one has, such as {@code true}
 * @param left its identity
 * @param right the other one's identity
 */
public record Pair(String name, String leftLabel, String rightLabel, String left, String right) {}
