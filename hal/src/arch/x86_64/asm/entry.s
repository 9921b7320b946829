// Entries into the kernel and the way out. The frame at the top of a kernel stack is UserRegs (hal/src/task/regs.rs); its
// offsets are the FRAME_ constants. Offsets from GS are CpuArea's (area.rs).

    .set FRAME_R9, 48
    .set FRAME_R8, 56
    .set FRAME_R10, 64
    .set FRAME_RDX, 72
    .set FRAME_RSI, 80
    .set FRAME_RDI, 88
    .set FRAME_ORIG_RAX, 96
    .set FRAME_RAX, 104
    .set FRAME_RCX, 112
    .set FRAME_R11, 120
    .set FRAME_RIP, 128
    .set FRAME_CS, 136
    .set FRAME_RFLAGS, 144
    .set FRAME_RSP, 152
    .set FRAME_SS, 160
    .set FRAME_SIZE, 168

// Completes a frame from the slot of rcx downwards; the direction flag is the user's until here (hazard 5), and so is
// the alignment-check flag, which would lift SMAP (hazard 6).
    .macro SAVE_REGS
    push rcx
    push rax
    push -1
    push rdi
    push rsi
    push rdx
    push r10
    push r8
    push r9
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    cld
    CLAC
    .endm

    .macro RESTORE_REGS
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r9
    pop r8
    pop r10
    pop rdx
    pop rsi
    pop rdi
    add rsp, 8
    pop rax
    pop rcx
    pop r11
    .endm

    .pushsection .text.hot.hal_syscall, "ax", @progbits
    .code64

// SYSCALL. The instruction left rip in rcx and rflags in r11, cleared the flags of SFMASK, and nothing else.
    .balign 64
    .globl hal_syscall_entry
hal_syscall_entry:
    swapgs
    mov gs:[{AREA_USER_RSP}], rsp
    mov rsp, gs:[{AREA_ENTRY_RSP}]          // 8 below the slot of r9: keeps calls aligned
    mov qword ptr [rsp + FRAME_RIP - 40], rcx
    mov qword ptr [rsp + FRAME_RFLAGS - 40], r11
    mov rcx, gs:[{AREA_USER_RSP}]
    mov qword ptr [rsp + FRAME_RSP - 40], rcx
    mov qword ptr [rsp + FRAME_ORIG_RAX - 40], rax
    mov qword ptr [rsp + FRAME_RDI - 40], rdi
    mov qword ptr [rsp + FRAME_RSI - 40], rsi
    mov qword ptr [rsp + FRAME_RDX - 40], rdx
    mov qword ptr [rsp + FRAME_R10 - 40], r10
    mov qword ptr [rsp + FRAME_R8 - 40], r8
    mov qword ptr [rsp + FRAME_R9 - 40], r9
    sti
    lea rdi, [rsp - 40]                     // the frame; its first six words are not stored
    call hal_syscall
    cli
    mov rcx, gs:[{AREA_TASK}]
    cmp dword ptr [rcx], 0                  // Task.work
    jne 5f
    mov r9, qword ptr [rsp + FRAME_R9 - 40]
    mov r8, qword ptr [rsp + FRAME_R8 - 40]
    mov r10, qword ptr [rsp + FRAME_R10 - 40]
    mov rdx, qword ptr [rsp + FRAME_RDX - 40]
    mov rsi, qword ptr [rsp + FRAME_RSI - 40]
    mov rdi, qword ptr [rsp + FRAME_RDI - 40]
    mov r11, qword ptr [rsp + FRAME_RFLAGS - 40]
    mov rcx, qword ptr [rsp + FRAME_RIP - 40] // SYSCALL stored it, below USER_END: canonical (hazard 1)
    mov rsp, qword ptr [rsp + FRAME_RSP - 40]
    swapgs
    sysretq

