"""Redeeming: every row of the contract's table, which of two reasons comes first, and many at once."""
import datetime
import json
import uuid

import pytest

from harness.client import User, new_phone
from harness.services import wait_until
from harness.world import assert_problem

SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"
CREDIT = 1_000_000


def time_in(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def act(world, campaign, action):
    answer = world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/{action}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def patch(world, campaign, **changes):
    answer = world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json=changes, headers={"If-Match": f'"{campaign["version"]}"'})
    assert answer.status_code == 200, answer.text
    return answer.json()


def sold_out(world, **options):
    campaign = world.operator.campaign(places=1, **options)
    winner = world.user()
    assert winner.redeem(campaign["code"]).status_code == 201
    return campaign, winner


# ---- the rows ----

def test_a_place_is_taken_and_credited(world):
    campaign = world.operator.campaign(places=2)
    for position in (1, 2):
        user = world.user()
        answer = user.redeem(campaign["code"])
        assert answer.status_code == 201, answer.text
        redemption = answer.json()
        assert answer.headers["Location"] == f"/v1/redemptions/{redemption['id']}"
        assert {name: redemption[name] for name in ("campaign_id", "user_id", "phone", "position", "status", "credit")} == {
            "campaign_id": campaign["id"], "user_id": user.id, "phone": user.phone, "position": position, "status": "credited",
            "credit": {"amount": CREDIT, "currency": "IRT"}}
        assert redemption["claimed_at"] <= redemption["credited_at"]
        assert user.balance() == CREDIT
        transaction = user.wallet.get(f"/v1/transactions/{redemption['transaction_id']}").json()
        assert (transaction["reference"], transaction["amount"], transaction["kind"]) == (redemption["id"], CREDIT, "credit")
        assert user.discount.get(f"/v1/redemptions/{redemption['id']}").json() == redemption
        assert user.discount.get("/v1/redemptions").json() == {"data": [redemption], "next_cursor": None}


def test_the_same_user_again_gets_the_same_redemption(world):
    campaign = world.operator.campaign(places=5)
    user = world.user()
    first = user.redeem(campaign["code"])
    for phone in (user.phone, "0" + user.phone[3:]):
        again = user.redeem(campaign["code"], phone)
        assert again.status_code == 200 and again.json() == first.json()
        assert again.headers["Location"] == first.headers["Location"]
    assert user.redeem(campaign["code"].lower(), key=str(uuid.uuid4())).status_code == 200
    assert user.balance() == CREDIT
    assert world.operator.report(campaign["id"])["redeemed"] == 1


@pytest.mark.parametrize("change", ["sold out", "paused", "ended", "over by its date"])
def test_the_same_user_again_whatever_became_of_the_campaign(world, change):
    campaign = world.operator.campaign(places=1 if change == "sold out" else 2)
    user = world.user()
    first = user.redeem(campaign["code"])
    assert first.status_code == 201
    if change == "paused":
        act(world, campaign, "pause")
    elif change == "ended":
        act(world, campaign, "end")
    elif change == "over by its date":
        patch(world, campaign, ends_at=time_in(0.3))
        wait_until(lambda: world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()["state"] == "ended", "the end", 10)
    again = user.redeem(campaign["code"])
    assert again.status_code == 200 and again.json() == first.json()
    assert user.balance() == CREDIT


def test_a_phone_wins_once(world):
    """In a campaign that takes any phone: elsewhere two users cannot have the same."""
    campaign = world.operator.campaign(places=5, phone="any")
    winner, second = world.user(), world.user(with_phone=False)
    assert winner.redeem(campaign["code"]).status_code == 201
    assert_problem(second.redeem(campaign["code"], winner.phone), 409, "phone_already_redeemed")
    assert_problem(second.redeem(campaign["code"], "0" + winner.phone[3:]), 409, "phone_already_redeemed")
    assert second.balance() == 0
    assert second.redeem(campaign["code"]).status_code == 201
    other = world.operator.campaign(places=5, phone="any")
    assert world.user(with_phone=False).redeem(other["code"], winner.phone).status_code == 201


