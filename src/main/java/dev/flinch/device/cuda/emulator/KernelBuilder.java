package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.driver.DriverException;
import dev.flinch.device.cuda.driver.Signature;
import dev.flinch.device.cuda.emulator.Opcode.Refusal;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Turns a kernel's statements into operations: gives registers their slots and variables their
 * addresses, puts device functions in place of their calls, and finds where branches meet.
 */
final class KernelBuilder {
  private final PtxModule module;
  private final PtxModule.Function kernel;
  private final Map<String, Names.Place> moduleVariables;
  private final List<Operation> code = new ArrayList<>();
  private final List<Program.Slot> slots32 = new ArrayList<>();
  private final List<Program.Slot> slots64 = new ArrayList<>();
  private final Map<Program.Slot, Integer> shared32 = new HashMap<>();
  private final Map<Program.Slot, Integer> shared64 = new HashMap<>();
  private final List<Program.Placed> sharedArrays = new ArrayList<>();
  private final Map<String, Names.Place> sharedPlaces = new HashMap<>();
  private final List<Runnable> afterwards = new ArrayList<>();
  private final Deque<String> calls = new ArrayDeque<>();
  private final List<Integer> predicates = new ArrayList<>();
  private int sharedBytes;
  private int localBytes;
  private int granule = 4;
  private Names names;
  private Statement.Instruction current;
  private Branch.Target returnTarget;

  KernelBuilder(
      PtxModule module, PtxModule.Function kernel, Map<String, Names.Place> moduleVariables) {
    this.module = module;
    this.kernel = kernel;
    this.moduleVariables = moduleVariables;
  }

  /** Builds; what can't be is refused with kernel, line and text. */
  Program build() {
    placeShared();
    Names outermost = new Names(null);
    moduleVariables.forEach(outermost::put);
    sharedPlaces.forEach(outermost::put);
    names = new Names(outermost);
    List<Integer> offsets = new ArrayList<>();
    List<String> types = new ArrayList<>();
    int parameterBytes = 0;
    for (Variable parameter : kernel.parameters()) {
      parameterBytes = align(parameterBytes, parameter.align());
      names.put(parameter.name(), new Names.Place("param", parameterBytes));
      offsets.add(parameterBytes);
      types.add(parameter.type());
      parameterBytes += parameter.bytes();
    }
    body(kernel);
    // A kernel may end without saying so.
    code.add(new Exit().at(kernel.line(), "end of kernel", InstructionClass.CONTROL));
    afterwards.forEach(Runnable::run);
    Operation[] operations = code.toArray(new Operation[0]);
    ControlFlow.findMeetings(operations);
    return new Program(
        module.name() + "." + kernel.name(),
        new Signature(types),
        offsets,
        align(parameterBytes, 8) + 8,
        operations,
        List.copyOf(predicates),
        List.copyOf(slots32),
        List.copyOf(slots64),
        List.copyOf(sharedArrays),
        sharedBytes,
        granule,
        align(localBytes, 16),
        kernel.maxThreads());
  }

  private static int align(int at, int alignment) {
    return (at + alignment - 1) / alignment * alignment;
  }

  /** Lays out the shared arrays that the kernel or a function that it calls names. */
  private void placeShared() {
    Set<String> used = new HashSet<>();
    List<Variable> arrays = new ArrayList<>();
    collect(kernel, used, arrays, new HashSet<>());
    List<Variable> dynamic = new ArrayList<>();
    for (Variable variable : module.variables().values()) {
      if (variable.space().equals("shared") && used.contains(variable.name())) {
        (variable.extern() ? dynamic : arrays).add(variable);
      }
    }
    for (Variable array : arrays) {
      sharedBytes = align(sharedBytes, array.align());
      placeShared(array);
      sharedBytes += array.bytes();
    }
    for (Variable array : dynamic) {
      sharedBytes = align(sharedBytes, Math.max(16, array.align()));
    }
    dynamic.forEach(this::placeShared);
  }

  private void placeShared(Variable array) {
    sharedPlaces.put(array.name(), new Names.Place("shared", sharedBytes));
    sharedArrays.add(new Program.Placed(array.name(), sharedBytes, array.bytes()));
  }

