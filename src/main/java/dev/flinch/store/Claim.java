package dev.flinch.store;

import java.util.List;

/**
 * A worker's hold on a stack, for the time of a lease. Whoever claims the stack after it has the
 * next attempt, so a claim that was lost is never taken for one that holds.
 *
 * @param stack its number in the store
 * @param worker who claimed it
 * @param identities its networks that are not finished yet, in order of the plan
 * @param attempt how often it has been claimed, this time included
 */
public record Claim(long stack, String worker, List<String> identities, int attempt) {
  public Claim {
    identities = List.copyOf(identities);
  }
}
