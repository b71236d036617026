"""Campaigns that are over leave memory; nothing of them is another than before, and they come back when somebody needs all of them."""
import re
import uuid

import pytest

from api.test_codes import codes_of, make_batch
from api.test_taken_back import reversed_one
from harness.copies import copy_of
from harness.events import Events
from harness.services import CREDIT, wait_until
from harness.world import assert_problem

AT_ONCE = ["--archive-after", "0"]
AGREES_S = 60


def end(world, campaign):
    assert world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/end").status_code == 200


def archived(world, count):
    wait_until(lambda: world.pair.discount.metric("discountd_campaigns_archived") == count, f"{count} campaigns are archived")


def words(world, campaign):
    """Those of its picture, without the times: the axis ends now."""
    answer = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/report.svg?width=640")
    assert answer.status_code == 200, answer.text
    return [word for word in re.findall(r">([^<]+)<", answer.text) if ":" not in word]


def without_time(report):
    return {**report, "as_of": 0}


def seen(world, campaign, users):
    """What people are told of it without its history."""
    path = f"/v1/campaigns/{campaign['id']}"
    own = [user.discount.get("/v1/redemptions").json() for user in users]
    return world.operator.discount.get(path).json(), world.operator.winners(campaign["id"]), own, world.operator.discount.get(f"{path}/redemptions", headers={"Accept": "text/csv"}).text


def refused(world, campaign, user, times):
    for _ in range(times):
        assert_problem(user.redeem(campaign["code"]), 410, "campaign_ended")


def restart(world, *arguments):
    discount = world.pair.discount
    assert discount.stop() == 0
    discount.arguments = [*discount.arguments, *arguments]
    discount.start()
    world.connect()


@pytest.fixture(scope="module")
def kept(tmp_path_factory, contracts, issuers):
    """A campaign with a history, as it was before it was archived, and what was told of it; in a world that archives at once."""
    from harness.services import Pair
    from harness.world import World
    world = World(Pair(tmp_path_factory.mktemp("archive"), issuers=issuers.values()).start(), issuers, contracts)
    users = [world.user() for _ in range(4)]
    campaign = world.operator.campaign(places=3)
    for user in users[:3]:
        assert user.redeem(campaign["code"]).status_code == 201
    assert_problem(users[3].redeem(campaign["code"]), 410, "sold_out")
    end(world, campaign)
    refused(world, campaign, users[3], 2)
    world.operator.wait_settled(campaign["id"])
    wait_until(lambda: world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()["fund"]["state"] == "released", "its fund is released")
    assert world.pair.discount.metric("discountd_campaigns_archived") == 0  # it ended a moment ago
    world.before = world.operator.report(campaign["id"]), seen(world, campaign, users)
    restart(world, *AT_ONCE)
    archived(world, 1)
    world.campaign, world.users = campaign, users
    yield world
    try:
        world.assert_clean()
    finally:
        world.pair.end()


def test_what_is_told_of_it_is_the_same(kept):
    report, told = kept.before
    assert seen(kept, kept.campaign, kept.users) == told
    assert not kept.pair.discount._events("campaign_recalled")  # nobody needed its history
    again = kept.operator.report(kept.campaign["id"])
    assert again == {**report, "as_of": again["as_of"], "latency": again["latency"]}
    assert kept.pair.discount.events("campaign_recalled")
    picture = words(kept, kept.campaign)
    assert picture
    archived(kept, 1)
    assert without_time(kept.operator.report(kept.campaign["id"])) == without_time(again)
    archived(kept, 1)
    assert words(kept, kept.campaign) == picture
    archived(kept, 1)


def test_each_refusal_is_counted(kept):
    before = kept.operator.report(kept.campaign["id"])
    archived(kept, 1)
    refused(kept, kept.campaign, kept.users[3], 5)
    after = kept.operator.report(kept.campaign["id"])
    archived(kept, 1)
    refused(kept, kept.campaign, kept.users[3], 2)
    restart(kept)
    last = kept.operator.report(kept.campaign["id"])
    counts = [report["rejected"]["campaign_ended"] for report in (before, after, last)]
    assert counts == [counts[0], counts[0] + 5, counts[0] + 7]
    for report in (after, last):
        assert sum(row[3] for row in report["per_second"]) == sum(row[3] for row in report["per_minute"]) == sum(report["rejected"].values())
        assert sum(row[1] for row in report["per_second"]) == 3
    archived(kept, 1)
    for user in kept.users[:3]:
        assert user.redeem(kept.campaign["code"]).status_code == 200  # they have what they won
    assert kept.operator.report(kept.campaign["id"])["rejected"]["already_redeemed"] == last["rejected"]["already_redeemed"] + 3


