"""HTTP itself, on both services: routes and methods, media types, limits, request ids, traces, and what no decent client sends."""
import json
import re
import uuid

import pytest

from harness.client import PASSWORD, Client, new_phone, new_username
from harness.raw import RawConnection, ask, request_bytes
from harness.services import Wallet, wait_until
from harness.world import assert_problem

SERVICES = ["wallet", "discount"]
UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
BODY_LIMIT = 64 * 1024
BATCH_LIMIT = 1024 * 1024
HEADER_LIMIT = 16 * 1024
TARGET_LIMIT = 4096


@pytest.fixture(params=SERVICES)
def service(request):
    return request.param


@pytest.fixture
def client(world, service):
    return world.client(service)


def registration(**changes):
    return {"username": new_username(), "password": PASSWORD, "phone": new_phone(), **changes}


def padded(body, size):
    """The body as JSON of exactly this many bytes: blanks are free in JSON."""
    text = json.dumps(body).encode()
    return text + b" " * (size - len(text))


def chunks(data, size=10_000):
    for start in range(0, len(data), size):
        yield data[start:start + size]


def assert_refused(answer, status, code):
    """By the connection itself, before any route: a problem document like every other, and the end of the connection."""
    assert answer is not None and answer.status == status, answer and answer.head
    assert answer.header("Content-Type") == "application/problem+json" and answer.header("Connection") == "close"
    problem = json.loads(answer.body)
    assert problem["code"] == code and problem["status"] == status and problem["request_id"] == answer.header("X-Request-Id")
    assert problem["type"] == f"/problems/{code}" and problem["detail"] and answer.header("Cache-Control") == "no-store"


# ---- routes and methods ----

@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/healthz/", "/V1/wallet", "/v1/wallet/", "//v1/wallet", "/v1/%2e%2e/healthz", "/admin"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_paths(client, method, path):
    assert_problem(client.request(method, path), 404, "route_not_found")


@pytest.mark.parametrize("service, method, path, allow", [
    ("wallet", "POST", "/healthz", {"GET", "HEAD"}),
    ("wallet", "PUT", "/v1/users", {"GET", "HEAD", "POST"}),
    ("wallet", "DELETE", "/v1/users/me", {"GET", "HEAD"}),
    ("wallet", "GET", "/v1/users/me/password", {"PUT"}),
    ("wallet", "GET", "/v1/sessions/current", {"DELETE"}),
    ("wallet", "PUT", "/v1/wallet", {"GET", "HEAD"}),
    ("wallet", "GET", "/v1/credits", {"POST"}),
    ("wallet", "PATCH", "/v1/funds", {"GET", "HEAD", "POST"}),
    ("discount", "PUT", "/v1/redemptions", {"GET", "HEAD", "POST"}),
    ("discount", "DELETE", "/v1/campaigns/019aab20-4c00-7a31-9f00-5b1e2c3d4e08", {"GET", "HEAD", "PATCH"}),
    ("discount", "GET", "/v1/campaigns/019aab20-4c00-7a31-9f00-5b1e2c3d4e08/pause", {"POST"}),
    ("discount", "BREW", "/healthz", {"GET", "HEAD"}),
    ("discount", "get", "/healthz", {"GET", "HEAD"}),
    ("discount", "TRACE", "/healthz", {"GET", "HEAD"}),
])
def test_wrong_methods_name_the_right_ones(world, service, method, path, allow):
    if method.islower():
        answer = ask(world.service(service).port, request_bytes(method, path))
        assert answer.status == 405 and json.loads(answer.body)["code"] == "method_not_allowed"
        found = answer.header("Allow")
    else:
        answer = world.client(service).request(method, path)
        assert_problem(answer, 405, "method_not_allowed")
        found = answer.headers["Allow"]
    assert {name.strip() for name in found.split(",")} - {"OPTIONS"} == allow


