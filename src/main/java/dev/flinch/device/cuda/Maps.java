package dev.flinch.device.cuda;

import dev.flinch.device.ElementType;
import dev.flinch.device.ImageShape;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.PatchShape;
import dev.flinch.device.PoolShape;

/** Launches {@code kernels/patches.cu} and {@code kernels/max_pool.cu}. */
final class Maps {
  private static final String PATCHES = "patches";
  private static final String MAX_POOL = "max_pool";

  /** The side of windows whose loops are unrolled. */
  private static final int USUAL_SIDE = 2;

  private final Launcher launcher;

  Maps(Launcher launcher) {
    this.launcher = launcher;
  }

  /** As {@link dev.flinch.device.Lane#patches}. */
  void patches(Matrix images, PatchShape shape, Matrix out) {
    OperandShapes.patches(images, shape, out);
    if (isNothing(out)) {
      return;
    }
    ElementType type = out.data().type();
    boolean wide = type == ElementType.FLOAT64;
    int width = wide ? 1 : channelsAtOnce(shape, images, out);
    long pieces = (long) shape.positions() * ((out.columns() - 1) / width + 1);
    launcher.announce(0, type.bytes() * (elements(images) + elements(out)));
    launcher.launch(
        PATCHES,
        "patches_" + (wide ? "wide" : width),
        ElementGrid.over(launcher.card(), images.rows(), pieces, 1, images.replicas()),
        Launcher.address(images, type),
        images.stride(),
        images.replicaStride(),
        shape.image().channels(),
        shape.image().height(),
        shape.image().width(),
        shape.side(),
        shape.channelsFirst() ? 1 : 0,
        Launcher.address(out, type),
        out.stride(),
        out.replicaStride(),
        out.columns(),
        images.rows(),
        images.replicas());
  }

  /** As {@link dev.flinch.device.Lane#patchSums}. */
  void patchSums(Matrix patches, PatchShape shape, Matrix images) {
    OperandShapes.patchSums(patches, shape, images);
    if (isNothing(images)) {
      return;
    }
    int width = channelsAtOnce(shape, patches, images);
    launcher.announce(elements(patches), Float.BYTES * (elements(patches) + elements(images)));
    launcher.launch(
        PATCHES,
        "patch_sums_" + width,
        ElementGrid.over(
            launcher.card(), images.rows(), images.columns(), width, images.replicas()),
        Launcher.address(patches),
        patches.stride(),
        patches.replicaStride(),
        shape.image().channels(),
        shape.image().height(),
        shape.image().width(),
        shape.side(),
        shape.channelsFirst() ? 1 : 0,
        Launcher.address(images),
        images.stride(),
        images.replicaStride(),
        images.rows(),
        images.replicas());
  }

  /** As {@link dev.flinch.device.Lane#maxPool}. */
  void maxPool(Matrix h, PoolShape shape, Matrix slopes, Matrix out) {
    OperandShapes.maxPool(h, shape, slopes, out);
    if (isNothing(out)) {
      return;
    }
    // Of a window, slopes are written for all pixels but one, and one value is pooled.
    launcher.announce(
        elements(h), Float.BYTES * (elements(h) + elements(slopes == null ? out : h)));
    ImageShape map = shape.map();
    launcher.launch(
        MAX_POOL,
        "max_pool_" + unrolled(shape),
        ElementGrid.over(
            launcher.card(),
            h.rows(),
            slopes == null ? shape.pooled().size() : windows(shape),
            1,
            h.replicas()),
        Launcher.address(h),
        h.stride(),
        h.replicaStride(),
        map.channels(),
        map.height(),
        map.width(),
        shape.side(),
        Launcher.addressOrNull(slopes),
        slopes == null ? 0 : slopes.stride(),
        slopes == null ? 0L : slopes.replicaStride(),
        Launcher.address(out),
        out.stride(),
        out.replicaStride(),
        h.rows(),
        h.replicas());
  }

