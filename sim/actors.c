#include "sim/actors.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "sim/batches.h"
#include "sim/boot.h"
#include "sim/judge.h"
#include "sim/oracle.h"
#include "sim/promotions.h"
#include "sim/shop.h"
#include "sim/world.h"

#define THINK_MOST_US     600000
#define WAIT_MOST_S       3600     /* no budget lets anybody wait so long */
#define PATIENCE_US       20000000 /* longer than the services' own time-outs */
#define SHORT_PATIENCE_US 400000
#define COPIES_MOST       4
#define PAUSE_MOST_US     800000
#define REPEAT_MOST_US    4000000
#define PROMPT_US         300000 /* with two services at rest and nothing that fails */
#define TOKEN_OLD_US      600000000
#define LATECOMERS        8
#define SHOP_ACTIONS      2 /* for each of a user */
#define JUST_NOW          5 /* of them */
#define JUST_NOW_US       600
#define AT_ONCE_US        2000000
#define LATE_MOST_US      1500000 /* before or after the end */
#define LOOKS_PERCENT     40      /* of those whom money has come or gone */
#define SOON_US           3000000
#define BACK_PERCENT      50 /* of what an operator does where redemptions are taken back, */
#define BACK_ACTIONS      2  /* who does so many times as much there */

struct people people;

/* One copy under way. */
struct send {
    struct intent *intent;
    bool is_over;
    bool is_repeat; /* sent when its sender had its answer already */
};

const char *intent_kind_name(enum intent_kind kind) {
    static const char *const names[INTENT_KIND_COUNT] = {[INTENT_REGISTER] = "register",
                                                         [INTENT_LOGIN] = "login",
                                                         [INTENT_REFRESH] = "refresh",
                                                         [INTENT_LOGOUT] = "log out",
                                                         [INTENT_REDEEM] = "redeem",
                                                         [INTENT_WRONG_CODE] = "try a wrong code",
                                                         [INTENT_TRANSFER] = "transfer",
                                                         [INTENT_WALLET] = "look at wallet",
                                                         [INTENT_MY_REDEMPTIONS] = "list own redemptions",
                                                         [INTENT_CREATE] = "create",
                                                         [INTENT_PATCH] = "patch",
                                                         [INTENT_PAUSE] = "pause",
                                                         [INTENT_RESUME] = "resume",
                                                         [INTENT_END] = "end",
                                                         [INTENT_REPORT] = "report",
                                                         [INTENT_WINNERS] = "winners",
                                                         [INTENT_BATCH] = "make a batch",
                                                         [INTENT_CODES] = "take its codes",
                                                         [INTENT_TAKE_BACK] = "take a redemption back",
                                                         [INTENT_MERCHANT] = "make a merchant",
                                                         [INTENT_HOLD] = "hold",
                                                         [INTENT_CAPTURE] = "capture",
                                                         [INTENT_RELEASE] = "release",
                                                         [INTENT_REVERSE] = "reverse"};
    return names[kind];
}

static bool leans_to(enum world_leaning leaning) { return world.leaning == leaning; }

static bool chance(uint32_t percent) { return random_below(&world.random, 100) < percent; }

/* ---- what they want ---- */

static bool is_of_wallet(enum intent_kind kind) {
    return kind <= INTENT_LOGOUT || kind == INTENT_TRANSFER || kind == INTENT_WALLET || kind >= INTENT_MERCHANT;
}

static struct intent *new_intent(struct actor *actor, enum intent_kind kind) {
    CHECK(people.intent_count < INTENTS_MAX);
    struct intent *intent = link_take(sizeof *intent);
    *intent = (struct intent){.kind = kind, .actor = actor, .number = people.intent_count};
    intent->to = &processes[is_of_wallet(kind) ? PROCESS_WALLET : PROCESS_DISCOUNT];
    people.intents[people.intent_count++] = intent;
    return intent;
}

