#include "service/currencies.h"

#include <stdio.h>
#include <string.h>

#include "service/service.h"

static struct result refuse(const char *program, const char *item, const char *why) {
    fprintf(service_errors(), "%s: --currency %s: %s\n", program, item, why);
    return result_error(RESULT_INVALID);
}

static struct result read_main(const char *program, const char *item, struct currency_options *options) {
    if (options->main[0] != '\0' && strcmp(options->main, item) != 0)
        return refuse(program, item, "there is one main currency, and another one was named");
    memcpy(options->main, item, sizeof options->main);
    return result_ok();
}

static struct result read_added(const char *program, const char *item, uint64_t exponent, struct currency_options *options) {
    struct currency_option option = {.exponent = (int64_t)exponent};
    memcpy(option.code, item, CURRENCY_CODE_BYTES);
    enum currency known = CURRENCY_NONE;
    bool is_known = result_is_ok(currency_parse(text_of(option.code), &known)) && known < CURRENCY_FIRST_ADDED;
    if (is_known && option.exponent != currency_exponent(known))
        return refuse(program, item, "this currency is always known, with the exponent 0");
    for (size_t i = 0; i < options->count; i++) {
        if (strcmp(options->added[i].code, option.code) != 0) continue;
        return options->added[i].exponent == option.exponent ? result_ok()
                                                             : refuse(program, item, "it was named before with another exponent");
    }
    options->added[options->count++] = option;
    return result_ok();
}

struct result currency_options_read(const char *program, const struct param_list *given, struct currency_options *ret_options) {
    *ret_options = (struct currency_options){.count = 0};
    for (size_t i = 0; i < given->count; i++) {
        const char *item = given->items[i];
        size_t size = strlen(item);
        uint64_t exponent = 0;
        bool is_code = size >= CURRENCY_CODE_BYTES && currency_is_code((struct text){item, CURRENCY_CODE_BYTES});
        bool is_main = is_code && size == CURRENCY_CODE_BYTES;
        struct text behind = is_code && !is_main ? text_of(item + CURRENCY_CODE_BYTES + 1) : (struct text){"", 0};
        if (is_main) {
            TRY(read_main(program, item, ret_options));
        } else if (is_code && item[CURRENCY_CODE_BYTES] == ':' &&
                   result_is_ok(text_parse_unsigned(behind, CURRENCY_EXPONENT_MAX, &exponent))) {
            TRY(read_added(program, item, exponent, ret_options));
        } else {
            return refuse(program, item, "must be CODE or CODE:EXPONENT, with three capital letters, and 0 to 8 digits behind the point");
        }
    }
    return result_ok();
}

struct result currency_options_add(const struct currency_options *options) {
    for (size_t i = 0; i < options->count; i++) {
        enum currency currency;
        TRY(currency_add(text_of(options->added[i].code), options->added[i].exponent, &currency));
    }
    return result_ok();
}

struct result currency_options_main(const char *program, const struct currency_options *options, enum currency otherwise,
                                    enum currency *ret_currency) {
    *ret_currency = otherwise;
    if (options->main[0] == '\0' || result_is_ok(currency_parse(text_of(options->main), ret_currency))) return result_ok();
    return refuse(program, options->main, "it is not known: name it with its exponent, too");
}
