"""The waiting list: who comes when all places are gone stands in a line, in which nobody is overtaken, and gets what comes free, once."""
import datetime
import uuid

import pytest

from api.test_codes import codes_of, make_batch
from api.test_discount_restored import put_back, wait_until_agreed
from api.test_limits import campaign_of, change, create, money, order_campaign, redeem
from api.test_taken_back import counts, read, reverse, reversed_one, won
from harness.copies import copy_of
from harness.events import Events
from harness.services import CREDIT, wait_until
from harness.world import assert_problem


def waits(answer, rank, replayed=None):
    assert answer.status_code == 202, answer.text
    assert (answer.json()["status"], answer.json()["rank"], answer.json()["position"]) == ("waiting", rank, None)
    assert answer.headers.get("Idempotent-Replayed") == replayed
    return answer.json()


def becomes(world, redemption, *statuses):
    return wait_until(lambda: (found := read(world, redemption["id"]))["status"] in statuses and found, f"it is {statuses}")


def full_campaign(world, length, places=1, **changes):
    """And who has its places."""
    campaign = campaign_of(world, waiting_list=length, max_redemptions=places, credit=money(CREDIT), **changes)
    winners = [world.user() for _ in range(places)]
    return campaign, winners, [won(world, winner, campaign) for winner in winners]


def listed(world, campaign, query):
    return world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/redemptions?{query}").json()["data"]


def told(reports, *names):
    return [tuple(report.data[name] for name in names) for report in reports if report.name == "report"]


# ---- the line ----

def test_who_comes_too_late_waits_and_gets_the_place_that_comes_free(world):
    campaign, [winner], [place] = full_campaign(world, 2)
    assert campaign["waiting_list"] == 2
    first, second, third = (world.user() for _ in range(3))
    waiting = waits(first.redeem(campaign["code"]), 1)
    assert waiting["credit"] == money(CREDIT) and "transaction_id" not in waiting
    behind = waits(second.redeem(campaign["code"]), 2)
    assert_problem(third.redeem(campaign["code"]), 410, "sold_out")
    assert counts(world, campaign, "waiting", "lapsed", "redeemed", "credited", "pending", "attempts") == (2, 0, 1, 1, 0, 4)
    assert waits(first.redeem(campaign["code"]), 1) == waiting == first.discount.get(f"/v1/redemptions/{waiting['id']}").json()
    assert [item["status"] for item in first.discount.get("/v1/redemptions").json()["data"]] == ["waiting"]
    assert first.balance() == 0
    reversed_one(world, place["id"], slot="promote")
    given = becomes(world, waiting, "credited")
    assert (given["id"], given["position"], "rank" in given) == (waiting["id"], 2, False) and given["claimed_at"] > waiting["claimed_at"]
    assert (winner.balance(), first.balance(), second.balance()) == (0, CREDIT, 0)
    assert second.discount.get(f"/v1/redemptions/{behind['id']}").json() == {**behind, "rank": 1}
    assert first.redeem(campaign["code"]).json() == given  # 200, as any winner's
    waits(third.redeem(campaign["code"]), 2)
    assert_problem(winner.redeem(campaign["code"]), 410, "sold_out")  # he has none any more, and the line is full
    assert counts(world, campaign, "waiting", "redeemed", "credited", "reversed", "remaining") == (2, 1, 1, 1, 0)
    world.assert_clean()


@pytest.mark.parametrize("slot", ["return", "burn"])
def test_what_is_returned_is_theirs_and_what_is_burned_nobodys(world, slot):
    campaign, [winner], [place] = full_campaign(world, 1)
    user, late = world.user(), world.user()
    waiting = waits(user.redeem(campaign["code"]), 1)
    reversed_one(world, place["id"], slot=slot)
    if slot == "return":
        becomes(world, waiting, "credited")
        waits(late.redeem(campaign["code"]), 1)
    else:
        assert read(world, waiting["id"]) == waiting
        assert_problem(late.redeem(campaign["code"]), 410, "sold_out")
    assert user.balance() == (CREDIT if slot == "return" else 0)
    world.assert_clean()


