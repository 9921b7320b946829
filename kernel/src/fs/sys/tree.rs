//! What is where in sysfs.

use alloc::format;
use alloc::string::String;

use hal::paging::LARGE_PAGE_SIZE;
use linux_abi::errno::Errno;

use super::node::Directory;
use crate::drivers::tty::console;
use crate::fs::dev;
use crate::memory::address_space::LargePages;
use crate::process::tree::ControllingTerminal;

/// Plans the whole tree.
pub(super) fn build() -> Directory {
    let mut root = Directory::default();
    for name in ["block", "bus", "class", "dev/block", "dev/char", "devices/system/cpu", "devices/virtual"] {
        root.directory(name);
    }
    for name in ["firmware", "fs", "kernel", "module", "power"] {
        root.directory(name);
    }
    add_large_pages(root.directory("kernel/mm/transparent_hugepage"));
    add_processors(root.directory("devices/system/cpu"), hal::cpu::count());
    for device in dev::all() {
        add_device(&mut root, &device);
    }
    root.directory("devices/virtual/tty/console").text("active", active_console);
    root
}

/// Processors from 0 on, as a list of ranges.
fn range(count: usize) -> String {
    match count {
        0 => "\n".into(),
        1 => "0\n".into(),
        _ => format!("0-{}\n", count - 1),
    }
}

fn add_processors(directory: &mut Directory, count: usize) {
    for index in 0..count {
        let processor = directory.directory(&format!("cpu{index}"));
        processor.text("uevent", String::new);
        if index > 0 {
            // The first processor cannot be switched off, so Linux shows no switch for it.
            processor.text("online", || "1\n".into());
        }
    }
    for name in ["online", "possible", "present"] {
        directory.text(name, move || range(count));
    }
    directory.text("offline", || "\n".into());
    directory.text("kernel_max", move || format!("{}\n", count.saturating_sub(1)));
}

/// How private memory gets large pages. They are not made by moving memory about, now or later, and not for reads.
fn add_large_pages(directory: &mut Directory) {
    const MODES: [(&str, LargePages); 3] =
        [("always", LargePages::Always), ("madvise", LargePages::Advised), ("never", LargePages::Never)];
    let show = || {
        let chosen = LargePages::mode();
        let words = MODES.map(|(name, mode)| if mode == chosen { format!("[{name}]") } else { name.into() });
        words.join(" ") + "\n"
    };
    let store = |value: &[u8]| {
        let word = value.trim_ascii();
        let (_, mode) = MODES.iter().find(|(name, _)| name.as_bytes() == word).ok_or(Errno::EINVAL)?;
        mode.set_mode();
        Ok(())
    };
    directory.setting("enabled", show, store);
    directory.text("defrag", || "always defer defer+madvise madvise [never]\n".into());
    directory.text("hpage_pmd_size", || format!("{LARGE_PAGE_SIZE}\n"));
    directory.text("use_zero_page", || "0\n".into());
}

/// Adds the directory of a device and the links to it, by class and by number.
fn add_device(root: &mut Directory, device: &dev::Device) {
    let (name, class) = (device.name.as_str(), device.class);
    let (major, minor) = (device.number.major(), device.number.minor());
    let place = if name.starts_with("ttyS") { "platform/serial8250" } else { "virtual" };
    let path = format!("devices/{place}/{class}/{name}");

    let directory = root.directory(&path);
    directory.text("dev", move || format!("{major}:{minor}\n"));
    directory.text("uevent", uevent(device));
    let depth = path.split('/').count();
    directory.link("subsystem", format!("{}class/{class}", "../".repeat(depth)));

    root.directory(&format!("class/{class}")).link(name, format!("../../{path}"));
    root.directory("dev/char").link(&format!("{major}:{minor}"), format!("../../{path}"));
}

fn uevent(device: &dev::Device) -> impl Fn() -> String + Send + Sync + 'static {
    let device = device.clone();
    move || {
        let (major, minor) = (device.number.major(), device.number.minor());
        let mut text = format!("MAJOR={major}\nMINOR={minor}\nDEVNAME={}\n", device.name);
        // Linux names only what differs from its default.
        if device.permissions != 0o600 {
            text.push_str(&format!("DEVMODE=0{:o}\n", device.permissions));
        }
        text
    }
}

/// The name of the terminal behind `/dev/console`.
fn active_console() -> String {
    let device = console::console().map(|terminal| terminal.device());
    let all = dev::all();
    let name = device.and_then(|device| all.iter().find(|known| u64::from(known.number.0) == device));
    name.map_or_else(String::new, |known| format!("{}\n", known.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::vfs::{DeviceNumber, Inode, IoFlags, LinkTarget, OpenRequest};
    use crate::uio::Sink;
    use alloc::sync::Arc;
    use linux_abi::open::OpenFlags;

    fn find(root: &Arc<dyn Inode>, path: &str) -> Arc<dyn Inode> {
        path.split('/').fold(root.clone(), |at, name| at.lookup(name.as_bytes()).unwrap())
    }

    fn text(inode: Arc<dyn Inode>) -> String {
        let file = inode.open(&OpenRequest { flags: OpenFlags::O_RDONLY }).unwrap();
        let mut bytes = [0; 256];
        let len = file.read(&mut 0, &mut Sink::kernel(&mut bytes), IoFlags::empty()).unwrap();
        String::from_utf8(bytes[..len].to_vec()).unwrap()
    }

    #[test]
    fn devices_are_found_by_class_and_by_number() {
        let root: Arc<dyn Inode> = build().finish(DeviceNumber::new(0, 1));
        assert_eq!(text(find(&root, "devices/virtual/mem/null/dev")), "1:3\n");
        assert_eq!(
            text(find(&root, "devices/virtual/mem/null/uevent")),
            "MAJOR=1\nMINOR=3\nDEVNAME=null\nDEVMODE=0666\n"
        );
        let link = |path: &str| match find(&root, path).read_link().unwrap() {
            LinkTarget::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
            LinkTarget::Jump(_) => panic!("a jump"),
        };
        assert_eq!(link("class/mem/null"), "../../devices/virtual/mem/null");
        assert_eq!(link("dev/char/5:2"), "../../devices/virtual/tty/ptmx");
        assert_eq!(link("devices/virtual/mem/null/subsystem"), "../../../../class/mem");
        assert_eq!(find(&root, "devices/virtual/tty/console/active").metadata().mode.0, 0o100_444);
    }

    #[test]
    fn processors_are_listed_as_ranges() {
        assert_eq!((range(1), range(4)), ("0\n".into(), "0-3\n".into()));
        let mut directory = Directory::default();
        add_processors(&mut directory, 2);
        let root: Arc<dyn Inode> = directory.finish(DeviceNumber::new(0, 1));
        assert_eq!(text(find(&root, "online")), "0-1\n");
        assert_eq!(text(find(&root, "cpu1/online")), "1\n");
        assert!(find(&root, "cpu0").lookup(b"online").is_err());
    }
}