static void give_key(struct intent *intent, uint32_t percent) {
    if (!chance(leans_to(LEANS_TO_KEYS) ? 95 : percent)) return;
    snprintf(intent->key, sizeof intent->key, "key-%u-%u", intent->actor->index, intent->number);
}

#define REQUEST(intent, method_, ...)                                        \
    do {                                                                     \
        snprintf((intent)->method, sizeof(intent)->method, "%s", (method_)); \
        snprintf((intent)->target, sizeof(intent)->target, __VA_ARGS__);     \
    } while (0)
#define BODY(intent, ...) ((void)snprintf((intent)->body, sizeof(intent)->body, __VA_ARGS__))

static const char *id_text(struct id id) {
    static char text[ID_TEXT_BYTES + 1];
    id_format(id, text);
    text[ID_TEXT_BYTES] = '\0';
    return text;
}

static void send_round(struct intent *intent);

static struct intent *want_session(struct actor *actor) {
    struct intent *intent;
    if (!actor->is_registered) {
        intent = new_intent(actor, INTENT_REGISTER);
        REQUEST(intent, "POST", "/v1/users");
        const char *before = actor->phone[0] != '\0' ? ",\"phone\":\"" : "", *after = actor->phone[0] != '\0' ? "\"" : "";
        BODY(intent, "{\"username\":\"%s\",\"password\":\"password of %s\"%s%s%s}", actor->name, actor->name, before, actor->phone, after);
        give_key(intent, 70);
    } else {
        intent = new_intent(actor, INTENT_LOGIN);
        REQUEST(intent, "POST", "/v1/sessions");
        if (actor->is_operator) {
            BODY(intent, "{\"username\":\"" BOOT_ADMIN_NAME "\",\"password\":\"" BOOT_ADMIN_PASSWORD "\"}");
        } else {
            BODY(intent, "{\"username\":\"%s\",\"password\":\"password of %s\"}", actor->name, actor->name);
        }
    }
    return intent;
}

static struct campaign_plan *some_campaign(void) { return &people.campaigns[random_below(&world.random, people.campaign_count)]; }

/* As people type it: any case, spaces, hyphens, Persian digits. */
static void type_code(const char *code, char *typed, size_t capacity) {
    static const char *const persian[] = {"\u06f0", "\u06f1", "\u06f2", "\u06f3", "\u06f4",
                                          "\u06f5", "\u06f6", "\u06f7", "\u06f8", "\u06f9"};
    size_t size = 0;
    uint64_t manner = random_below(&world.random, 4);
    for (; *code != '\0' && size + 4 < capacity; code++) {
        if (manner == 1 && *code >= 'A' && *code <= 'Z') {
            typed[size++] = (char)(*code + 32);
        } else if (manner == 2 && *code >= '0' && *code <= '9') {
            size += (size_t)snprintf(typed + size, capacity - size, "%s", persian[*code - '0']);
        } else {
            if (manner == 3 && size == 3) typed[size++] = '-';
            typed[size++] = *code;
        }
    }
    typed[size] = '\0';
}

static void write_redemption(struct intent *intent, const char *phone) {
    char order[96];
    promotions_write_order(intent, order, sizeof order);
    BODY(intent, "{\"code\":\"%s\",\"phone\":\"%s\"%s}", intent->code, phone, order);
}

static struct intent *want_redemption(struct actor *actor, struct campaign_plan *campaign) {
    struct intent *intent = new_intent(actor, INTENT_REDEEM);
    intent->campaign = campaign;
    /* Mostly the own phone; sometimes one that somebody else uses too, or the one that a family shares. */
    bool is_shared = leans_to(LEANS_TO_CAMPAIGNS) || leans_to(LEANS_TO_KEYS);
    const struct actor *owner =
        chance(is_shared ? 40 : 80) ? actor : &people.actors[is_shared ? 0 : random_below(&world.random, people.user_count)];
    memcpy(intent->phone, owner->own_phone, sizeof intent->phone);
    const char *code = batches_some_code(campaign, &intent->has_unique_code);
    if (intent->has_unique_code)
        snprintf(intent->code, sizeof intent->code, "%s", code);
    else
        type_code(code, intent->code, sizeof intent->code);
    REQUEST(intent, "POST", "/v1/redemptions");
    promotions_choose_order(intent);
    write_redemption(intent, intent->phone);
    give_key(intent, 50);
    return intent;
}

