"""The checker must refuse what is wrong, and the documents must be right in themselves."""
import copy
import json
import re
import subprocess
from types import SimpleNamespace

import pytest

from .openapi import ROOT, Contract, ContractViolation, strict_json
from .routes import differences, parse_table

DOCUMENTS = ["wallet", "discount"]
REQUEST_ID = "019aab20-4bff-7c00-8000-0a1b2c3d4e5f"
JSON = {"Content-Type": "application/json", "X-Request-Id": REQUEST_ID}
PROBLEM = {"Content-Type": "application/problem+json", "X-Request-Id": REQUEST_ID}
WALLET = {"account_id": "019aab20-4c00-7a31-9f00-5b1e2c3d4e02", "currency": "IRT", "balance": 1000000, "held": 0, "available": 1000000,
          "sequence": 4711, "updated_at": "2026-11-22T10:00:00.123456Z"}


@pytest.fixture(scope="module")
def contracts():
    return {name: Contract.load(f"api/{name}.yaml") for name in DOCUMENTS}


@pytest.fixture
def wallet(contracts):
    return contracts["wallet"]


@pytest.fixture
def discount(contracts):
    return contracts["discount"]


def problem(code, status, **members):
    document = {"type": f"/problems/{code}", "title": "A title", "status": status, "detail": "A sentence.", "code": code,
                "request_id": REQUEST_ID, **members}
    return json.dumps(document).encode()


def refused(contract, *answer, match, **more):
    with pytest.raises(ContractViolation, match=match):
        contract.check(*answer, **more)


def wallet_with(**members):
    return json.dumps({**WALLET, **members}).encode()


# ---- bodies ----

def test_a_right_body_passes(wallet):
    wallet.check("GET", "/v1/wallet", 200, JSON, wallet_with())
    wallet.check("GET", "/v1/wallet", 200, {**JSON, "Content-Type": "application/json; charset=utf-8"}, wallet_with())


@pytest.mark.parametrize("members, match", [
    ({"balance": "1000000"}, "balance"),
    ({"balance": -9007199254740992}, "balance"),
    ({"balance": 9007199254740992}, "balance"),
    ({"currency": "usd"}, "currency"),
    ({"account_id": "019AAB20-4c00-7a31-9f00-5b1e2c3d4e02"}, "account_id"),
    ({"account_id": "019aab20-4c00-4a31-9f00-5b1e2c3d4e02"}, "account_id"),
    ({"updated_at": "2026-11-22T10:00:00Z"}, "updated_at"),
    ({"updated_at": "2026-11-22T10:00:00.123456+00:00"}, "updated_at"),
    ({"updated_at": None}, "updated_at"),
    ({"surprise": 1}, "surprise"),
])
def test_a_wrong_body_is_refused(wallet, members, match):
    refused(wallet, "GET", "/v1/wallet", 200, JSON, wallet_with(**members), match=match)


@pytest.mark.parametrize("name", sorted(WALLET))
def test_a_missing_member_is_refused(wallet, name):
    body = json.dumps({key: value for key, value in WALLET.items() if key != name}).encode()
    refused(wallet, "GET", "/v1/wallet", 200, JSON, body, match=name)


@pytest.mark.parametrize("number", ["1000000.0", "1e6"])
def test_an_integer_written_as_a_fraction_is_refused(wallet, number):
    refused(wallet, "GET", "/v1/wallet", 200, JSON, wallet_with().replace(b'"balance": 1000000', b'"balance": ' + number.encode()), match="balance")


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 1}', b"[NaN]", b'"\xff"', b"{", b""])
def test_only_strict_json_is_parsed(wallet, body):
    with pytest.raises(ValueError):
        strict_json(body)
    refused(wallet, "GET", "/v1/wallet", 200, JSON, body, match="strict JSON")


def test_a_body_where_none_is_due_is_refused(wallet):
    wallet.check("DELETE", "/v1/sessions/current", 204, JSON, b"")
    refused(wallet, "DELETE", "/v1/sessions/current", 204, JSON, b"{}", match="no body")
    wallet.check("HEAD", "/v1/wallet", 200, JSON, b"")
    refused(wallet, "HEAD", "/v1/wallet", 200, JSON, wallet_with(), match="no body")


