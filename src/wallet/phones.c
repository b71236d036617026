#include "wallet/phones.h"

#include "service/request.h"
#include "wallet/books.h"
#include "wallet/core/phones.h"
#include "wallet/problems.h"
#include "wallet/users.h"
#include "wallet/wallet.h"

struct phone_change {
    struct operation operation; /* first */
    struct phone_command command;
    enum ledger_outcome outcome;
    struct user user; /* applied */
};

static struct phone_change *change_of(struct operation *operation) { return (struct phone_change *)operation; }

/* Who has the number, with the wallet, so that the next of the batch finds both by it; and the user, who may have it after this. */
static void load(struct engine *engine, struct operation *operation) {
    const struct phone_command *command = &change_of(operation)->command;
    books_load_user(engine, command->user_id);
    books_load_account_of_user(engine, command->user_id);
    books_load_user_by_phone(engine, &command->phone, books_ledger(engine)->currency);
}

static void take_user(struct engine *engine, struct phone_change *change) {
    const struct user *user = ledger_find_user(books_ledger(engine), change->command.user_id);
    if (change->outcome == LEDGER_APPLIED) change->user = *user;
}

static void decide_change(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct phone_change *change = change_of(operation);
    (void)now_us;
    change->outcome = ledger_change_phone(books_ledger(engine), &change->command);
    take_user(engine, change);
}

static void decide_verification(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct phone_change *change = change_of(operation);
    const struct user *left;
    change->outcome = ledger_verify_phone(books_ledger(engine), &change->command, &left);
    take_user(engine, change);
    if (change->outcome != LEDGER_APPLIED) return;
    audit_note(engine, operation, "phone.verify", change->user.id, TEXT(""), TEXT(""), now_us);
    if (left != NULL) audit_note(engine, operation, "phone.take", left->id, TEXT(""), TEXT(""), now_us);
}

static void render(struct operation *operation) {
    const struct phone_change *change = change_of(operation);
    if (outcome_is_refusal(change->outcome)) {
        outcome_render(operation, change->outcome);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, USER_DOCUMENT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    user_write(&writer, &change->user);
    operation_answer(operation, 200, "application/json", &buffer);
}

static void render_verification(struct operation *operation) {
    if (change_of(operation)->outcome == LEDGER_USER_NOT_FOUND) {
        operation_answer_problem(operation, &problem_user_not_found, (struct text){0}, NULL, "There is no user with this id.");
    } else {
        render(operation);
    }
}

static void send(struct operation *operation) { outcome_send(operation, change_of(operation)->outcome); }

static const struct action change_action = {.name = "change phone",
                                            .weight = 2,
                                            .answer_bytes = USER_DOCUMENT_BYTES,
                                            .load = load,
                                            .decide = decide_change,
                                            .render = render,
                                            .send = send};
static const struct action verify_action = {.name = "verify phone",
                                            .weight = 4,
                                            .answer_bytes = USER_DOCUMENT_BYTES,
                                            .load = load,
                                            .decide = decide_verification,
                                            .render = render_verification};

static struct phone_change *begin(struct exchange *exchange, const struct action *action, struct id user_id) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct text typed = {NULL, 0};
    struct phone phone = {0};
    const struct json_member members[] = {{.name = "phone", .kind = JSON_TEXT, .target = &typed, .required = true}};
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (typed.data != NULL) phone_read(typed, wallet_of(exchange)->region, &phone, "phone", &faults);
    if (request_refuse_faults(exchange, &faults)) return NULL;
    struct phone_change *change = operation_begin(exchange, action, sizeof *change);
    if (change != NULL) change->command = (struct phone_command){user_id, phone};
    return change;
}

/* By it a stranger may ask which numbers have accounts, as by a registration: from the same budget. */
void phones_change(struct exchange *exchange) {
    struct phone_change *change = users_refuse_asking(exchange) ? NULL : begin(exchange, &change_action, exchange->caller.user_id);
    if (change == NULL || !users_count_asking(exchange)) {
        exchange_finish(exchange);
    } else {
        operation_submit(&change->operation);
    }
}

void phones_verify(struct exchange *exchange) {
    struct id user_id = {{0}};
    struct phone_change *change = NULL;
    if (result_is_ok(id_parse(exchange->parameters[0], &user_id)))
        change = begin(exchange, &verify_action, user_id);
    else
        problem_reply(exchange, &problem_user_not_found, "There is no user with this id.");
    if (change == NULL) {
        exchange_finish(exchange);
    } else {
        operation_submit(&change->operation);
    }
}
