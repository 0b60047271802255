package dev.flinch.experiment;

import java.util.List;

/** The content of {@code metrics.json}: every network of a study, in the configuration's order. */
record StudyMetrics(String title, String dataset, List<NetworkResult> networks) {}
