#include "discount/settle/backoff.h"

#include "base/crypto.h"

static int64_t delay_us(uint32_t attempts) {
    int64_t most_us = BACKOFF_FIRST_US;
    for (uint32_t i = 0; i < attempts && most_us < BACKOFF_MOST_US; i++) most_us *= 2;
    if (most_us > BACKOFF_MOST_US) most_us = BACKOFF_MOST_US;
    uint32_t random;
    crypto_random(&random, sizeof random);
    return most_us / 2 + (int64_t)random % (most_us / 2);
}

void backoff_fail(struct backoff *backoff, int64_t now_us, int64_t retry_after_ms) {
    int64_t wait_us = delay_us(backoff->attempts);
    int64_t asked_us = retry_after_ms < BACKOFF_MOST_US / 1000 ? retry_after_ms * 1000 : BACKOFF_MOST_US;
    if (asked_us > wait_us) wait_us = asked_us;
    if (now_us + wait_us > backoff->retry_at_us) backoff->retry_at_us = now_us + wait_us;
    backoff->attempts++;
}

void backoff_clear(struct backoff *backoff) { *backoff = (struct backoff){0}; }
