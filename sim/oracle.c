#include "sim/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "discount_schema.h"
#include "sim/disk_vfs.h"
#include "sim/promotions.h"
#include "sim/shop.h"
#include "sim/world.h"
#include "wallet_schema.h"

#define STATEMENTS_MAX 96u
#define ACCOUNTS_MAX   128u
#define TURNS          4u /* see check_by_turns */
#define ALL_TURNS      UINT64_MAX

struct kept_statement {
    const char *sql;
    struct statement statement;
};

struct watched {
    struct database *database;
    uint32_t incarnation; /* of the process, when it was last looked at */
    bool is_new;          /* not looked at in this incarnation */
    struct kept_statement statements[STATEMENTS_MAX];
    size_t statement_count;
    uint64_t turn;                         /* see check_by_turns */
    uint8_t header[DISK_WAL_HEADER_BYTES]; /* of the WAL, when it was last looked at */
};

struct campaign_track {
    char code[32];
    struct id id;
    struct campaign_moment *moments;
    size_t count, capacity;
};

struct balance_track {
    struct balance_moment *moments;
    size_t count, capacity;
};

static struct watched watched[PROCESS_COUNT];
static struct campaign_track campaigns[ORACLE_CAMPAIGNS_MAX];
static struct balance_track balances[ACCOUNTS_MAX];
static int64_t head_sequence;
static struct hash head_hash;
static int64_t user_count;

void oracle_begin_world(void) {
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        watched[i].incarnation = 0; /* what is prepared stays so from world to world */
        watched[i].turn = 0;
    }
    memset(campaigns, 0, sizeof campaigns);
    memset(balances, 0, sizeof balances);
    head_sequence = 0;
    head_hash = (struct hash){{0}};
    user_count = 0;
}

void oracle_forget(enum process_index index) {
    watched[index].incarnation = 0; /* of another disk */
    if (index == PROCESS_DISCOUNT) {
        memset(campaigns, 0, sizeof campaigns);
        return;
    }
    memset(balances, 0, sizeof balances);
    head_sequence = 0;
    head_hash = (struct hash){{0}};
    user_count = 0;
}

/* ---- connections ---- */

static bool open_database(enum process_index index) {
    struct watched *one = &watched[index];
    const struct process *process = &processes[index];
    if (process->state != PROCESS_UP || process->is_other) return false;
    if (one->database != NULL && one->incarnation == process->incarnation) return true;
    one->incarnation = process->incarnation;
    one->is_new = true;
    /* To SQLite a crash of the process is as to any reader: its next read sees what is there now. */
    if (one->database != NULL) return true;
    bool is_wallet = index == PROCESS_WALLET;
    struct result opened = database_open(is_wallet ? DISK_PATH_WALLET : DISK_PATH_DISCOUNT, DATABASE_READ,
                                         is_wallet ? &wallet_schema : &discount_schema, &one->database);
    if (!result_is_ok(opened)) one->database = NULL;
    return one->database != NULL;
}

struct statement *oracle_query(enum process_index index, const char *sql) {
    if (!open_database(index)) return NULL;
    struct watched *one = &watched[index];
    for (size_t i = 0; i < one->statement_count; i++) {
        if (one->statements[i].sql == sql) return &one->statements[i].statement;
    }
    CHECK(one->statement_count < STATEMENTS_MAX);
    struct kept_statement *kept = &one->statements[one->statement_count];
    struct result prepared = statement_prepare(one->database, sql, &kept->statement);
    if (!result_is_ok(prepared)) {
        world_fail("the database can be read", "%s: %s: %.100s", processes[index].name, result_name(prepared), sql);
        return NULL;
    }
    kept->sql = sql;
    one->statement_count++;
    return &kept->statement;
}

bool oracle_step(enum process_index index, struct statement *statement) {
    bool is_row = false;
    struct result stepped = statement_step(statement, &is_row);
    if (result_is_ok(stepped)) return is_row;
    if (stepped.code != RESULT_UNAVAILABLE) {
        world_fail("the database can be read", "%s: %s", processes[index].name, result_name(stepped));
    }
    return false;
}

static bool step(enum process_index index, struct statement *statement) { return oracle_step(index, statement); }

