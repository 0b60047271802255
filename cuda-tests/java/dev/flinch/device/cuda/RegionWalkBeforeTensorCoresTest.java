package dev.flinch.device.cuda;

import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledIf;

/** The same with the PTX for cards before sm_80. */
@Tag("cuda")
@EnabledIf("dev.flinch.device.cuda.TestedDevice#isEmulated")
class RegionWalkBeforeTensorCoresTest extends RegionWalkContractTest {
  @Override
  Driver driver() {
    return new EmulatedDriver(75, 1L << 30, Runtime.getRuntime().availableProcessors());
  }
}