def test_alternatives_are_told_apart(wallet, discount):
    reference = "019aab20-4c00-7a31-9f00-5b1e2c3d4e07"
    applied = {"reference": reference, "status": "applied", "transaction_id": reference, "balance_after": 1,
               "created_at": "2026-11-22T10:00:00.123456Z"}
    rejected = {"reference": reference, "status": "rejected", "code": "fund_exhausted"}
    wallet.check_schema("CreditOutcome", applied)
    wallet.check_schema("CreditOutcome", rejected)
    for wrong in ({**applied, "code": "fund_exhausted"}, {**rejected, "transaction_id": reference}, {**rejected, "code": "no_such_code"}):
        with pytest.raises(ContractViolation):
            wallet.check_schema("CreditOutcome", wrong)
    _, _, operation = next(found for found in discount.operations() if found[2]["operationId"] == "createRedemption")
    credited = operation["responses"]["201"]["content"]["application/json"]["example"]
    discount.check_schema("Redemption", credited)
    discount.check_schema("Redemption", {**credited, "status": "reversed"})
    for wrong in ({**credited, "status": "claimed"}, {**credited, "status": "applied"}, {**credited, "position": 0},
                  {key: value for key, value in credited.items() if key != "credited_at"}):
        with pytest.raises(ContractViolation):
            discount.check_schema("Redemption", wrong)


def test_csv_is_held_to_its_head_line(discount):
    target, headers = "/v1/campaigns/019aab20-4c00-7a31-9f00-5b1e2c3d4e08/redemptions", {**JSON, "Content-Type": "text/csv; charset=utf-8"}
    head = b"position,id,user_id,phone,status,amount,currency,transaction_id,claimed_at,credited_at\r\n"
    discount.check("GET", target, 200, headers, head)
    refused(discount, "GET", target, 200, headers, b"id,position\r\n", match="does not match")


# ---- status, headers, media types ----

def test_an_undocumented_status_is_refused(wallet):
    refused(wallet, "GET", "/v1/wallet", 418, PROBLEM, problem("internal", 418), match="not documented")
    refused(wallet, "GET", "/v1/wallet", 201, JSON, wallet_with(), match="not documented")


def test_an_undocumented_media_type_is_refused(wallet):
    refused(wallet, "GET", "/v1/wallet", 200, {**JSON, "Content-Type": "text/plain"}, wallet_with(), match="content type")
    refused(wallet, "GET", "/v1/wallet", 200, {"X-Request-Id": REQUEST_ID}, wallet_with(), match="content type")


def test_a_missing_or_wrong_header_is_refused(wallet):
    refused(wallet, "GET", "/v1/wallet", 200, {"Content-Type": "application/json"}, wallet_with(), match="X-Request-Id")
    body = problem("token_missing", 401)
    wallet.check("GET", "/v1/wallet", 401, {**PROBLEM, "WWW-Authenticate": "Bearer"}, body)
    refused(wallet, "GET", "/v1/wallet", 401, PROBLEM, body, match="WWW-Authenticate")
    refused(wallet, "GET", "/v1/wallet", 401, {**PROBLEM, "WWW-Authenticate": "Basic"}, body, match="WWW-Authenticate")
    body = problem("overloaded", 503)
    wallet.check("GET", "/v1/wallet", 503, {**PROBLEM, "Retry-After": "1"}, body)
    refused(wallet, "GET", "/v1/wallet", 503, PROBLEM, body, match="Retry-After")
    for wrong in ("soon", "0", "-1", "1.5"):
        refused(wallet, "GET", "/v1/wallet", 503, {**PROBLEM, "Retry-After": wrong}, body, match="Retry-After")


def test_header_names_ignore_case_and_come_as_pairs_too(wallet):
    wallet.check("GET", "/v1/wallet", 200, [("content-type", "application/json"), ("x-request-id", REQUEST_ID)], wallet_with())


