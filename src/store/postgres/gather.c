#include "store/postgres/gather.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "store/driver.h"

static const char *text_for(const struct question *question) { return question->postgres != NULL ? question->postgres : question->sql; }

/* ---- reading SQL, as far as is needed: what is a word, what is quoted, how deep in brackets ---- */

static bool is_word_byte(char byte) { return isalnum((unsigned char)byte) || byte == '_'; }

/* Behind what begins here, which is never cut: 'a text', "a name", a word, $1, or one byte. */
static const char *behind(const char *at) {
    if (*at == '\'' || *at == '"') {
        const char *end = strchr(at + 1, *at); /* a doubled quote reads as two texts, one behind the other */
        return end == NULL ? at + strlen(at) : end + 1;
    }
    if (*at == '$') at++;
    if (!is_word_byte(*at)) return at + 1;
    while (is_word_byte(*at)) at++;
    return at;
}

static bool is_word(const char *at, const char *word) {
    size_t size = strlen(word);
    return strncasecmp(at, word, size) == 0 && !is_word_byte(at[size]);
}

/* The word outside of brackets and quotes, or the end of the text. */
static const char *find_word(const char *at, const char *word) {
    for (int depth = 0; *at != '\0'; at = behind(at)) {
        if (*at == '(') depth++;
        if (*at == ')') depth--;
        if (depth == 0 && is_word(at, word)) return at;
    }
    return at;
}

/* The bracket that closes this one, or the end of the text. */
static const char *find_close(const char *open) {
    int depth = 0;
    for (const char *at = open; *at != '\0'; at = behind(at)) {
        if (*at == '(') depth++;
        if (*at == ')' && --depth == 0) return at;
    }
    return open + strlen(open);
}

/* FROM as a clause: not the one of IS DISTINCT FROM. */
static const char *find_from(const char *sql) {
    const char *from = find_word(sql, "FROM");
    const char *distinct = find_word(sql, "DISTINCT");
    while (*from != '\0' && *distinct != '\0' && behind(distinct) + 1 == from) {
        distinct = find_word(from, "DISTINCT");
        from = find_word(behind(from), "FROM");
    }
    return from;
}

/* Where ON CONFLICT or RETURNING begins, or the end of the text. */
static const char *find_tail(const char *at) {
    const char *conflict = find_word(at, "CONFLICT");
    const char *tail = find_word(at, "RETURNING");
    for (; *conflict != '\0' && *at != '\0'; at = behind(at)) {
        if (is_word(at, "ON") && behind(at) + 1 == conflict) return at;
    }
    return tail;
}

bool gather_is_many_only(const struct question *question) { return strstr(text_for(question), "unnest($1") != NULL; }

bool gather_writes_always(const struct question *question) {
    const char *sql = text_for(question);
    return is_word(sql, "INSERT") && *find_word(sql, "VALUES") != '\0' && *find_tail(sql) == '\0' && !gather_is_many_only(question);
}

/* ---- writing ---- */

struct writing {
    FILE *out;
    const struct question *question;
    bool is_many;
    bool is_wrong;
};

/* From a place of the text to another, each parameter as a column of the arrays. */
static void copy(struct writing *writing, const char *from, const char *to) {
    for (const char *end; from < to; from = end) {
        end = behind(from);
        if (*from == '$' && writing->is_many) {
            fprintf(writing->out, "asked.asked_%.*s", (int)(end - from - 1), from + 1);
        } else {
            fwrite(from, 1, (size_t)(end - from), writing->out);
        }
    }
}

static void write_arrays(struct writing *writing) {
    static const char *const types[] = {
        [COLUMN_INTEGER] = "bigint", [COLUMN_TEXT] = "text", [COLUMN_BYTES] = "bytea", [COLUMN_ID] = "uuid"};
    size_t count = question_parameter_count(writing->question);
    if (count == 0) writing->is_wrong = true; /* all ask the same: it is asked one by one */
    for (size_t i = 0; i < count; i++)
        fprintf(writing->out, "%s$%zu::%s[]", i == 0 ? "unnest(" : ", ", i + 1, types[writing->question->parameters[i]]);
    fputs(") WITH ORDINALITY AS asked (", writing->out);
    for (size_t i = 0; i < count; i++) fprintf(writing->out, "asked_%zu, ", i + 1);
    fputs("asked_ordinal)", writing->out);
}

static void write_select(struct writing *writing, const char *sql) {
    fputs("SELECT asked.asked_ordinal, answer.* FROM ", writing->out);
    write_arrays(writing);
    fputs(" CROSS JOIN LATERAL (", writing->out);
    copy(writing, sql, sql + strlen(sql));
    fputs(") AS answer ORDER BY asked.asked_ordinal", writing->out);
}

