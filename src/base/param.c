#include "base/param.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define VARIABLE_BYTES 128
#define PLACE_BYTES    160

/* Where a value comes from; a stronger origin is never replaced by a weaker one. */
enum origin { ORIGIN_NONE, ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_FLAG };

/* What one parameter was given, before it is checked. */
struct setting {
    enum origin origin;
    const char *values[PARAM_LIST_MAX];
    size_t count;
    char place[PLACE_BYTES]; /* for messages: "--listen", "WALLETD_LISTEN", "file:3" */
};

struct parser {
    const char *program;
    const struct param *params;
    size_t count;
    const struct param_table *others; /* NULL: none */
    struct setting settings[PARAM_COUNT_MAX];
    struct setting config; /* of the parameter that every program has */
    FILE *errors;
    bool failed;
};

static const char *config_path;
static const struct param config_param = {
    .name = "config",
    .kind = PARAM_TEXT,
    .target = &config_path,
    .optional = true,
    .unit = "FILE",
    .sentence = "Configuration file: one `name = value` on each line; a line that begins with # is a comment",
};

/* Text from the environment and from files that targets point into; as old as the process, so that nobody has to free it. */
struct kept {
    struct kept *next;
    char text[];
};
static struct kept *kept_texts;

/* NULL: out of memory. */
static char *keep_room(size_t size) {
    struct kept *kept = malloc(sizeof(*kept) + size);
    if (kept == NULL) return NULL;
    kept->next = kept_texts;
    kept_texts = kept;
    return kept->text;
}

static char *keep_text(const char *text) {
    size_t size = strlen(text) + 1;
    char *kept = keep_room(size);
    return kept == NULL ? NULL : memcpy(kept, text, size);
}

static void __attribute__((format(printf, 3, 4))) report(struct parser *parser, const char *place, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(parser->errors, "%s: %s: ", parser->program, place);
    vfprintf(parser->errors, format, arguments);
    fputc('\n', parser->errors);
    va_end(arguments);
    parser->failed = true;
}

static const struct param *find_param(struct parser *parser, const char *name, size_t name_size, struct setting **ret_setting) {
    for (size_t i = 0; i < parser->count; i++) {
        const char *known = parser->params[i].name;
        if (strlen(known) == name_size && memcmp(known, name, name_size) == 0) {
            *ret_setting = &parser->settings[i];
            return &parser->params[i];
        }
    }
    *ret_setting = &parser->config;
    return strlen(config_param.name) == name_size && memcmp(config_param.name, name, name_size) == 0 ? &config_param : NULL;
}

static void add_value(struct parser *parser, const struct param *param, struct setting *setting, enum origin origin, const char *place,
                      const char *value) {
    if (setting->origin > origin) return;
    setting->origin = origin;
    snprintf(setting->place, sizeof(setting->place), "%s", place);
    size_t limit = param->kind == PARAM_LIST ? PARAM_LIST_MAX : 1;
    if (setting->count == limit) {
        report(parser, place, limit == 1 ? "given more than once" : "given more than %zu times", limit);
        return;
    }
    setting->values[setting->count++] = value;
}

static char *trim(char *text) {
    while (*text == ' ' || *text == '\t') text++;
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t' || text[size - 1] == '\r')) text[--size] = '\0';
    return text;
}

/* Splits `values` in place at commas. */
static void add_values(struct parser *parser, const struct param *param, struct setting *setting, enum origin origin, const char *place,
                       char *values) {
    if (param->kind != PARAM_LIST) {
        add_value(parser, param, setting, origin, place, values);
        return;
    }
    for (char *value = values; value != NULL;) {
        char *comma = strchr(value, ',');
        if (comma != NULL) *comma = '\0';
        add_value(parser, param, setting, origin, place, trim(value));
        value = comma == NULL ? NULL : comma + 1;
    }
}

