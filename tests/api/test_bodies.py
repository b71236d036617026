"""JSON bodies to the letter, on each route that takes one: what is not JSON is 400, and whatever is wrong inside is 422 and named."""
import json
import uuid

import pytest

from harness.client import PASSWORD, new_phone, new_username
from harness.world import assert_problem

NOT_JSON = {
    "nothing": b"", "blanks": b"   ", "half an object": b'{"a": ', "a word": b"hello", "two values": b"{} {}", "trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}", "NaN": b'{"a": NaN}', "Infinity": b'{"a": Infinity}', "comment": b"{} // why", "leading zero": b'{"a": 01}',
    "plus": b'{"a": +1}', "hex": b'{"a": 0x10}', "raw line feed": b'{"a": "\n"}', "raw NUL": b'{"a": "\x00"}', "bad escape": b'{"a": "\\x41"}',
    "not UTF-8": b'{"a": "\xff\xfe"}', "overlong UTF-8": b'{"a": "\xc0\xaf"}', "surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}', "cut UTF-8": b'{"a": "\xd9"}',
    "lone surrogate": b'{"a": "\\ud800"}', "byte order mark": b"\xef\xbb\xbf{}", "UTF-16": '{"a": 1}'.encode("utf-16"), "point only": b'{"a": .5}',
}
BIG = 9007199254740991


class Route:
    """One route with a body that it takes, and whose token."""

    def __init__(self, name, service, method, path, caller, body):
        self.name, self.service, self.method, self.path, self.caller, self.body = name, service, method, path, caller, body

    def send(self, world, body):
        client = {"public": world.client(self.service), "shop": world.shop, "admin": getattr(world.operator, self.service)}.get(self.caller)
        if client is None:
            user = world.user()
            client = user.wallet if self.service == "wallet" else user.discount
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self.method == "PATCH":
            campaign = world.operator.campaign()
            return client.request("PATCH", f"/v1/campaigns/{campaign['id']}", data=data, headers={**headers, "If-Match": f'"{campaign["version"]}"'})
        path = self.path.replace("{fund}", world.fund()["reference"]) if "{fund}" in self.path else self.path
        return client.request(self.method, path, data=data, headers=headers)


def credit_item():
    return {"reference": str(uuid.uuid4()), "user_id": "019aab20-4c00-7a31-9f00-5b1e2c3d4e01", "amount": 5, "currency": "IRT"}


ROUTES = {route.name: route for route in [
    Route("users", "wallet", "POST", "/v1/users", "public", lambda: {"username": new_username(), "password": PASSWORD, "phone": new_phone()}),
    Route("sessions", "wallet", "POST", "/v1/sessions", "public", lambda: {"username": new_username(), "password": PASSWORD}),
    Route("refresh", "wallet", "POST", "/v1/sessions/refresh", "public", lambda: {"refresh_token": "x"}),
    Route("password", "wallet", "PUT", "/v1/users/me/password", "user", lambda: {"current_password": PASSWORD, "new_password": PASSWORD + "!"}),
    Route("transfers", "wallet", "POST", "/v1/wallet/transfers", "user", lambda: {"to": {"username": "nobody-here"}, "amount": 5, "currency": "IRT"}),
    Route("credits", "wallet", "POST", "/v1/credits", "shop", lambda: {"items": [credit_item()]}),
    Route("funds", "wallet", "POST", "/v1/funds", "shop", lambda: {"reference": f"f-{uuid.uuid4()}", "amount": 5, "currency": "IRT"}),
    Route("topup", "wallet", "POST", "/v1/funds/{fund}/topup", "shop", lambda: {"amount": 5, "currency": "IRT"}),
    Route("redemptions", "discount", "POST", "/v1/redemptions", "user", lambda: {"code": "UNKNOWNCODE", "phone": "09121234567"}),
    Route("campaigns", "discount", "POST", "/v1/campaigns", "admin", lambda: {
        "name": "A", "kind": "wallet_credit", "code": f"B{uuid.uuid4().hex[:12]}", "credit": {"amount": 5, "currency": "IRT"}, "max_redemptions": 5}),
    Route("campaign", "discount", "PATCH", "/v1/campaigns/{id}", "admin", lambda: {"name": "Another"}),
]}
ALL = list(ROUTES)


