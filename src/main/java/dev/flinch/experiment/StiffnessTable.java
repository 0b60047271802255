package dev.flinch.experiment;

import dev.flinch.experiment.StiffnessMeasurement.Length;
import dev.flinch.experiment.StiffnessRecord.OfPairs;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Stiffness along training as a table: a row for each network, step and pairs, all their scalars.
 * What is not defined, or was not asked for, is empty.
 */
final class StiffnessTable {
  private static final String HEADER =
      "network,step,epoch,pairs,train_loss,test_loss,train_accuracy,test_accuracy,"
          + "cosine_within,cosine_between,cosine_within_super,"
          + "sign_within,sign_between,sign_within_super,"
          + "critical_length,critical_length_low,critical_length_high,"
          + "sign_critical_length,sign_critical_length_low,sign_critical_length_high,"
          + "row_examples,column_examples,row_zero_gradients,column_zero_gradients\n";

  private StiffnessTable() {}

  static String csv(List<NetworkResult> networks) {
    StringBuilder csv = new StringBuilder(HEADER);
    for (NetworkResult network : networks) {
      for (StiffnessRecord record : network.stiffness()) {
        for (OfPairs of : record.stiffness()) {
          csv.append(
                  cells(network.id(), record, of).stream()
                      .map(cell -> cell == null ? "" : cell.toString())
                      .collect(Collectors.joining(",")))
              .append('\n');
        }
      }
    }
    return csv.toString();
  }

  private static List<Object> cells(String network, StiffnessRecord record, OfPairs of) {
    List<Object> cells =
        new ArrayList<>(
            Arrays.asList(
                network,
                record.step(),
                record.epoch(),
                of.pairs().label(),
                record.train().crossEntropy(),
                record.test().crossEntropy(),
                record.train().accuracy(),
                record.test().accuracy(),
                of.cosine().within(),
                of.cosine().between(),
                of.cosine().betweenWithinSuperClasses(),
                of.sign().within(),
                of.sign().between(),
                of.sign().betweenWithinSuperClasses()));
    add(cells, of.criticalLength());
    add(cells, of.signCriticalLength());
    for (int[] counts : List.of(of.examples(), of.zeroGradients())) {
      cells.add(counts[0]);
      cells.add(counts[1]);
    }
    return cells;
  }

  private static void add(List<Object> cells, Length length) {
    cells.add(length == null ? null : length.value());
    cells.add(length == null ? null : length.interval()[0]);
    cells.add(length == null ? null : length.interval()[1]);
  }
}
