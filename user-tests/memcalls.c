// What the calls about memory refuse, and how.
#include "t.h"
#include "vm.h"
#include <sys/ipc.h>
#include <sys/shm.h>

// The library's own would check first.
#define munmap(...) syscall(SYS_munmap, __VA_ARGS__)
#define mprotect(...) syscall(SYS_mprotect, __VA_ARGS__)
#define mremap(...) (char *)syscall(SYS_mremap, __VA_ARGS__)
#define shmget(...) syscall(SYS_shmget, __VA_ARGS__)

#define ANYWHERE(call) R((call) == MAP_FAILED ? -1 : 0)

static void part_munmap(void)
{
    base = room(16);
    put(base, 8, RW, 0);
    R(munmap(base + 1, P));
    R(munmap(base, 0));
    R(munmap(base, 1));
    R(munmap(base, P + 1));
    shape("then", base, 8);
    R(munmap(base + 10 * P, P));
    R(munmap(base, 100 * P) == 0 ? 0 : -1);
    R(syscall(SYS_munmap, 0, 0x7ffffffff001));
    R(syscall(SYS_munmap, 0x7ffffffff000, P));
    R(syscall(SYS_munmap, 0x7fffffffe000, P));
    R(syscall(SYS_munmap, 0x7fffffffe000, 2 * P));
    R(syscall(SYS_munmap, P, ~0ul));
    R(syscall(SYS_munmap, P, ~0ul - P));
    R(syscall(SYS_munmap, -P, P));
    R(syscall(SYS_munmap, 0xffff800000000000, P));
}

static void part_mmap(void)
{
    int fd = file_of("f", 2), wo = open("f", O_WRONLY), ro = open("f", O_RDONLY), path = open("f", O_PATH), append = open("f", O_RDWR | O_APPEND);

    MMAP(NULL, P, PROT_READ, 0, fd, 0);
    MMAP(NULL, P, PROT_READ, MAP_PRIVATE, 77, 0);
    MMAP(NULL, P, PROT_READ, MAP_PRIVATE, path, 0);
    MMAP(NULL, 0, PROT_READ, MAP_PRIVATE, 77, 0);
    MMAP(NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0);
    MMAP(NULL, P, PROT_NONE, MAP_PRIVATE, wo, 0);
    MMAP(NULL, P, PROT_WRITE, MAP_SHARED, wo, 0);
    MMAP(NULL, P, PROT_NONE, MAP_SHARED, ro, 0);
    MMAP(NULL, P, PROT_WRITE, MAP_SHARED, ro, 0);
    MMAP(NULL, P, PROT_WRITE, MAP_SHARED, append, 0);
    MMAP(NULL, P, PROT_WRITE, MAP_PRIVATE, ro, 0);
    char *s = mmap(NULL, P, PROT_READ, MAP_SHARED, ro, 0), *p = mmap(NULL, P, PROT_READ, MAP_PRIVATE, ro, 0);
    R(mprotect(s, P, RW));
    R(mprotect(s, P, PROT_READ | PROT_EXEC));
    R(mprotect(p, P, RW));
    R(syscall(SYS_mmap, NULL, P, PROT_READ, MAP_PRIVATE, fd, 100));
    R(syscall(SYS_mmap, NULL, P, PROT_READ, MAP_PRIVATE, fd, -P) == -1 ? -1 : 0);
    R(syscall(SYS_mmap, NULL, 2 * P, PROT_READ, MAP_PRIVATE, fd, -P) == -1 ? -1 : 0);
    R(syscall(SYS_mmap, NULL, P, PROT_READ, MAP_PRIVATE, fd, 1ul << 62) == -1 ? -1 : 0);
    R(syscall(SYS_mmap, NULL, P, PROT_READ, MAP_PRIVATE, fd, 1ul << 63) == -1 ? -1 : 0);
    R(syscall(SYS_mmap, NULL, P, PROT_READ, ANON, -1, 1ul << 63) == -1 ? -1 : 0);
    R(syscall(SYS_mmap, NULL, P, PROT_READ, ANON, -1, 100));
    R(syscall(SYS_mmap, NULL, 1ul << 47, PROT_NONE, ANON | MAP_NORESERVE, -1, 0) == -1 ? -1 : 0);
    R(syscall(SYS_mmap, NULL, 1ul << 46, PROT_NONE, ANON | MAP_NORESERVE, -1, 0) == -1 ? -1 : 0);
    R(syscall(SYS_mmap, NULL, ~0ul, PROT_NONE, ANON | MAP_NORESERVE, -1, 0) == -1 ? -1 : 0);
    R(syscall(SYS_mmap, NULL, ~0ul - P, PROT_NONE, ANON | MAP_NORESERVE, -1, 0) == -1 ? -1 : 0);
    R(syscall(SYS_mmap, 5, P, PROT_NONE, ANON | MAP_FIXED, -1, 0));
    R(syscall(SYS_mmap, 0x7fffffffe000, 2 * P, PROT_NONE, ANON | MAP_FIXED, -1, 0));
    R(syscall(SYS_mmap, -P, P, PROT_NONE, ANON | MAP_FIXED, -1, 0));
    MMAP(NULL, P, PROT_READ, ANON, 77, 0);
    MMAP(NULL, P, PROT_READ, ANON, fd, 0);
    mkdir("d", 0755);
    R(mount("none", "d", "tmpfs", MS_NOEXEC, ""));
    int noexec = open("d/f", O_RDWR | O_CREAT, 0755);
    ftruncate(noexec, P);
    MMAP(NULL, P, PROT_READ | PROT_EXEC, MAP_PRIVATE, noexec, 0);
    char *n = mmap(NULL, P, PROT_READ, MAP_PRIVATE, noexec, 0);
    R(mprotect(n, P, PROT_READ | PROT_EXEC));
    munmap(n, P);
    close(noexec);
    R(umount("d"));
}

