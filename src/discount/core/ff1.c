#include "discount/core/ff1.h"

#include <string.h>

#include "base/check.h"

#define ROUNDS       10u
#define TEXTS_MIN    1000000u
#define VALUES_MAX   (UINT64_C(1) << 63)
#define RADIX_MAX    255u /* so that one octet of P holds it, and one symbol alone is too few texts, as with a radix below 2 */
#define HEAD_VERSION 1u   /* the first octets of P: version, method, addition */
#define HEAD_METHOD  2u

static bool power(uint32_t radix, uint32_t exponent, uint64_t *ret_value) {
    uint64_t value = 1;
    for (uint32_t i = 0; i < exponent; i++) {
        if (__builtin_mul_overflow(value, (uint64_t)radix, &value) || value > VALUES_MAX) return false;
    }
    *ret_value = value;
    return true;
}

/* To octets and back, by the processor's own instruction. */
static uint64_t big_endian(uint64_t half) { return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(half) : half; }

static unsigned __int128 read_block(const uint8_t block[FF1_BLOCK_BYTES]) {
    uint64_t halves[2];
    memcpy(halves, block, sizeof halves);
    return (unsigned __int128)big_endian(halves[0]) << 64 | big_endian(halves[1]);
}

static unsigned __int128 encrypt(const struct ff1 *ff1, unsigned __int128 value) {
    uint64_t halves[2] = {big_endian((uint64_t)(value >> 64)), big_endian((uint64_t)value)};
    uint8_t block[FF1_BLOCK_BYTES];
    memcpy(block, halves, sizeof block);
    ff1->encrypt_block(ff1->cipher, block, block);
    return read_block(block);
}

/* The PRF over P and what of Q is the same in all rounds, up to its last block, which ends with the round and the number: steps 5, 6.i and 6.ii of the standard's
 * Algorithm 7. So a round is one block. */
static void begin_prf(struct ff1 *ff1, struct text tweak) {
    uint8_t head[FF1_BLOCK_BYTES] = {HEAD_VERSION, HEAD_METHOD, HEAD_VERSION}, tail[FF1_TWEAK_BYTES + FF1_BLOCK_BYTES] = {0};
    size_t block_count = (tweak.size + ff1->number_bytes + 1 + FF1_BLOCK_BYTES - 1) / FF1_BLOCK_BYTES;
    head[5] = (uint8_t)ff1->radix; /* the last of three octets, as of four below: each number is less than 256 */
    head[6] = ROUNDS;
    head[7] = (uint8_t)ff1->left;
    head[11] = (uint8_t)(ff1->left + ff1->right);
    head[15] = (uint8_t)tweak.size;
    CHECK(block_count * FF1_BLOCK_BYTES <= sizeof tail);
    if (tweak.size > 0) memcpy(tail, tweak.data, tweak.size);
    ff1->begun = encrypt(ff1, read_block(head));
    for (size_t i = 0; i + 1 < block_count; i++) ff1->begun = encrypt(ff1, ff1->begun ^ read_block(tail + i * FF1_BLOCK_BYTES));
    ff1->begun ^= read_block(tail + (block_count - 1) * FF1_BLOCK_BYTES);
}

struct result ff1_init(struct ff1 *ff1, ff1_block *encrypt_block, void *cipher, uint32_t radix, size_t length, struct text tweak) {
    if (radix > RADIX_MAX || length > FF1_LENGTH_MAX || tweak.size > FF1_TWEAK_BYTES) return result_error(RESULT_INVALID);
    *ff1 = (struct ff1){.encrypt_block = encrypt_block, .cipher = cipher, .radix = radix};
    ff1->left = (uint32_t)length / 2;
    ff1->right = (uint32_t)length - ff1->left;
    if (!power(radix, ff1->left, &ff1->left_values) || !power(radix, ff1->right, &ff1->right_values)) return result_error(RESULT_INVALID);
    if ((unsigned __int128)ff1->left_values * ff1->right_values < TEXTS_MIN) return result_error(RESULT_INVALID);
    size_t bits = 64 - (size_t)__builtin_clzll(ff1->right_values - 1);
    ff1->number_bytes = (bits + 7) / 8;
    ff1->rounds_bytes = (ff1->number_bytes + 3) / 4 * 4 + 4;
    CHECK(ff1->rounds_bytes <= FF1_BLOCK_BYTES); /* so that one block of the PRF is enough */
    begin_prf(ff1, tweak);
    return result_ok();
}

/* The first d octets of the PRF modulo `values`: steps 6.ii to 6.iv. */
static uint64_t round_value(const struct ff1 *ff1, uint32_t round, uint64_t number, uint64_t values) {
    unsigned __int128 last = (unsigned __int128)round << 8 * ff1->number_bytes | number;
    unsigned __int128 sum = encrypt(ff1, ff1->begun ^ last) >> 8 * (FF1_BLOCK_BYTES - ff1->rounds_bytes);
    bool is_power_of_two = (values & (values - 1)) == 0; /* as with a radix of 32: its remainder is a fifth of all work otherwise */
    return (uint64_t)(is_power_of_two ? sum & (values - 1) : sum % values);
}

static uint64_t number_of(const struct ff1 *ff1, const uint8_t *symbols, uint32_t count) {
    uint64_t number = 0;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(symbols[i] < ff1->radix);
        number = number * ff1->radix + symbols[i];
    }
    return number;
}

static void write_number(const struct ff1 *ff1, uint64_t number, uint8_t *symbols, uint32_t count) {
    const uint64_t radix =
        ff1->radix; /* which the symbols, being octets, might lie in for all that a compiler knows: two divisions for each */
    for (uint32_t i = count; i-- > 0; number /= radix) symbols[i] = (uint8_t)(number % radix);
}

void ff1_encrypt(const struct ff1 *ff1, uint8_t *symbols) {
    uint64_t a = number_of(ff1, symbols, ff1->left), b = number_of(ff1, symbols + ff1->left, ff1->right);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t values = round % 2 == 0 ? ff1->left_values : ff1->right_values;
        uint64_t c = a + round_value(ff1, round, b, values); /* both below values, which is 2^63 at most */
        if (c >= values) c -= values;
        a = b;
        b = c;
    }
    write_number(ff1, a, symbols, ff1->left);
    write_number(ff1, b, symbols + ff1->left, ff1->right);
}

void ff1_decrypt(const struct ff1 *ff1, uint8_t *symbols) {
    uint64_t a = number_of(ff1, symbols, ff1->left), b = number_of(ff1, symbols + ff1->left, ff1->right);
    for (uint32_t round = ROUNDS; round-- > 0;) {
        uint64_t values = round % 2 == 0 ? ff1->left_values : ff1->right_values;
        uint64_t value = round_value(ff1, round, a, values), c = b >= value ? b - value : b + values - value;
        b = a;
        a = c;
    }
    write_number(ff1, a, symbols, ff1->left);
    write_number(ff1, b, symbols + ff1->left, ff1->right);
}
