// The first instructions of the boot CPU (PVH, 32 bit) and of the others (real mode).
//
// {TO_PHYSICAL} leads from an address in the image to the physical one, in 32 bits. Early page tables map physical 0 to 4 GiB three times: at
// 0 (until the jump), at the direct map, and its first GiB where the image is linked. All of it is writable and executable; the
// final tables replace it before anything but this crate has run.

    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4                                 // length of the owner's name
    .long 8                                 // length of the content
    .long 18                                // XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad _start_pvh
    .popsection

    .pushsection .boot.text, "ax", @progbits
    .code32
    .globl _start_pvh
_start_pvh:                                 // ebx: physical address of the start info
    rdtsc                                   // first of all: the boot time is measured from here
    cli
    cld
    mov dword ptr [hal_entry_tsc + {TO_PHYSICAL}], eax
    mov dword ptr [hal_entry_tsc + {TO_PHYSICAL} + 4], edx
    mov dword ptr [hal_start_info + {TO_PHYSICAL}], ebx

    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb 8f
    mov eax, 0x80000001
    cpuid
    test edx, 1 << 29                       // long mode
    jz 8f

    mov edi, offset hal_early_tables + {TO_PHYSICAL}
    lea eax, [edi + 3 * 4096 + 3]           // present, writable
    mov dword ptr [edi + 1 * 4096 + 0], eax // low: four directories
    add eax, 4096
    mov dword ptr [edi + 1 * 4096 + 8], eax
    add eax, 4096
    mov dword ptr [edi + 1 * 4096 + 16], eax
    add eax, 4096
    mov dword ptr [edi + 1 * 4096 + 24], eax
    lea eax, [edi + 3 * 4096 + 3]           // high: the first of them
    mov dword ptr [edi + 2 * 4096 + 510 * 8], eax
    lea eax, [edi + 1 * 4096 + 3]
    mov dword ptr [edi + 0 * 8], eax
    mov dword ptr [edi + {DIRECT_INDEX} * 8], eax
    lea eax, [edi + 2 * 4096 + 3]
    mov dword ptr [edi + 511 * 8], eax
    mov eax, 0x83                           // present, writable, large
    lea ecx, [edi + 3 * 4096]
5:  mov dword ptr [ecx], eax
    add ecx, 8
    add eax, 0x200000
    jnc 5b                                  // wraps at 4 GiB

    mov eax, cr4
    or eax, 1 << 5                          // physical address extension
    mov cr4, eax
    mov cr3, edi
    mov ecx, 0xc0000080                     // EFER
    rdmsr
    or eax, 1 << 8                          // long mode enable
    wrmsr
    mov eax, cr0
    and eax, ~(3 << 29)                     // caches on
    or eax, 1 << 31 | 1 << 16 | 1           // paging, write protection, protected mode
    mov cr0, eax
    mov eax, offset hal_boot_gdt_pointer
    lgdt [eax]
    .byte 0xea                              // far jump
    .long hal_boot_long
    .word 0x10

8:  mov esi, offset hal_boot_message
    mov edx, 0x3f8
5:  mov al, byte ptr [esi]
    test al, al
    jz 2f
    out dx, al
    inc esi
    jmp 5b
2:  hlt
    jmp 2b

    .code64
hal_boot_long:
    xor eax, eax
    mov ss, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    movabs rsp, offset hal_early_stack_end
    xor ebp, ebp
    movabs rax, offset hal_start
    call rax

    .balign 8
hal_boot_gdt:
    .quad 0
    .quad 0
    .quad 0x00af9a000000ffff                // 0x10: code, 64 bit
hal_boot_gdt_pointer:
    .word 23
    .long hal_boot_gdt
hal_boot_message:
    .asciz "\r\nThis kernel needs a 64-bit processor (x86-64).\r\n"
    .popsection

    .pushsection .bss.hal_boot, "aw", @nobits
    .balign 4096
hal_early_tables:                           // root, low, high, four directories
    .zero 7 * 4096
    .globl hal_early_stack
hal_early_stack:
    .zero {EARLY_STACK}
hal_early_stack_end:
    .globl hal_entry_tsc
hal_entry_tsc:
    .zero 8
    .globl hal_start_info
hal_start_info:
    .zero 8
    .popsection

// Another CPU starts here in real mode, at the beginning of the page below 1 MiB that this was copied to. The words at
// the end are filled in by smp.rs.

    .pushsection .rodata.hal_trampoline, "a", @progbits
    .balign 16
    .code16
    .globl hal_trampoline
hal_trampoline:
    cli
    cld
    mov ax, cs
    mov ds, ax
    .byte 0x0f, 0x01, 0x16                  // lgdt; by bytes, as the syntax takes no difference of symbols
    .word hal_trampoline_gdt - hal_trampoline
    mov eax, cr4
    or eax, 1 << 5
    mov cr4, eax
    .byte 0x66, 0xa1                        // mov eax, [...]
    .word hal_trampoline_root - hal_trampoline
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 1 << 8 | 1 << 11                // long mode, no-execute (the final tables use it)
    wrmsr
    mov eax, cr0
    and eax, ~(3 << 29)
    or eax, 1 << 31 | 1 << 16 | 1
    mov cr0, eax
    .byte 0x66, 0xff, 0x2e                  // far jump through memory, 32-bit offset
    .word hal_trampoline_jump - hal_trampoline
    .code64
    .globl hal_trampoline_long
hal_trampoline_long:
    mov rax, qword ptr [rip + hal_trampoline_entry]
    jmp rax

    .balign 8
    .quad 0                                 // selectors: 8 is unused, 0x10 code
hal_trampoline_selectors:
    .quad 0
    .quad 0
    .quad 0x00af9a000000ffff
    .globl hal_trampoline_gdt
hal_trampoline_gdt:
    .word 23
    .long hal_trampoline_selectors - hal_trampoline // plus the page's address
    .globl hal_trampoline_jump
hal_trampoline_jump:
    .long hal_trampoline_long - hal_trampoline      // plus the page's address
    .word 0x10
    .balign 8
    .globl hal_trampoline_root
hal_trampoline_root:
    .quad 0
    .globl hal_trampoline_entry
hal_trampoline_entry:
    .quad 0
    .globl hal_trampoline_end
hal_trampoline_end:
    .popsection

    .pushsection .text.hal_secondary_entry, "ax", @progbits
    .globl hal_secondary_entry
hal_secondary_entry:                        // kernel half of the address space, no stack yet
    xor eax, eax
    mov ss, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    xchg rax, qword ptr [rip + hal_secondary_stack] // a CPU that comes too late finds nothing
    test rax, rax
    jz 5f
    mov rsp, rax
    xor ebp, ebp
    call hal_secondary_start
5:  cli
    hlt
    jmp 5b
    .popsection

    .pushsection .bss.hal_secondary, "aw", @nobits
    .balign 8
    .globl hal_secondary_stack
hal_secondary_stack:
    .zero 8
    .popsection
