#include "sim/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

#define POOL_BYTES     ((size_t)1 << 30) /* of addresses; a page costs something when it is touched */
#define STEP_BYTES     64u
#define CLASSES_SMALL  128u /* by steps, up to 8 KiB, so that a page of SQLite wastes little; beyond, by powers of two */
#define CLASSES        (CLASSES_SMALL + 20u)
#define KEPT_MAX       8u
#define POOL_BLOCK_MAX ((size_t)128 * 1024)

/* Before each block. */
#define OWNER_NOBODY PROCESS_COUNT        /* who is in no program: until the next world */
#define OWNER_ORACLE (PROCESS_COUNT + 1u) /* whose connections live on from world to world */
#define OWNER_HEAP   (PROCESS_COUNT + 2u) /* for what SQLite keeps for ever */
#define POOLS        (PROCESS_COUNT + 2u)
struct block {
    uint32_t class;
    uint32_t owner; /* of enum process_index, or OWNER_* */
    struct block *next_free;
};

static struct {
    char *start;
    size_t used;
    struct block *free[CLASSES];
} pools[POOLS];
static char *all_pools; /* one behind the other */
static bool has_world;
static uint32_t owner_now = OWNER_HEAP; /* whose fiber runs */

static size_t class_of_large(size_t size) {
    size_t class = CLASSES_SMALL;
    while (size > ((size_t)CLASSES_SMALL * STEP_BYTES * 2) << (class - CLASSES_SMALL)) class ++;
    CHECK(class < CLASSES);
    return class;
}

static inline size_t class_of(size_t size) {
    if (size > (size_t)CLASSES_SMALL * STEP_BYTES) return class_of_large(size);
    return size == 0 ? 0 : (size - 1) / STEP_BYTES;
}

static size_t class_bytes(size_t class) {
    return class < CLASSES_SMALL ? (class + 1) * STEP_BYTES : ((size_t)CLASSES_SMALL * STEP_BYTES * 2) << (class - CLASSES_SMALL);
}

static struct block *begin_block(struct block *block, uint32_t owner, size_t class) {
    if (block != NULL) *block = (struct block){.class = (uint32_t) class, .owner = owner};
    return block;
}

static struct block *cut_off(uint32_t owner, size_t class) {
    size_t bytes = sizeof(struct block) + class_bytes(class);
    CHECK(pools[owner].used + bytes <= POOL_BYTES);
    char *start = pools[owner].start + pools[owner].used;
    pools[owner].used += bytes;
    return begin_block((struct block *)(void *)start, owner, class);
}

/* Tens of thousands of times in a world. What was given back has its class and its owner already. */
static inline void *take_of(uint32_t owner, size_t size) {
    size_t class = class_of(size);
    if (owner == OWNER_HEAP) {
        struct block *block = begin_block(malloc(sizeof *block + class_bytes(class)), owner, class);
        return block == NULL ? NULL : block + 1;
    }
    struct block *block = pools[owner].free[class];
    if (block == NULL) return cut_off(owner, class) + 1;
    pools[owner].free[class] = block->next_free;
    return block + 1;
}

static inline void *take(int size, uint32_t without_program) {
    return take_of(owner_now != OWNER_HEAP ? owner_now : has_world ? without_program : OWNER_HEAP, (size_t)size);
}

static void *memory_take(int size) { return take(size, OWNER_NOBODY); }

void *memory_take_of_sqlite(int size) { return take(size, OWNER_ORACLE); }

static struct block *block_of(void *memory) { return (struct block *)memory - 1; }

void memory_give_back(void *memory) {
    struct block *block = block_of(memory);
    if (block->owner == OWNER_HEAP) {
        free(block);
        return;
    }
    block->next_free = pools[block->owner].free[block->class];
    pools[block->owner].free[block->class] = block;
}

int memory_size(void *memory) { return memory == NULL ? 0 : (int)class_bytes(block_of(memory)->class); }

void *memory_resize(void *memory, int size) {
    if ((size_t)size <= class_bytes(block_of(memory)->class)) return memory;
    void *bigger = take(size, block_of(memory)->owner);
    if (bigger == NULL) return NULL;
    memcpy(bigger, memory, (size_t)memory_size(memory));
    memory_give_back(memory);
    return bigger;
}

/* ---- the heap of the programs: what crashed ones left behind is taken again, too ---- */

static bool is_of_a_pool(const void *memory) { return all_pools != NULL && (uintptr_t)memory - (uintptr_t)all_pools < POOLS * POOL_BYTES; }

static bool is_for_a_pool(size_t size) { return has_world && pools[0].start != NULL && size <= POOL_BLOCK_MAX; }

void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) { return is_for_a_pool(size) ? memory_take((int)size) : malloc(size); }

/* Large tables are mostly empty: the kernel's own zeros cost less than ours. */
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || !is_for_a_pool(bytes)) return calloc(count, size);
    void *memory = memory_take((int)bytes);
    return memory == NULL ? NULL : memset(memory, 0, bytes);
}

void __wrap_free(void *memory);
void __wrap_free(void *memory) {
    if (is_of_a_pool(memory)) {
        memory_give_back(memory);
    } else {
        free(memory);
    }
}

void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size) {
    if (memory == NULL) return __wrap_malloc(size);
    if (!is_of_a_pool(memory)) return realloc(memory, size);
    if (is_for_a_pool(size)) return memory_resize(memory, (int)size);
    void *bigger = malloc(size);
    if (bigger == NULL) return NULL;
    memcpy(bigger, memory, (size_t)memory_size(memory) < size ? (size_t)memory_size(memory) : size);
    memory_give_back(memory);
    return bigger;
}

/* ---- what a thread of a program keeps for itself (arena.c): it ends with the program ---- */

static struct {
    uint32_t owner;
    void (*destroy)(void *value);
    void *value;
} kept[KEPT_MAX];
static unsigned kept_count;

int __wrap_pthread_key_create(pthread_key_t *key, void (*destroy)(void *value));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destroy)(void *value)) {
    unsigned place = 0;
    while (place < kept_count && kept[place].destroy != NULL) place++;
    CHECK(place < KEPT_MAX);
    if (place == kept_count) kept_count++;
    kept[place].owner = owner_now;
    kept[place].destroy = destroy;
    kept[place].value = NULL;
    *key = place;
    return 0;
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value) {
    kept[key].value = (void *)(uintptr_t)value;
    return 0;
}

static void end_threads(uint32_t owner) {
    for (unsigned i = 0; i < kept_count; i++) {
        if (kept[i].destroy == NULL || kept[i].owner != owner) continue;
        if (kept[i].value != NULL) kept[i].destroy(kept[i].value);
        kept[i].destroy = NULL;
    }
}

int memory_round_up(int size) { return (int)class_bytes(class_of((size_t)size)); }

void memory_prepare(void) {
    end_threads(OWNER_HEAP);
    all_pools = mmap(NULL, POOLS * POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(all_pools != MAP_FAILED);
    for (size_t i = 0; i < POOLS; i++) pools[i].start = all_pools + i * POOL_BYTES;
}

void memory_belongs_to(const struct process *process) { owner_now = process == NULL ? OWNER_HEAP : (uint32_t)process->index; }

static void reset(size_t owner) {
    pools[owner].used = 0;
    memset(pools[owner].free, 0, sizeof pools[owner].free);
}

void memory_reset(const struct process *process) {
    end_threads(process->index);
    reset(process->index);
}

void memory_begin_world(void) {
    has_world = true;
    reset(OWNER_NOBODY);
}
