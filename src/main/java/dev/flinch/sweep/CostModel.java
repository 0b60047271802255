package dev.flinch.sweep;

import dev.flinch.device.Activation;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Configuration.JacobianNorm;
import dev.flinch.experiment.Configuration.Kind;
import dev.flinch.experiment.Configuration.Method;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.Configuration.Stop;
import dev.flinch.experiment.Configuration.Trajectory;
import dev.flinch.experiment.StackWork;
import dev.flinch.experiment.StiffnessMeasurement.Pairs;
import dev.flinch.network.Architecture;
import dev.flinch.sensitivity.Jacobian;
import dev.flinch.sensitivity.JacobianNorms;
import dev.flinch.sensitivity.Stiffness;
import dev.flinch.sensitivity.Transitions;
import dev.flinch.sweep.Rate.Phase;
import dev.flinch.training.LbfgsTrainer;
import dev.flinch.training.Optimizer;

/**
 * What networks of one architecture, data and training take, as an ESTIMATE: the multiplications
 * and additions of their matrix products, by the rate at which a device makes them. Element-wise
 * work is in the rate.
 */
final class CostModel {
  /**
   * Crossings a hidden unit and knot along a trajectory. Trained 20 × 200 ReLU networks have 7,266
   * on a random ellipse and 18,000 on a translation loop, of 3,800 hidden units each.
   */
  private static final double CROSSINGS_OF_ELLIPSE = 2;

  private static final double CROSSINGS_OF_LOOP = 5;

  /**
   * A crossing's FLOP a weight above the first layer: 6.5 GFLOP for 7,266 crossings of 20 × 200, 12
   * with Jacobian norms (kernels/PERFORMANCE.md).
   */
  private static final double FLOP_OF_CROSSING = 1.25;

  private static final double FLOP_WITH_JACOBIAN = 2.3;

  /**
   * Operations of a training step that a device is asked for, a layer: three products, and ReLU.
   */
  private static final int LAUNCHES_OF_LAYER = 6;

  /** Losses with gradients that an iteration of L-BFGS takes: assumed, not measured. */
  private static final double EVALUATIONS_OF_ITERATION = 1.25;

  private final Architecture architecture;
  private final Rate rate;
  private final long bytes;
  private final double steps;
  private final double training;
  private final double norms;
  private final double stiffness;
  private double sampled;
  private double exact;

  /**
   * @param network any of the networks
   * @param train the images that it is trained on
   */
  CostModel(Configuration network, DataSetSize data, long train, Rate rate) {
    this.rate = rate;
    architecture = network.replicas().get(0).architecture(data.shape(), data.classes());
    bytes = StackWork.bytes(network, architecture, (int) train);
    boolean fullBatch = network.training().optimizer() == Optimizer.LBFGS;
    long batch = fullBatch ? train : Math.min(train, network.training().batchSize());
    long stepsOfEpoch = (train + batch - 1) / batch;
    Stop stop = network.training().stop();
    steps =
        Math.min(
            fullBatch ? LbfgsTrainer.MOST_ITERATIONS : Double.POSITIVE_INFINITY,
            Math.min(
                stop.epochs() == null
                    ? Double.POSITIVE_INFINITY
                    : (double) stop.epochs() * stepsOfEpoch,
                stop.steps() == null ? Double.POSITIVE_INFINITY : stop.steps()));
    double images = steps * train / stepsOfEpoch * (fullBatch ? EVALUATIONS_OF_ITERATION : 1);
    double weights = architecture.parameters();
    double first = (double) architecture.rows(0) * architecture.columns(0);
    // Forward, and errors back by weights and by inputs; the images' own errors nobody needs.
    double ofSteps = images * 2 * (3 * weights - first);
    double ofAccuracy = stop.trainAccuracy() == null ? 0 : images * 2 * weights;
    int test = network.data().test() != null ? network.data().test() : data.test();
    double ofEnd = (train + test + network.data().validation()) * 2.0 * weights;
    training = ofSteps + ofAccuracy + ofEnd;
    norms =
        norms(network.measures().jacobian(), Jacobian.PROBABILITIES, train, test)
            + norms(network.measures().logitJacobian(), Jacobian.LOGITS, train, test);
    stiffness = stiffness(network.measures().stiffness(), data, stepsOfEpoch, train + test);
    network.measures().trajectories().forEach(this::add);
  }