/* Returns how many arguments were used. */
static int take_flag(struct parser *parser, int argc, char **argv, int index) {
    const char *name = argv[index] + 2;
    const char *equals = strchr(name, '=');
    size_t name_size = equals == NULL ? strlen(name) : (size_t)(equals - name);
    char place[PLACE_BYTES];
    snprintf(place, sizeof(place), "--%.*s", (int)(name_size < 64 ? name_size : 64), name);
    struct setting *setting;
    const struct param *param = find_param(parser, name, name_size, &setting);
    if (param == NULL) {
        report(parser, place, "unknown flag; --help names all");
        return 1;
    }
    if (equals != NULL) {
        add_value(parser, param, setting, ORIGIN_FLAG, place, equals + 1);
        return 1;
    }
    if (param->kind == PARAM_FLAG) {
        add_value(parser, param, setting, ORIGIN_FLAG, place, "yes");
        return 1;
    }
    if (index + 1 >= argc) {
        report(parser, place, "needs a value");
        return 1;
    }
    add_value(parser, param, setting, ORIGIN_FLAG, place, argv[index + 1]);
    return 2;
}

static void read_arguments(struct parser *parser, int argc, char **argv, const char **positional, size_t positional_max,
                           size_t *ret_positional_count) {
    bool flags_ended = false;
    *ret_positional_count = 0;
    for (int i = 1; i < argc;) {
        if (!flags_ended && strcmp(argv[i], "--") == 0) {
            flags_ended = true;
            i++;
        } else if (!flags_ended && strncmp(argv[i], "--", 2) == 0) {
            i += take_flag(parser, argc, argv, i);
        } else if (!flags_ended && argv[i][0] == '-' && argv[i][1] != '\0') {
            report(parser, argv[i++], "unknown flag; --help names all");
        } else if (*ret_positional_count == positional_max) {
            report(parser, argv[i++], "unexpected argument");
        } else {
            positional[(*ret_positional_count)++] = argv[i++];
        }
    }
}