static void execute_in_both(const char *sql) {
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        struct statement *statement = oracle_query((enum process_index)i, sql);
        if (statement == NULL) continue;
        (void)step((enum process_index)i, statement);
        statement_reset(statement);
    }
}

int64_t oracle_integer(enum process_index index, const char *sql, int64_t otherwise) {
    struct statement *statement = oracle_query(index, sql);
    if (statement == NULL) return otherwise;
    int64_t value = step(index, statement) ? statement_integer(statement, 0) : otherwise;
    statement_reset(statement);
    return value;
}

int64_t oracle_look_up(enum process_index index, const char *sql, struct id id, struct text text, bool *ret_known) {
    struct statement *statement = oracle_query(index, sql);
    *ret_known = statement != NULL;
    if (statement == NULL) return -1;
    if (text.data != NULL) {
        statement_bind_text(statement, 1, text);
    } else {
        statement_bind_id(statement, 1, id);
    }
    bool is_row = false;
    struct result stepped = statement_step(statement, &is_row);
    *ret_known = result_is_ok(stepped);
    int64_t value = result_is_ok(stepped) && is_row ? statement_integer(statement, 0) : -1;
    statement_reset(statement);
    return value;
}

/* ---- invariants: each query gives a row for what is broken ---- */

struct invariant {
    const char *name;
    enum process_index index;
    const char *sql;
};

/* Unless the user went with what a restored Wallet has lost. */
static const char given_up[] = "SELECT 'redemption ' || hex(id) || ' ' || failure FROM redemptions WHERE status = 2 LIMIT 1";

/* What is made anew of an id has its time by the millisecond only. A campaign may end before somebody has lined up, where the clock was set back between the two: he
 * has no place. */
static const char out_of_time[] =
    "SELECT 'redemption key ' || r.key FROM redemptions r JOIN campaigns c ON c.number = r.campaign_number WHERE r.claimed_at < "
    "c.starts_at"
    " OR (c.ends_at <> 0 AND r.claimed_at >= c.ends_at) OR (c.ended_at <> 0 AND r.claimed_at > c.ended_at AND r.status <> 6) LIMIT 1";

static const struct invariant invariants[] = {
    {"1 positions are in the order of arrival", PROCESS_DISCOUNT,
     "SELECT 'redemption key ' || b.key FROM redemptions a JOIN redemptions b ON b.key = a.key + 1 WHERE a.status <> 6 AND b.claimed_at < "
     "a.claimed_at LIMIT "
     "1"},
    {"nobody gets a place before the start or after the end", PROCESS_DISCOUNT, out_of_time},
    {"3 a claim is never given up", PROCESS_DISCOUNT, given_up},
    {"3 a reference is credited once", PROCESS_WALLET,
     "SELECT caller || ' ' || reference FROM transfers WHERE kind = 1 GROUP BY caller, reference HAVING count(*) > 1 LIMIT 1"},
    {"4 debits equal credits", PROCESS_WALLET,
     "SELECT currency || ' off by ' || (sum(debits_posted) - sum(credits_posted)) FROM accounts GROUP BY currency"
     " HAVING sum(debits_posted) <> sum(credits_posted) LIMIT 1"},
    {"4 a balance is the sum of its entries", PROCESS_WALLET,
     "SELECT 'account ' || a.number || ': ' || (a.credits_posted - a.debits_posted) || ', entries ' || ifnull(sum(e.amount), 0)"
     " FROM accounts a LEFT JOIN entries e ON e.key > a.number << 32 AND e.key < (a.number + 1) << 32 GROUP BY a.number"
     " HAVING a.credits_posted - a.debits_posted <> ifnull(sum(e.amount), 0) OR a.sequence <> count(e.amount) LIMIT 1"},
    {"4 an entry's balance follows from the one before", PROCESS_WALLET,
     "SELECT 'account ' || (b.key >> 32) || ' entry ' || (b.key & 4294967295) FROM entries b LEFT JOIN entries a ON a.key = b.key - 1 "
     "WHERE b.balance_after <> ifnull(a.balance_after, 0) + b.amount LIMIT 1"},
    {"4 a floor is never crossed", PROCESS_WALLET,
     "SELECT 'account ' || number FROM accounts WHERE kind <> 3 AND credits_posted - debits_posted - debits_pending < floor LIMIT 1"},
    {"4 each transfer has two entries", PROCESS_WALLET,
     "SELECT 'transfers and entries' WHERE (SELECT count(*) FROM entries) <> 2 * (SELECT count(*) FROM transfers WHERE debit_sequence <> "
     "0)"},
    {"6 funded is credited, remaining and released", PROCESS_WALLET,
     "SELECT 'fund ' || f.reference || ': ' || f.funded || ' = ' || f.credited || ' + ' || f.released || ' + ' || (a.credits_posted - "
     "a.debits_posted) FROM funds f JOIN accounts a ON a.number = f.account WHERE f.funded <> f.credited + f.released + a.credits_posted - "
     "a.debits_posted LIMIT 1"},
    {"a user has one account", PROCESS_WALLET,
     "SELECT 'user ' || name FROM users u WHERE (SELECT count(*) FROM accounts a WHERE a.user_id = u.id) <> 1 LIMIT 1"},
};

