"""Idempotency-Key on every POST that makes something or moves money."""
import concurrent.futures
import datetime
import json
import urllib.parse
import uuid

import pytest

from harness.client import PASSWORD, new_phone, new_username
from harness.services import wait_until
from harness.world import assert_problem


class Action:
    """A POST that takes a key: `prepare` gives (client, path, body, changed body, the members that differ, a count of its effects)."""

    def __init__(self, name, prepare, status=201):
        self.name, self.prepare, self.status = name, prepare, status


def register(world):
    body = {"username": new_username(), "password": PASSWORD, "phone": new_phone()}
    changed = {**body, "username": new_username()}
    return world.wallet, "/v1/users", body, changed, ["username"], lambda: int(bool(world.operator.wallet.get(f"/v1/accounts?username={body['username']}").json()["data"]))


def transfer(world):
    sender, receiver = world.rich_user(1000), world.user()
    body = {"to": {"username": receiver.username}, "amount": 10, "currency": "IRT", "description": "Lunch"}
    changed = {"to": {"username": receiver.username}, "amount": 11, "currency": "IRT"}
    return sender.wallet, "/v1/wallet/transfers", body, changed, ["amount", "description"], lambda: receiver.balance() // 10


def credit(world):
    user = world.user()
    body = {"items": [{"reference": str(uuid.uuid4()), "user_id": user.id, "amount": 10, "currency": "IRT"}]}
    changed = {"items": [{**body["items"][0], "amount": 20}]}
    return world.shop, "/v1/credits", body, changed, ["items[0].amount"], lambda: user.balance() // 10


def fund(world):
    body = {"reference": f"f-{uuid.uuid4()}", "amount": 10, "currency": "IRT"}
    return world.shop, "/v1/funds", body, {**body, "amount": 11}, ["amount"], lambda: world.shop.get(f"/v1/funds/{body['reference']}").json()["funded"] // 10


def topup(world):
    reference = world.fund(10)["reference"]
    body = {"amount": 10, "currency": "IRT"}
    count = lambda: world.shop.get(f"/v1/funds/{reference}").json()["funded"] // 10 - 1  # noqa: E731
    return world.shop, f"/v1/funds/{reference}/topup", body, {**body, "amount": 20}, ["amount"], count


def campaign(world):
    body = {"name": "A", "kind": "wallet_credit", "code": "K" + new_phone()[1:], "credit": {"amount": 5, "currency": "IRT"}, "max_redemptions": 5}
    changed = {**body, "credit": {"amount": 6, "currency": "IRT"}, "name": "B"}
    count = lambda: sum(row["code"] == body["code"] for row in world.operator.discount.get("/v1/campaigns?limit=200").json()["data"])  # noqa: E731
    return world.operator.discount, "/v1/campaigns", body, changed, ["name", "credit.amount"], count


def redemption(world):
    made = world.operator.campaign(places=5)
    user = world.user()
    body = {"code": made["code"], "phone": user.phone}
    return user.discount, "/v1/redemptions", body, {**body, "code": made["code"] + "X"}, ["code"], lambda: world.operator.report(made["id"])["redeemed"]


ACTIONS = [Action("users", register), Action("transfers", transfer), Action("credits", credit, 200), Action("funds", fund), Action("topup", topup, 200),
           Action("campaigns", campaign), Action("redemptions", redemption)]


@pytest.fixture(params=ACTIONS, ids=lambda action: action.name)
def action(request):
    return request.param


def test_a_replay_is_byte_identical(world, action):
    client, path, body, _, _, effects = action.prepare(world)
    key = str(uuid.uuid4())
    first = client.post(path, body, key=key)
    assert first.status_code == action.status, first.text
    assert "Idempotent-Replayed" not in first.headers
    for _ in range(2):
        again = client.post(path, body, key=key)
        assert again.status_code == first.status_code
        assert again.content == first.content
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers.get("Location") == first.headers.get("Location")
        assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert effects() == 1


