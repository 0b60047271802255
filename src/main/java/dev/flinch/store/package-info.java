/**
 * Results of sweeps: a row for each network, in a database that several processes share: a file of
 * SQLite on one machine, or a PostgreSQL server's on many. Networks are rows of {@link Column}s
 * here; what they are otherwise, and who trains them, is not known.
 */
package dev.flinch.store;
