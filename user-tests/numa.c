// Memory policies on a machine of one node: get_mempolicy(2), set_mempolicy(2), mbind(2), migrate_pages(2), move_pages(2).
#include "t.h"
#include "vm.h"

enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, PREFERRED_MANY };
#define STATIC (1 << 15)
#define RELATIVE (1 << 14)
#define BALANCING (1 << 13)

// Room for the longest mask.
static unsigned long mask[1024];

static void show_policy(void *at, int flags)
{
    int mode = 77;
    unsigned long nodes[16] = { 0 };

    if (syscall(SYS_get_mempolicy, &mode, nodes, 1024ul, at, flags) == 0)
        printf("  mode %x nodes %lx\n", mode, nodes[0]);
    else
        printf("  %s\n", error_name(errno));
}

static void part_set(void)
{
    static const struct { const char *name; int mode; } modes[] = {
        { "default", DEFAULT }, { "preferred", PREFERRED }, { "bind", BIND }, { "interleave", INTERLEAVE }, { "local", LOCAL },
        { "many", PREFERRED_MANY }, { "bind static", BIND | STATIC }, { "bind relative", BIND | RELATIVE },
        { "bind both", BIND | STATIC | RELATIVE }, { "bind balancing", BIND | BALANCING },
        { "interleave balancing", INTERLEAVE | BALANCING }, { "default static", DEFAULT | STATIC }, { "local static", LOCAL | STATIC },
        { "6", 6 }, { "-1", -1 }, { "bit 12", BIND | 1 << 12 },
    };
    static const unsigned long sets[] = { 0, 1, 2, 3 };

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        printf("%s\n", modes[i].name);
        for (size_t j = 0; j < 4; j++) {
            mask[0] = sets[j];
            printf(" %lx: %s\n", sets[j], syscall(SYS_set_mempolicy, modes[i].mode, mask, 64ul) == 0 ? "ok" : error_name(errno));
            show_policy(NULL, 0);
        }
        printf(" no mask: %s\n", syscall(SYS_set_mempolicy, modes[i].mode, NULL, 0ul) == 0 ? "ok" : error_name(errno));
        show_policy(NULL, 0);
        syscall(SYS_set_mempolicy, DEFAULT, NULL, 0ul);
    }
}

static void part_masks(void)
{
    memset(mask, 0, sizeof mask);
    mask[0] = 1;
#define SET(nodes, max) R(syscall(SYS_set_mempolicy, BIND, nodes, max))
    SET(mask, 0ul);
    SET(mask, 1ul);
    SET(mask, 2ul);
    SET(mask, 64ul);
    SET(mask, 65ul);
    SET(mask, 1024ul);
    SET(mask, 4096ul);
    SET(mask, 4097ul);
    SET(mask, 32768ul);
    SET(mask, 32769ul);
    SET(mask, 32770ul);
    SET(mask, ~0ul);
    SET((void *)8, 64ul);
    mask[1] = 1;
    SET(mask, 65ul);
    SET(mask, 66ul);
    SET(mask, 128ul);
    mask[1] = 0, mask[20] = 1;
    SET(mask, 2048ul);
    R(syscall(SYS_set_mempolicy, DEFAULT, NULL, 0ul));
}

