package dev.flinch.device.cuda;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.opentest4j.TestAbortedException;

/**
 * Counts the tests tagged {@code cuda} by what they ran on, and says so in one line at the end. A
 * build with {@code -Dflinch.device=cuda} that ran none of them on a card fails: it would prove
 * nothing of what it was asked for.
 */
public final class DeviceTally implements BeforeAllCallback, AfterTestExecutionCallback {
  /** How many ran, until JUnit closes it when all tests are done. */
  private static final class Count implements AutoCloseable {
    private final AtomicInteger ran = new AtomicInteger();

    @Override
    public void close() {
      boolean emulated = TestedDevice.isEmulated();
      if (!emulated && ran.get() == 0) {
        throw new IllegalStateException(
            "cuda-tests: -Dflinch.device=cuda asks for a card, and no test ran on one");
      }
      if (ran.get() > 0) {
        System.out.println(
            emulated
                ? "cuda-tests: %d ran on the emulator, 0 on a card".formatted(ran.get())
                : "cuda-tests: 0 ran on the emulator, %d on a card (%s)"
                    .formatted(ran.get(), TestedDevice.card().name()));
      }
    }
  }

  private static Count count(ExtensionContext context) {
    return context
        .getRoot()
        .getStore(Namespace.create(DeviceTally.class))
        .getOrComputeIfAbsent("count", key -> new Count(), Count.class);
  }

  @Override
  public void beforeAll(ExtensionContext context) {
    count(context);
  }

  @Override
  public void afterTestExecution(ExtensionContext context) {
    // A test that was aborted found that it had nothing to run on.
    if (context.getTags().contains("cuda")
        && !(context.getExecutionException().orElse(null) instanceof TestAbortedException)) {
      count(context).ran.incrementAndGet();
    }
  }
}
