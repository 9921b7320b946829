//! Tests of Unix sockets that need no second thread.

use alloc::vec::Vec;

use linux_abi::socket::{MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL};
use proptest::prelude::*;

use super::*;
use crate::fs::vfs::{FsContext, IoFlags, PollEvents, anonymous};
use crate::net::{Incoming, Outgoing, Shutdown, Socket, Switch};
use crate::process::credentials::Credentials;
use crate::uio::{Sink, Source};

const NONBLOCK: OpenFlags = OpenFlags::O_NONBLOCK;

fn actor() -> Actor {
    let inode = anonymous::AnonymousInode::of("root");
    let fs = FsContext::new(anonymous::place_of(inode));
    Actor { pid: 42, credentials: Arc::new(Credentials::root()), fs }
}

fn pair(kind: u32) -> [Arc<OpenFile>; 2] {
    create_pair(&actor(), kind, 0, NONBLOCK).unwrap()
}

fn new(kind: u32) -> Arc<OpenFile> {
    create(&actor(), kind, 0, NONBLOCK).unwrap()
}

fn socket(file: &OpenFile) -> &dyn Socket {
    file.file().as_socket().unwrap()
}

fn send(file: &OpenFile, bytes: &[u8]) -> Result<usize, Errno> {
    file.write(&mut Source::kernel(bytes), IoFlags::empty())
}

fn send_files(file: &OpenFile, bytes: &[u8], files: &[&Arc<OpenFile>]) -> Result<usize, Errno> {
    let rights = files.iter().map(|&file| file.clone()).collect();
    let outgoing = Outgoing { flags: MSG_DONTWAIT, rights, ..Outgoing::default() };
    socket(file).send(&mut Source::kernel(bytes), outgoing)
}

fn receive(file: &OpenFile, len: usize, flags: u32) -> Result<(Vec<u8>, Incoming), Errno> {
    let mut buffer = alloc::vec![0; len];
    let incoming = socket(file).receive(&mut Sink::kernel(&mut buffer), flags | MSG_DONTWAIT)?;
    buffer.truncate(incoming.len);
    Ok((buffer, incoming))
}

fn bytes(file: &OpenFile, len: usize, flags: u32) -> Result<Vec<u8>, Errno> {
    receive(file, len, flags).map(|(bytes, _)| bytes)
}

fn abstract_name(name: &str) -> Vec<u8> {
    [&AF_UNIX.to_ne_bytes()[..], b"\0", name.as_bytes()].concat()
}

fn listening(name: &str, backlog: u32) -> Arc<OpenFile> {
    let file = new(SOCK_STREAM);
    socket(&file).bind(&actor(), &abstract_name(name)).unwrap();
    socket(&file).listen(&actor(), backlog).unwrap();
    file
}

fn connect(file: &OpenFile, name: &str) -> Result<(), Errno> {
    socket(file).connect(&actor(), &abstract_name(name), true)
}

fn accept(file: &OpenFile) -> Result<Arc<OpenFile>, Errno> {
    socket(file).accept(true, NONBLOCK)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a counter: all bytes come out, in order, once, peeked at or not.
    #[test]
    fn a_stream_keeps_its_bytes(steps in prop::collection::vec((0..3u8, 0..9000usize), 1..80)) {
        let [a, b] = pair(SOCK_STREAM);
        let (mut written, mut seen) = (0u32, 0u32);
        for (step, len) in steps {
            if step == 0 {
                let data: Vec<u8> = (0..len as u32).map(|i| (written + i) as u8).collect();
                match send(&a, &data) {
                    Ok(n) => written += n as u32,
                    Err(error) => prop_assert_eq!(error, Errno::EAGAIN),
                }
            } else if len > 0 {
                let flags = if step == 1 { MSG_PEEK } else { 0 };
                match bytes(&b, len, flags) {
                    Ok(data) => {
                        prop_assert_eq!(data.len() as u32, (len as u32).min(written - seen));
                        for (i, &byte) in data.iter().enumerate() {
                            prop_assert_eq!(byte, (seen + i as u32) as u8);
                        }
                        seen += if step == 1 { 0 } else { data.len() as u32 };
                    }
                    Err(error) => {
                        prop_assert_eq!(error, Errno::EAGAIN);
                        prop_assert_eq!(seen, written);
                    }
                }
            }
        }
    }

    /// Against a list: each message comes out as it went in, cut to the room there is.
    #[test]
    fn messages_stay_apart(steps in prop::collection::vec((any::<bool>(), 0..6000usize), 1..80)) {
        let [a, b] = pair(SOCK_SEQPACKET);
        let mut expected = alloc::collections::VecDeque::new();
        for (is_send, len) in steps {
            if is_send {
                match send(&a, &alloc::vec![len as u8; len]) {
                    Ok(n) => { prop_assert_eq!(n, len); expected.push_back(len) }
                    Err(error) => prop_assert_eq!(error, Errno::EAGAIN),
                }
            } else {
                match (receive(&b, len, 0), expected.pop_front()) {
                    (Ok((data, incoming)), Some(sent)) => {
                        prop_assert_eq!(data, alloc::vec![sent as u8; sent.min(len)]);
                        prop_assert_eq!(incoming.flags == MSG_TRUNC, sent > len);
                    }
                    (Err(error), None) => prop_assert_eq!(error, Errno::EAGAIN),
                    (outcome, sent) => prop_assert!(false, "{:?} for {:?}", outcome.err(), sent),
                }
            }
        }
    }
}

