/**
 * Labelled images: readers for the IDX and CIFAR formats, the embedded glyphs, normalisation,
 * crops, subsets and random labels, and the client that fetches published data sets. Images leave
 * this package as normalised float32 rows; no network or device is known here.
 */
package dev.flinch.data;