def test_another_phone_than_the_accounts(world):
    campaign = world.operator.campaign(places=5)
    user, other = world.user(), world.user()
    assert_problem(user.redeem(campaign["code"], other.phone), 422, "phone_mismatch")
    assert user.balance() == 0
    assert user.redeem(campaign["code"]).status_code == 201


def test_an_account_without_a_phone_cannot_take_another_ones(world):
    """Its owner would be told that they have won already."""
    campaign = world.operator.campaign(places=5)
    assert campaign["phone"] == "account"
    owner, thief = world.user(), world.user(with_phone=False)
    before = world.operator.report(campaign["id"])["rejected"]["phone_missing"]
    for key in (None, "the same"):
        assert_problem(thief.redeem(campaign["code"], owner.phone, key=key), 409, "phone_missing")
    assert_problem(thief.redeem(campaign["code"]), 409, "phone_missing")
    assert world.operator.report(campaign["id"])["rejected"]["phone_missing"] - before == 3
    assert owner.redeem(campaign["code"]).status_code == 201


def test_any_phone_where_the_campaign_says_so(world):
    campaign = world.operator.campaign(places=5, phone="any")
    assert campaign["phone"] == "any"
    users = [world.user(), world.user(with_phone=False)]
    for user in users:
        phone = new_phone()
        answer = user.redeem(campaign["code"], phone)
        assert answer.status_code == 201 and answer.json()["phone"] == phone


def test_a_verified_phone_where_the_campaign_says_so(world):
    """What the wallet's token says of the number (OpenID Connect Core 1.0, section 5.1)."""
    campaign = world.operator.campaign(places=5, phone="verified")
    user, key = world.user(), world.wallet_key
    assert_problem(user.redeem(campaign["code"]), 409, "phone_unverified")
    assert_problem(user.redeem(campaign["code"], new_phone()), 422, "phone_mismatch")
    assert_problem(world.user(with_phone=False).redeem(campaign["code"]), 409, "phone_missing")

    def redeem_as(**claims):
        token = key.sign(key.user_claims(user.id, phone_number=user.phone, **claims))
        return world.discount.post("/v1/redemptions", {"code": campaign["code"], "phone": user.phone}, token=token)

    for word in (False, "true", 1):
        assert_problem(redeem_as(phone_number_verified=word), 409, "phone_unverified")
    assert redeem_as(phone_number_verified=True).status_code == 201


@pytest.mark.parametrize("phone", ["", "Any", "nobody", 1, None])
def test_a_rule_for_phones_that_is_none(world, phone):
    body = {"name": "Nowruz", "kind": "wallet_credit", "code": "NORULE", "credit": {"amount": 1, "currency": "IRT"}, "max_redemptions": 1, "phone": phone}
    assert_problem(world.operator.discount.post("/v1/campaigns", body), 422, "validation_failed", ["phone"])


@pytest.mark.parametrize("code", ["NOSUCHCODE", "x", "A" * 64, "A" * 65, "A" * 4000, "!!!", "کد", "   ", "-", "NOW'; DROP TABLE campaign; --"])
def test_an_unknown_code(world, code):
    answer = world.user().redeem(code)
    problem = assert_problem(answer, 404, "code_not_found")
    reference = world.user().redeem("ANOTHERUNKNOWN").json()
    assert {**problem, "request_id": None} == {**reference, "request_id": None}


def test_too_early(world):
    starts_at = time_in(3600)
    campaign = world.operator.campaign(starts_at=starts_at)
    assert campaign["state"] == "scheduled"
    answer = world.user().redeem(campaign["code"])
    problem = assert_problem(answer, 409, "campaign_not_started")
    assert problem["starts_at"] == starts_at
    assert 3500 <= int(answer.headers["Retry-After"]) <= 3601


