/**
 * Sweeps: studies of very many networks. A plan says which networks there are and packs them into
 * stacks, a worker carries out a stack, an engine gives stacks to workers, and what comes of it is
 * in a store that all processes of a sweep share.
 */
package dev.flinch.sweep;
