/** What is known of the machine's CUDA driver and cards: so far, whether there are any. */
package dev.flinch.device.cuda;
