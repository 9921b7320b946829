//! What the plugin wrote: call paths, blocks of instructions, and how often each block ran under each path.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};

/// The counts of a run.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Instructions in user mode.
    pub(super) user: u64,
    /// Call paths: the path before the last call, and its return address.
    nodes: HashMap<u32, (u32, u64)>,
    /// The addresses of each block's instructions.
    blocks: HashMap<u32, Vec<u64>>,
    /// Path, block, and how often it ran.
    runs: Vec<(u32, u32, u64)>,
}

impl Counts {
    /// Reads the plugin's text.
    ///
    /// # Errors
    /// If it is damaged, which it is when the emulator was killed.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut counts = Self::default();
        for line in text.lines() {
            counts.take(line).with_context(|| format!("the plugin wrote: {line}"))?;
        }
        Ok(counts)
    }

    fn take(&mut self, line: &str) -> Result<()> {
        let mut words = line.split(' ');
        let kind = words.next();
        let mut number = || -> Result<u64> { Ok(words.next().context("too short")?.parse()?) };
        match kind {
            Some("u") => self.user = number()?,
            Some("n") => {
                let (node, parent) = (u32::try_from(number()?)?, u32::try_from(number()?)?);
                let address = u64::from_str_radix(words.next().context("too short")?, 16)?;
                self.nodes.insert(node, (parent, address));
            }
            Some("b") => {
                let block = u32::try_from(number()?)?;
                let addresses = words.map(|word| u64::from_str_radix(word, 16)).collect::<Result<_, _>>()?;
                self.blocks.insert(block, addresses);
            }
            Some("c") => {
                self.runs.push((u32::try_from(number()?)?, u32::try_from(number()?)?, number()?));
            }
            _ => anyhow::bail!("unknown line"),
        }
        Ok(())
    }

    /// Returns all addresses that need a name: of instructions that ran, and in the calls above them.
    pub(super) fn addresses(&self) -> BTreeSet<u64> {
        let mut addresses = BTreeSet::new();
        for (node, block, _) in &self.runs {
            addresses.extend(self.path(*node));
            addresses.extend(self.instructions(*block));
        }
        addresses
    }

    /// Returns an address in each call of a path, outermost first.
    pub(super) fn path(&self, mut node: u32) -> Vec<u64> {
        let mut path = Vec::new();
        while let Some((parent, address)) = self.nodes.get(&node) {
            // The return address may be the next function's; the byte before it is the call's.
            path.push(address - 1);
            // Parents are older; anything else is damage, and would not end.
            if *parent >= node {
                break;
            }
            node = *parent;
        }
        path.reverse();
        path
    }

    /// Returns the addresses of a block's instructions.
    pub(super) fn instructions(&self, block: u32) -> &[u64] {
        self.blocks.get(&block).map_or(&[], Vec::as_slice)
    }

    /// Returns path, block and count of everything that ran.
    pub(super) fn runs(&self) -> &[(u32, u32, u64)] {
        &self.runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_from_the_outermost_call() {
        let text = "u 12\nn 1 0 ff05\nn 2 1 ff15\nb 3 ff10 ff12\nc 2 3 7\n";
        let counts = Counts::parse(text).expect("valid");
        assert_eq!(counts.user, 12);
        assert_eq!(counts.path(2), [0xff04, 0xff14]);
        assert!(counts.path(0).is_empty());
        assert_eq!(counts.runs(), [(2, 3, 7)]);
        assert_eq!(counts.addresses(), BTreeSet::from([0xff04, 0xff10, 0xff12, 0xff14]));
        assert!(Counts::parse("c 2 3\n").is_err());
        assert!(Counts::parse("b 2 xyz\n").is_err());
    }
}
