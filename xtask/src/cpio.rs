//! Writes initial RAM file systems: cpio archives in the `newc` format.
//!
//! The same tree gives the same bytes: entries are sorted by path, inode numbers count up from 1, every time
//! stamp is [`MTIME`]. The format is described in the kernel's own documentation of early user space
//! (`buffer-format`): for each entry a header of 110 ASCII characters, the name with a NUL, the data, each
//! padded to four bytes.

use std::collections::BTreeMap;
use std::io::{self, Write};

/// The modification time of every file, in seconds since 1970: 2024-01-01, 00:00 UTC.
const MTIME: u32 = 1_704_067_200;

const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_REGULAR: u32 = 0o100_000;
const TYPE_SYMLINK: u32 = 0o120_000;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A directory.
    Directory,
    /// A regular file with its content.
    File(Vec<u8>),
    /// Another name of a regular file already in the archive.
    HardLink(String),
    /// A symbolic link with its target.
    Symlink(Vec<u8>),
    /// A device node, FIFO or socket: type bits as in `st_mode`, major and minor number.
    Special { type_bits: u32, major: u32, minor: u32 },
}

/// One entry's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Permission bits, set-user-id and its like.
    pub(crate) permissions: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
}

impl Owner {
    /// Returns the attributes of a file of root with these permission bits.
    pub(crate) const fn root(permissions: u32) -> Self {
        Self { permissions, uid: 0, gid: 0 }
    }
}

/// A file tree to be written. Paths are relative, without `./` and without a slash at the end.
#[derive(Clone, Default)]
pub(crate) struct Tree {
    entries: BTreeMap<String, (Owner, Kind)>,
}

impl Tree {
    /// Adds or replaces an entry and makes the directories above it (mode 755) that are not there.
    pub(crate) fn add(&mut self, path: &str, owner: Owner, kind: Kind) {
        let path = path.trim_start_matches("./").trim_matches('/');
        if path.is_empty() || path == "." {
            return;
        }
        for (at, _) in path.match_indices('/') {
            let parent = path.get(..at).unwrap_or_default();
            if !self.entries.contains_key(parent) {
                self.entries.insert(parent.to_owned(), (Owner::root(0o755), Kind::Directory));
            }
        }
        self.entries.insert(path.to_owned(), (owner, kind));
    }

    /// Adds a regular file of root.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, content: impl Into<Vec<u8>>) {
        self.add(path, Owner::root(permissions), Kind::File(content.into()));
    }

    /// Adds a directory of root.
    pub(crate) fn directory(&mut self, path: &str, permissions: u32) {
        self.add(path, Owner::root(permissions), Kind::Directory);
    }

    /// Adds a symbolic link.
    pub(crate) fn symlink(&mut self, path: &str, target: &str) {
        self.add(path, Owner::root(0o777), Kind::Symlink(target.into()));
    }

    /// Returns whether there is an entry of this path.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// Writes the archive with its trailer.
    ///
    /// # Errors
    /// If `out` fails, or a file is larger than the format can say (4 GiB).
    pub(crate) fn write(&self, out: impl Write) -> io::Result<()> {
        let mut out = Padded { out, written: 0 };
        let mut links: BTreeMap<&str, u32> = BTreeMap::new();
        for (_, kind) in self.entries.values() {
            if let Kind::HardLink(target) = kind {
                *links.entry(target).or_insert(1) += 1;
            }
        }
        let inode_of: BTreeMap<&str, u32> = self.entries.keys().map(String::as_str).zip(1..).collect();
        // A hard link may sort before the file it names; the data goes with whichever name comes first.
        let mut written = std::collections::BTreeSet::new();
        for (path, (owner, kind)) in &self.entries {
            let (target, owner, kind) = match kind {
                Kind::HardLink(target) => match self.entries.get(target) {
                    Some((owner, kind @ Kind::File(_))) => (target.as_str(), owner, kind),
                    _ => {
                        return Err(io::Error::other(format!(
                            "{path} is a link to {target}, which is no file"
                        )));
                    }
                },
                _ => (path.as_str(), owner, kind),
            };
            let count = links.get(target).copied().unwrap_or(1);
            let first = written.insert(target);
            let (type_bits, data, device): (u32, &[u8], (u32, u32)) = match kind {
                Kind::Directory => (TYPE_DIRECTORY, &[], (0, 0)),
                Kind::File(data) => (TYPE_REGULAR, if first { data } else { &[] }, (0, 0)),
                Kind::Symlink(target) => (TYPE_SYMLINK, target, (0, 0)),
                Kind::Special { type_bits, major, minor } => (*type_bits, &[], (*major, *minor)),
                Kind::HardLink(_) => return Err(io::Error::other(format!("{path} is a link to a link"))),
            };
            let inode = inode_of.get(target).copied().unwrap_or_default();
            out.entry(path, inode, type_bits, owner, count, data, device)?;
        }
        out.entry("TRAILER!!!", 0, 0, &Owner::root(0), 1, &[], (0, 0))?;
        out.out.flush()
    }

    /// Returns the archive as bytes.
    ///
    /// # Errors
    /// If a file is larger than the format can say.
    pub(crate) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write(&mut bytes)?;
        Ok(bytes)
    }
}

