package dev.flinch.device.cuda.emulator;

/**
 * A declared array or scalar.
 *
 * @param space global, const, shared, local or param
 * @param extern whether its size comes with the launch
 * @param initial contents; shorter than {@code bytes} where the rest is zero, or null
 */
record Variable(
    int line,
    String space,
    int align,
    String type,
    String name,
    int bytes,
    boolean extern,
    byte[] initial) {}
