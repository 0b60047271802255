package dev.flinch.report;

import java.awt.Dimension;
import java.awt.Graphics;
import java.awt.Graphics2D;
import java.awt.Image;
import java.awt.RenderingHints;
import java.awt.image.RenderedImage;
import java.awt.image.renderable.RenderableImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.text.DecimalFormat;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.apache.batik.svggen.DefaultErrorHandler;
import org.apache.batik.svggen.DefaultExtensionHandler;
import org.apache.batik.svggen.DefaultImageHandler;
import org.apache.batik.svggen.DefaultStyleHandler;
import org.apache.batik.svggen.SVGGeneratorContext;
import org.apache.batik.svggen.SVGGraphics2D;
import org.apache.batik.svggen.SVGGraphics2DIOException;
import org.apache.batik.svggen.SVGIDGenerator;
import org.w3c.dom.DOMImplementation;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * An SVG document that is drawn. Text stays text, images are embedded, and equal drawings give
 * equal documents.
 */
final class SvgDocument {
  private static final String NAMESPACE = "http://www.w3.org/2000/svg";

  /** What an SVG's reader tries in turn; Java's logical name means nothing to it. */
  private static final String FONTS = "Helvetica, Arial, DejaVu Sans, sans-serif";

  private final int width;
  private final int height;
  private final SVGGraphics2D graphics;

  /**
   * @param decimals of lengths
   */
  SvgDocument(int width, int height, int decimals) {
    this.width = width;
    this.height = height;
    graphics = new Measured(new Context(dom().createDocument(NAMESPACE, "svg", null), decimals));
    graphics.setSVGCanvasSize(new Dimension(width, height));
  }

  private static DOMImplementation dom() {
    try {
      return DocumentBuilderFactory.newInstance().newDocumentBuilder().getDOMImplementation();
    } catch (ParserConfigurationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Where to draw, in the document's units. */
  Graphics2D graphics() {
    return graphics;
  }

  /** What was drawn, which is then no longer there. */
  String text() {
    Element root = graphics.getRoot();
    root.setAttributeNS(null, "viewBox", "0 0 %d %d".formatted(width, height));
    StringWriter out = new StringWriter();
    try {
      graphics.stream(root, out, false, false);
    } catch (SVGGraphics2DIOException e) {
      throw new UncheckedIOException(e);
    }
    // Without the type of the document, which names a file elsewhere.
    return out.getBuffer().substring(out.getBuffer().indexOf("<svg")) + "\n";
  }

  /** What Batik's default is, but with a format of numbers that no other thread uses. */
  private static final class Context extends SVGGeneratorContext {
    Context(Document document, int decimals) {
      super(document);
      setIDGenerator(new SVGIDGenerator());
      setExtensionHandler(new DefaultExtensionHandler());
      setErrorHandler(new DefaultErrorHandler());
      setStyleHandler(new Styles());
      setImageHandler(new EmbeddedImages());
      setPrecision(decimals);
      decimalFormat = (DecimalFormat) decimalFormats[decimals].clone();
    }
  }

  /** Measures text as a PNG's graphics does, so that both have the same layout. */
  private static final class Measured extends SVGGraphics2D {
    Measured(SVGGeneratorContext context) {
      super(context, false);
      measure();
    }

    private Measured(Measured other) {
      super(other);
      measure();
    }

    private void measure() {
      fmg.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      fmg.setRenderingHint(
          RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
      setRenderingHint(
          RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
    }

    @Override
    public Graphics create() {
      return new Measured(this);
    }
  }

  /** Attributes as SVG's readers of today know them, without those that say how fast to draw. */
  private static final class Styles extends DefaultStyleHandler {
    private static final Set<String> LEFT_OUT =
        Set.of("color-interpolation", "color-rendering", "shape-rendering", "text-rendering");

    @Override
    @SuppressWarnings("rawtypes")
    public void setStyle(Element element, Map styles, SVGGeneratorContext context) {
      Map<Object, Object> kept = new HashMap<>((Map<?, ?>) styles);
      kept.keySet().removeAll(LEFT_OUT);
      // All text inherits the root's.
      kept.computeIfPresent(
          "font-family", (key, family) -> element.getTagName().equals("svg") ? FONTS : null);
      kept.computeIfPresent(
          "image-rendering", (key, hint) -> hint.equals("optimizeSpeed") ? "pixelated" : hint);
      super.setStyle(element, kept, context);
    }
  }

  /** Writes images into the document. */
  private static final class EmbeddedImages extends DefaultImageHandler {
    @Override
    protected void handleHREF(Image image, Element element, SVGGeneratorContext context) {
      if (!(image instanceof RenderedImage rendered)) {
        throw new IllegalArgumentException("expected an image with pixels, found " + image);
      }
      handleHREF(rendered, element, context);
    }

    @Override
    protected void handleHREF(RenderableImage image, Element element, SVGGeneratorContext context) {
      throw new IllegalArgumentException("expected an image with pixels, found " + image);
    }

    @Override
    protected void handleHREF(RenderedImage image, Element element, SVGGeneratorContext context) {
      ByteArrayOutputStream png = new ByteArrayOutputStream();
      try {
        ImageIO.write(image, "png", png);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      element.setAttributeNS(
          XLINK_NAMESPACE_URI,
          "xlink:href",
          "data:image/png;base64," + Base64.getEncoder().encodeToString(png.toByteArray()));
    }
  }
}
