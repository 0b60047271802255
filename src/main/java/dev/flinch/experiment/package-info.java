/**
 * Whole studies: the configuration that says what to train and measure, and what becomes of it. A
 * configuration is immutable and complete: defaults are filled in and every problem is reported
 * before anything runs. No mathematics here; training and measuring live further down, figures
 * beside.
 */
package dev.flinch.experiment;
