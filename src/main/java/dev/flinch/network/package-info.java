/**
 * Networks as their users see them: an architecture, its weights in the host's memory, how weights
 * are first drawn, and the safetensors files that hold them; and stacks of networks of one
 * architecture in a device's memory. No training and no measuring here.
 */
package dev.flinch.network;
