// What is told about memory: smaps, pagemap, status, statm, vmstat; limits; random addresses; the segments of System V.
#include "t.h"
#include "vm.h"
#include <sys/auxv.h>
#include <sys/ipc.h>
#include <sys/shm.h>

static void show_rows(const char *what, char *at)
{
    static const char *rows[] = { "Size", "KernelPageSize", "MMUPageSize", "Rss", "Pss", "Shared_Clean", "Shared_Dirty", "Private_Clean",
        "Private_Dirty", "Anonymous", "LazyFree", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb",
        "Swap", "SwapPss", "Locked", "THPeligible" };

    printf("%s:", what);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        long value = smaps(at, rows[i]);
        if (value != 0)
            printf(" %s %ld", rows[i], value);
    }
    printf("\n");
}

static void part_anonymous(void)
{
    char *a = map(16 * P, RW);

    show_rows("new", a);
    touch(a, 4);
    show_rows("four read", a);
    memset(a, 1, 2 * P);
    show_rows("two written", a);
    memset(a + 8 * P, 1, 4 * P);
    show_rows("four more", a);
    mlock(a, 16 * P);
    show_rows("locked", a);
    munlock(a, 16 * P);
    mprotect(a, 16 * P, PROT_READ);
    show_rows("read-only", a);
    mprotect(a, 16 * P, PROT_NONE);
    show_rows("no rights", a);
    madvise(a, 16 * P, MADV_DONTNEED);
    show_rows("given back", a);
}

