// The text of /proc/self/maps to the letter: what becomes one mapping and what does not, where a new one goes, its name.
#include "t.h"
#include "vm.h"
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#define VALIDATE 3

// Where the kernel puts mappings of its own choice: each below the one before, of one kind in one.
static void part_neighbours(void)
{
    char *hole = room(64);

    // Small holes above would be taken first.
    for (int i = 0; i < 64; i++) {
        char *at = map(P, PROT_NONE);
        if (at < hole)
            break;
    }
    char *a = map(4 * P, RW), *b = map(2 * P, RW), *c = map(P, PROT_READ), *d = map(P, PROT_READ), *e = map(P, RW);
    printf("%ld %ld %ld %ld\n", (long)(a - b) / P, (long)(a - c) / P, (long)(a - d) / P, (long)(a - e) / P);
    shape("they", e, 9);
    munmap(c, P);
    shape("one gone", e, 9);
    char *f = map(P, RW);
    printf("%ld\n", (long)(a - f) / P);
    shape("filled", e, 9);
    char *g = map(3 * P, RW), *h = map(P, PROT_READ | PROT_EXEC);
    printf("%ld %ld\n", (long)(a - g) / P, (long)(a - h) / P);
}

static void part_flags_apart(void)
{
    static const struct { const char *name; int flags; } kinds[] = {
        { "plain", 0 }, { "NORESERVE", MAP_NORESERVE }, { "GROWSDOWN", MAP_GROWSDOWN }, { "LOCKED", MAP_LOCKED },
        { "STACK", MAP_STACK }, { "POPULATE", MAP_POPULATE }, { "NONBLOCK", MAP_NONBLOCK }, { "DENYWRITE", MAP_DENYWRITE },
        { "EXECUTABLE", MAP_EXECUTABLE }, { "32BIT", MAP_32BIT },
    };

    base = room(600);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char *at = base + 500 * P;
        put(at, 2, RW, 0);
        put(at + 2 * P, 2, RW, kinds[i].flags);
        put(at + 4 * P, 2, RW, 0);
        shape(kinds[i].name, at, 6);
        vm_flags("flags", at + 2 * P);
        munmap(at, 6 * P);
    }
    static const int protections[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    for (size_t i = 0; i < 8; i++)
        put(base + 2 * i * P, 2, protections[i], 0);
    shape("all rights", base, 16);
}

