/**
 * The ground floor: keyed random streams, the error that a wrong request raises, and progress
 * reports. Nothing here knows of networks, data or devices, and nothing here imports another
 * package of Flinch.
 */
package dev.flinch.base;
