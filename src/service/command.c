/* The command line: PROGRAM COMMAND [flags] [positional]. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/param.h"
#include "service/service.h"
#include "service/version.h"

#define EXIT_BAD_CALL   2
#define POSITIONALS_MAX 4
#define COMMANDS_MAX    32

static void print_usage(const char *program, const char *summary, const struct command *commands, size_t count, FILE *out) {
    fprintf(out, "%s - %s\n\nUsage: %s COMMAND [flags]\n\nCommands:\n", program, summary, program);
    for (size_t i = 0; i < count; i++) fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "  %-12s %s\n  %-12s %s\n", "routes", "print each route with its scope", "parameters", "print all parameters as Markdown");
    fprintf(out, "\n%s COMMAND --help explains a command; --version prints the version.\n", program);
    fprintf(out, "One configuration file may serve all commands: each passes over the parameters that only others have.\n");
}

static void print_routes(const struct route *routes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *scope = routes[i].scope == SCOPE_PUBLIC ? "-" : scope_name(routes[i].scope);
        const char *other = routes[i].other_scope == SCOPE_NONE ? "" : scope_name(routes[i].other_scope);
        printf("%s %s %s%s%s\n", routes[i].method, routes[i].path, scope, *other == '\0' ? "" : "|", other);
    }
}

static void print_parameters(const char *program, const struct command *commands, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool has_names = commands[i].positional_max > 0;
        printf("%s## %s %s%s%s\n\n%s.\n\n", i == 0 ? "" : "\n", program, commands[i].name, has_names ? " " : "",
               has_names ? commands[i].positional_names : "", commands[i].summary);
        param_document(program, commands[i].params, commands[i].param_count, stdout);
    }
}

/* "user add" takes two words: the longest name that fits wins. */
static const struct command *find_command(const struct command *commands, size_t count, int argc, char **argv, int *ret_words) {
    for (size_t i = 0; i < count; i++) {
        const char *space = strchr(commands[i].name, ' ');
        size_t first_size = space == NULL ? strlen(commands[i].name) : (size_t)(space - commands[i].name);
        if (strlen(argv[1]) != first_size || strncmp(argv[1], commands[i].name, first_size) != 0) continue;
        if (space != NULL && (argc < 3 || strcmp(argv[2], space + 1) != 0)) continue;
        *ret_words = space == NULL ? 1 : 2;
        return &commands[i];
    }
    return NULL;
}

/* Ended by a table without params. The command's own is among them, which makes no difference. */
static void list_tables(const struct command *commands, size_t count, struct param_table ret_tables[COMMANDS_MAX + 1]) {
    CHECK(count <= COMMANDS_MAX);
    for (size_t i = 0; i < count; i++) ret_tables[i] = (struct param_table){commands[i].params, commands[i].param_count};
    ret_tables[count] = (struct param_table){0};
}

static int run_command(const char *program, const struct command *command, const struct param_table *tables, int words, int argc,
                       char **argv) {
    if (param_wants_help(argc, argv)) {
        printf("%s %s %s%s\n\n%s.\n\n", program, command->name, command->positional_max > 0 ? command->positional_names : "",
               command->positional_max > 0 ? " [flags]" : "[flags]", command->summary);
        param_help(program, command->params, command->param_count, stdout);
        return 0;
    }
    if (command->errors_are_log) service_errors_to_log(program);
    const char *positional[POSITIONALS_MAX] = {0};
    size_t positional_count = 0;
    struct result parsed = param_parse(program, command->params, command->param_count, tables, argc - words, argv + words, positional,
                                       command->positional_max, &positional_count, service_errors());
    if (!result_is_ok(parsed)) return EXIT_BAD_CALL;
    if (positional_count != command->positional_max) {
        fprintf(service_errors(), "%s %s: needs %s\n", program, command->name, command->positional_names);
        return EXIT_BAD_CALL;
    }
    return command->run(positional, positional_count);
}

int command_main(const char *program, const char *summary, const struct command *commands, size_t count, const struct route *routes,
                 size_t route_count, int argc, char **argv) {
    if (argc < 2) {
        print_usage(program, summary, commands, count, stderr);
        return EXIT_BAD_CALL;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s %s (%s)\n", program, SERVICE_VERSION, service_commit);
        return 0;
    }
    if (strcmp(argv[1], "routes") == 0) {
        print_routes(routes, route_count);
        return 0;
    }
    if (strcmp(argv[1], "parameters") == 0) {
        print_parameters(program, commands, count);
        return 0;
    }
    int words = 0;
    const struct command *command = find_command(commands, count, argc, argv, &words);
    struct param_table tables[COMMANDS_MAX + 1];
    list_tables(commands, count, tables);
    if (command != NULL) return run_command(program, command, tables, words, argc, argv);
    bool help = param_wants_help(argc, argv);
    if (!help) fprintf(stderr, "%s: no command called '%s'\n\n", program, argv[1]);
    print_usage(program, summary, commands, count, help ? stdout : stderr);
    return help ? 0 : EXIT_BAD_CALL;
}