static void part_three_parts(void)
{
    int fd = file_of("f", 9);

    base = room(12);
    mmap(base, 9 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    mprotect(base + 3 * P, 3 * P, PROT_READ);
    lines("the middle", base, 9);
    mprotect(base + 4 * P, P, PROT_NONE);
    lines("its middle", base, 9);
    mprotect(base + 3 * P, P, RW);
    lines("below joins below", base, 9);
    mprotect(base + 5 * P, P, RW);
    lines("above joins above", base, 9);
    mprotect(base + 4 * P, P, RW);
    lines("all one", base, 9);
    mprotect(base + 8 * P, P, PROT_READ);
    mprotect(base, P, PROT_READ);
    lines("both ends", base, 9);
    R(mprotect(base + P, 20 * P, PROT_READ));
    lines("over the end", base, 12);
}

static void part_offsets(void)
{
    int fd = file_of("f", 16);

    base = room(40);
    mmap(base, 8 * P, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 2 * P);
    munmap(base + 2 * P, P);
    lines("a page out", base, 20);
    mmap(base + 2 * P, P, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 4 * P);
    lines("the same back", base, 20);
    mmap(base + 2 * P, P, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 9 * P);
    lines("another page", base, 20);
    R(mremap(base + 4 * P, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 12 * P) == base + 12 * P);
    lines("two moved", base, 20);
    R(mremap(base + 12 * P, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 4 * P) == base + 4 * P);
    lines("and back", base, 20);
    R(mremap(base + 6 * P, 2 * P, 6 * P, 0) == base + 6 * P);
    lines("grown", base, 20);
    R(mremap(base + 6 * P, 6 * P, P, 0) == base + 6 * P);
    lines("shrunk", base, 20);
    R(mmap(base + 7 * P, P, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, (1l << 40)) == base + 7 * P);
    lines("far out", base, 20);
}

static void part_anonymous_offsets(void)
{
    base = room(40);
    put(base, 4, RW, 0);
    put(base + 10 * P, 4, RW, 0);
    R(mremap(base, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 6 * P) == base + 6 * P);
    shape("untouched, moved below another", base, 20);
    munmap(base + 6 * P, 8 * P);
    put(base, 4, RW, 0);
    put(base + 10 * P, 4, RW, 0);
    base[0] = 1;
    R(mremap(base, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 6 * P) == base + 6 * P);
    shape("touched, moved below another", base, 20);
    R(mremap(base + 6 * P, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, base) == base);
    put(base + 4 * P, 2, RW, 0);
    shape("back home, and a new one above", base, 20);
    char *s = mmap(base + 20 * P, 4 * P, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mmap(base + 24 * P, 4 * P, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    lines("two shared", s, 10);
    mprotect(s + P, P, PROT_READ);
    lines("one cut", s, 10);
    R(mremap(s, 0, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, s + 10 * P) == s + 10 * P);
    lines("shown again", s, 14);
}

static void part_heap(void)
{
    char *start = (char *)syscall(SYS_brk, 0);
    char *page = (char *)(((unsigned long)start + P - 1) & ~(P - 1));

    syscall(SYS_brk, page + 4 * P);
    lines("heap", page, 8);
    mprotect(page + P, P, PROT_READ);
    lines("cut", page, 8);
    mprotect(page + P, P, RW);
    lines("whole", page, 8);
    R(put(page + 6 * P, 1, RW, 0) == page + 6 * P);
    printf("%ld\n", (long)((char *)syscall(SYS_brk, page + 5 * P) - page));
    printf("%ld\n", (long)((char *)syscall(SYS_brk, page + 6 * P) - page));
    printf("%ld\n", (long)((char *)syscall(SYS_brk, page + 7 * P) - page));
    lines("a neighbour", page, 8);
    munmap(page + 6 * P, P);
    put(page + 5 * P, 1, RW, 0);
    lines("put to its end", page, 8);
    printf("%ld\n", (long)((char *)syscall(SYS_brk, page + 2 * P) - page));
    lines("shrunk", page, 8);
    munmap(page, P);
    lines("its beginning gone", page, 8);
    printf("%ld\n", (long)((char *)syscall(SYS_brk, page + 3 * P) - page));
    lines("grown", page, 8);
    printf("%ld\n", (long)((char *)syscall(SYS_brk, page + 3 * P + 1) - page));
    lines("by a byte", page, 8);
    mlockall(MCL_FUTURE);
    printf("%ld\n", (long)((char *)syscall(SYS_brk, page + 5 * P) - page));
    vm_flags("locked", page + 4 * P);
    munlockall();
}

static void part_stack_grows(void)
{
    base = room(600);
    char *top = base + 590 * P;
    put(top, 2, RW, MAP_GROWSDOWN);
    shape("new", base + 500 * P, 92);
    R(probe(top - 1, 1));
    shape("one page", base + 500 * P, 92);
    R(probe(top - 40 * P, 1));
    shape("forty", base + 500 * P, 92);
    R(probe(top - 20 * P, 0));
    put(top - 50 * P, 1, RW, 0);
    R(probe(top - 41 * P, 1));
    shape("towards another", base + 500 * P, 92);
    munmap(top - 50 * P, P);
    put(top - 50 * P, 1, PROT_NONE, 0);
    R(probe(top - 41 * P, 1));
    shape("towards one without rights", base + 500 * P, 92);
    munmap(top - 50 * P, P);
    put(top - 50 * P, 1, RW, MAP_GROWSDOWN);
    R(probe(top - 42 * P, 1));
    shape("towards another stack", base + 500 * P, 92);
    R(mprotect(top, P, PROT_READ | PROT_GROWSDOWN));
    shape("rights down to its end", base + 500 * P, 92);
    R(mprotect(top + P, P, PROT_READ | PROT_GROWSDOWN));
    R(mprotect(top, P, PROT_READ | PROT_GROWSUP));
    R(mprotect(top, P, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
}

static void part_stack_gap(void)
{
    base = room(2000);
    char *top = base + 1000 * P;
    put(top, 2, RW, MAP_GROWSDOWN);
    // A hint within the gap is not taken, a fixed place is.
    CHECK("a hint near", mmap(top - 10 * P, P, RW, ANON, -1, 0) != top - 10 * P);
    CHECK("a hint at 255", mmap(top - 255 * P, P, RW, ANON, -1, 0) != top - 255 * P);
    CHECK("a hint at 256", mmap(top - 256 * P, P, RW, ANON, -1, 0) != top - 256 * P);
    CHECK("a hint at 257", mmap(top - 257 * P, P, RW, ANON, -1, 0) == top - 257 * P);
    R(probe(top - 1, 1));
    shape("no room to grow", top - 260 * P, 262);
    munmap(top - 257 * P, P);
    R(put(top - 300 * P, 1, RW, 0) == top - 300 * P);
    R(probe(top - 43 * P, 1));
    R(probe(top - 44 * P, 1));
    shape("up to the gap", top - 300 * P, 302);
    R(mmap(top - 60 * P, P, RW, ANON | MAP_FIXED, -1, 0) == top - 60 * P);
    shape("fixed", top - 300 * P, 302);
    CHECK("above a stack", mmap(top + 2 * P, P, PROT_READ, ANON, -1, 0) == top + 2 * P);
}

static void part_stack_of_main(void)
{
    char here;
    char *sp = (char *)((unsigned long)&here & ~(P - 1));
    struct rlimit limit = { 1 << 20, RLIM_INFINITY };
    char *line, *low = NULL;

    vm_flags("flags", sp);
    setrlimit(RLIMIT_STACK, &limit);
    R(probe(sp - 100 * P, 1));
    R(probe(sp - 300 * P, 1));
    unsigned long start, end;
    while ((line = next_line("/proc/self/maps")))
        if (strstr(line, "[stack]") && sscanf(line, "%lx-%lx", &start, &end) == 2)
            low = (char *)start;
    CHECK("grown to there", low == sp - 100 * P);
    CHECK("the row of status", row_of("/proc/self/status", "VmStk") >= 400 && row_of("/proc/self/status", "VmStk") < 600);
    limit.rlim_cur = 4 << 20;
    setrlimit(RLIMIT_STACK, &limit);
    R(probe(sp - 300 * P, 1));
}

static void part_noreplace(void)
{
    base = room(16);
    put(base + 4 * P, 4, RW, 0);
#define TRY(at, pages) R(mmap(at, (pages) * P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ? -1 : 0)
    TRY(base, 4);
    TRY(base + 3 * P, 1);
    TRY(base + 4 * P, 1);
    TRY(base + 7 * P, 4);
    TRY(base + 8 * P, 4);
    TRY(base + 2, 1);
    TRY((char *)(1ul << 47), 1);
    TRY((char *)((1ul << 47) - P), 1);
    TRY((char *)P, 1);
    shape("then", base, 16);
    R(mmap(base + P, P, PROT_READ, ANON | MAP_FIXED | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ? -1 : 0);
}

static void part_validate(void)
{
    int fd = file_of("f", 2), zero = open("/dev/zero", O_RDWR);

    int fds[] = { fd, zero };
    for (int i = 0; i < 2; i++) {
        MMAP(NULL, P, RW, VALIDATE, fds[i], 0);
        MMAP(NULL, P, RW, VALIDATE | MAP_SYNC, fds[i], 0);
        MMAP(NULL, P, RW, VALIDATE | 0x800000, fds[i], 0);
        MMAP(NULL, P, RW, VALIDATE | MAP_NORESERVE | MAP_POPULATE | MAP_LOCKED | MAP_NONBLOCK | MAP_STACK, fds[i], 0);
        MMAP(NULL, P, RW, MAP_SHARED | MAP_SYNC, fds[i], 0);
        MMAP(NULL, P, RW, MAP_SHARED | 0x800000, fds[i], 0);
        MMAP(NULL, P, RW, VALIDATE | MAP_GROWSDOWN, fds[i], 0);
        MMAP(NULL, P, RW, MAP_SHARED | MAP_GROWSDOWN, fds[i], 0);
        MMAP(NULL, P, RW, MAP_PRIVATE | MAP_GROWSDOWN, fds[i], 0);
    }
    MMAP(NULL, P, RW, VALIDATE | MAP_ANONYMOUS, -1, 0);
    MMAP(NULL, P, RW, VALIDATE | MAP_ANONYMOUS | MAP_SYNC, -1, 0);
    MMAP(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
    MMAP(NULL, P, RW, MAP_ANONYMOUS, -1, 0);
    MMAP(NULL, P, RW, 4 | MAP_ANONYMOUS, -1, 0);
    MMAP(NULL, P, RW | 0x80, ANON, -1, 0);
    MMAP(NULL, P, RW | PROT_GROWSDOWN, ANON, -1, 0);
}

static void part_huge_refused(void)
{
    int fd = file_of("f", 2);

    MMAP(NULL, LARGE, RW, ANON | MAP_HUGETLB, -1, 0);
    MMAP(NULL, P, RW, ANON | MAP_HUGETLB, -1, 0);
    MMAP(NULL, LARGE, RW, ANON | MAP_HUGETLB | 21 << 26, -1, 0);
    MMAP(NULL, LARGE, RW, ANON | MAP_HUGETLB | 22 << 26, -1, 0);
    MMAP(NULL, LARGE, RW, ANON | MAP_HUGETLB | 12 << 26, -1, 0);
    MMAP(NULL, LARGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    MMAP(NULL, LARGE, RW, MAP_PRIVATE | MAP_HUGETLB, fd, 0);
    MMAP(NULL, LARGE, RW, MAP_PRIVATE | MAP_HUGETLB, -1, 0);
    MMAP(NULL, 0, RW, ANON | MAP_HUGETLB, -1, 0);
    R(shmget(IPC_PRIVATE, LARGE, IPC_CREAT | 04000 | 0600));
    R(memfd_create("huge", 30 << 26));
}

static void part_names(void)
{
    base = room(64);
    int memory = memfd_create("a name", 0), none = memfd_create("", 0), file = file_of("f", 2), gone = file_of("gone", 2);
    int zero = open("/dev/zero", O_RDWR), odd = file_of("odd name\nof\\two lines", 1);
    // The number of the first segment may be zero, and is the inode's.
    int first = shmget(0x76, P, IPC_CREAT | 0600), shm = shmget(0x77, 2 * P, IPC_CREAT | 0600);

    ftruncate(memory, 2 * P);
    ftruncate(none, P);
    unlink("gone");
    mmap(base, 2 * P, RW, MAP_SHARED | MAP_FIXED, memory, 0);
    mmap(base + 2 * P, P, RW, MAP_PRIVATE | MAP_FIXED, memory, P);
    mmap(base + 4 * P, P, RW, MAP_SHARED | MAP_FIXED, none, 0);
    mmap(base + 6 * P, P, PROT_READ, MAP_SHARED | MAP_FIXED, file, P);
    mmap(base + 8 * P, P, RW, MAP_PRIVATE | MAP_FIXED, gone, 0);
    mmap(base + 10 * P, P, RW, MAP_SHARED | MAP_FIXED, zero, 0);
    mmap(base + 12 * P, P, RW, MAP_PRIVATE | MAP_FIXED, zero, 0);
    mmap(base + 14 * P, P, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mmap(base + 16 * P, P, RW, MAP_PRIVATE | MAP_FIXED, odd, 0);
    shmat(shm, base + 18 * P, 0);
    shmctl(shm, IPC_RMID, NULL);
    shmctl(first, IPC_RMID, NULL);
    close(memory), close(file), close(gone), close(zero);
    lines("names", base, 24);
    shmdt(base + 18 * P);
    rename("f", "g");
    lines("renamed", base + 6 * P, 1);
    unlink("g");
    lines("removed", base + 6 * P, 1);
}

static void link_of(const char *what, int fd)
{
    char path[64], text[256];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    printf("%s: %s\n", what, text);
}

static void part_links(void)
{
    struct stat st, other;

    int memory = memfd_create("a/name", 0);
    link_of("memory file", memory);
    link_of("no name", memfd_create("", 0));
    int gone = file_of("gone", 1);
    unlink("gone");
    link_of("removed", gone);
    R(ftruncate(memory, 10));
    fstat(memory, &st);
    printf("%o %ld %ld %ld\n", st.st_mode, (long)st.st_nlink, (long)st.st_size, (long)st.st_blocks);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    int again = open(path, O_RDONLY);
    fstat(again, &other);
    CHECK("opened again", st.st_ino == other.st_ino && st.st_dev == other.st_dev);
    R(write(again, "x", 1));
    link_of("it", again);
    R(fchmod(memory, 0600));
    R(linkat(AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
    char name[300];
    memset(name, 'n', sizeof name);
    name[249] = 0;
    CHECK("the longest name", memfd_create(name, 0) >= 0);
    name[249] = 'n', name[250] = 0;
    R(memfd_create(name, 0));
    R(memfd_create(NULL, 0));
    R(memfd_create("x", 0x100));
}

// Names for areas are an option of Linux that is off.
static void part_named_areas(void)
{
    base = room(8);
    put(base, 4, RW, 0);
    R(prctl(0x53564d41, 0, base, 2 * P, "name"));
    R(prctl(0x53564d41, 0, base, P, NULL));
    R(prctl(0x53564d41, 1, base, P, "name"));
    lines("no name", base, 4);
}

static void part_devices(void)
{
    int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR), ends[2];

    pipe(ends);
    MMAP(NULL, P, RW, MAP_SHARED, null, 0);
    MMAP(NULL, P, RW, MAP_SHARED, ends[0], 0);
    MMAP(NULL, P, RW, MAP_PRIVATE, open("/proc/self/maps", O_RDONLY), 0);
    MMAP(NULL, P, PROT_READ, MAP_PRIVATE, open("/dev/full", O_RDONLY), 0);
    MMAP(NULL, P, PROT_READ, MAP_PRIVATE, open("/dev/urandom", O_RDONLY), 0);
    MMAP(NULL, P, PROT_READ, MAP_PRIVATE, open("/", O_RDONLY), 0);
    MMAP(NULL, P, PROT_READ, MAP_PRIVATE, open("/", O_PATH), 0);
    char *s = mmap(NULL, 2 * P, RW, MAP_SHARED, zero, 0), *other = mmap(NULL, 2 * P, RW, MAP_SHARED, zero, 0);
    IN_CHILD("child")
        s[5] = 7;
    printf("%d %d\n", s[5], other[5]);
    char *p = mmap(NULL, 2 * P, RW, MAP_PRIVATE, zero, 5 * P);
    IN_CHILD("child")
        p[5] = 7;
    printf("%d\n", p[5]);
    int ro = open("/dev/zero", O_RDONLY);
    MMAP(NULL, P, RW, MAP_SHARED, ro, 0);
    MMAP(NULL, P, RW, MAP_PRIVATE, ro, 0);
}

// Which hole a mapping gets.
static void part_holes(void)
{
    base = room(100);
    put(base, 100, PROT_NONE, MAP_NORESERVE);
    munmap(base + 10 * P, 5 * P);
    munmap(base + 30 * P, 3 * P);
    munmap(base + 50 * P, 4 * P);
    for (int i = 0; i < 40; i++) {
        // Holes above are not the matter: fill them.
        char *at = mmap(NULL, P, PROT_READ, ANON, -1, 0);
        if (at < base + 100 * P && at >= base) {
            printf("%ld\n", (long)(at - base) / P);
            break;
        }
    }
    printf("%ld\n", (long)((char *)mmap(NULL, 3 * P, PROT_READ, ANON, -1, 0) - base) / P);
    printf("%ld\n", (long)((char *)mmap(NULL, 5 * P, PROT_READ, ANON, -1, 0) - base) / P);
    printf("%ld\n", (long)((char *)mmap(NULL, 2 * P, PROT_READ, ANON, -1, 0) - base) / P);
    printf("%ld\n", (long)((char *)mmap(NULL, P, PROT_READ, ANON, -1, 0) - base) / P);
    munmap(base + 20 * P, 2 * P);
    printf("%ld\n", (long)((char *)mmap(NULL, 2 * P, PROT_READ, ANON, -1, 0) - base) / P);
}

static void part_hints(void)
{
    base = room(64);
    printf("%ld\n", (long)((char *)mmap(base + 8 * P, P, RW, ANON, -1, 0) - base));
    printf("%ld\n", (long)((char *)mmap(base + 10 * P + 100, P, RW, ANON, -1, 0) - base));
    CHECK("taken", mmap(base + 8 * P, P, RW, ANON, -1, 0) != base + 8 * P);
    CHECK("reaches into another", mmap(base + 7 * P, 2 * P, RW, ANON, -1, 0) != base + 7 * P);
    printf("%ld\n", (long)((char *)mmap(base + 9 * P, P, RW, ANON, -1, 0) - base));
    shape("then", base, 12);
    CHECK("too low is raised", mmap((void *)P, P, RW, ANON, -1, 0) == (void *)0x10000);
    munmap((void *)0x10000, P);
    CHECK("in the first page is none", mmap((void *)1, P, RW, ANON, -1, 0) != (void *)0x10000);
    CHECK("beyond the end", (unsigned long)mmap((void *)(1ul << 47), P, RW, ANON, -1, 0) < 1ul << 47);
    CHECK("the kernel's", (unsigned long)mmap((void *)-P, P, RW, ANON, -1, 0) < 1ul << 47);
    CHECK("the last page", (unsigned long)mmap((void *)((1ul << 47) - P), P, RW, ANON, -1, 0) < (1ul << 47) - P);
    unsigned long low = (unsigned long)mmap(NULL, P, RW, ANON | MAP_32BIT, -1, 0);
    CHECK("below two gigabytes", low >= 0x40000000 && low < 0x80000000);
    unsigned long next = (unsigned long)mmap(NULL, P, RW, ANON | MAP_32BIT, -1, 0);
    CHECK("and another", next != low && next >= 0x40000000 && next < 0x80000000);
    MMAP(NULL, 0x40001000, PROT_NONE, ANON | MAP_32BIT | MAP_NORESERVE, -1, 0);
    R(mmap((void *)0x10000, P, RW, ANON | MAP_FIXED, -1, 0) == (void *)0x10000);
    R((long)mmap((void *)P, P, RW, ANON | MAP_FIXED, -1, 0));
    IN_CHILD("another user") {
        setuid(1000);
        R((long)mmap((void *)P, P, RW, ANON | MAP_FIXED, -1, 0));
        R((long)mmap((void *)0xf000, 2 * P, RW, ANON | MAP_FIXED, -1, 0));
        R(mmap((void *)0x10000, P, RW, ANON | MAP_FIXED, -1, 0) == (void *)0x10000);
    }
}

static void part_too_many(void)
{
    enum { HALF = 33000 };
    char *at = mmap(NULL, 2 * HALF * P, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
    int made = 0;

    while (made < HALF && mprotect(at + 2 * made * P, P, PROT_READ) == 0)
        made++;
    CHECK("refused in time", made > 32000 && made < HALF && errno == ENOMEM);
    R(munmap(at + 2 * 5000 * P + P, 0) == 0 ? 0 : -1);
    // As many as there may be: what makes one more is refused, what makes none is not.
    while (mmap(NULL, P, made++ % 2 ? PROT_READ : PROT_NONE, ANON, -1, 0) != MAP_FAILED)
        ;
    printf("%s\n", error_name(errno));
    char *inside = at + (2 * HALF - 100) * P;
    R(munmap(inside, P));
    R(mprotect(inside, P, PROT_READ));
    R(madvise(inside, P, MADV_DONTFORK));
    R(mlock(inside, P));
    R(munmap(at, 100 * P));
    R(munmap(inside, P));
    R(mprotect(inside + 2 * P, P, PROT_READ));
    R(munmap(at, 2 * HALF * P));
}

PARTS({ "neighbours", part_neighbours }, { "flags_apart", part_flags_apart }, { "three_parts", part_three_parts },
      { "offsets", part_offsets }, { "anonymous_offsets", part_anonymous_offsets }, { "heap", part_heap },
      { "stack_grows", part_stack_grows }, { "stack_gap", part_stack_gap }, { "stack_of_main", part_stack_of_main },
      { "noreplace", part_noreplace }, { "validate", part_validate }, { "huge_refused", part_huge_refused },
      { "names", part_names }, { "links", part_links }, { "named_areas", part_named_areas }, { "devices", part_devices },
      { "holes", part_holes }, { "hints", part_hints }, { "too_many", part_too_many })