def test_a_listener_sees_the_line_grow_and_get_the_place(world):
    campaign, _, [place] = full_campaign(world, 2)
    with Events(world.operator.discount, campaign["id"]) as events:
        seen = [events.next()]
        waiting = waits(world.user().redeem(campaign["code"]), 1)
        seen += events.until(lambda event: event.name == "report" and event.data["waiting"] == 1)
        reversed_one(world, place["id"], slot="promote")
        seen += events.until(lambda event: event.name == "report" and event.data["reversed"] == 1 and event.data["credited"] == 1)
    lengths = told(seen, "waiting")
    assert (lengths[0], lengths[-1]) == ((0,), (0,)) and max(lengths) == (1,)
    assert set(told(seen, "redeemed", "remaining")) <= {(1, 0), (0, 0)}, "the place was never anybody else's"
    assert [event.id for event in seen] == sorted(event.id for event in seen) and seen[0].id < seen[-1].id
    assert read(world, waiting["id"])["status"] == "credited"


def test_a_key_finds_it_again(world):
    campaign, _, [place] = full_campaign(world, 5, max_per_user=2, max_per_phone=2)
    user, key = world.user(), str(uuid.uuid4())
    first = waits(user.redeem(campaign["code"], key=key), 1)
    assert waits(user.redeem(campaign["code"], key=key), 1, "true") == first
    other = waits(user.redeem(campaign["code"], key=str(uuid.uuid4())), 2)  # of two that it may have
    assert other["id"] != first["id"]
    assert_problem(user.redeem(campaign["code"], key=str(uuid.uuid4())), 409, "user_limit_reached")
    reversed_one(world, place["id"], slot="promote")
    becomes(world, first, "credited")
    final = user.redeem(campaign["code"], key=key)
    assert (final.status_code, final.json()["status"], final.json()["id"], final.headers["Idempotent-Replayed"]) == (201, "credited", first["id"], "true")
    assert user.balance() == CREDIT


def test_who_waits_counts_for_the_limits(world):
    campaign, _, [place] = full_campaign(world, 5, phone="any")
    batch = make_batch(world.operator, campaign, count=1)
    [code] = codes_of(world.operator, batch)
    user, other = world.user(), world.user()
    waiting = waits(user.discount.post("/v1/redemptions", {"code": code, "phone": user.phone}), 1)
    assert waits(user.redeem(campaign["code"]), 1)["id"] == waiting["id"]
    assert_problem(other.redeem(campaign["code"], phone=user.phone), 409, "phone_already_redeemed")
    assert_problem(other.redeem(code), 404, "code_not_found")
    looked = world.operator.discount.post("/v1/codes/lookup", {"code": code}).json()
    assert (looked["uses"], looked["state"], [item["status"] for item in looked["redemptions"]]) == (1, "used", ["waiting"])
    assert_problem(reverse(world, waiting["id"]), 409, "redemption_not_credited")
    assert_problem(world.operator.discount.post(f"/v1/redemptions/{waiting['id']}/retry"), 409, "redemption_not_failed")
    reversed_one(world, place["id"], slot="promote")
    becomes(world, waiting, "credited")
    assert world.operator.discount.post("/v1/codes/lookup", {"code": code}).json()["uses"] == 1
    world.assert_clean()


def test_an_order_waits_without_a_discount(world):
    campaign = order_campaign(world, percent="50", max_redemptions=1, waiting_list=3, budget=money(700), max_per_user=2, max_per_phone=2)
    first, second = world.user(), world.user()
    place = redeem(first, campaign, 1000, "order-1").json()
    waiting = waits(redeem(second, campaign, 800, "order-2"), 1)
    assert waiting["order"] == {"reference": "order-2", "amount": 800, "currency": "IRT"} and not {"discount", "credit"} & set(waiting)
    assert waits(redeem(second, campaign, 800, "order-2"), 1) == waiting
    waits(redeem(second, campaign, 10, "order-3"), 2)
    report = world.operator.report(campaign["id"])
    assert (report["orders"]["count"], report["orders"]["amount"], report["budget"]["spent"], report["waiting"]) == (1, 1000, 500, 2)
    told = reverse(world, place["id"], slot="promote")
    assert told.status_code == 200 and told.json()["status"] == "reversed"
    given = read(world, waiting["id"])  # in the same commit
    assert (given["status"], given["position"], given["discount"]) == ("applied", 2, {"amount": 400, "final_amount": 400, "currency": "IRT"})
    assert redeem(second, campaign, 800, "order-2").json() == given
    report = world.operator.report(campaign["id"])
    assert (report["orders"]["count"], report["orders"]["amount"], report["budget"]["spent"], report["waiting"]) == (1, 800, 400, 1)
    world.assert_clean()


