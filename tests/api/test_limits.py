"""Gifts of every kind and the limits that decide them together: each refusal by its name, in one order."""
import datetime
import uuid

import pytest
from harness.client import new_phone
from harness.world import assert_problem

TOMAN = "IRT"


def money(amount, currency=TOMAN):
    return {"amount": amount, "currency": currency}


def create(world, **changes):
    made = {"name": "Nowruz 1404", "kind": "wallet_credit", "code": "L" + new_phone()[1:], "credit": money(100), "max_redemptions": 10, **changes}
    return world.operator.discount.post("/v1/campaigns", {name: value for name, value in made.items() if value is not ...})


def campaign_of(world, **changes):
    answer = create(world, **changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


def order_campaign(world, percent=None, most=None, amount=None, **changes):
    discount = money(amount) if amount else {"percent": percent, **({"max": money(most)} if most else {})}
    return campaign_of(world, kind="amount_off" if amount else "percent_off", credit=..., discount=discount, **changes)


def redeem(user, campaign, amount=None, reference=None, currency=TOMAN, **options):
    order = {} if amount is None else {"order": {"reference": reference or str(uuid.uuid4()), "amount": amount, "currency": currency}}
    return user.discount.post("/v1/redemptions", {"code": campaign["code"], "phone": user.phone, **order}, **options)


def change(world, campaign, body):
    return world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json=body, headers={"If-Match": "*"})


def paid(answer):
    """A place with its credit, also where Wallet is slow."""
    assert answer.status_code in (201, 202), answer.text
    return answer.json()


# ---- kinds ----

@pytest.mark.parametrize("terms, amount, off", [({"amount": 300}, 1000, 300), ({"amount": 300}, 200, 200), ({"percent": "12.5"}, 999, 124), ({"percent": "12.5", "most": 100}, 999, 100),
                                                ({"percent": "100"}, 7, 7), ({"percent": "0.01"}, 9_999, 0), ({"percent": "0.01"}, 10_000, 1), ({"percent": "33.33"}, 9_007_199_254_740_991, 3_002_099_511_605_172)])
def test_an_order_costs_less(world, terms, amount, off):
    campaign, user = order_campaign(world, **terms), world.user()
    assert "fund" not in campaign and "credit" not in campaign
    made = redeem(user, campaign, amount, "order-1")
    assert made.status_code == 201 and made.headers["Location"].endswith(made.json()["id"])
    assert (made.json()["status"], made.json()["position"]) == ("applied", 1)
    assert made.json()["discount"] == {"amount": off, "final_amount": amount - off, "currency": TOMAN}
    assert made.json()["order"] == {"reference": "order-1", "amount": amount, "currency": TOMAN}
    assert user.discount.get(f"/v1/redemptions/{made.json()['id']}").json() == made.json()
    report = world.operator.report(campaign["id"])
    assert (report["redeemed"], report["credited"], report["pending"], report["failed"]) == (1, 0, 0, 0)


def test_an_order_is_asked_for_by_its_faults(world):
    campaign, user = order_campaign(world, percent="10"), world.user()
    missing = assert_problem(redeem(user, campaign), 422, "validation_failed", ["order"])
    assert missing["errors"][0]["code"] == "required"
    other = assert_problem(redeem(user, campaign, 5, currency="IRR"), 422, "validation_failed", ["order.currency"])
    assert other["errors"][0]["code"] == "currency_mismatch"
    for order, fields in (({"reference": "", "amount": 1, "currency": TOMAN}, ["order.reference"]), ({"reference": "x" * 129, "amount": 1, "currency": TOMAN}, ["order.reference"]),
                          ({"reference": "ک" * 65, "amount": 1, "currency": TOMAN}, ["order.reference"]), ({"reference": "x", "amount": 0, "currency": TOMAN}, ["order.amount"]),
                          ({"reference": "x"}, ["order.amount", "order.currency"]), ({"reference": "x", "amount": 1, "currency": TOMAN, "y": 1}, ["order.y"])):
        assert_problem(user.discount.post("/v1/redemptions", {"code": campaign["code"], "phone": user.phone, "order": order}), 422, "validation_failed", fields)
    assert redeem(user, campaign, 5).status_code == 201


def test_the_same_order_is_the_same_redemption(world):
    campaign, user, other = order_campaign(world, percent="10", max_per_user=3, max_per_phone=3), world.user(), world.user()
    first = redeem(user, campaign, 1000, "A")
    again = redeem(user, campaign, 2000, "A")
    assert (first.status_code, again.status_code) == (201, 200) and again.json() == first.json()
    assert redeem(user, campaign, 1000, "B").json()["position"] == 2
    assert redeem(other, campaign, 1000, "A").json()["position"] == 3  # another user's order of that name
    assert redeem(user, campaign, 1000, "A").json() == first.json()
    assert world.operator.report(campaign["id"])["rejected"]["already_redeemed"] == 2


