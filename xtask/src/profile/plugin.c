/*
 * A plugin for QEMU that counts the kernel's instructions by call path: `cargo xtask profile` compiles it, loads it and
 * reads what it writes.
 *
 * QEMU translates blocks of instructions and runs them. This notes each block's addresses when it is translated and
 * counts each run of it, under the call path at that moment. The path is followed by the stack: a `call` writes its
 * return address, a `ret` reads it, and QEMU says where. Kernel stacks are in slots of 64 KiB, so the address tells as
 * well which thread's path it is.
 *
 * What it writes, one item a line, addresses in hexadecimal, the rest in decimal:
 *
 *     u COUNT                       instructions in user mode
 *     n NODE PARENT ADDRESS         a call path: its last return address; node 0 is the empty path
 *     b BLOCK ADDRESS...            the addresses of a block's instructions
 *     c NODE BLOCK COUNT            how often a block ran under a path
 *
 * Options: out=FILE; window=user to count from the first user instruction on; window=marks to count only between the
 * two marks of the benchmark program: user-mode instructions `nopl DISPLACEMENT(%rax)` with the displacements below.
 *
 * The declarations are those of version 1 of QEMU's plugin interface. One processor only.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { NO_REGISTERS = 0 };
enum { MEMORY_READ_WRITE = 3 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, void (*)(unsigned, uint32_t, uint64_t, void *),
                                             int, int, void *);
extern bool qemu_plugin_mem_is_store(uint32_t);
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

EXPORT int qemu_plugin_version = 1;

enum { MARK_BEGIN = 0x45584f31, MARK_END = 0x45584f30 };

struct block {
    uint64_t *addresses;
    uint32_t count;
    uint32_t number;
};

struct node {
    uint32_t parent, first_child, next_sibling;
    uint64_t address;
};

struct frame {
    uint64_t slot; /* where on the stack the return address is */
    uint32_t node;
};

enum { MAX_DEPTH = 512, STACK_SHIFT = 16, STACK_TABLE = 1 << 14 };

struct stack {
    uint64_t key;
    uint32_t depth;
    struct frame *frames;
};

struct cell {
    uint32_t node, block; /* a block's number is at least 1 */
    uint64_t count;
};

static FILE *out;
static bool counting = true;
static bool starts_with_user;
static uint64_t user_instructions;

static struct block **blocks;
static uint32_t n_blocks, blocks_room;
static struct node *nodes;
static uint32_t n_nodes, nodes_room;
static struct stack stacks[STACK_TABLE];
static struct cell *cells;
static uint64_t n_cells, cells_room;

/*
 * Whether the instruction that runs is a call or a return. After one, QEMU 7.2 goes on to call its memory callback for
 * what other instructions access by helper functions, such as XSAVE.
 */
static bool is_armed;
static struct stack *current;
static uint32_t current_node;

static void *must(void *pointer)
{
    if (!pointer) {
        fprintf(stderr, "profile plugin: out of memory\n");
        abort();
    }
    return pointer;
}

static bool is_kernel(uint64_t address)
{
    return address >> 63;
}

static uint32_t add_node(uint32_t parent, uint64_t address)
{
    if (n_nodes == nodes_room) {
        nodes_room = nodes_room ? 2 * nodes_room : 1024;
        nodes = must(realloc(nodes, nodes_room * sizeof *nodes));
    }
    nodes[n_nodes] = (struct node){ .parent = parent, .address = address };
    return n_nodes++;
}

/* Returns the path that goes on from another by one call. */
static uint32_t child_of(uint32_t parent, uint64_t address)
{
    for (uint32_t node = nodes[parent].first_child; node; node = nodes[node].next_sibling)
        if (nodes[node].address == address)
            return node;
    uint32_t node = add_node(parent, address);
    nodes[node].next_sibling = nodes[parent].first_child;
    nodes[parent].first_child = node;
    return node;
}

static uint64_t hash(uint64_t value)
{
    value *= 0x9e3779b97f4a7c15u;
    return value ^ value >> 32;
}

static struct cell *find_cell(uint32_t node, uint32_t block)
{
    uint64_t at = hash((uint64_t)node << 32 | block);
    for (;; at++) {
        struct cell *cell = &cells[at & (cells_room - 1)];
        if (!cell->block || (cell->node == node && cell->block == block))
            return cell;
    }
}

static void count_run(uint32_t node, uint32_t block)
{
    if (2 * n_cells >= cells_room) {
        struct cell *old = cells;
        uint64_t old_room = cells_room;
        cells_room = old_room ? 2 * old_room : 1 << 16;
        cells = must(calloc(cells_room, sizeof *cells));
        for (uint64_t at = 0; at < old_room; at++)
            if (old[at].block)
                *find_cell(old[at].node, old[at].block) = old[at];
        free(old);
    }
    struct cell *cell = find_cell(node, block);
    if (!cell->block) {
        *cell = (struct cell){ .node = node, .block = block };
        n_cells++;
    }
    cell->count++;
}

/* Returns the path of the thread on whose stack an address is, without the frames that have been left. */
static struct stack *stack_at(uint64_t slot)
{
    uint64_t key = slot >> STACK_SHIFT;
    if (!current || current->key != key) {
        uint64_t at = hash(key);
        /* Full only with more than sixteen thousand threads; then they begin to share. */
        for (int tries = 0; tries < STACK_TABLE; tries++, at++) {
            current = &stacks[at % STACK_TABLE];
            if (!current->frames || current->key == key)
                break;
        }
        current->key = key;
        if (!current->frames)
            current->frames = must(malloc(MAX_DEPTH * sizeof *current->frames));
    }
    while (current->depth && current->frames[current->depth - 1].slot <= slot)
        current->depth--;
    return current;
}

