// Descriptors: duplication, flags, offsets, vectors, limits, and every call on a bad one.
#include "t.h"
#include <sys/file.h>

static char buffer[8192];

static void bad(const char *kind, int fd)
{
    struct stat st;
    struct statfs sf;
    struct iovec v = { buffer, 1 };
    struct pollfd p = { fd, POLLIN, 0 };

    printf("-- %s\n", kind);
    R(read(fd, buffer, 1));
    R(write(fd, buffer, 1));
    R(pread(fd, buffer, 1, 0));
    R(pwrite(fd, buffer, 1, 0));
    R(readv(fd, &v, 1));
    R(writev(fd, &v, 1));
    R(lseek(fd, 0, SEEK_CUR));
    R(fstat(fd, &st));
    R(fstatfs(fd, &sf));
    R(ftruncate(fd, 0));
    R(fsync(fd));
    R(fdatasync(fd));
    R(fchmod(fd, 0600));
    R(fchown(fd, -1, -1));
    R(fchdir(fd));
    R(dup(fd));
    R(dup2(fd, 50));
    R(dup3(fd, 51, 0));
    R(fcntl(fd, F_GETFD));
    R(fcntl(fd, F_GETFL));
    R(fcntl(fd, F_SETFL, 0));
    R(ioctl(fd, FIONREAD, buffer));
    R(ioctl(fd, TCGETS, buffer));
    R(syscall(SYS_getdents64, fd, buffer, sizeof buffer) == -1 ? -1 : 0);
    R(futimens(fd, NULL));
    R(openat(fd, "x", O_RDONLY));
    R(mkdirat(fd, "x", 0700));
    R(unlinkat(fd, "x", 0));
    R(syscall(SYS_faccessat, fd, "x", F_OK));
    R(fstatat(fd, "x", &st, 0));
    R(fstatat(fd, "", &st, AT_EMPTY_PATH));
    R(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
    R(poll(&p, 1, 0));
    printf("revents %x\n", p.revents);
    R(flock(fd, 2));
    R(posix_fadvise(fd, 0, 0, 0));
    R(fallocate(fd, 0, 0, 1));
    R(syscall(SYS_sendfile, fd, fd, NULL, 1));
}

static int a, b;
static struct stat st;

static void part_bad(void)
{
    // Bad ones.
    bad("closed", 77);
    bad("negative", -1);
}

static void part_path(void)
{
    // O_PATH.
    put_file("f", "0123456789");
    bad("O_PATH", open("f", O_PATH));
    close(50);
    close(51);
}

static void part_directory(void)
{
    // A directory.
    bad("directory", open(".", O_RDONLY | O_DIRECTORY));
}

static void part_duplicates(void)
{
    // The lowest free number is taken; dup2 closes what is there.
    put_file("f", "0123456789");
    R(a = open("f", O_RDWR));
    R(b = dup(a));
    R(fcntl(a, F_DUPFD, 10));
    R(fcntl(a, F_DUPFD_CLOEXEC, 10));
    R(fcntl(11, F_GETFD));
    R(fcntl(10, F_GETFD));
    R(dup2(a, a));
    R(dup3(a, a, 0));
    R(dup2(a, 20));
    R(dup3(a, 21, O_CLOEXEC));
    R(fcntl(21, F_GETFD));
    R(dup3(a, 21, 0x1));
    R(dup2(a, -1));
    R(dup2(a, 1 << 30));
    R(fcntl(a, F_DUPFD, 1 << 30));
    R(fcntl(a, F_DUPFD, -1));
    R(close(b));
    R(close(b));
    R(open("f", O_RDONLY));
    R(fcntl(a, 9999));
}

static void part_shared(void)
{
    // One description, one offset; flags shared likewise, close-on-exec not.
    put_file("f", "0123456789");
    a = open("f", O_RDWR);
    dup2(a, 20);
    lseek(a, 4, SEEK_SET);
    R(lseek(20, 0, SEEK_CUR));
    R(fcntl(20, F_SETFL, O_APPEND | O_NONBLOCK | O_RDONLY));
    R(fcntl(a, F_GETFL));
    R(fcntl(20, F_SETFD, FD_CLOEXEC));
    R(fcntl(a, F_GETFD));
    R(write(a, "A", 1));
    R(lseek(a, 0, SEEK_CUR));
    R(fcntl(a, F_SETFL, 0));
}

static void part_offsets(void)
{
    // Offsets.
    put_file("f", "0123456789");
    a = open("f", O_RDWR);
    R(lseek(a, 0, SEEK_END));
    R(lseek(a, -20, SEEK_CUR));
    R(lseek(a, -1, SEEK_SET));
    R(lseek(a, 100, SEEK_SET));
    R(read(a, buffer, 10));
    R(lseek(a, 0, 99));
    R(lseek(a, INT64_MAX, SEEK_SET));
    R(lseek(a, 1, SEEK_CUR));
    R(lseek(a, 2, SEEK_SET));
    R(pread(a, buffer, 3, 5));
    printf("%.3s\n", buffer);
    R(pwrite(a, "zz", 2, 8));
    R(lseek(a, 0, SEEK_CUR));
    R(pread(a, buffer, 1, -1));
    R(pwrite(a, buffer, 1, -1));
    R(pread(a, buffer, 10, 1000));
    R(pwrite(a, "end", 3, 20));
    R(pread(a, buffer, 100, 0));
    fwrite(buffer, 1, 11, stdout);
    printf("|%d %d|%.3s\n", buffer[11], buffer[19], buffer + 20);
}

static void part_holes(void)
{
    // Holes.
    b = open("holes", O_RDWR | O_CREAT, 0600);
    pwrite(b, "x", 1, 0);
    pwrite(b, "x", 1, 40960);
    R(lseek(b, 0, SEEK_DATA));
    R(lseek(b, 0, SEEK_HOLE));
    R(lseek(b, 5000, SEEK_DATA));
    R(lseek(b, 40960, SEEK_HOLE));
    R(lseek(b, 40961, SEEK_DATA));
    R(lseek(b, 40961, SEEK_HOLE));
    R(lseek(b, -1, SEEK_HOLE));
    R(fstat(b, &st));
    printf("size %ld blocks %ld\n", (long)st.st_size, (long)st.st_blocks);
    R(ftruncate(b, 1));
    R(lseek(b, 0, SEEK_HOLE));
    R(ftruncate(b, 100000));
    R(pread(b, buffer, 10, 40960));
    printf("%d\n", buffer[0]);
    R(ftruncate(b, -1));
    R(fallocate(b, 0, 0, 200000));
    fstat(b, &st);
    printf("size %ld blocks %ld\n", (long)st.st_size, (long)st.st_blocks);
    R(fallocate(b, 1, 200000, 4096));
    fstat(b, &st);
    printf("size %ld\n", (long)st.st_size);
    R(fallocate(b, 3, 0, 8192));
    R(fallocate(b, 0, -1, 1));
    R(fallocate(b, 0, 0, 0));
    R(fallocate(b, 0x1000, 0, 1));
}

static void part_modes(void)
{
    // Modes of opening.
    put_file("f", "0123456789");
    a = open("f", O_RDONLY);
    R(write(a, "x", 1));
    R(ftruncate(a, 0));
    R(writev(a, &(struct iovec){ buffer, 1 }, 1));
    close(a);
    a = open("f", O_WRONLY);
    R(read(a, buffer, 1));
    R(ftruncate(a, 5));
    close(a);
    a = open("f", O_WRONLY | O_APPEND);
    R(lseek(a, 0, SEEK_SET));
    R(write(a, "end", 3));
    R(lseek(a, 0, SEEK_CUR));
    R(pwrite(a, "PW", 2, 0));
    fstat(a, &st);
    printf("size %ld\n", (long)st.st_size);
    close(a);
    R(open("f", O_RDONLY | O_CREAT | O_EXCL));
    R(open("none", O_RDONLY));
    R(open("f", O_RDONLY | O_DIRECTORY));
    R(open(".", O_RDWR));
    R(open(".", O_RDONLY | O_CREAT, 0600));
    symlink("f", "link");
    R(open("link", O_RDONLY | O_NOFOLLOW));
    R(open("link", O_CREAT | O_EXCL, 0600));
    a = open("link", O_PATH | O_NOFOLLOW);
    CHECK("O_PATH of a link", a >= 0 && fstat(a, &st) == 0 && S_ISLNK(st.st_mode));
    R(readlinkat(a, "", buffer, 100));
    close(a);
    a = open("f", O_RDWR | O_TRUNC);
    fstat(a, &st);
    printf("truncated to %ld\n", (long)st.st_size);
    R(fcntl(a, F_GETFL));
    close(a);
    R(a = open(".", O_RDWR | O_TMPFILE, 0600));
    R(write(a, "tmp", 3));
    fstat(a, &st);
    printf("links %ld\n", (long)st.st_nlink);
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", a);
    R(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    fstat(a, &st);
    printf("links %ld\n", (long)st.st_nlink);
    close(a);
}

static void part_vectors(void)
{
    // Vectors.
    a = open("v", O_RDWR | O_CREAT, 0600);
    struct iovec out[3] = { { "abc", 3 }, { "", 0 }, { "defgh", 5 } };
    R(writev(a, out, 3));
    R(pwritev(a, out, 3, 100));
    char x[2], y[4];
    struct iovec in[2] = { { x, 2 }, { y, 4 } };
    R(preadv(a, in, 2, 1));
    printf("%.2s %.4s\n", x, y);
    R(preadv(a, in, 2, -1));
    R(syscall(SYS_preadv2, a, in, 2, 2, 0, 0));
    R(syscall(SYS_preadv2, a, in, 2, 2, 0, 0x4000));
    R(lseek(a, 0, SEEK_CUR));
    R(read(a, buffer, (size_t)INT_MAX + 10000));
    R(read(a, buffer, 0));
}

static void part_exec(void)
{
    // Close-on-exec over exec.
    put_file("f", "x");
    for (int i = 3; i < 60; i++)
        close(i);
    open("f", O_RDONLY);
    open("f", O_RDONLY | O_CLOEXEC);
    open("f", O_RDONLY);
    IN_CHILD("exec")
        execl("/bin/sh", "sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; echo", (char *)0);
    R(syscall(436, 4, 5, 0));
    R(close(4));
    R(syscall(436, 5, 4, 0));
}

static void part_limit(void)
{
    // The limit of descriptors.
    put_file("f", "x");
    for (int i = 3; i < 60; i++)
        close(i);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 8, 100 });
    int n = 0;
    while ((a = open("f", O_RDONLY)) >= 0)
        n++;
    printf("%d more, then %s\n", n, error_name(errno));
    R(dup(0));
    R(pipe((int[2]){ 0, 0 }));
    R(dup2(0, 7));
    R(dup2(0, 8));
    R(fcntl(0, F_DUPFD, 8));
    R(fcntl(0, F_DUPFD, 7));
    for (int i = 3; i < 60; i++)
        close(i);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 100, 100 });
}

