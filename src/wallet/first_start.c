#include "wallet/first_start.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "service/currencies.h"
#include "service/service.h"
#include "wallet/data.h"
#include "wallet/tables.h"
#include "wallet/user_command.h"

struct result first_start_create(const struct first_start *start) {
    struct currency_options options;
    enum currency currency = CURRENCY_NONE;
    TRY(currency_options_read("walletd", &start->currencies, &options));
    TRY(currency_options_add(&options));
    TRY(currency_options_main("walletd", &options, CURRENCY_IRT, &currency));
    enum key_algorithm algorithm = strcmp(start->algorithm, "ES256") == 0 ? KEY_ES256 : KEY_RS256;
    return data_create(start->data, start->store_url, currency, algorithm, clock_now_us(&clock_system));
}

static struct result look_for_admin(const struct first_start *start, bool *ret_is_there) {
    struct data data;
    struct batch *batch = NULL;
    struct found_user found = {0};
    char folded[LIMIT_USERNAME_BYTES];
    struct text name;
    TRY(user_command_read_name(start->admin_name, folded, &name));
    TRY(data_at(start->data, start->store_url, NULL, &data));
    TRY(data_open(start->data, &data, BATCH_READ, &batch));
    ask_user_by_name(batch, name, user_found, &found);
    struct result outcome = batch_run(batch);
    batch_end_round(batch);
    batch_close(batch);
    *ret_is_there = found.is_found;
    return outcome;
}

static struct result make_admin(const struct first_start *start) {
    struct id id;
    const struct user_command admin = {
        .data = start->data, .store_url = start->store_url, .name = start->admin_name, .region = start->region, .is_admin = true};
    FILE *password = fopen(start->admin_password_file, "re");
    if (password == NULL) {
        fprintf(service_errors(), "--admin-password-file %s cannot be read: %s\n", start->admin_password_file, strerror(errno));
        return result_error(RESULT_IO);
    }
    struct result outcome = user_command_run(&admin, USER_ADD, password, &id);
    fclose(password);
    return outcome;
}

struct result first_start(const struct first_start *start) {
    struct stat status;
    bool is_there = false;
    if (stat(start->data, &status) != 0) TRY(first_start_create(start));
    if (start->admin_password_file == NULL) return result_ok();
    TRY(look_for_admin(start, &is_there));
    return is_there ? result_ok() : make_admin(start);
}
