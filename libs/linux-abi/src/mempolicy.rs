//! Memory policies: set_mempolicy(2), mbind(2), move_pages(2).

consts! { u32;
    MPOL_DEFAULT = 0, "Mode: whatever is usual.";
    MPOL_PREFERRED = 1, "Mode: one node first.";
    MPOL_BIND = 2, "Mode: these nodes only.";
    MPOL_INTERLEAVE = 3, "Mode: these nodes in turn.";
    MPOL_LOCAL = 4, "Mode: the node of the CPU that touches the page.";
    MPOL_PREFERRED_MANY = 5, "Mode: these nodes first.";
    MPOL_MAX = 6, "Number of modes.";
    MPOL_F_NUMA_BALANCING = 1 << 13, "With a mode: pages may be moved among the nodes.";
    MPOL_F_RELATIVE_NODES = 1 << 14, "With a mode: nodes are counted among those allowed.";
    MPOL_F_STATIC_NODES = 1 << 15, "With a mode: nodes stay what they are when those allowed change.";
    MPOL_F_NODE = 1, "get_mempolicy: the number of a node instead of a mode.";
    MPOL_F_ADDR = 2, "get_mempolicy: of an address.";
    MPOL_F_MEMS_ALLOWED = 4, "get_mempolicy: the nodes allowed.";
    MPOL_MF_STRICT = 1, "mbind: pages elsewhere are an error.";
    MPOL_MF_MOVE = 2, "mbind, move_pages: move pages that are the process's alone.";
    MPOL_MF_MOVE_ALL = 4, "mbind, move_pages: move all pages.";
}
