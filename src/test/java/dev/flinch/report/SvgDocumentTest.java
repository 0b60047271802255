package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.Toolkit;
import java.awt.geom.Line2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.util.Base64;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;

class SvgDocumentTest {
  private static final int SIZE = 200;

  private static String drawn(int decimals, Consumer<Graphics2D> drawing) {
    SvgDocument document = new SvgDocument(SIZE, SIZE, decimals);
    drawing.accept(document.graphics());
    return document.text();
  }

  private static Element only(String svg, String name) throws Exception {
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    factory.setNamespaceAware(true);
    var found =
        factory
            .newDocumentBuilder()
            .parse(new InputSource(new StringReader(svg)))
            .getElementsByTagNameNS("http://www.w3.org/2000/svg", name);
    assertEquals(1, found.getLength(), svg);
    return (Element) found.item(0);
  }

  @Test
  void textStaysTheSameText() throws Exception {
    for (String text :
        List.of("class 3", "θ = 2π × 10⁻³ ± 1", "a < b & \"c\" > 'd'", "two  spaces")) {
      String svg = drawn(2, graphics -> graphics.drawString(text, 10, 20));
      assertEquals(text, only(svg, "text").getTextContent());
      assertFalse(svg.contains("DOCTYPE"), svg);
    }
  }

  @Test
  void everyFontIsTheRoots() throws Exception {
    String svg =
        drawn(
            2,
            graphics -> {
              graphics.setFont(new Font(Font.SANS_SERIF, Font.BOLD, 16));
              graphics.drawString("a", 1, 2);
              graphics.setFont(new Font(Font.SERIF, Font.PLAIN, 12));
              graphics.drawString("b", 3, 4);
            });
    assertEquals(1, svg.split("font-family", -1).length - 1, svg);
    assertTrue(only(svg, "svg").getAttribute("font-family").endsWith("sans-serif"), svg);
    assertTrue(svg.contains("font-weight=\"bold\""), svg);
  }

  /** Else axes would have other ticks in an SVG than in a PNG. */
  @Test
  void textIsAsWideAsInAnImage() {
    Graphics2D image = new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB).createGraphics();
    image.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    image.setRenderingHint(
        RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
    Graphics2D svg = new SvgDocument(SIZE, SIZE, 2).graphics();
    for (Font font :
        List.of(Style.TEXT, Style.TEXT.deriveFont(12f), new Font(Font.SANS_SERIF, Font.BOLD, 16))) {
      FontMetrics expected = image.getFontMetrics(font);
      for (Graphics2D graphics : List.of(svg, (Graphics2D) svg.create())) {
        for (String text : List.of("10", "0.25", "mean Jacobian norm", "illimitable")) {
          assertEquals(expected.stringWidth(text), graphics.getFontMetrics(font).stringWidth(text));
        }
      }
    }
  }

  @Test
  void imagesAreEmbeddedPixelByPixel() throws Exception {
    BufferedImage image = new BufferedImage(5, 3, BufferedImage.TYPE_INT_RGB);
    IntStream.range(0, 15).forEach(i -> image.setRGB(i % 5, i / 5, 0xFF000000 | i * 1_118_481));
    String svg =
        drawn(
            2,
            graphics -> {
              graphics.setRenderingHint(
                  RenderingHints.KEY_INTERPOLATION,
                  RenderingHints.VALUE_INTERPOLATION_NEAREST_NEIGHBOR);
              graphics.drawImage(image, 10, 20, 50, 30, null);
            });
    Element element = only(svg, "image");
    String data = element.getAttributeNS("http://www.w3.org/1999/xlink", "href");
    String start = "data:image/png;base64,";
    assertTrue(data.startsWith(start), data);
    BufferedImage read =
        ImageIO.read(
            new ByteArrayInputStream(Base64.getDecoder().decode(data.substring(start.length()))));
    assertEquals(5, read.getWidth());
    assertEquals(3, read.getHeight());
    for (int i = 0; i < 15; i++) {
      assertEquals(image.getRGB(i % 5, i / 5), read.getRGB(i % 5, i / 5));
    }
    assertEquals("10", element.getAttribute("x"));
    assertEquals("20", element.getAttribute("y"));
    assertEquals("50", element.getAttribute("width"));
    assertEquals("30", element.getAttribute("height"));
    assertTrue(svg.contains("image-rendering=\"pixelated\""), svg);
  }

  @Test
  void imagesWithoutPixelsAreRefused() {
    var image = Toolkit.getDefaultToolkit().createImage(new byte[0]);
    assertThrows(
        IllegalArgumentException.class,
        () -> drawn(2, graphics -> graphics.drawImage(image, 0, 0, 5, 5, null)));
  }

  @Test
  void opacityDashesAndClipsAreKept() throws Exception {
    String svg =
        drawn(
            2,
            graphics -> {
              graphics.clip(new Rectangle2D.Double(10, 10, 30, 40));
              graphics.setPaint(new Color(0, 114, 178, 51));
              graphics.fill(new Rectangle2D.Double(0, 0, 100, 100));
            });
    assertTrue(svg.contains("fill-opacity=\"0.2\"") || svg.contains("fill-opacity=\".2\""), svg);
    String clip = only(svg, "clipPath").getAttribute("id");
    assertTrue(svg.contains("clip-path=\"url(#" + clip + ")\""), svg);
    String dashed =
        drawn(
            2,
            graphics -> {
              graphics.setStroke(Style.DASHED);
              graphics.draw(new Line2D.Double(0, 0, 10, 10));
            });
    assertTrue(dashed.contains("stroke-dasharray=\"4,3\""), dashed);
  }

  @Test
  void lengthsHaveTheDecimalsAskedFor() throws Exception {
    Consumer<Graphics2D> drawing = graphics -> graphics.draw(new Line2D.Double(0, 0, 1.23456, 9));
    assertEquals("1.23", only(drawn(2, drawing), "line").getAttribute("x2"));
    assertEquals("1.2346", only(drawn(4, drawing), "line").getAttribute("x2"));
  }

  @Test
  void drawingsOnManyThreadsAreTheSame() {
    Consumer<Graphics2D> drawing =
        graphics -> {
          for (int i = 0; i < 500; i++) {
            graphics.setStroke(new BasicStroke(0.1f + i % 7));
            graphics.draw(new Line2D.Double(i / 7.0, i / 3.0, 100 - i / 11.0, i / 13.0));
          }
        };
    String expected = drawn(2, drawing);
    IntStream.range(0, 16).parallel().forEach(i -> assertEquals(expected, drawn(2, drawing)));
  }
}
