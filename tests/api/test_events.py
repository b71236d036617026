"""GET /v1/campaigns/{id}/events: what a listener is told, in which order, and what he is told when he comes back."""
import datetime

import pytest
import requests

from harness.client import Operator
from harness.events import Events
from harness.world import assert_problem


@pytest.fixture(scope="module")
def quiet(world):
    """A stream of a campaign in which nothing happens: open while the other tests run, so that its comment needs no wait of its own."""
    campaign = world.operator.campaign(places=1)
    with Events(world.operator.discount, campaign["id"]) as events:
        assert events.next().name == "report"
        yield events


def listen(world, campaign, last_id=None):
    return Events(world.operator.discount, campaign["id"], last_id)


def act(world, campaign, what):
    answer = world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/{what}")
    assert answer.status_code == 200, answer.text


def rename(world, campaign, name):
    answer = world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json={"name": name}, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text


def changes(events):
    return [(event.id, event.data["action"]) for event in events if event.name == "change"]


def check_order(events):
    """Ids never go back; a change has the sequence that its state says; a report holds all that was told before it."""
    for earlier, later in zip(events, events[1:]):
        assert earlier.id <= later.id, events
    for event in events:
        if event.name == "report":
            assert event.data["sequence"] == event.id
        if event.name == "change":
            assert event.data["sequence"] == event.id == event.data["after"]["sequence"]


def test_the_report_comes_at_once_and_is_the_report(world, quiet):
    campaign = world.operator.campaign(places=5)
    assert world.user().redeem(campaign["code"]).status_code in (201, 202)
    world.operator.wait_settled(campaign["id"])
    with listen(world, campaign) as events:
        event = events.next()
        asked = world.operator.report(campaign["id"])
    assert event.name == "report" and event.id == asked["sequence"]
    assert {**event.data, "as_of": 0, "latency": 0} == {**asked, "as_of": 0, "latency": 0}


def test_what_happens_is_told_in_its_order(world, quiet):
    campaign = world.operator.campaign(places=2)
    with listen(world, campaign) as events:
        seen = [events.next()]
        assert seen[0].data["redeemed"] == 0
        winner, late = world.user(), world.user()
        assert winner.redeem(campaign["code"]).status_code in (201, 202)
        seen += events.until(lambda event: event.name == "report" and event.data["credited"] == 1)
        act(world, campaign, "pause")
        assert_problem(late.redeem(campaign["code"]), 409, "campaign_paused")
        seen += events.until(lambda event: event.name == "report" and event.data["rejected"]["campaign_paused"] == 1)
        act(world, campaign, "resume")
        rename(world, campaign, "عید 🎁 <b>&")
        act(world, campaign, "end")
        seen += events.until(lambda event: event.name == "change" and event.data["action"] == "campaign.end")
        last = events.until(lambda event: event.name == "report")
    check_order(seen + last)
    told = [event for event in seen if event.name == "change"]
    assert [event.data["action"] for event in told] == ["campaign.pause", "campaign.resume", "campaign.change", "campaign.end"]
    assert [event.data["after"]["paused"] for event in told] == [True, False, False, False]
    assert told[0].data["before"]["paused"] is False and told[2].data["after"]["name"] == "عید 🎁 <b>&"
    assert {event.data["actor_name"] for event in told} == {world.pair.admin_name}
    log = world.operator.discount.get(f"/v1/audit-log?subject={campaign['id']}").json()["data"]
    assert [entry["sequence"] for entry in reversed(log)][1:] == [event.data["audit_sequence"] for event in told]
    assert last[-1].id >= told[-1].id


def test_four_reports_a_second_at_most(world, quiet):
    campaign = world.operator.campaign(places=1)
    users = [world.user() for _ in range(3)]
    with listen(world, campaign) as events:
        seen = [events.next()]
        while len(seen) < 6:
            for user in users:
                assert user.redeem(campaign["code"]).status_code in (200, 201, 202, 410)
            if world.operator.report(campaign["id"])["attempts"] > seen[-1].data["attempts"]:
                seen.append(events.next())
    times = [datetime.datetime.fromisoformat(event.data["as_of"].replace("Z", "+00:00")) for event in seen if event.name == "report"]
    for earlier, later in zip(times[1:], times[2:]):  # the first may be somebody's who came in between
        assert (later - earlier).total_seconds() > 0.24
    attempts = [event.data["attempts"] for event in seen]
    assert attempts == sorted(set(attempts)), "the same was told twice"