def test_one_per_user_is_one_order(world):
    campaign, user = order_campaign(world, percent="10"), world.user()
    assert redeem(user, campaign, 1000, "A").status_code == 201
    assert redeem(user, campaign, 1000, "A").status_code == 200
    assert_problem(redeem(user, campaign, 1000, "B"), 409, "user_limit_reached")


def test_a_credit_may_name_its_order_too(world):
    campaign, user = campaign_of(world, max_per_user=2, max_per_phone=2, min_order=money(500)), world.user()
    assert_problem(redeem(user, campaign), 422, "validation_failed", ["order"])
    assert_problem(redeem(user, campaign, 499), 409, "order_too_small")
    first = paid(redeem(user, campaign, 500, "A"))
    assert first["credit"] == money(100) and first["order"]["reference"] == "A"
    assert redeem(user, campaign, 500, "A").json()["id"] == first["id"]
    assert paid(redeem(user, campaign, 500, "B"))["position"] == 2


@pytest.mark.parametrize("changes, fields", [
    ({"kind": "amount_off"}, ["credit", "discount"]), ({"discount": money(5)}, ["discount"]), ({"credit": ...}, ["credit"]),
    ({"kind": "percent_off", "credit": ..., "discount": {"percent": "0"}}, ["discount.percent"]), ({"kind": "percent_off", "credit": ..., "discount": {"percent": "100.01"}}, ["discount.percent"]),
    ({"kind": "percent_off", "credit": ..., "discount": {"percent": "1.234"}}, ["discount.percent"]), ({"kind": "percent_off", "credit": ..., "discount": {"percent": 12.5}}, ["discount.percent"]),
    ({"kind": "percent_off", "credit": ..., "discount": {"percent": "1.", "max": money(0)}}, ["discount.max.amount", "discount.percent"]),
    ({"kind": "amount_off", "credit": ..., "discount": money(5), "budget": money(5, "IRR")}, ["budget.currency"]), ({"budget": money(5, "IRR")}, ["budget.currency"]),
    ({"max_per_user": 1001}, ["max_per_user"]), ({"max_per_phone": 0}, ["max_per_phone"]), ({"max_per_day": 0}, ["max_per_day"]), ({"budget": money(0)}, ["budget.amount"]),
    ({"schedule": {"days": ["sat", "someday"]}}, ["schedule.days"]), ({"schedule": {"days": []}}, ["schedule.days"]), ({"schedule": {"from": "24:00"}}, ["schedule.from"]),
    ({"schedule": {"to": "24:01", "time_zone": "Asia/Teheran"}}, ["schedule.time_zone", "schedule.to"]), ({"schedule": {"time_zone": "../../etc/passwd"}}, ["schedule.time_zone"]),
    ({"eligibility": {"account_age_min_s": -1}}, ["eligibility.account_age_min_s"]), ({"metadata": {"a": 1}}, ["metadata"]), ({"metadata": {str(i): "" for i in range(17)}}, ["metadata"]),
    ({"metadata": {"a": "x" * 501}}, ["metadata"]), ({"metadata": {"a" * 41: ""}}, ["metadata"]), ({"public": 1}, ["public"]),
])
def test_what_no_campaign_can_be(world, changes, fields):
    assert_problem(create(world, **changes), 422, "validation_failed", fields)


# ---- how many ----

def test_more_than_one_each(world):
    campaign = campaign_of(world, max_per_user=2, max_per_phone=3, phone="any")
    user, other = world.user(), world.user()
    assert [paid(redeem(user, campaign))["position"] for _ in range(2)] == [1, 2]  # without key or order each is a new one
    assert_problem(redeem(user, campaign), 409, "user_limit_reached")
    key = {"Idempotency-Key": str(uuid.uuid4())}
    other.phone = user.phone
    first = paid(redeem(other, campaign, headers=key))
    assert redeem(other, campaign, headers=key).json()["id"] == first["id"]
    assert_problem(redeem(other, campaign), 409, "phone_limit_reached")
    assert_problem(redeem(other, campaign, headers={"Idempotency-Key": str(uuid.uuid4())}), 409, "phone_limit_reached")
    rejected = world.operator.report(campaign["id"])["rejected"]
    assert (rejected["user_limit_reached"], rejected["phone_limit_reached"]) == (1, 2)
    assert change(world, campaign, {"max_per_phone": 4}).status_code == 200
    assert paid(redeem(other, campaign))["position"] == 4
    assert_problem(change(world, campaign, {"max_per_user": 1}), 409, "campaign_state_conflict")


