// What the programs about mappings share: faults that are caught, addresses that are free, the text of /proc/self.
// Include it after "t.h".
#include <setjmp.h>

#define P 4096L
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#define LARGE (2l << 20)

static sigjmp_buf back;
static siginfo_t seen;
static char *base;

__attribute__((unused)) static void handler(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    seen = *info;
    siglongjmp(back, 1);
}

// The signal that reading (or writing) one byte raises, 0 for none.
__attribute__((unused)) static int probe(volatile char *at, int write)
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

__attribute__((unused)) static char *map(size_t len, int protection)
{
    char *at = mmap(NULL, len, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        printf("mmap: %s\n", error_name(errno));
    return at;
}

// The lines of a file one by one, NULL at its end. Without the heap, whose growth would be seen.
__attribute__((unused)) static char *next_line(const char *path)
{
    static char text[1 << 16], *at, *end;
    static int fd = -1;

    if (fd < 0) {
        fd = open(path, O_RDONLY);
        at = end = text;
    }
    char *stop = at == end ? NULL : memchr(at, '\n', end - at);
    if (stop == NULL) {
        memmove(text, at, end - at);
        end -= at - text, at = text;
        ssize_t n;
        while ((n = read(fd, end, text + sizeof text - 1 - end)) > 0)
            if ((end += n), memchr(end - n, '\n', n))
                break;
        stop = memchr(at, '\n', end - at);
    }
    if (stop == NULL) {
        close(fd);
        fd = -1;
        return NULL;
    }
    char *line = at;
    *stop = 0;
    at = stop + 1;
    return line;
}

// The value in KiB of a row of /proc/self/smaps for the mapping around an address, -1 if there is none.
__attribute__((unused)) static long smaps(char *at, const char *row)
{
    char *line;
    unsigned long start, end;
    int inside = 0;
    long value = -1;

    while ((line = next_line("/proc/self/smaps"))) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = start <= (unsigned long)at && (unsigned long)at < end;
        else if (inside && strncmp(line, row, strlen(row)) == 0 && line[strlen(row)] == ':')
            value = atol(line + strlen(row) + 1);
    }
    return value;
}

// Prints the mappings of a range: pages and rights of each, `.` for holes.
__attribute__((unused)) static void shape(const char *what, char *from, size_t pages)
{
    char *line, rights[8];
    unsigned long start, end, at = (unsigned long)from, last = at + pages * P;

    printf("%s:", what);
    while ((line = next_line("/proc/self/maps"))) {
        sscanf(line, "%lx-%lx %7s", &start, &end, rights);
        if (end <= at || start >= last)
            continue;
        if (start > at)
            printf(" .%lu", (start - at) / P);
        start = start < at ? at : start;
        end = end > last ? last : end;
        printf(" %lu%s", (end - start) / P, rights);
        at = end;
    }
    if (at < last)
        printf(" .%lu", (last - at) / P);
    printf("\n");
}

// Reads the first byte of each page.
__attribute__((unused)) static void touch(volatile char *at, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        at[i * P];
}

// Reserves addresses and frees them again.
__attribute__((unused)) static char *room(size_t pages)
{
    char *at = mmap(NULL, pages * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    munmap(at, pages * P);
    return at;
}

__attribute__((unused)) static char *put(char *at, size_t pages, int protection, int flags)
{
    return mmap(at, pages * P, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0);
}

__attribute__((unused)) static int file_of(const char *name, size_t pages)
{
    char page[P];
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

    for (size_t i = 0; i < pages; i++) {
        memset(page, 'a' + (int)i, P);
        write(fd, page, P);
    }
    return fd;
}

#define RW (PROT_READ | PROT_WRITE)

// Prints the lines of /proc/self/maps within a range: pages, rights, file offset in pages, and the name.
__attribute__((unused)) static void lines(const char *what, char *from, size_t pages)
{
    char *line, rights[8];
    unsigned long start, end, offset, inode, low = (unsigned long)from, high = low + pages * P;
    unsigned major, minor;
    int name;

    printf("%s:\n", what);
    while ((line = next_line("/proc/self/maps"))) {
        if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %n", &start, &end, rights, &offset, &major, &minor, &inode, &name) < 7)
            continue;
        if (end <= low || start >= high)
            continue;
        printf("  %ld+%lu %s %lx %s %s\n", (long)(start - low) / P, (end - start) / P, rights, offset / P,
               inode ? "inode" : "-", line + name);
    }
}

// The words of the row VmFlags of the mapping around an address.
__attribute__((unused)) static void vm_flags(const char *what, char *at)
{
    char *line;
    unsigned long start, end;
    int inside = 0;

    while ((line = next_line("/proc/self/smaps"))) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = start <= (unsigned long)at && (unsigned long)at < end;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            printf("%s: %s\n", what, line + 9);
    }
}

// A number behind a name in a file of rows, -1 if there is none.
__attribute__((unused)) static long row_of(const char *path, const char *name)
{
    char *line;
    long value = -1;

    while ((line = next_line(path)))
        if (strncmp(line, name, strlen(name)) == 0 && (line[strlen(name)] == ':' || line[strlen(name)] == ' '))
            value = atol(line + strlen(name) + 1);
    return value;
}

// mmap as a call whose error is shown.
#define MMAP(...) R(mmap(__VA_ARGS__) == MAP_FAILED ? -1 : 0)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