#[test]
fn only_what_exists_can_be_made() {
    let make = |kind, protocol| create(&actor(), kind, protocol, NONBLOCK).err();
    assert_eq!(make(SOCK_STREAM, 1), None);
    assert_eq!(make(SOCK_STREAM, 2), Some(Errno::EPROTONOSUPPORT));
    assert_eq!(make(4, 0), Some(Errno::ESOCKTNOSUPPORT));
    let family = |domain, kind| crate::net::create(&actor(), domain, kind, 0, NONBLOCK).err();
    assert_eq!(family(2, SOCK_STREAM), Some(Errno::EAFNOSUPPORT));
    assert_eq!(family(-1, SOCK_STREAM), Some(Errno::EAFNOSUPPORT));
    assert_eq!(family(1, 15), Some(Errno::EINVAL));
}

#[test]
fn a_full_stream_is_writable_when_most_of_it_is_read() {
    let [a, b] = pair(SOCK_STREAM);
    let data = alloc::vec![7; 1 << 20];
    let n = send(&a, &data).unwrap();
    assert!((100_000..400_000).contains(&n), "{n}");
    assert_eq!(send(&a, b"x"), Err(Errno::EAGAIN));
    assert!(!a.poll(None).contains(PollEvents::OUT));
    let mut left = n;
    while !a.poll(None).contains(PollEvents::OUT) {
        left -= bytes(&b, 1000, 0).unwrap().len();
    }
    assert!(left < n / 2, "{left} of {n}");
    assert_eq!(send(&a, b"x"), Ok(1));
}

#[test]
fn the_end_comes_after_the_last_byte() {
    let [a, b] = pair(SOCK_STREAM);
    send(&a, b"last").unwrap();
    drop(a);
    assert!(b.poll(None).contains(PollEvents::IN | PollEvents::HUP | PollEvents::RDHUP));
    assert_eq!(bytes(&b, 10, MSG_WAITALL).unwrap(), b"last");
    assert_eq!(bytes(&b, 10, 0).unwrap(), b"");
    assert_eq!(send(&b, b"x"), Err(Errno::EPIPE));
}

#[test]
fn unread_bytes_are_told_as_a_reset_once() {
    let [a, b] = pair(SOCK_STREAM);
    send(&a, b"unread").unwrap();
    drop(b);
    assert!(a.poll(None).contains(PollEvents::ERR | PollEvents::HUP));
    assert_eq!(bytes(&a, 1, 0), Err(Errno::ECONNRESET));
    assert_eq!(bytes(&a, 1, 0), Ok(Vec::new()));
}

#[test]
fn each_direction_ends_by_itself() {
    let [a, b] = pair(SOCK_STREAM);
    socket(&a).shutdown(Shutdown::Send).unwrap();
    assert_eq!(send(&a, b"x"), Err(Errno::EPIPE));
    assert_eq!(bytes(&b, 1, 0), Ok(Vec::new()));
    send(&b, b"other way").unwrap();
    assert_eq!(bytes(&a, 20, 0).unwrap(), b"other way");
    assert!(b.poll(None).contains(PollEvents::RDHUP) && !b.poll(None).contains(PollEvents::HUP));
}