static void part_transfer(void)
{
    // sendfile and copy_file_range between files.
    put_file("src", "from here to there");
    a = open("src", O_RDONLY), b = open("dst", O_RDWR | O_CREAT | O_TRUNC, 0600);
    off_t at = 5;
    R(syscall(SYS_sendfile, b, a, &at, 4));
    printf("offset %ld\n", (long)at);
    R(syscall(SYS_sendfile, b, a, NULL, 100));
    R(syscall(SYS_sendfile, b, a, NULL, 100));
    at = 0;
    R(syscall(SYS_copy_file_range, a, &at, b, NULL, 4, 0));
    R(lseek(b, 0, SEEK_CUR));
    R(syscall(SYS_copy_file_range, a, NULL, b, NULL, 4, 1));
}

static void part_locks(void)
{
    // Record locks of one process, seen by another.
    b = open("dst", O_RDWR | O_CREAT, 0600);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3 };
    R(fcntl(b, F_SETLK, &lock));
    IN_CHILD("locks") {
        struct flock want = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
        R(fcntl(b, F_GETLK, &want));
        printf("type %d start %ld len %ld owner %d\n", want.l_type, (long)want.l_start, (long)want.l_len, want.l_pid == getppid());
        want = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 3 };
        R(fcntl(b, F_SETLK, &want));
        want.l_len = 2;
        R(fcntl(b, F_SETLK, &want));
    }
    int c = open("dst", O_RDWR);
    R(flock(b, 2 | 4));
    R(flock(c, 2 | 4));
    R(flock(b, 8));
    R(flock(c, 2 | 4));
}

PARTS({ "bad", part_bad },
      { "path", part_path },
      { "directory", part_directory },
      { "duplicates", part_duplicates },
      { "shared", part_shared },
      { "offsets", part_offsets },
      { "holes", part_holes },
      { "modes", part_modes },
      { "vectors", part_vectors },
      { "exec", part_exec },
      { "limit", part_limit },
      { "transfer", part_transfer },
      { "locks", part_locks })
