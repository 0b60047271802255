package dev.flinch.store;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A network between clients and a PostgreSQL server that breaks when it is told to: right before
 * the server hears of a commit, or right after it has committed, so that the client hears of
 * nothing.
 */
final class CuttingProxy implements AutoCloseable {
  /** As a client says it that prepares no statements ({@code prepareThreshold=0}). */
  private static final String COMMIT = "COMMIT";

  /** When the next commit comes. */
  enum Cut {
    NEVER,
    BEFORE_COMMIT,
    AFTER_COMMIT
  }

  private final ServerSocket entrance;
  private final int server;
  private final List<Socket> sockets = new CopyOnWriteArrayList<>();
  private volatile Cut cut = Cut.NEVER;
  private volatile int cuts;
  private volatile boolean held;
  private final AtomicInteger spared = new AtomicInteger();

  CuttingProxy(int server) throws IOException {
    this.server = server;
    this.entrance = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    daemon(this::accept);
  }

  int port() {
    return entrance.getLocalPort();
  }

  /** Cuts a connection at the next commit, once. */
  void arm(Cut when) {
    arm(when, 0);
  }

  /** The same after some commits that are left alone. */
  void arm(Cut when, int commits) {
    spared.set(commits);
    cut = when;
  }

  /** Holds back what clients say, or no longer. */
  void hold(boolean held) {
    this.held = held;
  }

  /** How often it has cut. */
  int cuts() {
    return cuts;
  }

  /** Something that ends with a socket's closing. */
  @FunctionalInterface
  private interface Pump {
    void run() throws IOException;
  }

  private static void daemon(Pump pump) {
    Thread thread =
        new Thread(
            () -> {
              try {
                pump.run();
              } catch (IOException e) {
                // A socket was closed, which is how it ends.
              }
            });
    thread.setDaemon(true);
    thread.start();
  }

  private void accept() throws IOException {
    while (true) {
      Socket client = entrance.accept();
      Socket behind = new Socket(InetAddress.getLoopbackAddress(), server);
      client.setTcpNoDelay(true);
      behind.setTcpNoDelay(true);
      sockets.addAll(List.of(client, behind));
      daemon(() -> forward(client, behind));
      daemon(() -> back(client, behind));
    }
  }

  private void forward(Socket client, Socket behind) throws IOException {
    try (client;
        behind) {
      InputStream in = client.getInputStream();
      OutputStream out = behind.getOutputStream();
      byte[] buffer = new byte[1 << 16];
      int count;
      while ((count = in.read(buffer)) > 0) {
        while (held) {
          pause();
        }
        boolean commits =
            new String(buffer, 0, count, StandardCharsets.ISO_8859_1).contains(COMMIT);
        Cut now = commits && cut != Cut.NEVER && spared.getAndDecrement() <= 0 ? cut : Cut.NEVER;
        if (now == Cut.NEVER) {
          out.write(buffer, 0, count);
          continue;
        }
        cut = Cut.NEVER;
        cuts++;
        if (now == Cut.AFTER_COMMIT) {
          client.shutdownOutput();
          out.write(buffer, 0, count);
          out.flush();
          // The end of what the server says comes once it has done all.
          behind.shutdownOutput();
          pause();
        }
        return;
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(50);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void back(Socket client, Socket behind) throws IOException {
    try (client;
        behind) {
      InputStream in = behind.getInputStream();
      OutputStream out = client.getOutputStream();
      byte[] buffer = new byte[1 << 16];
      int count;
      while ((count = in.read(buffer)) > 0) {
        out.write(buffer, 0, count);
      }
    }
  }

  @Override
  public void close() throws IOException {
    entrance.close();
    for (Socket socket : sockets) {
      socket.close();
    }
  }
}
