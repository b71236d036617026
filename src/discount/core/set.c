/* The working set: arrays and the maps that find things in them. */
#include <string.h>

#include "base/check.h"
#include "base/pages.h"
#include "discount/core/set.h"

struct result campaign_set_init(struct campaign_set *set, size_t campaign_capacity, size_t redemption_capacity) {
    *set = (struct campaign_set){.campaign_capacity = campaign_capacity, .redemption_capacity = redemption_capacity};
    set->campaigns = pages_take(campaign_capacity, sizeof *set->campaigns);
    set->redemptions = pages_take(redemption_capacity, sizeof *set->redemptions);
    set->tallies = pages_take(2 * redemption_capacity, sizeof *set->tallies);
    set->reversals = pages_take(redemption_capacity, sizeof *set->reversals);
    set->changes.numbers = pages_take(campaign_capacity, sizeof *set->changes.numbers);
    set->seats = pages_take(campaign_capacity, sizeof *set->seats);
    set->free_seats = pages_take(campaign_capacity, sizeof *set->free_seats);
    if (set->campaigns == NULL || set->seats == NULL || set->free_seats == NULL || set->changes.numbers == NULL ||
        set->redemptions == NULL || set->tallies == NULL || set->reversals == NULL ||
        !result_is_ok(map_init(&set->by_reversal, redemption_capacity)) ||
        !result_is_ok(map_init(&set->by_tally, 2 * redemption_capacity)) || !result_is_ok(map_init(&set->by_code, campaign_capacity)) ||
        !result_is_ok(map_init(&set->by_campaign_id, campaign_capacity)) || !result_is_ok(map_init(&set->by_id, 2 * redemption_capacity)) ||
        !result_is_ok(map_init(&set->by_user, redemption_capacity)) || !result_is_ok(map_init(&set->by_phone, redemption_capacity))) {
        campaign_set_free(set);
        return result_error(RESULT_FULL);
    }
    return result_ok();
}

void campaign_set_free(struct campaign_set *set) {
    pages_free(set->campaigns, set->campaign_capacity, sizeof *set->campaigns);
    pages_free(set->seats, set->campaign_capacity, sizeof *set->seats);
    pages_free(set->free_seats, set->campaign_capacity, sizeof *set->free_seats);
    pages_free(set->changes.numbers, set->campaign_capacity, sizeof *set->changes.numbers);
    pages_free(set->redemptions, set->redemption_capacity, sizeof *set->redemptions);
    pages_free(set->tallies, 2 * set->redemption_capacity, sizeof *set->tallies);
    pages_free(set->reversals, set->redemption_capacity, sizeof *set->reversals);
    map_free(&set->by_reversal);
    map_free(&set->by_tally);
    map_free(&set->by_code);
    map_free(&set->by_campaign_id);
    map_free(&set->by_id);
    map_free(&set->by_user);
    map_free(&set->by_phone);
    *set = (struct campaign_set){0};
}

void campaign_set_begin(struct campaign_set *set) {
    for (size_t i = 0; i < set->changes.count; i++) {
        struct campaign *campaign = campaign_by_number(set, set->changes.numbers[i]);
        if (campaign == NULL) continue; /* it was archived with its last change */
        campaign->is_noted = campaign->is_new = campaign->is_changed = campaign->has_new_rules = false;
        campaign->line_asked = 0;
    }
    set->changes.count = 0;
    if (set->tally_count > 0) map_clear(&set->by_tally);
    set->tally_count = 0;
    if (set->reversal_count > 0) map_clear(&set->by_reversal);
    set->reversal_count = 0;
    if (set->redemption_count == 0) return;
    set->redemption_count = 0;
    map_clear(&set->by_id);
    map_clear(&set->by_user);
    map_clear(&set->by_phone);
}

void campaign_set_clear(struct campaign_set *set) {
    campaign_set_begin(set);
    for (size_t i = 0; i < set->seat_count; i++) {
        if (set->campaigns[i].number != 0) set->seats[set->campaigns[i].number - 1] = 0;
    }
    set->campaign_count = set->seat_count = set->free_count = 0;
    map_clear(&set->by_code);
    map_clear(&set->by_campaign_id);
}

void campaign_note(struct campaign *campaign) {
    struct campaign_changes *changes = campaign->changes;
    if (changes == NULL || campaign->is_noted) return;
    campaign->is_noted = true;
    changes->numbers[changes->count++] = campaign->number;
}

void campaign_note_changed(struct campaign *campaign) {
    campaign->is_changed = true;
    campaign_note(campaign);
}

static struct text id_key(const struct id *id) { return (struct text){(const char *)id->bytes, sizeof id->bytes}; }

