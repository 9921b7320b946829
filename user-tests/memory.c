// Memory in its finer points: large pages, locks, advice, seals, other processes' memory, limits, what faults say.
#include "t.h"
#include "vm.h"
#include <sys/ipc.h>
#include <sys/shm.h>

static int wrong_bytes(char *at, size_t pages, int from)
{
    int wrong = 0;

    for (size_t i = 0; i < pages; i++)
        wrong += at[i * P] != (char)(from + i);
    return wrong;
}

static void part_large(void)
{
    // Four aligned areas of 2 MiB, the rest of the mapping around them.
    char *all = map(6 * LARGE, PROT_READ | PROT_WRITE);
    char *a = (char *)(((unsigned long)all + LARGE - 1) & ~(LARGE - 1)) + LARGE;
    R(madvise(all, 6 * LARGE, MADV_HUGEPAGE));
    a[5 * P] = 1;
    CHECK("one store, one large page", smaps(a, "AnonHugePages") == 2048 && smaps(a, "Anonymous") == 2048);
    for (int i = 0; i < 1024; i++)
        a[i * P] = (char)i;
    CHECK("two", smaps(a, "AnonHugePages") == 4096);
    printf("%d wrong\n", wrong_bytes(a, 1024, 0));
    R(munmap(a + 10 * P, 3 * P));
    printf("%d %d %d %d\n", probe(a + 9 * P, 1), probe(a + 10 * P, 1), probe(a + 12 * P, 0), probe(a + 13 * P, 1));
    CHECK("what is left", smaps(a, "Anonymous") == 40 && smaps(a + 13 * P, "Anonymous") == 4096 - 52);
    R(mprotect(a + 20 * P, P, PROT_READ));
    R(mprotect(a + 21 * P, P, PROT_NONE));
    printf("%d %d %d %d\n", probe(a + 20 * P, 0), probe(a + 20 * P, 1), probe(a + 21 * P, 0), probe(a + 22 * P, 1));
    char *b = a + LARGE;
    R(madvise(b + P, 2 * P, MADV_DONTNEED));
    printf("%d %d %d %d\n", b[0] == 0, b[P], b[2 * P], b[3 * P]);
    char *c = b + LARGE;
    R(mprotect(c, LARGE, PROT_READ));
    printf("%d %d\n", probe(c, 0), probe(c, 1));
    R(mprotect(c, LARGE, PROT_READ | PROT_WRITE));
    for (int i = 0; i < 512; i++)
        c[i * P] = (char)(i + 3);
    R(mprotect(c, LARGE, PROT_READ));
    printf("%d %d\n", probe(c + 7, 0), probe(c + 7, 1));
    R(mprotect(c, LARGE, PROT_NONE));
    printf("%d\n", probe(c + 7, 0));
    R(mprotect(c, LARGE, PROT_READ | PROT_WRITE));
    printf("%d wrong\n", wrong_bytes(c, 512, 3));
    char *d = c + LARGE;
    for (int i = 0; i < 512; i++)
        d[i * P] = (char)(i + 5);
    IN_CHILD("child") {
        printf("%d wrong in the child\n", wrong_bytes(d, 512, 5));
        d[0] = 100, d[511 * P] = 101;
    }
    printf("%d wrong\n", wrong_bytes(d, 512, 5));
    d[P] = 102;
    IN_CHILD("another") {
        printf("%d\n", d[P]);
        R(munmap(d, LARGE));
        printf("%d %d\n", probe(d, 0), probe(c, 1));
    }
    d[P] = 6;
    char *moved = mremap(d, LARGE, LARGE, MREMAP_MAYMOVE | MREMAP_FIXED, all);
    printf("%d wrong, moved %d\n", wrong_bytes(all, 512, 5), moved == all);
    printf("%d\n", probe(d, 0));
    struct iovec local = { (char[8]){ 0 }, 4 }, remote = { b + 3 * P, 4 };
    R(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
    R(munmap(all, 6 * LARGE));
}

static void part_faults(void)
{
    int fd = file_of("f", 1);

    base = room(40);
    put(base + P, 1, PROT_READ, 0);
    put(base + 2 * P, 1, PROT_NONE, 0);
    put(base + 3 * P, 1, PROT_WRITE, 0);
    mmap(base + 4 * P, 3 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    mmap(base + 7 * P, 3 * P, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    fault("hole, read", base + 5, 0);
    fault("hole, write", base + 6, 1);
    fault("read-only, read", base + P, 0);
    fault("read-only, write", base + P + 7, 1);
    fault("nothing, read", base + 2 * P + 8, 0);
    fault("nothing, write", base + 2 * P + 9, 1);
    fault("write-only, read", base + 3 * P, 0);
    fault("shared file, within", base + 4 * P + 1, 1);
    fault("shared file, beyond", base + 5 * P + 2, 0);
    fault("shared file, beyond, write", base + 6 * P + 3, 1);
    fault("private file, beyond", base + 8 * P + 4, 0);
    ftruncate(fd, 0);
    fault("shared file, cut", base + 4 * P + 5, 1);
    fault("private file, cut", base + 7 * P + 6, 0);
    ftruncate(fd, P);
    fault("shared file, grown again", base + 4 * P + 7, 0);
    probe((char *)0xffff800000001234, 0);
    printf("the kernel's: signal %d code %d at %lx\n", seen.si_signo, seen.si_code, (long)seen.si_addr);
    probe((char *)0x800000001234, 0);
    printf("not canonical: signal %d code %d at %lx\n", seen.si_signo, seen.si_code, (long)seen.si_addr);
    probe((char *)16, 1);
    printf("near zero: signal %d code %d at %lx\n", seen.si_signo, seen.si_code, (long)seen.si_addr);
}

static void part_merges(void)
{
    base = room(40);
    put(base, 4, RW, 0);
    put(base + 4 * P, 4, RW, 0);
    shape("two made one", base, 10);
    put(base + 9 * P, 1, RW, 0);
    shape("a hole between", base, 10);
    put(base + 8 * P, 1, RW, 0);
    shape("filled", base, 10);
    mprotect(base + 3 * P, 2 * P, PROT_READ);
    shape("middle read-only", base, 10);
    mprotect(base + 3 * P, 2 * P, RW);
    shape("and back", base, 10);
    mprotect(base + 3 * P, 2 * P, PROT_READ);
    mprotect(base + 5 * P, 5 * P, PROT_READ);
    shape("joins above", base, 10);
    mprotect(base, 3 * P, PROT_READ);
    shape("all", base, 10);
    munmap(base + 2 * P, P);
    shape("one taken out", base, 10);
    put(base + 2 * P, 1, RW, MAP_NORESERVE);
    shape("another kind put in", base, 10);
    mprotect(base + 2 * P, P, PROT_READ);
    shape("with the same rights", base, 10);
    munmap(base, 10 * P);
    shape("gone", base, 10);
}

static void part_merges_of_touched(void)
{
    base = room(40);
    put(base, 2, RW, 0);
    base[0] = 1;
    put(base + 2 * P, 2, RW, 0);
    shape("next to a touched one", base, 8);
    put(base + 6 * P, 2, RW, 0);
    base[6 * P] = 1;
    shape("two touched", base, 8);
    put(base + 4 * P, 2, RW, 0);
    shape("filled", base, 8);
    mprotect(base + 4 * P, P, PROT_READ);
    mprotect(base + 4 * P, P, RW);
    shape("to and fro", base, 8);
    IN_CHILD("child") {
        shape("inherited", base, 8);
        mprotect(base + P, P, PROT_READ);
        mprotect(base + P, P, RW);
        shape("to and fro in the child", base, 8);
        put(base + 8 * P, 1, RW, 0);
        shape("a new one", base, 9);
    }
    munmap(base, 8 * P);
    put(base, 1, RW, 0);
    put(base + 2 * P, 1, RW, 0);
    base[0] = base[2 * P] = 1;
    base = mremap(base, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, base + P);
    shape("moved next to another", base - P, 4);
}

static void part_merges_of_files(void)
{
    int fd = file_of("f", 8), again = open("f", O_RDWR);

    base = room(40);
    mmap(base, 2 * P, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    mmap(base + 2 * P, 2 * P, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 2 * P);
    shape("in order", base, 8);
    mmap(base + 4 * P, P, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 5 * P);
    shape("out of order", base, 8);
    mmap(base + 5 * P, P, PROT_READ, MAP_PRIVATE | MAP_FIXED, again, 6 * P);
    shape("another open file", base, 8);
    mmap(base + 6 * P, P, PROT_READ, MAP_SHARED | MAP_FIXED, again, 7 * P);
    shape("shared", base, 8);
    mprotect(base + P, P, RW);
    shape("one written to", base, 8);
    mprotect(base + P, P, PROT_READ);
    shape("before it is written", base, 8);
    mprotect(base + P, P, RW);
    base[P] = 'x';
    mprotect(base + P, P, PROT_READ);
    shape("after it is written", base, 8);
}

static void part_merges_by_advice(void)
{
    base = room(40);
    put(base, 8, RW, 0);
    struct { const char *name; int advice, back; } list[] = {
        { "DONTFORK", MADV_DONTFORK, MADV_DOFORK }, { "DONTDUMP", MADV_DONTDUMP, MADV_DODUMP },
        { "WIPEONFORK", MADV_WIPEONFORK, MADV_KEEPONFORK }, { "SEQUENTIAL", MADV_SEQUENTIAL, MADV_NORMAL },
        { "RANDOM", MADV_RANDOM, MADV_NORMAL }, { "NOHUGEPAGE", MADV_NOHUGEPAGE, MADV_HUGEPAGE },
        { "WILLNEED", MADV_WILLNEED, MADV_NORMAL }, { "COLD", MADV_COLD, MADV_NORMAL },
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        R(madvise(base + 2 * P, 2 * P, list[i].advice));
        shape(list[i].name, base, 8);
        R(madvise(base + 2 * P, 2 * P, list[i].back));
        shape("back", base, 8);
    }
    R(mlock(base + P, P));
    shape("locked", base, 8);
    R(munlock(base, 8 * P));
    shape("unlocked", base, 8);
}

static void part_advice(void)
{
    int fd = file_of("f", 4);
    char *a = map(4 * P, RW), *f = mmap(NULL, 4 * P, RW, MAP_PRIVATE, fd, 0);
    char *s = mmap(NULL, 4 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *sf = mmap(NULL, 4 * P, RW, MAP_SHARED, fd, 0);
    char *ro = mmap(NULL, P, PROT_READ, MAP_SHARED, fd, 0), *l = map(P, RW);
    char *all[] = { a, f, s, sf, ro, l };

    mlock(l, P);
    for (int advice = 0; advice < 30; advice++) {
        // Shared pages are not all there to be dropped: of that only who asks for it knows.
        if ((advice >= 5 && advice <= 7) || advice == MADV_HUGEPAGE || advice == 25)
            continue;
        printf("%d:", advice);
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            printf(" %s", madvise(all[i], P, advice) == 0 ? "0" : error_name(errno));
        printf("\n");
    }
    R(madvise(a, 0, 9999));
    R(madvise(a + 1, P, MADV_NORMAL));
    R(madvise(a, ~0ul, MADV_NORMAL));
    R(madvise(a, -P, MADV_NORMAL));
    munmap(a + P, P);
    R(madvise(a, 3 * P, MADV_NORMAL));
    a[0] = a[2 * P] = 1;
    R(madvise(a, 3 * P, MADV_DONTNEED));
    printf("%d %d\n", a[0], a[2 * P]);
}

static void part_advice_taken(void)
{
    int fd = file_of("f", 4);
    unsigned char there[4];
    char *a = map(4 * P, RW), *f = mmap(NULL, 4 * P, RW, MAP_PRIVATE, fd, 0);
    char *s = mmap(NULL, 4 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *sf = mmap(NULL, 4 * P, RW, MAP_SHARED, fd, 0);

    R(madvise(a, 2 * P, MADV_POPULATE_WRITE));
    R(mincore(a, 4 * P, there));
    printf("%d%d%d%d\n", there[0] & 1, there[1] & 1, there[2] & 1, there[3] & 1);
    R(madvise(a, 4 * P, MADV_POPULATE_READ));
    R(mincore(a, 4 * P, there));
    printf("%d%d%d%d\n", there[0] & 1, there[1] & 1, there[2] & 1, there[3] & 1);
    R(mprotect(a + P, P, PROT_NONE));
    R(madvise(a, 4 * P, MADV_POPULATE_READ));
    R(mprotect(a + P, P, PROT_READ));
    R(madvise(a, 4 * P, MADV_POPULATE_READ));
    R(madvise(a, 4 * P, MADV_POPULATE_WRITE));
    R(munmap(a + 2 * P, P));
    R(madvise(a, 4 * P, MADV_POPULATE_READ));
    R(ftruncate(fd, P));
    R(madvise(sf, 4 * P, MADV_POPULATE_READ));
    R(ftruncate(fd, 4 * P));
    memset(f, 'F', 4 * P), memset(s, 'S', 4 * P), memset(sf, 'T', 4 * P);
    R(madvise(f, 4 * P, MADV_DONTNEED));
    R(madvise(s, 4 * P, MADV_DONTNEED));
    R(madvise(sf, 4 * P, MADV_DONTNEED));
    printf("%c %c %c\n", f[P], s[P], sf[P]);
    R(madvise(s + P, P, MADV_REMOVE));
    R(madvise(sf + P, P, MADV_REMOVE));
    printf("%c %d %c, %c %d %c\n", s[0], s[P], s[2 * P], sf[0], sf[P], sf[2 * P]);
    a[0] = 9;
    R(madvise(a, P, MADV_COLD));
    R(madvise(a, P, MADV_PAGEOUT));
    printf("%d\n", a[0]);
    char *w = map(2 * P, RW), *d = map(2 * P, RW);
    w[0] = d[0] = 5;
    R(madvise(w, P, MADV_WIPEONFORK));
    R(madvise(d, P, MADV_DONTFORK));
    w[P] = d[P] = 6;
    IN_CHILD("child") {
        printf("%d %d %d\n", w[0], w[P], d[P]);
        printf("%d\n", probe(d, 0));
        IN_CHILD("grandchild")
            printf("%d\n", w[0]);
    }
    printf("%d %d\n", w[0], d[0]);
    for (int i = 0; i < 2; i++) {
        R(madvise(w, P, MADV_FREE));
        w[10] = 3;
        printf("%d\n", w[10]);
    }
}

static long status_kib(const char *row)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");

    while (fgets(line, sizeof line, file))
        if (strncmp(line, row, strlen(row)) == 0 && line[strlen(row)] == ':')
            value = atol(line + strlen(row) + 1);
    fclose(file);
    return value;
}

#define LOCKED printf("locked %ld KiB\n", status_kib("VmLck"))

static void part_locks(void)
{
    char *a = map(8 * P, RW);
    unsigned char there[8];

    R(mlock(a + 100, P));
    LOCKED;
    R(mlock(a, P));
    LOCKED;
    R(mincore(a, 8 * P, there));
    printf("%d%d%d\n", there[0] & 1, there[1] & 1, there[2] & 1);
    R(syscall(SYS_mlock2, a + 4 * P, 2 * P, 1));
    LOCKED;
    R(mincore(a, 8 * P, there));
    printf("%d%d\n", there[4] & 1, there[5] & 1);
    R(syscall(SYS_mlock2, a, P, 2));
    R(mlock(a, 0));
    R(mlock(a, ~0ul));
    R(mlock((char *)-P, P));
    R(munlock(a, 3 * P));
    LOCKED;
    R(munmap(a + 4 * P, P));
    LOCKED;
    R(munlock(a, 8 * P));
    LOCKED;
    R(mlock(a, 8 * P));
    LOCKED;
    IN_CHILD("child")
        LOCKED;
    R(munmap(a, 8 * P));
    LOCKED;
    char *l = mmap(NULL, 2 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    LOCKED;
    R(mincore(l, 2 * P, there));
    printf("%d%d\n", there[0] & 1, there[1] & 1);
    R(mremap(l, 2 * P, 4 * P, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    LOCKED;
    R(mlockall(0));
    R(mlockall(8));
    R(mlockall(MCL_ONFAULT));
    R(mlockall(MCL_FUTURE));
    map(3 * P, PROT_NONE);
    CHECK("a future mapping is locked", status_kib("VmLck") >= 28);
    R(munlockall());
    LOCKED;
    R(mlockall(MCL_CURRENT | MCL_ONFAULT));
    CHECK("all is locked", status_kib("VmLck") > 100);
    R(munlockall());
    LOCKED;
}

static void part_lock_limits(void)
{
    char *a = map(64 * P, RW);
    struct rlimit limit = { 4 * P, 4 * P };

    R(setrlimit(RLIMIT_MEMLOCK, &limit));
    R(setuid(1000));
    R(mlock(a, 4 * P));
    R(mlock(a, 4 * P));
    R(mlock(a + 4 * P, P));
    R(mlock(a, 5 * P));
    R(mmap(NULL, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) == MAP_FAILED ? -1 : 0);
    R(mremap(a, 4 * P, 100 * P, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    R(munlock(a, P));
    R(mlock(a + 10 * P, P));
    R(mlockall(MCL_CURRENT));
    R(mlockall(MCL_FUTURE));
    R(mmap(NULL, P, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    R(munlockall());
    limit = (struct rlimit){ 0, 0 };
    R(setrlimit(RLIMIT_MEMLOCK, &limit));
    R(mlock(a, P));
    R(mlockall(MCL_CURRENT));
    R(mmap(NULL, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) == MAP_FAILED ? -1 : 0);
    R(munlock(a, P));
}

#define GET R(fcntl(fd, F_GET_SEALS))

static void part_seals(void)
{
    int fd = memfd_create("plain", 0);

    GET;
    R(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    R(memfd_create("bad", 0x40));
    R(memfd_create((char *)8, 0));
    close(fd);
    fd = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    GET;
    R(fcntl(fd, F_GETFD));
    R(ftruncate(fd, 2 * P));
    R(fcntl(fd, F_ADD_SEALS, 0x100));
    R(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    R(ftruncate(fd, P));
    R(ftruncate(fd, 3 * P));
    R(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    GET;
    R(ftruncate(fd, 4 * P));
    R(ftruncate(fd, 3 * P));
    R(pwrite(fd, "x", 1, 3 * P));
    R(pwrite(fd, "x", 1, 3 * P - 1));
    R(pwrite(fd, "xyz", 3, 3 * P - 1));
    R(fallocate(fd, 0, 3 * P, P));
    R(open("/proc/self/fd/3", O_RDWR | O_TRUNC));
    char *w = mmap(NULL, P, RW, MAP_SHARED, fd, 0);
    R(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(w, P);
    char *r = mmap(NULL, P, PROT_READ, MAP_SHARED, fd, 0);
    R(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(r, P);
    R(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    R(pwrite(fd, "x", 1, 0));
    R(mmap(NULL, P, RW, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    r = mmap(NULL, P, PROT_READ, MAP_SHARED, fd, 0);
    CHECK("mapped for reading", r != MAP_FAILED);
    R(mprotect(r, P, RW));
    char *c = mmap(NULL, P, RW, MAP_PRIVATE, fd, 0);
    c[0] = 1;
    R(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, P));
    R(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    R(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    GET;
    fd = memfd_create("future", MFD_ALLOW_SEALING);
    R(ftruncate(fd, P));
    w = mmap(NULL, P, RW, MAP_SHARED, fd, 0);
    R(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    w[0] = 7;
    R(pwrite(fd, "x", 1, 0));
    R(mmap(NULL, P, RW, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    r = mmap(NULL, P, PROT_READ, MAP_SHARED, fd, 0);
    printf("%d\n", r[0]);
    R(mprotect(r, P, RW));
    GET;
    int file = open("f", O_RDWR | O_CREAT, 0600);
    R(fcntl(file, F_GET_SEALS));
    int pipes[2];
    pipe(pipes);
    R(fcntl(pipes[0], F_ADD_SEALS, F_SEAL_WRITE));
}

static void part_memfd(void)
{
    int fd = memfd_create("my name", 0);
    struct stat st;

    R(fstat(fd, &st));
    printf("%o %ld %ld\n", st.st_mode, (long)st.st_nlink, (long)st.st_size);
    R(write(fd, "hello", 5));
    R(lseek(fd, 1 << 20, SEEK_SET));
    R(write(fd, "!", 1));
    R(fstat(fd, &st));
    printf("%ld\n", (long)st.st_size);
    char *a = mmap(NULL, P, RW, MAP_SHARED, fd, 0);
    printf("%.5s\n", a);
    IN_CHILD("child")
        memcpy(a, "HELLO", 5);
    char back[6] = "";
    R(pread(fd, back, 5, 0));
    printf("%s\n", back);
    int again = open("/proc/self/fd/3", O_RDONLY);
    R(read(again, back, 5));
    R(write(again, back, 1));
    R(fchmod(fd, 0400));
    char longest[260];
    memset(longest, 'n', sizeof longest);
    longest[249] = 0;
    R(memfd_create(longest, 0) >= 0);
    longest[249] = 'n', longest[250] = 0;
    R(memfd_create(longest, 0));
}

static void part_remote(void)
{
    char *a = map(4 * P, RW), *b = map(4 * P, RW);
    pid_t pid;
    int ends[2];

    for (int i = 0; i < 4 * P; i++)
        a[i] = (char)(i / P + 1);
    munmap(a + 2 * P, P);
    pipe(ends);
    if ((pid = fork()) == 0) {
        char c;
        a[0] = 11;
        read(ends[0], &c, 1);
        printf("the child has %d %d\n", a[1], a[P]);
        _exit(0);
    }
    pause_ms(50);
    struct iovec to = { b, 4 * P }, from = { a, 4 * P };
#define READ(flags) R(process_vm_readv(pid, &to, 1, &from, 1, flags))
    READ(0);
    printf("%d %d %d\n", b[0], b[P], b[2 * P]);
    READ(1);
    from = (struct iovec){ a + P + 10, P };
    READ(0);
    from = (struct iovec){ a + 2 * P, P };
    READ(0);
    from = (struct iovec){ (char *)-1, 1 };
    READ(0);
    from = (struct iovec){ a, 10 }, to = (struct iovec){ (char *)16, 10 };
    READ(0);
    struct iovec pieces[3] = { { b, 3 }, { b + 100, 0 }, { b + 200, 7 } }, parts[2] = { { a, 5 }, { a + P, 100 } };
    R(process_vm_readv(pid, pieces, 3, parts, 2, 0));
    printf("%d %d %d %d\n", b[0], b[1], b[200], b[203]);
    R(process_vm_readv(pid, pieces, -1, parts, 2, 0));
    R(process_vm_readv(pid, pieces, 2000, parts, 2, 0));
    R(process_vm_readv(pid, pieces, 0, parts, 2, 0));
    R(process_vm_readv(pid, pieces, 3, parts, 0, 0));
    R(process_vm_readv(pid, (void *)8, 3, parts, 2, 0));
    R(process_vm_readv(pid, pieces, 3, (void *)8, 2, 0));
    R(process_vm_readv(0x7ffffff, pieces, 3, parts, 2, 0));
    to = (struct iovec){ "\x21\x22", 2 }, from = (struct iovec){ a + 1, 2 };
    R(process_vm_writev(pid, &to, 1, &from, 1, 0));
    from = (struct iovec){ a + P, 1 };
    R(process_vm_writev(pid, &to, 1, &from, 1, 0));
    from = (struct iovec){ a + 2 * P, 1 };
    R(process_vm_writev(pid, &to, 1, &from, 1, 0));
    printf("the parent has %d %d\n", a[1], a[P]);
    write(ends[1], "", 1);
    waitpid(pid, NULL, 0);
    READ(0);
    IN_CHILD("another user") {
        setuid(1000);
        from = (struct iovec){ a, 1 }, to = (struct iovec){ b, 1 };
        R(process_vm_readv(getppid(), &to, 1, &from, 1, 0));
        R(process_vm_readv(getpid(), &to, 1, &from, 1, 0));
        R(process_vm_readv(1, &to, 1, &from, 1, 0));
    }
}

static void part_mincore(void)
{
    int fd = file_of("f", 4);
    char *a = map(6 * P, RW), *f = mmap(NULL, 4 * P, PROT_READ, MAP_SHARED, fd, 0);
    unsigned char there[8];

#define SHOW(at, pages) memset(there, 9, 8), R(mincore(at, (pages) * P, there)), \
    printf("%d%d%d%d %d\n", there[0] & 1, there[1] & 1, there[2] & 1, there[3] & 1, there[4])
    a[P] = a[3 * P] = 1;
    SHOW(a, 4);
    SHOW(f, 4);
    R(mincore(a, 3 * P + 1, there));
    R(mincore(a, 0, there));
    R(mincore(a + 7, P, there));
    R(mincore(a, P, (void *)16));
    R(mincore(a, ~0ul, there));
    munmap(a + 2 * P, P);
    R(mincore(a, 4 * P, there));
    R(mincore(a, 4 * P, (void *)16));
    R(mincore((void *)0xffff800000000000, P, there));
    R(mprotect(a, P, PROT_NONE));
    R(mincore(a, 2 * P, there));
    printf("%d%d\n", there[0] & 1, there[1] & 1);
}

static void part_msync(void)
{
    int fd = file_of("f", 4);
    char *f = mmap(NULL, 4 * P, RW, MAP_SHARED, fd, 0), *p = mmap(NULL, P, RW, MAP_PRIVATE, fd, 0);

    R(msync(f, 4 * P, MS_ASYNC));
    R(msync(f, 4 * P, MS_SYNC));
    R(msync(f, 4 * P, MS_SYNC | MS_INVALIDATE));
    R(msync(f, 4 * P, MS_SYNC | MS_ASYNC));
    R(msync(f, 4 * P, 0));
    R(msync(f, 4 * P, 8));
    R(msync(f + 1, P, MS_SYNC));
    R(msync(f, 0, MS_SYNC));
    R(msync(f, 1, MS_SYNC));
    R(msync(f, ~0ul, MS_SYNC));
    R(msync(p, P, MS_SYNC));
    R(munmap(f + P, P));
    R(msync(f, 4 * P, MS_SYNC));
    R(msync(f + P, P, MS_ASYNC));
    R(mlock(f, P));
    R(msync(f, P, MS_INVALIDATE));
    R(msync(f, P, MS_SYNC));
}

static void part_limits(void)
{
    struct rlimit limit;

#define MAP(len, prot, flags) R(mmap(NULL, len, prot, flags | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0)
    IN_CHILD("data") {
        limit = (struct rlimit){ 8 << 20, 8 << 20 };
        R(setrlimit(RLIMIT_DATA, &limit));
        MAP(4 << 20, RW, MAP_PRIVATE);
        MAP(8 << 20, RW, MAP_PRIVATE);
        MAP(8 << 20, PROT_READ, MAP_PRIVATE);
        char *ro = mmap(NULL, 8 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        R(mprotect(ro, 8 << 20, RW));
        R(mprotect(ro, P, RW));
        MAP(8 << 20, RW, MAP_SHARED);
        MAP(8 << 20, RW, MAP_PRIVATE | MAP_NORESERVE);
        MAP(8 << 20, RW, MAP_PRIVATE | MAP_GROWSDOWN);
        char *a = mmap(NULL, P, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        R(mremap(a, P, 8 << 20, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    }
    IN_CHILD("address space") {
        limit = (struct rlimit){ 64 << 20, 64 << 20 };
        R(setrlimit(RLIMIT_AS, &limit));
        MAP(32 << 20, PROT_NONE, MAP_PRIVATE);
        MAP(32 << 20, PROT_NONE, MAP_PRIVATE);
        char *a = mmap(NULL, 16 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        MAP(24 << 20, PROT_NONE, MAP_SHARED);
        R(munmap(a, 16 << 20));
        a = mmap(NULL, 16 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        R(mmap(a, 16 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == a);
        R(mremap(a, 16 << 20, 40 << 20, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
        R((long)sbrk(64 << 20));
        R(fork() == 0 ? (_exit(0), 0) : 0);
        wait(NULL);
    }
    IN_CHILD("stack") {
        volatile char here, *sp = &here;
        limit = (struct rlimit){ 256 << 10, 256 << 10 };
        R(setrlimit(RLIMIT_STACK, &limit));
        struct sigaction action = { .sa_handler = SIG_DFL };
        sigaction(SIGSEGV, &action, NULL);
        sp[-(100 << 10)] = 1;
        printf("a little deeper\n");
        sp[-(400 << 10)] = 1;
        printf("too deep\n");
    }
}

static void part_moves(void)
{
    char *a = map(4 * P, RW), *s = mmap(NULL, 4 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    base = room(64);
    for (int i = 0; i < 4; i++)
        a[i * P] = (char)(i + 1), s[i * P] = (char)(i + 5);
    char *d = mremap(a, 4 * P, 4 * P, MREMAP_MAYMOVE | 4, NULL);
    CHECK("moved, the old place kept", d != MAP_FAILED && d != a);
    printf("%d %d, %d %d\n", d[0], d[3 * P], a[0], a[3 * P]);
    a[0] = 9;
    printf("%d %d\n", a[0], d[0]);
    R(mremap(a, 4 * P, 2 * P, MREMAP_MAYMOVE | 4, NULL) == MAP_FAILED ? -1 : 0);
    R(mremap(a, 4 * P, 4 * P, 4, NULL) == MAP_FAILED ? -1 : 0);
    char *copy = mremap(s, 0, 2 * P, MREMAP_MAYMOVE);
    CHECK("shown twice", copy != MAP_FAILED && copy[P] == 6);
    copy[P] = 66;
    printf("%d\n", s[P]);
    R(mremap(a, 0, 2 * P, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    R(mremap(s, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, base) == base);
    printf("%d %d\n", base[0], probe(s, 0));
    put(base + 4 * P, 1, RW, 0);
    R(mremap(base, 4 * P, 5 * P, 0) == MAP_FAILED ? -1 : 0);
    R(mremap(base, 4 * P, 3 * P, 0) == base);
    shape("shrunk", base, 6);
    R(mremap(base, 3 * P, 4 * P, 0) == base);
    shape("grown into the hole", base, 6);
    printf("%d\n", probe(base + 3 * P, 0));
    R(mremap(base, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 2 * P) == MAP_FAILED ? -1 : 0);
    R(mremap(base, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 7) == MAP_FAILED ? -1 : 0);
    R(mremap(base + P, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 10 * P) == base + 10 * P);
    shape("the middle moved", base, 12);
}

// What may be promised: of all the memory a part, all, ten times as much.
static void part_overcommit(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);

    MAP(pages / 8 * P, RW, MAP_PRIVATE);
    MAP(pages / 10 * 7 * P, RW, MAP_PRIVATE);
    MAP(pages * 10 * P, RW, MAP_PRIVATE);
    MAP(pages * 10 * P, PROT_READ, MAP_PRIVATE);
    MAP(pages * 10 * P, RW, MAP_PRIVATE | MAP_NORESERVE);
    MAP(pages * 10 * P, RW, MAP_SHARED);
    char *ro = map(pages * 10 * P, PROT_READ);
    R(mprotect(ro, pages * 10 * P, RW));
}

#define STAT(id) R(shmctl(id, IPC_STAT, &ds)), printf("%ld bytes, mode %o, %ld attached\n", (long)ds.shm_segsz, ds.shm_perm.mode, (long)ds.shm_nattch)

static void part_shm(void)
{
    struct shmid_ds ds;
    int id = shmget(IPC_PRIVATE, 3 * P + 1, IPC_CREAT | 0600);

    CHECK("made", id >= 0);
    STAT(id);
    CHECK("mine", ds.shm_cpid == getpid() && ds.shm_lpid == 0 && ds.shm_atime == 0 && ds.shm_ctime != 0);
    base = shmat(id, NULL, 0);
    STAT(id);
    CHECK("attached by me", ds.shm_lpid == getpid() && ds.shm_atime != 0 && ds.shm_dtime == 0);
    shape("four pages", base, 5);
    strcpy(base + P, "hello");
    char *again = shmat(id, NULL, SHM_RDONLY);
    printf("%s %d\n", again + P, probe(again, 1));
    R(mprotect(again, P, RW));
    STAT(id);
    munmap(base + P, P);
    STAT(id);
    IN_CHILD("child") {
        STAT(id);
        printf("%s\n", again + P);
        strcpy(base, "from the child");
        R(shmdt(again));
        R(shmdt(again));
        STAT(id);
    }
    printf("%s\n", again);
    STAT(id);
    R(shmdt(base + 2 * P));
    R(shmdt(base + 5));
    R(shmdt(base));
    STAT(id);
    R(shmctl(id, IPC_RMID, NULL));
    STAT(id);
    CHECK("removed at the end", ds.shm_perm.mode & 01000);
    char *late = shmat(id, NULL, 0);
    CHECK("still to be had by its number", late != (char *)-1 && late[0] == 'f');
    R(shmdt(late));
    R(shmdt(again));
    R(shmctl(id, IPC_STAT, &ds));
    R(shmat(id, NULL, 0) == (void *)-1 ? -1 : 0);
}

static void part_shm_keys(void)
{
    struct shmid_ds ds;
    key_t key = 0x4578;

    R(shmget(key, P, 0600));
    int id = shmget(key, 2 * P, IPC_CREAT | 0640);
    CHECK("made", id >= 0);
    R(shmget(key, P, IPC_CREAT | IPC_EXCL | 0600));
    R(shmget(key, 3 * P, IPC_CREAT | 0600));
    CHECK("found", shmget(key, 0, 0) == id && shmget(key, 2 * P, 0600) == id);
    R(shmget(key + 1, 0, IPC_CREAT | 0600));
    R(shmget(key + 1, ~0ul, IPC_CREAT | 0600));
    R(shmctl(id, 99, &ds));
    R(shmctl(-1, IPC_STAT, &ds));
    R(shmctl(id + 1, IPC_STAT, &ds));
    R(shmctl(id, IPC_STAT, (void *)8));
    R(shmat(id, (void *)0x10000001, 0) == (void *)-1 ? -1 : 0);
    base = room(16);
    R(shmat(id, base + 5, SHM_RND) == base);
    R(shmat(id, base + P, 0) == (void *)-1 ? -1 : 0);
    R(shmat(id, base + P, SHM_REMAP) == base + P);
    R(shmat(id, NULL, SHM_REMAP) == (void *)-1 ? -1 : 0);
    shape("one over the other", base, 4);
    STAT(id);
    IN_CHILD("another user") {
        setgid(1000);
        setuid(1000);
        R(shmget(key, P, 0400));
        R(shmat(id, NULL, SHM_RDONLY) == (void *)-1 ? -1 : 0);
        R(shmctl(id, IPC_STAT, &ds));
        R(shmctl(id, IPC_RMID, NULL));
        R(shmctl(id, IPC_SET, &ds));
    }
    STAT(id);
    ds.shm_perm.mode = 0604;
    ds.shm_perm.uid = 1001;
    R(shmctl(id, IPC_SET, &ds));
    STAT(id);
    IN_CHILD("another user, later") {
        setgid(1000);
        setuid(1000);
        CHECK("found", shmget(key, P, 0400) == id);
        R(shmget(key, P, 0600));
        CHECK("attached", shmat(id, NULL, SHM_RDONLY) != (void *)-1);
        R(shmat(id, NULL, 0) == (void *)-1 ? -1 : 0);
    }
    IN_CHILD("its owner") {
        setuid(1001);
        R(shmctl(id, IPC_RMID, NULL));
    }
    R(shmget(key, P, 0600));
    STAT(id);
    R(shmdt(base));
    R(shmdt(base + P));
    R(shmctl(id, IPC_STAT, &ds));
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static void part_collapse(void)
{
    char *all = map(6 * LARGE, PROT_READ | PROT_WRITE);
    char *a = (char *)(((unsigned long)all + LARGE - 1) & ~(LARGE - 1)) + LARGE;

    // Sets the mapping apart from its neighbours.
    R(madvise(all, 6 * LARGE, MADV_DONTDUMP));
    R(madvise(a, LARGE, MADV_COLLAPSE));
    a[3 * P] = 3, a[LARGE - 1] = 4;
    CHECK("single pages", smaps(a, "AnonHugePages") == 0 && smaps(a, "Anonymous") == 8);
    R(madvise(a, LARGE, MADV_COLLAPSE));
    CHECK("a large page", smaps(a, "AnonHugePages") == 2048 && smaps(a, "Anonymous") == 2048);
    printf("%d %d %d\n", a[3 * P], a[P], a[LARGE - 1]);
    a[P] = 5;
    R(madvise(a, LARGE, MADV_COLLAPSE));
    R(madvise(a, 2 * LARGE, MADV_COLLAPSE));
    a[LARGE] = 6;
    R(madvise(a, 2 * LARGE, MADV_COLLAPSE));
    CHECK("two", smaps(a, "AnonHugePages") == 4096);
    printf("%d %d\n", a[P], a[LARGE]);
    R(madvise(a, P, MADV_COLLAPSE));
    R(madvise(a, 0, MADV_COLLAPSE));
    R(madvise(a + P, P, MADV_COLLAPSE));
    R(madvise(a + P, LARGE, MADV_COLLAPSE));
    R(madvise(a + P, 2 * LARGE, MADV_COLLAPSE));
    R(madvise(a + 1, LARGE, MADV_COLLAPSE));

    char *b = a + 2 * LARGE;
    for (int i = 0; i < 512; i++)
        b[i * P] = (char)(i + 7);
    IN_CHILD("child")
        R(madvise(b, LARGE, MADV_COLLAPSE));
    b[0] = 7;
    R(madvise(b, LARGE, MADV_COLLAPSE));
    printf("%d wrong\n", wrong_bytes(b, 512, 7));
    R(mprotect(b + P, P, PROT_READ));
    R(madvise(b, LARGE, MADV_COLLAPSE));
    R(mprotect(b + P, P, PROT_READ | PROT_WRITE));
    R(madvise(b, LARGE, MADV_COLLAPSE));
    R(madvise(b, LARGE, MADV_NOHUGEPAGE));
    R(madvise(b, LARGE, MADV_COLLAPSE));
    char *small = map(4 * P, PROT_READ | PROT_WRITE);
    small[0] = 1;
    R(madvise(small, 4 * P, MADV_COLLAPSE));
    R(munmap(a + LARGE, P));
    R(madvise(a, 2 * LARGE, MADV_COLLAPSE));
    printf("%d %d\n", a[P], probe(a + LARGE, 0));
}

PARTS({ "shm", part_shm }, { "shm_keys", part_shm_keys }, { "overcommit", part_overcommit }, { "large", part_large }, { "collapse", part_collapse }, { "faults", part_faults }, { "merges", part_merges }, { "merges_of_touched", part_merges_of_touched },
      { "merges_of_files", part_merges_of_files }, { "merges_by_advice", part_merges_by_advice }, { "advice", part_advice },
      { "advice_taken", part_advice_taken }, { "locks", part_locks }, { "lock_limits", part_lock_limits },
      { "seals", part_seals }, { "memfd", part_memfd }, { "remote", part_remote }, { "mincore", part_mincore },
      { "msync", part_msync }, { "limits", part_limits }, { "moves", part_moves })
