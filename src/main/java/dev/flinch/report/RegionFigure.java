package dev.flinch.report;

import java.awt.AlphaComposite;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.Shape;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Linear regions on the plane through three images (Novak et al., Figure 3): a square a network,
 * coloured by patterns, with the images where they stand, and how dense transitions are beside or
 * below it. Regions are drawn as pixels, or exactly.
 */
public final class RegionFigure {
  private static final int SIDE = 512;
  private static final int MARGIN = 24;
  private static final int GAP = 28;
  private static final int HEADER = 72;
  private static final int CAPTION = 28;
  private static final int SCALE = 92;
  private static final int INSET = 58;

  /** Pixels of an image that fill a square at a PNG's resolution. */
  private static final int FINE = 2 * SIDE;

  /** Lengths in an exact drawing are good for zooming in a hundredfold. */
  private static final int EXACT_DECIMALS = 4;

  private static final BasicStroke FINE_LINE =
      new BasicStroke(0.35f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);

  private RegionFigure() {}

  /**
   * One of the three images.
   *
   * @param x where it stands, −1 the left side and 1 the right
   * @param y −1 the lower side and 1 the upper
   */
  public record Anchor(double x, double y, String label, BufferedImage image) {}

  /**
   * One network's pixel map.
   *
   * @param caption what stands above it
   * @param size pixels of a side
   * @param hashes of patterns, row by row from the upper left
   * @param densities transitions per unit of length in equal cells, row by row likewise
   * @param cells of a side
   * @param densityCaption what stands above the density
   */
  public record Pixels(
      String caption,
      int size,
      long[] hashes,
      double[] densities,
      int cells,
      String densityCaption) {}

  /**
   * A convex polygon of one pattern.
   *
   * @param x of its corners, as {@link Anchor} has them
   * @param drawn whether the edge from each corner to the next is drawn; between two polygons, it
   *     is enough for one of them
   */
  public record Polygon(double[] x, double[] y, boolean[] drawn, long hash) {}

  /**
   * One network's regions, exactly.
   *
   * @param size pixels of a side of a map whose colours these are to have
   * @param hashes of that map
   */
  public record Polygons(String caption, List<Polygon> polygons, int size, long[] hashes) {}

  /**
   * Pixel maps: of one network beside its density, of several in columns above theirs. Densities
   * share one scale.
   *
   * @param radius of the discs that densities at the anchors are of
   */
  public static Figure pixels(
      String title, String subtitle, List<Pixels> networks, List<Anchor> anchors, double radius) {
    boolean single = networks.size() == 1;
    int columns = single ? 2 : networks.size();
    int rows = single ? 1 : 2;
    int width = 2 * MARGIN + columns * SIDE + (columns - 1) * GAP + SCALE;
    int height = HEADER + rows * (CAPTION + SIDE) + (rows - 1) * GAP / 2 + MARGIN;
    double most =
        networks.stream()
            .flatMapToDouble(n -> Arrays.stream(n.densities()))
            .filter(Double::isFinite)
            .max()
            .orElse(0);
    double top = most > 0 ? most : 1;
    return new Figure(
        graphics -> {
          header(graphics, title, subtitle, width, height);
          for (int i = 0; i < networks.size(); i++) {
            Pixels network = networks.get(i);
            int left = left(i);
            caption(graphics, network.caption(), left, HEADER);
            image(graphics, mapImage(network), left, HEADER + CAPTION);
            anchors.forEach(anchor -> inset(graphics, anchor, left, HEADER + CAPTION));
            frame(graphics, left, HEADER + CAPTION);
            int densityLeft = single ? left(1) : left;
            int densityTop = single ? HEADER : HEADER + CAPTION + SIDE + GAP / 2;
            caption(graphics, network.densityCaption(), densityLeft, densityTop);
            int squareTop = densityTop + CAPTION;
            image(graphics, heatImage(network, top), densityLeft, squareTop);
            anchors.forEach(anchor -> disc(graphics, anchor, radius, densityLeft, squareTop));
            frame(graphics, densityLeft, squareTop);
            if (i == networks.size() - 1) {
              new ColourBar(
                      0, top, value -> Viridis.rgb(value / top), "transitions per unit of length")
                  .draw(graphics, left(columns - 1) + SIDE + 14, squareTop, SIDE);
            }
          }
        },
        width,
        height,
        2);
  }

