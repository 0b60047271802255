package dev.flinch.sensitivity;

/**
 * One point's prediction and the norms of its Jacobians, from its logits and the Gram matrix of
 * their gradients, in double precision. With σ the probabilities and aᵢ the gradient of logit i,
 * row i of the probabilities' Jacobian is σᵢ (aᵢ − Σⱼ σⱼ aⱼ). Gradients are taken relative to that
 * of the largest logit, and probabilities to the second largest one, so that a class that is all
 * but certain costs no digits.
 */
final class PointJacobian {
  private final int classes;
  private final double[] exponentials;
  private final double[] ratios;
  private final double[] centred;
  private final double[] products;

  private int prediction;
  private double crossEntropy;
  private double maximumProbability;
  private double uncertainty;
  private double norm;
  private double rowNorm;
  private double logitGradientNorm;

  PointJacobian(int classes) {
    this.classes = classes;
    this.exponentials = new double[classes];
    this.ratios = new double[classes];
    this.centred = new double[classes * classes];
    this.products = new double[classes];
  }

  /**
   * Takes a point.
   *
   * @param logits C of them from {@code logitsFrom} on
   * @param grams A Aᵀ, C² numbers from {@code gramsFrom} on
   * @param label the point's class
   */
  void take(float[] logits, int logitsFrom, double[] grams, int gramsFrom, int label) {
    int top = 0;
    for (int c = 1; c < classes; c++) {
      top = logits[logitsFrom + c] > logits[logitsFrom + top] ? c : top;
    }
    double highest = logits[logitsFrom + top];
    double others = 0;
    double second = 0;
    for (int c = 0; c < classes; c++) {
      exponentials[c] = Math.exp(logits[logitsFrom + c] - highest);
      if (c != top) {
        others += exponentials[c];
        second = Math.max(second, exponentials[c]);
      }
    }
    prediction = top;
    maximumProbability = 1 / (1 + others);
    uncertainty = others / (1 + others);
    crossEntropy = Math.log1p(others) + (highest - logits[logitsFrom + label]);
    double sum = 0;
    for (int i = 0; i < classes; i++) {
      sum += Math.sqrt(grams[gramsFrom + i * classes + i]);
    }
    logitGradientNorm = sum / classes;
    rows(grams, gramsFrom, top, second, 1 + others, label);
  }

  private void rows(double[] grams, int from, int top, double second, double total, int label) {
    if (second == 0) {
      norm = 0;
      rowNorm = 0;
      return;
    }
    double scale = second / total;
    double corner = grams[from + top * classes + top];
    double quadratic = 0;
    for (int i = 0; i < classes; i++) {
      ratios[i] = i == top ? 0 : exponentials[i] / second;
    }
    for (int i = 0; i < classes; i++) {
      products[i] = 0;
      for (int j = 0; j < classes; j++) {
        double value =
            grams[from + i * classes + j]
                - grams[from + i * classes + top]
                - grams[from + top * classes + j]
                + corner;
        centred[i * classes + j] = value;
        products[i] += value * ratios[j];
      }
      quadratic += ratios[i] * products[i];
    }
    double squares = 0;
    for (int i = 0; i < classes; i++) {
      // Norms of rows over scale; the mean gradient has norm scale √quadratic.
      double row =
          i == top
              ? Math.sqrt(Math.max(0, quadratic)) / total
              : ratios[i]
                  * Math.sqrt(
                      Math.max(
                          0,
                          centred[i * classes + i]
                              - 2 * scale * products[i]
                              + scale * scale * quadratic));
      squares += row * row;
      if (i == label) {
        rowNorm = scale * row;
      }
    }
    norm = scale * Math.sqrt(squares);
  }

  /** The class of the largest logit, the first of equals. */
  int prediction() {
    return prediction;
  }

  /** −log of the probability of the point's class, in nats. */
  double crossEntropy() {
    return crossEntropy;
  }

  /** The largest probability. */
  double maximumProbability() {
    return maximumProbability;
  }

  /** 1 − the largest probability, summed from the others. */
  double uncertainty() {
    return uncertainty;
  }

  /** ‖J‖_F. */
  double norm() {
    return norm;
  }

  /** ‖J_y‖₂, of the row of the point's class. */
  double rowNorm() {
    return rowNorm;
  }

  /** M, the mean over classes of ‖∂fᵢ/∂x‖₂. */
  double logitGradientNorm() {
    return logitGradientNorm;
  }
}