# ---- problems ----

def test_a_code_outside_of_the_enumeration_is_refused(wallet):
    wallet.check("GET", "/v1/wallet", 403, PROBLEM, problem("forbidden", 403))
    refused(wallet, "GET", "/v1/wallet", 403, PROBLEM, problem("not_allowed", 403), match="code")


def test_a_problem_must_agree_with_itself(wallet):
    refused(wallet, "GET", "/v1/wallet", 403, PROBLEM, problem("forbidden", 404), match="status")
    refused(wallet, "GET", "/v1/wallet", 403, PROBLEM, problem("forbidden", 403, type="/problems/other"), match="does not name")
    refused(wallet, "GET", "/v1/wallet", 403, PROBLEM, problem("forbidden", 403, request_id="another"), match="request_id")
    refused(wallet, "GET", "/v1/wallet", 403, PROBLEM, problem("forbidden", 403, extra=1), match="extra")
    replayed = {**PROBLEM, "Idempotent-Replayed": "true", "X-Request-Id": "another"}
    wallet.check("POST", "/v1/users", 409, replayed, problem("username_taken", 409))


def test_faults_come_with_validation_failed_and_only_there(wallet):
    fault = {"field": "limit", "code": "out_of_range", "detail": "must be 1 to 200"}
    target = "/v1/wallet/transactions?limit=0"
    wallet.check("GET", target, 422, PROBLEM, problem("validation_failed", 422, errors=[fault]))
    refused(wallet, "GET", target, 422, PROBLEM, problem("validation_failed", 422), match="errors")
    refused(wallet, "GET", target, 422, PROBLEM, problem("validation_failed", 422, errors=[]), match="errors")
    refused(wallet, "GET", target, 422, PROBLEM, problem("validation_failed", 422, errors=[{**fault, "field": None}]), match="field")
    refused(wallet, "GET", "/v1/wallet", 403, PROBLEM, problem("forbidden", 403, errors=[fault]), match="errors")


def test_members_and_headers_of_one_code(discount):
    time = "2026-11-22T12:00:00.000000Z"
    answer = "POST", "/v1/redemptions", 409
    discount.check(*answer, {**PROBLEM, "Retry-After": "60"}, problem("campaign_not_started", 409, starts_at=time))
    refused(discount, *answer, PROBLEM, problem("campaign_not_started", 409, starts_at=time), match="Retry-After")
    refused(discount, *answer, {**PROBLEM, "Retry-After": "60"}, problem("campaign_not_started", 409), match="starts_at")
    discount.check(*answer, PROBLEM, problem("campaign_paused", 409))
    refused(discount, *answer, PROBLEM, problem("campaign_paused", 409, starts_at=time), match="starts_at")


# ---- outside of the document ----

def test_unknown_paths_and_methods(wallet):
    not_found, wrong_method = problem("route_not_found", 404), problem("method_not_allowed", 405)
    allow = {**PROBLEM, "Allow": "GET, HEAD"}
    wallet.check("GET", "/v1/nothing", 404, PROBLEM, not_found)
    wallet.check("POST", "/v1/wallet", 405, allow, wrong_method)
    refused(wallet, "POST", "/v1/wallet", 405, PROBLEM, wrong_method, match="Allow")
    refused(wallet, "POST", "/v1/wallet", 404, PROBLEM, not_found, match="not documented")
    refused(wallet, "GET", "/v1/nothing", 405, allow, wrong_method, match="not documented")
    refused(wallet, "GET", "/v1/nothing", 200, JSON, b"{}", match="not documented")
    wallet.check("HEAD", "/v1/nothing", 404, PROBLEM, b"")


@pytest.mark.parametrize("target, path", [
    ("/v1/users/me", "/v1/users/me"),
    ("/v1/funds/a%2Fb/topup?x=1", "/v1/funds/{reference}/topup"),
    ("/v1/%77allet", "/v1/wallet"),
    ("/v1/funds/", None),
    ("/docs/", "/docs/"),
    ("/docs", "/docs"),
    ("/docs/swagger-ui.css", "/docs/{file}"),
    ("/v1/funds/a/b/topup", None),
])
def test_paths_are_matched_by_segment(wallet, target, path):
    assert wallet.find_path(target) == path