static char upper_case(char letter) { return letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A') : letter; }

static void variable_name(const char *program, const char *name, char ret_variable[VARIABLE_BYTES]) {
    int size = snprintf(ret_variable, VARIABLE_BYTES, "%s_%s", program, name);
    CHECK(size > 0 && size < VARIABLE_BYTES);
    for (char *letter = ret_variable; *letter != '\0'; letter++) *letter = *letter == '-' ? '_' : upper_case(*letter);
}

static void read_variable(struct parser *parser, const struct param *param, struct setting *setting) {
    char variable[VARIABLE_BYTES];
    variable_name(parser->program, param->name, variable);
    const char *value = getenv(variable);
    if (value == NULL || value[0] == '\0' || setting->origin > ORIGIN_ENVIRONMENT) return;
    char *kept = keep_text(value);
    if (kept == NULL) {
        report(parser, variable, "out of memory");
        return;
    }
    add_values(parser, param, setting, ORIGIN_ENVIRONMENT, variable, kept);
}

static bool is_of_another_command(const struct parser *parser, const char *name) {
    for (const struct param_table *table = parser->others; table != NULL && table->params != NULL; table++) {
        for (size_t i = 0; i < table->count; i++) {
            if (strcmp(table->params[i].name, name) == 0) return true;
        }
    }
    return false;
}

static void read_line(struct parser *parser, const char *place, char *line) {
    line = trim(line);
    if (line[0] == '\0' || line[0] == '#') return;
    char *equals = strchr(line, '=');
    if (equals == NULL) {
        report(parser, place, "not of the form `name = value`");
        return;
    }
    *equals = '\0';
    const char *name = trim(line);
    struct setting *setting;
    const struct param *param = find_param(parser, name, strlen(name), &setting);
    if (param == NULL && is_of_another_command(parser, name)) return;
    if (param == NULL || param == &config_param) {
        report(parser, place, "unknown parameter `%s`", name);
        return;
    }
    add_values(parser, param, setting, ORIGIN_FILE, place, trim(equals + 1));
}

static void close_file(FILE **file) {
    if (*file != NULL) fclose(*file);
}

/* The file's text, kept; NULL after a fault was reported. */
static char *load_file(struct parser *parser, const char *path) {
    FILE *file __attribute__((cleanup(close_file))) = fopen(path, "re");
    if (file == NULL) {
        report(parser, path, "cannot be opened: %s", strerror(errno));
        return NULL;
    }
    char *text = keep_room(PARAM_FILE_BYTES_MAX + 1);
    if (text == NULL) {
        report(parser, path, "out of memory");
        return NULL;
    }
    size_t size = fread(text, 1, PARAM_FILE_BYTES_MAX + 1, file);
    if (ferror(file)) {
        report(parser, path, "cannot be read");
        return NULL;
    }
    if (size > PARAM_FILE_BYTES_MAX) {
        report(parser, path, "larger than %u bytes", PARAM_FILE_BYTES_MAX);
        return NULL;
    }
    text[size] = '\0';
    if (strlen(text) != size) {
        report(parser, path, "contains a NUL byte");
        return NULL;
    }
    return text;
}

static void read_file(struct parser *parser, const char *path) {
    char *line = load_file(parser, path);
    for (unsigned number = 1; line != NULL; number++) {
        char place[PLACE_BYTES];
        snprintf(place, sizeof(place), "%.120s:%u", path, number);
        char *end = strchr(line, '\n');
        if (end != NULL) *end = '\0';
        read_line(parser, place, line);
        line = end == NULL ? NULL : end + 1;
    }
}

static bool store_flag(const char *value, bool *target) {
    bool is_yes = strcmp(value, "yes") == 0;
    if (!is_yes && strcmp(value, "no") != 0) return false;
    *target = is_yes;
    return true;
}

static bool store_integer(const struct param *param, const char *value) {
    bool is_negative = value[0] == '-';
    uint64_t magnitude;
    if (!result_is_ok(text_parse_unsigned(text_of(value + (is_negative ? 1 : 0)), INT64_MAX, &magnitude))) return false;
    int64_t integer = is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
    if (integer < param->min || integer > param->max) return false;
    *(int64_t *)param->target = integer;
    return true;
}

static bool is_choice(const char *choices, const char *value) {
    size_t size = strlen(value);
    for (const char *choice = choices; choice != NULL;) {
        const char *bar = strchr(choice, '|');
        size_t choice_size = bar == NULL ? strlen(choice) : (size_t)(bar - choice);
        if (choice_size == size && memcmp(choice, value, size) == 0) return true;
        choice = bar == NULL ? NULL : bar + 1;
    }
    return false;
}

static bool store_address(const char *value, struct param_address *target) {
    const char *colon = strrchr(value, ':');
    if (colon == NULL) return false;
    struct text host = {value, (size_t)(colon - value)};
    bool is_bracketed = host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
    if (is_bracketed) host = (struct text){host.data + 1, host.size - 2};
    struct param_address address = {.port = 0};
    if (host.size == 0 || host.size >= sizeof(address.host)) return false;
    memcpy(address.host, host.data, host.size);
    uint64_t port;
    if (!result_is_ok(text_parse_unsigned(text_of(colon + 1), UINT16_MAX, &port))) return false;
    address.port = (uint16_t)port;
    if (is_bracketed) {
        struct in6_addr v6;
        if (inet_pton(AF_INET6, address.host, &v6) != 1) return false;
        address.is_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
    } else {
        struct in_addr v4;
        if (inet_pton(AF_INET, address.host, &v4) != 1) return false;
        address.is_loopback = (ntohl(v4.s_addr) >> 24) == IN_LOOPBACKNET;
    }
    *target = address;
    return true;
}

/* RFC 3986, as far as it is needed: nothing in it has to be escaped in JSON, HTML or a header. */
static bool store_url(const char *value, const char **target) {
    struct text url = text_of(value);
    size_t scheme_size = text_starts_with(url, TEXT("http://")) ? 7 : text_starts_with(url, TEXT("https://")) ? 8 : 0;
    while (url.size > 0 && url.data[url.size - 1] == '/') url.size--;
    if (scheme_size == 0 || url.size <= scheme_size || url.data[scheme_size] == '/') return false;
    for (size_t i = 0; i < url.size; i++) {
        char byte = url.data[i];
        bool is_word = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!is_word && strchr("-._~:/[]%", byte) == NULL) return false;
    }
    char *kept = keep_text(value);
    CHECK(kept != NULL);
    kept[url.size] = '\0';
    *target = kept;
    return true;
}

