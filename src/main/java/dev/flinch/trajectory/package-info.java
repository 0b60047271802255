/**
 * Closed curves in input space along which networks are measured, ellipses and translation loops,
 * and the plane through three points. Each point is a combination of a few fixed vectors, so that a
 * network's first layer is a handful of products whatever the number of points. No network is known
 * here.
 */
package dev.flinch.trajectory;