  private void collect(
      PtxModule.Function function, Set<String> used, List<Variable> arrays, Set<String> seen) {
    if (function == null || !seen.add(function.name())) {
      return;
    }
    for (Statement statement : function.body()) {
      if (statement instanceof Statement.Declared declared
          && declared.variable().space().equals("shared")) {
        arrays.add(declared.variable());
      } else if (statement instanceof Statement.Instruction instruction) {
        for (Operand operand : instruction.operands()) {
          collect(operand, used);
        }
      }
    }
    for (String name : List.copyOf(used)) {
      collect(module.functions().get(name), used, arrays, seen);
    }
  }

  private static void collect(Operand operand, Set<String> used) {
    if (operand instanceof Operand.Name name) {
      used.add(name.name());
    } else if (operand instanceof Operand.Sum sum) {
      used.add(sum.name().name());
    } else if (operand instanceof Operand.Address address) {
      collect(address.base(), used);
    } else if (operand instanceof Operand.Tuple tuple) {
      tuple.elements().forEach(element -> collect(element, used));
    }
  }

  private void body(PtxModule.Function function) {
    for (Statement statement : function.body()) {
      if (statement instanceof Statement.Open) {
        names = new Names(names);
      } else if (statement instanceof Statement.Close) {
        names = names.outer();
      } else if (statement instanceof Statement.Registers registers) {
        declare(registers);
      } else if (statement instanceof Statement.Declared declared) {
        declare(declared.variable());
      } else if (statement instanceof Statement.Label label) {
        names.label(label.name(), code.size());
      } else if (statement instanceof Statement.Targets targets) {
        names.targets(targets.name(), targets.labels());
      } else if (statement instanceof Statement.Instruction instruction) {
        current = instruction;
        try {
          instruction(instruction);
        } catch (Refusal e) {
          throw refused(instruction.line(), instruction.text(), e.getMessage());
        }
      }
    }
  }

  private DriverException refused(int line, String text, String why) {
    return new DriverException(
        "kernel %s.%s, PTX line %d \"%s\": %s"
            .formatted(module.name(), kernel.name(), line, text, why));
  }

  private void declare(Statement.Registers registers) {
    for (int i = 0; i < Math.max(1, registers.count()); i++) {
      String name = registers.count() == 0 ? registers.name() : registers.name() + i;
      int slot =
          switch (registers.type()) {
            case "pred" -> newPredicate();
            case "b16", "u16", "s16", "f16", "bf16", "b32", "u32", "s32", "f32", "f16x2" -> {
              slots32.add(new Program.Slot.Register());
              yield slots32.size() - 1;
            }
            case "b64", "u64", "s64", "f64" -> {
              slots64.add(new Program.Slot.Register());
              yield slots64.size() - 1;
            }
            default ->
                throw refused(
                    registers.line(),
                    ".reg ." + registers.type(),
                    "the emulator has no registers of this type");
          };
      names.put(name, new Names.Register(registers.type(), slot));
    }
  }

  private void declare(Variable variable) {
    switch (variable.space()) {
      case "shared" -> names.put(variable.name(), sharedPlaces.get(variable.name()));
      case "local", "param" -> {
        localBytes = align(localBytes, variable.align());
        names.put(variable.name(), new Names.Place("local", localBytes));
        localBytes += variable.bytes();
      }
      default ->
          throw refused(
              variable.line(),
              "." + variable.space() + " " + variable.name(),
              "variables of this space are expected outside functions");
    }
  }

  private void instruction(Statement.Instruction instruction) {
    Opcode opcode = new Opcode(instruction.opcode());
    if (opcode.base().equals("call")) {
      call(instruction);
      return;
    }
    if (opcode.base().equals("ret") && !calls.isEmpty()) {
      add(new Branch(returnTarget), InstructionClass.CONTROL);
      return;
    }
    List<Operand> operands = instruction.operands();
    Decoded decoded = ControlDecoder.decode(this, opcode, operands);
    if (decoded == null) {
      decoded = MemoryDecoder.decode(this, opcode, operands);
    }
    if (decoded == null) {
      decoded = WarpDecoder.decode(this, opcode, operands);
    }
    if (decoded == null) {
      decoded = TensorDecoder.decode(this, opcode, operands);
    }
    if (decoded == null) {
      decoded = ConversionDecoder.decode(this, opcode, operands);
    }
    if (decoded == null) {
      decoded = ArithmeticDecoder.decode(this, opcode, operands);
    }
    if (decoded == null) {
      throw new Refusal("the emulator doesn't know the instruction " + instruction.opcode());
    }
    opcode.requireAllTaken();
    decoded.operation().flops = decoded.flops();
    add(decoded.operation(), decoded.kind());
  }

