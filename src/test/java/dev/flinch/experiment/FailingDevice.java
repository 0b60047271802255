package dev.flinch.experiment;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceLostException;
import dev.flinch.device.ElementType;
import dev.flinch.device.OutOfDeviceMemoryException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicLong;

/** A device with little memory, or one that is lost after some work. */
public final class FailingDevice {
  private FailingDevice() {}

  /** The same device with room for so many bytes. */
  public static Device withMemory(Device device, long bytes) {
    return wrapped(device, bytes, Long.MAX_VALUE);
  }

  /** The same device until it was given work so often. */
  public static Device lostAfter(Device device, long runs) {
    return wrapped(device, Long.MAX_VALUE, runs);
  }

  private static Device wrapped(Device device, long bytes, long runs) {
    AtomicLong done = new AtomicLong();
    return (Device)
        Proxy.newProxyInstance(
            FailingDevice.class.getClassLoader(),
            new Class<?>[] {Device.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("allocate")) {
                long asked = ((ElementType) arguments[0]).bytes() * (long) arguments[1];
                long free = bytes - device.liveBytes();
                if (asked > free) {
                  throw new OutOfDeviceMemoryException("small card", asked, free);
                }
              }
              if (method.getName().equals("run") && done.incrementAndGet() > runs) {
                throw new DeviceLostException("small card: fell off the bus");
              }
              try {
                return method.invoke(device, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }
}