static void part_objects(void)
{
    int fd = file_of("f", 8);
    char *p = mmap(NULL, 8 * P, RW, MAP_PRIVATE, fd, 0);

    show_rows("private", p);
    p[0] = 1, p[7 * P] = 1;
    printf("own: %ld\n", smaps(p, "Anonymous"));
    char *m = mmap(NULL, 8 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    m[0] = m[5 * P] = 1;
    show_rows("shared memory", m);
    char *s = mmap(NULL, 8 * P, RW, MAP_SHARED, fd, 0);
    memset(s, 1, 3 * P);
    CHECK("shared file", smaps(s, "Rss") >= 12 && smaps(s, "Anonymous") == 0 && smaps(s, "Size") == 32);
}

static void part_flags(void)
{
    int fd = file_of("f", 2), ro = open("f", O_RDONLY);

    base = room(64);
    put(base, 2, PROT_NONE, 0);
    vm_flags("none", base);
    put(base, 2, PROT_READ, 0);
    vm_flags("r", base);
    put(base, 2, RW, 0);
    vm_flags("rw", base);
    put(base, 2, PROT_READ | PROT_EXEC, 0);
    vm_flags("rx", base);
    mmap(base, 2 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    vm_flags("shared", base);
    mmap(base, 2 * P, PROT_READ, MAP_SHARED | MAP_FIXED, ro, 0);
    vm_flags("shared, opened for reading", base);
    mmap(base, 2 * P, RW, MAP_PRIVATE | MAP_FIXED, ro, 0);
    vm_flags("private", base);
    mmap(base, 2 * P, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    vm_flags("shared memory", base);
    static const struct { const char *name; int advice; } list[] = {
        { "random", MADV_RANDOM }, { "sequential", MADV_SEQUENTIAL }, { "normal", MADV_NORMAL }, { "dontfork", MADV_DONTFORK },
        { "wipe", MADV_WIPEONFORK }, { "dontdump", MADV_DONTDUMP }, { "huge", MADV_HUGEPAGE }, { "nohuge", MADV_NOHUGEPAGE },
    };
    put(base, 2, RW, MAP_NORESERVE);
    vm_flags("noreserve", base);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        madvise(base, 2 * P, list[i].advice);
        vm_flags(list[i].name, base);
    }
    put(base + 40 * P, 2, RW, MAP_GROWSDOWN | MAP_LOCKED);
    vm_flags("grows down, locked", base + 40 * P);
    int id = shmget(IPC_PRIVATE, P, IPC_CREAT | 0600);
    shmat(id, base + 60 * P, SHM_RDONLY);
    vm_flags("segment", base + 60 * P);
    shmctl(id, IPC_RMID, NULL);
    vm_flags("vdso", (char *)getauxval(AT_SYSINFO_EHDR));
}

static void part_page_map(void)
{
    int map_fd = open("/proc/self/pagemap", O_RDONLY), fd = file_of("f", 2);
    unsigned long words[8];

    base = room(16);
    put(base, 4, RW, 0);
    base[0] = base[2 * P] = 1;
    touch(base + P, 1);
    mmap(base + 6 * P, 2 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    base[6 * P] = 1;
#define WORDS(what) \
    R(pread(map_fd, words, sizeof words, (unsigned long)base / P * 8)); \
    printf("%s:", what); \
    for (int i = 0; i < 8; i++) \
        printf(" %lx%s", words[i] >> 55, words[i] & ((1ul << 55) - 1) ? "+" : ""); \
    printf("\n")
    WORDS("pages");
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    WORDS("with a child");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    WORDS("without");
    R(pread(map_fd, words, 7, 0));
    R(pread(map_fd, words, 8, 3));
    R(pread(map_fd, words, 8, 1l << 50));
    IN_CHILD("another user") {
        setuid(1000);
        int again = open("/proc/self/pagemap", O_RDONLY);
        if (again < 0)
            printf("%s\n", error_name(errno));
    }
}

static long status(const char *name)
{
    return row_of("/proc/self/status", name);
}

static void part_rows_of_status(void)
{
    long size = status("VmSize"), data = status("VmData"), anonymous = status("RssAnon");

    char *a = map(512 * P, RW);
    madvise(a, 512 * P, MADV_NOHUGEPAGE);
    printf("%ld %ld\n", status("VmSize") - size, status("VmData") - data);
    memset(a, 1, 512 * P);
    // Linux counts pages in memory for each thread apart and adds them up later: so large a sum is near enough.
#define NEAR(is, wanted) ((is) >= (wanted) - 300 && (is) <= (wanted) + 300)
    CHECK("own pages", NEAR(status("RssAnon") - anonymous, 2048));
    CHECK("sum", status("VmRSS") == status("RssAnon") + status("RssFile") + status("RssShmem"));
    char *s = mmap(NULL, 512 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(s, 1, 512 * P);
    CHECK("shared pages", NEAR(status("RssShmem"), 2048));
    printf("%ld %ld\n", status("VmSize") - size, status("VmData") - data);
    munmap(a, 512 * P);
    CHECK("own pages are gone", NEAR(status("RssAnon") - anonymous, 0));
    printf("%ld\n", status("VmData") - data);
    CHECK("peaks stay", status("VmPeak") >= status("VmSize") + 2048 && status("VmHWM") >= status("VmRSS") + 1500);
    size = status("VmSize");
    char *x = mmap(NULL, 16 * P, PROT_READ | PROT_EXEC, ANON, -1, 0);
    printf("%ld %ld\n", status("VmSize") - size, status("VmLck"));
    mlock(x, 4 * P);
    printf("%ld\n", status("VmLck"));
    CHECK("tables", status("VmPTE") > 0 && status("VmSwap") == 0 && status("VmPin") == 0 && status("HugetlbPages") == 0);
    CHECK("code", status("VmExe") > 0 && status("VmLib") >= 0);
    // The peak begins anew when asked to.
    put_file("/proc/self/clear_refs", "5");
    CHECK("peak reset", NEAR(status("VmHWM"), status("VmRSS")));
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    R(write(fd, "9", 1));
    R(write(fd, "x", 1));
}

static void statm(long *a)
{
    if (sscanf(next_line("/proc/self/statm"), "%ld %ld %ld %ld %ld %ld %ld", a, a + 1, a + 2, a + 3, a + 4, a + 5, a + 6) != 7)
        printf("not seven numbers\n");
    next_line("");
}

static void part_statm(void)
{
    long before[7], after[7];
    // Once more, now that all it needs is in memory.
    statm(before);
    printf("%ld\n", before[6]);
    statm(before);
    char *a = map(600 * P, RW);
    madvise(a, 600 * P, MADV_NOHUGEPAGE);
    memset(a, 1, 512 * P);
    statm(after);
    printf("%ld %ld\n", after[0] - before[0], after[5] - before[5]);
    CHECK("own", after[1] - before[1] > 440 && after[1] - before[1] < 580 && after[2] - before[2] < 70);
    char *s = mmap(NULL, 600 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(s, 1, 512 * P);
    statm(before);
    printf("%ld %ld\n", before[0] - after[0], before[5] - after[5]);
    CHECK("shared", before[1] - after[1] > 440 && before[1] - after[1] < 580 && before[2] - after[2] > 440);
}

static void part_rollup(void)
{
    static const char *rows[] = { "Rss", "Pss", "Shared_Dirty", "Private_Dirty", "Anonymous", "Locked" };
    char *line, *a = map(20 * P, RW);


    memset(a, 1, 20 * P);
    mlock(a, 5 * P);
    long sums[6] = { 0 };
    while ((line = next_line("/proc/self/smaps")))
        for (int i = 0; i < 6; i++)
            if (strncmp(line, rows[i], strlen(rows[i])) == 0 && line[strlen(rows[i])] == ':')
                sums[i] += atol(line + strlen(rows[i]) + 1);
    for (int i = 0; i < 6; i++) {
        long all = row_of("/proc/self/smaps_rollup", rows[i]);
        // Shares are rounded for each mapping there, once here.
        CHECK(rows[i], all >= sums[i] - 4 && all <= sums[i] + 24);
    }
    CHECK("by kind", row_of("/proc/self/smaps_rollup", "Pss_Anon") >= 80 && row_of("/proc/self/smaps_rollup", "Pss_File") >= 0 && row_of("/proc/self/smaps_rollup", "Pss_Shmem") >= 0);
}

static void part_limit_of_addresses(void)
{
    long size = status("VmSize");
    struct rlimit limit = { (size + 64) << 10, RLIM_INFINITY };

    base = room(64);
    R(setrlimit(RLIMIT_AS, &limit));
    MMAP(NULL, 16 * P, PROT_NONE, ANON, -1, 0);
    MMAP(NULL, P, PROT_NONE, ANON, -1, 0);
    limit.rlim_cur += 16 * P;
    R(setrlimit(RLIMIT_AS, &limit));
    char *a = mmap(base, 8 * P, RW, ANON | MAP_FIXED, -1, 0);
    R(mmap(base + 4 * P, 8 * P, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
    R(mmap(base + 4 * P, 13 * P, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
    shape("then", base, 16);
    R(mremap(a, 12 * P, 16 * P, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    R(mremap(a, 4 * P, 9 * P, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    R(mprotect(a, P, PROT_READ));
    int id = shmget(IPC_PRIVATE, 16 * P, IPC_CREAT | 0600);
    R(shmat(id, NULL, 0) == (void *)-1 ? -1 : 0);
    shmctl(id, IPC_RMID, NULL);
    char *end = (char *)syscall(SYS_brk, 0);
    CHECK("no heap", (char *)syscall(SYS_brk, end + 16 * P) == end);
    char here, *sp = &here;
    limit.rlim_cur = status("VmSize") << 10;
    R(setrlimit(RLIMIT_AS, &limit));
    R(probe(sp - 64 * P, 1));
}

static void part_limit_of_data(void)
{
    struct rlimit limit = { (status("VmData") + 64) << 10, RLIM_INFINITY };

    R(setrlimit(RLIMIT_DATA, &limit));
    char *a = mmap(NULL, 17 * P, RW, ANON, -1, 0);
    R(a == MAP_FAILED ? -1 : 0);
    char *r = mmap(NULL, 17 * P, PROT_READ, ANON, -1, 0);
    R(mprotect(r, 17 * P, RW));
    R(mprotect(r, 12 * P, RW));
    R(mprotect(r + 12 * P, 5 * P, RW));
    R(mprotect(r + 12 * P, 4 * P, RW));
    R(mprotect(r, 12 * P, PROT_READ));
    MMAP(NULL, 12 * P, RW, ANON, -1, 0);
    MMAP(NULL, P, RW, ANON, -1, 0);
    MMAP(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MMAP(NULL, P, RW, ANON | MAP_GROWSDOWN, -1, 0);
    MMAP(NULL, P, PROT_READ | PROT_EXEC, ANON, -1, 0);
    int fd = file_of("f", 1);
    MMAP(NULL, P, RW, MAP_PRIVATE, fd, 0);
    MMAP(NULL, P, PROT_READ, MAP_PRIVATE, fd, 0);
    char *end = (char *)syscall(SYS_brk, 0);
    CHECK("no heap", (char *)syscall(SYS_brk, end + 16 * P) == end);
}

static void part_limit_of_locks(void)
{
    struct rlimit limit = { 8 * P, 8 * P };

    base = room(64);
    put(base, 16, RW, 0);
    IN_CHILD("another user") {
        R(setrlimit(RLIMIT_MEMLOCK, &limit));
        setuid(1000);
        R(mlock(base, 8 * P));
        R(mlock(base, 8 * P));
        R(mlock(base + 7 * P, 2 * P));
        R(syscall(SYS_mlock2, base + 8 * P, P, 1));
        R(munlock(base, P));
        R(mlock(base + 8 * P, 1));
        R(mlock(base + 8 * P + 4000, 200));
        vm_flags("locked", base + 8 * P);
        R(mmap(base + 20 * P, P, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0) == MAP_FAILED ? -1 : 0);
        R(munlock(base, 4 * P));
        R(mmap(base + 20 * P, P, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0) == MAP_FAILED ? -1 : 0);
        R(mlockall(MCL_CURRENT));
        R(mlockall(MCL_FUTURE));
        R(mmap(base + 24 * P, 3 * P, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
        R(mmap(base + 24 * P, 2 * P, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
        R(munlockall());
        int id = shmget(IPC_PRIVATE, P, IPC_CREAT | 0600);
        R(shmctl(id, SHM_LOCK, NULL));
        R(shmctl(id, SHM_UNLOCK, NULL));
        R(shmctl(id, IPC_RMID, NULL));
    }
}

// How many bits of an address change from one run of this program to the next.
static void part_random(void)
{
    enum { RUNS = 24, KINDS = 4 };
    static unsigned long seen_bits[KINDS], first[KINDS];
    static const char *names[KINDS] = { "stack", "mmap", "heap", "vdso" };

    for (int i = 0; i < RUNS; i++) {
        int ends[2];
        unsigned long at[KINDS];
        pipe(ends);
        if (fork() == 0) {
            dup2(ends[1], 1);
            execl("/proc/self/exe", "memstat", "addresses", (char *)0);
            _exit(1);
        }
        close(ends[1]);
        FILE *file = fdopen(ends[0], "r");
        if (fscanf(file, "%lx %lx %lx %lx", at, at + 1, at + 2, at + 3) != KINDS)
            printf("no answer\n");
        fclose(file);
        wait(NULL);
        for (int j = 0; j < KINDS; j++) {
            first[j] = i == 0 ? at[j] : first[j];
            seen_bits[j] |= at[j] ^ first[j];
        }
    }
    // Of so many runs each random bit is almost certainly seen both ways.
    static const int lowest[KINDS] = { 4, 12, 12, 12 };
    static const int highest[KINDS] = { 33, 39, 24, 33 };
    for (int j = 0; j < KINDS; j++) {
        int random = 0;
        for (int bit = lowest[j]; bit < highest[j]; bit++)
            random += seen_bits[j] >> bit & 1;
        CHECK(names[j], random >= highest[j] - lowest[j] - (j == 3 ? 14 : 1));
        CHECK("aligned", (seen_bits[j] & ((1ul << lowest[j]) - 1)) == 0);
    }
}

static void part_addresses(void)
{
    printf("%lx %lx %lx %lx\n", getauxval(AT_RANDOM) & ~15ul, (long)map(P, RW), (long)syscall(SYS_brk, 0), getauxval(AT_SYSINFO_EHDR));
}

static long vmstat(const char *name)
{
    return row_of("/proc/vmstat", name);
}

static void part_counters(void)
{
    static const char *names[] = { "nr_free_pages", "nr_mapped", "nr_anon_pages", "nr_file_pages", "nr_shmem", "nr_mlock", "nr_page_table_pages",
        "nr_kernel_stack", "nr_dirty", "nr_writeback", "pgpgin", "pgpgout", "pswpin", "pswpout", "pgalloc_normal", "pgalloc_dma32", "pgfree",
        "pgactivate", "pgfault", "pgmajfault", "oom_kill", "thp_fault_alloc", "unevictable_pgs_mlocked" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK(names[i], vmstat(names[i]) >= 0);
    long allocated = vmstat("pgalloc_normal") + vmstat("pgalloc_dma32") + vmstat("pgalloc_dma"), freed = vmstat("pgfree"), faults = vmstat("pgfault");
    char *a = map(3000 * P, RW);
    madvise(a, 3000 * P, MADV_NOHUGEPAGE);
    for (int i = 0; i < 3000; i++)
        a[i * P] = 1;
    CHECK("allocated", vmstat("pgalloc_normal") + vmstat("pgalloc_dma32") + vmstat("pgalloc_dma") - allocated >= 2000);
    CHECK("faults", vmstat("pgfault") - faults >= 3000 && vmstat("pgfault") - faults < 9000);
    munmap(a, 3000 * P);
    CHECK("freed", vmstat("pgfree") - freed >= 2000);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    a = map(50 * P, RW);
    for (int i = 0; i < 50; i++)
        a[i * P] = 1;
    getrusage(RUSAGE_SELF, &after);
    CHECK("of the process", after.ru_minflt - before.ru_minflt >= 50 && after.ru_minflt - before.ru_minflt < 60);
    CHECK("none waited", after.ru_majflt == before.ru_majflt);
}

static void part_segments(void)
{
    char *line;
    int a = shmget(0x1234, 3 * P + 5, IPC_CREAT | 0640), b = shmget(IPC_PRIVATE, P, IPC_CREAT | 0600);
    char *at = shmat(a, NULL, 0);

    at[0] = 1;
    IN_CHILD("another user") {
        setgid(1000);
        setuid(1000);
        shmget(0x1235, P, IPC_CREAT | 0666);
    }
    shmctl(b, IPC_RMID, NULL);
    while ((line = next_line("/proc/sysvipc/shm"))) {
        long key, id, perms, size, cpid, lpid, nattch, uid, gid, cuid, cgid, atime, dtime, ctime, rss, swap;
        if (sscanf(line, "%ld %ld %lo %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld", &key, &id, &perms, &size, &cpid, &lpid, &nattch,
                   &uid, &gid, &cuid, &cgid, &atime, &dtime, &ctime, &rss, &swap) != 16) {
            printf("%s\n", line);
            continue;
        }
        printf("%lx %s %lo %ld %s %s %ld %ld %ld %ld %ld %s %s %s %ld %ld, %zu\n", key, id == a ? "a" : "-", perms, size, cpid == getpid() ? "me" : "-",
               lpid == getpid() ? "me" : "-", nattch, uid, gid, cuid, cgid, atime ? "t" : "0", dtime ? "t" : "0", ctime ? "t" : "0", rss, swap, strlen(line));
    }
    shmctl(a, IPC_RMID, NULL);
    shmctl(shmget(0x1235, 0, 0), IPC_RMID, NULL);
    int count = 0;
    while (next_line("/proc/sysvipc/shm"))
        count++;
    printf("%d lines\n", count);
    shmdt(at);
}

PARTS({ "anonymous", part_anonymous }, { "objects", part_objects }, { "flags", part_flags }, { "page_map", part_page_map },
      { "rows_of_status", part_rows_of_status }, { "statm", part_statm }, { "rollup", part_rollup },
      { "limit_of_addresses", part_limit_of_addresses }, { "limit_of_data", part_limit_of_data },
      { "limit_of_locks", part_limit_of_locks }, { "random", part_random }, { "addresses", part_addresses },
      { "counters", part_counters }, { "segments", part_segments })
