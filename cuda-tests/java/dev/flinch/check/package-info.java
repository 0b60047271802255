/**
 * What {@code flinch-gpu-check} of the bundle for bare machines runs: the tests without Maven, and
 * the table of their outcome, the rates and the peers'.
 */
package dev.flinch.check;
