/**
 * What a compute device must do for Flinch, in one narrow interface: memory, lanes that execute
 * operations in order, and the operations themselves. Everything above is written once against it;
 * the makes live in the packages below ({@link dev.flinch.device.cpu}). Nothing here knows of
 * training or measuring.
 */
package dev.flinch.device;