static void part_mprotect(void)
{
    base = room(16);
    put(base, 4, RW, 0);
    put(base + 6 * P, 2, RW, 0);
    R(mprotect(base + 1, P, PROT_READ));
    R(mprotect(base, 0, PROT_READ));
    R(mprotect(base + 4 * P, 0, PROT_READ));
    R(mprotect(base + 4 * P, P, PROT_READ));
    R(mprotect(base + 2 * P, 6 * P, PROT_READ));
    shape("up to the hole", base, 8);
    R(mprotect(base, P, 0x10));
    R(mprotect(base, P, 8));
    R(mprotect(base, P, PROT_GROWSDOWN));
    R(mprotect(base, P, PROT_GROWSUP));
    R(mprotect(base, ~0ul, PROT_READ));
    R(mprotect(base, ~0ul - P, PROT_READ));
    R(mprotect(base, 1, PROT_NONE));
    shape("one byte", base, 8);
    R(mprotect((void *)-P, P, PROT_READ));
    R(mprotect((void *)0x7ffffffff000, P, PROT_READ));
    R(mprotect(NULL, P, PROT_READ));
    R(syscall(SYS_pkey_mprotect, base, P, PROT_READ, -1));
    R(syscall(SYS_pkey_mprotect, base, P, PROT_READ, 1));
    R(syscall(SYS_pkey_mprotect, base, P, PROT_READ, 99));
    R(syscall(SYS_pkey_alloc, 1, 0));
    R(syscall(SYS_pkey_alloc, 0, 8));
    R(syscall(SYS_pkey_free, 5));
    R(syscall(SYS_pkey_free, 99));
}

