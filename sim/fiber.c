#include "sim/fiber.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/check.h"
#include "sim/memory.h"

#define FIBERS_MAX  4096u
#define STACK_BYTES ((size_t)512 * 1024)

enum fiber_state { FIBER_FREE, FIBER_RUNNABLE, FIBER_PARKED, FIBER_ENDED };

struct fiber {
    enum fiber_state state;
    struct process *process;
    const char *name;
    void *(*run)(void *context);
    void *context;
    bool has_begun;
    jmp_buf registers; /* once it has begun */
    void *stack;       /* kept for the next fiber in this place */
    int64_t wake_us;
    bool is_unparked;
    struct fiber *joiner;
};

/* Places are not reused within a world, so that a stale pointer of a dead process never means a new fiber; stacks are. */
static struct fiber fibers[FIBERS_MAX];
static size_t fiber_count;
static struct fiber *living[FIBERS_MAX]; /* the oldest first; the ended go with the next turn of any fiber */
static size_t living_count;
static bool has_ended; /* one of them */
static struct fiber *current;
static jmp_buf scheduler;
static void *spare_stacks[FIBERS_MAX];
static size_t spare_stack_count;

static void *take_stack(void) {
    if (spare_stack_count > 0) return spare_stacks[--spare_stack_count];
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    CHECK(stack != MAP_FAILED);
    CHECK(mprotect(stack, 4096, PROT_NONE) == 0); /* a stack that is too small ends the run, not another fiber */
    return stack;
}

/* ---- changing hands ----
 * A context of ucontext.h begins a fiber on its stack; from then on hands change by _setjmp and _longjmp, which keep no signal mask: swapcontext
 * asks the kernel for it twice at each change, and that was a twentieth of a world's time. */

static void back_to_scheduler(void) { _longjmp(scheduler, 1); }

static void end(struct fiber *fiber) {
    fiber->state = FIBER_ENDED;
    has_ended = true;
    if (fiber->joiner != NULL) fiber_unpark(fiber->joiner);
}

static void begin(void) {
    struct fiber *fiber = current;
    (void)fiber->run(fiber->context);
    end(fiber);
    back_to_scheduler();
}

static void give_hand(struct fiber *fiber) {
    if (_setjmp(scheduler) != 0) return;
    if (fiber->has_begun) _longjmp(fiber->registers, 1);
    fiber->has_begun = true;
    ucontext_t first;
    CHECK(getcontext(&first) == 0);
    first.uc_stack.ss_sp = fiber->stack;
    first.uc_stack.ss_size = STACK_BYTES;
    first.uc_link = NULL;
    makecontext(&first, begin, 0);
    CHECK(setcontext(&first) == 0);
}

struct fiber *fiber_spawn(struct process *process, const char *name, void *(*run)(void *context), void *context) {
    CHECK(fiber_count < FIBERS_MAX);
    struct fiber *fiber = &fibers[fiber_count++];
    living[living_count++] = fiber;
    *fiber = (struct fiber){.state = FIBER_RUNNABLE, .process = process, .name = name, .run = run, .context = context};
    fiber->stack = take_stack();
    return fiber;
}

struct fiber *fiber_current(void) {
    return current;
}
const char *fiber_name(const struct fiber *fiber) { return fiber->name; }
struct process *fiber_process(const struct fiber *fiber) {
    return fiber->process;
}
bool fiber_has_ended(const struct fiber *fiber) { return fiber->state == FIBER_ENDED; }

static void leave(void) {
    struct fiber *fiber = current;
    CHECK(fiber != NULL);
    if (_setjmp(fiber->registers) == 0) back_to_scheduler();
}

void fiber_yield(void) { leave(); }

bool fiber_park(int64_t until_us) {
    struct fiber *fiber = current;
    CHECK(fiber != NULL);
    if (!fiber->is_unparked) {
        fiber->state = FIBER_PARKED;
        fiber->wake_us = until_us;
        leave();
    }
    bool was_unparked = fiber->is_unparked;
    fiber->is_unparked = false;
    return was_unparked;
}

void fiber_unpark(struct fiber *fiber) {
    if (fiber->state == FIBER_ENDED) return;
    fiber->is_unparked = true;
    if (fiber->state == FIBER_PARKED) fiber->state = FIBER_RUNNABLE;
}

void fiber_join(struct fiber *fiber) {
    CHECK(current != NULL && fiber->joiner == NULL);
    fiber->joiner = current;
    while (fiber->state != FIBER_ENDED) (void)fiber_park(FIBER_FOR_EVER);
}

void fiber_kill_process(const struct process *process) {
    has_ended = true;
    for (size_t i = 0; i < living_count; i++) {
        if (living[i]->process == process) living[i]->state = FIBER_ENDED;
    }
    if (current != NULL && current->state == FIBER_ENDED) back_to_scheduler();
}

/* ---- for the scheduler ---- */

static bool is_due(const struct fiber *fiber, int64_t now_us) {
    return fiber->state == FIBER_RUNNABLE || (fiber->state == FIBER_PARKED && fiber->wake_us <= now_us);
}

size_t fiber_runnable_count(int64_t now_us) {
    size_t count = 0;
    for (size_t i = 0; i < living_count; i++) count += is_due(living[i], now_us);
    return count;
}

static void give_back_stack(struct fiber *fiber) {
    if (fiber->stack == NULL) return;
#ifdef __SANITIZE_ADDRESS__
    /* A fiber that crashed in the middle has left its marks between its variables. */
    __asan_unpoison_memory_region((char *)fiber->stack + 4096, STACK_BYTES - 4096);
#endif
    spare_stacks[spare_stack_count++] = fiber->stack;
    fiber->stack = NULL;
}

void fiber_run(size_t index, int64_t now_us) {
    CHECK(current == NULL);
    for (size_t i = 0; i < living_count; i++) {
        if (!is_due(living[i], now_us) || index-- > 0) continue;
        current = living[i];
        current->state = FIBER_RUNNABLE;
        memory_belongs_to(current->process);
        give_hand(current);
        memory_belongs_to(NULL);
        current = NULL;
        break;
    }
    if (!has_ended) return;
    has_ended = false;
    size_t kept = 0;
    for (size_t i = 0; i < living_count; i++) {
        if (living[i]->state == FIBER_ENDED) {
            give_back_stack(living[i]);
        } else {
            living[kept++] = living[i];
        }
    }
    living_count = kept;
}

int64_t fiber_next_wake_us(void) {
    int64_t wake_us = FIBER_FOR_EVER;
    for (size_t i = 0; i < living_count; i++) {
        if (living[i]->state == FIBER_PARKED && living[i]->wake_us < wake_us) wake_us = living[i]->wake_us;
    }
    return wake_us;
}

void fiber_reset(void) {
    CHECK(current == NULL);
    for (size_t i = 0; i < living_count; i++) give_back_stack(living[i]);
    fiber_count = living_count = 0;
}