static bool store_value(const struct param *param, const struct setting *setting) {
    const char *value = setting->values[0];
    switch (param->kind) {
    case PARAM_FLAG: return store_flag(value, param->target);
    case PARAM_INTEGER: return store_integer(param, value);
    case PARAM_CHOICE:
        if (!is_choice(param->choices, value)) return false;
        *(const char **)param->target = value;
        return true;
    case PARAM_TEXT:
        if (value[0] == '\0') return false;
        *(const char **)param->target = value;
        return true;
    case PARAM_LIST: {
        struct param_list *list = param->target;
        list->count = 0;
        for (size_t i = 0; i < setting->count; i++) {
            if (setting->values[i][0] == '\0') return false;
            list->items[list->count++] = setting->values[i];
        }
        return true;
    }
    case PARAM_ADDRESS: return store_address(value, param->target);
    case PARAM_URL: return store_url(value, param->target);
    case PARAM_RANGES: return result_is_ok(address_set_parse(text_of(value), param->target));
    }
    return false;
}

/* What a value may be, as a phrase: "must be …". */
static void print_rule(const struct param *param, FILE *out) {
    switch (param->kind) {
    case PARAM_FLAG: fputs("yes or no", out); return;
    case PARAM_INTEGER: {
        const char *unit = param->unit == NULL ? "" : param->unit;
        fprintf(out, "a whole number from %" PRId64 " to %" PRId64 "%s%s", param->min, param->max, unit[0] == '\0' ? "" : " ", unit);
        return;
    }
    case PARAM_CHOICE: fprintf(out, "one of %s", param->choices); return;
    case PARAM_TEXT:
    case PARAM_LIST: fputs("not empty", out); return;
    case PARAM_ADDRESS: fputs("ADDR:PORT with a numeric address, or [ADDR]:PORT for IPv6, port 0 to 65535", out); return;
    case PARAM_URL: fputs("a URL that begins with http:// or https://, without a query", out); return;
    case PARAM_RANGES:
        fprintf(out, "numeric addresses or ranges like 10.0.0.0/8, separated by commas, at most %u", ADDRESS_RANGES_MAX);
        return;
    }
}

/* A flag that nobody raised is down. */
static const char *default_text(const struct param *param) {
    return param->default_text == NULL && param->kind == PARAM_FLAG ? "no" : param->default_text;
}

static void finish_param(struct parser *parser, const struct param *param, struct setting *setting) {
    if (setting->origin == ORIGIN_NONE && default_text(param) != NULL) {
        char *kept = keep_text(default_text(param));
        CHECK(kept != NULL);
        add_values(parser, param, setting, ORIGIN_DEFAULT, "default", kept);
    }
    if (setting->origin == ORIGIN_NONE) {
        char place[PLACE_BYTES];
        snprintf(place, sizeof(place), "--%s", param->name);
        if (!param->optional) report(parser, place, "is required");
        return;
    }
    bool is_stored = store_value(param, setting);
    CHECK(is_stored || setting->origin != ORIGIN_DEFAULT);
    if (is_stored) return;
    parser->failed = true;
    fprintf(parser->errors, "%s: %s: `%s` is wrong: %s must be ", parser->program, setting->place, setting->values[0], param->name);
    print_rule(param, parser->errors);
    fputc('\n', parser->errors);
}