/* Of campaigns that have one place for each user, and of places that nobody takes back. */
static const struct invariant plain_invariants[] = {
    {"1 redemptions never exceed the limit, positions are 1..n without gaps, counters agree", PROCESS_DISCOUNT,
     "SELECT 'campaign ' || c.number || ': redeemed ' || c.redeemed || ' of ' || c.max_redemptions || ', rows ' || count(r.key) || ', last "
     "' ||"
     " ifnull(max(r.key & 4294967295), 0) || ', credited ' || c.credited || '/' || ifnull(sum(r.status = 1), 0)"
     " FROM campaigns c LEFT JOIN redemptions r ON r.campaign_number = c.number GROUP BY c.number"
     " HAVING count(r.key) <> c.redeemed OR ifnull(max(r.key & 4294967295), 0) <> c.redeemed OR (c.redeemed > c.max_redemptions AND "
     "c.redeemed <> c.over_at)"
     " OR ifnull(sum(r.status = 1), 0) <> c.credited OR ifnull(sum(r.status = 2), 0) <> c.failed LIMIT 1"},
    {"2 one living redemption per user", PROCESS_DISCOUNT,
     "SELECT 'user ' || hex(user_id) FROM redemptions GROUP BY campaign_number, user_id HAVING count(*) > 1 LIMIT 1"},
    {"2 one living redemption per phone", PROCESS_DISCOUNT,
     "SELECT 'phone ' || phone FROM redemptions GROUP BY campaign_number, phone HAVING count(*) > 1 LIMIT 1"},
    {"a unique code is used once", PROCESS_DISCOUNT,
     "SELECT 'code ' || code_index FROM redemptions WHERE code_batch IS NOT NULL GROUP BY code_batch, code_index HAVING count(*) > 1 LIMIT "
     "1"},
    {"2 nobody is paid twice by one campaign", PROCESS_WALLET,
     "SELECT 'account ' || credit_account FROM transfers WHERE kind = 1 GROUP BY debit_account, credit_account HAVING count(*) > 1 LIMIT "
     "1"},
    {"6 a fund has paid what was credited out of it", PROCESS_WALLET,
     "SELECT 'fund ' || f.reference FROM funds f WHERE f.credited <> (SELECT ifnull(sum(amount), 0) FROM transfers WHERE kind = 1 AND "
     "debit_account = f.account) LIMIT 1"},
};

/* A place is over when its local day is: what was given out in one is not more than a campaign gives in a day. */
static const char full_days[] =
    "SELECT 'campaign ' || c.number || ': ' || count(*) || ' of a day' FROM campaigns c JOIN redemptions r ON r.campaign_number = c.number"
    " LEFT JOIN reversals v ON v.key = r.key WHERE c.max_per_day <> 0 AND r.status <> 6 AND NOT (r.status = 5 AND v.slot <> 2)"
    " GROUP BY c.number, (r.claimed_at + 50400000000) / 86400000000 HAVING count(*) > c.max_per_day LIMIT 1";

