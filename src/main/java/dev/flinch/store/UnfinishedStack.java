package dev.flinch.store;

/**
 * A stack that is open, or that a worker has.
 *
 * @param id its number in the store
 * @param cost as planned
 */
public record UnfinishedStack(long id, double cost) {}