static struct intent *want_transfer(struct actor *actor) {
    struct intent *intent = new_intent(actor, INTENT_TRANSFER);
    intent->recipient = &people.actors[random_below(&world.random, people.user_count)];
    if (intent->recipient == actor) intent->recipient = &people.actors[(actor->index + 1) % people.user_count];
    intent->amount = random_between(&world.random, 1, 1500);
    REQUEST(intent, "POST", "/v1/wallet/transfers");
    BODY(intent, "{\"to\":{\"username\":\"%s\"},\"amount\":%lld,\"currency\":\"IRT\",\"description\":\"intent %u\"}",
         intent->recipient->name, (long long)intent->amount, intent->number);
    give_key(intent, 70);
    return intent;
}

static struct intent *want_read(struct actor *actor, enum intent_kind kind, const char *target) {
    struct intent *intent = new_intent(actor, kind);
    REQUEST(intent, "GET", "%s", target);
    return intent;
}

static struct intent *want_as_user(struct actor *actor) {
    uint64_t what = random_below(&world.random, 100);
    bool waits_for_the_end = leans_to(LEANS_TO_TIMES) && actor->index % 2 == 1;
    if (what < 50 && !waits_for_the_end) return want_redemption(actor, some_campaign());
    if (what < 68 && people.user_count > 1) return want_transfer(actor);
    if (what < 80) return want_read(actor, INTENT_WALLET, "/v1/wallet");
    if (what < 88) return want_read(actor, INTENT_MY_REDEMPTIONS, "/v1/redemptions?limit=200");
    struct intent *intent;
    if (what < 92 && actor->wrong_codes < 5) {
        intent = new_intent(actor, INTENT_WRONG_CODE);
        REQUEST(intent, "POST", "/v1/redemptions");
        BODY(intent, "{\"code\":\"NOSUCHCODE%u\",\"phone\":\"%s\"}", intent->number, actor->own_phone);
        actor->wrong_codes++;
    } else if (what < 96) {
        intent = new_intent(actor, INTENT_REFRESH);
        REQUEST(intent, "POST", "/v1/sessions/refresh");
        BODY(intent, "{\"refresh_token\":\"%s\"}", actor->refresh_token);
    } else {
        intent = new_intent(actor, INTENT_LOGOUT);
        REQUEST(intent, "DELETE", "/v1/sessions/current");
    }
    return intent;
}

/* Who has nothing else to do, and has not got this one yet if there is such a one. */
static struct actor *somebody_for(struct campaign_plan *campaign) {
    uint32_t first = (uint32_t)random_below(&world.random, people.user_count);
    struct actor *found = NULL;
    for (uint32_t i = 0; i < people.user_count; i++) {
        struct actor *actor = &people.actors[(first + i) % people.user_count];
        if (actor->intent != NULL || actor->token_size == 0) continue;
        if (!judge_has_won(actor, campaign)) return actor;
        if (found == NULL) found = actor;
    }
    return found;
}

/* Those who come at the last moment, or just after it. */
static void come_late(void *context) {
    struct campaign_plan *campaign = context;
    struct actor *actor = somebody_for(campaign);
    people.latecomers--;
    if (people.is_over || actor == NULL) return;
    actor->intent = want_redemption(actor, campaign);
    send_round(actor->intent);
}

/* Some in the very moment, as Discount's clock has it: only what is already under way then is refused by nothing but the time. */
static void expect_latecomers(struct campaign_plan *campaign, int64_t ends_at_us) {
    int64_t ends_in_us = process_delay_until(&processes[PROCESS_DISCOUNT], ends_at_us);
    for (int i = 0; i < LATECOMERS; i++) {
        bool is_just_now = leans_to(LEANS_TO_TIMES) && i < JUST_NOW;
        int64_t early_us = is_just_now ? JUST_NOW_US : leans_to(LEANS_TO_TIMES) ? 0 : LATE_MOST_US;
        int64_t at_us = ends_in_us + random_between(&world.random, -early_us, is_just_now ? JUST_NOW_US : LATE_MOST_US);
        people.latecomers++;
        world_after(at_us > 0 ? at_us : 0, come_late, campaign);
    }
}

