package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.sensitivity.PointMeasures;
import dev.flinch.sensitivity.RocArea;

/**
 * How well two quantities that need no label tell misclassified points: areas under the receiver
 * operating characteristic. What is undefined is null, and absent from JSON.
 *
 * @param undefined why there are no areas, or null where there are
 * @param jacobianNorm of the Jacobian norm
 * @param uncertainty of 1 − the largest probability
 * @param difference the area of the Jacobian norm less that of uncertainty
 * @param differenceStandardError which allows for both being of the same points
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record ErrorDetection(
    String undefined,
    Area jacobianNorm,
    Area uncertainty,
    Double difference,
    Double differenceStandardError) {

  /**
   * An area.
   *
   * @param area 0 … 1
   * @param standardError null where fewer than two points are misclassified, or are not
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Area(double area, Double standardError) {
    static Area of(RocArea roc) {
      return new Area(roc.area(), roc.standardError());
    }
  }

  static ErrorDetection of(PointMeasures points) {
    boolean[] wrong = points.misclassified();
    int errors = PerPointStudy.count(wrong);
    if (errors == 0 || errors == wrong.length) {
      return new ErrorDetection(
          errors == 0 ? "no point is misclassified" : "all points are misclassified",
          null,
          null,
          null,
          null);
    }
    RocArea.Comparison areas = RocArea.compare(points.jacobianNorm(), points.uncertainty(), wrong);
    return new ErrorDetection(
        null,
        Area.of(areas.first()),
        Area.of(areas.second()),
        areas.difference(),
        areas.differenceStandardError());
  }
}
