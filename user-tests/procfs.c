// What /proc says of memory, interrupts and processes, as far as it is the same on every machine.
#include "t.h"

#define PAGE 4096

// The first line of a file of /proc that starts with `name`: its number.
static long value_in(const char *path, const char *name)
{
    char line[256];
    long value = -1;
    FILE *f = fopen(path, "r");

    while (f && value < 0 && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name)))
            value = strtol(line + strlen(name), NULL, 10);
    if (f)
        fclose(f);
    return value;
}

// The value of a row of smaps for the mapping that starts at an address.
static long row_of(void *start, const char *name)
{
    char line[256], wanted[40];
    long value = -1;
    int is_here = 0;
    FILE *f = fopen("/proc/self/smaps", "r");

    snprintf(wanted, sizeof wanted, "%lx-", (unsigned long)start);
    while (f && value < 0 && fgets(line, sizeof line, f)) {
        if (!strncmp(line, wanted, strlen(wanted)))
            is_here = 1;
        else if (is_here && !strncmp(line, name, strlen(name)))
            value = strtol(line + strlen(name), NULL, 10);
    }
    if (f)
        fclose(f);
    return value;
}

static void show_rows(void *start)
{
    static const char *const names[] = { "Size:", "Rss:", "Pss:", "Shared_Clean:", "Shared_Dirty:", "Private_Clean:",
        "Private_Dirty:", "Anonymous:", "Swap:", "Locked:" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        printf("%s %ld\n", names[i], row_of(start, names[i]));
}

static void part_smaps(void)
{
    // A mapping that neighbours nothing, touched in part.
    char *p = mmap((void *)0x10000000, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    madvise(p, 64 * PAGE, MADV_NOHUGEPAGE);
    printf("untouched\n");
    show_rows(p);
    memset(p, 1, 16 * PAGE);
    printf("touched\n");
    show_rows(p);
    printf("referenced: %ld\n", row_of(p, "Referenced:"));
    mlock(p, 4 * PAGE);
    printf("locked: %ld of %ld\n", row_of(p, "Locked:"), row_of(p, "Rss:"));
    munlock(p, 4 * PAGE);
    // Shared after a fork, private again once the child has changed it or is gone.
    int ends[2], back[2];
    char c;
    pipe(ends), pipe(back);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        printf("in the child\n");
        show_rows(p);
        memset(p, 2, 4 * PAGE);
        printf("after stores\n");
        show_rows(p);
        write(back[1], "x", 1);
        read(ends[0], &c, 1);
        _exit(0);
    }
    read(back[0], &c, 1);
    printf("in the parent\n");
    show_rows(p);
    close(ends[1]);
    waitpid(pid, NULL, 0);
    printf("alone\n");
    show_rows(p);
    // Shared memory.
    char *s = mmap((void *)0x20000000, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memset(s, 1, 8 * PAGE);
    printf("shared memory\n");
    show_rows(s);
}

static void part_rollup(void)
{
    char line[200];
    FILE *f = fopen("/proc/self/smaps_rollup", "r");

    if (fgets(line, sizeof line, f))
        printf("%s", strstr(line, " ---p") ? strstr(line, " ---p") : line);
    while (fgets(line, sizeof line, f))
        printf("%.*s\n", (int)strcspn(line, ":"), line);
    fclose(f);
    long anonymous = value_in("/proc/self/smaps_rollup", "Pss_Anon:"), all = value_in("/proc/self/smaps_rollup", "Pss:");
    CHECK("sums", anonymous > 0 && all >= anonymous && value_in("/proc/self/smaps_rollup", "Rss:") >= all);
}

static uint64_t word_of(int fd, void *addr)
{
    uint64_t word = 0;

    if (pread(fd, &word, 8, (uintptr_t)addr / PAGE * 8) != 8)
        return -1;
    return word;
}

static void show_word(const char *what, uint64_t word, int with_frame)
{
    printf("%s: present %d file %d exclusive %d soft-dirty %d", what, (int)(word >> 63), (int)(word >> 61 & 1),
           (int)(word >> 56 & 1), (int)(word >> 55 & 1));
    if (with_frame)
        printf(" frame %s", word & ((1ull << 55) - 1) ? "shown" : "0");
    printf("\n");
}

static void part_pagemap(void)
{
    char *p = mmap((void *)0x10000000, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    char *s = mmap((void *)0x20000000, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    uint64_t words[8];
    char c;
    int fd = R(open("/proc/self/pagemap", O_RDONLY));

    p[0] = 1;
    s[0] = 1;
    show_word("private", word_of(fd, p), 1);
    show_word("untouched", word_of(fd, p + PAGE), 1);
    c = p[2 * PAGE];
    show_word("zeroes", word_of(fd, p + 2 * PAGE), 1);
    show_word("shared", word_of(fd, s), 1);
    show_word("unmapped", word_of(fd, (void *)0x30000000), 1);
    pid_t pid = fork();
    if (pid == 0) {
        int mine = open("/proc/self/pagemap", O_RDONLY);
        show_word("after fork", word_of(mine, p), 1);
        p[0] = 2;
        show_word("after a store", word_of(mine, p), 1);
        show_word("shared by two", word_of(mine, s) , 1);
        _exit(c);
    }
    waitpid(pid, NULL, 0);
    show_word("alone again", word_of(fd, p), 1);
    R(pread(fd, words, 64, (uintptr_t)p / PAGE * 8));
    R(pread(fd, words, 7, 0));
    R(pread(fd, words, 8, 4));
    R(pread(fd, words, 0, 0));
    R(pread(fd, words, 8, (1ull << 47) / PAGE * 8));
    R(pread(fd, (void *)8, 8, 0));
    R(write(fd, words, 8));
    R(lseek(fd, 16, SEEK_SET));
    R(read(fd, words, 16));
    R(lseek(fd, 0, SEEK_CUR));
    setuid(1000);
    show_word("of another user", word_of(fd, p), 1);
    R(open("/proc/1/pagemap", O_RDONLY));
    R(open("/proc/self/pagemap", O_RDONLY));
}

static void part_counters(void)
{
    // What counts goes up.
    long faults = value_in("/proc/vmstat", "pgfault "), interrupts = value_in("/proc/stat", "intr ");
    char *p = mmap(NULL, 100 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    madvise(p, 100 * PAGE, MADV_NOHUGEPAGE);
    memset(p, 1, 100 * PAGE);
    pause_ms(50);
    long after = value_in("/proc/vmstat", "pgfault ");
    CHECK("faults", after - faults >= 100 && after - faults < 10000);
    CHECK("interrupts", value_in("/proc/stat", "intr ") > interrupts);
    IN_CHILD("that faults")
        memset(p, 2, 100 * PAGE);
    CHECK("faults of what has ended", value_in("/proc/vmstat", "pgfault ") - after >= 100);
    CHECK("major faults", value_in("/proc/vmstat", "pgmajfault ") >= 0);
    CHECK("softirqs", value_in("/proc/stat", "softirq ") >= 0);
}

static void part_children(void)
{
    char path[60], text[200], wanted[200] = "";
    pid_t children[3];

    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            pause();
            _exit(0);
        }
        sprintf(wanted + strlen(wanted), "%d ", (int)children[i]);
    }
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    int fd = R(open(path, O_RDONLY) >= 0);
    fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    CHECK("children", !strcmp(text, wanted));
    kill(children[1], SIGKILL);
    waitpid(children[1], NULL, 0);
    snprintf(wanted, sizeof wanted, "%d %d ", (int)children[0], (int)children[2]);
    n = pread(fd, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = 0;
    CHECK("children left", !strcmp(text, wanted));
    kill(children[0], SIGKILL);
    kill(children[2], SIGKILL);
    while (wait(NULL) > 0)
        ;
    R(pread(fd, text, sizeof text - 1, 0));
    R(access("/proc/self/children", F_OK));
}

PARTS({ "smaps", part_smaps }, { "rollup", part_rollup }, { "pagemap", part_pagemap }, { "counters", part_counters },
      { "children", part_children })