static struct intent *want_campaign(struct actor *actor, struct campaign_plan *campaign) {
    struct intent *intent = new_intent(actor, INTENT_CREATE);
    intent->campaign = campaign;
    char times[96] = "";
    if (chance(leans_to(LEANS_TO_TIMES) ? 10 : 20)) {
        char text[CLOCK_TEXT_BYTES];
        clock_format(PROCESS_EPOCH_US + world.now_us + random_between(&world.random, 0, 2000000), text);
        snprintf(times, sizeof times, ",\"starts_at\":\"%.*s\"", CLOCK_TEXT_BYTES, text);
    } else if (chance(leans_to(LEANS_TO_TIMES) ? 80 : 20)) {
        char text[CLOCK_TEXT_BYTES];
        int64_t ends_at_us =
            PROCESS_EPOCH_US + world.now_us + random_between(&world.random, LATE_MOST_US, chance(50) ? SOON_US : 10 * SOON_US);
        clock_format(ends_at_us, text);
        expect_latecomers(campaign, ends_at_us);
        snprintf(times, sizeof times, ",\"ends_at\":\"%.*s\"", CLOCK_TEXT_BYTES, text);
    }
    char rules[320];
    promotions_write_rules(campaign, rules, sizeof rules);
    REQUEST(intent, "POST", "/v1/campaigns");
    BODY(intent, "{\"name\":\"%s\",\"code\":\"%s\",\"max_redemptions\":%lld%s%s%s}", campaign->code, campaign->code,
         (long long)campaign->places, rules, campaign->takes_any_phone ? ",\"phone\":\"any\"" : "", times);
    give_key(intent, 80);
    campaign->is_wanted = true;
    return intent;
}

static enum intent_kind some_change(void) {
    static const struct {
        enum intent_kind kind;
        uint32_t usually, lively; /* of a hundred */
    } changes[] = {{INTENT_PATCH, 25, 40}, {INTENT_PAUSE, 20, 25},  {INTENT_RESUME, 25, 15},
                   {INTENT_END, 4, 1},     {INTENT_REPORT, 16, 14}, {INTENT_WINNERS, 10, 5}};
    uint64_t what = random_below(&world.random, 100);
    for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
        uint32_t share = leans_to(LEANS_TO_CAMPAIGNS) ? changes[i].lively : changes[i].usually;
        if (what < share) return changes[i].kind;
        what -= share;
    }
    return INTENT_REPORT;
}

static struct intent *want_change(struct actor *actor, struct campaign_plan *campaign, enum intent_kind kind) {
    struct intent *intent = new_intent(actor, kind);
    intent->campaign = campaign;
    const char *id = id_text(campaign->id);
    const char *action = kind == INTENT_PAUSE    ? "/pause"
                         : kind == INTENT_RESUME ? "/resume"
                         : kind == INTENT_END    ? "/end"
                         : kind == INTENT_REPORT ? "/report"
                         : kind == INTENT_PATCH  ? ""
                                                 : "/redemptions?limit=200";
    bool is_read = kind == INTENT_REPORT || kind == INTENT_WINNERS;
    REQUEST(intent, is_read ? "GET" : kind == INTENT_PATCH ? "PATCH" : "POST", "/v1/campaigns/%s%s", id, action);
    if (kind == INTENT_PATCH) {
        intent->amount = random_between(&world.random, 1, 2 * (int64_t)people.user_count);
        if (leans_to(LEANS_TO_CAMPAIGNS) && chance(75)) intent->amount = campaign->places += intent->amount;
        BODY(intent, "{\"max_redemptions\":%lld}", (long long)intent->amount);
        snprintf(intent->if_match, sizeof intent->if_match, "*");
    }
    if (intent->method[0] == 'P' && kind != INTENT_PATCH) give_key(intent, 50);
    return intent;
}

