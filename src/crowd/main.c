#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/param.h"
#include "crowd/crowd.h"

#define EXIT_BAD_CALL 2

static struct crowd_options options;

static const struct param params[] = {
    {.name = "wallet",
     .kind = PARAM_TEXT,
     .target = &options.wallet_url,
     .default_text = "http://127.0.0.1:8080",
     .sentence = "Base URL of walletd."},
    {.name = "discount",
     .kind = PARAM_TEXT,
     .target = &options.discount_url,
     .default_text = "http://127.0.0.1:8081",
     .sentence = "Base URL of discountd."},
    {.name = "code",
     .kind = PARAM_TEXT,
     .target = &options.code,
     .default_text = "NOWRUZ1404",
     .sentence = "The gift code that all of them know."},
    {.name = "users",
     .kind = PARAM_INTEGER,
     .target = &options.users,
     .default_text = "3000",
     .min = 1,
     .max = 1000000,
     .unit = "users",
     .sentence = "How many users come."},
    {.name = "connections",
     .kind = PARAM_INTEGER,
     .target = &options.connections,
     .default_text = "512",
     .min = 1,
     .max = 20000,
     .unit = "connections",
     .sentence = "How many requests are under way at once, each on its own keep-alive connection."},
    {.name = "rate",
     .kind = PARAM_INTEGER,
     .target = &options.rate_per_second,
     .default_text = "0",
     .min = 0,
     .max = 1000000,
     .unit = "requests per second",
     .sentence = "How fast the redemptions start; 0 fires all at one instant."},
    {.name = "places",
     .kind = PARAM_INTEGER,
     .target = &options.places,
     .default_text = "1000",
     .min = 1,
     .max = 10000000,
     .unit = "places",
     .sentence = "How many places the campaign has."},
    {.name = "credit",
     .kind = PARAM_INTEGER,
     .target = &options.credit,
     .default_text = "1000000",
     .min = 1,
     .max = 9007199254740991,
     .unit = "smallest unit",
     .sentence = "What one place is worth."},
    {.name = "admin-name",
     .kind = PARAM_TEXT,
     .target = &options.admin_name,
     .default_text = "admin",
     .sentence = "Username of the operator, for the report and the list of winners."},
    {.name = "admin-password-file",
     .kind = PARAM_TEXT,
     .target = &options.admin_password_file,
     .sentence = "File with the operator's password."},
    {.name = "give-up-after",
     .kind = PARAM_INTEGER,
     .target = &options.give_up_after_s,
     .default_text = "300",
     .min = 1,
     .max = 86400,
     .unit = "s",
     .sentence = "How long one phase may last."},
};

/* Names, phones and keys of this run's users: random enough that runs don't meet in one database. */
static struct result make_users(struct crowd *crowd) {
    size_t count = (size_t)options.users;
    crowd->users = calloc(count, sizeof(*crowd->users));
    crowd->heap = calloc(count, sizeof(struct user *));
    if (crowd->users == NULL || crowd->heap == NULL) return result_error(RESULT_FULL);
    uint8_t secret[24];
    uint64_t first_phone = 0;
    crypto_random(secret, sizeof(secret));
    crypto_random(&first_phone, sizeof(first_phone));
    crypto_base64url(secret, sizeof(secret), crowd->password);
    crypto_random(secret, 4);
    snprintf(crowd->run, sizeof(crowd->run), "%02x%02x%02x%02x", secret[0], secret[1], secret[2], secret[3]);
    struct id_source ids;
    id_source_init_system(&ids);
    for (size_t i = 0; i < count; i++) {
        struct user *user = &crowd->users[i];
        char phone[PHONE_BYTES_MAX + 1];
        *user = (struct user){.index = i, .crowd = crowd, .balance = -1};
        snprintf(user->username, sizeof(user->username), "crowd-%s-%zu", crowd->run, i);
        int size = snprintf(phone, sizeof(phone), "+989%09llu", (unsigned long long)((first_phone + i) % 1000000000u));
        CHECK(size > 0 && size <= PHONE_BYTES_MAX);
        memcpy(user->phone.e164, phone, (size_t)size);
        user->phone.size = (uint8_t)size;
        id_format(id_make(&ids, clock_now_us(crowd->clock)), user->idempotency_key);
    }
    return result_ok();
}

static struct result come_and_redeem(struct crowd *crowd) {
    const struct phase *before[] = {&phase_register, &phase_login, &phase_connect};
    for (size_t i = 0; i < ARRAY_COUNT(before); i++) TRY(crowd_run_phase(crowd, before[i]));
    crowd->fired_us = clock_monotonic_us(crowd->clock);
    struct result redeemed = crowd_run_phase(crowd, &phase_redeem);
    crowd->finished_us = clock_monotonic_us(crowd->clock);
    TRY(redeemed);
    const struct phase *after[] = {&phase_follow, &phase_balance, &phase_history};
    for (size_t i = 0; i < ARRAY_COUNT(after); i++) TRY(crowd_run_phase(crowd, after[i]));
    return result_ok();
}

static int run(struct crowd *crowd) {
    struct result found = crowd_login_admin(crowd);
    if (result_is_ok(found)) found = crowd_find_campaign(crowd);
    if (!result_is_ok(found)) {
        fprintf(stderr, "crowd: the campaign of code %s cannot be found: %s\n", options.code, result_name(found));
        return EXIT_FAILURE;
    }
    struct result redeemed = come_and_redeem(crowd);
    crowd_print_answers(crowd, stdout);
    if (!result_is_ok(redeemed)) {
        fprintf(stderr, "crowd: phase \"%s\": %s: %zu of %zu users done, %zu failed\n", crowd->phase->name, result_name(redeemed),
                crowd->done_count, (size_t)options.users, crowd->failed_count);
        return EXIT_FAILURE;
    }
    return crowd_check(crowd, stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void free_crowd(struct crowd *crowd) {
    for (size_t i = 0; crowd->users != NULL && i < (size_t)options.users; i++) free(crowd->users[i].token);
    free(crowd->users);
    free(crowd->heap);
    free(crowd->admin_token);
    free(crowd->tally.latencies_us);
    http_client_free(crowd->client);
}

int main(int argc, char **argv) {
    crypto_init();
    log_init("crowd", LOG_WARN);
    if (param_wants_help(argc, argv)) {
        printf("crowd - the flash crowd: registers, logs in, fires, checks, prints\n\n");
        param_help("crowd", params, ARRAY_COUNT(params), stdout);
        return EXIT_SUCCESS;
    }
    size_t positional_count = 0;
    struct result parsed = param_parse("crowd", params, ARRAY_COUNT(params), argc, argv, NULL, 0, &positional_count, stderr);
    if (!result_is_ok(parsed)) return EXIT_BAD_CALL;
    struct crowd crowd = {.options = &options, .clock = &clock_system};
    struct result made = make_users(&crowd);
    if (result_is_ok(made)) made = http_client_create((size_t)options.connections, &crowd.client);
    int exit_code = EXIT_FAILURE;
    if (result_is_ok(made)) {
        exit_code = run(&crowd);
    } else {
        fprintf(stderr, "crowd: cannot start: %s\n", result_name(made));
    }
    free_crowd(&crowd);
    return exit_code;
}