#[test]
fn a_connection_carries_bytes_before_it_is_accepted() {
    let server = listening("early", 1);
    let client = new(SOCK_STREAM);
    assert_eq!(accept(&server).err(), Some(Errno::EAGAIN));
    connect(&client, "early").unwrap();
    assert_eq!(connect(&client, "early"), Err(Errno::EISCONN));
    send(&client, b"early").unwrap();
    assert!(server.poll(None).contains(PollEvents::IN));
    let accepted = accept(&server).unwrap();
    assert_eq!(bytes(&accepted, 10, 0).unwrap(), b"early");
    assert_eq!(socket(&accepted).peer_identity().unwrap().pid, 42);
    assert_eq!(socket(&client).peer_address().unwrap().as_deref(), Some(&abstract_name("early")[..]));
    assert_eq!(socket(&accepted).peer_address().unwrap(), None);
}

#[test]
fn the_backlog_limits_who_waits_and_closing_refuses_them() {
    let server = listening("backlog", 1);
    let clients = [(); 3].map(|()| new(SOCK_STREAM));
    connect(&clients[0], "backlog").unwrap();
    connect(&clients[1], "backlog").unwrap();
    assert_eq!(connect(&clients[2], "backlog"), Err(Errno::EAGAIN));
    drop(accept(&server).unwrap());
    connect(&clients[2], "backlog").unwrap();
    drop(server);
    assert_eq!(bytes(&clients[1], 1, 0), Err(Errno::ECONNRESET));
    assert_eq!(connect(&new(SOCK_STREAM), "backlog"), Err(Errno::ECONNREFUSED));
    // The name is free again.
    drop(listening("backlog", 0));
}

#[test]
fn names_are_unique_for_a_type() {
    let (a, b) = (new(SOCK_STREAM), new(SOCK_STREAM));
    let name = abstract_name("unique");
    socket(&a).bind(&actor(), &name).unwrap();
    assert_eq!(socket(&a).bind(&actor(), &abstract_name("second")), Err(Errno::EINVAL));
    assert_eq!(socket(&b).bind(&actor(), &name), Err(Errno::EADDRINUSE));
    assert_eq!(socket(&new(SOCK_DGRAM)).bind(&actor(), &name), Ok(()));
    socket(&b).bind(&actor(), &AF_UNIX.to_ne_bytes()).unwrap();
    assert_eq!(socket(&b).local_address().unwrap().len(), 8);
    for bad in [&b""[..], b"\x01", b"\x02\0abc", &[1; 111]] {
        assert_eq!(socket(&new(SOCK_STREAM)).bind(&actor(), bad), Err(Errno::EINVAL));
    }
}

#[test]
fn a_datagram_socket_holds_eleven_of_strangers() {
    let server = new(SOCK_DGRAM);
    socket(&server).bind(&actor(), &abstract_name("eleven")).unwrap();
    let client = new(SOCK_DGRAM);
    assert_eq!(send(&client, b"x"), Err(Errno::ENOTCONN));
    connect(&client, "eleven").unwrap();
    let sent = (0..100).take_while(|_| send(&client, b"x").is_ok()).count();
    assert_eq!((sent, send(&client, b"x")), (11, Err(Errno::EAGAIN)));
    assert!(!client.poll(None).contains(PollEvents::OUT));
    bytes(&server, 1, 0).unwrap();
    assert!(client.poll(None).contains(PollEvents::OUT));
    drop(server);
    assert_eq!(send(&client, b"x"), Err(Errno::ECONNREFUSED));
    assert_eq!(send(&client, b"x"), Err(Errno::ENOTCONN));
}

#[test]
fn files_arrive_once_and_end_a_read() {
    let [a, b] = pair(SOCK_STREAM);
    let [x, y] = pair(SOCK_STREAM);
    send(&a, b"before").unwrap();
    assert_eq!(send_files(&a, b"with", &[&x, &y]), Ok(4));
    send(&a, b"after").unwrap();
    let (data, incoming) = receive(&b, 100, MSG_PEEK).unwrap();
    assert_eq!((&data[..], incoming.rights.len()), (&b"beforewith"[..], 2));
    let (data, incoming) = receive(&b, 100, 0).unwrap();
    assert_eq!((&data[..], incoming.rights.len()), (&b"beforewith"[..], 2));
    assert!(Arc::ptr_eq(&incoming.rights[0], &x));
    let (data, incoming) = receive(&b, 100, 0).unwrap();
    assert_eq!((&data[..], incoming.rights.len()), (&b"after"[..], 0));
}