static uint32_t top_of(const struct stack *stack)
{
    return stack->depth ? stack->frames[stack->depth - 1].node : 0;
}

static void on_call_or_return(unsigned cpu, void *unused)
{
    (void)cpu, (void)unused;
    is_armed = true;
}

static void on_call(unsigned cpu, uint32_t info, uint64_t slot, void *return_address)
{
    (void)cpu;
    /* An indirect call reads its target first; asked for writes only, QEMU 7.2 reports the wrong ones. */
    if (!is_armed || !qemu_plugin_mem_is_store(info))
        return;
    is_armed = false;
    struct stack *stack = stack_at(slot);
    uint32_t node = child_of(top_of(stack), (uint64_t)return_address);
    if (stack->depth < MAX_DEPTH)
        stack->frames[stack->depth++] = (struct frame){ .slot = slot, .node = node };
    current_node = node;
}

static void on_return(unsigned cpu, uint32_t info, uint64_t slot, void *unused)
{
    (void)cpu, (void)info, (void)unused;
    if (!is_armed)
        return;
    is_armed = false;
    current_node = top_of(stack_at(slot));
}

static void on_block(unsigned cpu, void *data)
{
    (void)cpu;
    const struct block *block = data;
    if (is_kernel(block->addresses[0])) {
        if (counting)
            count_run(current_node, block->number);
        return;
    }
    /* In user mode the thread's kernel stack is empty. */
    if (current)
        current->depth = 0;
    current_node = 0;
    counting |= starts_with_user;
    if (counting)
        user_instructions += block->count;
}

static void on_mark(unsigned cpu, void *begins)
{
    (void)cpu;
    counting = begins != NULL;
}

/* Returns the first byte behind the prefixes of an instruction. */
static const uint8_t *behind_prefixes(const uint8_t *byte, const uint8_t *end)
{
    while (byte < end && (*byte == 0x66 || *byte == 0xf2 || *byte == 0xf3 || *byte == 0x2e || *byte == 0x3e ||
                          (*byte & 0xf0) == 0x40))
        byte++;
    return byte;
}

static void look_at(struct qemu_plugin_insn *insn)
{
    const uint8_t *start = qemu_plugin_insn_data(insn);
    size_t size = qemu_plugin_insn_size(insn);
    uint64_t address = qemu_plugin_insn_vaddr(insn);
    if (!is_kernel(address)) {
        if (size == 7 && !memcmp(start, "\x0f\x1f\x80", 3)) {
            uint32_t displacement;
            memcpy(&displacement, start + 3, 4);
            if (displacement == MARK_BEGIN || displacement == MARK_END)
                qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, NO_REGISTERS,
                                                       (void *)(uintptr_t)(displacement == MARK_BEGIN));
        }
        return;
    }
    const uint8_t *end = start + size, *byte = behind_prefixes(start, end);
    if (byte == end)
        return;
    bool is_call = *byte == 0xe8 || (*byte == 0xff && byte + 1 < end && (byte[1] >> 3 & 7) == 2);
    bool is_return = *byte == 0xc3 || *byte == 0xc2;
    if (!is_call && !is_return)
        return;
    qemu_plugin_register_vcpu_insn_exec_cb(insn, on_call_or_return, NO_REGISTERS, NULL);
    qemu_plugin_register_vcpu_mem_cb(insn, is_call ? on_call : on_return, NO_REGISTERS, MEMORY_READ_WRITE,
                                     (void *)(address + size));
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    if (n_blocks == blocks_room) {
        blocks_room = blocks_room ? 2 * blocks_room : 1024;
        blocks = must(realloc(blocks, blocks_room * sizeof *blocks));
    }
    struct block *block = must(malloc(sizeof *block));
    block->count = (uint32_t)qemu_plugin_tb_n_insns(tb);
    block->addresses = must(malloc((block->count + 1) * sizeof *block->addresses));
    for (uint32_t at = 0; at < block->count; at++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, at);
        block->addresses[at] = qemu_plugin_insn_vaddr(insn);
        look_at(insn);
    }
    blocks[n_blocks++] = block;
    block->number = n_blocks;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, NO_REGISTERS, block);
}

static void at_exit(plugin_id id, void *unused)
{
    (void)id, (void)unused;
    fprintf(out, "u %" PRIu64 "\n", user_instructions);
    for (uint32_t node = 1; node < n_nodes; node++)
        fprintf(out, "n %" PRIu32 " %" PRIu32 " %" PRIx64 "\n", node, nodes[node].parent, nodes[node].address);
    for (uint32_t at = 0; at < n_blocks; at++) {
        const struct block *block = blocks[at];
        if (!is_kernel(block->addresses[0]))
            continue;
        fprintf(out, "b %" PRIu32, block->number);
        for (uint32_t insn = 0; insn < block->count; insn++)
            fprintf(out, " %" PRIx64, block->addresses[insn]);
        fputc('\n', out);
    }
    for (uint64_t at = 0; at < cells_room; at++)
        if (cells[at].block)
            fprintf(out, "c %" PRIu32 " %" PRIu32 " %" PRIu64 "\n", cells[at].node, cells[at].block, cells[at].count);
    if (fclose(out))
        perror("profile plugin");
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int at = 0; at < argc; at++) {
        if (!strncmp(argv[at], "out=", 4))
            out = fopen(argv[at] + 4, "w");
        else if (!strcmp(argv[at], "window=marks"))
            counting = false;
        else if (!strcmp(argv[at], "window=user"))
            counting = !(starts_with_user = true);
    }
    if (!out) {
        perror("profile plugin: out=FILE");
        return -1;
    }
    add_node(0, 0);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