static struct intent *want_batch(struct actor *actor, struct campaign_plan *campaign) {
    struct intent *intent = new_intent(actor, batches_due(campaign));
    intent->campaign = campaign;
    batches_want(intent);
    return intent;
}

static struct intent *want_merchant(struct actor *actor) {
    struct intent *intent = new_intent(actor, INTENT_MERCHANT);
    REQUEST(intent, "POST", "/v1/merchants");
    BODY(intent, "{\"name\":\"" SHOP_NAME "\"}");
    return intent;
}

static struct intent *want_as_shop(struct actor *actor) {
    struct intent *intent = new_intent(actor, INTENT_HOLD);
    shop_want(intent);
    return intent;
}

static struct intent *want_as_operator(struct actor *actor) {
    if (shop_is_in_world() && !people.has_merchant) return want_merchant(actor);
    struct campaign_plan *campaign = some_campaign();
    struct campaign_plan *first = &people.campaigns[0];
    if (leans_to(LEANS_TO_CAMPAIGNS) && first->number != 0 && !first->was_paused) {
        first->was_paused = true;
        return want_change(actor, first, INTENT_PAUSE);
    }
    for (size_t i = 0; i < people.campaign_count; i++) {
        if (!people.campaigns[i].is_wanted) return want_campaign(actor, &people.campaigns[i]);
    }
    if (batches_due(campaign) != INTENT_KIND_COUNT) return want_batch(actor, campaign);
    if (promotions_are_in_world() && chance(BACK_PERCENT)) {
        struct intent *back = new_intent(actor, INTENT_TAKE_BACK);
        if (promotions_want_back(back)) return back;
        people.intent_count--; /* nobody has won yet */
    }
    return campaign->number == 0 ? want_campaign(actor, campaign) : want_change(actor, campaign, some_change());
}

/* ---- sending ---- */

static void think(struct actor *actor);

static void send_again(void *context) {
    struct intent *intent = context;
    intent->is_retry_due = false;
    if (intent->state == INTENT_OPEN) send_round(intent);
}

static void log_in_again(struct actor *actor) { actor->token_size = 0; }

static void end_intent(struct intent *intent, enum intent_state state) {
    intent->state = state;
    intent->done_us = world.now_us;
    struct actor *actor = intent->actor;
    if (actor->intent != intent) return;
    actor->intent = NULL;
    bool has_moved_money =
        state == INTENT_ANSWERED && intent->status < 300 && (intent->kind == INTENT_REDEEM || intent->kind == INTENT_TRANSFER);
    if (has_moved_money && !people.is_over && chance(LOOKS_PERCENT)) {
        actor->intent = want_read(actor, INTENT_WALLET, "/v1/wallet"); /* whether it is there */
        send_round(actor->intent);
    } else {
        think(actor);
    }
}

static void send_after(struct intent *intent, int64_t least_us, int64_t most_us) {
    if (intent->is_retry_due) return;
    intent->is_retry_due = true;
    world_after(least_us + random_between(&world.random, 1000, most_us), send_again, intent);
}

static void send_later(struct intent *intent, int64_t most_us) { send_after(intent, 0, most_us); }

static void retry(struct intent *intent) { send_later(intent, PAUSE_MOST_US); }

/* Who has typed too many wrong codes comes again when he is told to, and not before: it may be a quarter of an hour. */
static void retry_as_told(struct intent *intent, const struct link_answer *answer) {
    uint64_t wait_s = 0;
    if (answer->status == 429 && !result_is_ok(text_parse_unsigned(answer->retry_after, WAIT_MOST_S, &wait_s)))
        world_fail("a 429 says when to come again", "intent %u: %.*s", intent->number, (int)answer->retry_after.size,
                   answer->retry_after.data);
    int64_t wait_us = (int64_t)wait_s * CLOCK_SECOND_US;
    if (wait_us > 0 && world.now_us + wait_us > people.told_until_us) people.told_until_us = world.now_us + wait_us;
    send_after(intent, wait_us, PAUSE_MOST_US);
}

