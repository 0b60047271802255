package dev.flinch.sweep;

import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Stack;

/**
 * Networks that are trained and measured together, as {@link dev.flinch.experiment.StackWork} takes
 * them.
 *
 * @param configuration all that the networks share; of what they may differ in, the first one's
 * @param stack replicas whose ids are the networks' identities
 */
public record StackRequest(Configuration configuration, Stack stack) {}