def test_who_listens_keeps_it(kept):
    archived(kept, 1)
    with Events(kept.operator.discount, kept.campaign["id"]) as events:
        report = events.next()
        assert report.name == "report" and report.data["redeemed"] == 3 and sum(row[1] for row in report.data["per_minute"]) == 3
        assert kept.pair.discount.metric("discountd_campaigns_live") == 1
        refused(kept, kept.campaign, kept.users[3], 1)
        after = events.next()
        assert after.data["attempts"] == report.data["attempts"] + 1
    archived(kept, 1)


def test_it_is_over_for_good(kept):
    archived(kept, 1)
    path = f"/v1/campaigns/{kept.campaign['id']}"
    assert_problem(kept.operator.discount.request("PATCH", path, json={"max_redemptions": 9}, headers={"If-Match": "*"}), 409, "campaign_state_conflict")
    assert_problem(kept.operator.discount.post(f"{path}/pause"), 409, "campaign_state_conflict")
    assert kept.operator.discount.post(f"{path}/end").status_code == 200
    archived(kept, 1)


def test_its_code_is_free(make_world):
    world = make_world(discount_arguments=AT_ONCE)
    user = world.user()
    first = world.operator.campaign(places=2)
    assert user.redeem(first["code"]).status_code == 201
    end(world, first)
    archived(world, 1)
    assert_problem(user.redeem(first["code"] + "X"), 404, "code_not_found")
    second = world.operator.campaign(places=2, code=first["code"])
    assert user.redeem(first["code"]).json()["campaign_id"] == second["id"]
    restart(world)
    assert user.redeem(first["code"]).json()["campaign_id"] == second["id"]
    end(world, second)
    archived(world, 2)
    restart(world)
    archived(world, 2)
    before = world.operator.report(second["id"])["rejected"]["campaign_ended"]
    assert_problem(world.user().redeem(first["code"]), 410, "campaign_ended")
    assert world.operator.report(second["id"])["rejected"]["campaign_ended"] == before + 1
    third = world.operator.campaign(places=1, code=first["code"])
    assert user.redeem(first["code"]).json()["campaign_id"] == third["id"]
    assert {found["id"] for found in world.operator.discount.get(f"/v1/campaigns?code={first['code']}").json()["data"]} == {first["id"], second["id"], third["id"]}
    world.assert_clean()


def test_what_was_won_long_ago_is_taken_back(make_world):
    world = make_world(discount_arguments=AT_ONCE)
    users, campaign, key = [world.user() for _ in range(3)], world.operator.campaign(places=3), str(uuid.uuid4())
    won = [user.redeem(campaign["code"], key=key).json() for user in users]
    end(world, campaign)
    archived(world, 1)
    for made, slot in zip(won, ("return", "burn")):
        assert reversed_one(world, made["id"], slot=slot)["status"] == "reversed"
    archived(world, 1)
    assert [user.balance() for user in users] == [0, 0, CREDIT]
    report = world.operator.report(campaign["id"])
    assert (report["redeemed"], report["credited"], report["reversed"]) == (2, 1, 2)
    assert users[0].redeem(campaign["code"], key=key).json()["id"] == won[0]["id"]  # kept for its key
    restart(world)
    archived(world, 1)
    assert without_time(world.operator.report(campaign["id"])) | {"latency": 0} == without_time(report) | {"latency": 0}
    world.assert_clean()