# ---- whatever else opens places ----

def test_a_raise_goes_to_the_line_before_anybody_who_comes(world):
    campaign, _, _ = full_campaign(world, 10)
    users = [world.user() for _ in range(4)]
    line = [waits(user.redeem(campaign["code"]), rank) for rank, user in enumerate(users, 1)]
    raised = change(world, campaign, {"max_redemptions": 4})
    assert raised.status_code == 200, raised.text
    late = world.user().redeem(campaign["code"])
    assert late.status_code == 202 and late.json()["status"] == "waiting"
    given = [becomes(world, waiting, "credited") for waiting in line[:3]]
    assert [item["position"] for item in given] == [2, 3, 4]
    assert read(world, line[3]["id"])["rank"] == 1 and read(world, late.json()["id"])["rank"] == 2
    assert [user.balance() for user in users] == [CREDIT] * 3 + [0]
    assert counts(world, campaign, "redeemed", "remaining", "waiting") == (4, 0, 2)
    world.assert_clean()


def test_who_gets_an_open_place_beside_a_reversal_is_paid(world):
    """The place is open, and nobody may have noticed yet, when another one is asked back."""
    campaign, [winner], [place] = full_campaign(world, 1)
    user = world.user()
    waiting = waits(user.redeem(campaign["code"]), 1)
    assert change(world, campaign, {"max_redemptions": 2}).status_code in (200, 202)
    reversed_one(world, place["id"], slot="burn")
    becomes(world, waiting, "credited")
    assert (winner.balance(), user.balance()) == (0, CREDIT)
    world.assert_clean()


def test_a_pause_holds_the_line(world):
    campaign, _, [place] = full_campaign(world, 1)
    waiting = waits(world.user().redeem(campaign["code"]), 1)
    world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/pause")
    reversed_one(world, place["id"], slot="promote")
    assert read(world, waiting["id"]) == waiting
    assert counts(world, campaign, "redeemed", "remaining", "waiting") == (0, 1, 1)
    world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/resume")
    becomes(world, waiting, "credited")
    world.assert_clean()


def test_the_budget_holds_the_line_until_it_is_raised(world):
    campaign, _, _ = full_campaign(world, 2, budget=money(CREDIT), max_per_day=2)
    waiting = waits(world.user().redeem(campaign["code"]), 1)
    change(world, campaign, {"max_redemptions": 5})
    late = waits(world.user().redeem(campaign["code"]), 2)  # places are open, and they are not his
    change(world, campaign, {"budget": money(9 * CREDIT)})
    becomes(world, waiting, "credited")
    assert waits(world.user().redeem(campaign["code"]), 2) and read(world, late["id"])["rank"] == 1  # two of today are taken
    assert counts(world, campaign, "redeemed", "waiting") == (2, 2)
    world.assert_clean()


def test_its_length_changes_and_nobody_is_put_out(world):
    campaign, _, [place] = full_campaign(world, 3)
    first, second = (waits(world.user().redeem(campaign["code"]), rank) for rank in (1, 2))
    assert change(world, campaign, {"waiting_list": 1}).json()["waiting_list"] == 1
    late = world.user()
    assert_problem(late.redeem(campaign["code"]), 410, "sold_out")
    reversed_one(world, place["id"], slot="promote")
    becomes(world, first, "credited")
    assert read(world, second["id"])["rank"] == 1
    assert_problem(late.redeem(campaign["code"]), 410, "sold_out")
    assert change(world, campaign, {"waiting_list": 2}).json()["waiting_list"] == 2
    waits(late.redeem(campaign["code"]), 2)
    assert change(world, campaign, {"waiting_list": None}).json()["waiting_list"] == 0
    assert counts(world, campaign, "waiting") == (2,)


