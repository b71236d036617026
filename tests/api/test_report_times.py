"""What the report says of the past: the seconds of the last 15 minutes, the minutes of the last day, also after a restart."""
import pytest

from harness.services import Pair
from harness.world import World

MINUTE, HOUR = 60, 60 * 60


@pytest.fixture(scope="module")
def aged(tmp_path_factory, contracts, issuers):
    pair = Pair(tmp_path_factory.mktemp("pair"), issuers=issuers.values()).start()
    try:
        world = World(pair, issuers, contracts)
        yield world
        world.assert_clean()
    finally:
        pair.end()


def make_older(world, seconds):
    """As if it had all happened so much earlier."""
    assert seconds % MINUTE == 0
    world.pair.discount.stop()
    world.pair.discount.write_sql(f"UPDATE seconds SET second = second - {seconds}")
    world.pair.discount.write_sql(f"UPDATE minutes SET minute = minute - {seconds // MINUTE}")
    world.pair.discount.start()


def sums(rows):
    return [sum(row[i] for row in rows) for i in (1, 2, 3)]


def test_seconds_and_minutes_grow_old(aged):
    campaign = aged.operator.campaign(places=3)
    for _ in range(2):
        assert aged.user().redeem(campaign["code"]).status_code in (201, 202)
    aged.operator.wait_settled(campaign["id"])
    aged.operator.discount.post(f"/v1/campaigns/{campaign['id']}/pause")
    assert aged.user().redeem(campaign["code"]).status_code == 409
    young = aged.operator.report(campaign["id"])
    assert sums(young["per_second"]) == sums(young["per_minute"]) == [2, 2, 1]

    make_older(aged, 20 * MINUTE)
    older = aged.operator.report(campaign["id"])
    assert older["per_second"] == [] and sums(older["per_minute"]) == [2, 2, 1] and len(older["per_minute"]) == len(young["per_minute"])
    assert older["per_minute"][0][0] < young["per_minute"][0][0]
    assert aged.user().redeem(campaign["code"]).status_code == 409
    older = aged.operator.report(campaign["id"])
    assert sums(older["per_second"]) == [0, 0, 1] and sums(older["per_minute"]) == [2, 2, 2]

    make_older(aged, 24 * HOUR)
    assert aged.user().redeem(campaign["code"]).status_code == 409
    old = aged.operator.report(campaign["id"])
    assert sums(old["per_second"]) == sums(old["per_minute"]) == [0, 0, 1]
    assert (old["redeemed"], old["credited"], old["rejected"]["campaign_paused"]) == (2, 2, 3)
    assert aged.pair.discount.verify().returncode == 0


def test_a_minute_that_is_not_its_seconds_is_named(aged):
    campaign = aged.operator.campaign(places=3)
    assert aged.user().redeem(campaign["code"]).status_code in (201, 202)
    aged.operator.wait_settled(campaign["id"])
    aged.pair.discount.stop()
    for change, back in (("claimed = claimed + 1", "claimed = claimed - 1"), ("rejected = rejected + 1", "rejected = rejected - 1"), ("minute = minute + 1", "minute = minute - 1")):
        aged.pair.discount.write_sql(f"UPDATE minutes SET {change} WHERE campaign_number = 2")
        found = aged.pair.discount.verify()
        assert found.returncode != 0 and campaign["id"] in found.stdout and "minutes" in found.stdout
        aged.pair.discount.write_sql(f"UPDATE minutes SET {back} WHERE campaign_number = 2")
    assert aged.pair.discount.verify().returncode == 0
    aged.pair.discount.start()