def test_another_body_is_refused_and_the_members_named(world, action):
    client, path, body, changed, differing, effects = action.prepare(world)
    key = str(uuid.uuid4())
    assert client.post(path, body, key=key).status_code == action.status
    problem = assert_problem(client.post(path, changed, key=key), 422, "idempotency_key_reused", differing)
    assert all(fault["code"] == "differs" for fault in problem["errors"])
    again = client.post(path, body, key=key)
    assert again.status_code == action.status and again.headers["Idempotent-Replayed"] == "true"
    assert effects() == 1


def test_the_same_body_written_otherwise_is_the_same(world, action):
    client, path, body, _, _, effects = action.prepare(world)
    key = str(uuid.uuid4())
    first = client.post(path, body, key=key)
    text = json.dumps(dict(reversed(body.items())), indent=2).encode()
    again = client.request("POST", path, data=text, headers={"Content-Type": "application/json"}, key=key)
    assert again.content == first.content and again.headers["Idempotent-Replayed"] == "true"
    assert effects() == 1


def test_concurrent_duplicates_have_one_effect_and_one_answer(world, action):
    client, path, body, _, _, effects = action.prepare(world)
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    if client.token:
        headers["Authorization"] = f"Bearer {client.token}"
    service = "wallet" if client.base_url == world.wallet.base_url else "discount"
    answers = world.all_at_once(service, "POST", path, [(headers, json.dumps(body).encode())] * 24)
    assert {answer.status for answer in answers} == {action.status}
    assert len({answer.body for answer in answers}) == 1
    assert sum(answer.header("Idempotent-Replayed") is None for answer in answers) == 1
    assert effects() == 1


def test_without_a_key_each_request_is_its_own(world):
    client, path, body, _, _, effects = transfer(world)
    first, second = client.post(path, body), client.post(path, body)
    assert first.json()["id"] != second.json()["id"]
    assert effects() == 2


def test_another_password_is_not_told_apart(world):
    """A stranger who knows the key of a registration learns nothing about its password, which no part of what is kept depends on."""
    body, key = {"username": new_username(), "password": PASSWORD}, str(uuid.uuid4())
    first = world.wallet.post("/v1/users", body, key=key)
    assert first.status_code == 201
    again = world.wallet.post("/v1/users", {**body, "password": PASSWORD + "!"}, key=key)
    assert again.status_code == 201 and again.content == first.content and again.headers["Idempotent-Replayed"] == "true"
    assert world.wallet.post("/v1/sessions", {"username": body["username"], "password": PASSWORD}).status_code == 201
    assert world.wallet.post("/v1/sessions", {"username": body["username"], "password": PASSWORD + "!"}).status_code == 401
    assert_problem(world.wallet.post("/v1/users", {"username": new_username(), "password": PASSWORD}, key=key), 422, "idempotency_key_reused", ["username"])


@pytest.mark.parametrize("key", ["k", "x" * 255, "with blanks, and; \"signs\" ~!", "0"])
def test_right_keys(world, key):
    client, path, body, _, _, _ = transfer(world)
    first = client.post(path, body, key=key)
    assert first.status_code == 201, first.text
    assert client.post(path, body, key=key).content == first.content


