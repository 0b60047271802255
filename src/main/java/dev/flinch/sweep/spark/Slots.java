package dev.flinch.sweep.spark;

import dev.flinch.device.Device;
import dev.flinch.store.ResultStore;
import dev.flinch.store.StoreLocation;
import dev.flinch.sweep.StackWorker;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * What tasks of an executor leave to those that follow: a worker for each slot, with its device and
 * the images on it, and a connection to the store. An executor has these for one sweep, and as long
 * as it lives.
 */
final class Slots {
  private static final Map<StoreLocation, ResultStore> STORES = new ConcurrentHashMap<>();

  /** Workers that have no task now, by the sweep and the device that they are for. */
  private static final Map<Object, Deque<Slot>> IDLE = new ConcurrentHashMap<>();

  private Slots() {}

  /** A worker and its device. */
  record Slot(Object purpose, Device device, StackWorker worker) {
    /** Leaves it to the tasks that follow. */
    void leave() {
      synchronized (IDLE) {
        IDLE.computeIfAbsent(purpose, p -> new ArrayDeque<>()).push(this);
      }
    }

    /** Ends it, after a failure that its device may not have got over. */
    void drop(Throwable failure) {
      try {
        worker.close();
        device.close();
      } catch (RuntimeException e) {
        failure.addSuppressed(e);
      }
    }
  }

  /** A store, open until the executor ends. */
  static ResultStore store(StoreLocation location) {
    return STORES.computeIfAbsent(location, ResultStore::openExisting);
  }

  /**
   * A worker for a task, which leaves or drops it.
   *
   * @param purpose equal for tasks that can have each other's workers
   */
  static Slot take(Object purpose, Supplier<Slot> make) {
    Slot idle;
    synchronized (IDLE) {
      Deque<Slot> slots = IDLE.get(purpose);
      idle = slots == null ? null : slots.poll();
    }
    return idle != null ? idle : make.get();
  }
}