/* What is made anew has no order. */
static const char odd_discounts[] =
    "SELECT 'redemption key ' || r.key || ': ' || r.discount || ' off ' || r.order_amount FROM redemptions r JOIN campaigns c"
    " ON c.number = r.campaign_number WHERE ifnull(r.order_amount, 0) < c.min_order OR (c.kind <> 1 AND r.status <> 6 AND r.discount <> "
    "min(r.order_amount,"
    " iif(c.kind = 2, c.amount, iif(c.discount_max = 0, r.order_amount, c.discount_max)),"
    " iif(c.kind = 2, c.amount, r.order_amount * c.percent / 10000))) LIMIT 1";

/* Of campaigns with other rules, and of places that are taken back. */
static const struct invariant promotion_invariants[] = {
    {"1 redemptions never exceed the limit, positions are 1..n without gaps, counters agree", PROCESS_DISCOUNT,
     "SELECT 'campaign ' || c.number || ': redeemed ' || c.redeemed || ' less ' || c.returned || ' of ' ||"
     " c.max_redemptions || ', rows ' || count(r.key) || ', credited ' || c.credited || ', reversing ' || c.reversing || ',"
     " reversed ' || c.reversed || ', spent ' || c.spent || ' of ' || c.budget FROM campaigns c LEFT JOIN redemptions r ON"
     " r.campaign_number = c.number LEFT JOIN reversals v ON v.key = r.key GROUP BY c.number HAVING ifnull(sum(r.status <>"
     " 6), 0) <> c.redeemed OR ifnull(max(iif(r.status = 6, 0, r.key & 4294967295)), 0) <> c.redeemed OR (c.redeemed -"
     " c.returned > c.max_redemptions AND c.redeemed - c.returned <> c.over_at) OR ifnull(sum(r.status IN (1, 4)), 0) <>"
     " c.credited OR ifnull(sum(r.status = 2), 0) <> c.failed OR ifnull(sum(r.status = 4), 0) <> c.reversing OR"
     " ifnull(sum(r.status = 5), 0) <> c.reversed OR ifnull(sum(r.status = 5 AND v.slot <> 2), 0) <> c.returned LIMIT 1"},
    {"a budget is what the gifts are worth, and never crossed", PROCESS_DISCOUNT,
     "SELECT 'campaign ' || c.number || ': spent ' || c.spent || ' of ' || c.budget || ', gifts ' ||"
     " ifnull(sum(iif(r.status NOT IN (5, 6), iif(c.kind = 1, c.amount, r.discount), 0)), 0) || ', orders ' || c.ordered"
     " FROM campaigns c LEFT JOIN redemptions r ON r.campaign_number = c.number GROUP BY c.number HAVING"
     " ifnull(sum(iif(r.status NOT IN (5, 6), iif(c.kind = 1, c.amount, r.discount), 0)), 0) <> c.spent OR (c.budget <> 0"
     " AND c.spent > c.budget) OR ifnull(sum(iif(r.status NOT IN (5, 6), ifnull(r.order_amount, 0), 0)), 0) <> c.ordered"
     " LIMIT 1"},
    {"what is taken off an order is what its campaign says", PROCESS_DISCOUNT, odd_discounts},
    {"those who wait are as many as have joined and were not called", PROCESS_DISCOUNT,
     "SELECT 'campaign ' || c.number || ': ' || c.waiting || ' wait of ' || c.waiting_list || ', tickets ' || c.called ||"
     " '..' || c.lined_up || ', strayed ' || c.strayed || ', rows ' || ifnull(sum(r.status = 6), 0) FROM campaigns c LEFT"
     " JOIN redemptions r ON r.campaign_number = c.number GROUP BY c.number HAVING ifnull(sum(r.status = 6), 0) <>"
     " c.waiting OR c.waiting <> c.lined_up - c.called - c.strayed OR c.waiting > c.waiting_list OR min(iif(r.status = 6,"
     " (r.key & 4294967295) - 2147483648, c.lined_up + 1)) <= c.called OR max(iif(r.status = 6, (r.key & 4294967295) -"
     " 2147483648, 0)) > c.lined_up LIMIT 1"},
    {"2 living redemptions per user", PROCESS_DISCOUNT,
     "SELECT 'user ' || hex(r.user_id) FROM redemptions r JOIN campaigns c ON c.number = r.campaign_number WHERE r.status <> 5"
     " GROUP BY c.number, r.user_id HAVING count(*) > c.max_per_user LIMIT 1"},
    {"2 living redemptions per phone", PROCESS_DISCOUNT,
     "SELECT 'phone ' || r.phone FROM redemptions r JOIN campaigns c ON c.number = r.campaign_number WHERE r.status <> 5"
     " GROUP BY c.number, r.phone HAVING count(*) > c.max_per_phone LIMIT 1"},
    {"2 an order has one living redemption", PROCESS_DISCOUNT,
     "SELECT order_reference || ' of user ' || hex(user_id) FROM redemptions WHERE status <> 5 AND order_reference IS NOT NULL"
     " GROUP BY campaign_number, user_id, order_reference HAVING count(*) > 1 LIMIT 1"},
    {"a unique code is used once", PROCESS_DISCOUNT,
     "SELECT 'code ' || code_index FROM redemptions WHERE code_batch IS NOT NULL AND status <> 5 GROUP BY code_batch, code_index"
     " HAVING count(*) > 1 LIMIT 1"},
    {"so many places a day", PROCESS_DISCOUNT, full_days},
    {"what is taken back is owed until it is", PROCESS_DISCOUNT,
     "SELECT 'redemption key ' || r.key FROM redemptions r LEFT JOIN reversals v ON v.key = r.key WHERE (v.key IS NOT NULL) <>"
     " (r.status IN (4, 5)) OR (r.status = 4) <> ifnull(v.reversed_at = 0, 0) LIMIT 1"},
    {"2 nobody is paid more often by one campaign than it may be", PROCESS_WALLET,
     "SELECT 'account ' || t.credit_account FROM transfers t LEFT JOIN transfers r ON r.origin = t.sequence AND r.kind = 12"
     " WHERE t.kind = 1 AND r.sequence IS NULL GROUP BY t.debit_account, t.credit_account HAVING count(*) > 3 LIMIT 1"},
    {"a credit is taken back once, and whole", PROCESS_WALLET,
     "SELECT 'transfer ' || o.sequence FROM transfers r JOIN transfers o ON o.sequence = r.origin WHERE r.kind = 12"
     " GROUP BY o.sequence HAVING count(*) > 1 OR sum(r.amount) <> o.amount LIMIT 1"},
    {"6 a fund has paid what was credited out of it and not taken back", PROCESS_WALLET,
     "SELECT 'fund ' || f.reference FROM funds f WHERE f.credited <> (SELECT ifnull(sum(iif(kind = 1, amount, -amount)), 0) FROM transfers"
     " WHERE (kind = 1 AND debit_account = f.account) OR (kind = 12 AND credit_account = f.account)) LIMIT 1"},
};

