// Mappings: mmap(2), munmap(2), mprotect(2), mremap(2), brk(2), msync(2), madvise(2), mincore(2).
#include "t.h"
#include <setjmp.h>
#include <sys/personality.h>

#define P 4096L

static sigjmp_buf back;
static volatile int got;
static int fd;

static void handler(int number)
{
    got = number;
    siglongjmp(back, 1);
}

// The signal that reading (or writing) one byte raises, 0 for none.
static int probe(volatile char *at, int write)
{
    struct sigaction action = { .sa_handler = handler };

    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    got = 0;
    if (sigsetjmp(back, 1) == 0) {
        char c = *at;
        if (write)
            *at = c;
    }
    return got;
}

static char *map(size_t pages, int protection, int flags, int file, off_t offset)
{
    char *at = mmap(NULL, pages * P, protection, flags, file, offset);

    if (at == MAP_FAILED)
        printf("mmap: %s\n", error_name(errno));
    return at;
}

static void make_file(const char *name, size_t pages)
{
    char page[P];

    fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (size_t i = 0; i < pages; i++) {
        memset(page, 'a' + (int)i, P);
        write(fd, page, P);
    }
}

static void part_arguments(void)
{
    char *a = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    make_file("f", 2);
    R(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    R(mmap(NULL, P, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    R(mmap(NULL, P, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED ? -1 : 0);
    R(syscall(SYS_mmap, NULL, P, PROT_READ, MAP_PRIVATE, fd, 1));
    R(syscall(SYS_mmap, 1, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    R(syscall(SYS_mmap, NULL, ~0ul - 8191, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    R(syscall(SYS_mmap, NULL, ~0ul, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    R(syscall(SYS_mmap, 0x7ffffffff000, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    R(syscall(SYS_mmap, 0xffff800000000000, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    R(mmap(a, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000, -1, 0) == MAP_FAILED ? -1 : 0);
    int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);
    R(mmap(NULL, P, PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED ? -1 : 0);
    R(mmap(NULL, P, PROT_READ, MAP_SHARED, wo, 0) == MAP_FAILED ? -1 : 0);
    R(mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0) == MAP_FAILED ? -1 : 0);
    R(mmap(NULL, P, PROT_READ, MAP_PRIVATE, open(".", O_RDONLY), 0) == MAP_FAILED ? -1 : 0);
    R(mmap(NULL, P, PROT_READ, MAP_PRIVATE, fd, 100 * P) == MAP_FAILED ? -1 : 0);
    R(munmap(a + 1, P));
    R(munmap(a, 0));
    R(syscall(SYS_munmap, a, ~0ul - 8191));
    R(munmap((void *)0x7fffffffe000, 0x10000));
    R(munmap(a, 1));
    R(munmap(a, P));
    R(mprotect(a + 1, P, PROT_READ));
    R(mprotect(a, P, PROT_READ));
    R(mprotect(a + P, 0, PROT_READ));
    R(mprotect(a + P, P, 0x100));
    R(mprotect(a + P, 100 * P, PROT_READ));
    R(mprotect((void *)0xffff800000000000, P, PROT_READ));
    int shared = open("f", O_RDONLY);
    char *s = map(1, PROT_READ, MAP_SHARED, shared, 0);
    R(mprotect(s, P, PROT_READ | PROT_WRITE));
    R(msync(s, P, MS_SYNC));
    R(msync(s, P, MS_SYNC | MS_ASYNC));
    R(msync(s + 1, P, MS_SYNC));
    R(msync(a, P, MS_SYNC));
    R(madvise(s + 1, P, MADV_NORMAL));
    R(madvise(s, P, 9999));
    R(madvise(a, P, MADV_NORMAL));
    unsigned char vector[4];
    R(mincore(s, P, vector));
    R(mincore(a, P, vector));
    R(mincore(s + 1, P, vector));
    R(mlock(s, P));
    R(munlock(s, P));
    R(mlock(a, P));
}

static void part_anonymous(void)
{
    char *a = map(10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int sum = 0;

    for (int i = 0; i < 10 * P; i++)
        sum += a[i];
    printf("zeros %d\n", sum);
    memset(a, 1, 10 * P);
    munmap(a + 3 * P, 2 * P);
    printf("%d %d %d %d\n", probe(a + 3 * P - 1, 1), probe(a + 3 * P, 0), probe(a + 5 * P - 1, 0), probe(a + 5 * P, 1));
    CHECK("fixed in the hole", mmap(a + 3 * P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == a + 3 * P);
    printf("%d %d %d\n", probe(a + 3 * P, 0), probe(a + 3 * P, 1), probe(a + 4 * P, 0));
    CHECK("fixed over the rest", mmap(a, 10 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == a);
    for (int i = 0; i < 10 * P; i++)
        sum += a[i];
    printf("zeros again %d\n", sum);
    memset(a, 1, 10 * P);
    R(madvise(a + P, 2 * P, MADV_DONTNEED));
    printf("%d %d %d %d\n", a[0], a[P], a[3 * P - 1], a[3 * P]);
    mprotect(a + P, P, PROT_NONE);
    mprotect(a + 2 * P, P, PROT_READ);
    printf("%d %d %d %d %d\n", probe(a, 1), probe(a + P, 0), probe(a + 2 * P, 0), probe(a + 2 * P, 1), probe(a + 3 * P, 1));
    mprotect(a, 10 * P, PROT_READ | PROT_WRITE);
    printf("%d %d\n", probe(a + P, 1), a[9 * P]);
    char *hint = mmap(a, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK("a taken hint is not obeyed", hint != a);
    munmap(a, 10 * P);
    CHECK("a free hint is", mmap(a, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == a);
    CHECK("an odd hint is rounded", (long)mmap(a + 5 * P + 77, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) % P == 0);
    CHECK("write-only can be read", mprotect(a, P, PROT_WRITE) == 0 && probe(a, 1) == 0);
    char *populated = mmap(NULL, 4 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    unsigned char vector[4];
    R(mincore(populated, 4 * P, vector));
    printf("resident %d\n", (vector[0] & vector[1] & vector[2] & vector[3]) & 1);
    char *huge = mmap(NULL, 1ul << 36, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK("64 GiB without reserve", huge != MAP_FAILED);
    huge[1ul << 35] = 1;
    R(munmap(huge, 1ul << 36));
}

static void part_shared(void)
{
    volatile int *s = (int *)map(2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    IN_CHILD("child")
        s[0] = 42, s[1024] = 43;
    printf("%d %d\n", s[0], s[1024]);
    IN_CHILD("grandchild") {
        if (fork() == 0) {
            s[0] = 44;
            _exit(0);
        }
        wait(NULL);
    }
    printf("%d\n", s[0]);
    pid_t pid = fork();
    if (pid == 0) {
        while (s[2] != 1)
            ;
        s[3] = 1;
        _exit(0);
    }
    s[2] = 1;
    while (s[3] != 1)
        ;
    waitpid(pid, NULL, 0);
    printf("ping and pong\n");
    munmap((void *)s, 2 * P);
}

static void part_files(void)
{
    char c[16];

    make_file("f", 3);
    char *shared = map(3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *private = map(3, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *second = map(1, PROT_READ, MAP_SHARED, fd, P);
    printf("%c%c%c %c\n", shared[0], shared[P], shared[2 * P], second[0]);
    shared[P] = 'S';
    pread(fd, c, 1, P);
    printf("%c %c %c\n", c[0], second[0], private[P]);
    private[0] = 'P';
    pread(fd, c, 1, 0);
    printf("%c %c %c\n", c[0], shared[0], private[0]);
    pwrite(fd, "W", 1, 2 * P);
    printf("%c %c\n", shared[2 * P], private[2 * P]);
    pwrite(fd, "X", 1, 0);
    printf("%c %c\n", shared[0], private[0]);
    R(msync(shared, 3 * P, MS_SYNC));
    close(fd);
    shared[5] = 'Z';
    fd = open("f", O_RDWR);
    pread(fd, c, 1, 5);
    printf("after close %c\n", c[0]);
    unlink("f");
    shared[6] = 'U';
    printf("after unlink %c\n", shared[6]);
    IN_CHILD("child") {
        shared[7] = 'C';
        private[7] = 'C';
    }
    printf("%c %c\n", shared[7], private[7]);
    R(madvise(private, P, MADV_DONTNEED));
    printf("private again from the file: %c\n", private[0]);

    // The end of the file.
    make_file("g", 1);
    ftruncate(fd, P + 10);
    char *g = map(3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    printf("%d %d %d %d\n", probe(g, 1), probe(g + P + 9, 1), probe(g + 2 * P - 1, 1), probe(g + 2 * P, 0));
    g[P + 100] = 'x';
    pread(fd, c, 10, P);
    struct stat st;
    fstat(fd, &st);
    printf("size %ld\n", (long)st.st_size);
    ftruncate(fd, 3 * P);
    printf("%d %d\n", probe(g + 2 * P, 1), g[2 * P]);
    ftruncate(fd, 100);
    printf("%d %d\n", probe(g + 50, 0), probe(g + P, 0));
    ftruncate(fd, 2 * P);
    printf("%c %d %d\n", g[99], g[100], g[P]);
    write(fd, "", 0);
    pwrite(fd, "grown", 5, P);
    printf("%.5s\n", g + P);
    char *p = map(1, PROT_READ, MAP_PRIVATE, fd, 0);
    R(munmap(p, P));

    // A bad buffer for read is EFAULT and the data is not lost; a mapping of a file serves as buffer.
    make_file("h", 1);
    lseek(fd, 0, SEEK_SET);
    R(read(fd, (void *)16, 10));
    R(lseek(fd, 0, SEEK_CUR));
    R(read(fd, g, 10));
    printf("%.3s\n", g);
    R(write(fd, g, 10));

    // Executing a mapped file, with write access refused while it runs.
    int self = open("/proc/self/exe", O_RDONLY);
    char *code = map(1, PROT_READ | PROT_EXEC, MAP_PRIVATE, self, 0);
    printf("%d%.3s\n", code[0], code + 1);
    R(open("/proc/self/exe", O_WRONLY));
    int zero = open("/dev/zero", O_RDWR);
    char *z = map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
    printf("from /dev/zero %d\n", z[7]);
    z = map(1, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
    IN_CHILD("shared zero")
        z[0] = 9;
    printf("%d\n", z[0]);
}

static void part_mremap(void)
{
    char *a = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(a, 7, 4 * P);
    R(mremap(a, 4 * P, 2 * P, 0) == a);
    printf("%d\n", probe(a + 2 * P, 0));
    char *b = mremap(a, 2 * P, 100 * P, MREMAP_MAYMOVE);
    CHECK("moved or grown", b != MAP_FAILED && b[0] == 7 && b[2 * P - 1] == 7 && b[2 * P] == 0 && b[100 * P - 1] == 0);
    if (b != a)
        printf("%s\n", probe(a, 0) ? "old place is gone" : "old place is there");
    else
        printf("old place is gone\n");
    char *target = map(10, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    R(mremap(b, 10 * P, 10 * P, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
    printf("%d %d %d\n", target[0], probe(target, 1), probe(b, 0));
    R(mremap(target, P, 0, 0) == MAP_FAILED ? -1 : 0);
    R(mremap(target + 1, P, P, 0) == MAP_FAILED ? -1 : 0);
    R(mremap(target, P, P, 8) == MAP_FAILED ? -1 : 0);
    R(mremap(target, P, P, MREMAP_FIXED, target) == MAP_FAILED ? -1 : 0);
    R(mremap(target, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, target + P) == MAP_FAILED ? -1 : 0);
    R(mremap((void *)(1ul << 40), P, 2 * P, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    R(mremap(target, 11 * P, 20 * P, 0) == MAP_FAILED ? -1 : 0);
    mprotect(target + P, P, PROT_NONE);
    R(mremap(target, 3 * P, 30 * P, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    char *x = map(3, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mmap(x + P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    R(mremap(x, P, 2 * P, 0) == MAP_FAILED ? -1 : 0);
    make_file("f", 3);
    char *s = map(1, PROT_READ, MAP_SHARED, fd, P);
    s = mremap(s, P, 2 * P, MREMAP_MAYMOVE);
    printf("%c%c\n", s[0], s[P]);
}

static void part_brk(void)
{
    char *start = (char *)syscall(SYS_brk, 0);
    CHECK("grows", (char *)syscall(SYS_brk, start + 3 * P) == start + 3 * P);
    memset(start, 5, 3 * P);
    CHECK("shrinks", (char *)syscall(SYS_brk, start + P) == start + P);
    CHECK("grows again", (char *)syscall(SYS_brk, start + 3 * P) == start + 3 * P);
    printf("%d %d\n", start[0], start[2 * P]);
    CHECK("to an odd place", (char *)syscall(SYS_brk, start + P + 100) == start + P + 100);
    CHECK("below the start is refused", (char *)syscall(SYS_brk, 4096) == start + P + 100);
    CHECK("too far is refused", (char *)syscall(SYS_brk, 0x7ffffffff000) == start + P + 100);
    CHECK("into the kernel is refused", (char *)syscall(SYS_brk, ~0ul) == start + P + 100);
    CHECK("back", (char *)syscall(SYS_brk, start) == start);
    setrlimit(RLIMIT_DATA, &(struct rlimit){ 1 << 20, 1 << 20 });
    CHECK("limited by RLIMIT_DATA", (char *)syscall(SYS_brk, start + (64 << 20)) == start);
    R(mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    R(mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    setrlimit(RLIMIT_AS, &(struct rlimit){ 1 << 20, 1 << 20 });
    R(mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
}

static void part_stack(void)
{
    volatile char here;
    uintptr_t sp = (uintptr_t)&here;

    printf("%d %d\n", probe((char *)(sp - (4 << 20)), 1), probe((char *)(sp - (4 << 20) + P), 1));
    setrlimit(RLIMIT_STACK, &(struct rlimit){ 8 << 20, 8 << 20 });
    printf("%d\n", probe((char *)(sp - (10 << 20)), 1) != 0);
    char *grows = mmap(NULL, 16 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(grows, 16 * P);
    char *top = mmap(grows + 15 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    CHECK("a mapping that grows down", top == grows + 15 * P && probe(top - 100, 1) == 0 && probe(top - 2 * P, 1) == 0);
    struct rlimit limit;
    R(getrlimit(RLIMIT_STACK, &limit));
    printf("%ld\n", (long)limit.rlim_cur);
}

static void part_many(void)
{
    // Many small mappings, alternately protected, then taken away in another order.
    enum { N = 500 };
    static char *at[N];
    int wrong = 0;

    for (int i = 0; i < N; i++) {
        at[i] = map(2, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (i % 2)
            at[i][0] = (char)i;
    }
    for (int i = 0; i < N; i++)
        wrong += at[i][0] != (i % 2 ? (char)i : 0) || (i % 2 == 0 && probe(at[i], 1) != SIGSEGV);
    for (int i = 0; i < N; i += 3)
        munmap(at[i], P);
    for (int i = 0; i < N; i++)
        wrong += (probe(at[i], 0) == SIGSEGV) != (i % 3 == 0) || probe(at[i] + P, 0) != 0;
    printf("%d wrong\n", wrong);
    char *big = map(1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 1000; i += 2)
        mprotect(big + i * P, P, PROT_NONE);
    for (int i = 0; i < 1000; i++)
        wrong += (probe(big + i * P, 1) != 0) != (i % 2 == 0);
    mprotect(big, 1000 * P, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 1000; i++)
        wrong += probe(big + i * P, 1) != 0;
    printf("%d wrong\n", wrong);
    int lines = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    for (int c; (c = getc(maps)) != EOF;)
        lines += c == '\n';
    CHECK("few mappings remain", lines > 10 && lines < 1200);
}

// Where stack and heap are in a new program.
static void places(char *text, size_t size, unsigned long persona)
{
    int ends[2];
    ssize_t length;

    pipe(ends);
    if (fork() == 0) {
        dup2(ends[1], 1);
        personality(persona);
        execl("/bin/busybox", "grep", "-E", "stack|heap", "/proc/self/maps", (char *)0);
        _exit(127);
    }
    close(ends[1]);
    for (memset(text, 0, size); (length = read(ends[0], text, size - 1)) > 0; size -= length)
        text += length;
    close(ends[0]);
    wait(NULL);
}

static void part_layout(void)
{
    static char one[4096], other[4096];

    places(one, sizeof one, 0);
    places(other, sizeof other, 0);
    CHECK("random places differ", strlen(one) > 20 && strcmp(one, other) != 0);
    places(one, sizeof one, ADDR_NO_RANDOMIZE);
    places(other, sizeof other, ADDR_NO_RANDOMIZE);
    CHECK("fixed places do not", strlen(one) > 20 && strcmp(one, other) == 0);
    show("personality", personality(ADDR_NO_RANDOMIZE));
    show("personality", personality(0xffffffff));
    fflush(stdout);
    // A program with a set-id bit starts without.
    system("cat /proc/self/personality; mkdir b; cp /bin/busybox b; chmod 4755 b/busybox; b/busybox cat /proc/self/personality");
    personality(0);
}

PARTS({ "arguments", part_arguments }, { "anonymous", part_anonymous }, { "shared", part_shared }, { "files", part_files },
      { "mremap", part_mremap }, { "stack", part_stack }, { "many", part_many }, { "brk", part_brk }, { "layout", part_layout })
