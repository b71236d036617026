"""The main promise, with the real programs: of 3,000 users at one instant exactly the first 1,000 get a place and their money."""
import csv
import io

import pytest

from crash import crowds
from harness.services import CREDIT

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


@pytest.mark.parametrize("options", [{"codes": "unique"}, {"orders": True}, {"codes": "unique", "orders": True}], ids=["codes", "orders", "both"])
def test_codes_and_orders_of_their_own(make_pair, options):
    """Each user with a code of its own, and with an order: as exactly right as the shared code, and no money where the gift is none."""
    pair = make_pair().start()
    operator = crowds.operator_of(pair)
    users, places = crowds.scaled(1500, 30), crowds.scaled(500, 10)
    terms = {"kind": "percent_off", "credit": None, "discount": {"percent": "12.5", "max": {"amount": CREDIT, "currency": "IRT"}}} if "orders" in options else {}
    campaign = operator.campaign(places=places, **terms)
    output = crowds.finish_crowd(pair.crowd(campaign["code"], users=users, connections=crowds.scaled(512, 8), places=places, **options))

    counted = crowds.answers(output)
    assert counted.get(201, 0) + counted.get(202, 0) == places and counted[410] == users - places, counted
    winners = operator.winners(campaign["id"])
    report = operator.report(campaign["id"])
    assert [winner["position"] for winner in winners] == list(range(1, places + 1))
    assert (report["redeemed"], report["rejected"]["sold_out"], report["attempts"]) == (places, users - places, users)
    if "codes" in options:
        [batch] = report["by_batch"]
        assert (batch["count"], batch["used"], batch["uses"], batch["revoked"]) == (users, places, places, 0)
        states = export(operator, campaign, batch)
        assert len(states) == users and sum(state == "used" for state in states.values()) == places
    if "orders" in options:
        assert {winner["status"] for winner in winners} == {"applied"}
        offs = [min(winner["order"]["amount"] * 125 // 1000, CREDIT) for winner in winners]
        assert [winner["discount"]["amount"] for winner in winners] == offs
        assert report["orders"] == {"count": places, "amount": sum(winner["order"]["amount"] for winner in winners), "discount": sum(offs), "currency": "IRT"}
        assert crowds.credits(pair) == {}
    else:
        crowds.assert_books(pair, campaign["id"], places, places)
    crowds.assert_clean(pair)


def export(operator, campaign, batch):
    """{code: state} of the whole batch, out of the file that an operator would print."""
    answer = operator.discount.get(f"/v1/campaigns/{campaign['id']}/code-batches/{batch['batch']}/codes", headers={"Accept": "text/csv"})
    assert answer.status_code == 200, answer.text
    return {row["code"]: row["state"] for row in csv.DictReader(io.StringIO(answer.text))}
