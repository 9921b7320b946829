// The vDSO, found as a C library finds it: from the auxiliary vector, by symbol name and version. And the vector itself.
#include "t.h"
#include <cpuid.h>
#include <elf.h>
#include <stddef.h>
#include <sys/auxv.h>

static const char *image;
static ptrdiff_t slide;
static const Elf64_Sym *symbols;
static const char *names;
static const uint32_t *hash;
static const uint16_t *versions;
static const Elf64_Verdef *definitions;

static int (*vdso_clock_gettime)(clockid_t, struct timespec *);
static int (*vdso_gettimeofday)(struct timeval *, void *);
static time_t (*vdso_time)(time_t *);
static long (*vdso_getcpu)(unsigned *, unsigned *, void *);

static int has_version(int index, const char *wanted)
{
    const Elf64_Verdef *at = definitions;

    for (;;) {
        if (!(at->vd_flags & VER_FLG_BASE) && at->vd_ndx == (index & 0x7fff)) {
            const Elf64_Verdaux *name = (const void *)((const char *)at + at->vd_aux);
            return strcmp(names + name->vda_name, wanted) == 0;
        }
        if (at->vd_next == 0)
            return 0;
        at = (const void *)((const char *)at + at->vd_next);
    }
}

static void *find(const char *name)
{
    for (uint32_t i = 1; hash && i < hash[1]; i++)
        if (strcmp(names + symbols[i].st_name, name) == 0 && symbols[i].st_shndx != SHN_UNDEF
            && ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC && has_version(versions[i], "LINUX_2.6"))
            return (void *)(slide + symbols[i].st_value);
    return NULL;
}

// Reads the object's dynamic section.
static void open_vdso(void)
{
    const Elf64_Dyn *dynamic = NULL;

    image = (const char *)getauxval(AT_SYSINFO_EHDR);
    if (image == NULL) {
        printf("no vDSO\n");
        exit(1);
    }
    const Elf64_Ehdr *header = (const void *)image;
    const Elf64_Phdr *segment = (const void *)(image + header->e_phoff);
    for (int i = 0; i < header->e_phnum; i++, segment++) {
        if (segment->p_type == PT_LOAD)
            slide = image - (const char *)(segment->p_vaddr - segment->p_offset);
        if (segment->p_type == PT_DYNAMIC)
            dynamic = (const void *)(image + segment->p_offset);
    }
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        const void *place = (const void *)(slide + dynamic->d_un.d_ptr);
        switch (dynamic->d_tag) {
        case DT_STRTAB: names = place; break;
        case DT_SYMTAB: symbols = place; break;
        case DT_HASH: hash = place; break;
        case DT_VERSYM: versions = place; break;
        case DT_VERDEF: definitions = place; break;
        }
    }
    vdso_clock_gettime = find("__vdso_clock_gettime");
    vdso_gettimeofday = find("__vdso_gettimeofday");
    vdso_time = find("__vdso_time");
    vdso_getcpu = find("__vdso_getcpu");
}

static void part_symbols(void)
{
    static const char *const wanted[] = {
        "__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time", "__vdso_getcpu",
        "clock_gettime", "gettimeofday", "time", "getcpu", "__vdso_nothing",
    };

    open_vdso();
    CHECK("an ELF file", memcmp(image, ELFMAG, SELFMAG) == 0);
    CHECK("a shared object", ((const Elf64_Ehdr *)image)->e_type == ET_DYN);
    CHECK("page aligned", (uintptr_t)image % 4096 == 0);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        printf("%s: %s\n", wanted[i], find(wanted[i]) ? "found" : "missing");
}

