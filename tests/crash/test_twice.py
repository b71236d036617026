"""The same request many times, also across a crash, has one effect and one answer."""
import json
import threading
import uuid

import pytest

from crash import crowds, people
from harness.client import User, new_phone
from harness.raw import at_once

TIMES = 200


def told(answers):
    """Each answer that came, as (status, redemption)."""
    return [(answer.status, json.loads(answer.body)) for answer in answers if answer is not None and answer.status != 503]


def assert_one_place(answers, statuses=(200, 201, 202)):
    places = {(redemption["id"], redemption["position"]) for status, redemption in answers}
    assert {status for status, _ in answers} <= set(statuses), answers[:3]
    assert len(places) <= 1, places
    return places


def test_200_times_at_once_is_one_place(make_pair):
    pair = make_pair().start()
    operator = crowds.operator_of(pair)
    campaign = operator.campaign(places=10)
    (person,) = people.gather(pair, 1)
    answers = told(at_once(pair.discount.port, [person.redemption(campaign["code"])] * TIMES))
    assert len(answers) == TIMES
    assert len(assert_one_place(answers)) == 1
    assert [status for status, _ in answers].count(201) <= 1
    operator.wait_settled(campaign["id"])
    crowds.assert_books(pair, campaign["id"], 10, 1)


@pytest.mark.parametrize("victim", ["walletd", "discountd"])
def test_200_times_across_a_kill_is_one_place(make_pair, seeded, victim):
    pair = make_pair().start()
    service = pair.wallet if victim == "walletd" else pair.discount
    operator = crowds.operator_of(pair)
    campaign = operator.campaign(places=10)
    person, other = people.gather(pair, 2)
    request = person.redemption(campaign["code"])
    heard = []
    for _ in range(3):
        killing = threading.Timer(seeded.uniform(0, 0.02), service.kill)
        killing.start()
        try:
            heard += told(at_once(pair.discount.port, [request] * TIMES))
        except OSError:
            pass  # killed before all were connected
        killing.join()
        service.start()
    heard += told(at_once(pair.discount.port, [request] * TIMES))
    ((_, position),) = assert_one_place(heard)
    assert position == 1
    late = people.redeem_at_once(pair, campaign["code"], [other])[0][1]
    assert late.status in (201, 202), late.body
    operator.wait_settled(campaign["id"])
    crowds.assert_books(pair, campaign["id"], 10, 2)
    crowds.assert_clean(pair)


def kill_and_restart(pair):
    for service in (pair.wallet, pair.discount):
        service.kill()
    pair.start()


def test_a_kept_answer_survives_kills_to_the_byte(make_pair):
    """Also a definite refusal; one that took nothing and may change is decided anew each time."""
    pair = make_pair().start()
    operator = crowds.operator_of(pair)
    campaign, open_to_all = operator.campaign(places=1), operator.campaign(places=10)
    winner, loser = (User(operator.wallet.with_token(None), operator.discount) for _ in range(2))
    other_phone = new_phone()
    keys = {name: str(uuid.uuid4()) for name in ("winner", "loser", "phone", "transfer", "poor", "campaign")}
    new_campaign = {"name": "Kept", "kind": "wallet_credit", "code": "KEPT1404", "credit": {"amount": 5, "currency": "IRT"}, "max_redemptions": 3}

    def transfer(amount, key):
        body = {"to": {"username": loser.username}, "amount": amount, "currency": "IRT"}
        return winner.wallet.post("/v1/wallet/transfers", body, key=keys[key])

    def ask():
        return {
            "winner": winner.redeem(campaign["code"], key=keys["winner"]),
            "loser": loser.redeem(campaign["code"], key=keys["loser"]),
            "phone": loser.redeem(open_to_all["code"], phone=other_phone, key=keys["phone"]),
            "transfer": transfer(250_000, "transfer"),
            "poor": transfer(2_000_000, "poor"),
            "campaign": operator.discount.post("/v1/campaigns", new_campaign, key=keys["campaign"]),
        }

    first = ask()
    statuses = {"winner": 201, "loser": 410, "phone": 422, "transfer": 201, "poor": 409, "campaign": 201}
    assert {name: answer.status_code for name, answer in first.items()} == statuses
    for _ in range(2):
        kill_and_restart(pair)
        again = ask()
        late = again.pop("loser")
        assert (late.status_code, late.json()["code"]) == (410, "sold_out") and "Idempotent-Replayed" not in late.headers
        for name, answer in again.items():
            assert answer.status_code == first[name].status_code, name
            assert answer.content == first[name].content, name
            assert answer.headers["Idempotent-Replayed"] == "true", name
    assert (winner.balance(), loser.balance()) == (750_000, 250_000)
    crowds.assert_clean(pair)
