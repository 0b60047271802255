package dev.flinch.experiment;

import java.nio.file.Path;
import java.util.List;

/**
 * What a study came to.
 *
 * @param folder the run folder
 * @param alreadyFinished whether it was done before, so that nothing was changed
 * @param networks in the configuration's order
 * @param summary a table in plain text, ended by a line feed
 */
public record StudyResult(
    Path folder, boolean alreadyFinished, List<NetworkResult> networks, String summary) {}