#[test]
fn a_socket_in_its_own_inbox_is_closed_with_the_last_other() {
    let [a, b] = pair(SOCK_STREAM);
    let [witness, passenger] = pair(SOCK_STREAM);
    send_files(&a, b"x", &[&b, &passenger]).unwrap();
    drop((b, passenger));
    assert!(!witness.poll(None).contains(PollEvents::HUP));
    drop(a);
    assert!(witness.poll(None).contains(PollEvents::HUP));
}

#[test]
fn sockets_in_each_others_inboxes_are_found_and_reachable_ones_are_kept() {
    let ([a, b], [c, d]) = (pair(SOCK_STREAM), pair(SOCK_STREAM));
    let [witness, passenger] = pair(SOCK_STREAM);
    send_files(&a, b"x", &[&d, &passenger]).unwrap();
    send_files(&c, b"x", &[&b]).unwrap();
    drop((passenger, b, d));
    // `b` is in the inbox of `d`, and `d` in that of `b`; but a read from `a`'s pair needs `b`, which is lost.
    drop(pair(SOCK_STREAM));
    assert!(witness.poll(None).contains(PollEvents::HUP));

    let [e, f] = pair(SOCK_STREAM);
    let [g, h] = pair(SOCK_STREAM);
    send_files(&e, b"x", &[&g]).unwrap();
    drop(g);
    drop(pair(SOCK_STREAM));
    assert_eq!(send(&h, b"alive"), Ok(5));
    let (_, incoming) = receive(&f, 1, 0).unwrap();
    assert_eq!(bytes(&incoming.rights[0], 10, 0).unwrap(), b"alive");
}

#[test]
fn a_listening_socket_reachable_only_from_its_arrivals_is_closed() {
    let server = listening("arrivals", 1);
    let client = new(SOCK_STREAM);
    connect(&client, "arrivals").unwrap();
    send_files(&client, b"x", &[&server]).unwrap();
    drop(server);
    assert!(!client.poll(None).contains(PollEvents::HUP));
    drop(pair(SOCK_STREAM));
    assert!(client.poll(None).contains(PollEvents::HUP | PollEvents::ERR));
}

#[test]
fn a_long_chain_of_inboxes_is_closed_without_a_deep_stack() {
    let [witness, mut carried] = pair(SOCK_STREAM);
    for _ in 0..2000 {
        let [a, b] = pair(SOCK_STREAM);
        send_files(&a, b"x", &[&carried]).unwrap();
        carried = b;
    }
    drop(carried);
    assert!(witness.poll(None).contains(PollEvents::HUP));
}

#[test]
fn a_changed_partner_is_told() {
    let names = ["p1", "p2", "p3"];
    let files = names.map(|name| {
        let file = new(SOCK_DGRAM);
        socket(&file).bind(&actor(), &abstract_name(name)).unwrap();
        file
    });
    connect(&files[0], "p2").unwrap();
    connect(&files[1], "p1").unwrap();
    assert_eq!(connect(&files[2], "p1"), Err(Errno::EPERM));
    send(&files[0], b"lost").unwrap();
    connect(&files[1], "p3").unwrap();
    assert_eq!(bytes(&files[0], 1, 0), Err(Errno::ECONNRESET));
    assert_eq!(bytes(&files[1], 1, 0), Err(Errno::EAGAIN));
    assert_eq!(send(&files[0], b"x"), Err(Errno::EPERM));
}

#[test]
fn a_socket_looks_like_one_and_is_listed() {
    let [a, _b] = pair(SOCK_STREAM);
    let metadata = a.metadata();
    assert_eq!(metadata.mode.0, 0o140_777);
    let name = a.inode().anonymous_name();
    assert_eq!(name, alloc::format!("socket:[{}]", metadata.inode_number).into_bytes());
    let _server = listening("listed", 0);
    let mut text = crate::fs::vfs::text::Text::new();
    write_sockets(&mut text);
    let text = core::str::from_utf8(text.as_bytes()).unwrap();
    assert!(text.contains(" 00010000 0001 01 ") && text.contains(" @listed\n"), "{text}");
}

#[test]
fn credentials_come_only_when_wanted() {
    let [a, b] = pair(SOCK_DGRAM);
    send(&a, b"x").unwrap();
    socket(&b).options().turn(Switch::PassCredentials, true);
    let (_, incoming) = receive(&b, 1, 0).unwrap();
    assert_eq!(incoming.credentials, Some(inbox::UNKNOWN));
}