/* Which of two has their code: the one that has not ended, or ends last, or the newer one. */
static bool is_later(const struct campaign *campaign, const struct campaign *holder) {
    if ((campaign->ended_at_us == 0) != (holder->ended_at_us == 0)) return campaign->ended_at_us == 0;
    int64_t ends = campaign->ends_at_us != 0 ? campaign->ends_at_us : INT64_MAX,
            holder_ends = holder->ends_at_us != 0 ? holder->ends_at_us : INT64_MAX;
    return campaign->ended_at_us != 0 || ends >= holder_ends;
}

static struct result sit_down(struct campaign_set *set, const struct campaign *campaign, bool has_code) {
    if (campaign_fault(campaign) != NULL || campaign_by_id(set, campaign->id) != NULL) return result_error(RESULT_CORRUPT);
    size_t seat = set->free_count > 0 ? set->free_seats[--set->free_count] : set->seat_count++;
    struct campaign *kept = &set->campaigns[seat];
    *kept = *campaign;
    kept->changes = &set->changes;
    kept->is_noted = false;
    if (kept->is_changed) campaign_note(kept);
    if (has_code) {
        (void)map_remove(&set->by_code, code_text(&kept->code)); /* its key is the holder's own */
        TRY(map_put(&set->by_code, code_text(&kept->code), kept));
    }
    TRY(map_put(&set->by_campaign_id, id_key(&kept->id), kept));
    set->seats[kept->number - 1] = (uint32_t)seat + 1;
    return result_ok();
}

struct result campaign_set_load(struct campaign_set *set, const struct campaign *campaign) {
    if (set->campaign_count == set->campaign_capacity) return result_error(RESULT_FULL);
    if (campaign->number != set->campaign_count + 1) return result_error(RESULT_CORRUPT);
    const struct campaign *holder = campaign_by_code(set, &campaign->code);
    TRY(sit_down(set, campaign, campaign->code.size > 0 && (holder == NULL || is_later(campaign, holder))));
    set->campaign_count++;
    return result_ok();
}

void campaign_set_skip(struct campaign_set *set) {
    CHECK(set->campaign_count < set->campaign_capacity);
    set->campaign_count++;
}

struct result campaign_set_bring(struct campaign_set *set, const struct campaign *campaign, bool has_code) {
    if (campaign->number > set->campaign_count) return result_error(RESULT_CORRUPT);
    return campaign_by_number(set, campaign->number) != NULL ? result_ok() : sit_down(set, campaign, has_code);
}

void campaign_set_drop(struct campaign_set *set, struct campaign *campaign) {
    if (campaign_by_code(set, &campaign->code) == campaign) (void)map_remove(&set->by_code, code_text(&campaign->code));
    CHECK(map_remove(&set->by_campaign_id, id_key(&campaign->id)) == campaign);
    set->seats[campaign->number - 1] = 0;
    set->free_seats[set->free_count++] = (uint32_t)(campaign - set->campaigns);
}

static void user_key(uint32_t campaign_number, struct id user_id, uint8_t key[20]) {
    memcpy(key, &campaign_number, sizeof campaign_number);
    memcpy(key + sizeof campaign_number, user_id.bytes, sizeof user_id.bytes);
}

static size_t phone_key(uint32_t campaign_number, const struct phone *phone, uint8_t key[20]) {
    CHECK(phone->size <= PHONE_BYTES_MAX);
    memcpy(key, &campaign_number, sizeof campaign_number);
    memcpy(key + sizeof campaign_number, phone->e164, phone->size);
    return sizeof campaign_number + phone->size;
}

static struct result index_ids(struct campaign_set *set, struct redemption *kept) {
    if (!id_is_zero(kept->claimed_as)) TRY(map_put(&set->by_id, id_key(&kept->claimed_as), kept));
    return map_put(&set->by_id, id_key(&kept->id), kept);
}

static struct result index_phone(struct campaign_set *set, struct redemption *kept) {
    kept->phone_key_size = (uint8_t)phone_key(kept->campaign_number, &kept->phone, kept->phone_key);
    if (!redemption_is_living(kept) && redemption_by_phone(set, kept->campaign_number, &kept->phone) != NULL) return result_ok();
    return map_put(&set->by_phone, (struct text){(const char *)kept->phone_key, kept->phone_key_size}, kept);
}

/* Of those that were loaded, also what was reversed. */
static struct redemption *newest_of_user(const struct campaign_set *set, uint32_t campaign_number, struct id user_id) {
    uint8_t key[20];
    user_key(campaign_number, user_id, key);
    return map_get(&set->by_user, (struct text){(const char *)key, sizeof key});
}

