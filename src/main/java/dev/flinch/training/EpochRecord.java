package dev.flinch.training;

/**
 * One replica's epoch.
 *
 * @param replica which of the stack
 * @param epoch counted from 1
 * @param step steps taken by its end
 * @param loss mean cross-entropy over the epoch's batches, each before its step; of L-BFGS over all
 *     examples, after its step
 * @param accuracy likewise, of the images as the replica saw them: moved, if they are augmented
 */
public record EpochRecord(int replica, int epoch, long step, double loss, double accuracy) {}
