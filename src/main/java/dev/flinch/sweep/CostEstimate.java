package dev.flinch.sweep;

/**
 * What a stack will take, estimated before it runs: for packing stacks and for telling users what
 * they ask for, not for results.
 *
 * @param networks of the stack
 * @param trainingFlop of all its networks, each trained to its limit; those that reach the train
 *     accuracy sooner take less
 * @param measuringFlop of all its networks
 * @param bytes of training's buffers on the device
 * @param seconds on one device
 */
public record CostEstimate(
    int networks, double trainingFlop, double measuringFlop, long bytes, double seconds) {
  /** Of training and measuring. */
  public double flop() {
    return trainingFlop + measuringFlop;
  }
}