/* A position that was given out, or a ticket that was and has not been called. */
static bool is_of(const struct redemption *redemption, const struct campaign *campaign) {
    int64_t ticket = redemption_ticket(redemption);
    if (redemption->status == REDEMPTION_WAITING) return ticket > campaign->called && ticket <= campaign->lined_up;
    return redemption->position <= campaign->redeemed;
}

struct result campaign_set_load_redemption(struct campaign_set *set, const struct redemption *redemption) {
    if (redemption_by_id(set, redemption->id) != NULL) return result_ok();
    const struct campaign *campaign = campaign_by_number(set, redemption->campaign_number);
    if (campaign == NULL || redemption_fault(redemption) != NULL || !is_of(redemption, campaign)) return result_error(RESULT_CORRUPT);
    if (set->redemption_count == set->redemption_capacity) return result_error(RESULT_FULL);
    struct redemption *kept = &set->redemptions[set->redemption_count];
    *kept = *redemption;
    user_key(kept->campaign_number, kept->user_id, kept->user_key);
    kept->next_of_user = newest_of_user(set, kept->campaign_number, kept->user_id);
    TRY(map_put(&set->by_user, (struct text){(const char *)kept->user_key, sizeof kept->user_key}, kept));
    TRY(index_ids(set, kept));
    TRY(index_phone(set, kept));
    set->redemption_count++;
    return result_ok();
}

struct result campaign_set_load_line(struct campaign_set *set, const struct redemption *redemption) {
    TRY(campaign_set_load_redemption(set, redemption));
    redemption_by_id(set, redemption->id)->is_in_front = true;
    return result_ok();
}

void campaign_set_rename(struct campaign_set *set, struct redemption *redemption, struct id id, const struct phone *phone) {
    CHECK(redemption_by_id(set, redemption->id) == redemption && redemption_by_id(set, id) == NULL);
    (void)map_remove(&set->by_id, id_key(&redemption->id));
    (void)map_remove(&set->by_phone, (struct text){(const char *)redemption->phone_key, redemption->phone_key_size});
    redemption->claimed_as = redemption->id;
    redemption->id = id;
    redemption->phone = *phone;
    CHECK(result_is_ok(index_ids(set, redemption)) && result_is_ok(index_phone(set, redemption))); /* there is room for two ids of each */
}

/* ---- tallies ---- */

static struct tally *find_tally(const struct campaign_set *set, const struct tally *key) {
    return map_get(&set->by_tally, (struct text){(const char *)key->key, key->key_size});
}

static struct tally tally_of_user(uint32_t campaign_number, struct id user_id) {
    struct tally tally = {.key = {'u'}, .key_size = 21};
    user_key(campaign_number, user_id, tally.key + 1);
    return tally;
}

static struct tally tally_of_phone(uint32_t campaign_number, const struct phone *phone) {
    struct tally tally = {.key = {'p'}};
    tally.key_size = (uint8_t)(1 + phone_key(campaign_number, phone, tally.key + 1));
    return tally;
}

static struct result load_tally(struct campaign_set *set, const struct tally *tally, int64_t count) {
    if (find_tally(set, tally) != NULL) return result_ok();
    if (set->tally_count == 2 * set->redemption_capacity) return result_error(RESULT_FULL);
    struct tally *kept = &set->tallies[set->tally_count++];
    *kept = *tally;
    kept->count = count;
    return map_put(&set->by_tally, (struct text){(const char *)kept->key, kept->key_size}, kept);
}

static int64_t count_of(const struct campaign_set *set, struct tally key) {
    const struct tally *tally = find_tally(set, &key);
    return tally == NULL ? 0 : tally->count;
}

static void count_one(struct campaign_set *set, struct tally key) {
    CHECK(result_is_ok(load_tally(set, &key, 0))); /* two for each redemption that there is room for */
    find_tally(set, &key)->count++;
}

struct result campaign_set_load_tally_of_user(struct campaign_set *set, uint32_t campaign_number, struct id user_id, int64_t count) {
    const struct tally key = tally_of_user(campaign_number, user_id);
    return load_tally(set, &key, count);
}

struct result campaign_set_load_tally_of_phone(struct campaign_set *set, uint32_t campaign_number, const struct phone *phone,
                                               int64_t count) {
    const struct tally key = tally_of_phone(campaign_number, phone);
    return load_tally(set, &key, count);
}

int64_t campaign_set_tally_of_user(const struct campaign_set *set, uint32_t campaign_number, struct id user_id) {
    return count_of(set, tally_of_user(campaign_number, user_id));
}

int64_t campaign_set_tally_of_phone(const struct campaign_set *set, uint32_t campaign_number, const struct phone *phone) {
    return count_of(set, tally_of_phone(campaign_number, phone));
}

