package dev.flinch.sweep;

import dev.flinch.experiment.Configuration;
import dev.flinch.store.Pair;
import java.time.Duration;
import java.util.List;

/**
 * The networks of a sweep, in an order that depends on its configuration alone, packed into stacks.
 */
public final class SweepPlan {
  private SweepPlan() {}

  /**
   * @throws dev.flinch.base.RequestException if constraints leave too few settings, or a setting
   *     asks for what its data set doesn't have
   */
  public static SweepPlan of(SweepConfiguration sweep, Workshop workshop) {
    throw new UnsupportedOperationException();
  }

  public int networks() {
    throw new UnsupportedOperationException();
  }

  /** 32 hexadecimal digits. */
  public String identity(int network) {
    throw new UnsupportedOperationException();
  }

  /** The identity of a network's configuration without its seed. */
  public String setting(int network) {
    throw new UnsupportedOperationException();
  }

  /** A study of this network alone, which {@code flinch run} takes. */
  public Configuration configuration(int network) {
    throw new UnsupportedOperationException();
  }

  /** The index of a network, or −1 for an identity that the plan doesn't have. */
  public int indexOf(String identity) {
    throw new UnsupportedOperationException();
  }

  /** All networks, each in one stack; those that take longest first. Made as they are asked for. */
  public List<PlannedStack> stacks() {
    throw new UnsupportedOperationException();
  }

  /** The networks of a planned stack, or some of them, as a worker takes them. */
  public StackRequest request(List<String> identities) {
    throw new UnsupportedOperationException();
  }

  /** Pairs of networks that differ in what the sweep pairs; made as they are asked for. */
  public Iterable<Pair> pairs() {
    throw new UnsupportedOperationException();
  }

  /** Until the last worker is done, training every network to its limit. */
  public Duration estimate() {
    throw new UnsupportedOperationException();
  }
}