# ---- its end ----

@pytest.mark.parametrize("by", ["an administrator", "its date"])
def test_who_waits_until_the_end_is_told(world, by):
    options = {}
    if by == "its date":
        options["ends_at"] = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)).isoformat()
    campaign, _, [place] = full_campaign(world, 5, **options)
    user, key = world.user(), str(uuid.uuid4())
    waiting = waits(user.redeem(campaign["code"], key=key), 1)
    if by == "an administrator":
        world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/end")
    lapsed = becomes(world, waiting, "lapsed")
    assert lapsed == {name: value for name, value in {**waiting, "status": "lapsed"}.items() if name != "rank"}
    for options in ({}, {"key": key}, {"key": key}):
        told = assert_problem(user.redeem(campaign["code"], **options), 410, "campaign_ended")
        assert told["redemption_id"] == waiting["id"]
    reversed_one(world, place["id"], slot="promote")
    assert read(world, waiting["id"]) == lapsed and user.balance() == 0
    assert counts(world, campaign, "waiting", "lapsed", "redeemed") == (0, 1, 0)
    assert [item["id"] for item in listed(world, campaign, "status=lapsed")] == [waiting["id"]] and listed(world, campaign, "status=waiting") == []
    world.assert_clean()


# ---- lists, rehearsals, bodies ----

def test_it_is_listed_behind_the_places(world):
    campaign, _, [place] = full_campaign(world, 5)
    users = [world.user() for _ in range(3)]
    line = [waits(user.redeem(campaign["code"]), rank) for rank, user in enumerate(users, 1)]
    assert [item["id"] for item in listed(world, campaign, "limit=10")] == [place["id"]]
    assert listed(world, campaign, "status=waiting") == line
    assert listed(world, campaign, f"user_id={users[1].id}") == [line[1]]
    assert listed(world, campaign, f"user_id={users[1].id}&status=credited") == listed(world, campaign, "status=lapsed") == []
    path = f"/v1/campaigns/{campaign['id']}/redemptions?status=waiting"
    page = world.operator.discount.get(f"{path}&limit=2").json()
    rest = world.operator.discount.get(f"{path}&limit=2&cursor={page['next_cursor']}").json()
    assert page["data"] + rest["data"] == line and rest["next_cursor"] is None
    lines = world.operator.discount.get(path, headers={"Accept": "text/csv"}).text.splitlines()
    assert [cells.split(",")[:2] + [cells.split(",")[4]] for cells in lines[1:]] == [["", item["id"], "waiting"] for item in line]
    reversed_one(world, place["id"])
    becomes(world, line[0], "credited")
    assert listed(world, campaign, "status=waiting") == [{**item, "rank": rank} for rank, item in enumerate(line[1:], 1)]


def test_a_rehearsal_and_a_try_take_no_place_in_it(world):
    campaign, _, _ = full_campaign(world, 1)
    user, other = world.user(), world.user()
    tried = user.discount.post("/v1/redemptions?dry_run=true", {"code": campaign["code"], "phone": user.phone})
    assert (tried.status_code, tried.json()["dry_run"], tried.json()["status"], tried.json()["rank"]) == (200, True, "waiting", 1)
    asked = user.discount.post("/v1/validations", {"code": campaign["code"]}).json()
    assert (asked["valid"], asked["code"]) == (False, "sold_out") and "waits" in asked["detail"]
    assert counts(world, campaign, "waiting") == (0,)
    waits(user.redeem(campaign["code"]), 1)
    asked = user.discount.post("/v1/validations", {"code": campaign["code"]}).json()
    assert (asked["valid"], asked["code"], asked["detail"]) == (False, "already_redeemed", "You wait for a place.")
    assert_problem(other.discount.post("/v1/redemptions?dry_run=true", {"code": campaign["code"], "phone": other.phone}), 410, "sold_out")


