package dev.flinch.training;

/**
 * What one replica of a stack has for itself.
 *
 * @param seed keys its shuffles
 * @param learningRate before decay
 * @param labels a class for each training example
 */
public record ReplicaSettings(long seed, double learningRate, int[] labels) {}