5:  // Work to do: complete the frame. The callee-saved registers are still the user's.
    add rsp, 8
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov qword ptr [rsp + FRAME_RAX], rax
    mov rcx, qword ptr [rsp + FRAME_RIP]
    mov qword ptr [rsp + FRAME_RCX], rcx
    mov r11, qword ptr [rsp + FRAME_RFLAGS]
    mov qword ptr [rsp + FRAME_R11], r11
    mov qword ptr [rsp + FRAME_CS], {USER_CS}
    mov qword ptr [rsp + FRAME_SS], {USER_SS}
    // fall through

// rsp: full frame of user mode. Interrupts off. Does the work, then leaves.
hal_user_work:
    mov rdi, rsp
    sub rsp, 8
    call hal_exit_work                      // returns with interrupts off, no work, frame sanitised
    add rsp, 8
    // SYSRET where it restores the same as IRET: rip in rcx, flags in r11, no trap flag.
    mov rcx, qword ptr [rsp + FRAME_RIP]
    cmp rcx, qword ptr [rsp + FRAME_RCX]
    jne hal_user_iret
    mov r11, qword ptr [rsp + FRAME_RFLAGS]
    cmp r11, qword ptr [rsp + FRAME_R11]
    jne hal_user_iret
    test r11d, 0x10100                      // trap, resume
    jnz hal_user_iret
    RESTORE_REGS
    mov rsp, qword ptr [rsp + 24]
    swapgs
    sysretq

hal_user_iret:
    RESTORE_REGS
    swapgs
    iretq
    .popsection

    .pushsection .text.hal_entry, "ax", @progbits
    .code64

// fn hal_enter_user(regs: *const UserRegs) -> !: the frame goes to the top of the stack.
    .globl hal_enter_user
hal_enter_user:
    cli
    mov rax, gs:[{AREA_ENTRY_RSP}]
    sub rax, 40                             // where a full frame begins
    mov rsi, rdi
    mov rdi, rax
    mov ecx, FRAME_SIZE / 8
    mov rsp, rax                            // the source lies lower on this stack or elsewhere
    rep movsq
    jmp hal_user_work

// Where exceptions and interrupts end. rsp: full frame.
hal_return:
    test byte ptr [rsp + FRAME_CS], 3
    jz 5f
    cli
    mov rax, gs:[{AREA_TASK}]
    cmp dword ptr [rax], 0
    jne hal_user_work
    jmp hal_user_iret
5:  RESTORE_REGS
    iretq

// Exceptions on the current stack. r11 takes the error code.
    .macro EXCEPTION name, vector, handler, has_error
    .balign 16
    .globl \name
\name:
    .if \has_error
    xchg r11, qword ptr [rsp]               // the error code lies in the slot of r11
    .else
    push r11
    xor r11d, r11d
    .endif
    SAVE_REGS
    test byte ptr [rsp + FRAME_CS], 3
    jz 5f
    swapgs
5:  mov rdi, rsp
    mov rsi, r11
    mov edx, \vector
    sub rsp, 8                              // rsp was 16-aligned before an odd number of pushes
    call \handler
    add rsp, 8
    jmp hal_return
    .endm

    EXCEPTION hal_vector_0, 0, hal_exception, 0
    EXCEPTION hal_vector_3, 3, hal_exception, 0
    EXCEPTION hal_vector_4, 4, hal_exception, 0
    EXCEPTION hal_vector_5, 5, hal_exception, 0
    EXCEPTION hal_vector_6, 6, hal_exception, 0
    EXCEPTION hal_vector_7, 7, hal_exception, 0
    EXCEPTION hal_vector_9, 9, hal_exception, 0
    EXCEPTION hal_vector_10, 10, hal_exception, 1
    EXCEPTION hal_vector_11, 11, hal_exception, 1
    EXCEPTION hal_vector_12, 12, hal_exception, 1
    EXCEPTION hal_vector_13, 13, hal_exception, 1
    EXCEPTION hal_vector_14, 14, hal_page_fault, 1
    EXCEPTION hal_vector_15, 15, hal_exception, 0
    EXCEPTION hal_vector_16, 16, hal_exception, 0
    EXCEPTION hal_vector_17, 17, hal_exception, 1
    EXCEPTION hal_vector_19, 19, hal_exception, 0
    EXCEPTION hal_vector_20, 20, hal_exception, 0
    EXCEPTION hal_vector_21, 21, hal_exception, 1
    EXCEPTION hal_vector_22, 22, hal_exception, 0
    EXCEPTION hal_vector_23, 23, hal_exception, 0
    EXCEPTION hal_vector_24, 24, hal_exception, 0
    EXCEPTION hal_vector_25, 25, hal_exception, 0
    EXCEPTION hal_vector_26, 26, hal_exception, 0
    EXCEPTION hal_vector_27, 27, hal_exception, 0
    EXCEPTION hal_vector_28, 28, hal_exception, 0
    EXCEPTION hal_vector_29, 29, hal_exception, 1
    EXCEPTION hal_vector_30, 30, hal_exception, 1
    EXCEPTION hal_vector_31, 31, hal_exception, 0

