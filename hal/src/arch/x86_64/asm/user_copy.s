// Access to user memory. SysV calling convention. Every instruction that touches user memory has an entry in __ex_table:
// (instruction, where to go on when the fault cannot be resolved). An entry (site, 0) marks a STAC or CLAC, which
// start-up turns into a NOP on a CPU without SMAP.

    .macro STAC
9999: stac
    .pushsection __ex_table, "a", @progbits
    .quad 9999b, 0
    .popsection
    .endm

    .macro CLAC
9999: clac
    .pushsection __ex_table, "a", @progbits
    .quad 9999b, 0
    .popsection
    .endm

    .macro FAULT at, go_on
    .pushsection __ex_table, "a", @progbits
    .quad \at, \go_on
    .popsection
    .endm

    .pushsection .text.hal_user_copy, "ax", @progbits
    .code64

// fn hal_user_copy(dst: *mut u8 /*rdi*/, src: *const u8 /*rsi*/, len: usize /*rdx*/) -> usize /* bytes not copied */
// At each access rdi and rsi point to, and rdx counts, what is not known to be copied: so every fault ends in the loop
// by bytes, which finds the exact place.
    .balign 64
    .globl hal_user_copy
hal_user_copy:
    STAC
    cmp rdx, 64
    ja 6f
    cmp edx, 16
    jb 3f
90:  cmp edx, 32
    jbe 2f
70: mov rcx, qword ptr [rsi]
71: mov r8, qword ptr [rsi + 8]
12: mov qword ptr [rdi], rcx
13: mov qword ptr [rdi + 8], r8
    add rsi, 16
    add rdi, 16
    sub edx, 16
    jmp 90b
2:  // 16 to 32 bytes: two halves that overlap
14: mov rcx, qword ptr [rsi]
15: mov r8, qword ptr [rsi + 8]
16: mov r9, qword ptr [rsi + rdx - 16]
17: mov r10, qword ptr [rsi + rdx - 8]
18: mov qword ptr [rdi], rcx
19: mov qword ptr [rdi + 8], r8
20: mov qword ptr [rdi + rdx - 16], r9
21: mov qword ptr [rdi + rdx - 8], r10
    xor eax, eax
    CLAC
    ret
3:  cmp edx, 8
    jb 4f
22: mov rcx, qword ptr [rsi]
23: mov r8, qword ptr [rsi + rdx - 8]
24: mov qword ptr [rdi], rcx
25: mov qword ptr [rdi + rdx - 8], r8
    xor eax, eax
    CLAC
    ret
4:  cmp edx, 4
    jb 5f
26: mov ecx, dword ptr [rsi]
27: mov r8d, dword ptr [rsi + rdx - 4]
28: mov dword ptr [rdi], ecx
29: mov dword ptr [rdi + rdx - 4], r8d
    xor eax, eax
    CLAC
    ret
5:  cmp edx, 2
    jb 9f
38: movzx ecx, word ptr [rsi]
39: movzx r8d, word ptr [rsi + rdx - 2]
44: mov word ptr [rdi], cx
45: mov word ptr [rdi + rdx - 2], r8w
    xor eax, eax
    CLAC
    ret
9:  test edx, edx
    jz 8f
7:  // by bytes
30: movzx ecx, byte ptr [rsi]
31: mov byte ptr [rdi], cl
    inc rsi
    inc rdi
    dec rdx
    jnz 7b
8:  mov rax, rdx
    CLAC
    ret
6:  cmp rdx, qword ptr [rip + hal_movsb_min]
    mov rcx, rdx
    jae 5f
    shr rcx, 3
32: rep movsq
    and edx, 7
    jz 8b
33: mov rcx, qword ptr [rsi + rdx - 8]      // overlaps what is copied
34: mov qword ptr [rdi + rdx - 8], rcx
    xor eax, eax
    CLAC
    ret
5:
35: rep movsb
36: mov rax, rcx
    CLAC
    ret
37: and edx, 7
    lea rdx, [rdx + rcx * 8]
    jmp 7b
    .irp at, 70b,71b,12b,13b,14b,15b,16b,17b,18b,19b,20b,21b,22b,23b,24b,25b,26b,27b,28b,29b,38b,39b,44b,45b
    FAULT \at, 7b
    .endr
    FAULT 30b, 8b
    FAULT 31b, 8b
    FAULT 32b, 37b
    FAULT 33b, 7b
    FAULT 34b, 7b
    FAULT 35b, 36b

// fn hal_user_clear(dst: *mut u8 /*rdi*/, len: usize /*rsi*/) -> usize /* bytes not cleared */
    .balign 16
    .globl hal_user_clear
