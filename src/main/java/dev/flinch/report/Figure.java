package dev.flinch.report;

import dev.flinch.base.RequestException;
import java.awt.Graphics2D;
import java.awt.Rectangle;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import javax.imageio.ImageIO;
import org.jfree.chart.JFreeChart;

/** A figure that is ready to be written. */
public final class Figure {
  private static final int PIXELS_PER_UNIT = 2;

  /** Draws a figure in units of which PNG images have two pixels each. */
  @FunctionalInterface
  interface Drawing {
    void draw(Graphics2D graphics);
  }

  private final Drawing drawing;
  private final int width;
  private final int height;
  private final int decimals;

  Figure(JFreeChart chart, int width, int height) {
    this(graphics -> chart.draw(graphics, new Rectangle(width, height)), width, height, 2);
  }

  /**
   * @param decimals of lengths in an SVG
   */
  Figure(Drawing drawing, int width, int height, int decimals) {
    this.drawing = drawing;
    this.width = width;
    this.height = height;
    this.decimals = decimals;
  }

  /**
   * Writes this figure, as SVG or PNG by the end of the file's name, over what is there.
   *
   * @throws RequestException where the name ends otherwise
   */
  public void write(Path file) throws IOException {
    Files.write(file, bytes(file));
  }

  /** The bytes of a file of that name. */
  private byte[] bytes(Path file) {
    String name = file.toString().toLowerCase(Locale.ROOT);
    if (name.endsWith(".svg")) {
      return svg().getBytes(StandardCharsets.UTF_8);
    }
    if (name.endsWith(".png")) {
      return png();
    }
    throw new RequestException(file + ": expected a figure's name to end in .svg or .png");
  }

  /** This figure as an SVG document. */
  public String svg() {
    SvgDocument document = new SvgDocument(width, height, decimals);
    drawing.draw(document.graphics());
    return document.text();
  }

  /** This figure as a PNG image, two pixels to a unit. */
  public byte[] png() {
    BufferedImage image =
        new BufferedImage(
            width * PIXELS_PER_UNIT, height * PIXELS_PER_UNIT, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    graphics.setRenderingHint(
        RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
    graphics.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
    graphics.scale(PIXELS_PER_UNIT, PIXELS_PER_UNIT);
    drawing.draw(graphics);
    graphics.dispose();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      ImageIO.write(image, "png", out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }
}