  /** As {@link dev.flinch.device.Lane#unpool}. */
  void unpool(Matrix errors, PoolShape shape, Matrix slopes, int group, Matrix out) {
    OperandShapes.unpool(errors, shape, slopes, group, out);
    if (isNothing(out)) {
      return;
    }
    ImageShape map = shape.map();
    int width = map.channels() % 4 == 0 ? ElementGrid.packWidth(errors, slopes, out) : 1;
    launcher.announce(
        elements(out), Float.BYTES * (elements(out) + elements(slopes) + elements(errors)));
    launcher.launch(
        MAX_POOL,
        "unpool_" + width,
        ElementGrid.over(launcher.card(), out.rows(), out.columns(), width, out.replicas()),
        Launcher.address(errors),
        errors.stride(),
        errors.replicaStride(),
        map.channels(),
        map.height(),
        map.width(),
        shape.side(),
        Launcher.address(slopes),
        slopes.stride(),
        slopes.replicaStride(),
        group,
        Launcher.address(out),
        out.stride(),
        out.replicaStride(),
        out.rows(),
        out.replicas());
  }

  /** As {@link dev.flinch.device.Lane#poolReferences}. */
  void poolReferences(Matrix h, PoolShape shape, Matrix gaps, Matrix out) {
    OperandShapes.poolReferences(h, shape, gaps, out);
    if (isNothing(out)) {
      return;
    }
    ImageShape map = shape.map();
    launcher.launch(
        MAX_POOL,
        "pool_references",
        ElementGrid.over(launcher.card(), h.rows(), windows(shape), 1, h.replicas()),
        Launcher.address(h, ElementType.FLOAT64),
        h.stride(),
        h.replicaStride(),
        map.channels(),
        map.height(),
        map.width(),
        shape.side(),
        Launcher.address(gaps),
        gaps.stride(),
        gaps.replicaStride(),
        Launcher.address(out, ElementType.FLOAT64),
        out.stride(),
        out.replicaStride(),
        h.rows(),
        h.replicas());
  }

  /** As {@link dev.flinch.device.Lane#poolDifferences}. */
  void poolDifferences(Matrix z, PoolShape shape, Matrix gaps, Matrix out) {
    OperandShapes.poolDifferences(z, shape, gaps, out);
    if (isNothing(out)) {
      return;
    }
    ImageShape map = shape.map();
    launcher.announce(elements(z), Float.BYTES * (elements(z) + elements(gaps) + elements(out)));
    launcher.launch(
        MAX_POOL,
        "pool_differences_" + unrolled(shape),
        ElementGrid.over(launcher.card(), z.rows(), out.columns(), 1, z.replicas()),
        Launcher.address(z),
        z.stride(),
        z.replicaStride(),
        map.channels(),
        map.height(),
        map.width(),
        shape.side(),
        Launcher.address(gaps),
        gaps.replicaStride(),
        Launcher.address(out),
        out.stride(),
        out.replicaStride(),
        z.rows(),
        z.replicas());
  }

  private static boolean isNothing(Matrix written) {
    return written.rows() == 0 || written.columns() == 0;
  }

  /** How many channels of a pixel a thread may move at once: as many as the kernel's pieces. */
  private static int channelsAtOnce(PatchShape shape, Matrix... operands) {
    boolean together = !shape.channelsFirst() && shape.image().channels() % 4 == 0;
    return together ? ElementGrid.packWidth(operands) : 1;
  }

  /** Windows of all channels, with those that the right and the lower border break. */
  private static int windows(PoolShape shape) {
    ImageShape map = shape.map();
    int side = shape.side();
    return ((map.height() - 1) / side + 1) * ((map.width() - 1) / side + 1) * map.channels();
  }

  private static String unrolled(PoolShape shape) {
    return shape.side() == USUAL_SIDE ? "" + USUAL_SIDE : "any";
  }

  private static double elements(Matrix m) {
    return (double) m.rows() * m.columns() * m.replicas();
  }
}