/* A transfer without a key that may have happened must not be sent again. */
static bool may_repeat_blindly(const struct intent *intent) { return intent->kind != INTENT_TRANSFER || intent->key[0] != '\0'; }

static void lose_patience(void *context) {
    struct send *send = context;
    struct intent *intent = send->intent;
    if (send->is_over || intent->state != INTENT_OPEN) return;
    send->is_over = true;
    world_note("actor %u waits no longer for intent %u", intent->actor->index, intent->number);
    if (!may_repeat_blindly(intent) || world_fault(FAULT_CLIENT_LEAVES)) {
        end_intent(intent, INTENT_ABANDONED);
    } else {
        retry(intent);
    }
}

static void on_answer(struct link_request *request, const struct link_answer *answer) {
    struct send *send = request->context;
    struct intent *intent = send->intent;
    if (send->is_over) return; /* nobody listens any more */
    send->is_over = true;
    if (!result_is_ok(answer->outcome)) {
        if (intent->state != INTENT_OPEN) return;
        if (may_repeat_blindly(intent)) {
            retry(intent);
        } else {
            end_intent(intent, INTENT_ABANDONED);
        }
        return;
    }
    if (send->is_repeat) judge_repeat(intent, answer);
    enum verdict verdict = judge_answer(intent, answer);
    if (intent->prompt_us != 0) judge_prompt(intent, verdict);
    if (intent->state != INTENT_OPEN) return;
    switch (verdict) {
    case VERDICT_DONE:
        if (world_fault(FAULT_CLIENT_REPEATS)) {
            send_later(intent, chance(leans_to(LEANS_TO_KEYS) ? 75 : 50) ? REPEAT_MOST_US : PAUSE_MOST_US);
            return;
        }
        end_intent(intent, INTENT_ANSWERED);
        return;
    case VERDICT_RELOGIN:
        log_in_again(intent->actor);
        end_intent(intent, INTENT_ABANDONED);
        return;
    case VERDICT_RETRY: retry_as_told(intent, answer); return;
    }
}

static bool needs_token(enum intent_kind kind) { return kind != INTENT_REGISTER && kind != INTENT_LOGIN && kind != INTENT_REFRESH; }

static void send_copy(struct intent *intent) {
    struct send *send = link_take(sizeof *send);
    *send = (struct send){.intent = intent, .is_repeat = intent->key[0] != '\0' && (intent->status == 200 || intent->status == 201)};
    const struct actor *actor = intent->actor;
    struct link_request request = {.to = intent->to,
                                   .method = text_of(intent->method),
                                   .target = text_of(intent->target),
                                   .body = text_of(intent->body),
                                   .headers = {.idempotency_key = text_of(intent->key), .if_match = text_of(intent->if_match)},
                                   .sender = actor->index,
                                   .on_answer = on_answer,
                                   .context = send};
    if (needs_token(intent->kind)) request.headers.bearer = (struct text){actor->token, actor->token_size};
    intent->sends++;
    (void)link_send(&request);
    int64_t patience_us = world_fault(FAULT_CLIENT_TIMEOUT) ? random_between(&world.random, 1000, SHORT_PATIENCE_US) : PATIENCE_US;
    world_after(patience_us, lose_patience, send);
}

/* Another body under the same key. */
static void send_other_body(struct intent *intent) {
    struct intent *other = new_intent(intent->actor, intent->kind);
    uint32_t number = other->number;
    *other = *intent;
    other->number = number;
    other->sends = other->refusals = other->rounds = 0;
    other->status = 0;
    other->reply = (struct text){NULL, 0};
    other->state = INTENT_ANSWERED; /* nobody waits for it */
    other->is_spoiled = intent->is_spoiled = true;
    other->has_other_body = true;
    other->other = intent;
    intent->other = other;
    if (intent->kind == INTENT_TRANSFER) {
        other->amount = intent->amount + 1;
        BODY(other, "{\"to\":{\"username\":\"%s\"},\"amount\":%lld,\"currency\":\"IRT\",\"description\":\"intent %u\"}",
             intent->recipient->name, (long long)other->amount, number);
    } else {
        write_redemption(other, "09190000000");
    }
    other->first_sent_us = world.now_us;
    send_copy(other);
}