  /** Regions drawn exactly, a square a network, their boundaries as lines. */
  public static Figure exact(
      String title, String subtitle, List<Polygons> networks, List<Anchor> anchors) {
    int width = 2 * MARGIN + networks.size() * SIDE + (networks.size() - 1) * GAP;
    int height = HEADER + CAPTION + SIDE + MARGIN;
    return new Figure(
        graphics -> {
          header(graphics, title, subtitle, width, height);
          for (int i = 0; i < networks.size(); i++) {
            int left = left(i);
            caption(graphics, networks.get(i).caption(), left, HEADER);
            polygons(graphics, networks.get(i), left, HEADER + CAPTION);
            anchors.forEach(anchor -> inset(graphics, anchor, left, HEADER + CAPTION));
            frame(graphics, left, HEADER + CAPTION);
          }
        },
        width,
        height,
        EXACT_DECIMALS);
  }

  private static int left(int column) {
    return MARGIN + column * (SIDE + GAP);
  }

  private static void header(Graphics2D g, String title, String subtitle, int width, int height) {
    g.setPaint(Color.WHITE);
    g.fill(new Rectangle2D.Double(0, 0, width, height));
    Style.text(g, title, Style.TITLE, Style.INK, MARGIN, 34);
    Style.text(g, subtitle, Style.SMALL, Style.QUIET, MARGIN, 56);
  }

  private static void caption(Graphics2D g, String text, int left, int top) {
    Style.text(g, text, Style.TEXT, Style.INK, left, top + CAPTION - 9);
  }

  private static void image(Graphics2D g, BufferedImage image, int left, int top) {
    g.setRenderingHint(
        RenderingHints.KEY_INTERPOLATION,
        image.getWidth() > FINE
            ? RenderingHints.VALUE_INTERPOLATION_BICUBIC
            : RenderingHints.VALUE_INTERPOLATION_NEAREST_NEIGHBOR);
    g.drawImage(image, left, top, SIDE, SIDE, null);
  }

  private static void frame(Graphics2D g, int left, int top) {
    g.setPaint(Style.INK);
    g.setStroke(Style.THIN);
    g.draw(new Rectangle2D.Double(left, top, SIDE, SIDE));
  }

