"""SIGTERM: what was accepted is answered, the exit code is 0, and nothing is left to be repaired."""
import json
import signal
import time
import uuid

import pytest

from crash import crowds, people
from harness.raw import RawConnection
from harness.services import DEADLINE_S

PEOPLE = crowds.scaled(400, 20)


def test_every_accepted_request_is_answered(make_pair):
    pair = make_pair(discount_arguments=("--settle-wait", "500")).start()
    operator = crowds.operator_of(pair)
    campaign = operator.campaign(places=PEOPLE)
    crowd = people.gather(pair, PEOPLE)
    connections = [RawConnection(pair.discount.port) for _ in crowd]
    try:
        for connection, person in zip(connections, crowd):
            connection.send(person.redemption(campaign["code"]))
        first = connections[0].read_answer()
        pair.discount.process.send_signal(signal.SIGTERM)
        answers = [first, *(connection.read_answer() for connection in connections[1:])]  # a cut answer fails in here
        assert pair.discount.process.wait(DEADLINE_S) == 0, pair.discount.tail()
    finally:
        for connection in connections:
            connection.socket.close()
    heard = {}
    for person, answer in zip(crowd, answers):
        if answer is not None:
            assert answer.status in (201, 202, 503), answer.body
            if answer.status != 503:
                heard[person.id] = json.loads(answer.body)
    assert len(heard) >= 1
    taken = {str(uuid.UUID(bytes=row[2])): row for row in crowds.redemptions(pair, campaign["id"])}
    assert set(taken) == set(heard), "a place was taken and nobody was told, or the other way round"
    for user_id, redemption in heard.items():
        assert redemption["position"] == taken[user_id][0]

    pair.discount.start()
    assert operator.wait_settled(campaign["id"])["credited"] == len(heard)
    crowds.assert_books(pair, campaign["id"], PEOPLE, len(heard))
    crowds.assert_clean(pair)


@pytest.mark.parametrize("victim", ["walletd", "discountd"])
def test_a_crowd_lives_through_orderly_restarts(make_pair, seeded, victim):
    users, places = crowds.scaled(1500, 30), crowds.scaled(500, 10)
    pair = make_pair().start()
    service = pair.wallet if victim == "walletd" else pair.discount
    campaign = crowds.operator_of(pair).campaign(places=places)
    crowd = pair.crowd(campaign["code"], users=users, connections=crowds.scaled(256, 8), places=places, rate=max(10, users // 3))
    try:
        with crowds.Sampler(pair, campaign, may_break=True) as sampler:
            sampler.wait_for(lambda report: report["redeemed"] > 0, "the first redemption")
            for _ in range(3):
                assert service.stop() == 0, service.tail()
                service.start()
                time.sleep(seeded.uniform(0, 0.3))
            crowds.finish_crowd(crowd)
    finally:
        if crowd.poll() is None:
            crowd.kill()
    crowds.operator_of(pair).wait_settled(campaign["id"])
    crowds.assert_books(pair, campaign["id"], places, places)
    crowds.assert_clean(pair)
