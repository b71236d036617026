"""What is logged, and what never is."""
import json
import re

import pytest

from harness.client import PASSWORD, new_phone, new_username
from harness.services import wait_until


@pytest.fixture(scope="module")
def told(tmp_path_factory, contracts, issuers):
    """Both logs, at their most talkative, after all kinds of requests with secrets in them; and the secrets."""
    from harness.services import Pair
    from harness.world import World
    pair = Pair(tmp_path_factory.mktemp("logs"), issuers=issuers.values(), wallet_arguments=["--log-level", "debug"], discount_arguments=["--log-level", "debug"]).start()
    try:
        world = World(pair, issuers, contracts)
        campaign = world.operator.campaign(places=5)
        user, other = world.user(), world.user()
        tokens = [user.token, user.session["refresh_token"], other.token, world.operator.token, world.shop.token]
        user.redeem(campaign["code"], key="a key of the caller")
        user.redeem("WRONGCODE77")
        other.redeem(campaign["code"], user.phone)
        refreshed = world.wallet.post("/v1/sessions/refresh", {"refresh_token": user.session["refresh_token"]}).json()
        tokens += [refreshed["access_token"], refreshed["refresh_token"]]
        world.wallet.post("/v1/sessions/refresh", {"refresh_token": user.session["refresh_token"]})
        wrong = "a wrong password 4711"
        world.wallet.post("/v1/sessions", {"username": user.username, "password": wrong})
        other.wallet.request("PUT", "/v1/users/me/password", json={"current_password": PASSWORD, "new_password": "a new password 4712"})
        world.wallet.request("POST", "/v1/users", data=f'{{"username": "x", "password": "{PASSWORD}", "phone": "{user.phone}", '.encode(), headers={"Content-Type": "application/json"})
        world.wallet.post("/v1/users", {"username": new_username(), "password": PASSWORD, "phone": user.phone, "x" + PASSWORD: 1})
        world.operator.wallet.get(f"/v1/accounts?phone=0{user.phone[3:]}")
        world.wallet.get("/v1/wallet", token=user.token[:-5] + "AAAAA")
        world.wallet.get(f"/v1/nothing?access_token={user.token}")
        other.wallet.post("/v1/wallet/transfers", {"to": {"phone": user.phone}, "amount": 1, "currency": "IRT"})
        world.wallet.post("/v1/users", {"username": new_username(), "password": PASSWORD, "phone": new_phone()})
        world.raw("wallet", "POST", "/v1/users", {"Content-Type": "application/json"}, b"x" * 70_000)
        secrets = [PASSWORD, wrong, "a new password 4712", pair.admin_password, campaign["code"], "WRONGCODE77", user.phone, user.phone[1:], "0" + user.phone[3:], user.phone[3:],
                   other.phone[3:], "a key of the caller"]
        for token in tokens:
            secrets += [token, *[part for part in token.split(".")[1:] if len(part) > 8]]
    finally:
        pair.end()
    return {service.program: service.log.read_text() for service in (pair.wallet, pair.discount)}, secrets


@pytest.mark.parametrize("program", ["walletd", "discountd"])
def test_each_line_is_one_json_object(told, program):
    lines = told[0][program].splitlines()
    assert len(lines) > 10
    for line in lines:
        event = json.loads(line)
        assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", event["time"])
        assert event["level"] in ("debug", "info", "warn", "error")
        assert event["service"] == program and re.match(r"^[a-z]+(_[a-z]+)*$", event["event"])


@pytest.mark.parametrize("program", ["walletd", "discountd"])
def test_no_secret_is_logged(told, program):
    text = told[0][program]
    for secret in told[1]:
        assert secret not in text, f"{secret!r} is in the log of {program}"


@pytest.mark.parametrize("program", ["walletd", "discountd"])
def test_requests_are_logged_with_their_ids(told, program):
    requests = [json.loads(line) for line in told[0][program].splitlines() if '"request"' in line]
    requests = [event for event in requests if event["event"] == "request"]
    assert requests
    for event in requests:
        assert event["request_id"] and len(event["traceparent"]) == 55 and event["method"] and event["path"].startswith("/") and "?" not in event["path"]
        assert 100 <= event["status"] <= 599 and event["latency_us"] >= 0