/* What follows the rows has no arrays to look at: there it says excluded.column. */
static void write_tail(struct writing *writing, const char *tail) {
    if (strchr(tail, '$') != NULL) writing->is_wrong = true;
    fputs(" ORDER BY asked.asked_ordinal ", writing->out);
    fputs(tail, writing->out);
}

static void write_inserted_values(struct writing *writing, const char *sql, const char *values, const char *tail) {
    const char *open = values + strcspn(values, "("), *close = find_close(open);
    const char *rest = *close == '\0' ? close : close + 1;
    if (*close == '\0' || rest + strspn(rest, " \n") != tail) writing->is_wrong = true; /* several rows, or none */
    copy(writing, sql, values);
    fputs("SELECT ", writing->out);
    copy(writing, *open == '\0' ? open : open + 1, close);
    fputs(" FROM ", writing->out);
    write_arrays(writing);
}

static void write_insert(struct writing *writing, const char *sql) {
    const char *values = find_word(sql, "VALUES"), *tail = find_tail(sql);
    if (*values != '\0') {
        write_inserted_values(writing, sql, values, tail);
    } else {
        const char *select = find_word(sql, "SELECT");
        copy(writing, sql, select);
        fputs("SELECT answer.* FROM ", writing->out);
        write_arrays(writing);
        fputs(" CROSS JOIN LATERAL (", writing->out);
        copy(writing, select, tail);
        fputs(") AS answer", writing->out);
    }
    write_tail(writing, tail);
}

/* UPDATE … FROM, DELETE … USING: `word` is there already, or the arrays are all of it. */
static void write_change(struct writing *writing, const char *sql, const char *word, const char *clause) {
    const char *where = find_word(sql, "WHERE"), *end = sql + strlen(sql);
    if (*clause != '\0') {
        copy(writing, sql, behind(clause));
        fputc(' ', writing->out);
        write_arrays(writing);
        fputs(" CROSS JOIN", writing->out);
        copy(writing, behind(clause), end);
    } else {
        copy(writing, sql, where);
        fprintf(writing->out, " %s ", word);
        write_arrays(writing);
        fputc(' ', writing->out);
        copy(writing, where, end);
    }
}

static void write_many(struct writing *writing, const char *sql) {
    if (gather_is_many_only(writing->question)) {
        fputs(sql, writing->out);
    } else if (is_word(sql, "SELECT") || is_word(sql, "WITH")) {
        write_select(writing, sql);
    } else if (is_word(sql, "INSERT")) {
        write_insert(writing, sql);
    } else if (is_word(sql, "UPDATE")) {
        write_change(writing, sql, "FROM", find_from(sql));
    } else if (is_word(sql, "DELETE")) {
        write_change(writing, sql, "USING", find_word(sql, "USING"));
    } else {
        writing->is_wrong = true;
    }
}

/* The rows are counted where they are written, so that what misses its rows fails before the COMMIT that travels behind it. */
static void write_statement(struct writing *writing, unsigned form) {
    const char *sql = text_for(writing->question);
    bool names_its_asker = writing->is_many && !is_word(sql, "INSERT") && !gather_is_many_only(writing->question);
    size_t count = question_parameter_count(writing->question);
    if (form & GATHER_CHECKED) fputs("WITH touched AS (", writing->out);
    if (writing->is_many) {
        write_many(writing, sql);
    } else {
        fputs(sql, writing->out);
    }
    if (!(form & GATHER_CHECKED)) return;
    fprintf(writing->out, " RETURNING %s AS ordinal) SELECT 1 / (count(*) = $%zu", names_its_asker ? "asked.asked_ordinal" : "1",
            count + 1);
    if (names_its_asker) fprintf(writing->out, " AND count(DISTINCT ordinal) = $%zu", count + 2);
    fputs(")::integer FROM touched", writing->out);
}

struct result gather_text(const struct question *question, unsigned form, char **ret_text) {
    char *text = NULL;
    size_t size = 0;
    struct writing writing = {.out = open_memstream(&text, &size),
                              .question = question,
                              .is_many = (form & GATHER_MANY) || gather_is_many_only(question)};
    if (writing.out == NULL) return result_error(RESULT_FULL);
    write_statement(&writing, form);
    if (fclose(writing.out) != 0) {
        free(text);
        return result_error(RESULT_FULL);
    }
    if (writing.is_wrong) {
        LOG(LOG_ERROR, "question_not_gathered", LOG_STRING("question", question->name), LOG_STRING("sql", text));
        free(text);
        return result_error(RESULT_INVALID);
    }
    *ret_text = text;
    return result_ok();
}
