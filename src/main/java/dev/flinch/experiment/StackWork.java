package dev.flinch.experiment;

import dev.flinch.base.Progress;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.Scope;
import dev.flinch.experiment.Configuration.JacobianNorm;
import dev.flinch.experiment.Configuration.Labels;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.NetworkResult.MeanNorm;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.sensitivity.Jacobian;
import dev.flinch.sensitivity.JacobianNorms;
import dev.flinch.training.DeviceExamples;
import dev.flinch.training.Evaluation;
import dev.flinch.training.LbfgsTrainer;
import dev.flinch.training.Optimizer;
import dev.flinch.training.Outcome;
import dev.flinch.training.ReplicaSettings;
import dev.flinch.training.StackTrainer;
import dev.flinch.training.StopRule;
import dev.flinch.training.Trainer;
import dev.flinch.training.TrainerState;
import dev.flinch.training.TrainingSettings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The training and measuring of one stack on a device, for whoever asks: all that its results
 * depend on is the configuration, the data and the kind of device.
 */
public final class StackWork {
  private final Configuration configuration;
  private final StudyData data;
  private final StudyExamples examples;
  private final List<Replica> replicas;
  private final Architecture architecture;
  private final int[][] labels;
  private final Device device;
  private final Progress progress;

  /**
   * What a stack came to.
   *
   * @param state at the end, with the weights
   * @param results one a replica
   */
  public record Done(StackState state, List<NetworkResult> results) {}

  /** A state to go on from that is not of this stack. */
  public static final class OtherStateException extends IllegalArgumentException {
    OtherStateException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /**
   * @param configuration says everything that the stack's networks share
   * @param examples of this data, on this device
   */
  public StackWork(
      Configuration configuration,
      StudyData data,
      StudyExamples examples,
      Stack stack,
      Device device,
      Progress progress) {
    this.configuration = configuration;
    this.data = data;
    this.examples = examples;
    this.replicas = stack.replicas();
    this.architecture = data.architecture(stack);
    this.device = device;
    this.progress = progress;
    LabelledImages taught = data.splits().train();
    int[] own = taught.labels();
    this.labels =
        replicas.stream()
            .map(
                r -> r.labels() == Labels.RANDOM ? taught.withRandomLabels(r.seed()).labels() : own)
            .toArray(int[][]::new);
  }

  /** What training takes for each network: parameters with the optimizer's slots, and a batch. */
  public static long bytes(
      Configuration configuration, Architecture architecture, int trainingImages) {
    if (configuration.training().optimizer() == Optimizer.LBFGS) {
      return LbfgsTrainer.bytes(architecture, trainingImages);
    }
    long unitsOfBatch = architecture.inputs() + 2 * architecture.unitsOfPass();
    return Float.BYTES
        * (architecture.parameters() * (1 + configuration.training().optimizer().slots())
            + configuration.training().batchSize() * unitsOfBatch
            + 3L * trainingImages);
  }

  /**
   * Trains the stack and measures it.
   *
   * @param from where an earlier try was, or null to begin
   * @param save receives the state now and then, and at the end of training
   * @throws OtherStateException if that is no state of this stack
   * @throws dev.flinch.device.OutOfDeviceMemoryException if the device has no room for so many
   *     networks at once
   */
  public Done complete(StackState from, Consumer<StackState> save) {
    try (NetworkStack networks = new NetworkStack(device, initial())) {
      StackState state = train(networks, from, save);
      return new Done(state, measure(networks, state));
    }
  }

  private List<Network> initial() {
    return replicas.stream()
        .map(r -> Network.initial(architecture, r.seed(), r.initScale()))
        .toList();
  }