static void send_round(struct intent *intent) {
    if (intent->first_sent_us == 0) {
        intent->first_sent_us = world.now_us;
        judge_begin(intent);
    }
    world_note("actor %u sends intent %u: %s %.60s", intent->actor->index, intent->number, intent_kind_name(intent->kind), intent->body);
    bool may_copy = intent->prompt_us == 0 && may_repeat_blindly(intent) && intent->kind != INTENT_REFRESH && intent->kind != INTENT_LOGIN;
    int copies = may_copy && chance(10) ? (int)random_between(&world.random, 2, COPIES_MOST) : 1;
    intent->rounds++;
    for (int i = 0; i < copies; i++) send_copy(intent);
    bool may_spoil = intent->key[0] != '\0' && (intent->kind == INTENT_TRANSFER || intent->kind == INTENT_REDEEM);
    if (may_spoil && !intent->is_spoiled && world_fault(FAULT_CLIENT_KEY)) send_other_body(intent);
}

/* ---- thinking ---- */

static void begin_next(void *context) {
    struct actor *actor = context;
    if (actor->intent != NULL) return;
    if (people.is_over || actor->actions_left == 0) return;
    if (actor->is_shop) shop_take_token(actor);
    bool is_old = actor->token_size > 0 && world.now_us - actor->token_at_us > TOKEN_OLD_US;
    if (!actor->is_registered || actor->token_size == 0 || is_old) {
        actor->intent = want_session(actor);
    } else {
        actor->actions_left--;
        actor->intent = actor->is_operator ? want_as_operator(actor) : actor->is_shop ? want_as_shop(actor) : want_as_user(actor);
    }
    send_round(actor->intent);
}

static void think(struct actor *actor) { world_after(random_between(&world.random, 0, THINK_MOST_US), begin_next, actor); }

/* ---- the world's people ---- */

static uint32_t at_most(uint32_t value, uint32_t most) { return most != 0 && value > most ? most : value; }

void actors_begin_world(void) {
    memset(&people, 0, sizeof people);
    /* Mostly few: what goes wrong with many goes wrong with few, and sooner. */
    uint64_t most = random_below(&world.random, 12) == 0 ? USERS_MAX : USERS_MAX / 4;
    people.user_count =
        at_most((uint32_t)random_between(&world.random, leans_to(LEANS_NOWHERE) ? 1 : 4, (int64_t)most), world.limits.users_max);
    bool has_plenty = leans_to(LEANS_TO_CAMPAIGNS) || leans_to(LEANS_TO_KEYS);
    people.campaign_count = (uint32_t)random_between(&world.random, has_plenty ? 2 : 1, CAMPAIGNS_MAX - 1);
    uint32_t actions = at_most((uint32_t)random_between(&world.random, leans_to(LEANS_NOWHERE) ? 2 : 4, leans_to(LEANS_NOWHERE) ? 12 : 8),
                               world.limits.actions_max);
    for (uint32_t i = 0; i < people.campaign_count; i++) {
        struct campaign_plan *campaign = &people.campaigns[i];
        snprintf(campaign->code, sizeof campaign->code, "GIFT%u%u", i, (unsigned)random_below(&world.random, 10000));
        campaign->amount = random_between(&world.random, 1, 5) * 1000;
        campaign->places = random_between(&world.random, 1, (int64_t)people.user_count);
        campaign->takes_any_phone = campaign->amount != 2000; /* four in five: otherwise no two users meet in one phone */
        if (leans_to(LEANS_TO_TIMES) || leans_to(LEANS_TO_DISKS)) campaign->places = people.user_count;
        if (has_plenty) campaign->places = 2 * people.user_count;
        promotions_choose(campaign);
    }
    people.actor_count = people.user_count + 1 + (shop_is_in_world() ? 1 : 0);
    for (uint32_t i = 0; i < people.actor_count; i++) {
        struct actor *actor = &people.actors[i];
        actor->index = i;
        actor->is_operator = i == people.user_count;
        actor->is_shop = i > people.user_count;
        actor->is_registered = actor->is_operator || actor->is_shop;
        uint32_t operator_actions = actions * (promotions_are_in_world() ? BACK_ACTIONS : 1) + people.campaign_count;
        actor->actions_left = actor->is_operator ? operator_actions : actor->is_shop ? SHOP_ACTIONS * actions : actions;
        snprintf(actor->name, sizeof actor->name, actor->is_operator ? BOOT_ADMIN_NAME : "user%u", i);
        snprintf(actor->own_phone, sizeof actor->own_phone, "0912000%04u", i);
        if (!actor->is_operator && !actor->is_shop && chance(leans_to(LEANS_TO_CAMPAIGNS) ? 20 : 50))
            memcpy(actor->phone, actor->own_phone, sizeof actor->phone);
        think(actor);
    }
}