/* Of what only shops do. */
static const struct invariant shop_invariants[] = {
    {"4 what is pending is what holds have left", PROCESS_WALLET,
     "SELECT 'account ' || number FROM accounts WHERE debits_pending <> ifnull((SELECT sum(remaining) FROM holds WHERE account = number), "
     "0) LIMIT 1"},
    {"no more is taken back than was moved", PROCESS_WALLET,
     "SELECT 'transfer ' || o.sequence FROM transfers r JOIN transfers o ON o.sequence = r.origin WHERE r.kind IN (11, 12)"
     " GROUP BY o.sequence HAVING sum(r.amount) > o.amount LIMIT 1"},
    {"a hold ends in exactly one way", PROCESS_WALLET,
     "SELECT 'hold ' || h.transfer FROM holds h JOIN transfers t ON t.sequence = h.transfer LEFT JOIN transfers e ON e.origin = h.transfer"
     " GROUP BY h.transfer HAVING ifnull(sum(e.kind IN (9, 10)), 0) > 1 OR h.captured <> ifnull(sum((e.kind = 8) * e.amount), 0)"
     " OR ifnull(sum(e.kind = 10), 0) <> (h.state = 4) OR ifnull(sum(e.amount), 0) + h.remaining <> t.amount LIMIT 1"},
};

