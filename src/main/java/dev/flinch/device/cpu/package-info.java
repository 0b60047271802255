/**
 * The CPU as a device: matrix products by OpenBLAS over off-heap memory, one single-threaded call a
 * lane and as many lanes as cores; element-wise work in one pass, by the JVM's vector instructions
 * where it has them and by plain loops where not.
 */
package dev.flinch.device.cpu;