  private StackState train(NetworkStack networks, StackState from, Consumer<StackState> save) {
    try (StackTrainer trainer = trainer(networks)) {
      if (from != null) {
        restore(trainer, from);
      }
      StiffnessAlongTraining along = along(networks, trainer, from);
      String task =
          "training %s, %d %s"
              .formatted(
                  architecture.title(),
                  replicas.size(),
                  replicas.size() == 1 ? "network" : "networks");
      long interval = configuration.training().checkpointSeconds() * 1_000_000_000L;
      long saved = System.nanoTime();
      // Training has not ended before what is measured after its last step.
      Progress ofTraining =
          (measuring, done, total) ->
              progress.report(
                  task, Math.min(trainer.steps(), trainer.lastStep() - 1), trainer.lastStep());
      if (along != null) {
        along.measure(ofTraining);
      }
      while (!trainer.done()) {
        trainer.step();
        if (along != null) {
          along.measure(ofTraining);
        }
        progress.report(
            task, trainer.done() ? trainer.lastStep() : trainer.steps(), trainer.lastStep());
        boolean endOfEpoch = trainer.steps() % trainer.stepsPerEpoch() == 0;
        if (!trainer.done()
            && (interval > 0 ? System.nanoTime() - saved >= interval : endOfEpoch)) {
          save.accept(state(trainer, along));
          saved = System.nanoTime();
        }
      }
      StackState state = state(trainer, along);
      save.accept(state);
      return state;
    }
  }

  /** Null where stiffness is not asked for. */
  private StiffnessAlongTraining along(
      NetworkStack networks, StackTrainer trainer, StackState from) {
    Configuration.Stiffness asked = configuration.measures().stiffness();
    return asked == null
        ? null
        : new StiffnessAlongTraining(
            asked,
            data,
            examples,
            labels,
            networks,
            trainer,
            from == null ? List.of() : from.stiffness());
  }

  private static StackState state(StackTrainer trainer, StiffnessAlongTraining along) {
    return new StackState(trainer.state(), along == null ? List.of() : along.records());
  }

  private void restore(StackTrainer trainer, StackState from) {
    int measured = configuration.measures().stiffness() == null ? 0 : replicas.size();
    if (from.stiffness().size() != measured) {
      throw new OtherStateException(
          "a state of another stack: expected records of stiffness of %d networks, found %d"
              .formatted(measured, from.stiffness().size()),
          null);
    }
    try {
      trainer.restore(from.trainer());
    } catch (IllegalArgumentException e) {
      throw new OtherStateException(e.getMessage(), e);
    }
  }

  private StackTrainer trainer(NetworkStack networks) {
    Configuration.Training training = configuration.training();
    Optional<OptimizerRule> rule = training.optimizer().rule();
    if (rule.isEmpty()) {
      return new LbfgsTrainer(networks, examples.train(), stop(training), List.of(labels));
    }
    TrainingSettings settings =
        new TrainingSettings(
            rule.get(),
            training.batchSize(),
            training.decayFactor(),
            training.decayEpochs(),
            stop(training));
    List<ReplicaSettings> taught =
        IntStream.range(0, replicas.size())
            .mapToObj(
                r ->
                    new ReplicaSettings(
                        replicas.get(r).seed(),
                        replicas.get(r).learningRate(),
                        labels[r],
                        replicas.get(r).augmentation()))
            .toList();
    return new Trainer(networks, examples.train(), settings, taught);
  }

  private static StopRule stop(Configuration.Training training) {
    Configuration.Stop stop = training.stop();
    // Only L-BFGS goes without a limit of its user's.
    boolean unlimited = stop.epochs() == null && stop.steps() == null;
    return new StopRule(
        stop.epochs() == null ? 0 : stop.epochs(),
        unlimited ? LbfgsTrainer.MOST_ITERATIONS : stop.steps() == null ? 0 : stop.steps(),
        stop.trainAccuracy() == null ? Double.POSITIVE_INFINITY : stop.trainAccuracy());
  }