def test_who_comes_back_misses_nothing_and_is_told_nothing_twice(world, quiet):
    campaign = world.operator.campaign(places=3)
    with listen(world, campaign) as events:
        first = events.next()
        act(world, campaign, "pause")
        seen = [first, *events.until(lambda event: event.name == "report" and event.id > first.id)]
    assert [action for _, action in changes(seen)] == ["campaign.pause"]
    act(world, campaign, "resume")
    rename(world, campaign, "another")
    assert world.user().redeem(campaign["code"]).status_code in (201, 202)
    world.operator.wait_settled(campaign["id"])
    act(world, campaign, "end")
    with listen(world, campaign, last_id=seen[-1].id) as events:
        missed = events.until(lambda event: event.name == "report")
    assert [action for _, action in changes(missed)] == ["campaign.resume", "campaign.change", "campaign.end"]
    assert missed[0].id > seen[-1].id and missed[-1].data["credited"] == 1
    check_order(seen + missed)
    with listen(world, campaign, last_id=changes(missed)[0][0]) as events:
        again = events.until(lambda event: event.name == "report")
    assert changes(again) == changes(missed)[1:]
    assert not [event for event in missed + again if event.name == "lost"]


def test_who_has_everything_waits_for_what_comes(world, quiet):
    campaign = world.operator.campaign(places=3)
    with listen(world, campaign) as events:
        first = events.next()
    with listen(world, campaign, last_id=first.id) as events:
        act(world, campaign, "pause")
        seen = events.until(lambda event: event.name == "report" and event.id > first.id)
    assert [(event.name, event.id > first.id) for event in seen] == [("change", True), ("report", True)]


def test_refusals_that_came_meanwhile_are_told(world, quiet):
    campaign = world.operator.campaign(places=3)
    act(world, campaign, "pause")
    with listen(world, campaign) as events:
        first = events.next()
    assert_problem(world.user().redeem(campaign["code"]), 409, "campaign_paused")
    with listen(world, campaign, last_id=first.id) as events:
        seen = events.next()
    assert (seen.name, seen.id, seen.data["rejected"]["campaign_paused"]) == ("report", first.id, 1)


def test_an_id_of_a_future_that_is_gone_is_lost(world, quiet):
    campaign = world.operator.campaign(places=3)
    with listen(world, campaign, last_id=999_999) as events:
        lost, report = events.next(), events.next()
    assert (lost.name, lost.data) == ("lost", {"from": 999_999, "to": report.id}) and report.name == "report"


def test_more_changes_than_are_told_are_lost(world, quiet):
    campaign = world.operator.campaign(places=3)
    with listen(world, campaign) as events:
        first = events.next()
    for _ in range(130):
        act(world, campaign, "pause")
        act(world, campaign, "resume")
    with listen(world, campaign, last_id=first.id) as events:
        seen = events.until(lambda event: event.name == "report")
    told = changes(seen)
    assert (seen[0].name, seen[0].data) == ("lost", {"from": first.id, "to": told[0][0] - 1}) and len(told) == 256
    check_order(seen)


def test_who_may_not_listen(world, quiet):
    campaign = world.operator.campaign(places=3)
    path = f"/v1/campaigns/{campaign['id']}/events"
    discount = world.operator.discount
    assert_problem(world.user().discount.get(path), 403, "forbidden")
    assert_problem(world.discount.get(path), 401, "token_missing")
    assert_problem(discount.get("/v1/campaigns/019aab20-4c00-7a31-9f00-5b1e2c3d4e08/events"), 404, "campaign_not_found")
    assert_problem(discount.get(path, headers={"Accept": "application/json"}), 406, "not_acceptable")
    assert_problem(discount.get(path + "?x=1"), 422, "validation_failed")
    for wrong in ("x", "-1", "1.5", "9" * 19):
        answer = discount.get(path, headers={"Last-Event-ID": wrong})
        assert_problem(answer, 422, "validation_failed")
        assert answer.json()["errors"][0]["field"] == "Last-Event-ID"
    head = requests.head(discount.base_url + path, headers={"Authorization": f"Bearer {discount.token}"}, timeout=30)
    assert head.status_code == 200 and head.headers["Content-Type"] == "text/event-stream"


def test_a_session_that_ends_takes_its_streams_with_it(world, quiet):
    campaign = world.operator.campaign(places=3)
    pair = world.pair
    other = Operator(world.wallet, world.discount, pair.admin_name, pair.admin_password)
    with Events(other.discount, campaign["id"]) as events, listen(world, campaign) as bystander:
        assert events.next().name == bystander.next().name == "report"
        assert other.wallet.request("DELETE", "/v1/sessions/current").status_code == 204
        assert [event.name for event in events] == []
        act(world, campaign, "pause")
        assert bystander.next().name == "change"


def test_a_quiet_stream_says_that_it_lives(quiet):
    quiet.wait_comment()
