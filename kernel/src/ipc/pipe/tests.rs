//! Tests of pipes that need no second thread.

use alloc::vec::Vec;

use linux_abi::errno::Errno;
use linux_abi::open::OpenFlags;
use proptest::prelude::*;

use super::*;

const NONBLOCK: OpenFlags = OpenFlags::O_NONBLOCK;

fn pair(flags: OpenFlags) -> (Arc<OpenFile>, Arc<OpenFile>) {
    let [reader, writer] = Pipe::create(1, 2, flags | NONBLOCK).unwrap();
    (reader, writer)
}

fn write(file: &OpenFile, bytes: &[u8]) -> Result<usize, Errno> {
    file.write(&mut Source::kernel(bytes), IoFlags::empty())
}

fn read(file: &OpenFile, len: usize) -> Result<Vec<u8>, Errno> {
    let mut buffer = alloc::vec![0; len];
    let n = file.read(&mut Sink::kernel(&mut buffer), IoFlags::empty())?;
    buffer.truncate(n);
    Ok(buffer)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a vector of bytes: all come out, in order, once.
    #[test]
    fn bytes_come_out_as_they_went_in(
        steps in prop::collection::vec((any::<bool>(), 0..9000usize), 1..80)
    ) {
        let (reader, writer) = pair(OpenFlags::empty());
        let (mut written, mut seen) = (0u32, 0u32);
        for (is_write, len) in steps {
            if is_write {
                let bytes: Vec<u8> = (0..len as u32).map(|i| (written + i) as u8).collect();
                match write(&writer, &bytes) {
                    Ok(n) => {
                        prop_assert!(n == len || len > linux_abi::limits::PIPE_BUF, "a small write was torn");
                        written += n as u32;
                    }
                    Err(error) => prop_assert_eq!(error, Errno::EAGAIN),
                }
            } else {
                match read(&reader, len) {
                    Ok(bytes) => {
                        prop_assert_eq!(bytes.len() as u32, (len as u32).min(written - seen));
                        for byte in bytes {
                            prop_assert_eq!(byte, seen as u8);
                            seen += 1;
                        }
                    }
                    Err(error) => {
                        prop_assert_eq!(error, Errno::EAGAIN);
                        prop_assert_eq!(seen, written);
                    }
                }
            }
            prop_assert_eq!(reader.file().as_pipe().unwrap().buffered_bytes() as u32, written - seen);
        }
    }
}

#[test]
fn a_pipe_holds_64_kib_and_then_is_full() {
    let (reader, writer) = pair(OpenFlags::empty());
    assert_eq!(write(&writer, &alloc::vec![1; 100_000]), Ok(65536));
    assert_eq!(write(&writer, b"x"), Err(Errno::EAGAIN));
    assert!(!writer.poll(None).contains(PollEvents::OUT));
    assert_eq!(read(&reader, 4096).unwrap().len(), 4096);
    assert!(writer.poll(None).contains(PollEvents::OUT));
    assert_eq!(write(&writer, &[2; 4096]), Ok(4096));
}

#[test]
fn ends_see_each_other_go() {
    let (reader, writer) = pair(OpenFlags::empty());
    assert_eq!(reader.poll(None), PollEvents::empty());
    assert_eq!(read(&reader, 1), Err(Errno::EAGAIN));
    write(&writer, b"last").unwrap();
    drop(writer);
    assert_eq!(reader.poll(None), PollEvents::READABLE | PollEvents::HUP);
    assert_eq!(read(&reader, 10).unwrap(), b"last");
    assert_eq!(read(&reader, 10).unwrap(), b"");

    let (reader, writer) = pair(OpenFlags::empty());
    drop(reader);
    assert_eq!(write(&writer, b"x"), Err(Errno::EPIPE));
    assert_eq!(write(&writer, b""), Ok(0));
    assert!(writer.poll(None).contains(PollEvents::ERR));
}

#[test]
fn packets_stay_apart() {
    let (reader, writer) = pair(OpenFlags::O_DIRECT);
    write(&writer, b"one").unwrap();
    write(&writer, b"two").unwrap();
    assert_eq!(read(&reader, 2).unwrap(), b"on");
    assert_eq!(read(&reader, 10).unwrap(), b"two");
}

#[test]
fn the_capacity_can_be_changed_but_not_below_what_is_in() {
    let (reader, writer) = pair(OpenFlags::empty());
    let pipe = reader.file().as_pipe().unwrap();
    write(&writer, &[0; 4096 * 3]).unwrap();
    assert_eq!(pipe.set_size(8192, false), Err(Errno::EBUSY));
    assert_eq!(pipe.set_size(12_289, false), Ok(16_384));
    assert_eq!(write(&writer, &[0; 8192]), Ok(4096));
    assert_eq!(pipe.set_size((1 << 20) + 1, false), Err(Errno::EPERM));
    assert_eq!(pipe.set_size((1 << 20) + 1, true), Ok(1 << 21));
    assert_eq!(pipe.set_size(usize::MAX, true), Err(Errno::EINVAL));
    assert_eq!(pipe.size(), 1 << 21);
}

#[test]
fn fifos_open_without_waiting_only_one_way() {
    let pipe = Pipe::new_fifo();
    let open = |flags| pipe.clone().open(&OpenRequest { flags });
    assert_eq!(open(OpenFlags::O_WRONLY | NONBLOCK).err(), Some(Errno::ENXIO));
    let reader = open(OpenFlags::O_RDONLY | NONBLOCK).unwrap();
    assert_eq!(reader.poll(None), PollEvents::empty(), "no writer was there yet: not hung up");
    let writer = open(OpenFlags::O_WRONLY | NONBLOCK).unwrap();
    writer.write(&mut 0, &mut Source::kernel(b"x"), IoFlags::NONBLOCK).unwrap();
    drop(writer);
    assert_eq!(reader.poll(None), PollEvents::READABLE | PollEvents::HUP);
    let both = open(OpenFlags::O_RDWR).unwrap();
    assert_eq!(both.poll(None), PollEvents::READABLE | PollEvents::WRITABLE);
    drop(open(OpenFlags::O_WRONLY).unwrap());
}

#[test]
fn an_end_of_an_unnamed_pipe_is_a_pipe_to_stat() {
    let (reader, writer) = pair(OpenFlags::empty());
    let metadata = reader.metadata();
    assert_eq!((metadata.mode.0, metadata.uid, metadata.gid), (0o010600, 1, 2));
    assert_eq!(metadata.inode_number, writer.metadata().inode_number);
    assert_eq!(reader.seek(0, 0), Err(Errno::ESPIPE));
    assert_eq!(reader.read_at(0, &mut Sink::kernel(&mut [0]), IoFlags::empty()), Err(Errno::ESPIPE));
    assert_eq!(write(&reader, b"x"), Err(Errno::EBADF));
    assert_eq!(read(&writer, 1), Err(Errno::EBADF));
}
