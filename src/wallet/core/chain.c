/* The canonical encoding of a transfer (docs/ledger.md; version 1 of the kinds up to TRANSFER_RELEASE, 2 of the others): fixed fields in a fixed order, big-endian, then the texts with their sizes.
 * Each byte string decodes to one transfer only, so that two different transfers never have the same bytes. */
#include "wallet/core/chain.h"

#include <string.h>

#include "base/check.h"

#define FIXED_BYTES_1 (1u + 8u + 16u + 1u + 6u * 8u + 8u + 3u + 8u + CRYPTO_HASH_BYTES)
#define FIXED_BYTES_2 (FIXED_BYTES_1 + 2u * 8u)
/* Texts: at most the limits of the API; a description's characters have up to four bytes. */
#define TEXT_BYTES  (4u * 4u + 2u * LIMIT_REFERENCE_BYTES + 4u * LIMIT_DESCRIPTION_CHARACTERS + LIMIT_METADATA_BYTES)
#define STACK_BYTES (FIXED_BYTES_2 + TEXT_BYTES)

struct encoder {
    char bytes[STACK_BYTES];
    size_t size;
};

static void put_bytes(struct encoder *encoder, const void *data, size_t size) {
    CHECK(size <= sizeof encoder->bytes - encoder->size);
    if (size > 0) memcpy(encoder->bytes + encoder->size, data, size);
    encoder->size += size;
}

static void put_integer(struct encoder *encoder, int64_t value) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
    put_bytes(encoder, bytes, sizeof bytes);
}

static void put_byte(struct encoder *encoder, unsigned value) {
    uint8_t byte = (uint8_t)value;
    put_bytes(encoder, &byte, 1);
}

static void put_text(struct encoder *encoder, struct text text) {
    uint8_t size[4];
    for (int i = 0; i < 4; i++) size[i] = (uint8_t)(text.size >> (24 - 8 * i));
    put_bytes(encoder, size, sizeof size);
    put_bytes(encoder, text.data, text.size);
}

struct hash transfer_hash(const struct transfer *transfer) {
    struct encoder encoder;
    encoder.size = 0;
    bool is_first_version = transfer->kind <= TRANSFER_RELEASE;
    put_byte(&encoder, is_first_version ? 1 : 2);
    put_integer(&encoder, transfer->sequence);
    put_bytes(&encoder, transfer->id.bytes, sizeof transfer->id.bytes);
    put_byte(&encoder, transfer->kind);
    put_integer(&encoder, transfer->debit_account);
    put_integer(&encoder, transfer->debit_sequence);
    put_integer(&encoder, transfer->debit_balance_after);
    put_integer(&encoder, transfer->credit_account);
    put_integer(&encoder, transfer->credit_sequence);
    put_integer(&encoder, transfer->credit_balance_after);
    put_integer(&encoder, transfer->amount.amount_minor);
    put_bytes(&encoder, currency_code(transfer->amount.currency), 3);
    put_integer(&encoder, transfer->created_at_us);
    if (!is_first_version) put_integer(&encoder, transfer->origin);
    if (!is_first_version) put_integer(&encoder, transfer->expires_at_us);
    put_bytes(&encoder, transfer->previous_hash.bytes, sizeof transfer->previous_hash.bytes);
    CHECK(encoder.size == (is_first_version ? FIXED_BYTES_1 : FIXED_BYTES_2));
    put_text(&encoder, transfer->caller);
    put_text(&encoder, transfer->reference);
    put_text(&encoder, transfer->description);
    put_text(&encoder, transfer->metadata);
    return crypto_hash((struct text){encoder.bytes, encoder.size});
}

void chain_append(struct ledger_head *head, struct transfer *transfer) {
    CHECK(head->sequence >= 0 && transfer->created_at_us >= head->created_at_us);
    transfer->sequence = head->sequence + 1;
    transfer->previous_hash = head->hash;
    transfer->hash = transfer_hash(transfer);
    *head = (struct ledger_head){transfer->sequence, transfer->hash, transfer->created_at_us};
}
