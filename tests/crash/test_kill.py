"""kill -9 at any moment: nothing lost, nothing twice, every promise that a client heard is kept."""
import concurrent.futures
import time
import uuid

import pytest
import requests

from crash import crowds
from harness.services import CREDIT, DEADLINE_S

KILLS = 10
CROWDS = 5  # at most, until three kills have fallen among claims
SPREAD_S = 5 if not crowds.SANITIZER else 20  # of the redemptions, so that most kills fall among them
USERS, PLACES, CONNECTIONS = crowds.scaled(3000, 60), crowds.scaled(1000, 20), crowds.scaled(512, 16)


class Killer:
    """Kills services of a pair and starts them again, at moments and in orders of chance."""

    def __init__(self, pair, chance):
        self.pair = pair
        self.chance = chance

    def pause(self, most_s):
        time.sleep(self.chance.uniform(0, most_s))

    def strike(self, victims):
        """All victims die; each comes back, some of them only at the second or third start."""
        victims = list(victims)
        self.chance.shuffle(victims)
        for service in victims:
            service.kill()
        self.pause(0.1)
        for service in victims:
            while self.chance.random() < 0.25:  # dies again while it starts
                service.start(wait=False)
                self.pause(0.1)
                service.kill()
            service.start(wait=False)
        for service in victims:
            service.wait_ready()

    def any_of_them(self):
        wallet, discount = self.pair.wallet, self.pair.discount
        return self.chance.choice([[wallet], [discount], [wallet, discount]])


VICTIMS = {
    "either or both": lambda killer: killer.any_of_them(),
    "walletd": lambda killer: [killer.pair.wallet],
    "discountd": lambda killer: [killer.pair.discount],
}


def crowd_among_kills(pair, killer, victims, codes):
    """How many of the kills fell while places were being claimed or credited; all must be right in the end."""
    campaign = crowds.operator_of(pair).campaign(places=PLACES)
    crowd = pair.crowd(campaign["code"], users=USERS, connections=CONNECTIONS, places=PLACES, rate=max(10, USERS // SPREAD_S), codes=codes,
                       **{"give-up-after": 240})
    try:
        with crowds.Sampler(pair, campaign, may_break=True) as sampler:
            killer.pause(0.5)
            killer.strike(VICTIMS[victims](killer))  # while they register or log in
            sampler.wait_for(lambda report: report["redeemed"] > 0, "the first redemption")
            struck_among_claims = 0
            for _ in range(KILLS - 1):
                killer.pause(0.3)
                struck_among_claims += sampler.last["remaining"] > 0 or sampler.last["pending"] > 0
                killer.strike(VICTIMS[victims](killer))
            output = crowds.finish_crowd(crowd)
    finally:
        if crowd.poll() is None:
            crowd.kill()
    counted = crowds.answers(output)
    assert sum(counted.get(status, 0) for status in (200, 201, 202)) >= PLACES, counted
    crowds.operator_of(pair).wait_settled(campaign["id"])
    crowds.assert_books(pair, campaign["id"], PLACES, PLACES)
    crowds.assert_clean(pair)
    return struck_among_claims


@pytest.mark.parametrize("victims, codes", [*((victims, "shared") for victims in VICTIMS), ("either or both", "unique")])
def test_a_crowd_among_kills_ends_right(make_pair, seeded, victims, codes):
    struck_among_claims = 0
    for _ in range(CROWDS):  # where a start takes long, a crowd can be over before enough of the kills have come
        pair = make_pair().start()
        struck_among_claims += crowd_among_kills(pair, Killer(pair, seeded), victims, codes)
        pair.end()
        if struck_among_claims >= 3:
            return
    pytest.fail(f"{struck_among_claims} kills among claims prove nothing")


def create_until_done(pair, body, key, token):
    """As a good client: the same request until there is an answer that is none of the passing ones."""
    end = time.monotonic() + DEADLINE_S
    while True:
        assert time.monotonic() < end, "no answer"
        try:
            answer = requests.post(f"{pair.discount.url}/v1/campaigns", json=body, timeout=10,
                                   headers={"Authorization": f"Bearer {token}", "Idempotency-Key": key})
        except requests.RequestException:
            time.sleep(0.01)
            continue
        if answer.status_code < 500 and answer.status_code != 429:
            return answer


def test_kills_while_campaigns_open_their_funds(make_pair, seeded):
    pair = make_pair().start()
    token = crowds.operator_of(pair).token
    killer = Killer(pair, seeded)
    created = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for round_number in range(6):
            bodies = [{"name": "Kill", "kind": "wallet_credit", "code": f"KILL{round_number}X{i}", "credit": {"amount": CREDIT, "currency": "IRT"},
                       "max_redemptions": 10 + i} for i in range(4)]
            waiting = [pool.submit(create_until_done, pair, body, str(uuid.uuid4()), token) for body in bodies]
            killer.pause(0.03)
            killer.strike(killer.any_of_them())
            for body, future in zip(bodies, waiting):
                answer = future.result()
                assert answer.status_code == 201, answer.text
                created.append((answer.json()["id"], body))
    operator = crowds.operator_of(pair)
    listed = operator.discount.get("/v1/campaigns?limit=200").json()["data"]
    assert sorted(campaign["id"] for campaign in listed) == sorted(campaign_id for campaign_id, _ in created)
    end = time.monotonic() + DEADLINE_S
    while any(campaign["fund"]["state"] != "open" for campaign in listed):
        assert time.monotonic() < end, "a fund stays closed"
        listed = operator.discount.get("/v1/campaigns?limit=200").json()["data"]
    funds = crowds.rows(pair.wallet, "SELECT reference, funded, credited, released FROM funds")
    assert sorted(funds) == sorted((campaign_id, body["max_redemptions"] * CREDIT, 0, 0) for campaign_id, body in created)
    crowds.assert_clean(pair)