@pytest.mark.parametrize("length", [-1, 100_000_001, 1.5, "3", True])
def test_a_length_that_is_none(world, length):
    assert_problem(create(world, waiting_list=length), 422, "validation_failed", ["waiting_list"])
    assert_problem(change(world, campaign_of(world), {"waiting_list": length}), 422, "validation_failed", ["waiting_list"])


# ---- restarts and restorations ----

def test_the_line_outlives_a_restart_and_each_restored_database(make_world):
    world = make_world()
    campaign, _, [place] = full_campaign(world, 5)
    users = [world.user() for _ in range(3)]
    line = [waits(user.redeem(campaign["code"]), rank) for rank, user in enumerate(users, 1)]
    here, there = copy_of(world.pair.discount), copy_of(world.pair.wallet)
    assert [read(world, item["id"]) for item in line] == line
    change(world, campaign, {"max_redemptions": 2})
    becomes(world, line[0], "credited")
    reversed_one(world, place["id"], slot="promote")
    becomes(world, line[1], "credited")
    put_back(there)  # Wallet has lost both, and the fund's raise
    wait_until_agreed(world)
    assert [user.balance() for user in users] == [CREDIT, CREDIT, 0]
    here.service.kill()
    here.restore()  # and now nobody here has heard of either
    told = here.service.reconcile()
    assert told.returncode != 0 and told.stdout.count("Wallet has paid it, Discount says it waits for a place") == 2, told.stdout
    here.service.start()
    wait_until_agreed(world)
    assert [becomes(world, item, "credited")["id"] for item in line[:2]] == [item["id"] for item in line[:2]]
    assert [user.balance() for user in users] == [CREDIT, CREDIT, 0]
    assert read(world, line[2]["id"])["status"] == "waiting"
    world.assert_clean()


# ---- verify ----

DAMAGE = [("UPDATE campaigns SET waiting = waiting + 1", "its count of those who wait"), ("UPDATE campaigns SET lined_up = lined_up + 1", "those who wait are not as many"),
          ("UPDATE campaigns SET called = called + 1", "a ticket that was called"), ("UPDATE campaigns SET strayed = strayed + 1", "those who wait are not as many"),
          ("UPDATE campaigns SET waiting = 1, lined_up = 1", "never given"), ("DELETE FROM redemptions WHERE status = 6 AND key & 1 = 1", "its count of those who wait"),
          ("UPDATE redemptions SET status = 0 WHERE status = 6", "its position is none"), ("UPDATE redemptions SET status = 6 WHERE status = 1", "waits without a ticket"),
          ("UPDATE redemptions SET key = key + 2 WHERE status = 6 AND key & 1 = 1", "never given"), ("UPDATE redemptions SET settled_at = 5 WHERE status = 6", "settled without a time"),
          ("UPDATE campaigns SET waiting_list = 100000001", "its waiting list is longer"),
          ("UPDATE redemptions SET user_id = (SELECT user_id FROM redemptions WHERE status = 1) WHERE status = 6 AND key & 1 = 1", "a user has more redemptions in one campaign")]


@pytest.mark.of_sqlite
def test_a_changed_byte_is_found(make_world):
    world = make_world()
    campaign, _, _ = full_campaign(world, 5)
    line = [waits(world.user().redeem(campaign["code"]), rank) for rank in (1, 2)]
    discount = world.pair.discount
    copy = copy_of(discount)
    assert "1 of 1 places taken, 1 credited, 0 failed, 2 in its waiting list\n" in discount.verify().stdout
    for damage, found in DAMAGE:
        assert discount.stop() == 0
        discount.write_sql(damage)
        verified = discount.verify()
        assert verified.returncode != 0 and "BROKEN" in verified.stdout and found in verified.stdout, (damage, verified.stdout)
        copy.restore()
        discount.start()
    assert [read(world, item["id"]) for item in line] == line
    world.assert_clean()
