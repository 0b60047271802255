package dev.flinch.sweep.spark;

import dev.flinch.base.RequestException;
import java.util.List;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;

/**
 * Which device Spark has given to a task: a card where the task asks Spark for one ({@code
 * spark.task.resource.gpu.amount}), or the cores that it has.
 *
 * @param name as {@link DeviceOpener} takes it
 * @param cores of the machine that the task may use
 */
record SlotDevice(String name, int cores) {
  /** What a user may ask for: Spark says which card it is. */
  static final List<String> NAMES = List.of("auto", "cpu", "cuda", "emulator");

  private static final String GPU = "gpu";

  /**
   * @param asked one of {@link #NAMES}
   * @throws RequestException if a card is asked for, and Spark has given none
   */
  static SlotDevice of(String asked, TaskContext task) {
    ResourceInformation cards = task.resourcesJMap().get(GPU);
    boolean given = cards != null && cards.addresses().length > 0;
    if (asked.equals("cuda") && !given) {
      throw new RequestException(
          "--device cuda: expected a card that Spark has given to the task, found none; workers need spark.worker.resource.gpu.amount, and the sweep --conf spark.executor.resource.gpu.amount=1 --conf spark.task.resource.gpu.amount=1");
    }
    if (asked.equals("cuda") || asked.equals("auto") && given) {
      return new SlotDevice(card(cards.addresses()[0]), task.cpus());
    }
    return new SlotDevice(asked.equals("auto") ? "cpu" : asked, task.cpus());
  }

  private static String card(String address) {
    if (!address.matches("\\d{1,4}")) {
      throw new RequestException(
          "Spark's address of a card: expected its number, found '%s'; let the discovery script print numbers, as Spark's own does"
              .formatted(address));
    }
    return "cuda:" + address;
  }
}
