package dev.flinch.device.cuda;

import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ImageShape;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.PatchShape;
import dev.flinch.device.PoolShape;

/** Gives each operation to the card as one launch or a few, and returns without waiting. */
final class CudaLane implements Lane {
  private final Products products;
  private final Gathering gathering;
  private final Activations activations;
  private final CrossEntropy crossEntropy;
  private final Optimizers optimizers;
  private final Reductions reductions;
  private final Combinations combinations;
  private final References references;
  private final JacobianEnds jacobianEnds;
  private final ExampleGradientKernels exampleGradients;
  private final Patterns patterns;
  private final Maps maps;

  CudaLane(Launcher launcher, Products products) {
    this.products = products;
    this.gathering = new Gathering(launcher);
    this.activations = new Activations(launcher);
    this.crossEntropy = new CrossEntropy(launcher);
    this.optimizers = new Optimizers(launcher);
    this.reductions = new Reductions(launcher);
    this.combinations = new Combinations(launcher);
    this.references = new References(launcher);
    this.jacobianEnds = new JacobianEnds(launcher);
    this.exampleGradients = new ExampleGradientKernels(launcher);
    this.patterns = new Patterns(launcher);
    this.maps = new Maps(launcher);
  }

  @Override
  public int index() {
    return 0;
  }

  @Override
  public void gemm(
      boolean transposeA, Matrix a, boolean transposeB, Matrix b, float beta, Matrix c) {
    products.gemm(transposeA, a, transposeB, b, beta, c);
  }

  @Override
  public void gather(Matrix source, DeviceArray indices, long from, long stride, Matrix out) {
    gathering.gather(source, indices, from, stride, out);
  }

  @Override
  public void gatherImages(
      DeviceArray pixels,
      ImageShape shape,
      DeviceArray indices,
      DeviceArray moves,
      long from,
      long stride,
      Matrix out) {
    gathering.gatherImages(pixels, shape, indices, moves, from, stride, out);
  }

  @Override
  public void addBias(Matrix z, Matrix bias) {
    activations.addBias(z, bias);
  }

  @Override
  public void activate(Activation activation, Matrix z, Matrix bias, Matrix h) {
    activations.activate(activation, z, bias, h);
  }

  @Override
  public void scale(Matrix a, Matrix slopes, int group, Matrix out) {
    activations.scale(a, slopes, group, out);
  }

  @Override
  public void softmaxCrossEntropy(
      Matrix logits,
      DeviceArray labels,
      long labelsFrom,
      long labelsStride,
      float factor,
      Matrix gradient,
      Matrix loss,
      Matrix correct) {
    crossEntropy.ofRows(logits, labels, labelsFrom, labelsStride, factor, gradient, loss, correct);
  }

  @Override
  public void columnSums(Matrix a, Matrix sums) {
    reductions.columnSums(a, sums);
  }

  @Override
  public void haltNonFinite(Matrix sums, DeviceArray running, long runningFrom) {
    optimizers.haltNonFinite(sums, running, runningFrom);
  }

  @Override
  public void update(
      OptimizerRule rule,
      DeviceArray rates,
      DeviceArray running,
      int replicaFrom,
      Matrix weights,
      Matrix gradient,
      Matrix... slots) {
    optimizers.update(rule, rates, running, replicaFrom, weights, gradient, slots);
  }

  @Override
  public void widen(Matrix narrow, Matrix wide) {
    combinations.widen(narrow, wide);
  }

  @Override
  public void narrow(Matrix wide, Matrix narrow) {
    combinations.narrow(wide, narrow);
  }

  @Override
  public void combine(
      Matrix vectors,
      int terms,
      int[] indices,
      double[] coefficients,
      Matrix offset,
      double sign,
      Matrix out) {
    combinations.combine(vectors, terms, indices, coefficients, offset, sign, out);
  }

  @Override
  public void activateReferences(Activation activation, Matrix z, Matrix bias, Matrix knots) {
    references.activate(activation, z, bias, knots);
  }

  @Override
  public void activateDifferences(
      Activation activation, Matrix z, Matrix knots, DeviceArray counts, long countsFrom) {
    references.activateDifferences(activation, z, knots, counts, countsFrom);
  }

  @Override
  public void probabilitySeeds(Matrix logits, Matrix seeds, Matrix scales) {
    jacobianEnds.probabilitySeeds(logits, seeds, scales);
  }

  @Override
  public void crossEntropySeeds(
      Matrix logits, DeviceArray labels, long labelsFrom, Matrix seeds, Matrix scales) {
    exampleGradients.crossEntropySeeds(logits, labels, labelsFrom, seeds, scales);
  }

  @Override
  public void logitSeeds(Matrix seeds) {
    jacobianEnds.logitSeeds(seeds);
  }

  @Override
  public void groupGrams(Matrix a, int group, Matrix grams) {
    reductions.groupGrams(a, group, grams);
  }

  @Override
  public void probabilityNorms(Matrix logits, Matrix grams, int[] regions, Matrix norms) {
    jacobianEnds.probabilityNorms(logits, grams, regions, norms);
  }

  @Override
  public void groupNorms(Matrix a, int group, Matrix scales, Matrix norms) {
    reductions.groupNorms(a, group, scales, norms);
  }

  @Override
  public void unitRows(Matrix a, Matrix out, Matrix norms) {
    exampleGradients.unitRows(a, out, norms);
  }

  @Override
  public void gramProduct(
      Matrix a, Matrix b, Matrix d, Matrix e, Matrix u, Matrix v, float beta, Matrix c) {
    exampleGradients.gramProduct(a, b, d, e, u, v, beta, c);
  }

  @Override
  public void hashPatterns(
      Activation activation, Matrix z, Matrix bias, long firstUnit, DeviceArray hashes, long from) {
    patterns.hash(activation, z, bias, firstUnit, hashes, from);
  }

  @Override
  public void countPatterns(DeviceArray hashes, long from, int count, DeviceArray out, long at) {
    patterns.count(hashes, from, count, out, at);
  }

  @Override
  public void patches(Matrix images, PatchShape shape, Matrix out) {
    maps.patches(images, shape, out);
  }

  @Override
  public void patchSums(Matrix patches, PatchShape shape, Matrix images) {
    maps.patchSums(patches, shape, images);
  }

  @Override
  public void maxPool(Matrix h, PoolShape shape, Matrix slopes, Matrix out) {
    maps.maxPool(h, shape, slopes, out);
  }

  @Override
  public void unpool(Matrix errors, PoolShape shape, Matrix slopes, int group, Matrix out) {
    maps.unpool(errors, shape, slopes, group, out);
  }

  @Override
  public void poolReferences(Matrix h, PoolShape shape, Matrix gaps, Matrix out) {
    maps.poolReferences(h, shape, gaps, out);
  }

  @Override
  public void poolDifferences(Matrix z, PoolShape shape, Matrix gaps, Matrix out) {
    maps.poolDifferences(z, shape, gaps, out);
  }
}
