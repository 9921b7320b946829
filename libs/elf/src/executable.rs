//! The headers of the smallest executable there is: static, one segment.

/// Bytes that [`executable_headers`] makes; the code may follow at once.
pub const EXECUTABLE_HEADERS_SIZE: usize = 64 + 56;

/// Returns the headers of a static executable whose file, of `file_len` bytes with these headers, is one segment of
/// `memory_len` bytes at `base`, to be read and executed. It begins at `entry`.
pub fn executable_headers(
    base: u64,
    entry: u64,
    file_len: u64,
    memory_len: u64,
) -> [u8; EXECUTABLE_HEADERS_SIZE] {
    let mut headers = [0; EXECUTABLE_HEADERS_SIZE];
    headers[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    let mut at = 16;
    let mut put = |values: &[(u64, usize)]| {
        for &(value, len) in values {
            headers[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
            at += len;
        }
    };
    // ET_EXEC, x86-64, version, entry, program headers at 64, no sections, flags; then six sizes and counts.
    put(&[(2, 2), (62, 2), (1, 4), (entry, 8), (64, 8), (0, 8), (0, 4)]);
    put(&[(64, 2), (56, 2), (1, 2), (64, 2), (0, 2), (0, 2)]);
    // PT_LOAD, read and execute, offset, two addresses, two sizes, alignment.
    put(&[(1, 4), (5, 4), (0, 8), (base, 8), (base, 8), (file_len, 8), (memory_len, 8), (4096, 8)]);
    headers
}