hal_user_clear:
    STAC
    xor eax, eax
    mov rcx, rsi
    shr rcx, 3
40: rep stosq
    and esi, 7
    jz 2f
90:
41: mov byte ptr [rdi], al
    inc rdi
    dec rsi
    jnz 90b
2:  mov rax, rsi
    CLAC
    ret
43: and esi, 7
    lea rsi, [rsi + rcx * 8]
    jmp 90b
    FAULT 40b, 43b
    FAULT 41b, 2b

// fn hal_user_copy_words(dst /*rdi*/, src /*rsi*/, stride /*rdx*/, count /*rcx*/) -> usize /* words not copied */
// Words of 16 bits that lie `stride` bytes apart.
    .balign 16
    .globl hal_user_copy_words
hal_user_copy_words:
    STAC
    test rcx, rcx
    jz 2f
3:  movzx eax, word ptr [rsi]
90: mov word ptr [rdi], ax
    add rsi, rdx
    add rdi, rdx
    dec rcx
    jnz 3b
2:  mov rax, rcx
    CLAC
    ret
    FAULT 90b, 2b

// fn hal_user_read_cstr(dst /*rdi*/, src /*rsi*/, len /*rdx*/) -> Pair: bytes before the NUL or all that were copied, in
// rax; 0 in rdx: up to a NUL, 1: there was none, 2: a fault.
// A word that reaches into a bad page is read again by bytes, up to the NUL or the page.
    .balign 16
    .globl hal_user_read_cstr
hal_user_read_cstr:
    STAC
    mov r10, rdi
    movabs r8, 0x0101010101010101
    movabs r9, 0x8080808080808080
    jmp 2f
90: mov rax, qword ptr [rsi]
    mov qword ptr [rdi], rax
    mov rcx, rax                            // a byte that is zero borrows: its highest bit is set then
    sub rcx, r8
    not rax
    and rcx, rax
    and rcx, r9
    jnz 3f
    add rsi, 8
    add rdi, 8
2:  sub rdx, 8
    jae 90b
4:  add rdx, 8
5:  dec rdx
    js 6f
91: movzx eax, byte ptr [rsi]
    mov byte ptr [rdi], al
    test al, al
    jz 7f
    inc rsi
    inc rdi
    jmp 5b
3:  bsf rcx, rcx
    shr ecx, 3
    add rdi, rcx
7:  xor edx, edx
    jmp 9f
6:  mov edx, 1
    jmp 9f
8:  mov edx, 2
9:  mov rax, rdi
    sub rax, r10
    CLAC
    ret
    FAULT 90b, 4b
    FAULT 91b, 8b

// fn hal_user_load_u32(addr /*rdi*/) -> Pair, value in rax; rdx is 1 after a fault.
    .balign 16
    .globl hal_user_load_u32
hal_user_load_u32:
    STAC
50: mov eax, dword ptr [rdi]
    xor edx, edx
    CLAC
    ret
    FAULT 50b, hal_user_fault

// fn hal_user_store_u32(addr /*rdi*/, value /*esi*/) -> Pair
    .balign 16
    .globl hal_user_store_u32
hal_user_store_u32:
    STAC
51: mov dword ptr [rdi], esi
    xor edx, edx
    CLAC
    ret
    FAULT 51b, hal_user_fault

// fn hal_user_compare_exchange_u32(addr /*rdi*/, old /*esi*/, new /*edx*/) -> Pair, the old value in rax
    .balign 16
    .globl hal_user_compare_exchange_u32
hal_user_compare_exchange_u32:
    STAC
    mov eax, esi
52: lock cmpxchg dword ptr [rdi], edx
    xor edx, edx
    CLAC
    ret
    FAULT 52b, hal_user_fault

hal_user_fault:
    xor eax, eax
    mov edx, 1
    CLAC
    ret

// fn hal_xrstor(area /*rdi*/, mask /*rsi*/) -> 0, or 1 if the CPU refused the state
    .balign 16
    .globl hal_xrstor
hal_xrstor:
    mov eax, esi
    mov rdx, rsi
    shr rdx, 32
60: xrstor64 [rdi]
    xor eax, eax
    ret
    FAULT 60b, hal_fpu_fault

// fn hal_fxrstor(area /*rdi*/) -> 0 or 1, as above
    .balign 16
    .globl hal_fxrstor
hal_fxrstor:
61: fxrstor64 [rdi]
    xor eax, eax
    ret
    FAULT 61b, hal_fpu_fault

hal_fpu_fault:
    mov eax, 1
    ret
    .popsection