def test_a_literal_segment_goes_before_a_template():
    contract = Contract({"paths": {"/users/{id}": {}, "/users/me": {}}, "components": {"schemas": {}}})
    assert [contract.find_path(target) for target in ("/users/me", "/users/you")] == ["/users/me", "/users/{id}"]


# ---- accepted requests ----

def test_an_accepted_request_must_be_documented(wallet):
    page = b'{"data": [], "next_cursor": null}'
    wallet.check("GET", "/v1/wallet/transactions?limit=1", 200, JSON, page)
    refused(wallet, "GET", "/v1/wallet/transactions?offset=1", 200, JSON, page, match="offset")
    wallet.check("GET", "/v1/merchants?limit=1", 200, JSON, page)
    wallet.check("GET", "/openapi.json?v=1", 304, {**JSON, "ETag": '"a"'}, b"")
    session = json.dumps({"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 1, "refresh_token": "r", "refresh_expires_in": 1}).encode()
    answer = "POST", "/v1/sessions", 201, JSON, session
    wallet.check(*answer, request_body=b'{"username": "sara", "password": "a long sentence"}')
    refused(wallet, *answer, request_body=b'{"username": "sara"}', match="accepted")
    refused(wallet, "POST", "/v1/sessions?dryrun=true", *answer[2:], request_body=b'{"username": "sara", "password": "a long sentence"}', match="dryrun")
    refused(wallet, *answer, request_body=b'{"username": "sara", "password": "p", "password": "p"}', match="accepted")


def test_a_body_of_another_type_must_be_documented():
    discount = Contract.load("api/discount.yaml")
    sent = ("POST", f"/v1/campaigns/{REQUEST_ID}/eligible", 200, JSON, b'{"added": 1, "already_listed": 0, "users": 0, "phones": 1, "skipped": 0, "errors": []}')
    discount.check(*sent, request_body=b"phone\r\n", request_type="text/csv; header=present")
    for body, media_type in ((b"phone\r\n", "application/json"), (b"phone\r\n", "text/plain")):
        with pytest.raises(ContractViolation):
            discount.check(*sent, request_body=body, request_type=media_type)


def test_an_answer_of_requests_is_taken_apart(wallet):
    def answer(status, body):
        request = SimpleNamespace(method="POST", path_url="/v1/sessions", body=body, headers={})
        session = b'{"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 1, "refresh_token": "r", "refresh_expires_in": 1}'
        return SimpleNamespace(request=request, status_code=status, headers=JSON, content=session)

    for body in ('{"username": "sara", "password": "p"}', b'{"username": "sara", "password": "p"}', None):
        wallet.check_response(answer(201, body))
    for wrong in (answer(200, None), answer(201, '{"username": "sara"}'), answer(201, b"[]")):
        with pytest.raises(ContractViolation):
            wallet.check_response(wrong)


# ---- the documents themselves ----

@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_example_fits_its_schema(contracts, name):
    contract = contracts[name]
    count = 0
    for media in contract.media_types():
        examples = [contract.resolve(example)["value"] for example in media.get("examples", {}).values()]
        for example in examples + ([media["example"]] if "example" in media else []):
            contract._validate("example", media["schema"], example)
            count += 1
    assert count > 50


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_code_has_an_example_and_every_json_answer_too(contracts, name):
    contract = contracts[name]
    for method, path, operation in contract.operations():
        for status, response in operation["responses"].items():
            response = contract.resolve(response)
            media = response.get("content", {}).get("application/problem+json")
            if media:
                assert list(media["examples"]) == media["schema"]["properties"]["code"]["enum"], f"{method} {path} {status}"
                assert media["schema"]["properties"]["status"]["const"] == int(status), f"{method} {path} {status}"
            media = response.get("content", {}).get("application/json")
            assert not media or path.startswith("/openapi") or "example" in media or "examples" in media, f"{method} {path} {status}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_object_is_closed(contracts, name):
    contract = contracts[name]
    for schema_name, schema in contract.document["components"]["schemas"].items():
        if schema.get("type") == "object" and schema_name != "Problem":
            assert schema["additionalProperties"] is False, schema_name
    for media in contract.media_types():
        if media["schema"].get("allOf") == [{"$ref": "#/components/schemas/Problem"}]:
            assert media["schema"]["unevaluatedProperties"] is False


@pytest.mark.parametrize("name", DOCUMENTS)
def test_scope_and_security_say_the_same(contracts, name):
    for method, path, operation in contracts[name].operations():
        scope, security = operation["x-scope"], operation["security"]
        if scope == "-":
            assert security == [], f"{method} {path}"
        else:
            assert security == [{"bearer": [one]} for one in scope.split("|")], f"{method} {path}"
            assert {"401", "403"} <= set(operation["responses"]), f"{method} {path}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_query_is_refused_wherever_something_depends_on_it(contracts, name):
    contract = contracts[name]
    for method, path, operation in contract.operations():
        response = contract.resolve(operation["responses"].get("422", {}))
        if not response:
            assert (method, operation["x-scope"]) == ("GET", "-") and not any(contract.resolve(one)["in"] == "query" for one in operation.get("parameters", [])), path
            continue
        codes = response["content"]["application/problem+json"]["schema"]["properties"]["code"]["enum"]
        assert "validation_failed" in codes, f"{method} {path}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_page_files_are_those_that_are_embedded(contracts, name):
    embed = (ROOT / "scripts" / "embed").read_text(encoding="utf-8")
    own, others = (re.search(rf"^{files} = (\[.*\])$", embed, re.MULTILINE).group(1) for files in ("OWN_FILES", "SWAGGER_UI_FILES"))
    parameter = contracts[name].document["paths"]["/docs/{file}"]["get"]["parameters"][0]
    assert sorted(parameter["schema"]["enum"] + ["index.html"]) == sorted(json.loads(own) + json.loads(others))


# ---- routes ----

def test_routes_differ_in_both_directions(wallet):
    documented = wallet.routes()
    assert ("GET", "/docs/{file*}", "-") in documented
    assert ("POST", "/v1/credits", "credits:write") in documented
    table = "\n".join(" ".join(route) for route in documented)
    assert differences(documented, parse_table(table)) == []
    assert differences(documented, parse_table(table + "\nGET /v1/secret -")) == ["not documented, or with another scope: GET /v1/secret -"]
    lines = differences(documented, parse_table(table.replace("POST /v1/credits credits:write", "POST /v1/credits user")))
    assert lines == ["not documented, or with another scope: POST /v1/credits user", "not built, or with another scope: POST /v1/credits credits:write"]
    with pytest.raises(ValueError):
        parse_table("GET /v1/wallet")


# ---- scripts/embed ----

def embed_json(path):
    return subprocess.run([ROOT / "scripts" / "embed", "json", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_embed_reads_yaml_as_json_would(tmp_path):
    path = tmp_path / "document.yaml"
    path.write_text("time: 2026-11-22T10:00:00Z\nno: yes\nwhole: 12\ntruth: true\nnothing: null\n", encoding="utf-8")
    assert json.loads(embed_json(path).stdout) == {"time": "2026-11-22T10:00:00Z", "no": "yes", "whole": 12, "truth": True, "nothing": None}


@pytest.mark.parametrize("text, message", [("a: 1\na: 2\n", "twice"), ("200: ok\n", "not text")])
def test_embed_refuses_what_json_could_not_say(tmp_path, text, message):
    path = tmp_path / "document.yaml"
    path.write_text(text, encoding="utf-8")
    made = embed_json(path)
    assert made.returncode != 0 and message in made.stderr


def test_a_checked_document_is_not_changed(wallet):
    before = copy.deepcopy(wallet.document)
    wallet.check("GET", "/v1/wallet", 200, JSON, wallet_with())
    assert wallet.document == before