@pytest.mark.parametrize("key", [b"x" * 256, b"", b"caf\xc3\xa9", b"\x7f", b"\xff", b"a\tb"])
def test_wrong_keys_are_named(world, key):
    sender = world.rich_user(1000)
    body = json.dumps({"to": {"username": world.user().username}, "amount": 10, "currency": "IRT"}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {sender.token}", "Idempotency-Key": key}
    answer = world.raw("wallet", "POST", "/v1/wallet/transfers", headers, body)
    assert answer.status == 422, answer.body
    assert [fault["field"] for fault in json.loads(answer.body)["errors"]] == ["Idempotency-Key"]
    assert sender.balance() == 1000


def test_a_wrong_key_is_told_with_what_is_wrong_in_the_body(world, action):
    client, path, body, _, _, _ = action.prepare(world)
    wrong = "x" * 256
    assert_problem(client.post(path, body, key=wrong), 422, "validation_failed", ["Idempotency-Key"])
    assert_problem(client.post(path, {**body, "surprise": 1, "more": 2}, key=wrong), 422, "validation_failed", ["Idempotency-Key", "surprise", "more"])
    problem = assert_problem(client.post(path, [], key=wrong), 422, "validation_failed", ["Idempotency-Key", ""])
    assert [fault["code"] for fault in problem["errors"]] == ["invalid_format", "wrong_type"]
    assert client.post(path, body).status_code == action.status  # nothing was done before


def test_a_wrong_key_is_told_with_a_body_that_is_not_due(world):
    path = f"/v1/funds/{world.fund()['reference']}/release"
    assert_problem(world.shop.post(path, key="x" * 256), 422, "validation_failed", ["Idempotency-Key"])
    assert_problem(world.shop.post(path, {"surprise": 1}, key="x" * 256), 422, "validation_failed", ["Idempotency-Key", "surprise"])
    assert world.shop.post(path, {}, key="k").content == world.shop.post(path, key="k").content  # the same request


def test_keys_belong_to_their_caller(world):
    key = str(uuid.uuid4())
    receiver = world.user()
    body = {"to": {"username": receiver.username}, "amount": 10, "currency": "IRT"}
    answers = [world.rich_user(1000).wallet.post("/v1/wallet/transfers", body, key=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert all("Idempotent-Replayed" not in answer.headers for answer in answers)
    assert receiver.balance() == 20
    item = {"user_id": receiver.id, "amount": 1, "currency": "IRT"}
    for client in (world.shop, world.bank):
        answer = client.post("/v1/credits", {"items": [{**item, "reference": "the same"}]}, key=key)
        assert answer.status_code == 200 and "Idempotent-Replayed" not in answer.headers


def ask_about(client, key, **options):
    return client.get("/v1/idempotency/" + urllib.parse.quote(key, safe=""), **options)


def test_what_became_of_a_request(world, action):
    client, path, body, _, _, _ = action.prepare(world)
    key = f"{uuid.uuid4()} /?#%+ \"äsk\"".encode("ascii", "replace").decode()
    if client.token is None:  # a registration has no caller, who could ask
        assert client.post(path, body, key=key).status_code == 201
        assert_problem(ask_about(client, key), 401, "token_missing")
        return
    assert_problem(ask_about(client, key), 404, "idempotency_key_not_found")
    first = client.post(path, body, key=key)
    found = ask_about(client, key)
    assert found.status_code == 200, found.text
    kept = found.json()
    assert (kept["state"], kept["status"], kept["body"]) == ("done", first.status_code, first.json())
    made, ends = (datetime.datetime.fromisoformat(kept[name].replace("Z", "+00:00")) for name in ("created_at", "expires_at"))
    assert abs((datetime.datetime.now(datetime.timezone.utc) - made).total_seconds()) < 60 and ends - made >= datetime.timedelta(days=7)
    stranger = world.user()
    other = stranger.discount if path.startswith(("/v1/redemptions", "/v1/campaigns")) else stranger.wallet
    assert_problem(ask_about(other, key), 404, "idempotency_key_not_found")
    assert ask_about(client, key).content == found.content


def test_what_became_of_a_refusal_and_of_nothing(world):
    sender, receiver, key = world.user(), world.user(), str(uuid.uuid4())
    refused = sender.wallet.post("/v1/wallet/transfers", {"to": {"username": receiver.username}, "amount": 10, "currency": "IRT"}, key=key)
    kept = ask_about(sender.wallet, key).json()
    assert (kept["state"], kept["status"], kept["body"]) == ("done", 409, refused.json())
    assert sender.redeem(f"N{uuid.uuid4().hex[:12]}", key=key).status_code == 404
    for unknown in (key, "x" * 300, "\x7f", "a\nb"):
        assert_problem(ask_about(sender.discount, unknown), 404, "idempotency_key_not_found")


def test_what_the_store_has_in_hand_is_in_progress(world):
    """In both services, and also when nothing of it will be kept."""
    user, receiver, campaign = world.rich_user(100), world.user(), world.operator.campaign(places=1)
    transfer = {"to": {"username": receiver.username}, "amount": 10, "currency": "IRT"}
    pair = world.pair
    requests_of = (
        (pair.wallet, user.wallet, lambda key: user.wallet.post("/v1/wallet/transfers", transfer, key=key), 201),
        (pair.discount, user.discount, lambda key: user.redeem(campaign["code"], key=key), 201),
        (pair.wallet, user.wallet, lambda key: user.wallet.post("/v1/wallet/transfers", {**transfer, "amount": 2_000_000}, key=key), 409),
    )
    for service, client, send, status in requests_of:
        key = str(uuid.uuid4())
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            with service.held():
                sent = pool.submit(send, key)
                wait_until(lambda: ask_about(client, key).status_code == 200, "it is under way")
                found = ask_about(client, key).json()
                assert (found["state"], found["status"], found["body"]) == ("in_progress", None, None) and found["created_at"] < found["expires_at"]
                stranger = world.user() if service is pair.discount else receiver
                assert_problem(ask_about(stranger.discount if service is pair.discount else stranger.wallet, key), 404, "idempotency_key_not_found")
            answer = sent.result()
        assert answer.status_code == status, answer.text
        kept = ask_about(client, key).json()
        assert (kept["state"], kept["status"], kept["body"]) == ("done", status, answer.json())
    late, key = world.user(), str(uuid.uuid4())
    assert late.redeem(campaign["code"], key=key).json()["code"] == "sold_out"  # never kept, and nothing of it stays
    assert_problem(ask_about(late.discount, key), 404, "idempotency_key_not_found")


def test_definite_refusals_are_kept(world):
    sender, receiver = world.user(), world.user()
    body = {"to": {"username": receiver.username}, "amount": 10, "currency": "IRT"}
    key = str(uuid.uuid4())
    first = sender.wallet.post("/v1/wallet/transfers", body, key=key)
    assert_problem(first, 409, "insufficient_funds")
    world.credit(sender.id, 100)
    again = sender.wallet.post("/v1/wallet/transfers", body, key=key)
    assert again.status_code == 409 and again.content == first.content and again.headers["Idempotent-Replayed"] == "true"
    assert sender.wallet.post("/v1/wallet/transfers", body, key=str(uuid.uuid4())).status_code == 201


def kept_count(world):
    """How many answers Discount has kept."""
    return int(world.pair.discount.sql("SELECT count(*) FROM idempotency")[0][0])


def refused_as(world, code):
    """A campaign's code that is refused so, and what makes it take redemptions."""
    if code == "code_not_found":
        wanted = f"N{uuid.uuid4().hex[:12]}"
        return wanted, lambda: world.operator.campaign(code=wanted)
    starts = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    more = {"starts_at": starts.isoformat().replace("+00:00", "Z")} if code == "campaign_not_started" else {}
    made = world.operator.campaign(places=1, **more)
    path = f"/v1/campaigns/{made['id']}"
    if code == "sold_out":
        assert world.user().redeem(made["code"]).status_code == 201
        return made["code"], lambda: world.operator.discount.request("PATCH", path, json={"max_redemptions": 2}, headers={"If-Match": f'"{made["version"]}"'})
    if code == "campaign_paused":
        world.operator.discount.post(f"{path}/pause")
        return made["code"], lambda: world.operator.discount.post(f"{path}/resume")
    if code == "campaign_ended":
        world.operator.discount.post(f"{path}/end")
        return made["code"], None
    return made["code"], lambda: wait_until(lambda: world.operator.discount.get(path).json()["state"] == "active", "the start", 15)


@pytest.mark.parametrize("code", ["sold_out", "campaign_ended", "campaign_not_started", "campaign_paused", "code_not_found"])
def test_what_took_nothing_and_may_change_is_not_kept(world, code):
    wanted, mend = refused_as(world, code)
    user, key, before = world.user(), str(uuid.uuid4()), kept_count(world)
    for _ in range(2):
        refused = user.redeem(wanted, key=key)
        assert refused.json()["code"] == code and "Idempotent-Replayed" not in refused.headers
    assert kept_count(world) == before
    if mend is not None:
        mend()
        won = user.redeem(wanted, key=key)
        assert won.status_code == 201 and "Idempotent-Replayed" not in won.headers
        again = user.redeem(wanted, key=key)
        assert again.content == won.content and again.headers["Idempotent-Replayed"] == "true"


def test_with_a_key_it_costs_no_more_than_without(make_world):
    """Such a refusal is given by the loop: the store, which alone writes, is never asked."""
    world = make_world()
    codes = [refused_as(world, code)[0] for code in ("sold_out", "campaign_ended", "campaign_paused")]
    users, kept, by_loop = [world.user() for _ in range(4)], kept_count(world), "discountd_redemptions_answered_by_loop_total"
    before = world.pair.discount.metric(by_loop)
    for i in range(300):
        assert users[i % 4].redeem(codes[i % 3], key=str(uuid.uuid4())).status_code in (409, 410)
    assert world.pair.discount.metric(by_loop) - before == 300
    assert kept_count(world) == kept


def test_a_kept_answer_is_found_though_the_campaign_is_over(make_world):
    """The loop, which answers the late ones, knows for which keys something is kept; also after a restart."""
    world = make_world()
    made = world.operator.campaign(places=1)
    winner, key, bad_key = world.user(), str(uuid.uuid4()), str(uuid.uuid4())
    first = winner.redeem(made["code"], key=key)
    assert first.status_code == 201
    mismatch = winner.redeem(world.operator.campaign()["code"], phone=new_phone(), key=bad_key)
    assert_problem(mismatch, 422, "phone_mismatch")
    late = world.user()
    assert_problem(late.redeem(made["code"], key="late"), 410, "sold_out")
    for service in (None, world.pair.discount):
        if service is not None:
            service.kill()
            service.start()
        again = winner.redeem(made["code"], key=key)
        assert again.status_code == 201 and again.content == first.content and again.headers["Idempotent-Replayed"] == "true"
        assert_problem(winner.redeem(f"W{uuid.uuid4().hex[:12]}", key=key), 422, "idempotency_key_reused", ["code"])
        assert_problem(winner.redeem(made["code"], key=bad_key), 422, "idempotency_key_reused", ["code", "phone"])
        assert_problem(late.redeem(made["code"], key="late"), 410, "sold_out")


def test_what_the_store_finds_wrong_is_kept(world):
    """A 422 of its own is an answer like any other; that of the members' rules leaves the key free."""
    sender, key = world.rich_user(1000), str(uuid.uuid4())
    body = {"to": {"username": sender.username}, "amount": 10, "currency": "IRT"}
    assert_problem(sender.wallet.post("/v1/wallet/transfers", body, key=key), 422, "same_account")
    assert sender.wallet.post("/v1/wallet/transfers", body, key=key).headers["Idempotent-Replayed"] == "true"
    client, path, body, *_ = campaign(world)
    assert_problem(client.post(path, {**body, "ends_at": "2020-01-01T00:00:00Z"}, key="past" + key), 422, "validation_failed", ["ends_at"])
    assert_problem(client.post(path, body, key="past" + key), 422, "idempotency_key_reused")
    assert_problem(client.post(path, {**body, "ends_at": "1970-01-01T00:00:00Z"}, key=key), 422, "validation_failed")
    assert client.post(path, body, key=key).status_code == 201


def test_a_campaign_that_has_ended_meanwhile_is_replayed(world):
    """Its end was to come when it was made: the repeat is no request with an end in the past."""
    client, path, body, *_ = campaign(world)
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    key, body = str(uuid.uuid4()), {**body, "code": f"E{uuid.uuid4().hex[:12]}", "ends_at": end.isoformat().replace("+00:00", "Z")}
    made = client.post(path, body, key=key)
    assert made.status_code == 201
    wait_until(lambda: client.get(f"{path}/{made.json()['id']}").json()["state"] == "ended", "the end", 15)
    again = client.post(path, body, key=key)
    assert again.status_code == 201 and again.content == made.content and again.headers["Idempotent-Replayed"] == "true"


def test_what_passes_is_not_kept(world):
    """What was refused before anything was decided: the request, corrected, has the same key."""
    client, path, body, _, _, effects = transfer(world)
    key = str(uuid.uuid4())
    assert client.post(path, body, key=key, token=client.token[:-4] + "AAAA").status_code == 401
    assert client.request("POST", path, data=b"{", headers={"Content-Type": "application/json"}, key=key).status_code == 400
    assert client.request("POST", path, data=b"to=a", headers={"Content-Type": "text/plain"}, key=key).status_code == 415
    assert_problem(client.post(path, {**body, "amount": -1}, key=key), 422, "validation_failed")
    large = world.raw("wallet", "POST", path, {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json", "Idempotency-Key": key}, b" " * 70_000)
    assert large.status == 413
    good = client.post(path, body, key=key)
    assert good.status_code == 201 and "Idempotent-Replayed" not in good.headers
    assert effects() == 1


def test_a_paused_campaign_is_not_kept(world):
    made = world.operator.campaign(places=1)
    path = f"/v1/campaigns/{made['id']}"
    world.operator.discount.post(f"{path}/pause")
    user, key = world.user(), str(uuid.uuid4())
    assert_problem(user.redeem(made["code"], key=key), 409, "campaign_paused")
    world.operator.discount.post(f"{path}/resume")
    assert user.redeem(made["code"], key=key).status_code == 201


@pytest.mark.parametrize("program", ["wallet", "discount"])
def test_old_answers_go_faster_than_new_ones_come(make_world, program):
    """40,000 that are too old: they are gone in seconds, and what is young stays."""
    world = make_world()
    service = getattr(world.pair, program)
    client, path, body, *_ = (register if program == "wallet" else campaign)(world)
    assert service.stop() == 0
    many = "SELECT i FROM generate_series(1, 40000) AS g(i)" if service.store else "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 40000) SELECT i FROM g"
    lookup = "decode(lpad(to_hex(i), 64, '0'), 'hex')" if service.store else "CAST(printf('%032d', i) AS BLOB)"
    service.sql(f"INSERT INTO idempotency (lookup, fingerprint, status, content_type, location, body, created_at) SELECT {lookup}, '', 204, '', '', '', 0 FROM ({many}) AS i")
    service.start()
    first = client.post(path, body, key="young")
    wait_until(lambda: service.sql("SELECT count(*) FROM idempotency WHERE created_at = 0") == [("0",)], "the old answers are gone", 15)
    again = client.post(path, body, key="young")
    assert again.content == first.content and again.headers["Idempotent-Replayed"] == "true"


def test_keys_survive_a_kill(make_world):
    world = make_world()
    kept = []
    for prepare in (register, transfer, fund, campaign, redemption):
        client, path, body, _, _, effects = prepare(world)
        key = str(uuid.uuid4())
        kept.append((client, path, body, key, client.post(path, body, key=key), effects))
    for service in (world.pair.wallet, world.pair.discount):
        service.kill()
        service.start()
    for client, path, body, key, first, effects in kept:
        again = client.post(path, body, key=key)
        assert again.status_code == first.status_code and again.content == first.content, path
        assert again.headers["Idempotent-Replayed"] == "true"
        assert effects() == 1
    world.assert_clean()
