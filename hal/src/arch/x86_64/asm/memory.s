// What the compiler calls to copy, fill and compare memory, in place of its own: most calls are for a few bytes, the names
// of files and parts of structures, which take two words that overlap instead of a string instruction. SysV calling
// convention; the direction flag is clear. Nothing is read or written outside the ranges.

    .pushsection .text.hal_memory, "ax", @progbits
    .code64

// fn memcpy(dst /*rdi*/, src /*rsi*/, len /*rdx*/) -> dst
    .balign 64
    FUNCTION memcpy
    mov rax, rdi
    cmp rdx, 16
    jb 3f
    cmp rdx, 32
    ja 1f
2:  // 16 to 32 bytes
    mov rcx, qword ptr [rsi]
    mov r8, qword ptr [rsi + 8]
    mov r9, qword ptr [rsi + rdx - 16]
    mov r10, qword ptr [rsi + rdx - 8]
    mov qword ptr [rdi], rcx
    mov qword ptr [rdi + 8], r8
    mov qword ptr [rdi + rdx - 16], r9
    mov qword ptr [rdi + rdx - 8], r10
    ret
3:  cmp edx, 8
    jb 4f
    mov rcx, qword ptr [rsi]
    mov r8, qword ptr [rsi + rdx - 8]
    mov qword ptr [rdi], rcx
    mov qword ptr [rdi + rdx - 8], r8
    ret
4:  cmp edx, 4
    jb 5f
    mov ecx, dword ptr [rsi]
    mov r8d, dword ptr [rsi + rdx - 4]
    mov dword ptr [rdi], ecx
    mov dword ptr [rdi + rdx - 4], r8d
    ret
5:  cmp edx, 2
    jb 6f
    movzx ecx, word ptr [rsi]
    movzx r8d, word ptr [rsi + rdx - 2]
    mov word ptr [rdi], cx
    mov word ptr [rdi + rdx - 2], r8w
    ret
6:  test edx, edx
    jz 7f
    movzx ecx, byte ptr [rsi]
    mov byte ptr [rdi], cl
7:  ret
1:  cmp rdx, qword ptr [rip + hal_movsb_min]
    mov rcx, rdx
    jae 8f
    shr rcx, 3
    mov r8, qword ptr [rsi + rdx - 8]       // the last word overlaps
    lea r9, [rdi + rdx - 8]
    rep movsq
    mov qword ptr [r9], r8
    ret
8:  rep movsb
    ret

// fn memset(dst /*rdi*/, byte /*esi*/, len /*rdx*/) -> dst
    .balign 64
    FUNCTION memset
    movzx esi, sil
    movabs rax, 0x0101010101010101
    imul rsi, rax
    mov rax, rdi
    cmp rdx, 8
    jb 2f
    cmp rdx, 16
    ja 1f
    mov qword ptr [rdi], rsi
    mov qword ptr [rdi + rdx - 8], rsi
    ret
1:  mov qword ptr [rdi + rdx - 8], rsi      // the last word overlaps
    mov rcx, rdx
    shr rcx, 3
    mov rdx, rax
    mov rax, rsi
    rep stosq
    mov rax, rdx
    ret
2:  cmp edx, 4
    jb 3f
    mov dword ptr [rdi], esi
    mov dword ptr [rdi + rdx - 4], esi
    ret
3:  test edx, edx
    jz 5f
4:  dec edx
    mov byte ptr [rdi + rdx], sil
    jnz 4b
5:  ret

// fn memcmp(a /*rdi*/, b /*rsi*/, len /*rdx*/) -> i32: the sign of the first difference, bytes being unsigned
    .balign 64
    FUNCTION bcmp
    FUNCTION memcmp
    cmp rdx, 8
    jb 2f
    sub rdx, 8
    xor ecx, ecx
    jmp 4f
1:  mov rax, qword ptr [rdi + rcx]
    mov r8, qword ptr [rsi + rcx]
    cmp rax, r8
    jne 9f
    add rcx, 8
4:  cmp rcx, rdx
    jb 1b
    mov rax, qword ptr [rdi + rdx]          // the last word overlaps
    mov r8, qword ptr [rsi + rdx]
    cmp rax, r8
    jne 9f
    xor eax, eax
    ret
9:  bswap rax
    bswap r8
    cmp rax, r8
    sbb eax, eax                            // -1 if below, else 0
    or eax, 1
    ret
2:  cmp edx, 4
    jb 5f
    mov eax, dword ptr [rdi]
    mov r8d, dword ptr [rsi]
    cmp eax, r8d
    jne 8f
    mov eax, dword ptr [rdi + rdx - 4]
    mov r8d, dword ptr [rsi + rdx - 4]
    cmp eax, r8d
    jne 8f
    xor eax, eax
    ret
8:  bswap eax
    bswap r8d
    cmp eax, r8d
    sbb eax, eax
    or eax, 1
    ret
5:  xor ecx, ecx
6:  cmp ecx, edx
    jae 7f
    movzx eax, byte ptr [rdi + rcx]
    movzx r8d, byte ptr [rsi + rcx]
    inc ecx
    sub eax, r8d
    jz 6b
    ret
7:  xor eax, eax
    ret
    .popsection