static void part_get(void)
{
    int mode;
    unsigned long nodes[16];

    base = room(8);
    put(base, 4, RW, 0);
#define GET(mode, nodes, max, at, flags) R(syscall(SYS_get_mempolicy, mode, nodes, max, at, flags))
    GET(&mode, NULL, 0ul, NULL, 0);
    GET(NULL, NULL, 0ul, NULL, 0);
    GET(NULL, nodes, 1024ul, NULL, 0);
    GET(NULL, nodes, 1ul, NULL, 0);
    GET(NULL, nodes, 0ul, NULL, 0);
    GET(NULL, nodes, 64ul, NULL, 4);
    GET(NULL, nodes, 1024ul, NULL, 4);
    printf("%lx\n", nodes[0]);
    GET(&mode, nodes, 1024ul, NULL, 4);
    GET(&mode, nodes, 1024ul, base, 4);
    GET(&mode, nodes, 1024ul, base, 0);
    GET(&mode, NULL, 0ul, base, 2);
    printf("%d\n", mode);
    GET(&mode, NULL, 0ul, base, 3);
    printf("%d\n", mode);
    base[0] = 1;
    GET(&mode, NULL, 0ul, base, 3);
    printf("%d\n", mode);
    GET(&mode, NULL, 0ul, NULL, 1);
    GET(&mode, NULL, 0ul, NULL, 2);
    GET(&mode, NULL, 0ul, NULL, 3);
    GET(&mode, NULL, 0ul, base, 8);
    GET(&mode, NULL, 0ul, base + 5 * P, 2);
    GET(&mode, NULL, 0ul, base + 5 * P, 3);
    GET((void *)8, NULL, 0ul, NULL, 0);
    GET(NULL, (void *)8, 1024ul, NULL, 0);
    GET(NULL, NULL, 0ul, base, 0);
    GET(NULL, NULL, 0ul, (void *)-1, 2);
    mask[0] = 1;
    R(syscall(SYS_set_mempolicy, INTERLEAVE, mask, 64ul));
    GET(&mode, NULL, 0ul, NULL, 1);
    printf("%d\n", mode);
    GET(&mode, NULL, 0ul, NULL, 0);
    printf("%d\n", mode);
    R(syscall(SYS_set_mempolicy, DEFAULT, NULL, 0ul));
}

