"""What costs money waits for a second administrator where the campaign says so: its creation, and each change that raises places, gift or budget."""
import uuid

import pytest
from harness.client import Operator, wait_funded
from harness.world import assert_problem


@pytest.fixture(scope="module")
def second(world):
    """Another administrator."""
    name, password = f"second-{uuid.uuid4().hex[:8]}", "a second pair of eyes"
    world.pair.wallet.add_user(name, password, admin=True)
    return Operator(world.wallet, world.discount, name, password)


def made(world, **changes):
    return world.operator.campaign(is_funded=False, approval=True, phone="any", **changes)


def patch(operator, campaign, body):
    return operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json=body, headers={"If-Match": "*"})


def approve(operator, campaign, query=""):
    return operator.discount.post(f"/v1/campaigns/{campaign['id']}/approve{query}")


def now(world, campaign):
    return world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()


def approved(world, second, **changes):
    campaign = made(world, **changes)
    assert approve(second, campaign).status_code == 200
    return wait_funded(world.operator.discount, campaign) if "fund" in campaign else now(world, campaign)


def test_a_creation_waits(world, second):
    campaign, user = made(world, places=3, public=True), world.user()
    pending = campaign["approval_pending"]
    assert (campaign["approval"], pending["of"], campaign["state"], campaign["fund"]["state"]) == (True, "creation", "active", "pending")
    assert_problem(user.redeem(campaign["code"]), 409, "approval_pending")
    assert_problem(user.redeem(campaign["code"], key=str(uuid.uuid4())), 409, "approval_pending")
    assert user.discount.post("/v1/validations", {"code": campaign["code"]}).json()["code"] == "approval_pending"
    assert campaign["id"] not in [item["id"] for item in user.discount.get("/v1/promotions?limit=200").json()["data"]]
    assert world.operator.report(campaign["id"])["rejected"]["approval_pending"] == 2
    assert_problem(approve(world.operator, campaign), 403, "forbidden")
    rehearsed = approve(second, campaign, "?dry_run=true")
    assert (rehearsed.json()["dry_run"], rehearsed.json()["approval_pending"]) == (True, None)
    assert now(world, campaign)["approval_pending"] == pending
    agreed = approve(second, campaign)
    assert (agreed.status_code, agreed.json()["approval_pending"], agreed.json()["approval"]) == (200, None, True)
    assert approve(second, campaign).status_code == 200
    wait_funded(world.operator.discount, campaign)
    assert user.redeem(campaign["code"]).status_code in (201, 202)
    acts = world.operator.discount.get(f"/v1/audit-log?subject={campaign['id']}").json()["data"]
    assert [act["action"] for act in acts if act["outcome"] == "done"] == ["campaign.approve", "campaign.create"]
    assert acts[0]["before"]["approval_pending"]["of"] == "creation" and acts[0]["after"]["approval_pending"] is None


def test_orders_wait_as_well(world, second):
    campaign, user = made(world, kind="percent_off", credit=None, discount={"percent": "10"}), world.user()
    order = {"code": campaign["code"], "phone": user.phone, "order": {"reference": "1", "amount": 100, "currency": "IRT"}}
    assert_problem(user.discount.post("/v1/redemptions", order), 409, "approval_pending")
    assert approve(second, campaign).status_code == 200
    assert user.discount.post("/v1/redemptions", order).status_code == 201


@pytest.mark.parametrize("changes", [{"max_redemptions": 11}, {"credit": {"amount": 1_000_001, "currency": "IRT"}}, {"budget": {"amount": 5_000_001, "currency": "IRT"}},
                                     {"budget": None}, {"approval": False}])
