// What is shown twice: pages of files read, written and mapped; memory over fork; advice that takes pages away.
#include "t.h"
#include "vm.h"
#include <sys/shm.h>

// Private pages of the mapping around an address that are in memory.
#define OWN(at) (smaps(at, "Anonymous") / 4)
#define THERE(at) (smaps(at, "Rss") / 4)

static void part_coherence(void)
{
    int fd = file_of("f", 4), other = open("f", O_RDWR);
    char text[8] = "";

    char *s = mmap(NULL, 4 * P, RW, MAP_SHARED, fd, 0), *t = mmap(NULL, 4 * P, RW, MAP_SHARED, other, 0);
    char *p = mmap(NULL, 4 * P, RW, MAP_PRIVATE, fd, 0);
    strcpy(s + 10, "mapped");
    R(pread(fd, text, 7, 10));
    printf("%s %s %s\n", text, t + 10, p + 10);
    R(pwrite(other, "written", 8, P + 10));
    printf("%s %s %s\n", s + P + 10, t + P + 10, p + P + 10);
    p[2 * P] = 'P';
    R(pwrite(fd, "again", 6, 2 * P + 1));
    printf("%c%s %c%.5s\n", s[2 * P], s + 2 * P + 1, p[2 * P], p + 2 * P + 1);
    t[3 * P] = 'T';
    printf("%c %c\n", s[3 * P], p[3 * P]);
    close(fd), close(other);
    t[3 * P + 1] = 'U';
    printf("%c\n", s[3 * P + 1]);
    R(unlink("f"));
    s[0] = 'x';
    printf("%c\n", t[0]);
    munmap(t, 4 * P);
    printf("%c\n", s[0]);
}

static void part_written_and_mapped_at_once(void)
{
    int fd = file_of("f", 3), wrong = 0;
    char *s = mmap(NULL, 3 * P, RW, MAP_SHARED, fd, 0);

    // From the mapping of the very file, and over each other.
    R(pwrite(fd, s, P, P));
    printf("%c%c\n", s[P], s[2 * P]);
    R(pwrite(fd, s + 2 * P, P, 0));
    R(pread(fd, s + P, 2 * P, P));
    printf("%c%c%c\n", s[0], s[P], s[2 * P]);
    R(pread(fd, s + 100, P, 0));
    for (int i = 0; i < 1000; i++) {
        int value;
        pwrite(fd, &i, sizeof i, 2 * P + 4 * (i % 1000));
        wrong += *(int *)(s + 2 * P + 4 * (i % 1000)) != i;
        *(int *)(s + 8) = i + 7;
        pread(fd, &value, sizeof value, 8);
        wrong += value != i + 7;
    }
    printf("%d wrong\n", wrong);
}