@pytest.mark.parametrize("name", ALL)
def test_what_is_not_json_is_malformed(world, name):
    route = ROUTES[name]
    for case in (["nothing", "half an object", "two values", "not UTF-8"] if name != "users" else NOT_JSON):
        answer = route.send(world, NOT_JSON[case])
        assert answer.status_code == 400, (case, answer.text)
        assert_problem(answer, 400, "malformed_json")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("value", [b"[]", b"null", b"true", b"17", b'"text"', b"[{}]"])
def test_a_body_must_be_an_object(world, name, value):
    problem = assert_problem(ROUTES[name].send(world, value), 422, "validation_failed")
    assert problem["errors"][0]["field"] == ""


@pytest.mark.parametrize("name", ALL)
def test_unknown_members_are_named(world, name):
    route = ROUTES[name]
    assert_problem(route.send(world, {**route.body(), "surprise": 1, "پیغام": 2}), 422, "validation_failed", ["surprise", "پیغام"])


@pytest.mark.parametrize("name", ALL)
def test_a_member_given_twice_is_named(world, name):
    route = ROUTES[name]
    body = route.body()
    member = next(iter(body))
    text = json.dumps(body)
    doubled = text[:-1] + f', "{member}": {json.dumps(body[member])}}}'
    problem = assert_problem(route.send(world, doubled.encode()), 422, "validation_failed")
    assert member in [fault["field"] for fault in problem["errors"]]


@pytest.mark.parametrize("name", ALL)
def test_duplicates_and_numbers_beyond_reading_are_told_with_the_rest(world, name):
    route = ROUTES[name]
    text = json.dumps({**route.body(), "surprise": 1})
    broken = text[:-1] + ', "surprise": 2, "huge": 99999999999999999999, "surprise": 3}'
    problem = assert_problem(route.send(world, broken.encode()), 422, "validation_failed")
    told = sorted((fault["field"], fault["code"]) for fault in problem["errors"])
    assert told == [("huge", "out_of_range"), ("huge", "unknown_field"), ("surprise", "duplicate_field"), ("surprise", "duplicate_field"),
                    ("surprise", "unknown_field")]


@pytest.mark.parametrize("name", [name for name in ALL if name != "campaign"])
def test_every_missing_member_is_named(world, name):
    route = ROUTES[name]
    optional = {"users": {"phone"}, "campaigns": {"code"}}.get(name, set())
    problem = assert_problem(route.send(world, {}), 422, "validation_failed", set(route.body()) - optional)
    assert {fault["code"] for fault in problem["errors"]} == {"required"}


@pytest.mark.parametrize("name", ALL)
def test_every_member_of_a_wrong_type_is_named(world, name):
    route = ROUTES[name]
    for wrong in (17, True, None, [1], {"a": 1}, 1.5):
        body = {member: wrong for member in route.body()}
        problem = assert_problem(route.send(world, body), 422, "validation_failed")
        named = {fault["field"].split(".")[0].split("[")[0] for fault in problem["errors"]}
        expected = {member for member, right in route.body().items() if not isinstance(wrong, type(right)) or isinstance(wrong, bool)}
        expected |= {member for member in expected}
        assert expected <= named or wrong is None, (wrong, problem["errors"])
        assert named <= set(body) | {"a"}, (wrong, problem["errors"])


TEXTS = [("users", "username"), ("users", "password"), ("users", "phone"), ("password", "new_password"), ("transfers", "to"), ("transfers", "to.username"),
         ("transfers", "to.phone"), ("transfers", "to.account_id"), ("credits", "items[0].reference"), ("credits", "items[0].fund"), ("funds", "reference"),
         ("topup", "reference"), ("redemptions", "phone"), ("redemptions", "code"), ("campaigns", "name"), ("campaigns", "kind"), ("campaigns", "code")]


@pytest.mark.parametrize("name, path", TEXTS)
def test_a_member_of_a_wrong_type_is_named_once(world, name, path):
    route = ROUTES[name]
    for wrong in (9.0, 9, True, ["09121234567"], *([None] if path != "code" or name != "campaigns" else [])):  # without a code there are those of batches
        body = route.body()
        member = path.rpartition(".")[2]
        if path.startswith("to."):
            body["to"] = {member: wrong}
        else:
            (body["items"][0] if name == "credits" else body)[member] = wrong
        problem = assert_problem(route.send(world, body), 422, "validation_failed")
        assert [(fault["field"], fault["code"]) for fault in problem["errors"]] == [(path, "wrong_type")], wrong


