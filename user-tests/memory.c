// Memory in its finer points: large pages, locks, advice, seals, other processes' memory, limits, what faults say.
#include "t.h"
#include <setjmp.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#define P 4096L
#define LARGE (2l << 20)

static sigjmp_buf back;
static siginfo_t seen;
static char *base;

static void handler(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    seen = *info;
    siglongjmp(back, 1);
}

// The signal that reading (or writing) one byte raises, 0 for none.
static int probe(volatile char *at, int write)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    memset(&seen, 0, sizeof seen);
    if (sigsetjmp(back, 1) == 0) {
        char c = *at;
        if (write)
            *at = c;
    }
    return seen.si_signo;
}

// Prints what a fault says about itself, its address as a distance from `base`.
__attribute__((unused)) static void fault(const char *what, char *at, int write)
{
    int number = probe(at, write);

    if (number == 0)
        printf("%s: no fault\n", what);
    else
        printf("%s: signal %d code %d at %+ld\n", what, number, seen.si_code, (long)((char *)seen.si_addr - base));
}

static char *map(size_t len, int protection)
{
    char *at = mmap(NULL, len, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        printf("mmap: %s\n", error_name(errno));
    return at;
}

// The value in KiB of a row of /proc/self/smaps for the mapping around an address, -1 if there is none.
static long smaps(char *at, const char *row)
{
    char line[256];
    unsigned long start, end;
    int inside = 0;
    long value = -1;
    FILE *file = fopen("/proc/self/smaps", "r");

    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = start <= (unsigned long)at && (unsigned long)at < end;
        else if (inside && strncmp(line, row, strlen(row)) == 0 && line[strlen(row)] == ':')
            value = atol(line + strlen(row) + 1);
    }
    fclose(file);
    return value;
}

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

PARTS({ "large", part_large })
