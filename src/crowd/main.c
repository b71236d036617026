#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/crypto.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/param.h"
#include "crowd/crowd.h"

#define EXIT_BAD_CALL 2
#define FILES_BESIDES 64u /* connections: the standard ones, epoll, what curl needs */

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
     .sentence = "The gift code that all of them know; with --codes unique, of the campaign that theirs are of."},
    {.name = "codes",
     .kind = PARAM_CHOICE,
     .target = &options.codes,
     .choices = "shared|unique",
     .default_text = "shared",
     .sentence = "Whether all type the shared code, or each one its own, out of a batch that is made and exported first."},
    {.name = "orders",
     .kind = PARAM_FLAG,
     .target = &options.has_orders,
     .default_text = "no",
     .sentence =
         "Each redemption names an order of its own, of 1 to 16 times --credit; with --create the campaign takes 12.5 % off, --credit "
         "at most."},
    {.name = "create",
     .kind = PARAM_FLAG,
     .target = &options.is_creating,
     .default_text = "no",
     .sentence = "Makes a campaign of its own first, whose code is --code and this run's number."},
    {.name = "watch",
     .kind = PARAM_FLAG,
     .target = &options.is_watching,
     .default_text = "no",
     .sentence = "Draws places left, claims, credits and refusals while they redeem: one line that moves, or a line for each change when "
                 "it is no terminal."},
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
    {.name = "ca",
     .kind = PARAM_TEXT,
     .target = &options.ca,
     .optional = true,
     .unit = "FILE",
     .sentence = "Authorities (PEM) that may vouch for https://…, not the system's."},
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
    if (crowd->users == NULL) return result_error(RESULT_FULL);
    TRY(heap_init(&crowd->heap, count));
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
        *user = (struct user){.index = i, .crowd = crowd, .balance = -1, .discount = -1, .final_amount = -1};
        snprintf(user->username, sizeof(user->username), "crowd-%s-%u", crowd->run, (unsigned)i);
        int size = snprintf(phone, sizeof(phone), "+989%09llu", (unsigned long long)((first_phone + i) % 1000000000u));
        CHECK(size > 0 && size <= PHONE_BYTES_MAX);
        memcpy(user->phone.e164, phone, (size_t)size);
        user->phone.size = (uint8_t)size;
        id_format(id_make(&ids, clock_now_us(crowd->clock)), user->idempotency_key);
    }
    return result_ok();
}

/* Whether all users got through the phase; says so when not. */
static bool run_phase(struct crowd *crowd, const struct phase *phase) {
    struct result done = crowd_run_phase(crowd, phase);
    if (result_is_ok(done)) return true;
    fprintf(stderr, "crowd: phase \"%s\": %s: %zu of %zu users done, %zu of them failed\n", phase->name, result_name(done),
            crowd->done_count, (size_t)options.users, crowd->failed_count);
    return false;
}

static bool has_unique_codes(void) { return strcmp(options.codes, "unique") == 0; }