// Exceptions on a stack of their own (IST). They come at any moment, also between an entry and its SWAPGS, and a user
// program may put any value into its GS base: so GS is saved and set by its MSR, to the address that lies above the
// frame (hazards 2 and 3).
    .macro PARANOID vector, has_error
    .if \has_error
    xchg r11, qword ptr [rsp]
    .else
    push r11
    xor r11d, r11d
    .endif
    SAVE_REGS
    .endm

    .macro PARANOID_CALL vector
    mov ecx, 0xc0000101                     // GS base
    rdmsr
    mov r12d, eax
    mov r13d, edx
    mov rax, qword ptr [rsp + FRAME_SIZE]
    mov rdx, rax
    shr rdx, 32
    wrmsr
    mov rdi, rsp
    mov rsi, r11
    mov edx, \vector
    sub rsp, 8
    call hal_paranoid
    add rsp, 8
    mov ecx, 0xc0000101
    mov eax, r12d
    mov edx, r13d
    wrmsr
    RESTORE_REGS
    iretq
    .endm

    .balign 16
    .globl hal_vector_1
hal_vector_1:                               // debug: from user mode it goes on as any exception, on the thread's stack
    PARANOID 1, 0
    test byte ptr [rsp + FRAME_CS], 3
    jz 5f
    swapgs
    mov rsi, rsp
    mov rdi, gs:[{AREA_ENTRY_RSP}]
    sub rdi, 40
    mov ecx, FRAME_SIZE / 8
    mov rsp, rdi
    rep movsq
    mov rdi, rsp
    xor esi, esi
    mov edx, 1
    sub rsp, 8
    call hal_exception
    add rsp, 8
    jmp hal_return
5:  PARANOID_CALL 1

    .balign 16
    .globl hal_vector_2
hal_vector_2:
    PARANOID 2, 0
    PARANOID_CALL 2

    .balign 16
    .globl hal_vector_8
hal_vector_8:
    PARANOID 8, 1
    PARANOID_CALL 8

    .balign 16
    .globl hal_vector_18
hal_vector_18:
    PARANOID 18, 0
    PARANOID_CALL 18

// Interrupts: 16 bytes for each vector from 32 on.
hal_interrupt_entry:
    SAVE_REGS
    test byte ptr [rsp + FRAME_CS], 3
    jz 5f
    swapgs
5:  mov edi, r11d
    mov rsi, rsp
    sub rsp, 8
    call hal_interrupt
    add rsp, 8
    jmp hal_return

    .balign 16
    .globl hal_interrupt_stubs
hal_interrupt_stubs:
    .set vector, 32
    .rept 224
    .balign 16
    push r11
    mov r11d, vector
    jmp hal_interrupt_entry
    .set vector, vector + 1
    .endr

// fn hal_switch(save: *mut usize /*rdi*/, load: usize /*rsi*/, left: *const Task /*rdx*/) -> *const Task
// The callee-saved registers stay in the stack that is left; interrupts are off on both sides.
    .balign 16
    .globl hal_switch
hal_switch:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    mov qword ptr [rdi], rsp
    mov rsp, rsi
    mov rax, rdx
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret

// Where hal_switch returns to in a new task.
    .globl hal_task_entry
hal_task_entry:
    mov rdi, rax
    xor ebp, ebp
    call hal_task_start
    ud2
    .popsection