def test_a_raise_waits(world, second, changes):
    campaign = approved(world, second, budget={"amount": 5_000_000, "currency": "IRT"})
    held = patch(world.operator, campaign, {**changes, "name": "Renamed"})
    assert held.status_code == 202 and held.json()["name"] == "Renamed", held.text
    assert held.json()["approval_pending"]["changes"] == changes and held.json()["approval_pending"]["of"] == "change"
    assert {name: held.json()[name] for name in changes} == {name: campaign[name] for name in changes}
    assert patch(world.operator, campaign, changes).json()["version"] == held.json()["version"]
    assert_problem(patch(world.operator, campaign, {"max_redemptions": 99}), 409, "approval_pending")
    assert_problem(patch(second, campaign, changes), 409, "approval_pending")
    assert_problem(approve(world.operator, campaign), 403, "forbidden")
    done = approve(second, campaign)
    assert done.status_code == 200 and {name: done.json()[name] for name in changes} == changes and done.json()["approval_pending"] is None
    wait_funded(world.operator.discount, campaign)


def test_what_costs_no_more_waits_for_nobody(world, second):
    campaign = approved(world, second, budget={"amount": 5_000_000, "currency": "IRT"})
    lowered = patch(world.operator, campaign, {"max_redemptions": 9, "credit": {"amount": 999_999, "currency": "IRT"}, "budget": {"amount": 4, "currency": "IRT"}, "ends_at": "2100-01-01T00:00:00Z"})
    assert (lowered.status_code, lowered.json()["max_redemptions"], lowered.json()["approval_pending"]) == (200, 9, None)
    assert patch(world.operator, campaign, {"max_redemptions": 20}).status_code == 202
    back = patch(world.operator, campaign, {"max_redemptions": 9})
    assert (back.status_code, back.json()["approval_pending"], back.json()["max_redemptions"]) == (200, None, 9)
    assert approve(second, campaign).json()["max_redemptions"] == 9
    plain = world.operator.campaign(places=2)
    assert patch(world.operator, plain, {"max_redemptions": 3}).status_code == 200
    assert patch(world.operator, plain, {"approval": True}).json()["approval"] is True
    assert patch(world.operator, plain, {"max_redemptions": 4}).status_code == 202


def test_who_made_it_dearer_has_asked_for_it(world, second):
    campaign = made(world)
    assert patch(second, campaign, {"max_redemptions": 20, "approval": False}).status_code == 200
    assert_problem(approve(second, campaign), 403, "forbidden")
    assert approve(world.operator, campaign).status_code == 200
    assert wait_funded(world.operator.discount, campaign)["max_redemptions"] == 20


def test_what_has_become_of_it_meanwhile(world, second):
    campaign = approved(world, second)
    assert patch(world.operator, campaign, {"credit": {"amount": 2_000_000, "currency": "IRT"}}).status_code == 202
    assert world.user().redeem(campaign["code"]).status_code in (201, 202)
    assert_problem(approve(second, campaign), 409, "campaign_state_conflict")
    ended = made(world)
    assert world.operator.discount.post(f"/v1/campaigns/{ended['id']}/end").json()["approval_pending"] is None
    assert_problem(approve(second, ended), 409, "campaign_state_conflict")
    assert_problem(second.discount.post(f"/v1/campaigns/{uuid.uuid4()}/approve"), 404, "campaign_not_found")
    assert_problem(world.user().discount.post(f"/v1/campaigns/{campaign['id']}/approve"), 403, "forbidden")


def test_what_waits_outlives_a_restart_and_verify_proves_it(make_world):
    world = make_world()
    campaign = made(world)
    assert world.pair.discount.stop() == 0
    world.pair.discount.start()
    world.connect()
    assert now(world, campaign) == campaign
    assert world.pair.discount.verify().returncode == 0
    world.operator.campaign(places=1)  # with a fund, so that Wallet knows Discount's keys by now
    world.assert_clean()


@pytest.mark.of_sqlite
@pytest.mark.parametrize("damage", ["requested_by = x'0102030405060708090a0b0c0d0e0f10'", "waits = 0, requested_by = NULL, requested_at = 0", "is_needed = 0", "requested_at = requested_at + 1"])
def test_verify_finds_what_was_changed(make_world, damage):
    world = make_world()
    made(world)
    world.pair.discount.stop()
    world.pair.discount.write_sql(f"UPDATE campaign_approvals SET {damage}")
    found = world.pair.discount.verify()
    assert found.returncode == 1 and "campaign number 1 can't be read" in found.stdout, found.stdout