static void check_listed(const struct invariant *list, size_t count, enum process_index index, uint64_t turn) {
    for (size_t i = 0; i < count && !world.has_failed; i++) {
        if (list[i].index != index || (turn != ALL_TURNS && (turn + i) % TURNS != 0)) continue;
        bool is_of_whole_rows = list[i].sql == out_of_time || list[i].sql == full_days || list[i].sql == odd_discounts;
        if (is_of_whole_rows && world.restored_us[PROCESS_DISCOUNT] != 0) continue;
        if (list[i].sql == given_up && world.restored_us[PROCESS_WALLET] != 0) continue;
        struct statement *statement = oracle_query(index, list[i].sql);
        if (statement == NULL) return;
        if (step(index, statement)) {
            struct text row = statement_text(statement, 0);
            world_fail(list[i].name, "%.*s", (int)row.size, row.data);
        }
        statement_reset(statement);
    }
}

static void check_invariants(enum process_index index, uint64_t turn) {
    check_listed(invariants, ARRAY_COUNT(invariants), index, turn);
    if (promotions_are_in_world())
        check_listed(promotion_invariants, ARRAY_COUNT(promotion_invariants), index, turn);
    else
        check_listed(plain_invariants, ARRAY_COUNT(plain_invariants), index, turn);
    if (shop_is_in_world()) check_listed(shop_invariants, ARRAY_COUNT(shop_invariants), index, turn);
}

/* ---- history ---- */

/* Each returns whether anything is not as it was when it last looked. */

static bool keep_campaign(int64_t number, const struct campaign_moment *moment) {
    CHECK(number >= 1 && number <= (int64_t)ORACLE_CAMPAIGNS_MAX);
    struct campaign_track *track = &campaigns[number - 1];
    if (track->count > 0) {
        const struct campaign_moment *before = &track->moments[track->count - 1];
        bool is_less_credited = moment->credited + moment->reversed < before->credited && world.restored_us[PROCESS_WALLET] == 0;
        bool is_less_reversed = moment->reversed < before->reversed || moment->returned < before->returned ||
                                moment->lined_up < before->lined_up || moment->called < before->called;
        if (moment->redeemed < before->redeemed || is_less_reversed || is_less_credited || moment->version < before->version ||
            (before->ended_at_us != 0 && moment->ended_at_us != before->ended_at_us)) {
            world_fail("5 what was committed stays", "campaign %lld: redeemed %lld after %lld, credited %lld after %lld", (long long)number,
                       (long long)moment->redeemed, (long long)before->redeemed, (long long)moment->credited, (long long)before->credited);
        }
        bool has_more = moment->redeemed > before->redeemed, is_same_version = moment->version == before->version;
        if (has_more && is_same_version && !world.is_apart && (before->is_paused != 0 || before->ended_at_us != 0)) {
            world_fail("a paused or ended campaign gives no places", "campaign %lld", (long long)number);
        }
        if (moment->called > before->called) world_reach("who waited gets a place");
        /* Of those who come while somebody waits nobody gets a place, but the line may become empty in between. */
        int64_t given = moment->redeemed - before->redeemed, called = moment->called - before->called;
        if (before->waiting > 0 && moment->waiting > 0 && given > called && !world.is_apart)
            world_fail("nobody overtakes who waits", "campaign %lld: %lld places, %lld called", (long long)number, (long long)given,
                       (long long)called);
        if (memcmp(&moment->max_redemptions, &before->max_redemptions, sizeof *moment - sizeof moment->at_us) == 0) return false;
    }
    if (track->count == track->capacity) {
        track->capacity = track->capacity * 2 + 64;
        track->moments = realloc(track->moments, track->capacity * sizeof *track->moments);
        CHECK(track->moments != NULL);
    }
    track->moments[track->count++] = *moment;
    return true;
}

#define CAMPAIGN_COLUMNS                                                                                               \
    "SELECT number, max_redemptions, redeemed, credited, is_paused, ended_at, starts_at, ends_at, version, code, id, " \
    "iif(kind = 1, fund_confirmed / max(amount, 1), max_redemptions), returned, reversed, spent, waiting, lined_up, called, waiting_list"