struct Padded<W> {
    out: W,
    written: usize,
}

impl<W: Write> Padded<W> {
    #[expect(clippy::too_many_arguments, reason = "the fields of a header")]
    fn entry(
        &mut self,
        path: &str,
        inode: u32,
        type_bits: u32,
        owner: &Owner,
        links: u32,
        data: &[u8],
        device: (u32, u32),
    ) -> io::Result<()> {
        let too_large = |_| io::Error::other(format!("{path} is too large for the archive"));
        let size = u32::try_from(data.len()).map_err(too_large)?;
        let name_size = u32::try_from(path.len() + 1).map_err(too_large)?;
        let mode = type_bits | (owner.permissions & 0o7777);
        let fields =
            [inode, mode, owner.uid, owner.gid, links, MTIME, size, 0, 0, device.0, device.1, name_size, 0];
        self.put(b"070701")?;
        for field in fields {
            self.put(format!("{field:08X}").as_bytes())?;
        }
        self.put(path.as_bytes())?;
        self.put(b"\0")?;
        self.pad()?;
        self.put(data)?;
        self.pad()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len();
        self.out.write_all(bytes)
    }

    fn pad(&mut self) -> io::Result<()> {
        let missing = self.written.next_multiple_of(4) - self.written;
        self.put(&[0; 3][..missing])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(mut archive: &[u8]) -> Vec<(String, [u32; 13], Vec<u8>)> {
        let total = archive.len();
        let mut found = Vec::new();
        while !archive.is_empty() {
            assert_eq!(&archive[..6], b"070701");
            let field = |i: usize| {
                let text = std::str::from_utf8(&archive[6 + 8 * i..14 + 8 * i]).expect("ASCII");
                u32::from_str_radix(text, 16).expect("hexadecimal")
            };
            let fields: [u32; 13] = std::array::from_fn(field);
            let (size, name_size) = (fields[6] as usize, fields[11] as usize);
            let name = String::from_utf8(archive[110..110 + name_size - 1].to_vec()).expect("UTF-8");
            let data = (110 + name_size).next_multiple_of(4);
            found.push((name, fields, archive[data..data + size].to_vec()));
            archive = &archive[(data + size).next_multiple_of(4)..];
            assert_eq!((total - archive.len()) % 4, 0);
        }
        found
    }

    #[test]
    fn entries_are_sorted_and_carry_their_attributes() {
        let mut tree = Tree::default();
        tree.file("etc/passwd", 0o644, "root:x:0:0::/:\n");
        tree.symlink("bin/sh", "busybox");
        tree.add("dev/null", Owner::root(0o666), Kind::Special { type_bits: 0o020_000, major: 1, minor: 3 });
        let entries = headers(&tree.to_bytes().expect("small"));
        let names: Vec<&str> = entries.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["bin", "bin/sh", "dev", "dev/null", "etc", "etc/passwd", "TRAILER!!!"]);
        assert_eq!((entries[0].1[1], entries[1].1[1]), (0o40755, 0o120777));
        assert_eq!(entries[1].2, b"busybox");
        assert_eq!((entries[3].1[1], entries[3].1[9], entries[3].1[10]), (0o20666, 1, 3));
        assert_eq!(entries[5].2, b"root:x:0:0::/:\n");
        assert_eq!(entries[5].1[5], MTIME);
    }

    #[test]
    fn hard_links_share_an_inode_and_the_first_name_has_the_data() {
        let mut tree = Tree::default();
        tree.file("z", 0o600, "data");
        tree.add("a", Owner::root(0), Kind::HardLink("z".into()));
        let entries = headers(&tree.to_bytes().expect("small"));
        assert_eq!((entries[0].1[0], entries[0].1[4]), (entries[1].1[0], 2));
        assert_eq!((entries[0].2.as_slice(), entries[1].2.as_slice()), (&b"data"[..], &b""[..]));
        assert_eq!(entries[0].1[1], 0o100_600);
    }

    #[test]
    fn a_link_to_nothing_is_refused() {
        let mut tree = Tree::default();
        tree.add("a", Owner::root(0), Kind::HardLink("gone".into()));
        assert!(tree.to_bytes().is_err());
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes_in_whatever_order_it_is_filled() {
        let (mut one, mut two) = (Tree::default(), Tree::default());
        one.file("a/x", 0o644, "1");
        one.directory("a", 0o700);
        two.directory("a", 0o700);
        two.file("a/x", 0o644, "1");
        assert_eq!(one.to_bytes().expect("small"), two.to_bytes().expect("small"));
    }
}
