#include "discount/code_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crypto.h"
#include "base/json/json.h"
#include "base/limits.h"
#include "http/client.h"
#include "service/progress.h"

#define ARENA_BYTES       (2u * 1024 * 1024) /* of an answer: a thousand bad lines of one part are less */
#define URL_BYTES         1024u
#define KEY_BYTES         128u
#define CALL_TIMEOUT_MS   60000
#define EXPORT_TIMEOUT_MS 3600000
#define TRIES_MAX         8
#define PAUSE_MS          1000
#define BAR_CELLS         30

struct caller {
    const struct code_files *files;
    char token[LIMIT_TOKEN_BYTES + 2];
};

static void say(const char *sentence) { fprintf(stderr, "discountd: %s\n", sentence); }

static void close_file(FILE **file) {
    if (*file != NULL) (void)fclose(*file);
}
#define CLOSE_FILE_AT_END __attribute__((cleanup(close_file)))

static void release_arena(struct arena *arena) { arena_release(arena); }
#define RELEASE_ARENA_AT_END __attribute__((cleanup(release_arena)))

static void clear_call(struct http_call *call) { http_call_clear(call); }
#define CLEAR_CALL_AT_END __attribute__((cleanup(clear_call)))

static struct result begin(const struct code_files *files, struct caller *ret_caller) {
    struct id id;
    ret_caller->files = files;
    bool has_batch = files->batch == NULL || result_is_ok(id_parse(text_of(files->batch), &id));
    if (!has_batch || !result_is_ok(id_parse(text_of(files->campaign), &id))) {
        say(has_batch ? "--campaign must be the id of a campaign" : "--batch must be the id of a batch of codes");
        return result_error(RESULT_INVALID);
    }
    if (isatty(STDIN_FILENO) == 1) fprintf(stderr, "Token of an administrator: ");
    if (fgets(ret_caller->token, sizeof ret_caller->token, stdin) == NULL) ret_caller->token[0] = '\0';
    ret_caller->token[strcspn(ret_caller->token, "\r\n")] = '\0';
    if (ret_caller->token[0] == '\0') {
        say("the first line of standard input must be the token of an administrator");
        return result_error(RESULT_INVALID);
    }
    if (files->ca != NULL) http_client_use_tls(&(struct http_tls){.ca = files->ca});
    return result_ok();
}

/* ---- how far it is ---- */

/* On a terminal a bar that grows, told anew each time, else a line at a time; *shown: per cent. */
static void show_progress(int *shown, const char *what, int64_t count, int64_t done, int64_t due) {
    int percent = due <= 0 ? 100 : (int)(done * 100 / due);
    if (isatty(STDERR_FILENO) == 1) {
        char bar[BAR_CELLS + 1];
        for (int i = 0; i < BAR_CELLS; i++) bar[i] = i < percent * BAR_CELLS / 100 ? '#' : '-';
        bar[BAR_CELLS] = '\0';
        fprintf(stderr, "\r[%s] %3d %%  %" PRId64 " codes %s%s", bar, percent, count, what, percent == 100 ? "\n" : "");
        return;
    }
    if (progress_percent_is_due(shown, percent)) fprintf(stderr, "%d %%, %" PRId64 " codes %s\n", percent, count, what);
}

/* ---- calls ---- */

static const struct json_value *open_answer(struct arena *arena, const struct http_call *call, struct json_document **ret_document) {
    struct faults faults;
    faults_init(&faults, arena);
    if (!result_is_ok(json_open(arena, call->reply, &faults, ret_document))) return NULL;
    const struct json_value *root = json_root(*ret_document);
    return json_is_object(root) ? root : NULL;
}

static void say_refusal(const struct http_call *call, const struct json_value *problem) {
    if (!result_is_ok(call->outcome)) {
        fprintf(stderr, "discountd: %s does not answer: %s\n", call->url,
                call->cause[0] != '\0' ? call->cause : result_name(call->outcome));
        return;
    }
    struct text code = problem == NULL ? TEXT("") : json_get_text(problem, "code");
    struct text detail = problem == NULL ? TEXT("") : json_get_text(problem, "detail");
    fprintf(stderr, "discountd: %s answers %d %.*s: %.*s\n", call->url, call->status, (int)code.size, code.data, (int)detail.size,
            detail.data);
}

