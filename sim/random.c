#include "sim/random.h"

#include <string.h>

#include "base/check.h"

static uint64_t mix(uint64_t *state) {
    uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static uint64_t rotate(uint64_t value, int bits) { return value << bits | value >> (64 - bits); }

void random_init(struct random *random, uint64_t seed) {
    for (size_t i = 0; i < 4; i++) random->state[i] = mix(&seed);
}

uint64_t random_next(struct random *random) {
    uint64_t *state = random->state;
    uint64_t result = rotate(state[1] * 5, 7) * 9, shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 45);
    return result;
}

/* The bias of a remainder is below 2^-32 for every bound that is used here. */
uint64_t random_below(struct random *random, uint64_t bound) {
    CHECK(bound >= 1);
    return random_next(random) % bound;
}

int64_t random_between(struct random *random, int64_t least, int64_t most) {
    CHECK(least <= most);
    return least + (int64_t)random_below(random, (uint64_t)(most - least) + 1);
}

bool random_chance(struct random *random, uint32_t per_million) {
    if (per_million == 0) return false;
    return random_below(random, RANDOM_MILLION) < per_million;
}

void random_fill(struct random *random, void *buffer, size_t size_bytes) {
    uint8_t *bytes = buffer;
    while (size_bytes > 0) {
        uint64_t word = random_next(random);
        size_t piece = size_bytes < sizeof word ? size_bytes : sizeof word;
        memcpy(bytes, &word, piece);
        bytes += piece;
        size_bytes -= piece;
    }
}
