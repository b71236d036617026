"""Wallet is away: Discount goes on giving places, promises the money, and keeps the promise by itself."""
import json
import time

import pytest
import requests

from crash import crowds, people
from harness.client import User
from harness.services import wait_until

WAVE = crowds.scaled(1000, 20)
WAVES = 4
SETTLE_WAIT_S = 2.0  # the default
MARGIN_S = 3.0 if not crowds.SANITIZER else 15.0
MEMORY_MARGIN_KIB = 64 * 1024 if not crowds.SANITIZER else 1024 * 1024  # a sanitizer keeps what was freed


def metrics(service):
    """{name with labels: value}"""
    lines = requests.get(f"{service.url}/metrics", timeout=30).text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line and not line.startswith("#"))}


def depths(service):
    """All gauges that tell how much waits."""
    found = {name: value for name, value in metrics(service).items() if "queue_depth" in name or "in_memory" in name or "waiting" in name}
    assert found, "no metric tells what waits"
    return found


def test_claims_are_answered_in_time_and_credited_later(make_pair):
    pair = make_pair().start()
    operator = crowds.operator_of(pair)
    campaign = operator.campaign(places=10)
    first, second = (User(operator.wallet.with_token(None), operator.discount) for _ in range(2))
    assert pair.wallet.stop() == 0
    started = time.monotonic()
    answer = first.redeem(campaign["code"])
    took_s = time.monotonic() - started
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "claimed"
    assert SETTLE_WAIT_S * 0.9 <= took_s <= SETTLE_WAIT_S + MARGIN_S
    assert answer.headers["Location"] == f"/v1/redemptions/{answer.json()['id']}"
    again = first.redeem(campaign["code"])
    assert again.status_code in (200, 202) and again.json()["id"] == answer.json()["id"]
    assert second.redeem(campaign["code"]).status_code == 202
    report = operator.report(campaign["id"])
    assert (report["redeemed"], report["credited"], report["pending"]) == (2, 0, 2)

    pair.wallet.start()
    assert operator.wait_settled(campaign["id"])["credited"] == 2
    assert first.balance() == second.balance() == 1_000_000
    told = first.discount.get(answer.headers["Location"]).json()
    assert (told["status"], told["position"]) == ("credited", 1)
    crowds.assert_books(pair, campaign["id"], 10, 2)
    crowds.assert_clean(pair)


def test_thousands_of_claims_pile_up_within_bounds(make_pair):
    pair = make_pair(discount_arguments=("--settle-wait", "200")).start()
    operator = crowds.operator_of(pair)
    count = WAVE * WAVES
    campaign = operator.campaign(places=count)
    crowd = people.gather(pair, count)
    pair.wallet.kill()
    memory_kib = []
    for wave in range(WAVES):
        for _, answer in people.redeem_at_once(pair, campaign["code"], crowd[wave * WAVE:(wave + 1) * WAVE]):
            assert answer is not None and answer.status == 202, answer and answer.body
        memory_kib.append(pair.discount.rss_kib())
        waiting = depths(pair.discount)
        assert all(value <= count for value in waiting.values()), waiting
    assert memory_kib[-1] - memory_kib[0] < MEMORY_MARGIN_KIB, memory_kib
    # Asking again and again must not cost memory either.
    for _ in range(3):
        for _, answer in people.redeem_at_once(pair, campaign["code"], crowd[:WAVE]):
            assert answer is not None and answer.status in (200, 202), answer and answer.body
    assert pair.discount.rss_kib() - memory_kib[-1] < MEMORY_MARGIN_KIB // 4, memory_kib
    report = operator.report(campaign["id"])
    assert (report["redeemed"], report["pending"], report["credited"]) == (count, count, 0)

    pair.wallet.start()
    operator.wait_settled(campaign["id"], deadline_s=crowds.CROWD_DEADLINE_S)
    crowds.assert_books(pair, campaign["id"], count, count)
    crowds.assert_clean(pair)


@pytest.mark.parametrize("back_first", ["wallet", "discount"])
def test_both_go_and_come_back_in_either_order(make_pair, back_first):
    pair = make_pair(discount_arguments=("--settle-wait", "100")).start()
    operator = crowds.operator_of(pair)
    campaign = operator.campaign(places=10)
    before, during = people.gather(pair, 2)
    pair.wallet.kill()
    assert people.redeem_at_once(pair, campaign["code"], [before])[0][1].status == 202
    pair.discount.kill()
    winners = 1
    if back_first == "discount":
        pair.discount.start()  # it has never met this Wallet since its start: it knows the keys from its own folder
        answer = people.redeem_at_once(pair, campaign["code"], [during])[0][1]
        assert answer.status == 202, answer.body
        assert json.loads(answer.body)["position"] == 2
        winners = 2
        pair.wallet.start()
    else:
        pair.wallet.start()
        pair.discount.start()
    report = wait_until(lambda: (report := operator.report(campaign["id"]))["pending"] == 0 and report, "settled")
    assert report["credited"] == winners
    crowds.assert_books(pair, campaign["id"], 10, winners)
    crowds.assert_clean(pair)