void actors_come_again(void) {
    for (uint32_t i = 0; i < people.user_count; i++) {
        struct actor *actor = &people.actors[i];
        if (actor->intent != NULL || actor->token_size == 0 || !actor->is_registered) continue;
        actor->intent = want_redemption(actor, some_campaign());
        send_round(actor->intent);
    }
}

bool actors_are_quiet(void) {
    if (people.latecomers > 0 && !people.is_over) return false;
    for (uint32_t i = 0; i < people.actor_count; i++) {
        const struct actor *actor = &people.actors[i];
        if (actor->intent != NULL || actor->actions_left > 0) return false;
    }
    return true;
}

static void end_with(struct actor *actor, struct intent *intent) {
    actor->intent = intent;
    intent->prompt_us = PROMPT_US;
    send_round(intent);
}

static void begin_last(void *context) {
    struct intent *intent = context;
    send_round(intent);
}

/* Each at a time of its own, so that each finds services that sleep. */
static void end_later_with(struct actor *actor, struct intent *intent) {
    actor->intent = intent;
    intent->prompt_us = PROMPT_US;
    world_after(random_between(&world.random, 0, AT_ONCE_US), begin_last, intent);
}

void actors_end_with_login(void) {
    for (uint32_t i = 0; i <= people.user_count; i++) {
        struct actor *actor = &people.actors[i];
        if (actor->is_registered) end_with(actor, want_session(actor));
    }
}

void actors_end_with_campaign(void) {
    struct campaign_plan *last = &people.campaigns[people.campaign_count++];
    snprintf(last->code, sizeof last->code, "LAST");
    last->amount = 1000;
    last->takes_any_phone = true;
    last->places = (int64_t)people.user_count;
    last->kind = GIFT_OF_CREDIT;
    last->max_per_user = last->max_per_phone = 1;
    struct actor *last_operator = &people.actors[people.user_count];
    struct intent *intent = want_campaign(last_operator, last);
    char *times = strstr(intent->body, ",\"starts_at"); /* from now on, without an end */
    if (times == NULL) times = strstr(intent->body, ",\"ends_at");
    if (times != NULL) memcpy(times, "}", 2);
    end_with(last_operator, intent);
}

void actors_end_with_users(void) {
    for (uint32_t i = 0; i < people.user_count; i++) {
        struct actor *actor = &people.actors[i];
        if (!actor->is_registered) continue;
        struct intent *intent = want_redemption(actor, &people.campaigns[people.campaign_count - 1]);
        memcpy(intent->phone, actor->own_phone, sizeof intent->phone);
        intent->order_number = 0;
        BODY(intent, "{\"code\":\"LAST\",\"phone\":\"%s\"}", intent->phone);
        end_later_with(actor, intent);
    }
}
