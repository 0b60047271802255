/**
 * A CUDA card in software: parses the PTX that nvcc writes for compute capabilities 7.5 and 8.0,
 * runs it on the CPU warp by warp, refuses what a card would let pass in silence (stray, misaligned
 * and unordered accesses, reads of what nobody wrote, barriers that not all reach) and counts what
 * kernels cost. {@link dev.flinch.device.cuda.emulator.EmulatedDriver} is the way in; nothing here
 * knows what is computed.
 *
 * <p>From text to work: {@code PtxParser} reads statements, {@code KernelBuilder} and its decoders
 * make operations of them, {@code Warp} runs operations on 32 lanes at once, {@code Block} takes
 * its warps from barrier to barrier, {@code BlockRunner} takes blocks to threads of the host.
 */
package dev.flinch.device.cuda.emulator;
