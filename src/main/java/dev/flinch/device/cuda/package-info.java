/**
 * Computing on NVIDIA cards: {@link dev.flinch.device.cuda.CudaDevice} makes every operation of a
 * {@link dev.flinch.device.Lane} from the kernels in {@code kernels/}, whose PTX is among the
 * resources, and from cuBLAS where it is found. What talks to a card is in {@code driver}; {@code
 * emulator} stands in for one.
 */
package dev.flinch.device.cuda;