  /**
   * Of every time that it is measured: at the beginning, after every so many steps, and at the end.
   *
   * @param evaluated images that loss and accuracy are of, each time
   */
  private double stiffness(
      Configuration.Stiffness asked, DataSetSize data, long stepsOfEpoch, long evaluated) {
    if (asked == null) {
      return 0;
    }
    double every = asked.every() == null ? stepsOfEpoch : asked.every();
    double times = 1 + Math.ceil(steps / every);
    int examples = asked.imagesOfClass(data.classes()) * data.classes();
    double each = evaluated * 2.0 * architecture.parameters();
    for (Pairs pairs : asked.pairs()) {
      boolean within = pairs.rows() == pairs.columns();
      each += Stiffness.flop(architecture, examples, examples, within);
      if (asked.distance()) {
        each += (within ? 1.0 : 2.0) * architecture.inputs() * examples * examples;
      }
    }
    return times * each;
  }

  private double norms(JacobianNorm norm, Jacobian of, long train, int test) {
    if (norm == null) {
      return 0;
    }
    long images = norm.count() != null ? norm.count() : norm.split() == Split.TRAIN ? train : test;
    return JacobianNorms.flop(architecture, of, (int) images);
  }

  private void add(Trajectory trajectory) {
    Activation activation = architecture.activation();
    double crossings =
        (trajectory.kind() == Kind.TRANSLATION ? CROSSINGS_OF_LOOP : CROSSINGS_OF_ELLIPSE)
            * architecture.hiddenUnits()
            * activation.knots();
    double above =
        architecture.parameters() - (double) architecture.rows(0) * architecture.columns(0);
    if (trajectory.method() != Method.SAMPLED && activation.isPiecewiseLinear()) {
      exact += crossings * above * (trajectory.jacobian() ? FLOP_WITH_JACOBIAN : FLOP_OF_CROSSING);
      return;
    }
    sampled += Transitions.flop(architecture, trajectory.points());
    if (trajectory.jacobian()) {
      // One Jacobian a region; a smooth activation has one a point.
      double jacobians =
          !activation.isPiecewiseLinear()
              ? trajectory.points()
              : Math.min(trajectory.points(), crossings);
      sampled +=
          jacobians
              / trajectory.points()
              * JacobianNorms.flop(architecture, Jacobian.PROBABILITIES, trajectory.points());
    }
  }

  /** Of a stack of so many networks. */
  CostEstimate of(int networks) {
    return new CostEstimate(
        networks,
        networks * training,
        networks * (norms + stiffness + sampled + exact),
        networks * bytes,
        fixedSeconds() + networks * secondsOfNetwork(networks));
  }

  /** What a stack takes however few networks it has: the device is asked for every step. */
  private double fixedSeconds() {
    return steps * LAUNCHES_OF_LAYER * architecture.depth() * rate.launchSeconds();
  }

  private double secondsOfNetwork(int networks) {
    // Its products are like those of Jacobian norms; what it takes beside them was not measured.
    return training / rate.flopPerSecond(Phase.TRAINING, architecture, networks)
        + (norms + stiffness) / rate.flopPerSecond(Phase.JACOBIAN_NORMS, architecture, networks)
        + sampled / rate.flopPerSecond(Phase.SAMPLED_TRAJECTORIES, architecture, networks)
        + exact / rate.flopPerSecond(Phase.EXACT_TRAJECTORIES, architecture, networks);
  }

  /**
   * The most networks for which a stack has room and time; one at least.
   *
   * @param mostBytes of a stack
   * @param mostSeconds of a stack; it may take as long as its launches do
   */
  int most(long mostBytes, double mostSeconds, int networks) {
    double each = secondsOfNetwork(networks);
    double time = Math.max(mostSeconds - fixedSeconds(), fixedSeconds()) / each;
    return (int) Math.max(1, Math.min(networks, Math.min((double) (mostBytes / bytes), time)));
  }
}
