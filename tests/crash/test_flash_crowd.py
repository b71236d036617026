"""The main promise, with the real programs: of 3,000 users at one instant exactly the first 1,000 get a place and their money."""
import pytest

from crash import crowds

USERS, PLACES = crowds.scaled(3000, 30), crowds.scaled(1000, 10)


@pytest.mark.parametrize("connections", [512, 4000])
def test_exactly_the_places_are_given_and_paid(make_pair, connections):
    pair = make_pair().start()
    operator = crowds.operator_of(pair)
    campaign = operator.campaign(places=PLACES)
    with crowds.Sampler(pair, campaign) as sampler:
        output = crowds.finish_crowd(pair.crowd(campaign["code"], users=USERS, connections=crowds.scaled(connections, 8), places=PLACES))

    counted = crowds.answers(output)
    assert counted.get(201, 0) + counted.get(202, 0) == PLACES, counted
    assert counted[410] == USERS - PLACES
    assert set(counted) <= {201, 202, 410}, counted

    winners = operator.winners(campaign["id"])
    assert [winner["position"] for winner in winners] == list(range(1, PLACES + 1))
    assert {winner["status"] for winner in winners} == {"credited"}
    assert len({winner["user_id"] for winner in winners}) == len({winner["phone"] for winner in winners}) == PLACES
    report = operator.report(campaign["id"])
    assert (report["redeemed"], report["remaining"], report["credited"], report["pending"], report["failed"]) == (PLACES, 0, PLACES, 0, 0)
    assert report["rejected"]["sold_out"] == USERS - PLACES
    assert report["attempts"] == USERS
    assert sampler.count > 10 and len(sampler.distinct) > 1, "the report was not seen in the middle of the crowd"

    crowds.assert_books(pair, campaign["id"], PLACES, PLACES)
    crowds.assert_clean(pair)
    assert pair.discount.stop() == 0 and pair.wallet.stop() == 0
    crowds.assert_books(pair, campaign["id"], PLACES, PLACES)
    assert pair.wallet.verify().returncode == 0 and pair.discount.verify().returncode == 0