  /** An operation and how it is counted. */
  record Decoded(Operation operation, InstructionClass kind, int flops) {
    Decoded(Operation operation, InstructionClass kind) {
      this(operation, kind, 0);
    }
  }

  private void add(Operation operation, InstructionClass kind) {
    operation.at(current.line(), current.text(), kind);
    if (current.guard() != null) {
      operation.guard = predicate(new Operand.Name(current.guard()));
      operation.guardNegated = current.guardNegated();
    }
    code.add(operation);
  }

  /** Puts a device function's body here; its parameters are the caller's own. */
  private void call(Statement.Instruction call) {
    if (call.guard() != null) {
      throw new Refusal("the emulator doesn't know calls with a guard");
    }
    List<Operand> operands = call.operands();
    List<Operand> results = List.of();
    int at = 0;
    if (operands.get(0) instanceof Operand.Tuple tuple) {
      results = tuple.elements();
      at = 1;
    }
    if (!(operands.get(at) instanceof Operand.Name name)) {
      throw new Refusal("expected a function's name");
    }
    PtxModule.Function function = module.functions().get(name.name());
    if (function == null || function.entry()) {
      throw new Refusal("this module has no function " + name.name());
    }
    if (calls.contains(function.name())) {
      throw new Refusal("the emulator doesn't know recursion: " + function.name());
    }
    List<Operand> arguments =
        operands.size() > at + 1 && operands.get(at + 1) instanceof Operand.Tuple tuple
            ? tuple.elements()
            : List.of();
    Names caller = names;
    Names outermost = new Names(null);
    moduleVariables.forEach(outermost::put);
    sharedPlaces.forEach(outermost::put);
    Names callee = new Names(outermost);
    bind(function.results(), results, caller, callee);
    bind(function.parameters(), arguments, caller, callee);
    Branch.Target callerReturn = returnTarget;
    returnTarget = new Branch.Target();
    calls.push(function.name());
    names = callee;
    body(function);
    returnTarget.pc = code.size();
    calls.pop();
    returnTarget = callerReturn;
    names = caller;
    current = call;
  }

  private static void bind(
      List<Variable> formal, List<Operand> actual, Names caller, Names callee) {
    if (formal.size() != actual.size()) {
      throw new Refusal("expected %d parameters, found %d".formatted(formal.size(), actual.size()));
    }
    for (int i = 0; i < formal.size(); i++) {
      Names.Place place =
          actual.get(i) instanceof Operand.Name name ? caller.place(name.name()) : null;
      if (place == null) {
        throw new Refusal("expected a .param variable, found " + actual.get(i));
      }
      callee.put(formal.get(i).name(), place);
    }
  }

  // What decoders ask.

  /** The slot of a 32-bit (or narrower) source. */
  int source32(Operand operand) {
    if (operand instanceof Operand.Immediate immediate) {
      return constant32(immediate.bits32());
    }
    if (operand instanceof Operand.Name name) {
      Names.Register register = names.register(name.name());
      if (register != null) {
        return slot(name.name(), register, false);
      }
      if (name.name().equals("WARP_SZ")) {
        return constant32(32);
      }
      SpecialRegister special = SpecialRegister.of(name.name());
      if (special != null) {
        return intern(slots32, shared32, new Program.Slot.Special(special));
      }
    }
    return constant32((int) address(operand));
  }

  /** The slot of a 64-bit source. */
  int source64(Operand operand) {
    if (operand instanceof Operand.Immediate immediate) {
      return constant64(immediate.bits64());
    }
    if (operand instanceof Operand.Name name) {
      Names.Register register = names.register(name.name());
      if (register != null) {
        return slot(name.name(), register, true);
      }
    }
    return constant64(address(operand));
  }

