/* GET /v1/instance: which database this is, how far its books go, and what it has of the caller. A service that asks now and then notices when another
 * Wallet, or an older copy of this one, answers at the address. */
#include "base/crypto.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/core/ledger.h"
#include "wallet/tables.h"
#include "wallet/wallet.h"

#define ANSWER_BYTES 1024u

struct instance_reading {
    struct reading reading; /* first */
    int64_t sequence;       /* 0: no transfer yet */
    struct hash hash;
};

static struct result head_found(void *context, const struct row *row) {
    struct instance_reading *read = context;
    read->sequence = row_integer_between(row, 0, 1, INT64_MAX);
    row_bytes_into(row, 1, read->hash.bytes, sizeof read->hash.bytes);
    return result_ok();
}

static bool ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct instance_reading *read = (struct instance_reading *)reading;
    (void)round;
    read->sequence = 0;
    read->hash = (struct hash){{0}};
    ask_head(batch, head_found, read);
    return false;
}

static void write_hash(struct json_writer *writer, const struct hash *hash) {
    static const char digits[] = "0123456789abcdef";
    char text[2 * sizeof hash->bytes];
    for (size_t i = 0; i < sizeof hash->bytes; i++) {
        text[2 * i] = digits[hash->bytes[i] >> 4];
        text[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
    json_text_member(writer, "hash", (struct text){text, sizeof text});
}

static void write_caller(struct json_writer *writer, const struct caller_count *caller) {
    json_key(writer, "caller");
    json_begin_object(writer);
    json_integer_member(writer, "credits", caller->credits);
    if (caller->credits == 0)
        json_null_member(writer, "last_reference");
    else
        json_text_member(writer, "last_reference", (struct text){caller->last_reference, caller->last_reference_size});
    json_end_object(writer);
}

static void answer(struct reading *reading) {
    const struct instance_reading *read = (const struct instance_reading *)reading;
    struct exchange *exchange = reading->exchange;
    struct wallet *wallet = wallet_of(exchange);
    struct caller_count caller = callers_find(wallet->callers, (struct text){exchange->caller.name, exchange->caller.name_size});
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, ANSWER_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_id_member(&writer, "instance_id", wallet->instance_id);
    json_time_member(&writer, "created_at", wallet->created_at_us);
    json_key(&writer, "ledger");
    json_begin_object(&writer);
    json_integer_member(&writer, "sequence", read->sequence);
    write_hash(&writer, &read->hash);
    json_end_object(&writer);
    write_caller(&writer, &caller);
    json_end_object(&writer);
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}

void instance_get(struct exchange *exchange) {
    struct instance_reading *read = reading_begin(exchange, ask, answer, sizeof *read);
    if (read == NULL)
        exchange_finish(exchange);
    else
        reading_start(&read->reading);
}