INTEGERS = [("transfers", "amount"), ("credits", "items[0].amount"), ("funds", "amount"), ("topup", "amount"), ("campaigns", "credit.amount"),
            ("campaigns", "max_redemptions"), ("campaign", "max_redemptions")]
NOT_INTEGERS = ["1.0", "1e6", "1E2", "10e-1", "5.5", "-0.0", '"5"', "true", "[5]", "null", "1e400"]
OUT_OF_BOUNDS = ["0", "-0", "-1", str(BIG + 1), "9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775809", "1" + "0" * 400]


def with_value(route, path, literal):
    """The route's body with this literal at the path."""
    text = json.dumps({**route.body(), **({"max_redemptions": 5} if path == "max_redemptions" else {})})
    mark = f'"{path.split(".")[-1]}": 5'
    assert text.count(mark) == 1, text
    return text.replace(mark, mark[:-1] + literal).encode()


@pytest.mark.parametrize("name, path", INTEGERS)
def test_numbers_that_are_no_integers_are_named(world, name, path):
    route = ROUTES[name]
    for literal in NOT_INTEGERS:
        if literal == "null" and name == "campaign":
            continue
        assert_problem(route.send(world, with_value(route, path, literal)), 422, "validation_failed", [path])


@pytest.mark.parametrize("name, path", INTEGERS)
def test_integers_out_of_bounds_are_named(world, name, path):
    route = ROUTES[name]
    for literal in OUT_OF_BOUNDS:
        problem = assert_problem(route.send(world, with_value(route, path, literal)), 422, "validation_failed", [path])
        assert problem["errors"][0]["code"] == "out_of_range", literal


def test_the_greatest_amount_passes(world):
    assert world.shop.post("/v1/credits", {"items": [{**credit_item(), "amount": BIG}]}).json()["items"][0]["code"] == "user_not_found"
    answer = world.user().wallet.post("/v1/wallet/transfers", {"to": {"username": "nobody-here"}, "amount": BIG, "currency": "IRT"})
    assert_problem(answer, 404, "recipient_not_found")


@pytest.mark.parametrize("currency", ["USD", "irt", "", "IRT ", "IR", 1, None])
@pytest.mark.parametrize("name, path", [("transfers", "currency"), ("credits", "items[0].currency"), ("funds", "currency"), ("campaigns", "credit.currency")])
def test_unknown_currencies_are_named(world, name, path, currency):
    route = ROUTES[name]
    body = json.dumps(route.body()).replace('"IRT"', json.dumps(currency)).encode()
    assert_problem(route.send(world, body), 422, "validation_failed", [path])


@pytest.mark.parametrize("name, member", [("users", "username"), ("users", "phone"), ("sessions", "username"), ("transfers", "description"),
                                          ("funds", "reference"), ("redemptions", "phone"), ("campaigns", "name"), ("campaign", "name")])
def test_a_nul_in_a_text_is_named(world, name, member):
    route = ROUTES[name]
    assert_problem(route.send(world, {**route.body(), member: "ab\u0000cdefgh"}), 422, "validation_failed", [member])


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"])
@pytest.mark.parametrize("depth", [50, 500, 2040, 2100, 9000])
def test_deep_nesting_is_refused(world, opening, closing, depth):
    route = ROUTES["users"]
    body = json.dumps(route.body())[:-1].encode() + b', "deep": ' + opening.encode() * depth + b"1" + closing.encode() * depth + b"}"
    answer = route.send(world, body)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["code"] in ("malformed_json", "validation_failed")
    assert ROUTES["users"].send(world, (opening * 20000).encode()[:60000]).status_code == 400


def test_every_fault_is_listed(world):
    answer = world.wallet.post("/v1/users", {"username": "A B", "password": "short", "phone": "12", "extra": 1, "more": 2})
    assert_problem(answer, 422, "validation_failed", ["username", "password", "phone", "extra", "more"])
    body = {"name": "", "kind": "gift", "code": "***", "credit": {"amount": 0, "currency": "USD", "x": 1}, "max_redemptions": 0, "max_per_user": 0,
            "starts_at": "yesterday", "ends_at": "2026-13-01T00:00:00Z", "surprise": None}
    assert_problem(world.operator.discount.post("/v1/campaigns", body), 422, "validation_failed",
                   ["name", "kind", "code", "credit.amount", "credit.currency", "credit.x", "max_redemptions", "max_per_user", "starts_at", "ends_at", "surprise"])
    items = [{**credit_item(), "amount": 0, "surprise": 1}, credit_item(), {"reference": "", "user_id": "me", "amount": "1", "currency": 3}]
    assert_problem(world.shop.post("/v1/credits", {"items": items}), 422, "validation_failed",
                   ["items[0].amount", "items[0].surprise", "items[2].reference", "items[2].user_id", "items[2].amount", "items[2].currency"])