def test_it_starts_by_itself(world):
    campaign = world.operator.campaign(places=1, starts_at=time_in(1))
    user = world.user()
    answer = user.redeem(campaign["code"])
    problem = assert_problem(answer, 409, "campaign_not_started")
    assert int(answer.headers["Retry-After"]) == 1

    def redeemed():
        answer = user.redeem(campaign["code"])
        assert answer.status_code in (409, 201), answer.text
        return answer if answer.status_code == 201 else None

    answer = wait_until(redeemed, "the start", 10)
    assert answer.json()["claimed_at"] >= problem["starts_at"]
    assert world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()["state"] == "exhausted"


def test_paused(world):
    campaign = world.operator.campaign(places=1)
    act(world, campaign, "pause")
    user = world.user()
    assert_problem(user.redeem(campaign["code"]), 409, "campaign_paused")
    act(world, campaign, "resume")
    assert user.redeem(campaign["code"]).status_code == 201


def test_all_places_taken(world):
    campaign, winner = sold_out(world)
    late = world.user()
    for _ in range(2):
        assert_problem(late.redeem(campaign["code"]), 410, "sold_out")
    assert (winner.balance(), late.balance()) == (CREDIT, 0)


def test_over(world):
    campaign = world.operator.campaign(places=5)
    act(world, campaign, "end")
    assert_problem(world.user().redeem(campaign["code"]), 410, "campaign_ended")


def test_over_by_its_date(world):
    campaign = world.operator.campaign(places=5000, ends_at=time_in(0.7))

    def ended():
        answer = world.user().redeem(campaign["code"])
        assert answer.status_code in (201, 410), answer.text
        assert answer.status_code == 410 or answer.json()["claimed_at"] < campaign["ends_at"]
        return [answer] if answer.status_code == 410 else None

    assert_problem(wait_until(ended, "the end", 10)[0], 410, "campaign_ended")


def test_too_many_wrong_codes(world):
    campaign = world.operator.campaign(places=5)
    guesser, other = world.user(), world.user()
    answers = []
    for index in range(40):
        answers.append(guesser.redeem(f"GUESS{index}"))
        if answers[-1].status_code == 429:
            break
    assert 3 <= len(answers) < 40
    for answer in answers[:-1]:
        assert_problem(answer, 404, "code_not_found")
    assert_problem(answers[-1], 429, "too_many_attempts")
    assert_problem(guesser.redeem(campaign["code"]), 429, "too_many_attempts")
    assert other.redeem(campaign["code"]).status_code == 201


# ---- which reason comes first ----

# The user's own place, the account's phone, the state and the dates, another's phone, the places.

def test_a_wrong_phone_is_told_before_the_state_of_the_campaign(world):
    campaign, winner = sold_out(world)
    user = world.user()
    assert_problem(user.redeem(campaign["code"], winner.phone), 422, "phone_mismatch")
    act(world, campaign, "end")
    assert_problem(user.redeem(campaign["code"], winner.phone), 422, "phone_mismatch")


def test_a_phone_that_has_won_is_told_before_sold_out(world):
    campaign, winner = sold_out(world, phone="any")
    second = world.user(with_phone=False)
    assert_problem(second.redeem(campaign["code"], winner.phone), 409, "phone_already_redeemed")


def test_the_end_is_told_before_a_pause_and_before_sold_out(world):
    campaign, _ = sold_out(world)
    late = world.user()
    act(world, campaign, "pause")
    assert_problem(late.redeem(campaign["code"]), 409, "campaign_paused")
    act(world, campaign, "end")
    assert_problem(late.redeem(campaign["code"]), 410, "campaign_ended")


def test_a_wrong_body_before_anything_else(world):
    campaign, _ = sold_out(world)
    user = world.user()
    assert_problem(user.discount.post("/v1/redemptions", {"code": campaign["code"], "phone": "12"}), 422, "validation_failed", ["phone"])
    assert_problem(user.discount.post("/v1/redemptions", {"code": 5, "phone": None, "x": 1}), 422, "validation_failed", ["code", "phone", "x"])