@pytest.mark.parametrize("is_restarted", [False, True], ids=["running", "restarted"])
def test_what_wallet_has_lost_is_sent_again(make_world, is_restarted):
    """It is compared as well, and comes back when it differs."""
    world = make_world(discount_arguments=AT_ONCE)
    users = [world.user() for _ in range(3)]
    quiet, campaign = world.operator.campaign(places=1), world.operator.campaign(places=3)
    assert users[0].redeem(quiet["code"]).status_code == 201
    assert users[0].redeem(campaign["code"]).status_code == 201
    end(world, quiet)
    archived(world, 1)
    copy = copy_of(world.pair.wallet)
    for user in users[1:]:
        assert user.redeem(campaign["code"]).status_code == 201
    end(world, campaign)
    archived(world, 2)
    before = world.operator.report(campaign["id"])
    archived(world, 2)
    if is_restarted:
        world.pair.discount.stop()
    copy.service.kill()
    copy.restore()
    copy.service.start()
    if is_restarted:
        world.pair.discount.start()
    world.connect()
    wait_until(lambda: [user.balance() for user in users] == [2 * CREDIT, CREDIT, CREDIT], "everybody is paid", AGREES_S)
    wait_until(lambda: world.pair.discount.reconcile().returncode == 0, "the books agree", AGREES_S)
    archived(world, 2)
    assert [row[1] for row in world.operator.report(campaign["id"])["per_minute"]] == [row[1] for row in before["per_minute"]]
    world.assert_clean()


def test_every_act_finds_it(make_world):
    """Each of them names a campaign that is not in memory, and is told what it would be told otherwise."""
    world = make_world(discount_arguments=AT_ONCE)
    discount, key = world.operator.discount, str(uuid.uuid4())
    campaign = world.operator.campaign(places=3, code=None, phone="any")
    path = f"/v1/campaigns/{campaign['id']}"
    batch = make_batch(world.operator, campaign)
    codes = codes_of(world.operator, batch)
    winner, late = world.user(), world.user()
    won = winner.redeem(codes[0]).json()
    end(world, campaign)

    def again(answer):
        """And it leaves again."""
        archived(world, 1)
        return answer

    archived(world, 1)
    assert_problem(again(late.redeem(codes[1], key=key)), 410, "campaign_ended")
    assert again(winner.redeem(codes[0], key=str(uuid.uuid4()))).json()["id"] == won["id"]
    for tail, body in (("/code-batches", {"count": 3, "pattern": batch["pattern"]}), ("/code-imports", {"codes": ["EXTERNAL-1"]}), ("/eligible", {"users": [late.id]}), ("/resume", None)):
        assert_problem(again(discount.post(path + tail, body)), 409, "campaign_state_conflict")
    assert_problem(again(discount.request("PATCH", path + "?dry_run=true", json={"name": "B"}, headers={"If-Match": "*"})), 409, "campaign_state_conflict")
    assert again(discount.get(f"/v1/redemptions/{won['id']}")).json() == won
    assert again(discount.post("/v1/codes/lookup", {"code": codes[0]})).json()["state"] == "used"
    assert again(discount.post(f"{path}/code-batches/{batch['id']}/revoke")).status_code == 200
    assert_problem(again(late.redeem(codes[2], key=str(uuid.uuid4()))), 404, "code_not_found")
    report = world.operator.report(campaign["id"])
    assert (report["redeemed"], report["rejected"]["campaign_ended"], report["rejected"]["already_redeemed"]) == (1, 1, 1)
    assert [row["uses"] for row in report["by_batch"]] == [1]
    world.assert_clean()


@pytest.mark.of_sqlite
def test_a_broken_row_refuses_who_needs_it_and_nobody_else(make_world):
    world = make_world(discount_arguments=AT_ONCE)
    broken, campaign = world.operator.campaign(places=1), world.operator.campaign(places=2)
    assert world.user().redeem(broken["code"]).status_code == 201
    end(world, broken)
    archived(world, 1)
    assert world.pair.discount.stop() == 0
    world.pair.discount.write_sql("UPDATE seconds SET claimed = 5000000000 WHERE campaign_number = 1")
    world.pair.discount.start()  # nobody asks for its seconds
    world.connect()
    for _ in range(2):
        assert_problem(world.operator.discount.get(f"/v1/campaigns/{broken['id']}/report"), 500, "storage_corrupt")
        assert world.user().redeem(campaign["code"]).status_code == 201
        assert_problem(world.user().redeem(broken["code"]), 410, "campaign_ended")
    assert world.operator.discount.get(f"/v1/campaigns/{broken['id']}").json()["state"] == "ended"
    assert world.pair.discount.events("row_refused")