def test_options_names_the_methods(world):
    answer = Client(world.discount.base_url).request("OPTIONS", "/v1/redemptions", headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 204 and answer.content == b""
    assert {"GET", "HEAD", "POST"} <= {name.strip() for name in answer.headers["Allow"].split(",")}


def test_cross_origin_requests_are_off(client):
    for method in ("GET", "OPTIONS"):
        answer = Client(client.base_url).request(method, "/healthz", headers={"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"})
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def documented_headers(part):
    """The names of all header fields of answers in a part of an OpenAPI document."""
    if isinstance(part, list):
        return set().union(*map(documented_headers, part))
    if not isinstance(part, dict):
        return set()
    own = part["headers"] if isinstance(part.get("headers"), dict) else {}
    return set(own).union(*map(documented_headers, part.values()))


def test_a_browser_may_read_every_documented_header(contracts, tmp_path):
    """Of an origin that is let in: what is not exposed by name, no script can see."""
    service = Wallet(tmp_path, "--allowed-origins", "https://a.test").init().start()
    try:
        answer = Client(service.url).get("/v1/wallet", headers={"Origin": "https://a.test"})
        assert answer.status_code == 401 and answer.headers["Access-Control-Allow-Origin"] == "https://a.test"
        exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
        documents = [{**contract.document, "components": contract.document["components"]["responses"]} for contract in contracts.values()]
        assert exposed == documented_headers(documents)
        answer = Client(service.url).get("/v1/wallet", headers={"Origin": "https://b.test"})
        assert "Access-Control-Expose-Headers" not in answer.headers
    finally:
        service.end()


def test_head_of_a_users_list(world, stranger):
    answer = stranger.wallet.request("HEAD", "/v1/wallet")
    assert answer.status_code == 200 and answer.content == b"" and int(answer.headers["Content-Length"]) > 0
    assert world.wallet.request("HEAD", "/v1/wallet").status_code == 401


# ---- media types ----

@pytest.mark.parametrize("accept, status", [
    (None, 200), ("*/*", 200), ("application/*", 200), ("application/json", 200), ("text/html, application/json;q=0.1", 200),
    ("text/html", 406), ("application/json;q=0", 406), ("text/csv", 406), ("image/png, text/plain", 406),
])
def test_accept(client, accept, status):
    answer = client.get("/healthz", headers={"Accept": accept})
    assert answer.status_code == status
    if status == 406:
        assert_problem(answer, 406, "not_acceptable")


@pytest.mark.parametrize("content_type, status", [
    ("application/json", 201), ("application/json; charset=utf-8", 201), ("Application/JSON;charset=\"UTF-8\"", 201),
    (None, 415), ("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("application/json; charset=iso-8859-1", 415), ("application/jsonx", 415),
])
def test_content_type(world, content_type, status):
    headers = {"Content-Type": content_type} if content_type else {}
    answer = world.wallet.request("POST", "/v1/users", data=json.dumps(registration()).encode(), headers=headers)
    if status == 415:
        assert_problem(answer, 415, "unsupported_media_type")
    else:
        assert answer.status_code == 201, answer.text


def test_content_encoding_is_not_taken(world):
    import gzip
    body = gzip.compress(json.dumps(registration()).encode())
    answer = Client(world.wallet.base_url).request("POST", "/v1/users", data=body, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert answer.status_code in (400, 415), answer.text


# ---- limits ----

def test_a_body_of_exactly_the_limit_passes(world):
    headers = {"Content-Type": "application/json"}
    assert world.wallet.request("POST", "/v1/users", data=padded(registration(), BODY_LIMIT), headers=headers).status_code == 201
    assert world.wallet.request("POST", "/v1/users", data=chunks(padded(registration(), BODY_LIMIT)), headers=headers).status_code == 201


def test_a_body_over_the_limit_is_refused(world):
    headers = {"Content-Type": "application/json"}
    for size in (BODY_LIMIT + 1, BODY_LIMIT * 2, 5_000_000):
        answer = world.raw("wallet", "POST", "/v1/users", headers, padded(registration(), size))
        assert answer.status == 413 and json.loads(answer.body)["code"] == "body_too_large"


def test_a_chunked_body_over_the_limit_is_refused(world):
    head = request_bytes("POST", "/v1/users", {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    for size in (BODY_LIMIT + 1, BODY_LIMIT * 3):
        with RawConnection(world.pair.wallet.port) as connection:
            connection.send(head)
            try:
                for chunk in chunks(padded(registration(), size)):
                    connection.send(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                connection.send(b"0\r\n\r\n")
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = connection.read_answer()
        assert answer is not None and answer.status == 413
        world.contracts["wallet"].check("POST", "/v1/users", answer.status, answer.headers, answer.body)


def test_a_body_too_large_is_refused_before_it_is_sent(world):
    headers = {"Content-Type": "application/json", "Expect": "100-continue", "Content-Length": str(BODY_LIMIT + 1)}
    answer = ask(world.pair.wallet.port, request_bytes("POST", "/v1/users", headers))
    assert answer.status == 413
    assert b"100 Continue" not in answer.head


def test_batches_may_be_larger(world):
    token = world.issuers["shop"].token()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    body = {"items": [{"reference": str(uuid.uuid4()), "user_id": str(world.user().id), "amount": 1, "currency": "IRT"}]}
    assert world.raw("wallet", "POST", "/v1/credits", headers, padded(body, BATCH_LIMIT)).status == 200
    answer = world.raw("wallet", "POST", "/v1/credits", headers, padded(body, BATCH_LIMIT + 1))
    assert answer.status == 413 and json.loads(answer.body)["code"] == "body_too_large"


def test_a_body_where_none_is_due(client):
    assert_problem(client.request("GET", "/healthz", data=b"{}", headers={"Content-Type": "application/json"}), 413, "body_too_large")


def test_headers_over_the_limit(world, service):
    fine = world.raw(service, "GET", "/healthz", {"X-Filling": "a" * (HEADER_LIMIT - 512)})
    assert fine.status == 200
    for size in (HEADER_LIMIT, HEADER_LIMIT + 4000):
        answer = world.raw(service, "GET", "/healthz", {"X-Filling": "a" * size})
        assert answer.status == 431 and json.loads(answer.body)["code"] == "headers_too_large"
    for size in (HEADER_LIMIT * 2, HEADER_LIMIT * 20):
        assert_refused(ask(world.service(service).port, request_bytes("GET", "/healthz", {"X-Filling": "a" * size})), 431, "headers_too_large")
    for many in ([(f"X-Filling-{index}", "a" * 40) for index in range(600)], [("X", "")] * 5000):
        assert_refused(ask(world.service(service).port, request_bytes("GET", "/healthz", many)), 431, "headers_too_large")
    few = [("X", "")] * 3000
    assert ask(world.service(service).port, request_bytes("GET", "/healthz", few)).status == 200


def test_targets_over_the_limit(world, service):
    assert world.raw(service, "GET", "/healthz?" + "a" * (TARGET_LIMIT - len("/healthz?"))).status == 200
    for size in (TARGET_LIMIT + 1, TARGET_LIMIT * 2):
        answer = world.raw(service, "GET", "/healthz?" + "a" * (size - len("/healthz?")))
        assert answer.status == 414 and json.loads(answer.body)["code"] == "uri_too_long"


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_refused_requests_leave_the_connection_usable(world, service, method):
    data = request_bytes(method, "/healthz", {"Content-Type": "application/json"}, b"{}" * 100)
    with RawConnection(world.service(service).port) as connection:
        connection.send(data + request_bytes("GET", "/healthz"))
        assert connection.read_answer().status == 405
        assert connection.read_answer().status == 200


# ---- request ids and traces ----

@pytest.mark.parametrize("name", ["a", "order-17", "019aab20-4bff-7c00-8000-0a1b2c3d4e5f", "with blanks and \"quotes\"", "x" * 128])
def test_a_request_id_is_echoed(client, name):
    assert client.get("/healthz", headers={"X-Request-Id": name}).headers["X-Request-Id"] == name
    problem = assert_problem(client.get("/nothing", headers={"X-Request-Id": name}), 404, "route_not_found")
    assert problem["request_id"] == name


def test_a_request_id_is_made(client):
    made = {client.get("/healthz").headers["X-Request-Id"] for _ in range(5)}
    assert len(made) == 5 and all(UUID7.match(name) for name in made)


@pytest.mark.parametrize("garbage", [b"", b"x" * 129, b"tab\there", "پارسی".encode(), b"\xff\xfe", b"\x7f"])
def test_a_garbage_request_id_is_replaced(world, service, garbage):
    answer = world.raw(service, "GET", "/healthz", {"X-Request-Id": garbage})
    assert answer.status == 200 and UUID7.match(answer.header("X-Request-Id"))


def test_a_trace_goes_through_both_services(world):
    trace = uuid.uuid4().hex
    campaign = world.operator.campaign(places=1)
    answer = world.user().redeem(campaign["code"], headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "X-Request-Id": f"traced-{trace}"})
    assert answer.status_code == 201
    for log in (world.pair.discount.log, world.pair.wallet.log):
        wait_until(lambda log=log: trace in log.read_text(), f"the trace in {log.name}", 10)


@pytest.mark.parametrize("garbage", ["garbage", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                     "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"])
def test_a_garbage_trace_harms_nothing(client, garbage):
    assert client.get("/healthz", headers={"traceparent": garbage}).status_code == 200


# ---- what HTTP forbids ----

@pytest.mark.parametrize("data", [
    request_bytes("GET", "/healthz", host=None),
    request_bytes("GET", "/healthz", [("Host", "a")]),
    request_bytes("GET", "/healthz", host="a b"),
    request_bytes("GET", "/healthz", host="a/b"),
    request_bytes("POST", "/v1/users", [("Content-Type", "application/json"), ("Content-Length", "2"), ("Content-Length", "3")]) + b"{} ",
    request_bytes("POST", "/v1/users", [("Content-Type", "application/json"), ("Content-Length", "4"), ("Transfer-Encoding", "chunked")]) + b"0\r\n\r\n",
    request_bytes("POST", "/v1/users", [("Content-Type", "application/json"), ("Content-Length", "-1")]),
    request_bytes("POST", "/v1/users", [("Content-Type", "application/json"), ("Content-Length", "two")]) + b"{}",
    request_bytes("GET", "/healthz%2"),
    request_bytes("GET", "/healthz%00"),
    request_bytes("GET", "/healthz?a=%zz"),
    request_bytes("GET", "/healthz%ff"),
    request_bytes("GET", "/v1/wallet", [("Authorization", "Bearer a"), ("Authorization", "Bearer b")]),
    request_bytes("POST", "/v1/users", [("Content-Type", "application/json"), ("Transfer-Encoding ", "chunked")]) + b"2\r\n{}\r\n0\r\n\r\n",
    request_bytes("GET", "/healthz", [("X-A", "a\rX-B: b")]),
    request_bytes("GET", "/healthz", [("X-A", "a\r\n b")]),
    request_bytes("GET", "/healthz", [("X-A", "a\0b")]),
    request_bytes("GET", "/healthz\0?" + "a=1&" * 900),
    request_bytes("GET", "/healthz").replace(b"\r\n", b"\n"),
    request_bytes("GET", "/healthz").replace(b"\r\n\r\n", b"\r\n\rX\r\n\r\n"),
    request_bytes("GET", " /healthz"),
    request_bytes("GET", "/healthz#part"),
    request_bytes("GET", "/healthz", version="HTTP/9.9"),
    request_bytes("GET", "/healthz", version="HTTP/1.1 "),
    request_bytes("CONNECT", "127.0.0.1:443"),
    request_bytes("G@T", "/healthz"),
    request_bytes("POST", "/v1/users", [("Content-Type", "application/json"), ("Transfer-Encoding", "gzip, chunked")]) + b"0\r\n\r\n",
    request_bytes("POST", "/v1/users", [("Transfer-Encoding", "chunked")], version="HTTP/1.0") + b"0\r\n\r\n",
    b"GET\r\n\r\n", b"GET /healthz\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 1000 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
], ids=["no host", "two hosts", "blank in the host", "slash in the host", "two lengths", "length and chunks", "negative length", "length in words", "cut escape", "NUL", "bad escape", "not UTF-8",
        "two tokens", "blank before the colon", "bare CR", "folded line", "NUL in a field", "NUL before a query", "bare LFs", "bare CR for the end", "two blanks",
        "fragment", "HTTP/9.9", "blank behind the version", "CONNECT", "no method", "other coding", "chunks in HTTP/1.0", "a word", "HTTP/0.9", "HTTP/2",
        "NULs", "TLS"])
def test_bad_requests(world, data):
    assert_refused(ask(world.pair.wallet.port, data), 400, "bad_request")
    assert world.wallet.get("/healthz").status_code == 200


HIDDEN = request_bytes("GET", "/healthz")


@pytest.mark.parametrize("target, fields, status, code", [
    ("/" + "a" * 5000, [("Content-Length", str(len(HIDDEN))), ("Content-Length", "0")], 414, "uri_too_long"),
    ("/" + "a" * 5000, [("Content-Length", f"+{len(HIDDEN)}")], 414, "uri_too_long"),
    ("/" + "a" * 5000, [("Content-Length ", str(len(HIDDEN)))], 414, "uri_too_long"),
    ("/" + "a" * 5000, [("Transfer-Encoding ", "chunked")], 414, "uri_too_long"),
    ("/healthz", [("X", "")] * 3900 + [("Content-Length", str(len(HIDDEN)))], 431, "headers_too_large"),
], ids=["two lengths", "sign", "blank before the colon", "blank behind chunks", "a length behind too many fields"])
def test_no_request_hides_behind_a_refused_head(world, target, fields, status, code):
    """A fault that is named first must not cover one of the framing, and a field that is not read any more may be the one that frames."""
    data = request_bytes("POST", target, fields).replace(b"X: \r\n", b"X:\r\n") + HIDDEN
    with RawConnection(world.pair.wallet.port) as connection:
        connection.send(data)
        assert_refused(connection.read_answer(), status, code)
        assert connection.is_closed()


@pytest.mark.parametrize("body", [
    b"2\r\n{}XY0\r\n\r\n", b"2\n{}\n0\n\n", b"2\rX{}\r\n0\r\n\r\n", b"2 \r\n{}\r\n0\r\n\r\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"+2\r\n{}\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\n{}", b"zz\r\n", b"\r\n2\r\n{}", b"2;\0\r\n{}\r\n", b"2;" + b"x" * 2000, b"0\r\nX : y\r\n\r\n", b"0\r\nX: y\r\n z\r\n\r\n",
    b"0\r\n" + b"X: y\r\n" * 5000,
], ids=["no end of data", "bare LFs", "bare CR", "blank", "0x", "sign", "too large", "no number", "empty line", "NUL", "long extension", "blank before the colon",
        "folded trailer", "many trailers"])
def test_bad_chunks(world, body):
    """What a proxy before us might read in another way, with a request hidden behind it."""
    head = request_bytes("POST", "/v1/users", {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    with RawConnection(world.pair.wallet.port) as connection:
        connection.send(head + body + request_bytes("GET", "/healthz"))
        assert_refused(connection.read_answer(), 400, "bad_request")
        assert connection.is_closed()


@pytest.mark.parametrize("body", [b"2\r\n{}\r\n0\r\n\r\n", b"0002;a=b;c\r\n{}\r\n000\r\nX: y\r\nContent-Type: z\r\n\r\n", b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"])
def test_good_chunks(world, body):
    head = request_bytes("POST", "/v1/users", {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    with RawConnection(world.pair.wallet.port) as connection:
        connection.send(head + body + request_bytes("GET", "/healthz"))
        assert connection.read_answer().status == 422
        assert connection.read_answer().status == 200


@pytest.mark.parametrize("first", [1, 4080, 4095, 12_283, 61_438])
def test_a_chunked_body_of_the_full_size(world, first):
    """However its first chunk makes the room for it grow."""
    body = padded(registration(), BODY_LIMIT)
    with RawConnection(world.pair.wallet.port) as connection:
        connection.send(request_bytes("POST", "/v1/users", {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}))
        for piece in [body[:first], *chunks(body[first:], 1024)]:
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
        assert connection.read_answer().status == 201


def test_a_query_of_many_parameters_is_answered_at_once(world, service):
    for query in ("a=1&" * 1000, "a&" * 2000, "&" * 4000):
        assert world.raw(service, "GET", f"/healthz?{query}").status == 200
    answer = world.raw(service, "GET", "/healthz?" + "a=1&" * 10_000)
    assert answer.status == 414 and json.loads(answer.body)["code"] == "uri_too_long"


@pytest.mark.parametrize("field, closes", [("close", True), ("Close", True), ("te, close", True), ("close ,x", True), ("closer", False), ("keep-alive", False)])
def test_connection_close_in_any_list(world, service, field, closes):
    with RawConnection(world.service(service).port) as connection:
        connection.send(request_bytes("GET", "/healthz", {"Connection": field}))
        answer = connection.read_answer()
        assert answer.status == 200 and (answer.header("Connection") == "close") == closes
        if closes:
            assert connection.is_closed()
        else:
            connection.send(request_bytes("GET", "/healthz"))
            assert connection.read_answer().status == 200


def test_http_1_0_keeps_alive_when_asked(world, service):
    with RawConnection(world.service(service).port) as connection:
        for _ in range(2):
            connection.send(request_bytes("GET", "/healthz", {"Connection": "keep-alive"}, version="HTTP/1.0"))
            answer = connection.read_answer()
            assert answer.status == 200 and answer.header("Connection") == "keep-alive"


def test_absolute_form(world, service):
    port = world.service(service).port
    assert ask(port, request_bytes("GET", f"http://127.0.0.1:{port}/healthz?a=b")).status == 200
    assert ask(port, request_bytes("OPTIONS", "*")).status == 404


def test_each_answer_says_when(client):
    answer = client.get("/healthz")
    assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["Date"])


@pytest.mark.parametrize("data", [
    b"\r\n\r\n", b"\r", b"GET", b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", b"\xff" * 100_000,
], ids=["empty", "half an empty line", "half a word", "half a head", "bad header", "noise"])
def test_noise_is_survived(world, data):
    with RawConnection(world.pair.wallet.port, deadline_s=1) as connection:
        connection.send(data)
        try:
            connection.socket.shutdown(1)
            connection.read_answer()
        except (OSError, AssertionError):
            pass
    assert world.wallet.get("/healthz").status_code == 200


def test_pipelined_requests_are_answered_in_order(world, service):
    with RawConnection(world.service(service).port) as connection:
        connection.send(b"".join(request_bytes("GET", "/healthz", {"X-Request-Id": f"number-{index}"}) for index in range(20)))
        assert [connection.read_answer().header("X-Request-Id") for _ in range(20)] == [f"number-{index}" for index in range(20)]


def test_a_request_behind_one_that_waits_for_the_disk(world):
    campaign, user = world.operator.campaign(places=1), world.user()
    body = json.dumps({"code": campaign["code"], "phone": user.phone}).encode()
    redemption = request_bytes("POST", "/v1/redemptions", {"Content-Type": "application/json", "Authorization": f"Bearer {user.token}"}, body)
    with RawConnection(world.pair.discount.port) as connection:
        connection.send(request_bytes("GET", "/nothing") + redemption + request_bytes("GET", "/healthz") + redemption)
        assert [connection.read_answer().status for _ in range(4)] == [404, 201, 200, 200]


def test_an_answer_that_is_read_slowly(world, service):
    """More than the sockets' buffers take, behind others on the same connection, while other connections are served."""
    port = world.service(service).port
    path = "/docs/swagger-ui-bundle.js"
    whole = ask(port, request_bytes("GET", path))
    assert whole.status == 200 and len(whole.body) > 100_000
    with RawConnection(port) as connection:
        connection.send(request_bytes("GET", path) * 8 + request_bytes("HEAD", path))
        assert ask(port, request_bytes("GET", "/healthz")).status == 200
        assert all(connection.read_answer().body == whole.body for _ in range(8))
        assert int(connection.read_answer("HEAD").header("Content-Length")) == len(whole.body)


def test_a_request_in_single_bytes(world):
    body = json.dumps(registration()).encode()
    data = request_bytes("POST", "/v1/users", {"Content-Type": "application/json"}, body)
    with RawConnection(world.pair.wallet.port) as connection:
        connection.socket.setsockopt(6, 1, 1)
        for index in range(len(data)):
            connection.send(data[index:index + 1])
        assert connection.read_answer().status == 201


def test_http_1_0(world, service):
    with RawConnection(world.service(service).port) as connection:
        connection.send(request_bytes("GET", "/healthz", host=None, version="HTTP/1.0"))
        assert connection.read_answer().status == 200
        assert connection.is_closed()


def test_a_client_that_leaves_harms_nobody(world):
    campaign = world.operator.campaign(places=50)
    users = [world.user() for _ in range(10)]
    for user in users:
        body = json.dumps({"code": campaign["code"], "phone": user.phone}).encode()
        with RawConnection(world.pair.discount.port) as connection:
            connection.send(request_bytes("POST", "/v1/redemptions", {"Content-Type": "application/json", "Authorization": f"Bearer {user.token}"}, body))
    wait_until(lambda: world.operator.report(campaign["id"])["credited"] == len(users), "the places of those who left")
    assert sorted(row["position"] for row in world.operator.winners(campaign["id"])) == list(range(1, 11))
