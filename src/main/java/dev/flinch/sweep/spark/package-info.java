/**
 * Sweeps on Apache Spark: how Flinch gets onto a cluster, and the engine that makes every stack a
 * job there. Nothing else knows Spark's classes, which clusters bring; {@link
 * dev.flinch.sweep.spark.SparkSubmission} runs without them.
 */
package dev.flinch.sweep.spark;
