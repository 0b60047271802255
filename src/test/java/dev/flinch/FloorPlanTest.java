package dev.flinch;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleName;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.type;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.device.cuda.CudaDevice;
import dev.flinch.device.cuda.driver.CardDriver;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import dev.flinch.experiment.Devices;
import dev.flinch.sweep.spark.SparkSubmission;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Packages form floors, and imports point down. */
class FloorPlanTest {
  private static final JavaClasses PROGRAM =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("dev.flinch");

  @Test
  void importsPointDown() {
    layeredArchitecture()
        .consideringOnlyDependenciesInAnyPackage("dev.flinch..")
        .ensureAllClassesAreContainedInArchitecture()
        .layer("cli")
        .definedBy("dev.flinch.cli")
        .layer("sweeps")
        .definedBy("dev.flinch.sweep..")
        .layer("studies")
        .definedBy("dev.flinch.experiment", "dev.flinch.bench")
        .layer("report")
        .definedBy("dev.flinch.report", "dev.flinch.store")
        .layer("methods")
        .definedBy("dev.flinch.training", "dev.flinch.sensitivity")
        .layer("things")
        .definedBy("dev.flinch.network", "dev.flinch.data", "dev.flinch.trajectory")
        .layer("device")
        .definedBy("dev.flinch.device")
        .layer("makes")
        .definedBy("dev.flinch.device.cpu", "dev.flinch.device.cuda..")
        .layer("base")
        .definedBy("dev.flinch.base")
        .whereLayer("cli")
        .mayNotBeAccessedByAnyLayer()
        .whereLayer("sweeps")
        .mayOnlyBeAccessedByLayers("cli")
        .whereLayer("studies")
        .mayOnlyBeAccessedByLayers("cli", "sweeps")
        .whereLayer("report")
        .mayOnlyBeAccessedByLayers("cli", "sweeps", "studies")
        .whereLayer("methods")
        .mayOnlyBeAccessedByLayers("cli", "sweeps", "studies")
        .whereLayer("things")
        .mayOnlyBeAccessedByLayers("cli", "sweeps", "studies", "methods")
        .whereLayer("device")
        .mayOnlyBeAccessedByLayers("cli", "sweeps", "studies", "methods", "things", "makes")
        .whereLayer("makes")
        .mayOnlyBeAccessedByLayers("cli", "sweeps", "studies")
        .whereLayer("base")
        .mayOnlyBeAccessedByLayers(
            "cli", "sweeps", "studies", "report", "methods", "things", "device", "makes")
        .check(PROGRAM);
  }

  @Test
  void packagesFormNoCycles() {
    slices().matching("dev.flinch.(**)").should().beFreeOfCycles().check(PROGRAM);
  }

  @Test
  void devicesAreMadeInOnePlace() {
    noClasses()
        .that(not(assignableTo(Devices.class)))
        .and(not(resideInAPackage("dev.flinch.device.cpu")))
        .should()
        .dependOnClassesThat()
        .areAssignableTo(CpuDevice.class)
        .check(PROGRAM);
    for (Class<?> make : List.of(CudaDevice.class, CardDriver.class, EmulatedDriver.class)) {
      noClasses()
          .that(not(assignableTo(Devices.class)))
          .and(not(type(make)))
          .should()
          .callConstructorWhere(target(owner(type(make))))
          .check(PROGRAM);
    }
  }

  @Test
  void nvidiasLibrariesAreCalledInTwoPlaces() {
    noClasses()
        .that(not(resideInAPackage("dev.flinch.device.cuda.driver")))
        .and(not(simpleName("Cublas")))
        .should()
        .dependOnClassesThat()
        .resideInAPackage("jcuda..")
        .check(PROGRAM);
  }

  @Test
  void librariesWithoutABindingAreCalledInOnePlace() {
    noClasses()
        .that()
        .haveNameNotMatching("dev\\.flinch\\.device\\.cuda\\.driver\\.Nvtx(\\$.*)?")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("com.sun.jna..")
        .check(PROGRAM);
  }

  @Test
  void sparkIsKnownInOnePlace() {
    noClasses()
        .that(not(resideInAPackage("dev.flinch.sweep.spark")))
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.apache.spark..", "scala..")
        .check(PROGRAM);
    noClasses()
        .that()
        .areAssignableTo(SparkSubmission.class)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.apache.spark..", "scala..")
        .because("it runs where there is no Spark")
        .check(PROGRAM);
  }

  @Test
  void randomnessIsKeyed() {
    noClasses().should().dependOnClassesThat().areAssignableTo(Random.class).check(PROGRAM);
    noClasses().should().callMethod(Math.class, "random").check(PROGRAM);
    noClasses()
        .that(not(resideInAPackage("dev.flinch.base")))
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.apache.commons.rng.core..")
        .check(PROGRAM);
  }

  @Test
  void everyPackageSaysWhatLivesThere() throws IOException {
    Path sources = Path.of("src", "main", "java");
    try (Stream<Path> files = Files.walk(sources)) {
      List<Path> silent =
          files
              .filter(file -> file.toString().endsWith(".java"))
              .map(Path::getParent)
              .distinct()
              .filter(folder -> !Files.exists(folder.resolve("package-info.java")))
              .toList();
      assertEquals(List.of(), silent);
    }
  }
}
