/**
 * The dozen driver calls that the CUDA device is made of, as one interface with two makes: {@link
 * dev.flinch.device.cuda.driver.Driver} through JCuda for a card, and {@code
 * dev.flinch.device.cuda.emulator} for machines without one. Nothing here knows what is computed.
 */
package dev.flinch.device.cuda.driver;
