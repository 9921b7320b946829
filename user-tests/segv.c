// Memory faults: the signal, its code and its address, and what becomes of the process.
#include "t.h"
#include <setjmp.h>
#include <ucontext.h>

static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
static sigjmp_buf back;
static volatile int got_signal, got_code;
static void *volatile got_address;
static const char constant[4096] __attribute__((aligned(4096))) = "read only";

static void handler(int number, siginfo_t *info, void *context)
{
    (void)context;
    got_signal = number;
    got_code = info->si_code;
    got_address = info->si_addr;
    siglongjmp(back, 1);
}

static void catch_faults(void)
{
    static char stack[65536];
    stack_t alternative = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    sigaltstack(&alternative, NULL);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigaction(faults[i], &action, NULL);
}

// Runs the statement and prints what it raised; the address is shown relative to the expected one.
#define FAULT(name, expected, statement) do { \
        got_signal = 0; \
        if (sigsetjmp(back, 1) == 0) { statement; } \
        if (!got_signal) printf("%s: no fault\n", name); \
        else printf("%s: signal %d code %d address %+ld\n", name, got_signal, got_code, (long)((char *)got_address - (char *)(expected))); \
    } while (0)

__attribute__((noinline)) static int overflow(int depth)
{
    volatile char use[1024];

    if (depth < 0)
        return 0;
    use[depth % 1024] = (char)depth;
    return overflow(depth + 1) + use[0];
}

static void crash_as_child(const char *name, void (*body)(void))
{
    IN_CHILD(name)
        body();
}

static void null_read(void) { *(volatile char *)0; }
static void null_call(void) { ((void (*)(void))0)(); }
static void stack_overflow(void) { printf("%d", overflow(0)); }
static void write_constant(void) { *(volatile char *)constant = 1; }
static void write_code(void) { *(volatile char *)null_read = 1; }
static void kernel_read(void) { *(volatile char *)0xffffffff81000000; }
static void bad_instruction(void) { __asm__ volatile("ud2"); }
static void privileged(void) { __asm__ volatile("hlt"); }
static void port_io(void) { __asm__ volatile("outb %%al, $0x80" ::: "memory"); }
static void divide(void) { __asm__ volatile("xorl %%ecx, %%ecx; movl $1, %%eax; cltd; idivl %%ecx" ::: "eax", "ecx", "edx"); }
static void breakpoint(void) { __asm__ volatile("int3"); }
static void run_data(void) { static char code[] = "\xc3"; ((void (*)(void))code)(); }
static void double_fault(void)
{
    signal(SIGSEGV, SIG_IGN);
    null_read();
}
static void blocked_fault(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    null_read();
}
static void bad_stack_for_handler(void)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

    sigaction(SIGSEGV, &action, NULL);
    __asm__ volatile("xorl %%esp, %%esp; movb (%%rsp), %%al" ::: "memory", "eax");
}

int main(void)
{
    catch_faults();
    char *volatile low = (char *)100;
    char *page = mmap(NULL, 4096 * 3, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    FAULT("read null", 0, *(volatile char *)0);
    FAULT("write null+100", 100, *(volatile char *)low = 1);
    FAULT("call null", 0, ((void (*)(void))0)());
    FAULT("write to constant", constant + 5, ((volatile char *)constant)[5] = 1);
    FAULT("write to code", main, *(volatile char *)main = 1);
    mprotect(page + 4096, 4096, PROT_NONE);
    FAULT("read of PROT_NONE", page + 4100, ((volatile char *)page)[4100]);
    mprotect(page + 4096, 4096, PROT_READ);
    FAULT("write of PROT_READ", page + 4100, ((volatile char *)page)[4100] = 1);
    FAULT("read of PROT_READ", 0, ((volatile char *)page)[4100]);
    munmap(page + 8192, 4096);
    FAULT("read of unmapped", page + 8192, ((volatile char *)page)[8192]);
    FAULT("word across the end", page + 8192, mprotect(page + 4096, 4096, PROT_READ); *(volatile long *)(page + 8188));
    page[0] = (char)0xc3;
    FAULT("execute data", page, ((void (*)(void))page)());
    mprotect(page, 4096, PROT_READ | PROT_EXEC);
    FAULT("execute after mprotect", 0, ((void (*)(void))page)());
    FAULT("read kernel image", 0xffffffff81000000, *(volatile char *)0xffffffff81000000);
    FAULT("write direct map", 0xffff888000000000, *(volatile char *)0xffff888000000000 = 1);
    FAULT("read non-canonical", 0, *(volatile char *)0x800000000000);
    FAULT("call kernel", 0xffffffff81000000, ((void (*)(void))0xffffffff81000000)());
    FAULT("stack overflow", got_address, stack_overflow());
    FAULT("ud2", got_address, bad_instruction());
    FAULT("hlt", 0, privileged());
    FAULT("out", 0, port_io());
    FAULT("divide by zero", got_address, divide());
    FAULT("int3", 0, breakpoint());
    FAULT("mov to cr3", 0, __asm__ volatile("movq %%rax, %%cr3" ::: "memory"));
    FAULT("cli", 0, __asm__ volatile("cli"));
    FAULT("int 0x81", 0, __asm__ volatile("int $0x81"));
    FAULT("load bad segment", 0, __asm__ volatile("movw $0x1234, %%ax; movw %%ax, %%fs" ::: "eax"));

    FILE *f = fopen("short", "w");
    fputs("abc", f);
    fclose(f);
    int fd = open("short", O_RDWR);
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    FAULT("past the end of a file", map + 4096, ((volatile char *)map)[4096]);
    FAULT("rest of the last page", 0, ((volatile char *)map)[100]);
    ftruncate(fd, 0);
    FAULT("after truncation", map, *(volatile char *)map);

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        signal(faults[i], SIG_DFL);
    crash_as_child("child reads null", null_read);
    crash_as_child("child calls null", null_call);
    crash_as_child("child overflows its stack", stack_overflow);
    crash_as_child("child writes to a constant", write_constant);
    crash_as_child("child writes to code", write_code);
    crash_as_child("child reads kernel memory", kernel_read);
    crash_as_child("child runs ud2", bad_instruction);
    crash_as_child("child runs hlt", privileged);
    crash_as_child("child divides by zero", divide);
    crash_as_child("child runs int3", breakpoint);
    crash_as_child("child runs data", run_data);
    crash_as_child("child ignores SIGSEGV", double_fault);
    crash_as_child("child blocks SIGSEGV", blocked_fault);
    crash_as_child("child has no stack for its handler", bad_stack_for_handler);
    return 0;
}
