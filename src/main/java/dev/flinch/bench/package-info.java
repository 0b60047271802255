/**
 * The machine and how fast it is: what {@code doctor}, {@code bench} and {@code profile} report. On
 * the floor of {@link dev.flinch.experiment}: it measures the operations below and adds none of its
 * own, but for a plain double-precision network to check their answers against. Nothing is printed
 * here.
 */
package dev.flinch.bench;
