package dev.flinch.device.cuda.emulator;

import java.util.ArrayList;
import java.util.List;

/**
 * Finds for each branch where its ways meet again: the immediate post-dominator, by the algorithm
 * of Cooper, Harvey and Kennedy ("A Simple, Fast Dominance Algorithm") on the reversed flow.
 */
final class ControlFlow {
  private final Operation[] code;
  private final int exit;
  private final int[] order;
  private final int[] number;
  private final int[] postDominator;

  private ControlFlow(Operation[] code) {
    this.code = code;
    this.exit = code.length;
    this.order = new int[exit + 1];
    this.number = new int[exit + 1];
    this.postDominator = new int[exit + 1];
  }

  static void findMeetings(Operation[] code) {
    ControlFlow flow = new ControlFlow(code);
    flow.run();
    for (int pc = 0; pc < code.length; pc++) {
      if (code[pc] instanceof Branch branch) {
        branch.meeting = flow.postDominator[pc];
      } else if (code[pc] instanceof IndexedBranch branch) {
        branch.meeting = flow.postDominator[pc];
      }
    }
  }

  private List<Integer> successors(int pc) {
    List<Integer> next = new ArrayList<>();
    Operation op = code[pc];
    boolean always = op.guard == Operation.ALWAYS;
    if (op instanceof Branch branch) {
      next.add(branch.target.pc);
    } else if (op instanceof IndexedBranch branch) {
      branch.targets.forEach(target -> next.add(target.pc));
    } else if (op instanceof Exit) {
      next.add(exit);
    } else {
      always = false;
    }
    if (!always) {
      next.add(pc + 1);
    }
    return next;
  }

  private void run() {
    List<List<Integer>> predecessors = new ArrayList<>();
    List<List<Integer>> successors = new ArrayList<>();
    for (int pc = 0; pc <= exit; pc++) {
      predecessors.add(new ArrayList<>());
    }
    for (int pc = 0; pc < exit; pc++) {
      List<Integer> next = successors(pc);
      successors.add(next);
      for (int n : next) {
        predecessors.get(n).add(pc);
      }
    }
    // Post-order of the reversed flow from the exit; what never ends keeps the exit as its meeting.
    java.util.Arrays.fill(number, -1);
    java.util.Arrays.fill(postDominator, exit);
    int count = postOrder(predecessors);
    boolean[] known = new boolean[exit + 1];
    known[exit] = true;
    boolean changed = true;
    while (changed) {
      changed = false;
      for (int i = count - 2; i >= 0; i--) {
        int pc = order[i];
        int meeting = -1;
        for (int next : successors.get(pc)) {
          if (known[next]) {
            meeting = meeting < 0 ? next : intersect(meeting, next);
          }
        }
        if (!known[pc] || postDominator[pc] != meeting) {
          postDominator[pc] = meeting;
          known[pc] = true;
          changed = true;
        }
      }
    }
  }

  private int postOrder(List<List<Integer>> predecessors) {
    int[] stack = new int[exit + 2];
    int[] progress = new int[exit + 1];
    boolean[] seen = new boolean[exit + 1];
    int depth = 0;
    int count = 0;
    stack[depth++] = exit;
    seen[exit] = true;
    while (depth > 0) {
      int pc = stack[depth - 1];
      if (progress[pc] < predecessors.get(pc).size()) {
        int before = predecessors.get(pc).get(progress[pc]++);
        if (!seen[before]) {
          seen[before] = true;
          stack[depth++] = before;
        }
      } else {
        depth--;
        number[pc] = count;
        order[count++] = pc;
      }
    }
    return count;
  }

  private int intersect(int a, int b) {
    while (a != b) {
      while (number[a] < number[b]) {
        a = postDominator[a];
      }
      while (number[b] < number[a]) {
        b = postDominator[b];
      }
    }
    return a;
  }
}