  private List<NetworkResult> measure(NetworkStack networks, StackState reached) {
    TrainerState state = reached.trainer();
    int[] all = IntStream.range(0, replicas.size()).toArray();
    Evaluation[] onTrain = onOwnLabels(networks, all, examples.train(), labels);
    Evaluation[] onTest = Evaluation.of(networks, examples.test());
    Evaluation[] onValidation =
        examples.validation() == null ? null : Evaluation.of(networks, examples.validation());
    Configuration.Measures measures = configuration.measures();
    JacobianNorms[] norms = norms(networks, measures.jacobian(), Jacobian.PROBABILITIES);
    JacobianNorms[] logitNorms = norms(networks, measures.logitJacobian(), Jacobian.LOGITS);
    TrajectoryResult[][] along = alongTrajectories(networks);
    List<NetworkResult> results = new ArrayList<>();
    for (int r = 0; r < replicas.size(); r++) {
      int replica = r;
      // The last step may have ruined weights without another step to notice it.
      boolean trained =
          state.outcomes().get(r) != Outcome.DIVERGED
              && Double.isFinite(onTrain[r].crossEntropy())
              && Double.isFinite(onTest[r].crossEntropy());
      Outcome outcome = trained ? state.outcomes().get(r) : Outcome.DIVERGED;
      Replica asked = replicas.get(r);
      results.add(
          new NetworkResult(
              asked.id(),
              asked.shape().convolutions(),
              asked.shape().hidden(),
              asked.activation(),
              asked.biases(),
              asked.initScale(),
              asked.learningRate(),
              asked.labels(),
              asked.augmentation(),
              asked.seed(),
              architecture.parameters(),
              outcome.name().toLowerCase(Locale.ROOT),
              state.stepsTaken().get(r),
              trained ? onTrain[r] : null,
              trained ? onTest[r] : null,
              trained && onValidation != null ? onValidation[r] : null,
              trained ? onTrain[r].accuracy() - onTest[r].accuracy() : null,
              trained ? MeanNorm.of(norms[r]) : null,
              trained ? MeanNorm.of(logitNorms[r]) : null,
              trained ? Arrays.stream(along).map(t -> t[replica]).toList() : List.of(),
              null,
              reached.stiffness().isEmpty() ? null : reached.stiffness().get(r)));
    }
    return List.copyOf(results);
  }

  /** {@code [trajectory][replica]}; trajectories that are asked for alike go as one batch. */
  private TrajectoryResult[][] alongTrajectories(NetworkStack networks) {
    List<Configuration.Trajectory> asked = configuration.measures().trajectories();
    TrajectoryResult[][] results = new TrajectoryResult[asked.size()][];
    Map<List<Object>, List<Integer>> alike =
        IntStream.range(0, asked.size())
            .boxed()
            .collect(
                Collectors.groupingBy(
                    t -> {
                      Configuration.Trajectory one = asked.get(t);
                      return List.of(one.method(), one.points(), one.bins(), one.jacobian());
                    },
                    LinkedHashMap::new,
                    Collectors.toList()));
    for (List<Integer> group : alike.values()) {
      Configuration.Trajectory first = asked.get(group.get(0));
      Course.Outcome[][] outcomes =
          Course.measure(
              networks,
              group.stream().map(data.courses()::get).toList(),
              first.method(),
              first.points(),
              first.bins(),
              first.jacobian(),
              progress);
      for (int i = 0; i < group.size(); i++) {
        results[group.get(i)] =
            Arrays.stream(outcomes[i]).map(Course.Outcome::result).toArray(TrajectoryResult[]::new);
      }
    }
    return results;
  }

  /**
   * Evaluates some replicas on the training images.
   *
   * @param labels that each replica of the stack is taught
   */
  static Evaluation[] onOwnLabels(
      NetworkStack networks, int[] chosen, DeviceExamples train, int[][] labels) {
    Device device = networks.device();
    int count = train.count();
    try (Scope scope = new Scope(device)) {
      DeviceArray taught = scope.ints((long) labels.length * count);
      for (int r : chosen) {
        device.upload(labels[r], 0, taught, (long) r * count, count);
      }
      return Evaluation.of(networks, chosen, train.inputs(), taught, count);
    }
  }

  private JacobianNorms[] norms(NetworkStack networks, JacobianNorm asked, Jacobian of) {
    if (asked == null) {
      return new JacobianNorms[replicas.size()];
    }
    DeviceExamples split = asked.split() == Split.TRAIN ? examples.train() : examples.test();
    int count = StudyData.count(asked, data.splits());
    return JacobianNorms.at(networks, split.inputs().rows(0, count), of, progress);
  }
}
