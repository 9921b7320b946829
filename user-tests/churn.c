// Churn: processes that map, touch, protect, move, share, fork, start threads and free at random, on one CPU what came
// from another, while nearly all memory is in use. Each knows what its pages must hold. `churn [ROUNDS [SEED [SECONDS]]]`;
// what it does depends on the seed alone, but with SECONDS it goes on for so long, however many rounds that makes.
#include "t.h"
#include <pthread.h>

enum { WORKERS = 6, AREAS = 24, AREA_PAGES = 24, PAGE = 4096 };

static unsigned long rounds = 3000, seed = 1;
static time_t end;

static long available_kb(void)
{
    char line[200];
    long kb = -1;
    FILE *f = fopen("/proc/meminfo", "r");

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %ld", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb;
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// A mapping and what its pages hold: page i has `value + i` in its first and last word, or zeroes where `value` is 0.
struct area {
    char *start;
    size_t pages;
    uint64_t value;
};

static uint64_t *word(const struct area *a, size_t page, int last)
{
    return (uint64_t *)(a->start + page * PAGE + (last ? PAGE - 8 : 0));
}

static int check(const struct area *a)
{
    for (size_t i = 0; i < a->pages; i++)
        for (int last = 0; last < 2; last++)
            if (*word(a, i, last) != (a->value ? a->value + i : 0))
                return -1;
    return 0;
}

static void fill(struct area *a, uint64_t value)
{
    a->value = value | 1;
    for (size_t i = 0; i < a->pages; i++)
        *word(a, i, 0) = *word(a, i, 1) = a->value + i;
}

static void drop(struct area *a)
{
    if (a->start)
        munmap(a->start, a->pages * PAGE);
    a->start = NULL;
}

// A child sees what the parent has, and what it writes is its own.
static int fork_and_write(struct area *areas, uint64_t random)
{
    pid_t pid = fork();

    if (pid == 0) {
        for (int i = 0; i < AREAS; i++) {
            if (!areas[i].start)
                continue;
            if (check(&areas[i]))
                _exit(1);
            if ((random >> i) & 1)
                fill(&areas[i], random + i);
            if (check(&areas[i]))
                _exit(2);
        }
        _exit(0);
    }
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return status ? -1 : 0;
}

// Pages of a file in memory, seen through a mapping and through read(2).
static int file_pages(uint64_t random)
{
    char name[40], bytes[8];
    struct area a = { .pages = 1 + random % AREA_PAGES };
    int bad = 0;

    snprintf(name, sizeof name, "churn.%d", getpid());
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    unlink(name);
    if (fd < 0 || ftruncate(fd, a.pages * PAGE))
        return -1;
    a.start = mmap(NULL, a.pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (a.start == MAP_FAILED)
        return -1;
    fill(&a, random);
    bad |= check(&a);
    uint64_t value = a.value + a.pages - 1;
    bad |= pread(fd, bytes, 8, a.pages * PAGE - 8) != 8 || memcmp(bytes, &value, 8);
    bad |= ftruncate(fd, PAGE);
    drop(&a);
    close(fd);
    return bad ? -1 : 0;
}

// Goes on on some CPU.
static int hop(uint64_t random)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(random % cpus, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

static void *take_and_drop(void *argument)
{
    struct area *a = argument;
    int bad = hop(a->value) || check(a);

    drop(a);
    return bad ? a : NULL;
}

// What one thread maps and fills another one drops, on another CPU perhaps.
static int hand_over(uint64_t random)
{
    struct area a = { .pages = 1 + random % AREA_PAGES };
    pthread_attr_t attributes;
    pthread_t thread;
    void *bad;

    a.start = mmap(NULL, a.pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (a.start == MAP_FAILED)
        return -1;
    fill(&a, random);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16 * PAGE);
    if (pthread_create(&thread, &attributes, take_and_drop, &a) || pthread_join(thread, &bad))
        return -1;
    return bad ? -1 : 0;
}

// Memory that a child fills and its parent reads.
static int shared_pages(uint64_t random)
{
    struct area a = { .pages = 1 + random % AREA_PAGES };
    int status = -1, bad;

    a.start = mmap(NULL, a.pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (a.start == MAP_FAILED)
        return -1;
    pid_t pid = fork();
    a.value = random | 1;
    if (pid == 0) {
        hop(random >> 8);
        fill(&a, random);
        _exit(0);
    }
    bad = pid < 0 || waitpid(pid, &status, 0) != pid || status || check(&a);
    drop(&a);
    return bad ? -1 : 0;
}

// Bytes that go into a pipe on one CPU and come out on another.
static int through_a_pipe(uint64_t random)
{
    static char bytes[8 * PAGE], back[8 * PAGE];
    size_t len = 1 + random % sizeof bytes;
    int ends[2], bad;

    memset(bytes, (int)random, len);
    if (pipe(ends))
        return -1;
    bad = write(ends[1], bytes, len) != (ssize_t)len || hop(random >> 8);
    bad = bad || read(ends[0], back, len) != (ssize_t)len || memcmp(bytes, back, len);
    close(ends[0]);
    close(ends[1]);
    return bad ? -1 : 0;
}

static int step(struct area *areas, uint64_t random)
{
    struct area *a = &areas[random % AREAS];
    uint64_t what = (random >> 8 & 0xff) % 20, more = random >> 16;

    if (!a->start) {
        a->pages = 1 + more % AREA_PAGES;
        a->value = 0;
        a->start = mmap(NULL, a->pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (a->start == MAP_FAILED) {
            a->start = NULL;
            return -1;
        }
        return 0;
    }
    if (check(a))
        return -1;
    switch (what) {
    case 0: case 1: case 2: case 3:
        fill(a, more);
        return check(a);
    case 4: case 5: case 6:
        drop(a);
        return 0;
    case 7:
        a->value = 0;
        return madvise(a->start, a->pages * PAGE, MADV_DONTNEED) || check(a) ? -1 : 0;
    case 8: case 9: {
        // A hole of other rights in the middle splits the mapping, and heals.
        size_t from = more % a->pages;
        if (mprotect(a->start + from * PAGE, PAGE, PROT_READ) || check(a))
            return -1;
        return mprotect(a->start, a->pages * PAGE, PROT_READ | PROT_WRITE);
    }
    case 10: {
        size_t pages = 1 + more % a->pages;
        char *moved = mremap(a->start, a->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);
        if (moved == MAP_FAILED)
            return -1;
        a->start = moved;
        a->pages = pages;
        return check(a);
    }
    case 11: {
        // The last pages go; those before stay.
        size_t pages = 1 + more % a->pages;
        if (pages < a->pages && munmap(a->start + pages * PAGE, (a->pages - pages) * PAGE))
            return -1;
        a->pages = pages;
        return check(a);
    }
    case 12: case 13:
        return fork_and_write(areas, more);
    case 14:
        return file_pages(more);
    case 15:
        return hand_over(more);
    case 16:
        return shared_pages(more);
    case 17:
        return through_a_pipe(more);
    case 18:
        return hop(more);
    default:
        sched_yield();
        return 0;
    }
}

static int worker(int number)
{
    struct area areas[AREAS] = { { NULL } };
    uint64_t state = seed * 0x9e3779b97f4a7c15 + number + 1;

    for (unsigned long i = 0; end ? time(NULL) < end : i < rounds; i++)
        if (step(areas, next(&state)))
            return 1;
    for (int i = 0; i < AREAS; i++)
        if (areas[i].start && check(&areas[i]))
            return 2;
    return 0;
}

static void work(void)
{
    // What all workers have at most stays free, and a twentieth of memory beside it; their children take of both.
    long all = available_kb(), left = WORKERS * AREAS * AREA_PAGES * (PAGE / 1024) + all / 20;
    size_t ballast = all > left ? (size_t)(all - left) << 10 : PAGE;
    char *p = mmap(NULL, ballast, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int failed = 0, status;

    madvise(p, ballast, MADV_DONTFORK);
    for (size_t at = 0; at < ballast; at += PAGE)
        p[at] = (char)(at >> 12);
    for (int i = 0; i < WORKERS; i++)
        if (fork() == 0)
            _exit(worker(i));
    while (wait(&status) > 0)
        failed += status != 0;
    for (size_t at = 0; at < ballast; at += PAGE)
        failed += p[at] != (char)(at >> 12);
    printf("%d failed\n", failed);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = strtoul(argv[1], NULL, 0);
    if (argc > 2)
        seed = strtoul(argv[2], NULL, 0);
    if (argc > 3)
        end = time(NULL) + strtoul(argv[3], NULL, 0);
    work();
    return 0;
}