static int64_t from_call(clockid_t clock)
{
    struct timespec t;

    return syscall(SYS_clock_gettime, clock, &t) ? -1 : (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t from_vdso(clockid_t clock)
{
    struct timespec t = { -1, -1 };

    if (vdso_clock_gettime(clock, &t) || t.tv_nsec < 0 || t.tv_nsec >= 1000000000)
        return -1;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void compare(const char *when)
{
    static const clockid_t clocks[] = { 0, 1, 4, 5, 6, 7, 11 };

    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        int wrong = 0;
        for (int round = 0; round < 1000; round++) {
            int64_t before = from_call(clocks[i]), between = from_vdso(clocks[i]), after = from_call(clocks[i]);
            wrong += !(0 < before && before <= between && between <= after);
        }
        printf("%s, clock %d: %d wrong\n", when, (int)clocks[i], wrong);
    }
}

static void part_agrees(void)
{
    struct timespec t;
    struct timeval v;
    struct timezone zone = { 77, 77 };
    int wrong = 0;

    open_vdso();
    compare("at first");
    for (int i = 0; i < 1000; i++) {
        int64_t before = from_call(CLOCK_REALTIME) / 1000;
        vdso_gettimeofday(&v, NULL);
        int64_t between = (int64_t)v.tv_sec * 1000000 + v.tv_usec;
        wrong += !(before <= between && between <= from_call(CLOCK_REALTIME) / 1000);
    }
    printf("gettimeofday: %d wrong\n", wrong);
    R(vdso_gettimeofday(NULL, NULL));
    R(vdso_gettimeofday(&v, &zone));
    printf("zone %d %d\n", zone.tz_minuteswest, zone.tz_dsttime);
    time_t stored, before = syscall(SYS_time, NULL), now = vdso_time(&stored);
    CHECK("time", before <= now && now <= syscall(SYS_time, NULL) && stored == now && vdso_time(NULL) >= now);
    // What it does not compute itself it asks the kernel for.
    printf("CPU time: %d\n", vdso_clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t));
    printf("no such clock: %d %d %d\n", vdso_clock_gettime(12, &t), vdso_clock_gettime(99, &t), vdso_clock_gettime(-7, &t));
    // Half a second on, the clock has been measured better; an hour on, it has been set.
    pause_ms(500);
    compare("later");
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += 3600;
    R(clock_settime(CLOCK_REALTIME, &t));
    compare("after setting");
    CHECK("the new time", from_vdso(CLOCK_REALTIME) / 1000000000 >= t.tv_sec);
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec -= 3600;
    R(clock_settime(CLOCK_REALTIME, &t));
}

static void part_forward(void)
{
    int64_t *seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cpu_set_t all;
    int back = 0, wrong_cpu = 0;

    open_vdso();
    sched_getaffinity(0, sizeof all, &all);
    for (int round = 0; round < 200; round++)
        for (int cpu = 0; cpu < 4; cpu++) {
            cpu_set_t one;
            unsigned told = 99, node = 99;
            if (!CPU_ISSET(cpu, &all))
                continue;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            for (int i = 0; i < 100; i++) {
                int64_t now = from_vdso(CLOCK_MONOTONIC);
                back += now < *seen;
                *seen = now;
            }
            wrong_cpu += vdso_getcpu(&told, &node, NULL) != 0 || told != (unsigned)cpu || node != 0;
        }
    printf("went back %d times\n", back);
    printf("wrong processor %d times\n", wrong_cpu);
    R(vdso_getcpu(NULL, NULL, NULL));
    CHECK("it advances", from_vdso(CLOCK_MONOTONIC) > *seen);
    IN_CHILD("a child has it too")
        CHECK("time goes on", from_vdso(CLOCK_MONOTONIC) > *seen);
}

// Finds the range of a mapping by its name.
static int find_mapping(const char *name, unsigned long *start, unsigned long *end, char *rights)
{
    char line[300];
    FILE *maps = fopen("/proc/self/maps", "r");
    int found = 0;

    while (!found && fgets(line, sizeof line, maps)) {
        line[strcspn(line, "\n")] = 0;
        size_t length = strlen(line), wanted = strlen(name);
        found = length > wanted && strcmp(line + length - wanted, name) == 0
            && sscanf(line, "%lx-%lx %4s", start, end, rights) == 3;
    }
    fclose(maps);
    return found;
}

static void part_mappings(void)
{
    unsigned long start, end;
    char rights[5];

    open_vdso();
    CHECK("[vdso] is there", find_mapping("[vdso]", &start, &end, rights));
    CHECK("where the vector says", start == (unsigned long)image);
    printf("%s\n", rights);
    IN_CHILD("write to the code")
        *(volatile char *)start = 1;
    IN_CHILD("write to a copy of the code") {
        R(mprotect((void *)start, end - start, PROT_READ | PROT_WRITE | PROT_EXEC));
        *(volatile char *)start = 1;
        printf("%d\n", *(volatile char *)start);
    }
    printf("%x\n", *image);
    IN_CHILD("without it")
        printf("%s\n", munmap((void *)start, end - start) == 0 && syscall(SYS_time, NULL) > 0 ? "lives" : "?");
    CHECK("[vvar] is there", find_mapping("[vvar]", &start, &end, rights));
    CHECK("right below", end == (unsigned long)image);
    printf("%s\n", rights);
    IN_CHILD("write to the data")
        *(volatile char *)start = 1;
    R(mprotect((void *)start, 4096, PROT_READ | PROT_WRITE));
}

static volatile int handled;
static void handler(int number) { handled = number; }

static void part_auxv(void)
{
    unsigned a, b, c, d;
    char stack[65536];
    size_t smallest = getauxval(AT_MINSIGSTKSZ);
    stack_t alternate = { .ss_sp = stack, .ss_size = smallest };

    __cpuid(1, a, b, c, d);
    CHECK("AT_HWCAP is CPUID's", getauxval(AT_HWCAP) == d);
    R(getauxval(AT_CLKTCK));
    R(getauxval(AT_PAGESZ));
    R(getauxval(AT_PHENT));
    R(getauxval(AT_SECURE));
    R(getauxval(AT_FLAGS));
    R(getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid());
    R(strcmp((char *)getauxval(AT_PLATFORM), "x86_64"));
    CHECK("AT_RANDOM", getauxval(AT_RANDOM) != 0);
    CHECK("AT_EXECFN", strstr((char *)getauxval(AT_EXECFN), "vdso") != NULL);
    if (getauxval(AT_HWCAP2) & 2) {
        unsigned long base;
        __asm__ volatile("rdfsbase %0" : "=r"(base));
        CHECK("FS base", base != 0);
    } else
        CHECK("FS base", 1);
    CHECK("a signal stack may be small", smallest >= 800 && smallest <= sizeof stack);
    // As small as the vector says, with a little for the handler itself.
    alternate.ss_size = smallest + 1024;
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
    R(sigaltstack(&alternate, NULL));
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    CHECK("a handler runs on it", handled == SIGUSR1);
}

PARTS({ "symbols", part_symbols }, { "agrees", part_agrees }, { "forward", part_forward },
      { "mappings", part_mappings }, { "auxv", part_auxv })
