package dev.flinch.device.cuda.emulator;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Names that are known at a place in a function's body: its own scope's, then the outer ones'. */
final class Names {
  /**
   * A register.
   *
   * @param type its PTX type
   * @param slot in the table of its width, or number of the predicate
   */
  record Register(String type, int slot) {
    int bits() {
      return Opcode.bits(type);
    }
  }

  /**
   * A variable.
   *
   * @param space global, const, shared, local or param; a device function's parameters lie in local
   *     memory
   */
  record Place(String space, long address) {}

  private final Names outer;
  private final Map<String, Register> registers = new HashMap<>();
  private final Map<String, Place> places = new HashMap<>();
  private final Map<String, Integer> labels = new HashMap<>();
  private final Map<String, List<String>> targets = new HashMap<>();

  Names(Names outer) {
    this.outer = outer;
  }

  Names outer() {
    return outer;
  }

  void put(String name, Register register) {
    registers.put(name, register);
  }

  void put(String name, Place place) {
    places.put(name, place);
  }

  void label(String name, int pc) {
    labels.put(name, pc);
  }

  void targets(String name, List<String> list) {
    targets.put(name, list);
  }

  Register register(String name) {
    Register register = registers.get(name);
    return register != null || outer == null ? register : outer.register(name);
  }

  Place place(String name) {
    Place place = places.get(name);
    return place != null || outer == null ? place : outer.place(name);
  }

  Integer label(String name) {
    Integer label = labels.get(name);
    return label != null || outer == null ? label : outer.label(name);
  }

  List<String> targets(String name) {
    List<String> list = targets.get(name);
    return list != null || outer == null ? list : outer.targets(name);
  }
}
