/**
 * Whole studies: the configuration that says what to train and measure, the run that does it, and
 * the folder that keeps what becomes of it; and the same measures of a single given network. A
 * configuration is immutable and complete: defaults are filled in and every problem is reported
 * before anything runs. No mathematics here; training and measuring live further down, figures
 * beside.
 */
package dev.flinch.experiment;