  /** A map in its colours, its pixels repeated where they would be blurred. */
  private static BufferedImage mapImage(Pixels network) {
    int size = network.size();
    long[] hashes = network.hashes();
    RegionColours colours = RegionColours.of(size, hashes);
    int[] rgb = new int[hashes.length];
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] = i > 0 && hashes[i] == hashes[i - 1] ? rgb[i - 1] : colours.rgb(hashes[i]);
    }
    return enlarged(rgb, size);
  }

  private static BufferedImage heatImage(Pixels network, double top) {
    int[] rgb =
        Arrays.stream(network.densities())
            .mapToInt(density -> Double.isFinite(density) ? Viridis.rgb(density / top) : 0xFFFFFF)
            .toArray();
    return enlarged(rgb, network.cells());
  }

  /** A square of pixels, each repeated where it would be blurred. */
  static BufferedImage enlarged(int[] rgb, int size) {
    int factor = Math.max(1, (FINE + size - 1) / size);
    BufferedImage image =
        new BufferedImage(size * factor, size * factor, BufferedImage.TYPE_INT_RGB);
    for (int row = 0; row < size * factor; row++) {
      for (int column = 0; column < size * factor; column++) {
        image.setRGB(column, row, rgb[row / factor * size + column / factor]);
      }
    }
    return image;
  }

  /** An image beside the place it stands at, with a line to it. */
  private static void inset(Graphics2D g, Anchor anchor, int left, int top) {
    double x = x(anchor.x(), left);
    double y = y(anchor.y(), top);
    // Above its place where there is room, towards the nearer side; else beside it.
    boolean low = anchor.y() < -0.5;
    double insetX = x + (low ? 62 : anchor.x() < 0 ? -58 : 0);
    double insetY = low ? y - 16 : y - 124;
    Shape leader =
        new Line2D.Double(x, y, insetX + (low ? 0 : INSET / 2.0), insetY + (low ? 20 : INSET));
    g.setPaint(Color.WHITE);
    g.setStroke(new BasicStroke(3.4f));
    g.draw(leader);
    g.fill(new Ellipse2D.Double(x - 5, y - 5, 10, 10));
    g.setPaint(Style.INK);
    g.setStroke(Style.BAR);
    g.draw(leader);
    g.fill(new Ellipse2D.Double(x - 3.2, y - 3.2, 6.4, 6.4));
    double label = Style.width(anchor.label(), Style.SMALL);
    double wide = Math.max(INSET, label + 10);
    Rectangle2D card =
        new Rectangle2D.Double(insetX + (INSET - wide) / 2 - 3, insetY - 21, wide + 6, INSET + 24);
    g.setPaint(Color.WHITE);
    g.fill(card);
    g.setPaint(Style.INK);
    g.setStroke(Style.THIN);
    g.draw(card);
    Style.text(g, anchor.label(), Style.SMALL, Style.INK, insetX + (INSET - label) / 2, insetY - 6);
    g.setRenderingHint(
        RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_NEAREST_NEIGHBOR);
    g.drawImage(anchor.image(), (int) Math.round(insetX), (int) insetY, INSET, INSET, null);
  }

  private static void disc(Graphics2D g, Anchor anchor, double radius, int left, int top) {
    double r = radius * SIDE / 2;
    double x = x(anchor.x(), left);
    double y = y(anchor.y(), top);
    Shape disc = new Ellipse2D.Double(x - r, y - r, 2 * r, 2 * r);
    g.setPaint(Color.WHITE);
    g.setStroke(Style.LINE);
    g.draw(disc);
    double label = Style.width(anchor.label(), Style.SMALL);
    double labelY = anchor.y() < -0.5 ? y - r - 8 : y + r + 16;
    g.setComposite(AlphaComposite.getInstance(AlphaComposite.SRC_OVER, 0.6f));
    g.setPaint(Style.INK);
    g.fill(new Rectangle2D.Double(x - label / 2 - 4, labelY - 12, label + 8, 16));
    g.setComposite(AlphaComposite.SrcOver);
    Style.text(g, anchor.label(), Style.SMALL, Color.WHITE, x - label / 2, labelY);
  }

  private static double x(double x, int left) {
    return left + (x + 1) / 2 * SIDE;
  }

  private static double y(double y, int top) {
    return top + (1 - y) / 2 * SIDE;
  }

  /** One shape a pattern, so that its polygons have no seams between them; then all lines. */
  private static void polygons(Graphics2D g, Polygons network, int left, int top) {
    RegionColours colours = RegionColours.of(network.size(), network.hashes());
    Map<Long, Path2D> shapes = new LinkedHashMap<>();
    Path2D lines = new Path2D.Double();
    for (Polygon polygon : network.polygons()) {
      Path2D shape = shapes.computeIfAbsent(polygon.hash(), hash -> new Path2D.Double());
      int corners = polygon.x().length;
      for (int i = 0; i < corners; i++) {
        double x = x(polygon.x()[i], left);
        double y = y(polygon.y()[i], top);
        int next = (i + 1) % corners;
        if (i == 0) {
          shape.moveTo(x, y);
        } else {
          shape.lineTo(x, y);
        }
        if (polygon.drawn()[i]) {
          lines.moveTo(x, y);
          lines.lineTo(x(polygon.x()[next], left), y(polygon.y()[next], top));
        }
      }
      shape.closePath();
    }
    shapes.forEach(
        (hash, shape) -> {
          g.setPaint(new Color(colours.rgb(hash)));
          g.fill(shape);
        });
    g.setPaint(Style.INK);
    g.setStroke(FINE_LINE);
    g.draw(lines);
  }
}
