/**
 * Training of stacks of networks: mini-batches by simple rules, full batches by L-BFGS, schedules,
 * stop conditions and the state that a checkpoint holds; and the evaluation of accuracy and loss.
 * No configuration files and no folders are known here.
 */
package dev.flinch.training;
