// Code that programs call instead of the kernel (the vDSO). It is data to the kernel, which copies it into a page of
// programs, CODE_OFFSET bytes behind the page's start; the page of clock data lies right below that page.
//
// SysV calling convention, position-independent. No function touches the stack, so one rule serves debuggers for all of
// the code. Only registers that calls may change are used: rax, rcx, rdx, rsi, rdi, r8 to r11.

    .pushsection .rodata.hal_vdso, "a", @progbits
    .code64

    .balign 64
    .globl hal_vdso_start
hal_vdso_start:

    // Clock data, see `ClockData` in ../vdso.rs.
    .set VDSO_DATA, hal_vdso_start - {VDSO_CODE_OFFSET} - 4096

// Computes the monotonic clock into rax, in nanoseconds, as `time::now_ns` does, and puts into r10 what to add for the
// wall clock. Goes on at \fallback if the counter is not the clock. Changes rdx, r8, r9, r11.
    .macro VDSO_NOW fallback
    lea r8, [rip + VDSO_DATA]
77: mov r9d, dword ptr [r8 + {VDSO_SEQUENCE}]
    cmp dword ptr [r8 + {VDSO_IS_COUNTER}], 0
    je \fallback
    test r9b, 1
    jnz 78f
    mov r10, qword ptr [r8 + {VDSO_BASE_TICKS}]
    mov r11, qword ptr [r8 + {VDSO_FACTOR}]
    lfence                          // the counter must not be read earlier
    rdtsc
    shl rdx, 32
    or rax, rdx
    xor edx, edx
    sub rax, r10
    cmovb rax, rdx                  // another CPU's counter may be a little behind the base
    mul r11
    shrd rax, rdx, 32
    add rax, qword ptr [r8 + {VDSO_BASE_NS}]
    mov r10, qword ptr [r8 + {VDSO_WALL_OFFSET}]
    cmp r9d, dword ptr [r8 + {VDSO_SEQUENCE}]
    je 79f
78: pause
    jmp 77b
79:
    .endm

// Divides the nanoseconds in rax: seconds in rax, nanoseconds in rdx. Changes ecx.
    .macro VDSO_SPLIT
    xor edx, edx
    mov ecx, 1000000000
    div rcx
    .endm

// int clock_gettime(clockid_t clock /*edi*/, struct timespec *out /*rsi*/)
    .balign 16
    .globl hal_vdso_clock_gettime
hal_vdso_clock_gettime:
    cmp edi, 11
    ja 9f
    mov eax, 0x8f3                  // REALTIME MONOTONIC MONOTONIC_RAW REALTIME_COARSE MONOTONIC_COARSE BOOTTIME TAI
    bt eax, edi
    jnc 9f
    VDSO_NOW 9f
    xor edx, edx
    mov ecx, 0x821                  // REALTIME REALTIME_COARSE TAI: the wall clock
    bt ecx, edi
    cmovnc r10, rdx
    add rax, r10
    VDSO_SPLIT
    mov qword ptr [rsi], rax
    mov qword ptr [rsi + 8], rdx
    xor eax, eax
    ret
9:  mov eax, 228
    syscall
    ret

// int gettimeofday(struct timeval *out /*rdi*/, struct timezone *zone /*rsi*/)
    .balign 16
    .globl hal_vdso_gettimeofday
hal_vdso_gettimeofday:
    test rsi, rsi                   // the time zone is not here
    jnz 9f
    test rdi, rdi
    jz 8f
    VDSO_NOW 9f
    add rax, r10
    VDSO_SPLIT
    mov qword ptr [rdi], rax
    mov eax, edx
    xor edx, edx
    mov ecx, 1000
    div ecx
    mov qword ptr [rdi + 8], rax
8:  xor eax, eax
    ret
9:  mov eax, 96
    syscall
    ret

// time_t time(time_t *out /*rdi*/)
    .balign 16
    .globl hal_vdso_time
hal_vdso_time:
    VDSO_NOW 9f
    add rax, r10
    VDSO_SPLIT
    test rdi, rdi
    jz 8f
    mov qword ptr [rdi], rax
8:  ret
9:  mov eax, 201
    syscall
    ret

// int getcpu(unsigned *cpu /*rdi*/, unsigned *node /*rsi*/, void *unused)
// Each CPU has a segment whose limit is its number.
    .balign 16
    .globl hal_vdso_getcpu
hal_vdso_getcpu:
    mov ecx, {VDSO_CPU_SELECTOR}
    lsl eax, ecx
    test rdi, rdi
    jz 7f
    mov dword ptr [rdi], eax
7:  test rsi, rsi
    jz 8f
    mov dword ptr [rsi], 0          // one memory node
8:  xor eax, eax
    ret

    .globl hal_vdso_end
hal_vdso_end:
    .popsection
