package dev.flinch.experiment;

import dev.flinch.base.RequestException;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.ImageShape;
import dev.flinch.report.RegionFigure.Anchor;
import dev.flinch.trajectory.Plane;
import java.awt.image.BufferedImage;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The plane through three images of a data set.
 *
 * @param anchors their indices in the training split
 * @param classes their labels
 * @param marks the images in a figure
 */
record AnchoredPlane(
    Plane plane, List<Integer> anchors, List<Integer> classes, List<Anchor> marks) {

  /** Refuses other than three indices of the split, and images that are the same or on a line. */
  static AnchoredPlane through(LabelledImages train, List<Integer> images) {
    if (images == null || images.size() != 3) {
      throw new RequestException(
          "a plane needs --anchors i,j,k, three images of the training split: found "
              + (images == null ? "none" : images));
    }
    images.forEach(train::requireIndex);
    Plane plane =
        Plane.through(
            train.normalised(images.get(0)),
            train.normalised(images.get(1)),
            train.normalised(images.get(2)));
    List<Anchor> marks =
        IntStream.range(0, 3)
            .mapToObj(
                i ->
                    new Anchor(
                        Plane.anchor(i)[0],
                        Plane.anchor(i)[1],
                        "class " + train.label(images.get(i)),
                        picture(train.shape(), train.pixels(images.get(i)))))
            .toList();
    return new AnchoredPlane(plane, images, images.stream().map(train::label).toList(), marks);
  }

  /** An image as it is seen: in grey of one channel, in colours of three. */
  private static BufferedImage picture(ImageShape shape, byte[] pixels) {
    BufferedImage picture =
        new BufferedImage(shape.width(), shape.height(), BufferedImage.TYPE_INT_RGB);
    int plane = shape.width() * shape.height();
    for (int i = 0; i < plane; i++) {
      int rgb = 0;
      for (int channel = 0; channel < 3; channel++) {
        rgb = rgb << 8 | pixels[channel % shape.channels() * plane + i] & 0xFF;
      }
      picture.setRGB(i % shape.width(), i / shape.width(), rgb);
    }
    return picture;
  }
}