def test_a_budget_is_counted_to_its_last_unit(world):
    campaign = order_campaign(world, percent="10", budget=money(150))
    users = [world.user() for _ in range(4)]
    assert redeem(users[0], campaign, 999).json()["discount"]["amount"] == 99  # 51 are left, not 50
    assert_problem(redeem(users[1], campaign, 520), 410, "budget_exhausted")
    assert redeem(users[1], campaign, 510).json()["discount"]["amount"] == 51
    assert_problem(redeem(users[2], campaign, 10), 410, "budget_exhausted")
    assert redeem(users[2], campaign, 9).json()["discount"]["amount"] == 0  # which no budget lacks
    report = world.operator.report(campaign["id"])
    assert report["orders"] == {"count": 3, "amount": 1518, "discount": 150, "currency": TOMAN}
    assert report["budget"] == {"amount": 150, "spent": 150, "remaining": 0, "currency": TOMAN}
    assert change(world, campaign, {"budget": money(100)}).status_code == 200  # below what is spent: over now
    assert_problem(redeem(users[3], campaign, 10), 410, "budget_exhausted")
    assert change(world, campaign, {"budget": money(151)}).status_code == 200
    assert redeem(users[3], campaign, 10).json()["discount"]["amount"] == 1
    assert change(world, campaign, {"budget": None}).json()["budget"] is None
    assert redeem(world.user(), campaign, 10_000).json()["discount"]["amount"] == 1000


def test_a_budget_of_credits(world):
    campaign = campaign_of(world, budget=money(250))
    for _ in range(2):
        paid(redeem(world.user(), campaign))
    assert_problem(redeem(world.user(), campaign), 410, "budget_exhausted")
    assert world.operator.report(campaign["id"])["rejected"]["budget_exhausted"] == 1


def test_what_runs_out_first_names_itself(world):
    campaign = order_campaign(world, amount=100, max_redemptions=1, max_per_day=1, budget=money(100), min_order=money(50))
    user, late = world.user(), world.user()
    assert redeem(user, campaign, 200).status_code == 201
    assert_problem(redeem(late, campaign, 49), 409, "order_too_small")
    assert_problem(redeem(late, campaign, 50), 410, "sold_out")
    assert change(world, campaign, {"max_redemptions": 2}).status_code == 200
    assert_problem(redeem(late, campaign, 50), 410, "budget_exhausted")
    assert change(world, campaign, {"budget": None}).status_code == 200
    wait = assert_tomorrow(redeem(late, campaign, 50))
    assert 0 < wait <= 24 * 3600
    assert change(world, campaign, {"max_per_day": 2}).status_code == 200
    assert redeem(late, campaign, 50).json()["discount"]["amount"] == 50


def assert_tomorrow(answer):
    assert_problem(answer, 409, "daily_limit_reached")
    return int(answer.headers["Retry-After"])


def test_a_day_ends_at_midnight_of_its_zone(world):
    """Not at that of UTC: Kiritimati's is ten hours before it, and Tehran's three and a half."""
    for zone, offset_min in (("Pacific/Kiritimati", 14 * 60), ("Asia/Tehran", 210), ("UTC", 0)):
        campaign = order_campaign(world, amount=1, max_per_day=1, schedule={"time_zone": zone})
        assert redeem(world.user(), campaign, 5).status_code == 201
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=offset_min)
        left = (datetime.timedelta(days=1) - datetime.timedelta(hours=now.hour, minutes=now.minute, seconds=now.second)).total_seconds()
        wait = assert_tomorrow(redeem(world.user(), campaign, 5))
        assert abs(wait - left) <= 60 or abs(wait - left) >= 86_340, (zone, wait, left)  # or midnight has just come


# ---- when and for whom ----

def test_a_schedule_says_when_it_opens(world):
    now = datetime.datetime.now(datetime.timezone.utc)
    names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    days = [names[(now.weekday() + 2) % 7], names[(now.weekday() + 4) % 7]]
    campaign, user = campaign_of(world, schedule={"time_zone": "UTC", "days": days, "from": "10:00", "to": "18:00"}), world.user()
    assert campaign["schedule"] == {"time_zone": "UTC", "days": sorted(days, key=["sat", "sun", "mon", "tue", "wed", "thu", "fri"].index), "from": "10:00", "to": "18:00"}
    closed = redeem(user, campaign)
    problem = assert_problem(closed, 409, "campaign_not_started")
    opens = datetime.datetime.fromisoformat(problem["starts_at"])
    assert (opens.hour, opens.minute) == (10, 0) and names[opens.weekday()] in days and 0 < (opens - now).total_seconds() < 4 * 86400
    assert abs(int(closed.headers["Retry-After"]) - (opens - now).total_seconds()) < 60
    assert change(world, campaign, {"schedule": {"time_zone": "Asia/Tehran"}}).json()["schedule"]["to"] == "24:00"
    paid(redeem(user, campaign))
    assert change(world, campaign, {"schedule": None}).json()["schedule"] is None