static bool keep_campaigns(void) {
    struct statement *statement =
        oracle_query(PROCESS_DISCOUNT, promotions_are_in_world() ? CAMPAIGN_COLUMNS
                                           ", (SELECT sum(iif(kind = 1, amount, r.discount)) FROM "
                                           "redemptions r WHERE r.campaign_number = number AND r.status <> 6) FROM campaigns"
                                                                 : CAMPAIGN_COLUMNS ", 0 FROM campaigns");
    if (statement == NULL) return true;
    bool has_changed = false;
    size_t rows = 0, known = 0;
    while (step(PROCESS_DISCOUNT, statement)) {
        struct campaign_moment moment = {.at_us = world.now_us,
                                         .max_redemptions = statement_integer(statement, 1),
                                         .redeemed = statement_integer(statement, 2),
                                         .credited = statement_integer(statement, 3),
                                         .is_paused = statement_integer(statement, 4),
                                         .ended_at_us = statement_integer(statement, 5),
                                         .starts_at_us = statement_integer(statement, 6),
                                         .ends_at_us = statement_integer(statement, 7),
                                         .version = statement_integer(statement, 8),
                                         .funded_places = statement_integer(statement, 11),
                                         .returned = statement_integer(statement, 12),
                                         .reversed = statement_integer(statement, 13),
                                         .spent = statement_integer(statement, 14),
                                         .waiting = statement_integer(statement, 15),
                                         .lined_up = statement_integer(statement, 16),
                                         .called = statement_integer(statement, 17),
                                         .waiting_list = statement_integer(statement, 18),
                                         .given = statement_integer(statement, 19)};
        has_changed = keep_campaign(statement_integer(statement, 0), &moment) || has_changed;
        struct campaign_track *track = &campaigns[statement_integer(statement, 0) - 1];
        struct text code = statement_text(statement, 9);
        snprintf(track->code, sizeof track->code, "%.*s", (int)code.size, code.data);
        track->id = statement_id(statement, 10);
        rows++;
    }
    statement_reset(statement);
    for (size_t i = 0; i < ORACLE_CAMPAIGNS_MAX; i++) known += campaigns[i].count > 0;
    if (rows < known) world_fail("5 what was committed stays", "%zu campaigns, there were %zu", rows, known);
    return has_changed;
}

static bool keep_balances(void) {
    struct statement *statement =
        oracle_query(PROCESS_WALLET, "SELECT number, credits_posted - debits_posted, debits_pending FROM accounts");
    if (statement == NULL) return true;
    bool has_changed = false;
    while (step(PROCESS_WALLET, statement)) {
        int64_t number = statement_integer(statement, 0), balance = statement_integer(statement, 1);
        int64_t available = balance - statement_integer(statement, 2);
        CHECK(number >= 1 && number <= (int64_t)ACCOUNTS_MAX);
        struct balance_track *track = &balances[number - 1];
        const struct balance_moment *last = track->count > 0 ? &track->moments[track->count - 1] : NULL;
        if (last != NULL && last->balance == balance && last->available == available) continue;
        if (track->count == track->capacity) {
            track->capacity = track->capacity * 2 + 16;
            track->moments = realloc(track->moments, track->capacity * sizeof *track->moments);
            CHECK(track->moments != NULL);
        }
        track->moments[track->count++] = (struct balance_moment){world.now_us, balance, available};
        has_changed = true;
    }
    statement_reset(statement);
    return has_changed;
}

/* The books only grow: what was the newest transfer once is there for ever, with its hash. */
static bool keep_head(void) {
    struct statement *old = oracle_query(PROCESS_WALLET, "SELECT hash FROM transfers WHERE sequence = ?1");
    struct statement *newest = oracle_query(PROCESS_WALLET, "SELECT sequence, hash FROM transfers ORDER BY sequence DESC LIMIT 1");
    if (old == NULL || newest == NULL) return true;
    int64_t sequence_before = head_sequence, users_before = user_count;
    if (head_sequence > 0) {
        statement_bind_integer(old, 1, head_sequence);
        bool is_there = step(PROCESS_WALLET, old);
        struct text hash = is_there ? statement_blob(old, 0) : TEXT("");
        if (hash.size != sizeof head_hash.bytes || memcmp(hash.data, head_hash.bytes, hash.size) != 0) {
            world_fail("5 what was committed stays", "transfer %lld %s", (long long)head_sequence, is_there ? "has changed" : "is gone");
        }
        statement_reset(old);
    }
    if (step(PROCESS_WALLET, newest)) {
        head_sequence = statement_integer(newest, 0);
        struct text hash = statement_blob(newest, 1);
        if (hash.size == sizeof head_hash.bytes) memcpy(head_hash.bytes, hash.data, hash.size);
    }
    statement_reset(newest);
    int64_t users = oracle_integer(PROCESS_WALLET, "SELECT count(*) FROM users", user_count);
    if (users < user_count)
        world_fail("5 what was committed stays", "%lld users, there were %lld", (long long)users, (long long)user_count);
    user_count = users;
    return head_sequence != sequence_before || user_count != users_before;
}