static void part_over_fork(void)
{
    int fd = file_of("f", 2);
    char *a = map(4 * P, RW), *s = mmap(NULL, 4 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *p = mmap(NULL, 2 * P, RW, MAP_PRIVATE, fd, 0), *sf = mmap(NULL, 2 * P, RW, MAP_SHARED, fd, 0);

    a[0] = s[0] = p[1] = 1;
    IN_CHILD("child") {
        printf("%d%d%d\n", a[0], s[0], p[1]);
        a[0] = s[0] = p[1] = 2;
        a[P] = s[P] = 2;
        sf[0] = 'F';
        printf("%d%d%d %c\n", a[0], s[0], p[1], p[0]);
        IN_CHILD("grandchild") {
            a[0] = s[0] = p[1] = 3;
            a[2 * P] = s[2 * P] = 3;
            sf[P] = 'G';
        }
        printf("%d%d%d %d%d\n", a[0], s[0], p[1], a[2 * P], s[2 * P]);
        printf("%c%c\n", p[0], p[P]);
    }
    printf("%d%d%d %d%d %d%d\n", a[0], s[0], p[1], a[P], s[P], a[2 * P], s[2 * P]);
    printf("%c%c %c%c\n", p[0], p[P], sf[0], sf[P]);
}

static void part_last_reference(void)
{
    char *a = map(64 * P, RW);
    int go[2], done[2];
    char c;

    memset(a, 1, 64 * P);
    pipe(go), pipe(done);
    printf("%ld own, %ld private\n", OWN(a), smaps(a, "Private_Dirty") / 4);
    pid_t child = fork();
    if (child == 0) {
        read(go[0], &c, 1);
        memset(a, 2, 16 * P);
        write(done[1], "x", 1);
        read(go[0], &c, 1);
        _exit(0);
    }
    printf("%ld own, %ld private, %ld shared\n", OWN(a), smaps(a, "Private_Dirty") / 4, smaps(a, "Shared_Dirty") / 4);
    write(go[1], "x", 1);
    read(done[0], &c, 1);
    printf("%ld own, %ld private, %ld shared\n", OWN(a), smaps(a, "Private_Dirty") / 4, smaps(a, "Shared_Dirty") / 4);
    memset(a + 8 * P, 3, 16 * P);
    printf("%ld own, %ld private, %ld shared\n", OWN(a), smaps(a, "Private_Dirty") / 4, smaps(a, "Shared_Dirty") / 4);
    write(go[1], "x", 1);
    waitpid(child, NULL, 0);
    printf("%ld own, %ld private, %ld shared\n", OWN(a), smaps(a, "Private_Dirty") / 4, smaps(a, "Shared_Dirty") / 4);
    // Nobody else has them any more: stores copy nothing, which the count of faults shows at most.
    memset(a, 4, 64 * P);
    printf("%ld own, %d %d\n", OWN(a), a[0], a[63 * P]);
}

static void part_vfork(void)
{
    char *a = map(P, RW);
    volatile int local = 1;
    pid_t child = vfork();

    if (child == 0) {
        a[0] = 5;
        local = 2;
        char *made = mmap(NULL, P, RW, ANON, -1, 0);
        made[0] = 6;
        a[1] = 1;
        *(char **)(a + 8) = made;
        _exit(3);
    }
    int status;
    waitpid(child, &status, 0);
    show_status("child", status);
    printf("%d %d %d\n", a[0], local, (*(char **)(a + 8))[0]);
}

static void part_posix_shm(void)
{
    int fd = open("/dev/shm/name", O_RDWR | O_CREAT | O_EXCL, 0600);

    R(ftruncate(fd, 3 * P));
    char *s = mmap(NULL, 3 * P, RW, MAP_SHARED, fd, 0);
    close(fd);
    IN_CHILD("by name") {
        int again = open("/dev/shm/name", O_RDWR);
        char *t = mmap(NULL, 3 * P, RW, MAP_SHARED, again, 0);
        strcpy(t + P, "from the other");
        CHECK("mapped alike", smaps(t, "Rss") == 4 && smaps(t, "Anonymous") == 0);
    }
    printf("%s\n", s + P);
    printf("%ld there, %ld own\n", THERE(s), OWN(s));
    s[0] = 1;
    printf("%ld there, %ld own\n", THERE(s), OWN(s));
    CHECK("counted as shared", row_of("/proc/self/status", "RssShmem") == 8);
    struct stat st;
    stat("/dev/shm/name", &st);
    printf("%ld blocks\n", (long)st.st_blocks);
    R(unlink("/dev/shm/name"));
    R(open("/dev/shm/name", O_RDWR));
    printf("%d\n", s[0]);
}

static void part_dontneed(void)
{
    int fd = file_of("f", 4);
    char *a = map(4 * P, RW), *p = mmap(NULL, 4 * P, RW, MAP_PRIVATE, fd, 0), *s = mmap(NULL, 4 * P, RW, MAP_SHARED, fd, 0);
    char *m = mmap(NULL, 4 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    memset(a, 1, 4 * P), memset(m, 2, 4 * P);
    memset(p, 'P', 2 * P), memset(s + 2 * P, 'S', 2 * P);
    R(madvise(a + P, 2 * P, MADV_DONTNEED));
    printf("%d%d%d%d, %ld\n", a[0], a[P], a[2 * P], a[3 * P], OWN(a));
    R(madvise(p, 4 * P, MADV_DONTNEED));
    printf("%c%c%c%c, %ld\n", p[0], p[P], p[2 * P], p[3 * P], OWN(p));
    R(madvise(s, 4 * P, MADV_DONTNEED));
    printf("%ld there\n", THERE(s));
    printf("%c%c%c%c\n", s[0], s[P], s[2 * P], s[3 * P]);
    R(madvise(m, 4 * P, MADV_DONTNEED));
    printf("%ld there\n", THERE(m));
    printf("%d%d\n", m[0], m[3 * P]);
    mlock(a, P);
    R(madvise(a, P, MADV_DONTNEED));
    R(madvise(a, P, 24));
    printf("%d\n", a[0]);
    mprotect(a, P, PROT_NONE);
    munlock(a, P);
    R(madvise(a, P, MADV_DONTNEED));
    mprotect(a, P, PROT_READ);
    printf("%d\n", a[0]);
    put(a + P, 1, PROT_READ, 0);
    R(madvise(a, 4 * P, MADV_DONTNEED));
}

static void part_free(void)
{
    char *a = map(4 * P, RW);

    memset(a, 1, 4 * P);
    R(madvise(a, 4 * P, MADV_FREE));
    a[0] = 2;
    printf("%d\n", a[0]);
    CHECK("old or zero", a[1] == 1 || a[1] == 0);
    CHECK("old or zero", a[P] == 1 || a[P] == 0);
    R(madvise(a + 1, P, MADV_FREE));
    char *s = mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    R(madvise(s, P, MADV_FREE));
    IN_CHILD("child") {
        a[P] = 3;
        printf("%d\n", a[P]);
    }
    CHECK("not the child's", a[P] == 1 || a[P] == 0);
}

static void part_over_fork_by_advice(void)
{
    base = room(16);
    char *a = put(base, 8, RW, 0);

    memset(a, 1, 8 * P);
    R(madvise(a + P, P, MADV_WIPEONFORK));
    R(madvise(a + 3 * P, P, MADV_DONTFORK));
    R(madvise(a + 5 * P, P, MADV_WIPEONFORK));
    R(madvise(a + 5 * P, P, MADV_DONTFORK));
    vm_flags("wiped", a + P);
    vm_flags("not inherited", a + 3 * P);
    IN_CHILD("child") {
        shape("it has", a, 8);
        printf("%d%d%d %d%d\n", a[0], a[P], a[2 * P], a[4 * P], a[6 * P]);
        printf("%d %d\n", probe(a + 3 * P, 0), probe(a + 5 * P, 0));
        a[P] = 2;
        IN_CHILD("grandchild")
            printf("%d\n", a[P]);
    }
    printf("%d%d%d%d%d\n", a[0], a[P], a[2 * P], a[3 * P], a[5 * P]);
    R(madvise(a + 3 * P, P, MADV_DOFORK));
    R(madvise(a + P, P, MADV_KEEPONFORK));
    IN_CHILD("child")
        printf("%d%d\n", a[P], a[3 * P]);
    shape("joined again", a, 8);
    int fd = file_of("f", 1);
    char *f = mmap(NULL, P, RW, MAP_PRIVATE, fd, 0), *s = mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    R(madvise(f, P, MADV_WIPEONFORK));
    R(madvise(s, P, MADV_WIPEONFORK));
    R(madvise(f, P, MADV_DONTFORK));
    IN_CHILD("child")
        printf("%d\n", probe(f, 0));
}

static void part_populated(void)
{
    int fd = file_of("f", 4);
    char *a = map(8 * P, RW), *r = map(4 * P, PROT_READ), *p = mmap(NULL, 4 * P, RW, MAP_PRIVATE, fd, 0);
    char *s = mmap(NULL, 4 * P, RW, MAP_SHARED, fd, 0);

    R(madvise(a, 4 * P, MADV_POPULATE_WRITE));
    printf("%ld own\n", OWN(a));
    R(madvise(a + 4 * P, 2 * P, MADV_POPULATE_READ));
    printf("%ld own\n", OWN(a));
    R(madvise(r, 4 * P, MADV_POPULATE_READ));
    R(madvise(r, 4 * P, MADV_POPULATE_WRITE));
    R(madvise(p, 2 * P, MADV_POPULATE_WRITE));
    printf("%ld own\n", OWN(p));
    R(madvise(p, 4 * P, MADV_POPULATE_READ));
    printf("%ld there, %ld own\n", THERE(p), OWN(p));
    R(madvise(s, 4 * P, MADV_POPULATE_WRITE));
    printf("%ld there, %ld own\n", THERE(s), OWN(s));
    char *m = mmap(NULL, 4 * P, RW, ANON | MAP_POPULATE, -1, 0);
    printf("%ld own\n", OWN(m));
    m = mmap(NULL, 4 * P, PROT_READ, ANON | MAP_POPULATE, -1, 0);
    printf("%ld own\n", OWN(m));
    m = mmap(NULL, 4 * P, RW, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    printf("%ld there, %ld own\n", THERE(m), OWN(m));
    m = mmap(NULL, 4 * P, RW, MAP_SHARED | MAP_POPULATE, fd, 0);
    printf("%ld there\n", THERE(m));
    m = mmap(NULL, 6 * P, RW, MAP_SHARED | MAP_POPULATE, fd, 0);
    printf("%ld there\n", THERE(m));
    R(madvise(m, 6 * P, MADV_POPULATE_READ));
    m = mmap(NULL, 4 * P, PROT_NONE, ANON | MAP_POPULATE, -1, 0);
    printf("%ld own\n", OWN(m));
}

static void part_cold(void)
{
    int fd = file_of("f", 4);
    char *a = map(4 * P, RW), *s = mmap(NULL, 4 * P, RW, MAP_SHARED, fd, 0);

    memset(a, 1, 4 * P), memset(s, 's', 4 * P);
    R(madvise(a, 4 * P, MADV_COLD));
    R(madvise(s, 4 * P, MADV_COLD));
    R(madvise(a, 4 * P, MADV_PAGEOUT));
    R(madvise(s, 4 * P, MADV_PAGEOUT));
    printf("%d%d %c%c\n", a[0], a[3 * P], s[0], s[3 * P]);
    R(madvise(s, 4 * P, MADV_WILLNEED));
    R(madvise(a, 4 * P, MADV_WILLNEED));
    printf("%d%d %c%c\n", a[0], a[3 * P], s[0], s[3 * P]);
}

static void part_many_sharers(void)
{
    enum { N = 7 };
    char *s = mmap(NULL, 16 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *a = map(16 * P, RW);
    int go[2], ready[2];
    char c;

    memset(s, 1, 16 * P), memset(a, 1, 16 * P);
    pipe(go), pipe(ready);
#define SHARE(at) printf("%ld of %ld, %ld shared, %ld private\n", smaps(at, "Pss"), smaps(at, "Rss"), smaps(at, "Shared_Dirty"), smaps(at, "Private_Dirty"))
    SHARE(s);
    SHARE(a);
    for (int i = 0; i < N; i++)
        if (fork() == 0) {
            touch(s, 16);
            write(ready[1], "x", 1);
            read(go[0], &c, 1);
            _exit(0);
        }
    for (int i = 0; i < N; i++)
        read(ready[0], &c, 1);
    SHARE(s);
    SHARE(a);
    a[0] = 2;
    SHARE(a);
    write(go[1], "xxxxxxx", N);
    while (wait(NULL) > 0)
        ;
    SHARE(s);
    SHARE(a);
}

static void part_seen_by_others(void)
{
    int fd = file_of("f", 4), go[2], done[2];
    char c;

    base = room(16);
    char *s = mmap(base, 4 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    pipe(go), pipe(done);
    pid_t child = fork();
    if (child == 0) {
        s[3 * P] = 'c';
        for (int i = 0; i < 3; i++) {
            write(done[1], "x", 1);
            read(go[0], &c, 1);
            fault("page 1", s + P, 0);
            fault("page 3", s + 3 * P, 0);
        }
        _exit(0);
    }
    read(done[0], &c, 1);
    ftruncate(fd, 2 * P);
    write(go[1], "x", 1), read(done[0], &c, 1);
    ftruncate(fd, 4 * P);
    write(go[1], "x", 1), read(done[0], &c, 1);
    ftruncate(fd, 0);
    write(go[1], "x", 1);
    waitpid(child, NULL, 0);
}

PARTS({ "coherence", part_coherence }, { "written_and_mapped_at_once", part_written_and_mapped_at_once },
      { "over_fork", part_over_fork }, { "last_reference", part_last_reference }, { "vfork", part_vfork },
      { "posix_shm", part_posix_shm }, { "dontneed", part_dontneed }, { "free", part_free },
      { "over_fork_by_advice", part_over_fork_by_advice }, { "populated", part_populated }, { "cold", part_cold },
      { "many_sharers", part_many_sharers }, { "seen_by_others", part_seen_by_others })