def test_what_is_wrong_beside_the_items_is_told_with_theirs(world):
    for items in ([credit_item(), {**credit_item(), "amount": 0}], [credit_item(), 5]):
        problem = assert_problem(world.shop.post("/v1/credits", {"surprise": 1, "items": items}), 422, "validation_failed")
        assert [fault["field"] for fault in problem["errors"]] == ["surprise", "items[1].amount" if items[1] != 5 else "items[1]"]
    assert_problem(world.shop.post("/v1/credits", {"surprise": 1, "items": [credit_item()]}), 422, "validation_failed", ["surprise"])
    for items in ([], 5, None, [credit_item()] * 1001):
        assert_problem(world.shop.post("/v1/credits", {"surprise": 1, "items": items}), 422, "validation_failed", ["surprise", "items"])


def test_very_many_faults_are_bounded(world):
    answer = world.shop.post("/v1/credits", {"items": [{}] * 900})
    problem = assert_problem(answer, 422, "validation_failed")
    assert 4 <= len(problem["errors"]) <= 100


def test_members_in_any_order_with_blanks(world):
    username, phone = new_username(), new_phone()
    body = f'\t{{ \r\n "phone" : "{phone}" ,"password":"{PASSWORD}",\n "username"\t: "{username}" }} \n'
    assert ROUTES["users"].send(world, body.encode()).json()["username"] == username


def test_escapes_are_read(world):
    username = new_username()
    body = json.dumps({"username": username, "password": PASSWORD}).replace(username, "".join(f"\\u{ord(letter):04x}" for letter in username))
    assert ROUTES["users"].send(world, body.encode()).json()["username"] == username


# ---- where none is due ----

def bodiless(name):
    """(method, status, what makes the client and the path) of an operation that takes no body."""
    if name == "release":
        return "POST", 200, lambda world: (world.shop, f"/v1/funds/{world.fund()['reference']}/release")
    if name == "logout":
        return "DELETE", 204, lambda world: (world.user().wallet, "/v1/sessions/current")
    return "POST", 200, lambda world: (world.operator.discount, f"/v1/campaigns/{world.operator.campaign()['id']}/{name}")


BODILESS = ["pause", "resume", "end", "release", "logout"]
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("name", BODILESS)
def test_an_object_without_members_is_as_good_as_no_body(world, name):
    method, status, make = bodiless(name)
    for options in ({}, {"json": {}}, {"data": b"", "headers": JSON}, {"data": b" {\n} ", "headers": JSON}, {"data": iter([b"{", b"}"]), "headers": JSON},
                    {"data": iter([])}, {"data": b"{}".ljust(64 * 1024), "headers": JSON}):
        client, path = make(world)
        answer = client.request(method, path, **options)
        assert answer.status_code == status, (options, answer.text)


@pytest.mark.parametrize("name", BODILESS)
def test_what_is_in_a_body_that_is_not_due_is_refused_and_nothing_done(world, name):
    method, status, make = bodiless(name)
    client, path = make(world)
    for sent in (lambda data: data, lambda data: iter([data])):
        problem = assert_problem(client.request(method, path, data=sent(b'{"reason": 1, "force": true}'), headers=JSON), 422, "validation_failed",
                                 ["reason", "force"])
        assert [fault["code"] for fault in problem["errors"]] == ["unknown_field"] * 2
        for data in (b"[]", b"null", b"17"):
            problem = assert_problem(client.request(method, path, data=sent(data), headers=JSON), 422, "validation_failed", [""])
            assert problem["errors"][0]["code"] == "wrong_type"
        assert_problem(client.request(method, path, data=sent(b"{"), headers=JSON), 400, "malformed_json")
        assert_problem(client.request(method, path, data=sent(b"{}"), headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type")
        assert_problem(client.request(method, path, data=sent(b"{}")), 415, "unsupported_media_type")
    assert_problem(client.request(method, path, data=b"{}".ljust(64 * 1024 + 1), headers=JSON), 413, "body_too_large")
    if name in ("pause", "resume", "end"):
        assert client.get(path.rpartition("/")[0]).json()["version"] == 1
    assert client.request(method, path).status_code == status