struct result param_parse(const char *program, const struct param *params, size_t count, const struct param_table *others, int argc,
                          char **argv, const char **positional, size_t positional_max, size_t *ret_positional_count, FILE *errors) {
    CHECK(count <= PARAM_COUNT_MAX);
    struct parser parser = {.program = program, .params = params, .count = count, .others = others, .errors = errors};
    read_arguments(&parser, argc, argv, positional, positional_max, ret_positional_count);
    read_variable(&parser, &config_param, &parser.config);
    for (size_t i = 0; i < count; i++) read_variable(&parser, &params[i], &parser.settings[i]);
    config_path = NULL;
    finish_param(&parser, &config_param, &parser.config);
    if (config_path != NULL) read_file(&parser, config_path);
    for (size_t i = 0; i < count; i++) finish_param(&parser, &params[i], &parser.settings[i]);
    return parser.failed ? result_error(RESULT_INVALID) : result_ok();
}

bool param_wants_help(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    }
    return false;
}

/* What stands for the value in --help: the name that the table gives, or the kind's. */
static const char *value_name(const struct param *param) {
    if (param->kind == PARAM_TEXT && param->unit != NULL && param->unit[0] != '\0') return param->unit;
    switch (param->kind) {
    case PARAM_FLAG: return "";
    case PARAM_INTEGER: return "N";
    case PARAM_CHOICE: return "WORD";
    case PARAM_TEXT: return "TEXT";
    case PARAM_LIST: return param->unit != NULL && param->unit[0] != '\0' ? param->unit : "TEXT";
    case PARAM_ADDRESS: return "ADDR:PORT";
    case PARAM_URL: return "URL";
    case PARAM_RANGES: return "CIDR,…";
    }
    return "";
}

static void print_default(const struct param *param, FILE *out) {
    if (default_text(param) != NULL) {
        const char *unit = param->kind == PARAM_INTEGER && param->unit != NULL ? param->unit : "";
        fprintf(out, "%s%s%s", default_text(param), unit[0] == '\0' ? "" : " ", unit);
    } else {
        fputs(param->optional ? "none" : "required", out);
    }
}

static void help_param(const char *program, const struct param *param, FILE *out) {
    char variable[VARIABLE_BYTES];
    variable_name(program, param->name, variable);
    fprintf(out, "  --%s%s%s%s\n      %s\n      ", param->name, param->kind == PARAM_FLAG ? "" : " ", value_name(param),
            param->kind == PARAM_LIST ? " (several)" : "", param->sentence);
    print_rule(param, out);
    fputs("; default: ", out);
    print_default(param, out);
    fprintf(out, "; environment: %s\n", variable);
}

void param_help(const char *program, const struct param *params, size_t count, FILE *out) {
    for (size_t i = 0; i < count; i++) help_param(program, &params[i], out);
    help_param(program, &config_param, out);
}

static void print_cell(const char *text, FILE *out) {
    for (; *text != '\0'; text++) {
        if (*text == '|') fputc('\\', out);
        fputc(*text, out);
    }
}

static void document_param(const char *program, const struct param *param, FILE *out) {
    char variable[VARIABLE_BYTES];
    variable_name(program, param->name, variable);
    char rule[256] = "";
    FILE *rule_out __attribute__((cleanup(close_file))) = fmemopen(rule, sizeof(rule), "w");
    CHECK(rule_out != NULL);
    print_rule(param, rule_out);
    CHECK(fflush(rule_out) == 0);
    fprintf(out, "| `--%s%s%s`%s | `%s` | ", param->name, param->kind == PARAM_FLAG ? "" : " ", value_name(param),
            param->kind == PARAM_LIST ? " (several)" : "", variable);
    print_cell(rule, out);
    fputs(" | ", out);
    print_default(param, out);
    fputs(" | ", out);
    print_cell(param->sentence, out);
    fputs(" |\n", out);
}

void param_document(const char *program, const struct param *params, size_t count, FILE *out) {
    fputs("| flag | environment | value | default | meaning |\n| --- | --- | --- | --- | --- |\n", out);
    for (size_t i = 0; i < count; i++) document_param(program, &params[i], out);
    document_param(program, &config_param, out);
}