# ---- what an operator is told of users, at info ----

@pytest.fixture(scope="module")
def watched(tmp_path_factory, contracts, issuers):
    from harness.services import Pair
    from harness.world import World
    pair = Pair(tmp_path_factory.mktemp("watched"), issuers=issuers.values(), wallet_arguments=["--log-transfers-from", "1000"]).start()
    yield World(pair, issuers, contracts)
    pair.end()


def told_of(service, event, request_id):
    """The line of the log that this answer's request has caused."""
    def found():
        return [line for line in service.events(event) if line.get("request_id") == request_id]
    [line] = wait_until(found, f"{event} of {request_id}")
    assert line["level"] == "info"
    return line


def test_logins_and_refused_logins_say_who_and_from_where(watched):
    user, wallet = watched.user(), watched.client("wallet").at("127.0.0.9")
    answer = wallet.post("/v1/sessions", {"username": user.username, "password": PASSWORD})
    line = told_of(watched.pair.wallet, "login", answer.headers["X-Request-Id"])
    assert (line["user_id"], line["client"]) == (user.id, "127.0.0.9")
    answer = wallet.post("/v1/sessions", {"username": user.username, "password": "another password"})
    line = told_of(watched.pair.wallet, "login_refused", answer.headers["X-Request-Id"])
    assert (line["user_id"], line["client"], line["reason"]) == (user.id, "127.0.0.9", "invalid_credentials")
    answer = wallet.post("/v1/sessions", {"username": "my password, in the wrong field", "password": "another password"})
    line = told_of(watched.pair.wallet, "login_refused", answer.headers["X-Request-Id"])
    assert "user_id" not in line and line["reason"] == "invalid_credentials"
    before = len(watched.pair.wallet.events("login_refused"))
    for _ in range(20):
        assert wallet.post("/v1/sessions", {"username": "nobody-at-all", "password": "another password"}).status_code == 401
    assert len(watched.pair.wallet.events("login_refused")) - before <= 5, "some of each burst"


def test_large_sums_say_who_moved_them(watched):
    sender, receiver = watched.rich_user(amount=5000), watched.user()

    def send(amount):
        answer = sender.wallet.at("127.0.0.9").post("/v1/wallet/transfers", {"to": {"username": receiver.username}, "amount": amount, "currency": "IRT"})
        assert answer.status_code == 201
        return answer

    small, large = send(999), send(1000)
    line = told_of(watched.pair.wallet, "large_transfer", large.headers["X-Request-Id"])
    assert (line["transaction_id"], line["kind"], line["amount"], line["currency"]) == (large.json()["id"], large.json()["kind"], 1000, "IRT")
    assert (line["user_id"], line["client"]) == (sender.id, "127.0.0.9")
    told = watched.pair.wallet.events("large_transfer")
    assert small.json()["id"] not in {line["transaction_id"] for line in told}
    assert ("shop", 5000) in {(line.get("caller"), line["amount"]) for line in told}


def test_administrators_and_passwords_are_in_the_log(watched):
    user = watched.user()
    changed = user.wallet.at("127.0.0.9").request("PUT", "/v1/users/me/password", json={"current_password": PASSWORD, "new_password": "a new password 4712"})
    assert changed.status_code == 204
    campaign = watched.operator.campaign(places=1)
    for service, act, actor, subject in ((watched.pair.wallet, "password.change", user.id, user.id), (watched.pair.discount, "campaign.create", None, campaign["id"])):
        lines = wait_until(lambda: [line for line in service.events("audit") if line["act"] == act and line["subject"] == subject], act)
        assert lines[0]["level"] == "info" and lines[0]["address"].startswith("127.0.0.") and lines[0]["actor"] and actor in (None, lines[0]["actor"])
