package dev.flinch.sweep.spark;

import dev.flinch.device.Device;
import dev.flinch.device.OutOfDeviceMemoryException;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.device.cuda.CudaDevice;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import dev.flinch.experiment.FailingDevice;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Arrays;

/** Devices of executors, for tests. */
enum Opener implements DeviceOpener {
  /** What there is. */
  REAL {
    @Override
    public Device open(String name, int cores) {
      return DeviceOpener.ofThisMachine(name, cores);
    }
  },
  /** A CPU with little memory for stacks. */
  SMALL {
    @Override
    public Device open(String name, int cores) {
      return FailingDevice.withMemory(new CpuDevice(cores), 5_000_000);
    }
  },
  /** A device that is lost at the first thing that it is asked to do. */
  LOST {
    @Override
    public Device open(String name, int cores) {
      return FailingDevice.lostAfter(new CpuDevice(cores), 0);
    }
  },
  /** A device whose executor dies of large stacks. */
  DEADLY {
    @Override
    public Device open(String name, int cores) {
      return small(cores, () -> Runtime.getRuntime().halt(1));
    }
  },
  /** A device with which large stacks take more of the heap than there is. */
  GREEDY {
    @Override
    public Device open(String name, int cores) {
      return small(cores, () -> Arrays.fill(new long[Integer.MAX_VALUE / 2], 1));
    }
  },
  /** Cards in software, named as those that Spark has given. */
  EMULATED {
    @Override
    public Device open(String name, int cores) {
      return new CudaDevice(name, new EmulatedDriver());
    }
  };

  /**
   * A CPU with little memory for stacks.
   *
   * @param full what happens where that isn't enough
   */
  private static Device small(int cores, Runnable full) {
    Device small = FailingDevice.withMemory(new CpuDevice(cores), 5_000_000);
    return (Device)
        Proxy.newProxyInstance(
            Opener.class.getClassLoader(),
            new Class<?>[] {Device.class},
            (proxy, method, arguments) -> {
              try {
                return method.invoke(small, arguments);
              } catch (InvocationTargetException e) {
                if (e.getCause() instanceof OutOfDeviceMemoryException) {
                  full.run();
                }
                throw e.getCause();
              }
            });
  }
}
