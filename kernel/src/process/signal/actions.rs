//! What a process does about each signal.

use linux_abi::signal::{DefaultAction, KernelSigaction, SIG_DFL, SIG_IGN, SaFlags, SigSet, Signal};

/// The table of actions of a process.
#[derive(Clone)]
pub struct Actions([KernelSigaction; 64]);

impl Default for Actions {
    fn default() -> Self {
        Self([KernelSigaction::default(); 64])
    }
}

impl Actions {
    /// The action for `signal`.
    pub fn get(&self, signal: Signal) -> &KernelSigaction {
        &self.0[signal.index()]
    }

    /// Replaces the action for `signal` and returns the old one. The mask never holds SIGKILL or SIGSTOP.
    pub fn set(&mut self, signal: Signal, mut action: KernelSigaction) -> KernelSigaction {
        action.mask = action.mask.difference(SigSet::UNBLOCKABLE);
        action.flags &= SaFlags::KNOWN.bits();
        core::mem::replace(&mut self.0[signal.index()], action)
    }

    /// Puts the default back for `signal` (`SA_RESETHAND`, forced faults).
    pub fn reset(&mut self, signal: Signal) {
        self.0[signal.index()].handler = SIG_DFL;
    }

    /// Whether a signal would be discarded without effect.
    pub fn ignores(&self, signal: Signal) -> bool {
        let handler = self.get(signal).handler;
        handler == SIG_IGN || (handler == SIG_DFL && signal.default_action() == DefaultAction::Ignore)
    }

    /// Whether children that end leave no zombie (SIGCHLD ignored, or `SA_NOCLDWAIT`).
    pub fn reaps_children(&self) -> bool {
        let action = self.get(Signal::SIGCHLD);
        action.handler == SIG_IGN || action.flags & SaFlags::SA_NOCLDWAIT.bits() != 0
    }

    /// Caught signals go back to default, ignored ones stay ignored (execve(2)).
    pub fn after_exec(&mut self) {
        for action in &mut self.0 {
            let handler = if action.handler == SIG_IGN { SIG_IGN } else { SIG_DFL };
            *action = KernelSigaction { handler, ..KernelSigaction::default() };
        }
    }

    /// The sets of ignored and of caught signals, for `/proc/PID/status`.
    pub fn ignored_and_caught(&self) -> (SigSet, SigSet) {
        let (mut ignored, mut caught) = (0, 0);
        for (index, action) in self.0.iter().enumerate() {
            match action.handler {
                SIG_IGN => ignored |= 1 << index,
                SIG_DFL => {}
                _ => caught |= 1 << index,
            }
        }
        (SigSet(ignored), SigSet(caught))
    }
}