/* What goes wrong from the first redemption on does not end the run: the check is then wanted most. */
static int come_and_redeem(struct crowd *crowd) {
    const struct phase *before[] = {&phase_register, &phase_login, &phase_connect};
    for (size_t i = 0; i < ARRAY_COUNT(before); i++) {
        if (!run_phase(crowd, before[i])) return EXIT_FAILURE;
    }
    crowd->fired_us = clock_monotonic_us(crowd->clock);
    bool is_right = run_phase(crowd, &phase_redeem);
    crowd->finished_us = clock_monotonic_us(crowd->clock);
    const struct phase *after[] = {&phase_follow, &phase_balance, &phase_history};
    for (size_t i = 0; i < ARRAY_COUNT(after); i++) {
        if (!run_phase(crowd, after[i])) is_right = false;
    }
    if (has_unique_codes() && !run_phase(crowd, &phase_look_up)) is_right = false;
    crowd_print_answers(crowd, stdout);
    if (crowd_check(crowd, stdout) > 0) is_right = false;
    return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct crowd *crowd) {
    struct result found = crowd_login_admin(crowd);
    if (!result_is_ok(found)) {
        fprintf(stderr, "crowd: the operator %s cannot log in: %s\n", options.admin_name, result_name(found));
        return EXIT_FAILURE;
    }
    if (options.is_creating) {
        static char code[LIMIT_CODE_BYTES + 1];
        snprintf(code, sizeof(code), "%.*s%s", (int)(LIMIT_CODE_BYTES - sizeof(crowd->run)), options.code, crowd->run);
        options.code = code;
        found = crowd_create_campaign(crowd);
    }
    if (!result_is_ok(found)) {
        fprintf(stderr, "crowd: the campaign could not be made: %s\n", result_name(found));
        return EXIT_FAILURE;
    }
    found = crowd_find_campaign(crowd);
    if (!result_is_ok(found)) {
        fprintf(stderr, "crowd: the campaign of code %s cannot be found: %s\n", options.code, result_name(found));
        return EXIT_FAILURE;
    }
    if (crowd->terms.is_off_order && !options.has_orders) {
        fprintf(stderr, "crowd: the campaign of code %s is of discounts on orders: it needs --orders\n", options.code);
        return EXIT_FAILURE;
    }
    if (has_unique_codes()) {
        found = crowd_make_codes(crowd);
        if (!result_is_ok(found)) {
            fprintf(stderr, "crowd: the batch of codes could not be made and taken away: %s\n", result_name(found));
            return EXIT_FAILURE;
        }
    }
    return come_and_redeem(crowd);
}

/* What goes into a URL or a JSON text as it is must fit there. */
static bool options_are_usable(void) {
    if (strlen(options.wallet_url) > CROWD_BASE_BYTES || strlen(options.discount_url) > CROWD_BASE_BYTES) {
        fprintf(stderr, "crowd: --wallet, --discount: at most %d bytes\n", CROWD_BASE_BYTES);
        return false;
    }
    if (strlen(options.code) > LIMIT_CODE_BYTES || !text_is_printable_ascii(text_of(options.code)) ||
        strpbrk(options.code, "\"\\") != NULL) {
        fprintf(stderr, "crowd: --code: at most %u printable ASCII characters without quotes and backslashes\n", LIMIT_CODE_BYTES);
        return false;
    }
    return true;
}

/* Each connection is a file: as many as the system lets this program have. */
static void allow_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= (rlim_t)options.connections + FILES_BESIDES) return;
    fprintf(stderr, "crowd: only %llu files may be open: fewer connections than asked for\n", (unsigned long long)limit.rlim_cur);
    options.connections = limit.rlim_cur > 2 * FILES_BESIDES ? (int64_t)(limit.rlim_cur - FILES_BESIDES) : (int64_t)FILES_BESIDES;
}

static void free_crowd(struct crowd *crowd) {
    for (size_t i = 0; crowd->users != NULL && i < (size_t)options.users; i++) free(crowd->users[i].token);
    free(crowd->users);
    heap_free(&crowd->heap);
    free(crowd->admin_token);
    tally_free(&crowd->tally);
    http_client_free(crowd->client);
}

int main(int argc, char **argv) {
    descriptors_fill();
    crypto_init();
    log_init("crowd", LOG_WARN);
    if (param_wants_help(argc, argv)) {
        printf("crowd - the flash crowd: registers, logs in, fires, checks, prints\n\n");
        param_help("crowd", params, ARRAY_COUNT(params), stdout);
        return EXIT_SUCCESS;
    }
    size_t positional_count = 0;
    struct result parsed = param_parse("crowd", params, ARRAY_COUNT(params), NULL, argc, argv, NULL, 0, &positional_count, stderr);
    if (!result_is_ok(parsed) || !options_are_usable()) return EXIT_BAD_CALL;
    allow_files();
    http_client_use_tls(&(struct http_tls){.ca = options.ca});
    struct crowd crowd = {.options = &options, .clock = &clock_system};
    struct result made = make_users(&crowd);
    if (result_is_ok(made)) made = http_client_create((size_t)options.connections + (options.is_watching ? 1 : 0), &crowd.client);
    int exit_code = EXIT_FAILURE;
    if (result_is_ok(made)) {
        exit_code = run(&crowd);
    } else {
        fprintf(stderr, "crowd: cannot start: %s\n", result_name(made));
    }
    free_crowd(&crowd);
    return exit_code;
}