# ---- who may look ----

def test_a_redemption_is_its_users_and_the_admins(world, stranger):
    campaign = world.operator.campaign()
    user = world.user()
    redemption = user.redeem(campaign["code"]).json()
    path = f"/v1/redemptions/{redemption['id']}"
    assert world.operator.discount.get(path).json() == redemption
    hidden = assert_problem(stranger.discount.get(path), 404, "redemption_not_found")
    unknown = assert_problem(stranger.discount.get(f"/v1/redemptions/{SOME_ID}"), 404, "redemption_not_found")
    assert {**hidden, "request_id": None} == {**unknown, "request_id": None}
    for odd in ("1", "x" * 100, "019aab20-4c00-4a31-9f00-5b1e2c3d4e01"):
        assert_problem(stranger.discount.get(f"/v1/redemptions/{odd}"), 404, "redemption_not_found")
    assert redemption["id"] not in [row["id"] for row in stranger.discount.get("/v1/redemptions").json()["data"]]


# ---- many at once ----

def request_of(user, code, phone=None, key=None):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {user.token}"}
    if key:
        headers["Idempotency-Key"] = key
    return headers, json.dumps({"code": code, "phone": phone or user.phone}).encode()


@pytest.mark.parametrize("keys", ["one", "none", "each its own"])
def test_one_user_fires_two_hundred_at_once(world, keys):
    campaign = world.operator.campaign(places=10)
    user = world.user()
    key = {"one": lambda: "the same", "none": lambda: None, "each its own": lambda: str(uuid.uuid4())}[keys]
    answers = world.all_at_once("discount", "POST", "/v1/redemptions", [request_of(user, campaign["code"], key=key()) for _ in range(200)])
    statuses = [answer.status for answer in answers]
    if keys == "one":
        assert statuses == [201] * 200
        assert len({answer.body for answer in answers}) == 1
    else:
        assert set(statuses) <= {200, 201, 202} and statuses.count(201) == 1, statuses
    places = {(body["id"], body["position"]) for body in (json.loads(answer.body) for answer in answers)}
    assert len(places) == 1
    report = world.operator.wait_settled(campaign["id"])
    assert (report["redeemed"], report["credited"], report["remaining"]) == (1, 1, 9)
    assert user.balance() == CREDIT


def test_two_users_with_one_phone_at_once(world):
    for _ in range(5):
        campaign = world.operator.campaign(places=10, phone="any")
        users = [world.user(with_phone=False) for _ in range(2)]
        phone = users[0].phone
        answers = world.all_at_once("discount", "POST", "/v1/redemptions", [request_of(user, campaign["code"], phone) for user in users])
        assert sorted(answer.status for answer in answers) == [201, 409]
        assert [json.loads(answer.body)["code"] for answer in answers if answer.status == 409] == ["phone_already_redeemed"]
        assert sorted(user.balance() for user in users) == [0, CREDIT]


def test_one_place_wanted_by_many_at_once(world):
    campaign = world.operator.campaign(places=3)
    users = [world.user() for _ in range(40)]
    answers = world.all_at_once("discount", "POST", "/v1/redemptions", [request_of(user, campaign["code"]) for user in users])
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [201] * 3 + [410] * 37
    assert sorted(json.loads(answer.body)["position"] for answer in answers if answer.status == 201) == [1, 2, 3]
    assert {json.loads(answer.body)["code"] for answer in answers if answer.status == 410} == {"sold_out"}
    assert sum(user.balance() for user in users) == 3 * CREDIT


def test_a_redemption_answers_like_its_wallet_says(world):
    """The position is the order of arrival of one client's requests, one after the other."""
    campaign = world.operator.campaign(places=5)
    assert [User(world.wallet, world.discount).redeem(campaign["code"]).json()["position"] for _ in range(5)] == [1, 2, 3, 4, 5]