static void part_mremap(void)
{
    int fd = file_of("f", 4);

    base = room(64);
    put(base, 4, RW, 0);
    put(base + 4 * P, 2, PROT_READ, 0);
    ANYWHERE(mremap(base, 4 * P, 8 * P, 0));
    ANYWHERE(mremap(base + 1, P, P, 0));
    ANYWHERE(mremap(base, P, 0, 0));
    ANYWHERE(mremap(base, P, P, 8));
    ANYWHERE(mremap(base, P, P, MREMAP_FIXED, base + 10 * P));
    ANYWHERE(mremap(base, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 10 * P + 1));
    ANYWHERE(mremap(base, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, base + P));
    ANYWHERE(mremap(base, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x7ffffffff000));
    ANYWHERE(mremap(base, 6 * P, 8 * P, MREMAP_MAYMOVE));
    ANYWHERE(mremap(base, 6 * P, 6 * P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 20 * P));
    ANYWHERE(mremap(base, 6 * P, 5 * P, 0));
    shape("shrunk over two", base, 8);
    ANYWHERE(mremap(base + 10 * P, P, 2 * P, MREMAP_MAYMOVE));
    ANYWHERE(mremap(base + 10 * P, P, P, 0));
    ANYWHERE(mremap(base, 0, P, MREMAP_MAYMOVE));
    ANYWHERE(mremap(base, 0, P, 0));
    ANYWHERE(mremap(base, ~0ul, P, 0));
    ANYWHERE(mremap(base, P, ~0ul, MREMAP_MAYMOVE));
    ANYWHERE(mremap(base, P, ~0ul - P, MREMAP_MAYMOVE));
    ANYWHERE(mremap(base, P, 1ul << 47, MREMAP_MAYMOVE));
    ANYWHERE(mremap(base, P, P, MREMAP_MAYMOVE | 4, base + 30 * P));
    shape("one moved, its place kept", base, 8);
    ANYWHERE(mremap(base, P, 2 * P, MREMAP_MAYMOVE | 4, base + 40 * P));
    ANYWHERE(mremap(base, P, P, 4));
    ANYWHERE(mremap(base, P, P, MREMAP_MAYMOVE | MREMAP_FIXED | 4, base + P));
    char *s = mmap(base + 50 * P, 2 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    ANYWHERE(mremap(s, 2 * P, 2 * P, MREMAP_MAYMOVE | 4, base + 54 * P));
    shape("a file", s, 8);
    char *old = mremap(s, 2 * P, P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 60 * P);
    printf("%ld\n", (long)(old - base) / P);
    shape("moved and cut", s, 12);
}

static void part_madvise(void)
{
    int fd = file_of("f", 4);
    base = room(64);
    char *kinds[] = {
        put(base, 2, RW, 0), mmap(base + 4 * P, 2 * P, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
        mmap(base + 8 * P, 2 * P, RW, MAP_PRIVATE | MAP_FIXED, fd, 0), mmap(base + 12 * P, 2 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0),
        put(base + 16 * P, 2, PROT_NONE, 0), put(base + 20 * P, 2, RW, MAP_GROWSDOWN), put(base + 300 * P, 2, RW, MAP_LOCKED),
    };
    for (int advice = -1; advice < 28; advice++) {
        // Pages are not to be taken out of service.
        if (advice >= 18 && advice <= 19)
            continue;
        printf("%d:", advice);
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            printf(" %s", madvise(kinds[i], 2 * P, advice) == 0 ? "0" : error_name(errno));
        printf("\n");
    }
    R(madvise(base, 8 * P, MADV_NORMAL));
    R(madvise(base, 8 * P, MADV_DONTNEED));
    R(madvise(base + 2 * P, P, MADV_NORMAL));
    R(madvise(base + 2 * P, 0, MADV_NORMAL));
    R(madvise(base + 1, P, MADV_NORMAL));
    R(madvise(base + 1, 0, MADV_NORMAL));
    R(madvise(base, 0, 77));
    R(madvise(base, ~0ul, MADV_NORMAL));
    R(madvise(base, ~0ul - P, MADV_NORMAL));
    R(madvise((void *)-P, P, MADV_NORMAL));
    R(madvise((void *)-P, 2 * P, MADV_NORMAL));
    R(madvise(base, 3 * P, MADV_POPULATE_READ));
    R(madvise(base, 3 * P, MADV_POPULATE_WRITE));
    R(madvise(base + 16 * P, P, MADV_POPULATE_READ));
    mprotect(base, P, PROT_READ);
    R(madvise(base, P, MADV_POPULATE_WRITE));
    IN_CHILD("another user") {
        setuid(1000);
        R(madvise(base, P, 100));
        R(madvise(base, P, 101));
    }
}

static void part_process_madvise(void)
{
    base = room(16);
    put(base, 8, RW, 0);
    memset(base, 'x', 8 * P);
    int self = syscall(SYS_pidfd_open, getpid(), 0);
    struct iovec iov[3] = { { base, 2 * P }, { base + 4 * P, P }, { base + 10 * P, P } };
#define ADVISE(fd, iov, n, advice, flags) R(syscall(440, fd, iov, n, advice, flags))
    ADVISE(self, iov, 2, MADV_COLD, 0);
    ADVISE(self, iov, 2, MADV_PAGEOUT, 0);
    ADVISE(self, iov, 2, MADV_WILLNEED, 0);
    ADVISE(self, iov, 2, 25, 0);
    ADVISE(self, iov, 2, MADV_DONTNEED, 0);
    ADVISE(self, iov, 2, MADV_FREE, 0);
    ADVISE(self, iov, 2, MADV_NORMAL, 0);
    ADVISE(self, iov, 2, 77, 0);
    ADVISE(self, iov, 2, MADV_COLD, 1);
    ADVISE(self, iov, 0, MADV_COLD, 0);
    ADVISE(self, iov, 3, MADV_COLD, 0);
    ADVISE(self, iov + 2, 1, MADV_COLD, 0);
    ADVISE(self, iov, 1025, MADV_COLD, 0);
    ADVISE(self, (void *)8, 1, MADV_COLD, 0);
    ADVISE(-1, iov, 1, MADV_COLD, 0);
    ADVISE(1, iov, 1, MADV_COLD, 0);
    iov[0].iov_base = base + 1;
    ADVISE(self, iov, 1, MADV_COLD, 0);
    iov[0].iov_base = base;
    iov[0].iov_len = 100;
    ADVISE(self, iov, 1, MADV_COLD, 0);
    IN_CHILD("of the parent, another user") {
        setuid(1000);
        ADVISE(self, iov, 1, MADV_COLD, 0);
    }
    IN_CHILD("of the parent")
        ADVISE(self, iov, 2, MADV_COLD, 0);
    printf("%c%c\n", base[0], base[4 * P]);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    int dead = syscall(SYS_pidfd_open, child, 0);
    waitpid(child, NULL, 0);
    ADVISE(dead, iov, 1, MADV_COLD, 0);
}

static void part_msync(void)
{
    int fd = file_of("f", 4);

    base = room(16);
    mmap(base, 4 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    put(base + 6 * P, 2, RW, 0);
    R(msync(base, 4 * P, MS_SYNC));
    R(msync(base, 4 * P, MS_ASYNC));
    R(msync(base, 4 * P, 0));
    R(msync(base, 4 * P, MS_ASYNC | MS_SYNC));
    R(msync(base, 4 * P, MS_INVALIDATE));
    R(msync(base, 4 * P, 8));
    R(msync(base + 1, P, MS_SYNC));
    R(msync(base, 1, MS_SYNC));
    R(msync(base, 0, MS_SYNC));
    R(msync(base, 8 * P, MS_SYNC));
    R(msync(base + 4 * P, P, MS_ASYNC));
    R(msync(base + 6 * P, 2 * P, MS_SYNC));
    R(msync(base + 4 * P, 0, MS_SYNC));
    R(msync(base, ~0ul, MS_SYNC));
    R(msync(base, ~0ul - P, MS_SYNC));
    R(msync((void *)-P, P, MS_SYNC));
    mlock(base + 2 * P, P);
    R(msync(base, 4 * P, MS_SYNC | MS_INVALIDATE));
    R(msync(base, 2 * P, MS_SYNC | MS_INVALIDATE));
    R(msync(base, 8 * P, MS_ASYNC | MS_INVALIDATE));
    R(msync(base, 4 * P, MS_SYNC));
}

static void part_mincore(void)
{
    unsigned char there[16];

    base = room(16);
    put(base, 4, RW, 0);
    put(base + 6 * P, 2, RW, 0);
    base[0] = base[3 * P] = 1;
    R(mincore(base, 4 * P, there));
    printf("%d%d%d%d\n", there[0] & 1, there[1] & 1, there[2] & 1, there[3] & 1);
    R(mincore(base, 1, there));
    R(mincore(base, 0, there));
    R(mincore(base + 4 * P, 0, there));
    R(mincore(base + 1, P, there));
    memset(there, 9, sizeof there);
    R(mincore(base, 8 * P, there));
    printf("%d%d%d%d %d\n", there[0], there[1], there[2], there[3], there[4]);
    R(mincore(base + 4 * P, P, there));
    R(mincore(base, P, (void *)8));
    R(mincore(base, P, (void *)-1));
    R(mincore(base, ~0ul, there));
    R(mincore((void *)-P, P, there));
    R(mincore((void *)0x7ffffffff000, P, there));
    int fd = file_of("f", 4);
    char *f = mmap(base + 8 * P, 6 * P, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    R(mincore(f, 6 * P, there));
    printf("%d%d%d%d%d%d\n", there[0], there[1], there[2], there[3], there[4], there[5]);
    char *s = mmap(base + 8 * P, 4 * P, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    s[P] = 1;
    R(mincore(s, 4 * P, there));
    printf("%d%d%d%d\n", there[0], there[1], there[2], there[3]);
}

static void part_locking(void)
{
    base = room(16);
    put(base, 4, RW, 0);
    put(base + 6 * P, 2, RW, 0);
    R(mlock(base + 1, 1));
    R(mlock(base, 8 * P));
    shape("up to the hole", base, 8);
    vm_flags("first", base);
    vm_flags("behind the hole", base + 6 * P);
    R(mlock(base + 4 * P, P));
    R(mlock(base + 4 * P, 0));
    R(munlock(base, 8 * P));
    R(munlock(base + 4 * P, P));
    R(syscall(SYS_mlock2, base, P, 0));
    R(syscall(SYS_mlock2, base, P, 1));
    vm_flags("on fault", base);
    R(syscall(SYS_mlock2, base, P, 2));
    R(syscall(SYS_mlock2, base, P, -1));
    R(mlock(base, P));
    vm_flags("at once", base);
    R(munlock(base, ~0ul));
    R(mlock((void *)-P, 2 * P));
    R(mlock((void *)-P, P));
    put(base + 10 * P, 2, PROT_NONE, 0);
    R(mlock(base + 10 * P, 2 * P));
    vm_flags("without rights", base + 10 * P);
    R(syscall(SYS_mlock2, base + 10 * P, 2 * P, 1));
    int fd = file_of("f", 1);
    mmap(base + 12 * P, 2 * P, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    R(mlock(base + 12 * P, 2 * P));
    R(munlock(base + 12 * P, 2 * P));
    R(mlockall(MCL_FUTURE | MCL_ONFAULT));
    put(base + 14 * P, 1, RW, 0);
    vm_flags("of the future", base + 14 * P);
    R(mlockall(MCL_FUTURE));
    put(base + 14 * P, 1, RW, 0);
    vm_flags("at once", base + 14 * P);
    R(mlockall(MCL_CURRENT));
    put(base + 14 * P, 1, RW, 0);
    vm_flags("only the present", base + 14 * P);
    vm_flags("an older one", base + 6 * P);
    IN_CHILD("child") {
        vm_flags("not inherited", base + 6 * P);
        put(base + 14 * P, 1, RW, 0);
        vm_flags("nor the future", base + 14 * P);
    }
    R(munlockall());
    vm_flags("unlocked", base + 6 * P);
}

static void part_process_vm(void)
{
    char here[64] = "here", there[64] = "there";
    struct iovec local = { here, 8 }, remote = { there, 8 };
    pid_t self = getpid();

#define READV(pid, l, ln, r, rn, flags) R(process_vm_readv(pid, l, ln, r, rn, flags))
    READV(self, &local, 1, &remote, 1, 0);
    printf("%s\n", here);
    READV(self, &local, 1, &remote, 1, 1);
    READV(self, &local, 0, &remote, 1, 0);
    READV(self, &local, 1, &remote, 0, 0);
    READV(self, &local, 1025, &remote, 1, 0);
    READV(self, &local, 1, &remote, 1025, 0);
    READV(self, (void *)8, 1, &remote, 1, 0);
    READV(self, &local, 1, (void *)8, 1, 0);
    READV(0x3fffffff, &local, 1, &remote, 1, 0);
    READV(-1, &local, 1, &remote, 1, 0);
    READV(0, &local, 1, &remote, 1, 0);
    remote.iov_base = (void *)8;
    READV(self, &local, 1, &remote, 1, 0);
    R(process_vm_writev(self, &local, 1, &remote, 1, 0));
    remote.iov_base = there, local.iov_base = (void *)8;
    READV(self, &local, 1, &remote, 1, 0);
    R(process_vm_writev(self, &local, 1, &remote, 1, 0));
    base = room(8);
    put(base, 1, RW, 0);
    put(base + P, 1, PROT_READ, 0);
    put(base + 2 * P, 1, PROT_NONE, 0);
    char buffer[3 * P];
    local = (struct iovec){ buffer, 100 }, remote = (struct iovec){ base + P - 50, 100 };
    READV(self, &local, 1, &remote, 1, 0);
    R(process_vm_writev(self, &local, 1, &remote, 1, 0));
    remote.iov_base = base + 2 * P - 50;
    READV(self, &local, 1, &remote, 1, 0);
    R(process_vm_writev(self, &local, 1, &remote, 1, 0));
    remote.iov_base = base + 2 * P;
    READV(self, &local, 1, &remote, 1, 0);
    remote = (struct iovec){ base, (size_t)-1 };
    READV(self, &local, 1, &remote, 1, 0);
    local.iov_len = 0, remote.iov_len = 10;
    READV(self, &local, 1, &remote, 1, 0);
    READV(0x3fffffff, &local, 1, &remote, 1, 0);
    local.iov_len = 10;
    IN_CHILD("another user") {
        setuid(1000);
        READV(self, &local, 1, &remote, 1, 0);
        READV(getpid(), &local, 1, &remote, 1, 0);
    }
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    wait_state(child, 'Z');
    READV(child, &local, 1, &remote, 1, 0);
    waitpid(child, NULL, 0);
    READV(child, &local, 1, &remote, 1, 0);
}

static void part_shmat(void)
{
    int id = shmget(IPC_PRIVATE, 2 * P, IPC_CREAT | 0600);

#define AT(id, at, flags) R(shmat(id, at, flags) == (void *)-1 ? -1 : 0)
    base = room(16);
    AT(-1, NULL, 0);
    AT(id + 7, NULL, 0);
    AT(id, base + 1, 0);
    AT(id, base + 1, SHM_RND);
    AT(id, base + P, 0);
    AT(id, base + P, SHM_REMAP);
    AT(id, NULL, SHM_REMAP);
    AT(id, base + 4 * P, SHM_EXEC);
    AT(id, base + 6 * P, SHM_RDONLY | SHM_EXEC);
    AT(id, base + 8 * P, 0x8000000);
    AT(id, (void *)0x7fffffffe000, 0);
    AT(id, (void *)-P, 0);
    shape("attached", base, 12);
    R(mprotect(base + 6 * P, P, RW));
    R(shmdt(base + 5 * P));
    R(shmdt(base + 2 * P + 1));
    R(shmdt(base + 2 * P));
    R(shmdt(NULL));
    R(shmdt(base + 4 * P));
    shape("detached", base, 12);
    R(mremap(base + 6 * P, 2 * P, 4 * P, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    R(mremap(base + 6 * P, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 12 * P) == base + 12 * P);
    R(shmdt(base + 12 * P));
    R(shmctl(id, IPC_RMID, NULL));
    AT(id, NULL, 0);
    R(shmget(IPC_PRIVATE, 0, IPC_CREAT));
    R(shmget(IPC_PRIVATE, -1, IPC_CREAT));
    R(shmget(12345, P, 0));
}

static void part_remap_file_pages(void)
{
    int fd = file_of("f", 8);

    base = room(16);
    mmap(base, 8 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    mmap(base + 8 * P, 2 * P, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
#define PAGES(at, n, prot, page, flags) R(syscall(SYS_remap_file_pages, at, (n) * P, prot, page, flags))
    PAGES(base, 1, 0, 7, 0);
    PAGES(base + 2 * P, 2, 0, 0, 0);
    printf("%c%c%c%c%c\n", base[0], base[P], base[2 * P], base[3 * P], base[4 * P]);
    lines("then", base, 10);
    PAGES(base, 1, 1, 0, 0);
    PAGES(base + 1, 1, 0, 0, 0);
    PAGES(base, 0, 0, 0, 0);
    PAGES(base + 8 * P, 1, 0, 1, 0);
    PAGES(base + 12 * P, 1, 0, 1, 0);
    PAGES(base + 7 * P, 2, 0, 1, 0);
    PAGES(base, 1, 0, 1ul << 60, 0);
    PAGES(base, 1, 0, 100, 0);
    fault("beyond the end", base, 0);
    PAGES(base, 1, 0, 0, MAP_NONBLOCK);
    PAGES(base, 1, 0, 0, 0x40000000);
    PAGES(base, 3, 0, 0, 0);
    lines("over several", base, 10);
}

static void part_others(void)
{
    R(syscall(447, 0));
    R(syscall(447, 1));
    R(syscall(451, 0, NULL, NULL, 0));
}

PARTS({ "munmap", part_munmap }, { "mmap", part_mmap }, { "mprotect", part_mprotect }, { "mremap", part_mremap },
      { "madvise", part_madvise }, { "process_madvise", part_process_madvise }, { "msync", part_msync },
      { "mincore", part_mincore }, { "locking", part_locking }, { "process_vm", part_process_vm }, { "shmat", part_shmat },
      { "remap_file_pages", part_remap_file_pages }, { "others", part_others })
