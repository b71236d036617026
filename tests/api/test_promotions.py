"""What a user is told before he redeems: whether a code is good for him, and which promotions there are. And how an operator finds a campaign."""
import uuid

from harness.client import new_phone
from harness.world import assert_problem
from test_limits import campaign_of, change, money, order_campaign, redeem


def validate(user, code, order=None, **options):
    return user.discount.post("/v1/validations", {"code": code, **({"order": order} if order else {})}, **options)


def verdict(user, code, order=None):
    answer = validate(user, code, order)
    assert answer.status_code == 200, answer.text
    return answer.json()


def order(amount, currency="IRT"):
    return {"reference": str(uuid.uuid4()), "amount": amount, "currency": currency}


def test_a_code_is_tried_and_nothing_taken(world):
    campaign, user = campaign_of(world, max_redemptions=1), world.user()
    assert verdict(user, campaign["code"]) == {"valid": True, "credit": money(100)}
    assert verdict(user, campaign["code"].lower()) == {"valid": True, "credit": money(100)}
    assert world.operator.report(campaign["id"])["attempts"] == 0
    assert redeem(user, campaign).status_code in (201, 202)
    assert (verdict(user, campaign["code"])["valid"], verdict(user, campaign["code"])["code"]) == (False, "already_redeemed")
    late = verdict(world.user(), campaign["code"])
    assert (late["valid"], late["code"]) == (False, "sold_out") and late["detail"]
    assert world.operator.report(campaign["id"])["attempts"] == 1


def test_an_order_is_tried(world):
    campaign, user = order_campaign(world, percent="10", most=70, min_order=money(100), budget=money(100)), world.user()
    assert verdict(user, campaign["code"]) == {"valid": True}  # what it is worth depends on the order
    assert verdict(user, campaign["code"], order(555)) == {"valid": True, "discount": {"amount": 55, "final_amount": 500, "currency": "IRT"}}
    assert verdict(user, campaign["code"], order(99))["code"] == "order_too_small"
    assert redeem(user, campaign, 5000).json()["discount"]["amount"] == 70
    assert verdict(world.user(), campaign["code"], order(310))["code"] == "budget_exhausted"
    assert verdict(world.user(), campaign["code"], order(309))["discount"]["amount"] == 30
    assert verdict(user, campaign["code"], order(500))["code"] == "user_limit_reached"  # he has one for another order
    assert_problem(validate(world.user(), campaign["code"], order(5, "IRR")), 422, "validation_failed", ["order.currency"])
    assert_problem(user.discount.post("/v1/validations", {"code": campaign["code"], "phone": user.phone}), 422, "validation_failed", ["phone"])


def test_who_has_no_number(world):
    user = world.user(with_phone=False)
    assert verdict(user, campaign_of(world)["code"])["code"] == "phone_missing"
    assert verdict(user, campaign_of(world, phone="any")["code"])["valid"] is True


def test_several_each_are_counted_when_they_are_tried(world):
    campaign, user = campaign_of(world, max_per_user=2, max_per_phone=2), world.user()
    for _ in range(2):
        assert verdict(user, campaign["code"])["valid"] is True
        assert redeem(user, campaign).status_code in (201, 202)
    assert verdict(user, campaign["code"])["code"] == "user_limit_reached"


def test_a_wrong_code_is_an_attempt(world):
    user = world.user()
    answers = [validate(user, "NOSUCHCODE" + str(i)) for i in range(12)]
    assert answers[0].json()["code"] == "code_not_found"
    assert_problem(answers[-1], 429, "too_many_attempts")


def test_only_what_is_public_is_shown(world):
    shown = campaign_of(world, public=True, name="Shown " + new_phone())
    share = order_campaign(world, percent="12.5", most=9, public=True, starts_at="2999-01-01T00:00:00Z")
    hidden, over = campaign_of(world), campaign_of(world, public=True)
    world.operator.discount.post(f"/v1/campaigns/{over['id']}/end")
    user = world.user()
    listed = {item["id"]: item for item in user.discount.get("/v1/promotions?limit=200").json()["data"]}
    assert hidden["id"] not in listed and over["id"] not in listed
    assert listed[shown["id"]] == {"id": shown["id"], "name": shown["name"], "kind": "wallet_credit", "credit": money(100), "state": "active", "starts_at": None, "ends_at": None, "remaining": 10}
    assert (listed[share["id"]]["discount"], listed[share["id"]]["state"]) == ({"percent": "12.5", "max": money(9)}, "scheduled")
    assert redeem(user, shown).status_code in (201, 202)
    first = user.discount.get("/v1/promotions?limit=1").json()
    second = user.discount.get(f"/v1/promotions?limit=1&cursor={first['next_cursor']}").json()
    assert [page["data"][0]["id"] for page in (first, second)] == [share["id"], shown["id"]] and second["data"][0]["remaining"] == 9
    assert change(world, shown, {"public": False}).status_code == 200
    assert shown["id"] not in {item["id"] for item in user.discount.get("/v1/promotions?limit=200").json()["data"]}


def test_campaigns_are_found(world):
    name = "Found " + new_phone()
    active, paused = campaign_of(world, name=name), campaign_of(world, name=name)
    share = order_campaign(world, percent="1", name=name)
    full, over = campaign_of(world, name=name, max_redemptions=1), campaign_of(world, name=name)
    later = campaign_of(world, name=name, starts_at="2999-01-01T00:00:00Z")
    world.operator.discount.post(f"/v1/campaigns/{paused['id']}/pause")
    world.operator.discount.post(f"/v1/campaigns/{over['id']}/end")
    assert redeem(world.user(), full).status_code in (201, 202)

    def found(**filters):
        data = world.operator.discount.get("/v1/campaigns", params={"limit": 200, **filters}).json()["data"]
        return [item["id"] for item in data]
    assert found(name=name) == [made["id"] for made in (later, over, full, share, paused, active)]
    for state, campaigns in (("active", [share, active]), ("paused", [paused]), ("exhausted", [full]), ("ended", [over]), ("scheduled", [later])):
        assert found(name=name, state=state) == [made["id"] for made in campaigns]
    assert found(name=name, kind="percent_off") == [share["id"]]
    assert found(code=active["code"].lower()) == [active["id"]] and found(code="NOSUCHCODE") == []
    assert found(code=active["code"], state="paused") == []
    assert_problem(world.operator.discount.get("/v1/campaigns?state=open&kind=x&code=%21"), 422, "validation_failed", ["state", "kind", "code"])
