//! Memory policies (set_mempolicy(2)) on a machine of one node: every page is on node 0, so a policy is checked, kept and
//! told, and changes nothing.

use linux_abi::errno::Errno;
use linux_abi::mempolicy::{
    MPOL_BIND, MPOL_DEFAULT, MPOL_F_NUMA_BALANCING, MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES, MPOL_LOCAL,
    MPOL_MAX, MPOL_PREFERRED, MPOL_PREFERRED_MANY,
};

/// Bits of a mode that modify it.
const MODE_FLAGS: u32 = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING;

/// A set of nodes as a program gives it: the first 64, of which one is there, and whether there are more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeSet {
    /// Nodes 0 to 63.
    pub low: u64,
    /// Whether any other is in it.
    pub has_more: bool,
}

impl NodeSet {
    /// The nodes of this machine.
    pub const HERE: Self = Self { low: 1, has_more: false };

    /// Tells whether no node is in it.
    pub fn is_empty(self) -> bool {
        self.low == 0 && !self.has_more
    }

    /// Tells whether node 0 is in it.
    pub fn has_first(self) -> bool {
        self.low & 1 != 0
    }
}

/// A policy other than the default one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its mode with the flags of it, as get_mempolicy(2) tells it.
    pub mode: u32,
    /// The nodes that are told with it: those of the program, if it has flags, else those of them that are here.
    pub nodes: u64,
    /// Whether set_mempolicy_home_node(2) has named a node to prefer.
    pub has_home: bool,
}

/// Splits a mode from its flags (`sanitize_mpol_flags`).
fn split(mode: u32) -> Result<(u32, u32), Errno> {
    let (mode, flags) = (mode & !MODE_FLAGS, mode & MODE_FLAGS);
    let is_both =
        flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES) == MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
    if mode >= MPOL_MAX || is_both || flags & MPOL_F_NUMA_BALANCING != 0 && mode != MPOL_BIND {
        return Err(Errno::EINVAL);
    }
    Ok((mode, flags))
}

impl Policy {
    /// Checks that there is such a mode, with such flags.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn check_mode(mode: u32) -> Result<(), Errno> {
        split(mode).map(|_| ())
    }

    /// Makes the policy that a program asks for; `None` is the default one.
    ///
    /// # Errors
    /// `EINVAL`: no such mode, or nodes that do not go with it or are not here.
    pub fn new(mode: u32, nodes: NodeSet) -> Result<Option<Self>, Errno> {
        let (mut mode, flags) = split(mode)?;
        let nodes_flags = flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES);
        match mode {
            MPOL_DEFAULT if nodes.is_empty() => return Ok(None),
            MPOL_PREFERRED if nodes.is_empty() && nodes_flags == 0 => mode = MPOL_LOCAL,
            MPOL_LOCAL if nodes.is_empty() && nodes_flags == 0 => {}
            MPOL_DEFAULT | MPOL_LOCAL => return Err(Errno::EINVAL),
            _ if nodes.is_empty() => return Err(Errno::EINVAL),
            _ => {}
        }
        if mode == MPOL_LOCAL {
            return Ok(Some(Self { mode: mode | flags, nodes: 0, has_home: false }));
        }
        // Relative to the nodes that are here, each is the first.
        if flags & MPOL_F_RELATIVE_NODES == 0 && !nodes.has_first() {
            return Err(Errno::EINVAL);
        }
        let nodes = if flags == 0 { NodeSet::HERE.low } else { nodes.low };
        Ok(Some(Self { mode: mode | flags, nodes, has_home: false }))
    }

    /// Tells whether the policy may have a node to prefer.
    pub fn may_have_home(&self) -> bool {
        matches!(self.mode & !MODE_FLAGS, MPOL_BIND | MPOL_PREFERRED_MANY)
    }

    /// Returns the mode without its flags.
    pub fn plain_mode(&self) -> u32 {
        self.mode & !MODE_FLAGS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_needs_a_node_that_is_here() {
        let set = |low| NodeSet { low, has_more: false };
        assert_eq!(Policy::new(MPOL_DEFAULT, set(0)), Ok(None));
        assert_eq!(Policy::new(MPOL_DEFAULT, set(1)), Err(Errno::EINVAL));
        assert_eq!(Policy::new(MPOL_BIND, set(2)), Err(Errno::EINVAL));
        assert_eq!(Policy::new(MPOL_BIND, set(3)).unwrap().unwrap().nodes, 1);
        assert_eq!(Policy::new(MPOL_BIND | MPOL_F_STATIC_NODES, set(3)).unwrap().unwrap().nodes, 3);
        assert_eq!(Policy::new(MPOL_BIND | MPOL_F_RELATIVE_NODES, set(2)).unwrap().unwrap().nodes, 2);
        assert_eq!(Policy::new(MPOL_PREFERRED, set(0)).unwrap().unwrap().mode, MPOL_LOCAL);
        assert_eq!(Policy::new(MPOL_MAX, set(1)), Err(Errno::EINVAL));
    }
}