static void part_bind(void)
{
    base = room(16);
    put(base, 8, RW, 0);
    put(base + 10 * P, 2, RW, 0);
    mask[0] = 1;
#define MBIND(at, pages, mode, nodes, max, flags) R(syscall(SYS_mbind, at, (pages) * P, mode, nodes, max, flags))
    MBIND(base + 2 * P, 2, BIND, mask, 64ul, 0);
    shape("a policy apart", base, 12);
    show_policy(base + 2 * P, 2);
    show_policy(base, 2);
    MBIND(base + 4 * P, 2, BIND, mask, 64ul, 0);
    shape("the same policy", base, 12);
    MBIND(base + 4 * P, 2, PREFERRED, mask, 64ul, 0);
    shape("another", base, 12);
    show_policy(base + 4 * P, 2);
    MBIND(base, 8, DEFAULT, NULL, 0ul, 0);
    shape("none", base, 12);
    MBIND(base, 12, BIND, mask, 64ul, 0);
    shape("over a hole", base, 12);
    MBIND(base, 12, DEFAULT, NULL, 0ul, 0);
    shape("back", base, 12);
    MBIND(base + 8 * P, 1, BIND, mask, 64ul, 0);
    MBIND(base + 8 * P, 1, DEFAULT, NULL, 0ul, 0);
    MBIND(base + 1, 1, BIND, mask, 64ul, 0);
    MBIND(base, 0, BIND, mask, 64ul, 0);
    MBIND(base, 1, BIND, NULL, 0ul, 0);
    mask[0] = 2;
    MBIND(base, 1, BIND, mask, 64ul, 0);
    mask[0] = 1;
    MBIND(base, 1, 9, mask, 64ul, 0);
    MBIND(base, 1, BIND, mask, 64ul, 8);
    MBIND(base, 1, BIND, mask, 64ul, 1);
    MBIND(base, 1, BIND, mask, 64ul, 2);
    MBIND(base, 1, BIND, mask, 64ul, 3);
    MBIND(base, 1, BIND, mask, 64ul, 4);
    MBIND(base, 1, LOCAL, NULL, 0ul, 0);
    show_policy(base, 2);
    R(syscall(SYS_mbind, base, ~0ul, BIND, mask, 64ul, 0));
    R(syscall(SYS_mbind, base, ~0ul - P, BIND, mask, 64ul, 0));
    MBIND(base, 1, BIND, (void *)8, 64ul, 0);
    IN_CHILD("child")
        show_policy(base, 2);
    IN_CHILD("another user") {
        setuid(1000);
        MBIND(base, 1, BIND, mask, 64ul, 2);
        MBIND(base, 1, BIND, mask, 64ul, 4);
    }
    int fd = file_of("f", 2);
    mmap(base + 12 * P, 2 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    MBIND(base + 12 * P, 1, BIND, mask, 64ul, 0);
    shape("a file", base + 12 * P, 2);
    R(syscall(450, base, P, 0, 0));
    R(syscall(450, base, P, 1, 0));
    R(syscall(450, base, P, 0, 1));
    R(syscall(450, base + 1, P, 0, 0));
}

static void part_move(void)
{
    int status[4], nodes[4] = { 0, 0, 0, 1 };

    base = room(8);
    put(base, 4, RW, 0);
    base[0] = 1;
    void *pages[4] = { base, base + P, base + 6 * P, base };
#define MOVE(pid, n, nodes, status, flags) \
    memset(status, 0x55, sizeof status), R(syscall(SYS_move_pages, pid, n, pages, nodes, status, flags)), \
        printf(" %d %d %d %d\n", status[0], status[1], status[2], status[3])
    MOVE(0, 4ul, NULL, status, 0);
    MOVE(0, 3ul, nodes, status, 2);
    MOVE(0, 4ul, nodes, status, 2);
    MOVE(0, 1ul, nodes, status, 4);
    MOVE(0, 1ul, nodes, status, 8);
    MOVE(0, 0ul, nodes, status, 2);
    MOVE(0, 1ul, (int *)8, status, 2);
    MOVE(getpid(), 1ul, NULL, status, 0);
    MOVE(0x3fffffff, 1ul, NULL, status, 0);
    R(syscall(SYS_move_pages, 0, 1ul, pages, NULL, (void *)8, 0));
    R(syscall(SYS_move_pages, 0, 1ul, (void *)8, NULL, status, 0));
    nodes[0] = -1;
    MOVE(0, 1ul, nodes, status, 2);
    nodes[0] = 5000;
    MOVE(0, 1ul, nodes, status, 2);
    nodes[0] = 0;
    IN_CHILD("another user") {
        setuid(1000);
        MOVE(getppid(), 1ul, NULL, status, 0);
        MOVE(0, 1ul, nodes, status, 4);
    }
    mask[0] = 1;
    unsigned long to[2] = { 1 };
#define MIGRATE(pid, max, from, to) R(syscall(SYS_migrate_pages, pid, max, from, to))
    MIGRATE(0, 64ul, mask, to);
    MIGRATE(getpid(), 64ul, mask, to);
    MIGRATE(0x3fffffff, 64ul, mask, to);
    MIGRATE(0, 0ul, mask, to);
    MIGRATE(0, 64ul, (void *)8, to);
    MIGRATE(0, 64ul, mask, (void *)8);
    to[0] = 2;
    MIGRATE(0, 64ul, mask, to);
    to[0] = 3;
    MIGRATE(0, 64ul, mask, to);
    to[0] = 0;
    MIGRATE(0, 64ul, mask, to);
    mask[0] = 0, to[0] = 1;
    MIGRATE(0, 64ul, mask, to);
    mask[0] = 2;
    MIGRATE(0, 64ul, mask, to);
    IN_CHILD("another user") {
        setuid(1000);
        mask[0] = 1;
        MIGRATE(getppid(), 64ul, mask, to);
        MIGRATE(0, 64ul, mask, to);
    }
}

static void part_inherited(void)
{
    mask[0] = 1;
    R(syscall(SYS_set_mempolicy, BIND, mask, 64ul));
    IN_CHILD("child") {
        show_policy(NULL, 0);
        R(syscall(SYS_set_mempolicy, PREFERRED, mask, 64ul));
    }
    show_policy(NULL, 0);
    R(syscall(SYS_set_mempolicy, DEFAULT, NULL, 0ul));
}

PARTS({ "set", part_set }, { "masks", part_masks }, { "get", part_get }, { "bind", part_bind }, { "move", part_move },
      { "inherited", part_inherited })
