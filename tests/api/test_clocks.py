"""Clocks of two hosts differ, and are set: who is refused, and who must not be."""
import re
import time
import uuid

import pytest

from harness.client import User
from harness.clock import Clock
from harness.services import CREDIT, wait_until
from harness.world import assert_problem

LEEWAY_S = 30


@pytest.fixture
def clocks(tmp_path):
    return {name: Clock(tmp_path / f"{name}.time") for name in ("wallet", "discount")}


@pytest.fixture
def make_clocked(make_world, clocks):
    """A pair whose clocks a test sets."""
    def make(wallet_s=0, discount_s=0):
        clocks["wallet"].set(wallet_s)
        clocks["discount"].set(discount_s)
        return make_world(wallet_options={"environment": clocks["wallet"].environment}, discount_options={"environment": clocks["discount"].environment})
    return make


def metric(client, name):
    found = re.search(rf"^{re.escape(name)} (-?\d+)$", client.get("/metrics").text, re.MULTILINE)
    return int(found.group(1)) if found else None


# ---- service tokens ----

def at_funds(world, **claims):
    """A question that needs a token only: 404 when it is good."""
    return world.wallet.get("/v1/funds/none", token=world.issuers["shop"].token(**claims))


TOO_LONG = {
    "ten minutes": {"exp": 600},
    "a second too long": {"exp": 301},
    "a day": {"exp": 86400},
    "ten years": {"exp": 10 * 365 * 86400},
    "issued long ago": {"iat": -400, "exp": 100},
    "a fraction too long": {"exp": 300.5},
    "no iat": {"iat": None},
    "no exp": {"exp": None},
    "neither": {"iat": None, "exp": None},
}


def claims_from(now, changes):
    return {name: None if change is None else now + change for name, change in changes.items()}


@pytest.mark.parametrize("name", TOO_LONG)
def test_a_services_token_ends_within_five_minutes(world, name):
    problem = assert_problem(at_funds(world, **claims_from(int(time.time()), TOO_LONG[name])), 401, "token_invalid")
    assert "iat and exp" in problem["detail"] and "5 minutes" in problem["detail"], problem


def test_times_may_have_fractions(world):
    now = int(time.time())
    for times in ({"iat": now - 0.75, "nbf": now - 0.5, "exp": now + 120.25}, {"iat": float(now), "exp": now + 300.0}, {"nbf": now + 0.001}):
        assert at_funds(world, **times).status_code == 404, times
    assert_problem(at_funds(world, iat=now - 200.5, nbf=now - 200, exp=now - LEEWAY_S - 0.5), 401, "token_expired")
    assert_problem(at_funds(world, iat=now - 100.5, nbf=now - 100, exp=now - 100.5), 401, "token_invalid")


@pytest.mark.parametrize("service", ["wallet", "discount"])
def test_the_leeway_is_given_both_ways(world, service):
    victim = world.user()
    path = {"wallet": "/v1/wallet", "discount": "/v1/redemptions"}[service]
    now = int(time.time())
    for iat, exp, code in ((-100, -LEEWAY_S + 5, None), (-100, -LEEWAY_S - 1, "token_expired"), (LEEWAY_S - 5, 100, None), (LEEWAY_S + 10, 100, "token_invalid")):
        token = world.wallet_key.sign(world.wallet_key.user_claims(victim.id, iat=now + iat, nbf=now + iat, exp=now + exp))
        answer = world.client(service).get(path, token=token)
        if code is None:
            assert answer.status_code == 200, (iat, exp, answer.text)
        else:
            assert_problem(answer, 401, code)


# ---- two hosts ----

@pytest.mark.parametrize("ahead_s", [1.2, -2, LEEWAY_S - 3, -(LEEWAY_S - 3)])
def test_a_clock_that_differs_by_the_leeway_stops_no_payment(make_clocked, ahead_s):
    world = make_clocked(discount_s=ahead_s)
    campaign = world.operator.campaign()
    user = world.user()  # and redeems at once, with a token that is younger than the clocks differ
    answer = user.redeem(campaign["code"])
    assert answer.status_code == 201, answer.text
    assert answer.json()["status"] == "credited"
    assert user.wallet.get("/v1/wallet").json()["balance"] == CREDIT
    assert [event for event in world.pair.discount.events("settle_call_failed") if event.get("status") == 401] == []
    seen = wait_until(lambda: metric(world.discount, 'discountd_clock_difference_seconds{issuer="wallet"}'), "the difference of the clocks")
    assert abs(seen + ahead_s) <= 1, seen
    seen = wait_until(lambda: metric(world.wallet, 'walletd_clock_difference_seconds{issuer="discount"}'), "the difference of the clocks")
    assert abs(seen - ahead_s) <= 1, seen
    world.assert_clean()


def test_clocks_that_differ_by_more_are_told(make_clocked):
    world = make_clocked(discount_s=90)
    campaign = world.operator.campaign(is_funded=False)
    world.user().redeem(campaign["code"])
    wait_until(lambda: world.pair.wallet.events("clocks_differ"), "a word of warning")
    assert abs(world.pair.wallet.events("clocks_differ")[0]["ahead_s"] - 90) <= 1
    assert abs(metric(world.wallet, 'walletd_clock_difference_seconds{issuer="discount"}') - 90) <= 1


@pytest.mark.parametrize("sets", [("wallet", "discount"), ("discount",)])
def test_a_clock_that_is_set_back_shuts_nobody_out(make_clocked, clocks, sets):
    """Tokens of before stay good until they end by the time that has passed, and new ones are good as well."""
    world = make_clocked()
    campaign = world.operator.campaign()
    before = world.user()
    assert before.redeem(campaign["code"]).status_code == 201
    for name in sets:
        clocks[name].set(-3600)
    assert before.wallet.get("/v1/wallet").status_code == 200
    assert before.discount.get("/v1/redemptions").status_code == 200
    after = User(world.wallet, world.discount)
    assert after.discount.get("/v1/redemptions").status_code == 200
    if len(sets) == 2:
        answer = after.redeem(campaign["code"], key=str(uuid.uuid4()))
        assert answer.status_code in (201, 409), answer.text  # the campaign may not have begun by that clock
    key = world.wallet_key
    now = int(time.time())
    ended = key.sign(key.user_claims(before.id, iat=now - 100, nbf=now - 100, exp=now - LEEWAY_S - 1))
    for client, path in ((world.wallet, "/v1/wallet"), (world.discount, "/v1/redemptions")):
        assert_problem(client.get(path, token=ended), 401, "token_expired")
    early = key.sign(key.user_claims(before.id, iat=now + LEEWAY_S + 60, nbf=now, exp=now + 600))
    for client, path in ((world.wallet, "/v1/wallet"), (world.discount, "/v1/redemptions")):
        assert_problem(client.get(path, token=early), 401, "token_invalid")
