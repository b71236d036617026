/* Where the programs meet the system: threads, locks, sleeping, clocks, the lock file. The linker sends these calls here (meson.build: --wrap);
 * outside of a world, while the programs' `init` runs, they go on to the system.
 *
 * The interfaces are the ones that the real programs use: POSIX threads, base/queue.h's wakers, struct clock, store/sqlite's lock, base/log.h. */
#pragma once

#include "base/queue.h"

/* Like waker_wait, but until a moment of true time; also ends when its fiber is unparked. */
bool seams_wait_for(struct waker *waker, int64_t until_us);
void seams_begin_world(void);
void seams_take_over_randomness(void); /* before crypto_init: libsodium's randomness comes from the world */
