/**
 * Results of sweeps: a row for each network, in a database that several processes share. Networks
 * are rows of {@link Column}s here; what they are otherwise, and who trains them, is not known.
 */
package dev.flinch.store;
