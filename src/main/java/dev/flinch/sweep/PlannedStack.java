package dev.flinch.sweep;

import java.util.List;

/**
 * Networks of a plan that are to be trained together.
 *
 * @param identities in the order of their indices in the plan
 * @param estimate what they will take
 */
public record PlannedStack(List<String> identities, CostEstimate estimate) {
  public PlannedStack {
    identities = List.copyOf(identities);
  }

  public int size() {
    return identities.size();
  }
}
