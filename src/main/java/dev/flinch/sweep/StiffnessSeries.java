package dev.flinch.sweep;

import dev.flinch.experiment.Configurations;
import dev.flinch.experiment.StiffnessMeasurement.Length;
import dev.flinch.experiment.StiffnessRecord;
import dev.flinch.experiment.StiffnessRecord.OfPairs;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Stiffness along training as one JSON object: {@code step}, {@code epoch}, {@code trainLoss},
 * {@code testLoss}, {@code trainAccuracy} and {@code testAccuracy} are arrays with a number for
 * each time that it was measured; each pairs, such as {@code train-train}, is an object of such
 * arrays. What is not defined is null.
 */
final class StiffnessSeries {
  private StiffnessSeries() {}

  static String json(List<StiffnessRecord> records) {
    Map<String, Object> series = new LinkedHashMap<>();
    series.put("step", column(records, StiffnessRecord::step));
    series.put("epoch", column(records, StiffnessRecord::epoch));
    series.put("trainLoss", column(records, r -> r.train().crossEntropy()));
    series.put("testLoss", column(records, r -> r.test().crossEntropy()));
    series.put("trainAccuracy", column(records, r -> r.train().accuracy()));
    series.put("testAccuracy", column(records, r -> r.test().accuracy()));
    int pairs = records.isEmpty() ? 0 : records.get(0).stiffness().size();
    for (int p = 0; p < pairs; p++) {
      int which = p;
      List<OfPairs> of = records.stream().map(r -> r.stiffness().get(which)).toList();
      Map<String, Object> ofPairs = new LinkedHashMap<>();
      ofPairs.put("cosineWithin", column(of, o -> o.cosine().within()));
      ofPairs.put("cosineBetween", column(of, o -> o.cosine().between()));
      ofPairs.put("cosineWithinSuper", column(of, o -> o.cosine().betweenWithinSuperClasses()));
      ofPairs.put("signWithin", column(of, o -> o.sign().within()));
      ofPairs.put("signBetween", column(of, o -> o.sign().between()));
      ofPairs.put("signWithinSuper", column(of, o -> o.sign().betweenWithinSuperClasses()));
      if (of.get(0).criticalLength() != null) {
        lengths(ofPairs, "criticalLength", of, OfPairs::criticalLength);
        lengths(ofPairs, "signCriticalLength", of, OfPairs::signCriticalLength);
      }
      series.put(of.get(0).pairs().label(), ofPairs);
    }
    return Configurations.tree(series).toString();
  }

  private static void lengths(
      Map<String, Object> into, String name, List<OfPairs> of, Function<OfPairs, Length> length) {
    into.put(name, column(of, o -> length.apply(o).value()));
    into.put(name + "Low", column(of, o -> length.apply(o).interval()[0]));
    into.put(name + "High", column(of, o -> length.apply(o).interval()[1]));
  }

  private static <T> List<Object> column(List<T> records, Function<T, Object> value) {
    List<Object> column = new ArrayList<>();
    records.forEach(record -> column.add(value.apply(record)));
    return column;
  }
}
