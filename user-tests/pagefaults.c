// Accesses that are refused: which signal, with which code, at which address; and what the kernel's own accesses say.
#include "t.h"
#include "vm.h"

static void (*volatile target)(void);

// Jumps to an address; prints how that ended.
static void run_at(const char *what, char *at)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    memset(&seen, 0, sizeof seen);
    if (sigsetjmp(back, 1) == 0) {
        target = (void (*)(void))at;
        target();
    }
    if (seen.si_signo == 0)
        printf("%s: runs\n", what);
    else
        printf("%s: signal %d code %d at %+ld\n", what, seen.si_signo, seen.si_code, (long)((char *)seen.si_addr - base));
}

// As fault, with the address as it is.
static void fault_at(const char *what, char *at, int write)
{
    int number = probe(at, write);

    printf("%s: signal %d code %d at %lx\n", what, number, number ? seen.si_code : 0, number ? (long)seen.si_addr : 0);
}

static void part_rights(void)
{
    static const char *names[] = { "---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx" };

    base = room(40);
    for (int i = 0; i < 8; i++) {
        char *at = base + 4 * i * P;
        put(at, 1, RW, 0);
        at[0] = (char)0xc3;
        mprotect(at, P, i);
        printf("%s:\n", names[i]);
        run_at(" run", at);
        // Where the processor has protection keys, these rights keep readers away, too.
        if (i == PROT_EXEC)
            continue;
        fault(" read", at, 0);
        fault(" write", at, 1);
        put(at + P, 1, i, 0);
        fault(" fresh, read", at + P, 0);
        fault(" fresh, write", at + P, 1);
    }
}

static void part_running(void)
{
    int fd = file_of("f", 1);

    pwrite(fd, "\xc3", 1, 0);
    base = room(16);
    put(base, 1, PROT_READ, 0);
    run_at("data", base + 5);
    run_at("nothing there", base + P + 5);
    put(base + 2 * P, 1, PROT_NONE, 0);
    run_at("no rights", base + 2 * P);
    mmap(base + 4 * P, 2 * P, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);
    run_at("a file", base + 4 * P);
    run_at("beyond its end", base + 5 * P);
    mmap(base + 6 * P, P, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    run_at("a file without the right", base + 6 * P);
    mprotect(base + 6 * P, P, PROT_READ | PROT_EXEC);
    run_at("with it", base + 6 * P);
    base = NULL;
    run_at("zero", NULL);
    run_at("the kernel", (char *)0xffffffff81000000);
    run_at("the last page", (char *)0x7ffffffff000);
    run_at("behind it", (char *)0x800000000000);
    run_at("not canonical", (char *)0x1234567812345678);
}

static void part_addresses(void)
{
    fault_at("zero", (char *)0, 0);
    fault_at("one", (char *)1, 1);
    fault_at("below the stack of all", (char *)0x7ffffffff000, 0);
    fault_at("first not canonical", (char *)0x800000000000, 0);
    fault_at("written", (char *)0x800000000008, 1);
    fault_at("last not canonical", (char *)0xffff7fffffffffff, 0);
    fault_at("first of the kernel", (char *)0xffff800000000000, 0);
    fault_at("direct map", (char *)0xffff888000000000, 1);
    fault_at("kernel text", (char *)0xffffffff81000000, 0);
    fault_at("kernel text, written", (char *)0xffffffff81000000, 1);
    fault_at("the last byte", (char *)-1, 0);
    fault_at("vsyscall, read", (char *)0xffffffffff600000, 0);
}

// A value that lies across the end of a mapping.
static void part_across(void)
{
    base = room(8);
    put(base, 1, RW, 0);
    for (int i = 1; i < 8; i += 2) {
        volatile unsigned long *at = (volatile unsigned long *)(base + P - i);
        memset(&seen, 0, sizeof seen);
        probe(base, 0);
        if (sigsetjmp(back, 1) == 0)
            *at;
        printf("read at -%d: signal %d at %+ld\n", i, seen.si_signo, (long)((char *)seen.si_addr - base));
        if (sigsetjmp(back, 1) == 0)
            *at = ~0ul;
        printf("written: signal %d at %+ld, last byte %d\n", seen.si_signo, (long)((char *)seen.si_addr - base), base[P - 1]);
    }
    put(base + P, 1, PROT_READ, 0);
    volatile unsigned long *at = (volatile unsigned long *)(base + P - 4);
    if (sigsetjmp(back, 1) == 0)
        *at = ~0ul;
    printf("into read-only: code %d at %+ld, %d\n", seen.si_code, (long)((char *)seen.si_addr - base), base[P - 4]);
    // A string operation does what it can.
    char *to = base + P - 10;
    const char *from = "0123456789abcdef";
    long left = 16;
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(left) : : "memory");
    printf("string: code %d at %+ld, %.10s\n", seen.si_code, (long)((char *)seen.si_addr - base), base + P - 10);
}