def test_only_accounts_that_are_old_enough(world):
    campaign, user = campaign_of(world, eligibility={"account_age_min_s": 3600}), world.user()
    assert_problem(redeem(user, campaign), 409, "not_eligible")
    assert world.operator.report(campaign["id"])["rejected"]["not_eligible"] == 1
    assert change(world, campaign, {"eligibility": {"account_age_min_s": 0}}).status_code == 200
    paid(redeem(user, campaign))


# ---- changes ----

def test_everything_that_nobody_has_used_can_be_changed(world):
    campaign = order_campaign(world, percent="10", most=50)
    code = "N" + new_phone()[1:]
    body = {"name": "Yalda", "code": code, "discount": {"percent": "20.5"}, "max_redemptions": 7, "max_per_user": 2, "max_per_phone": 2, "max_per_day": 5, "budget": money(900), "min_order": money(10),
            "schedule": {"days": ["fri"]}, "phone": "any", "eligibility": {"account_age_min_s": 9}, "public": True, "metadata": {"b": "2", "a": "۱"}}
    changed = change(world, campaign, body).json()
    assert {name: changed[name] for name in body if name != "schedule"} == {name: body[name] for name in body if name != "schedule"}
    assert changed["schedule"] == {"days": ["fri"], "from": "00:00", "to": "24:00"} and changed["version"] == campaign["version"] + 1
    assert world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json() == changed
    user = world.user()
    assert_problem(redeem(user, campaign, 10), 404, "code_not_found")
    assert change(world, campaign, {"schedule": None, "eligibility": None, "min_order": None}).status_code == 200
    assert redeem(user, {"code": code}, 1000).json()["discount"]["amount"] == 205
    for used in ({"code": campaign["code"]}, {"discount": {"percent": "1"}}, {"phone": "account"}, {"max_per_user": 1}, {"max_per_phone": 1}):
        assert_problem(change(world, campaign, {**used, "name": "X"}), 409, "campaign_state_conflict")
    kept = change(world, campaign, {"code": code, "discount": {"percent": "20.5"}, "phone": "any", "max_per_user": 2})  # as they are
    assert kept.status_code == 200 and kept.json()["name"] == "Yalda"
    assert_problem(change(world, campaign_of(world), {"code": code}), 409, "code_taken")
    log = world.operator.discount.get(f"/v1/audit-log?action=campaign.change&subject={campaign['id']}").json()["data"]
    assert log[-1]["before"]["discount"] == {"percent": "10", "max": money(50)} and log[-1]["after"]["discount"] == {"percent": "20.5"}


def test_a_dry_run_says_what_an_order_would_cost(world):
    campaign, user = order_campaign(world, percent="10", budget=money(99)), world.user()
    dry = redeem(user, campaign, 990, "A", params={"dry_run": "true"})
    assert dry.status_code == 200 and dry.json()["dry_run"] is True and dry.json()["discount"] == {"amount": 99, "final_amount": 891, "currency": TOMAN}
    assert_problem(redeem(user, campaign, 1000, "A", params={"dry_run": "true"}), 410, "budget_exhausted")
    assert redeem(user, campaign, 990, "A").status_code == 201


def test_limits_hold_over_a_restart(world):
    campaign = order_campaign(world, percent="10", max_per_user=2, max_per_phone=2, max_per_day=3, budget=money(300))
    user = world.user()
    assert [redeem(user, campaign, 1000, name).status_code for name in ("A", "B")] == [201, 201]
    assert world.pair.discount.stop() == 0
    verified = world.pair.discount.command("verify", "--data", world.pair.discount.data, *world.pair.discount.store_words)
    assert verified.returncode == 0, verified.stdout
    world.pair.discount.start()
    assert redeem(user, campaign, 1000, "B").status_code == 200
    assert_problem(redeem(user, campaign, 1000, "C"), 409, "user_limit_reached")
    assert redeem(world.user(), campaign, 1000).status_code == 201
    assert_problem(redeem(world.user(), campaign, 1000), 410, "budget_exhausted")
    assert change(world, campaign, {"budget": None}).status_code == 200
    assert_tomorrow(redeem(world.user(), campaign, 1000))
