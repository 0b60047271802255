package dev.flinch.device.cuda.emulator;

/** Registers that a thread is born with. */
enum SpecialRegister {
  TID_X("%tid.x"),
  TID_Y("%tid.y"),
  TID_Z("%tid.z"),
  NTID_X("%ntid.x"),
  NTID_Y("%ntid.y"),
  NTID_Z("%ntid.z"),
  CTAID_X("%ctaid.x"),
  CTAID_Y("%ctaid.y"),
  CTAID_Z("%ctaid.z"),
  NCTAID_X("%nctaid.x"),
  NCTAID_Y("%nctaid.y"),
  NCTAID_Z("%nctaid.z"),
  LANEID("%laneid"),
  WARPID("%warpid"),
  NWARPID("%nwarpid"),
  SMID("%smid"),
  NSMID("%nsmid"),
  LANEMASK_EQ("%lanemask_eq"),
  LANEMASK_LE("%lanemask_le"),
  LANEMASK_LT("%lanemask_lt"),
  LANEMASK_GE("%lanemask_ge"),
  LANEMASK_GT("%lanemask_gt"),
  TOTAL_SMEM_SIZE("%total_smem_size"),
  DYNAMIC_SMEM_SIZE("%dynamic_smem_size");

  private final String ptx;

  SpecialRegister(String ptx) {
    this.ptx = ptx;
  }

  /** By its PTX name, or null. */
  static SpecialRegister of(String name) {
    for (SpecialRegister register : values()) {
      if (register.ptx.equals(name)) {
        return register;
      }
    }
    return null;
  }

  /** Sets the lanes of a warp at the start of its block. */
  void fill(int[] lanes, Warp warp) {
    Block block = warp.block;
    Launch launch = block.launch;
    int blockX = launch.geometry.blockX();
    int blockY = launch.geometry.blockY();
    for (int lane = 0; lane < 32; lane++) {
      int thread = 32 * warp.index + lane;
      lanes[lane] =
          switch (this) {
            case TID_X -> thread % blockX;
            case TID_Y -> thread / blockX % blockY;
            case TID_Z -> thread / blockX / blockY;
            case NTID_X -> blockX;
            case NTID_Y -> blockY;
            case NTID_Z -> launch.geometry.blockZ();
            case CTAID_X -> block.x;
            case CTAID_Y -> block.y;
            case CTAID_Z -> block.z;
            case NCTAID_X -> launch.geometry.gridX();
            case NCTAID_Y -> launch.geometry.gridY();
            case NCTAID_Z -> launch.geometry.gridZ();
            case LANEID -> lane;
            case WARPID -> warp.index;
            case NWARPID -> 32;
            case SMID -> (int) (block.linear % launch.multiprocessors);
            case NSMID -> launch.multiprocessors;
            case LANEMASK_EQ -> 1 << lane;
            case LANEMASK_LT -> (1 << lane) - 1;
            case LANEMASK_LE -> (2 << lane) - 1;
            case LANEMASK_GE -> -1 << lane;
            case LANEMASK_GT -> -2 << lane;
            case TOTAL_SMEM_SIZE -> launch.sharedBytes();
            case DYNAMIC_SMEM_SIZE -> launch.geometry.sharedBytes();
          };
    }
  }

  /** Whether the value is the same for all blocks of a launch. */
  boolean isOfLaunch() {
    return this != CTAID_X && this != CTAID_Y && this != CTAID_Z && this != SMID;
  }
}