static void part_file_ends(void)
{
    int fd = open("f", O_RDWR | O_CREAT, 0600);

    write(fd, "hello", 5);
    base = room(16);
    char *s = mmap(base, 2 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0), *p = mmap(base + 2 * P, 2 * P, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    printf("%d %d\n", s[5], s[P - 1]);
    s[10] = 'x';
    fault("shared, beyond", s + P, 0);
    fault("private, beyond, write", p + P, 1);
    char text[16];
    R(pread(fd, text, sizeof text, 0));
    R(lseek(fd, 0, SEEK_END));
    ftruncate(fd, 20);
    R(pread(fd, text, sizeof text, 0));
    printf("%d\n", text[10]);
    ftruncate(fd, 2 * P);
    fault("grown, shared", s + P, 1);
    fault("grown, private", p + P, 1);
    p[1] = 'P';
    ftruncate(fd, 0);
    fault("empty, shared", s, 0);
    fault("empty, a private copy", p + 1, 0);
    fault("empty, private", p + P + 5, 0);
    ftruncate(fd, 2 * P);
    printf("%d %d %d\n", s[0], p[1], p[P]);
    mprotect(s, P, PROT_READ);
    ftruncate(fd, 0);
    fault("read-only beyond the end, written", s, 1);
    fault("read-only beyond the end, read", s, 0);
    mprotect(s, P, PROT_NONE);
    fault("no rights beyond the end", s, 0);
}

static void part_cut_in_the_middle(void)
{
    int fd = file_of("f", 4);

    base = room(16);
    char *s = mmap(base, 4 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0), *p = mmap(base + 4 * P, 4 * P, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    for (int i = 0; i < 4; i++)
        s[i * P + 1] = 'S', p[i * P + 2] = 'P';
    ftruncate(fd, 2 * P + 100);
    for (int i = 0; i < 4; i++) {
        fault("shared", s + i * P, 0);
        fault("private", p + i * P, 0);
    }
    printf("%c%c %c%c\n", s[2 * P], s[2 * P + 1], p[2 * P], p[2 * P + 2]);
    printf("%d %d %c\n", s[2 * P + 100], s[3 * P - 1], p[3 * P - 1]);
    ftruncate(fd, 4 * P);
    printf("%d %d %d %d\n", s[2 * P + 100], s[3 * P + 1], p[3 * P + 2], p[3 * P]);
    printf("%c%c\n", s[P + 1], p[P + 2]);
    IN_CHILD("child") {
        printf("%c%c\n", s[P + 1], p[P + 2]);
        ftruncate(fd, P);
        fault("the child's", s + P, 0);
        fault("its private one", p + P, 0);
    }
    fault("the parent's", s + P, 0);
    fault("its private one", p + P, 0);
}

static void part_holes(void)
{
    int fd = open("hole", O_RDWR | O_CREAT, 0600);

    for (int i = 0; i < 6; i++) {
        char page[P];
        memset(page, 'a' + i, P);
        write(fd, page, P);
    }
    base = room(16);
    char *s = mmap(base, 6 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0), *p = mmap(base + 6 * P, 6 * P, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    for (int i = 0; i < 6; i++)
        p[i * P + 1] = 'P', touch(s + i * P, 1);
    R(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, P, 2 * P));
    R(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * P + 10, 20));
    printf("%d %d %d %d %d %d\n", s[0], s[P], s[2 * P], s[3 * P], s[4 * P + 9], s[4 * P + 10]);
    printf("%c%c %c%c %c%c\n", p[0], p[1], p[P], p[P + 1], p[4 * P + 10], p[4 * P + 1]);
    R(madvise(s + 3 * P, P, MADV_REMOVE));
    printf("%d\n", s[3 * P]);
    s[P] = 'n';
    char c;
    R(pread(fd, &c, 1, P));
    printf("%c\n", c);
    R(lseek(fd, 0, SEEK_HOLE) / P);
    R(lseek(fd, 2 * P, SEEK_DATA) / P);
}

// What system calls say about memory that cannot be accessed.
static void part_system_calls(void)
{
    int fd = file_of("f", 2), ends[2];

    base = room(16);
    put(base, 1, RW, 0);
    put(base + P, 1, PROT_READ, 0);
    put(base + 2 * P, 1, PROT_NONE, 0);
    char *end = mmap(base + 4 * P, 4 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    pipe2(ends, O_NONBLOCK);
    R(pread(fd, base + P, 10, 0));
    R(pread(fd, base + 2 * P, 10, 0));
    R(pread(fd, base + 3 * P, 10, 0));
    R(pread(fd, base + P - 10, 100, 0));
    R(pread(fd, end + 2 * P, 10, 0));
    R(pread(fd, end + 2 * P - 10, 100, 0));
    R(write(ends[1], base + 2 * P, 10));
    R(write(ends[1], base + 2 * P - 10, 100));
    R(write(ends[1], end + 2 * P - 10, 100));
    R(write(ends[1], (void *)-1, 1));
    R(write(ends[1], (void *)0x7ffffffff000, 1));
    R(read(ends[0], base + P - 4, 100));
    R(read(ends[0], base, 100));
    R(getcwd(base + P - 2, 100) ? 0 : -1);
    R(getcwd(base + P, 100) ? 0 : -1);
    R(stat("f", (void *)(base + P - 8)));
    R(open(base + 2 * P, O_RDONLY));
    memset(base, 'x', P);
    R(open(base + P - 3, O_RDONLY));
    R(open(base + 2 * P - 1, O_RDONLY));
    struct iovec iov[2] = { { base, 4 }, { base + 2 * P, 4 } };
    R(writev(ends[1], iov, 2));
    R(writev(ends[1], iov + 1, 1));
    R(writev(ends[1], (void *)(base + 2 * P), 1));
    R(readv(ends[0], iov, 2));
    R(syscall(SYS_futex, base + 2 * P, 0, 0, NULL, NULL, 0));
    R(syscall(SYS_futex, base + 3 * P, 1, 1, NULL, NULL, 0));
    R(syscall(SYS_futex, base + 2 * P, 129, 1, NULL, NULL, 0));
}

// A handler on another stack sees an overflow of the main one.
static void part_overflow(void)
{
    static char other[1 << 16];
    stack_t stack = { .ss_sp = other, .ss_size = sizeof other };
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    struct rlimit limit = { 256 << 10, RLIM_INFINITY };
    char here;

    setrlimit(RLIMIT_STACK, &limit);
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    volatile char *sp = &here;
    if (sigsetjmp(back, 1) == 0)
        for (;; sp -= P / 2)
            *sp;
    printf("signal %d code %d\n", seen.si_signo, seen.si_code);
    CHECK("near the limit", (long)(&here - (char *)seen.si_addr) > 100 << 10 && (long)(&here - (char *)seen.si_addr) < 260 << 10);
}

PARTS({ "rights", part_rights }, { "running", part_running }, { "addresses", part_addresses }, { "across", part_across },
      { "file_ends", part_file_ends }, { "cut_in_the_middle", part_cut_in_the_middle }, { "holes", part_holes },
      { "system_calls", part_system_calls }, { "overflow", part_overflow })
