/* Tasks on stacks of their own: what is a thread in the real programs is a fiber here, and only one runs at a time.
 *
 *   RUNNABLE ──picked by the scheduler──▶ running ──fiber_yield──▶ RUNNABLE
 *                                            ├──fiber_park──▶ PARKED ──fiber_unpark, or its time──▶ RUNNABLE
 *                                            └──returned, or its process crashed──▶ ENDED
 *
 * A crash needs no cooperation: the fiber is never run again, whatever it was in the middle of, and its memory is left behind. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIBER_FOR_EVER INT64_MAX

struct process;
struct fiber;

/* Makes one; it runs when the scheduler picks it. `process` may be NULL. */
struct fiber *fiber_spawn(struct process *process, const char *name, void *(*run)(void *context), void *context);
struct fiber *fiber_current(void); /* NULL: the scheduler itself */
const char *fiber_name(const struct fiber *fiber);
struct process *fiber_process(const struct fiber *fiber);
bool fiber_has_ended(const struct fiber *fiber);

/* In a fiber: lets others run. */
void fiber_yield(void);
/* In a fiber: until unparked or until this virtual time; true when unparked. An unpark that came before is not lost. */
bool fiber_park(int64_t until_us);
void fiber_unpark(struct fiber *fiber); /* an ended fiber is left alone */
/* Waits for its end, in another fiber. */
void fiber_join(struct fiber *fiber);

/* Ends all fibers of the process; does not return when the running one is among them. */
void fiber_kill_process(const struct process *process);

/* ---- for the scheduler ---- */
size_t fiber_runnable_count(int64_t now_us);
void fiber_run(size_t index, int64_t now_us); /* the index-th of the runnable ones, until it gives up its turn */
int64_t fiber_next_wake_us(void);             /* of the parked ones; FIBER_FOR_EVER when none has a time */
void fiber_reset(void);                       /* forgets all fibers: a new world begins */
