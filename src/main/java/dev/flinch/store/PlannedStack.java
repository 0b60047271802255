package dev.flinch.store;

import java.util.List;

/**
 * Networks that are to be trained together.
 *
 * @param cost in whichever unit: costlier stacks are claimed first
 * @param identities at least one, each once
 */
public record PlannedStack(double cost, List<String> identities) {
  public PlannedStack {
    identities = List.copyOf(identities);
    if (!Double.isFinite(cost)) {
      throw new IllegalArgumentException("expected a finite cost, found " + cost);
    }
    if (identities.isEmpty()) {
      throw new IllegalArgumentException("expected a stack of networks, found an empty one");
    }
  }
}
