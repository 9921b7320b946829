//! The shared object that every program finds in its memory, and through which it reads clocks without a system call.
//!
//! It is made once, at boot, of the code that `hal` has, and mapped at each execve: `[vvar]`, the page of clock data that
//! programs only read, and right above it `[vdso]`, the object. Where the machine has no such code, or no memory was
//! left for it, programs do without.

use alloc::sync::Arc;
use alloc::vec::Vec;

use elf::{Function, SharedObject};
use hal::addr::FrameNumber;
use hal::frame::Frame;
use hal::sync::Once;
use hal::vdso::CODE_OFFSET;
use hal::{Access, PAGE_SIZE};
use linux_abi::errno::Errno;

use crate::memory::address_space::{AddressSpace, MapRequest, Place, VmFlags};
use crate::memory::physical::buddy_allocator;
use crate::memory::{MapLabel, MemoryObject};
use crate::time::wall_clock;

/// The name and the version of symbols by which C libraries know it.
const NAME: &str = "linux-vdso.so.1";
const VERSION: &str = "LINUX_2.6";

/// What is mapped: the data, then the object.
static PAGES: Once<[Arc<SpecialPage>; 2]> = Once::new();

/// Makes the object. Called once, at boot, on the boot CPU.
pub fn init() {
    if hal::vdso::code().is_empty() {
        return;
    }
    let (Some(data), Some(object)) =
        (buddy_allocator::alloc_zeroed_frame(), buddy_allocator::alloc_zeroed_frame())
    else {
        return;
    };
    let mut image = alloc::vec![0; PAGE_SIZE];
    if let Err(error) = write_object(&mut image) {
        log::error!("no vDSO: {error}");
        return;
    }
    object.write(0, &image);
    if hal::vdso::publish_clock(&data).is_ok() {
        wall_clock::publish();
        let page = |frame, name| Arc::new(SpecialPage { frame, name });
        // It is the first: the clock was published but now.
        let _ = PAGES.set([page(data, b"[vvar]"), page(object, b"[vdso]")]);
    }
}

/// Returns the frames, each as often as somebody keeps a handle of it: `hal` writes the clock data.
pub fn kept_frames() -> impl Iterator<Item = FrameNumber> {
    let pages = PAGES.get().map_or(&[][..], |pages| &pages[..]);
    let data = pages.first().filter(|_| pages.len() == 2);
    pages.iter().chain(data).map(|page| page.frame.number())
}

/// Writes the object. Each function is there under the name that C libraries look for, and under its plain name.
fn write_object(image: &mut [u8]) -> Result<usize, elf::TooLarge> {
    let functions: Vec<Function<'_>> = hal::vdso::functions()
        .flat_map(|function| {
            let symbol = |prefix, is_weak| Function {
                prefix,
                name: function.name,
                range: function.range.clone(),
                is_weak,
            };
            [symbol("__vdso_", false), symbol("", true)]
        })
        .collect();
    SharedObject {
        name: NAME,
        version: VERSION,
        functions: &functions,
        code: hal::vdso::code(),
        code_offset: CODE_OFFSET,
    }
    .write(image)
}

/// Maps the object into the address space of a new program, above its stack; returns where it is. `None`: there is none.
///
/// # Errors
/// `ENOMEM`.
pub(super) fn map(space: &AddressSpace) -> Result<Option<usize>, Errno> {
    let Some([data, object]) = PAGES.get() else { return Ok(None) };
    let start = space.find_above_stack(2 * PAGE_SIZE)?;
    let map = |at: usize, page: &Arc<SpecialPage>, flags: VmFlags| {
        let place = Place::FixedNoReplace(at);
        let request = MapRequest::private(place, PAGE_SIZE, VmFlags::empty(), page.clone(), 0);
        space.mmap(MapRequest { flags, ..request })
    };
    let common = VmFlags::READ | VmFlags::MAYREAD | VmFlags::DONTEXPAND;
    map(start, data, common | VmFlags::DONTDUMP)?;
    // A debugger may set breakpoints, in a copy of its own.
    let code = common | VmFlags::EXEC | VmFlags::MAYEXEC | VmFlags::MAYWRITE;
    map(start + PAGE_SIZE, object, code).map(Some)
}

/// A page that is mapped as it is.
struct SpecialPage {
    frame: Frame,
    name: &'static [u8; 6],
}

impl MemoryObject for SpecialPage {
    fn size(&self) -> u64 {
        PAGE_SIZE as u64
    }

    fn page(&self, index: u64, _access: Access) -> Result<Frame, Errno> {
        self.cached_page(index).ok_or(Errno::EFAULT)
    }

    fn cached_page(&self, index: u64) -> Option<Frame> {
        (index == 0).then(|| self.frame.clone())
    }

    fn content_id(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn mapping_id(&self) -> usize {
        self.content_id()
    }

    fn label(&self) -> MapLabel {
        MapLabel { name: self.name.to_vec(), ..MapLabel::default() }
    }
}
