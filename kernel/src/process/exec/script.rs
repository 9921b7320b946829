//! The first line of a script: `#! interpreter [argument]` (execve(2), "Interpreter scripts").

use alloc::vec::Vec;

use linux_abi::errno::Errno;

/// The interpreter and its one optional argument.
pub(super) type Line = (Vec<u8>, Option<Vec<u8>>);

/// Reads the interpreter line of a file whose first bytes are `head` (shorter when the file is); `None` when the file
/// is no script. The name is empty when the file ends, or a NUL stands, where it should be.
///
/// # Errors
/// `ENOEXEC`: the line names no interpreter, or its name does not end within `head`.
pub(super) fn parse(head: &[u8]) -> Option<Result<Line, Errno>> {
    let rest = head.strip_prefix(b"#!")?;
    Some(parse_line(rest, head.len() < super::HEAD_LEN))
}

fn parse_line(rest: &[u8], is_whole_file: bool) -> Result<Line, Errno> {
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let end = rest.iter().position(|&byte| byte == b'\n' || byte == 0);
    // The end of the file ends the name as a NUL does.
    let is_ended_by_nul = end.map_or(is_whole_file, |end| rest[end] == 0);
    let line = &rest[..end.unwrap_or(rest.len())];
    let Some(start) = line.iter().position(|byte| !is_blank(byte)) else {
        return if is_ended_by_nul { Ok((Vec::new(), None)) } else { Err(Errno::ENOEXEC) };
    };
    let line = &line[start..];
    let name_end = line.iter().position(is_blank);
    if name_end.is_none() && end.is_none() && !is_whole_file {
        // The name may go on beyond what was read: running a prefix of it would run the wrong program.
        return Err(Errno::ENOEXEC);
    }
    let (name, rest) = line.split_at(name_end.unwrap_or(line.len()));
    let first = rest.iter().position(|byte| !is_blank(byte));
    let argument = first.map(|first| {
        let last = rest.iter().rposition(|byte| !is_blank(byte)).unwrap_or(first);
        rest[first..=last].to_vec()
    });
    Ok((name.to_vec(), argument))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(head: &[u8]) -> Option<Result<Line, Errno>> {
        parse(head)
    }

    #[test]
    fn reads_interpreter_and_one_argument() {
        assert_eq!(line(b"#!/bin/sh\necho"), Some(Ok((b"/bin/sh".to_vec(), None))));
        assert_eq!(line(b"#! \t/bin/sh -e -x  \n"), Some(Ok((b"/bin/sh".to_vec(), Some(b"-e -x".to_vec())))));
        assert_eq!(line(b"#!/bin/sh"), Some(Ok((b"/bin/sh".to_vec(), None))));
    }

    #[test]
    fn refuses_lines_without_an_interpreter() {
        assert_eq!(line(b"\x7fELF"), None);
        assert_eq!(line(b"#!\n"), Some(Err(Errno::ENOEXEC)));
        assert_eq!(line(b"#!  \t\n/bin/sh"), Some(Err(Errno::ENOEXEC)));
        for ended in [&b"#!"[..], b"#!   ", b"#! \0/bin/sh\n"] {
            assert_eq!(line(ended), Some(Ok((Vec::new(), None))));
        }
    }

    #[test]
    fn refuses_a_name_that_may_be_cut() {
        let mut head = b"#!/".to_vec();
        head.resize(super::super::HEAD_LEN, b'x');
        assert_eq!(line(&head), Some(Err(Errno::ENOEXEC)));
    }
}