void campaign_set_count(struct campaign_set *set, const struct redemption *redemption) {
    count_one(set, tally_of_user(redemption->campaign_number, redemption->user_id));
    count_one(set, tally_of_phone(redemption->campaign_number, &redemption->phone));
}

static void uncount_one(struct campaign_set *set, struct tally key) {
    struct tally *tally = find_tally(set, &key);
    if (tally == NULL) return; /* nobody has asked */
    CHECK(tally->count > 0);
    tally->count--;
}

void campaign_set_uncount(struct campaign_set *set, const struct redemption *redemption) {
    uncount_one(set, tally_of_user(redemption->campaign_number, redemption->user_id));
    uncount_one(set, tally_of_phone(redemption->campaign_number, &redemption->phone));
}

/* ---- reversals ---- */

struct reversal *reversal_of(const struct campaign_set *set, struct id redemption_id) {
    return map_get(&set->by_reversal, id_key(&redemption_id));
}

struct result campaign_set_load_reversal(struct campaign_set *set, const struct reversal *reversal) {
    if (reversal_fault(reversal) != NULL) return result_error(RESULT_CORRUPT);
    if (reversal_of(set, reversal->redemption_id) != NULL) return result_ok();
    if (set->reversal_count == set->redemption_capacity) return result_error(RESULT_FULL);
    struct reversal *kept = &set->reversals[set->reversal_count++];
    *kept = *reversal;
    return map_put(&set->by_reversal, id_key(&kept->redemption_id), kept);
}

struct reversal *campaign_set_put_reversal(struct campaign_set *set, const struct reversal *reversal) {
    struct reversal *kept = reversal_of(set, reversal->redemption_id);
    if (kept == NULL) {
        /* There is room: each belongs to a redemption that the batch has named, but for those that were dropped in it. */
        CHECK(result_is_ok(campaign_set_load_reversal(set, reversal)));
        return reversal_of(set, reversal->redemption_id);
    }
    *kept = *reversal;
    return kept;
}

void campaign_set_drop_reversal(struct campaign_set *set, const struct reversal *reversal) {
    struct reversal *dropped = map_remove(&set->by_reversal, id_key(&reversal->redemption_id));
    CHECK(dropped == reversal);
    dropped->is_changed = false;
}

void campaign_set_recode(struct campaign_set *set, struct campaign *campaign, const struct code *code) {
    if (campaign_by_code(set, &campaign->code) == campaign) (void)map_remove(&set->by_code, code_text(&campaign->code));
    (void)map_remove(&set->by_code, code_text(code)); /* of one that has ended, whose own key it is */
    campaign->code = *code;
    CHECK(result_is_ok(map_put(&set->by_code, code_text(&campaign->code), campaign)));
}

/* ---- finding ---- */

struct campaign *campaign_by_code(const struct campaign_set *set, const struct code *code) {
    return code->size == 0 ? NULL : map_get(&set->by_code, code_text(code));
}

struct campaign *campaign_by_id(const struct campaign_set *set, struct id id) {
    return map_get(&set->by_campaign_id, id_key(&id));
}

struct campaign *campaign_by_number(const struct campaign_set *set, uint32_t number) {
    uint32_t seat = number == 0 || number > set->campaign_count ? 0 : set->seats[number - 1];
    return seat == 0 ? NULL : &set->campaigns[seat - 1];
}

struct redemption *redemption_by_id(const struct campaign_set *set, struct id id) {
    return map_get(&set->by_id, id_key(&id));
}

static struct redemption *first_living(struct redemption *redemption) {
    while (redemption != NULL && !redemption_is_living(redemption)) redemption = redemption->next_of_user;
    return redemption;
}

struct redemption *redemption_by_user(const struct campaign_set *set, uint32_t campaign_number, struct id user_id) {
    return first_living(newest_of_user(set, campaign_number, user_id));
}

struct redemption *redemption_by_order(const struct campaign_set *set, uint32_t campaign_number, struct id user_id, struct text reference) {
    struct redemption *redemption = redemption_by_user(set, campaign_number, user_id);
    while (redemption != NULL && !text_equal(order_reference(&redemption->order), reference))
        redemption = first_living(redemption->next_of_user);
    return redemption;
}

struct redemption *redemption_by_phone(const struct campaign_set *set, uint32_t campaign_number, const struct phone *phone) {
    uint8_t key[20];
    size_t size = phone_key(campaign_number, phone, key);
    struct redemption *redemption = map_get(&set->by_phone, (struct text){(const char *)key, size});
    return redemption != NULL && redemption_is_living(redemption) ? redemption : NULL;
}