struct history oracle_campaign_history(int64_t number) {
    if (number < 1 || number > (int64_t)ORACLE_CAMPAIGNS_MAX) return (struct history){NULL, 0};
    return (struct history){campaigns[number - 1].moments, campaigns[number - 1].count};
}

bool oracle_find_campaign(struct text code, int64_t *ret_number, struct id *ret_id) {
    for (size_t i = 0; i < ORACLE_CAMPAIGNS_MAX; i++) {
        if (campaigns[i].count == 0 || !text_equal(text_of(campaigns[i].code), code)) continue;
        *ret_number = (int64_t)i + 1;
        *ret_id = campaigns[i].id;
        return true;
    }
    return false;
}

size_t history_first(struct history history, int64_t from_us) {
    size_t first = 0;
    while (first + 1 < history.count && history.moments[first + 1].at_us <= from_us) first++;
    return first;
}

struct balance_history oracle_balance_history(int64_t account_number) {
    if (account_number < 1 || account_number > (int64_t)ACCOUNTS_MAX) return (struct balance_history){NULL, 0};
    return (struct balance_history){balances[account_number - 1].moments, balances[account_number - 1].count};
}

/* ---- after each step ---- */

static bool has_committed(enum process_index index) {
    struct watched *one = &watched[index];
    struct process *process = &processes[index];
    uint8_t header[DISK_WAL_HEADER_BYTES];
    if (process->state != PROCESS_UP || process->is_other) return false;
    if (!disk_vfs_wal_header(&process->disk, index == PROCESS_WALLET ? "wallet.db" : "discount.db", header)) return false;
    bool was_open = one->database != NULL && one->incarnation == process->incarnation;
    if (was_open && memcmp(header, one->header, sizeof header) == 0) return false;
    if (!open_database(index)) return false;
    memcpy(one->header, header, sizeof header);
    return true;
}

/* After a start all invariants are asked, and at the end (judge_end.c). In between each commit asks one of TURNS, the next one the next: what breaks an
 * invariant stays in the database. */
static void check_by_turns(enum process_index index) {
    struct watched *one = &watched[index];
    check_invariants(index, one->is_new ? ALL_TURNS : one->turn++);
    one->is_new = false;
}

/* Sessions, tokens and kept answers are not what the invariants are about: where money, users and places are as they were, they still hold. */
static bool look_at_wallet(void) {
    bool has_money_moved = keep_balances(), has_grown = keep_head();
    bool has_changed = has_money_moved || has_grown || watched[PROCESS_WALLET].is_new;
    if (has_changed) check_by_turns(PROCESS_WALLET);
    return has_changed;
}

static bool look_at_discount(void) {
    bool has_changed = keep_campaigns() || watched[PROCESS_DISCOUNT].is_new;
    if (has_changed) check_by_turns(PROCESS_DISCOUNT);
    return has_changed;
}

bool oracle_after_step(void) {
    static const char begin_sql[] = "BEGIN", end_sql[] = "COMMIT";
    bool wallet = has_committed(PROCESS_WALLET), discount = has_committed(PROCESS_DISCOUNT);
    if (!wallet && !discount) return false;
    execute_in_both(begin_sql); /* SQLite then looks for the newest state once, and not for each question */
    if (wallet) wallet = look_at_wallet();
    if (discount) discount = look_at_discount();
    if ((wallet || discount) && !world.is_apart) oracle_check_books();
    execute_in_both(end_sql);
    return discount;
}

void oracle_check_all(void) {
    for (size_t i = 0; i < PROCESS_COUNT; i++) check_invariants((enum process_index)i, ALL_TURNS);
    oracle_check_books();
}
