# Process 1 of `cargo xtask bench boot`: prints the time stamp counter at its first instruction, the free and total
# memory, and /proc/uptime, as `exo-bench TSC FREE TOTAL UPTIME IDLE` (the first three in hexadecimal); then switches
# the machine off. Without /proc the last two are missing.

        .intel_syntax noprefix
        .globl _start
        .text
_start: rdtsc
        shl     rdx, 32
        or      rax, rdx
        mov     r12, rax

        mov     eax, 99                 # sysinfo(&info)
        lea     rdi, [rip + info]
        syscall

        lea     rdi, [rip + tsc]
        mov     rax, r12
        call    hex
        lea     rdi, [rip + free]
        mov     rax, [rip + info + 40]  # freeram
        mov     ecx, [rip + info + 104] # mem_unit
        mul     rcx
        call    hex
        lea     rdi, [rip + total]
        mov     rax, [rip + info + 32]  # totalram
        mov     ecx, [rip + info + 104]
        mul     rcx
        call    hex

        mov     eax, 165                # mount("proc", "/proc", "proc", 0, NULL)
        lea     rdi, [rip + proc]
        lea     rsi, [rip + uptime]
        mov     byte ptr [rip + slash], 0
        lea     rdx, [rip + proc]
        xor     r10d, r10d
        xor     r8d, r8d
        syscall
        mov     byte ptr [rip + slash], '/'
        mov     eax, 2                  # open("/proc/uptime", O_RDONLY)
        lea     rdi, [rip + uptime]
        xor     esi, esi
        xor     edx, edx
        syscall
        mov     edi, eax
        xor     eax, eax                # read(fd, text, 64)
        lea     rsi, [rip + text]
        mov     edx, 64
        syscall
        test    rax, rax
        jg      1f
        mov     byte ptr [rip + text], 10
        mov     eax, 1
1:      lea     edx, [rax + (text - line)]
        mov     eax, 1                  # write(1, line, ...)
        mov     edi, 1
        lea     rsi, [rip + line]
        syscall

        mov     eax, 169                # reboot(LINUX_REBOOT_CMD_POWER_OFF)
        mov     edi, 0xfee1dead
        mov     esi, 672274793
        mov     edx, 0x4321fedc
        xor     r10d, r10d
        syscall
1:      mov     eax, 34                 # pause(), if it did not work
        syscall
        jmp     1b

# Writes rax as 16 digits to rdi.
hex:    mov     ecx, 16
1:      rol     rax, 4
        mov     edx, eax
        and     edx, 15
        add     dl, '0'
        cmp     dl, '9'
        jbe     2f
        add     dl, 'a' - '0' - 10
2:      mov     [rdi], dl
        inc     rdi
        dec     ecx
        jnz     1b
        ret

        .data
line:   .ascii  "\nexo-bench "
tsc:    .ascii  "0000000000000000 "
free:   .ascii  "0000000000000000 "
total:  .ascii  "0000000000000000 "
text:   .skip   64
proc:   .asciz  "proc"
uptime: .ascii  "/proc"
slash:  .asciz  "/uptime"
        .bss
        .balign 8
info:   .skip   128
        .section .note.GNU-stack, "", @progbits