static void pause_for(int64_t pause_ms) {
    const struct timespec time = {.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Once more when it may go well then: each call may be repeated. */
static struct result perform(struct caller *caller, struct http_call *call) {
    call->bearer = caller->token;
    for (int i = 1;; i++) {
        struct result outcome = http_call_wait(call);
        bool is_passing = !result_is_ok(outcome) || call->status == 429 || call->status == 503;
        if (!is_passing || i == TRIES_MAX) return outcome;
        int64_t pause_ms = call->retry_after_ms > PAUSE_MS ? call->retry_after_ms : PAUSE_MS;
        http_call_clear(call);
        pause_for(pause_ms);
    }
}

/* ---- import ---- */

/* What is sent at once ends with a line, and is all or nothing. */
struct import_file {
    struct caller caller;
    const char *path;
    FILE *file;
    char *part; /* [capacity] */
    size_t capacity, size, sent_size;
    bool is_json, is_at_end;
    int64_t due_bytes, done_bytes, lines; /* of the parts before */
    int64_t codes, skipped;
    int shown; /* of the progress, in per cent */
};

static struct result open_import(struct import_file *import) {
    struct stat state;
    import->file = fopen(import->path, "rbe");
    bool is_there = import->file != NULL && fstat(fileno(import->file), &state) == 0;
    if (!is_there) {
        fprintf(stderr, "discountd: %s: %s\n", import->path, strerror(errno));
        return result_error(RESULT_IO);
    }
    import->due_bytes = state.st_size;
    import->capacity = (size_t)import->caller.files->part_kib * 1024;
    CHECK(import->capacity <= LIMIT_BATCH_BODY_BYTES);
    import->part = malloc(import->capacity);
    return import->part == NULL ? result_error(RESULT_FULL) : result_ok();
}

/* `size`: there is none. */
static size_t first_visible(const char *bytes, size_t size) {
    size_t at = 0;
    while (at < size && (bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\r' || bytes[at] == '\n')) at++;
    return at;
}

/* Fills the part, and finds where it is to end. */
static struct result read_part(struct import_file *import) {
    size_t kept = import->size - import->sent_size;
    memmove(import->part, import->part + import->sent_size, kept);
    size_t more = fread(import->part + kept, 1, import->capacity - kept, import->file);
    import->size = kept + more;
    import->is_at_end = import->size < import->capacity;
    if (ferror(import->file)) {
        fprintf(stderr, "discountd: %s: %s\n", import->path, strerror(errno));
        return result_error(RESULT_IO);
    }
    size_t first = first_visible(import->part, import->size);
    if (import->done_bytes == 0) import->is_json = first < import->size && import->part[first] == '{';
    import->sent_size = import->size;
    if (import->is_at_end) return result_ok();
    while (import->sent_size > 0 && import->part[import->sent_size - 1] != '\n') import->sent_size--;
    if (import->sent_size > 0 && !import->is_json) return result_ok();
    fprintf(stderr, "discountd: %s: line %" PRId64 " is longer than %zu bytes%s\n", import->path, import->lines + 1, import->capacity,
            import->is_json ? ": a longer file must be CSV" : "");
    return result_error(RESULT_INVALID);
}

/* In the refusal they are fields, "line 3"; of those that were skipped members. Of JSON there are items instead, which are told as they are. */
static void say_bad_lines(const struct import_file *import, const struct json_value *answer) {
    const struct json_value *errors = json_get(answer, "errors");
    for (size_t i = 0; errors != NULL && i < json_array_count(errors); i++) {
        const struct json_value *error = json_array_item(errors, i);
        struct text field = json_get_text(error, "field"), detail = json_get_text(error, "detail");
        static const struct text line_word = {"line ", 5};
        uint64_t line = 0;
        if (text_starts_with(field, line_word) &&
            result_is_ok(text_parse_unsigned((struct text){field.data + line_word.size, field.size - line_word.size}, INT64_MAX, &line)))
            fprintf(stderr, "%s:%" PRId64 ": %.*s\n", import->path, import->lines + (int64_t)line, (int)detail.size, detail.data);
        else
            fprintf(stderr, "%s: %.*s: %.*s\n", import->path, (int)field.size, field.data, (int)detail.size, detail.data);
    }
}

/* The same part again has the same key, so that whoever begins an import anew, because it broke off, imports no code twice. */
static void write_key(const struct import_file *import, char key[KEY_BYTES]) {
    const struct code_files *files = import->caller.files;
    char digest[64];
    struct hash hash = crypto_hash((struct text){import->part, import->sent_size});
    CHECK(crypto_base64url_size(sizeof hash.bytes) <= sizeof digest);
    crypto_base64url(hash.bytes, sizeof hash.bytes, digest);
    int size =
        snprintf(key, KEY_BYTES, "%s-%s-%.*s", files->campaign, files->on_error, (int)crypto_base64url_size(sizeof hash.bytes), digest);
    CHECK(size > 0 && (size_t)size < KEY_BYTES);
}

static struct result take_answer(struct import_file *import, const struct http_call *call, const struct json_value *root) {
    if (!result_is_ok(call->outcome) || root == NULL || (call->status != 201 && call->status != 422)) {
        say_refusal(call, root);
        return result_error(RESULT_DENIED);
    }
    say_bad_lines(import, root);
    if (call->status != 201) return result_error(RESULT_DENIED);
    struct text id = json_get_text(root, "id");
    int64_t count = json_get_integer(root, "count", 0);
    import->codes += count;
    import->skipped += json_get_integer(root, "skipped", 0);
    printf("%.*s  %" PRId64 " codes%s\n", (int)id.size, id.data, count, call->header[0] != '\0' ? ", which were imported before" : "");
    return result_ok();
}

static struct result send_part(struct import_file *import) {
    const struct code_files *files = import->caller.files;
    char url[URL_BYTES], key[KEY_BYTES];
    RELEASE_ARENA_AT_END struct arena arena;
    struct json_document *document = NULL;
    arena_init(&arena, ARENA_BYTES);
    int size = snprintf(url, sizeof url, "%s/v1/campaigns/%s/code-imports?on_error=%s", files->url, files->campaign, files->on_error);
    if (size < 0 || (size_t)size >= sizeof url) return result_error(RESULT_INVALID);
    write_key(import, key);
    CLEAR_CALL_AT_END struct http_call call = {.method = "POST",
                                               .url = url,
                                               .body = {import->part, import->sent_size},
                                               .content_type = import->is_json ? NULL : "text/csv",
                                               .idempotency_key = key,
                                               .header_name = "Idempotent-Replayed",
                                               .timeout_ms = CALL_TIMEOUT_MS};
    call.outcome = perform(&import->caller, &call);
    const struct json_value *root = result_is_ok(call.outcome) ? open_answer(&arena, &call, &document) : NULL;
    struct result outcome = take_answer(import, &call, root);
    json_close(document);
    return outcome;
}

static struct result send_parts(struct import_file *import) {
    do {
        TRY(read_part(import));
        if (first_visible(import->part, import->sent_size) < import->sent_size) TRY(send_part(import));
        for (size_t i = 0; i < import->sent_size; i++) import->lines += import->part[i] == '\n';
        import->done_bytes += (int64_t)import->sent_size;
        show_progress(&import->shown, "imported", import->codes, import->done_bytes, import->due_bytes);
    } while (!import->is_at_end);
    if (import->codes + import->skipped > 0) return result_ok();
    fprintf(stderr, "discountd: %s: there is no code in it\n", import->path);
    return result_error(RESULT_INVALID);
}

struct result code_files_import(const struct code_files *files, const char *path) {
    struct import_file import = {.path = path, .shown = -1};
    TRY(begin(files, &import.caller));
    struct result outcome = open_import(&import);
    if (result_is_ok(outcome)) outcome = send_parts(&import);
    close_file(&import.file);
    free(import.part);
    crypto_wipe(import.caller.token, sizeof import.caller.token);
    if (!result_is_ok(outcome) && import.codes > 0)
        say("what stands above was imported, and nothing behind it: the same command goes on there");
    if (result_is_ok(outcome)) printf("%" PRId64 " codes imported, %" PRId64 " lines skipped\n", import.codes, import.skipped);
    return outcome;
}

/* ---- export ---- */

struct export_file {
    struct caller caller;
    FILE *file;
    int64_t due, lines;
    bool is_broken; /* the file can't be written */
    int shown;      /* of the progress, in per cent */
};

static bool take_piece(struct http_call *call, struct text piece) {
    struct export_file *export = call->taker;
    export->is_broken = fwrite(piece.data, 1, piece.size, export->file) != piece.size;
    for (size_t i = 0; i < piece.size; i++) export->lines += piece.data[i] == '\n';
    if (export->lines <= export->due) show_progress(&export->shown, "exported", export->lines, export->lines, export->due + 1);
    return !export->is_broken;
}

/* How many there are, for whoever waits. */
static struct result ask_count(struct export_file *export) {
    const struct code_files *files = export->caller.files;
    char url[URL_BYTES];
    RELEASE_ARENA_AT_END struct arena arena;
    struct json_document *document = NULL;
    arena_init(&arena, ARENA_BYTES);
    int size = snprintf(url, sizeof url, "%s/v1/campaigns/%s/code-batches/%s", files->url, files->campaign, files->batch);
    if (size < 0 || (size_t)size >= sizeof url) return result_error(RESULT_INVALID);
    CLEAR_CALL_AT_END struct http_call call = {.method = "GET", .url = url, .timeout_ms = CALL_TIMEOUT_MS};
    call.outcome = perform(&export->caller, &call);
    const struct json_value *root = result_is_ok(call.outcome) ? open_answer(&arena, &call, &document) : NULL;
    bool is_told = root != NULL && call.status == 200;
    if (is_told) export->due = json_get_integer(root, "count", 0);
    if (!is_told) say_refusal(&call, root);
    json_close(document);
    return is_told ? result_ok() : result_error(RESULT_DENIED);
}

/* Not once more: half of a file may have been written by then. */
static struct result take_codes(struct export_file *export) {
    const struct code_files *files = export->caller.files;
    char url[URL_BYTES];
    RELEASE_ARENA_AT_END struct arena arena;
    struct json_document *document = NULL;
    bool is_any = strcmp(files->state, "any") == 0;
    arena_init(&arena, ARENA_BYTES);
    int size =
        snprintf(url, sizeof url, "%s/v1/campaigns/%s/code-batches/%s/codes?after=0%s%s%s", files->url, files->campaign, files->batch,
                 is_any ? "" : "&state=", is_any ? "" : files->state, files->is_for_spreadsheet ? "&for=spreadsheet" : "");
    if (size < 0 || (size_t)size >= sizeof url) return result_error(RESULT_INVALID);
    CLEAR_CALL_AT_END struct http_call call = {.method = "GET",
                                               .url = url,
                                               .bearer = export->caller.token,
                                               .accept = "text/csv",
                                               .take = take_piece,
                                               .taker = export,
                                               .timeout_ms = EXPORT_TIMEOUT_MS};
    call.outcome = http_call_wait(&call);
    bool is_taken = result_is_ok(call.outcome) && call.status == 200;
    if (!is_taken && !export->is_broken) say_refusal(&call, result_is_ok(call.outcome) ? open_answer(&arena, &call, &document) : NULL);
    json_close(document);
    return is_taken ? result_ok() : result_error(export->is_broken ? RESULT_IO : RESULT_DENIED);
}

/* Codes are worth what they give: nobody else reads the file. One that is there is somebody's. */
static FILE *make_file(const char *path) {
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return descriptor < 0 ? NULL : fdopen(descriptor, "wb");
}

static struct result export_to(struct export_file *export, const char *path) {
    TRY(ask_count(export));
    bool is_standard = strcmp(path, "-") == 0;
    export->file = is_standard ? stdout : make_file(path);
    if (export->file == NULL) {
        fprintf(stderr, "discountd: %s: %s\n", path, strerror(errno));
        return result_error(RESULT_IO);
    }
    struct result outcome = take_codes(export);
    bool is_written = (is_standard ? fflush(export->file) : fclose(export->file)) == 0 && !export->is_broken;
    if (!is_written) fprintf(stderr, "discountd: %s: can't be written to its end\n", path);
    if (result_is_ok(outcome) && is_written) {
        show_progress(&export->shown, "exported", export->lines - 1, 1, 1);
        return result_ok();
    }
    if (!is_standard) unlink(path);
    return result_is_ok(outcome) ? result_error(RESULT_IO) : outcome;
}

struct result code_files_export(const struct code_files *files, const char *path) {
    struct export_file export = {.shown = -1};
    TRY(begin(files, &export.caller));
    struct result outcome = export_to(&export, path);
    crypto_wipe(export.caller.token, sizeof export.caller.token);
    return outcome;
}
