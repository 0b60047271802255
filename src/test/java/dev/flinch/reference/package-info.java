/**
 * A plain double-precision reference that tests compare with: clarity only, no optimisation, and
 * none of the operations of a device.
 */
package dev.flinch.reference;