  private long address(Operand operand) {
    String name =
        operand instanceof Operand.Name plain
            ? plain.name()
            : operand instanceof Operand.Sum sum ? sum.name().name() : null;
    Names.Place place = name == null ? null : names.place(name);
    if (place == null) {
      throw new Refusal("expected a register, number or variable, found " + show(operand));
    }
    if (place.space().equals("param")) {
      throw new Refusal("the emulator doesn't know addresses of kernel parameters");
    }
    return place.address() + (operand instanceof Operand.Sum sum ? sum.offset() : 0);
  }

  private static String show(Operand operand) {
    return operand instanceof Operand.Name name ? name.name() : operand.toString();
  }

  private int slot(String name, Names.Register register, boolean wide) {
    if (register.bits() == 1 || register.bits() == 64 != wide) {
      throw new Refusal(
          "expected a %s register, found %s of type .%s"
              .formatted(wide ? "64-bit" : "32-bit", name, register.type()));
    }
    return register.slot();
  }

  int constant32(int bits) {
    return intern(slots32, shared32, new Program.Slot.Constant(bits));
  }

  int constant64(long bits) {
    return intern(slots64, shared64, new Program.Slot.Constant(bits));
  }

  private static int intern(
      List<Program.Slot> slots, Map<Program.Slot, Integer> known, Program.Slot slot) {
    return known.computeIfAbsent(
        slot,
        s -> {
          slots.add(s);
          return slots.size() - 1;
        });
  }

  /** The register that an operand names; null if it names none. */
  Names.Register register(Operand operand) {
    return operand instanceof Operand.Name name ? names.register(name.name()) : null;
  }

  /** The slot of a 32-bit (or narrower) result. */
  int destination32(Operand operand) {
    return slot(show(operand), requireRegister(operand), false);
  }

  int destination64(Operand operand) {
    return slot(show(operand), requireRegister(operand), true);
  }

  private Names.Register requireRegister(Operand operand) {
    Names.Register register = register(operand);
    if (register == null) {
      throw new Refusal("expected a register, found " + show(operand));
    }
    return register;
  }

  /** Whether an operand is the sink {@code _}. */
  static boolean isSink(Operand operand) {
    return operand instanceof Operand.Name name && name.name().equals("_");
  }

  /** The number of a predicate register; a constant gets one of its own. */
  int predicate(Operand operand) {
    Operand plain = operand instanceof Operand.Negated negated ? negated.name() : operand;
    if (plain instanceof Operand.Immediate immediate) {
      int slot = newPredicate();
      predicates.set(slot, immediate.bits() == 0 ? 0 : -1);
      return slot;
    }
    Names.Register register = register(plain);
    if (register == null || register.bits() != 1) {
      throw new Refusal("expected a predicate register, found " + show(plain));
    }
    return register.slot();
  }

  /** Where a name's variable lies; null if it is none. */
  Names.Place place(Operand operand) {
    return operand instanceof Operand.Name name ? names.place(name.name()) : null;
  }

  /** What {@code [base + offset]} means. */
  MemoryAccess.AddressSource addressSource(Operand operand) {
    if (!(operand instanceof Operand.Address address)) {
      throw new Refusal("expected an address in brackets, found " + show(operand));
    }
    Names.Register register = register(address.base());
    if (register != null && register.bits() == 32) {
      return new MemoryAccess.AddressSource(false, destination32(address.base()), address.offset());
    }
    return new MemoryAccess.AddressSource(true, source64(address.base()), address.offset());
  }

  /** Notes how wide an access to shared (or maybe shared) memory is. */
  void noteSharedAccess(int bytes) {
    granule = Math.min(granule, bytes);
  }

  /** A label that is looked up once the whole body is known. */
  Branch.Target label(String name) {
    Branch.Target target = new Branch.Target();
    Names here = names;
    Statement.Instruction instruction = current;
    afterwards.add(
        () -> {
          Integer pc = here.label(name);
          if (pc == null) {
            throw refused(instruction.line(), instruction.text(), "no label " + name);
          }
          target.pc = pc;
        });
    return target;
  }

  List<Branch.Target> targets(Operand operand) {
    List<String> labels = operand instanceof Operand.Name name ? names.targets(name.name()) : null;
    if (labels == null) {
      throw new Refusal("expected a .branchtargets list before, found " + show(operand));
    }
    return labels.stream().map(this::label).toList();
  }

  /** A predicate that the text doesn't name. */
  int newPredicate() {
    predicates.add(0);
    return predicates.size() - 1;
  }

  int target() {
    return module.target();
  }
}
