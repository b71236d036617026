/* The one source of chance: a seeded generator (xoshiro256**, D. Blackman and S. Vigna, 2018), seeded by splitmix64. Not for secrets. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

#define RANDOM_MILLION 1000000u

void random_init(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
uint64_t random_below(struct random *random, uint64_t bound); /* 0..bound-1; bound at least 1 */
int64_t random_between(struct random *random, int64_t least, int64_t most);
bool random_chance(struct random *random, uint32_t per_million);
void random_fill(struct random *random, void *buffer, size_t size_bytes);
