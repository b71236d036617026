"""POST /v1/redemptions/{id}/reversal: the money first, then the place, each once; also when one of the databases is an older copy of itself."""
import uuid

import pytest

from api.test_codes import codes_of, make_batch
from api.test_discount_restored import put_back
from api.test_limits import campaign_of, money, order_campaign, paid, redeem
from harness.copies import copy_of
from harness.services import CREDIT, wait_until
from harness.world import assert_problem

SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"
AGREES_S = 60


def reverse(world, redemption_id, slot="return", reason="The order was cancelled", query="", **options):
    return world.operator.discount.post(f"/v1/redemptions/{redemption_id}/reversal{query}", {"reason": reason, "slot": slot}, **options)


def read(world, redemption_id):
    return world.operator.discount.get(f"/v1/redemptions/{redemption_id}").json()


def reversed_one(world, redemption_id, **options):
    """As it stands once Wallet has the credit back, also where it is slow."""
    answer = reverse(world, redemption_id, **options)
    assert answer.status_code in (200, 202), answer.text
    return wait_until(lambda: (found := read(world, redemption_id))["status"] == "reversed" and found, "it is reversed")


def won(world, user, campaign):
    made = paid(user.redeem(campaign["code"]))
    return wait_until(lambda: (found := read(world, made["id"]))["status"] == "credited" and found, "it is credited")


def counts(world, campaign, *names):
    report = world.operator.report(campaign["id"])
    return tuple(report[name] for name in names)


# ---- what comes back ----

def test_a_returned_place_is_open_again(world):
    campaign, first, second, third = world.operator.campaign(places=1), world.user(), world.user(), world.user()
    before = won(world, first, campaign)
    assert_problem(second.redeem(campaign["code"]), 410, "sold_out")
    told = reversed_one(world, before["id"])
    assert told == {**before, "status": "reversed", "reversal": {"slot": "return", "reason": "The order was cancelled"}}
    assert reverse(world, before["id"]).json() == told and first.balance() == 0
    assert first.discount.get(f"/v1/redemptions/{before['id']}").json() == told
    [line] = [line for line in first.wallet.get("/v1/wallet/transactions").json()["data"] if line["kind"] == "credit_reversal"]
    assert (line["reference"], line["description"], line["amount"]) == (before["id"], "The order was cancelled", CREDIT)
    assert counts(world, campaign, "redeemed", "remaining", "credited", "reversed", "exhausted_at") == (0, 1, 0, 1, None)
    assert won(world, second, campaign)["position"] == 2
    assert_problem(third.redeem(campaign["code"]), 410, "sold_out")
    assert counts(world, campaign, "redeemed", "remaining", "credited", "reversed", "failed") == (1, 0, 1, 1, 0)
    for others in ({"slot": "burn"}, {"reason": "Another one"}):
        assert_problem(reverse(world, before["id"], **others), 409, "reversed_otherwise")
    listed = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/redemptions").json()["data"]
    assert [(item["position"], item["status"]) for item in listed] == [(1, "reversed"), (2, "credited")]
    lines = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/redemptions", headers={"Accept": "text/csv"}).text.splitlines()
    assert [line.split(",")[4] for line in lines[1:]] == ["reversed", "credited"]
    noted = [entry for entry in world.operator.discount.get(f"/v1/audit-log?action=redemption.reverse&subject={campaign['id']}").json()["data"] if entry["outcome"] == "done"]
    [sequences] = [(entry["before"].pop("sequence"), entry["after"].pop("sequence")) for entry in noted]
    assert sequences[0] + 1 == sequences[1]
    assert [(entry["before"], entry["after"]) for entry in noted] == [({"redemption_id": before["id"], "status": "credited"}, {"redemption_id": before["id"], "status": "reversing", "slot": "return"})]
    world.assert_clean()


def test_who_was_taken_back_may_win_again(world):
    campaign, user = world.operator.campaign(places=5), world.user()
    for position in (1, 2, 3):
        redemption = won(world, user, campaign)
        assert redemption["position"] == position and user.balance() == CREDIT
        reversed_one(world, redemption["id"])
    other = world.user()
    assert won(world, other, campaign)["position"] == 4
    assert counts(world, campaign, "redeemed", "remaining", "reversed") == (1, 4, 3)
    assert user.balance() == 0
    world.assert_clean()


def test_a_burned_place_is_gone(world):
    campaign, first, second = world.operator.campaign(places=2), world.user(), world.user()
    redemption = won(world, first, campaign)
    reversed_one(world, redemption["id"], slot="burn")
    assert counts(world, campaign, "redeemed", "remaining", "credited", "reversed") == (1, 1, 0, 1)
    won(world, second, campaign)
    assert_problem(first.redeem(campaign["code"]), 410, "sold_out")
    assert (first.balance(), second.balance()) == (0, CREDIT)
    world.assert_clean()


def test_an_order_gives_back_all_that_it_took(world):
    campaign = order_campaign(world, percent="50", budget=money(500), max_per_day=1, max_redemptions=1)
    user = world.user()
    made = redeem(user, campaign, 1000, "order-1").json()
    assert_problem(redeem(world.user(), campaign, 10), 410, "sold_out")
    key = str(uuid.uuid4())
    answer = reverse(world, made["id"], key=key)
    assert answer.status_code == 200 and answer.json() == {**made, "status": "reversed", "reversal": {"slot": "return", "reason": "The order was cancelled"}}
    again = reverse(world, made["id"], key=key)
    assert again.json() == answer.json() and again.headers["Idempotent-Replayed"] == "true"
    report = world.operator.report(campaign["id"])
    assert (report["orders"], report["budget"]["spent"], report["remaining"]) == ({"count": 0, "amount": 0, "discount": 0, "currency": "IRT"}, 0, 1)
    repeat = redeem(user, campaign, 1000, "order-1")
    assert repeat.status_code == 201 and repeat.json()["position"] == 2
    assert world.operator.report(campaign["id"])["budget"]["spent"] == 500
    world.assert_clean()


@pytest.mark.parametrize("uses", [1, 2])
def test_a_code_may_be_used_again(world, uses):
    campaign = world.operator.campaign(places=10, phone="any")
    batch = make_batch(world.operator, campaign, count=1, max_uses=uses)
    [code] = codes_of(world.operator, batch)
    users = [world.user() for _ in range(uses + 1)]
    made = [won(world, user, {"code": code}) for user in users[:uses]]
    assert_problem(users[-1].redeem(code), 404, "code_not_found")
    reversed_one(world, made[0]["id"])
    looked = world.operator.discount.post("/v1/codes/lookup", {"code": code}).json()
    assert (looked["uses"], looked["state"]) == (uses - 1, "active")
    won(world, users[-1], {"code": code})
    assert_problem(users[0].redeem(code), 404, "code_not_found")
    [shown] = world.operator.report(campaign["id"])["by_batch"]
    assert (shown["used"], shown["uses"]) == (1, uses)
    world.assert_clean()


def test_of_several_each_counts(world):
    campaign, user = campaign_of(world, max_per_user=2, max_per_phone=2), world.user()
    made = [paid(redeem(user, campaign)) for _ in range(2)]
    assert_problem(redeem(user, campaign), 409, "user_limit_reached")
    wait_until(lambda: read(world, made[0]["id"])["status"] == "credited", "it is credited")
    reversed_one(world, made[0]["id"])
    paid(redeem(user, campaign))
    assert_problem(redeem(user, campaign), 409, "user_limit_reached")
    world.assert_clean()


# ---- what Wallet says ----

def test_what_wallet_refuses_stays_credited(world):
    campaign, user = world.operator.campaign(places=1), world.user()
    redemption = won(world, user, campaign)
    assert user.wallet.post("/v1/wallet/transfers", {"to": {"username": world.user().username}, "amount": 1, "currency": "IRT"}).status_code == 201
    refused = reverse(world, redemption["id"])
    assert refused.status_code in (202, 409), refused.text
    if refused.status_code == 409:
        told = assert_problem(refused, 409, "reversal_refused")
        assert (told["redemption_id"], told["wallet_code"]) == (redemption["id"], "insufficient_funds")
    wait_until(lambda: read(world, redemption["id"])["status"] == "credited", "it is credited again")
    assert read(world, redemption["id"]) == {**redemption, "reversal_refused": "insufficient_funds"}
    assert counts(world, campaign, "redeemed", "credited", "reversing", "reversed") == (1, 1, 0, 0)
    world.credit(user.id, 1)
    reversed_one(world, redemption["id"], slot="burn", reason="Fraud")
    assert user.balance() == 0 and counts(world, campaign, "credited", "reversed") == (0, 1)
    world.assert_clean()


def test_while_wallet_is_away_it_is_owed_also_over_a_restart(make_world):
    world = make_world(discount_arguments=["--settle-wait", "200"])
    campaign, user, other = world.operator.campaign(places=1), world.user(), world.user()
    redemption, key = won(world, user, campaign), str(uuid.uuid4())
    assert world.pair.wallet.stop() == 0
    answer = reverse(world, redemption["id"], key=key)
    assert answer.status_code == 202 and answer.json()["status"] == "reversing"
    assert counts(world, campaign, "credited", "reversing", "reversed", "remaining") == (1, 1, 0, 0)
    assert_problem(other.redeem(campaign["code"]), 410, "sold_out")
    world.pair.discount.kill()
    world.pair.discount.start()
    world.pair.wallet.start()
    wait_until(lambda: read(world, redemption["id"])["status"] == "reversed", "it is reversed")
    assert user.balance() == 0
    again = reverse(world, redemption["id"], key=key)
    assert again.status_code in (200, 202) and again.json()["id"] == redemption["id"]
    won(world, other, campaign)
    world.assert_clean()


# ---- who asks what ----

def test_a_rehearsal_does_nothing(world):
    campaign, user = world.operator.campaign(places=1), world.user()
    redemption = won(world, user, campaign)
    tried = reverse(world, redemption["id"], query="?dry_run=true")
    assert tried.status_code == 200 and tried.json()["dry_run"] is True
    assert read(world, redemption["id"]) == redemption and user.balance() == CREDIT


@pytest.mark.parametrize("body, fields", [({}, ["reason", "slot"]), ({"reason": "", "slot": "return"}, ["reason"]), ({"reason": "x" * 256, "slot": "return"}, ["reason"]),
                                          ({"reason": "x", "slot": "keep"}, ["slot"]), ({"reason": "x", "slot": "burn", "amount": 1}, ["amount"])])
def test_ill_formed(world, body, fields):
    assert_problem(world.operator.discount.post(f"/v1/redemptions/{SOME_ID}/reversal", body), 422, "validation_failed", fields)


def test_who_may_and_of_what(world):
    user = world.user()
    for unknown in (SOME_ID, "nothing"):
        assert_problem(reverse(world, unknown), 404, "redemption_not_found")
    assert_problem(user.discount.post(f"/v1/redemptions/{SOME_ID}/reversal", {"reason": "x", "slot": "burn"}), 403, "forbidden")
    assert_problem(world.discount.post(f"/v1/redemptions/{SOME_ID}/reversal", {"reason": "x", "slot": "burn"}), 401, "token_missing")


def test_what_is_not_credited_is_not_taken_back(make_world):
    world = make_world(discount_arguments=["--settle-wait", "200"])
    campaign, user = world.operator.campaign(places=1), world.user()
    assert world.pair.wallet.stop() == 0
    claimed = user.redeem(campaign["code"]).json()
    assert claimed["status"] == "claimed"
    assert_problem(reverse(world, claimed["id"]), 409, "redemption_not_credited")


# ---- a database that is an older copy of itself ----

def agree(world):
    wait_until(lambda: world.pair.discount.reconcile().returncode == 0, "the books agree", AGREES_S)
    world.assert_clean()


@pytest.mark.parametrize("age", ["before the credit", "before the reversal", "after the reversal"])
@pytest.mark.parametrize("who", ["wallet", "discount"])
def test_an_older_copy_pays_nobody_twice(make_world, who, age):
    world = make_world()
    service = getattr(world.pair, who)
    campaign, first, second = world.operator.campaign(places=1), world.user(), world.user()
    copy = copy_of(service) if age == "before the credit" else None
    redemption = won(world, first, campaign)
    copy = copy or (copy_of(service) if age == "before the reversal" else None)
    reversed_one(world, redemption["id"])
    copy = copy or copy_of(service)
    put_back(copy)
    wait_until(lambda: first.balance() == 0 and read(world, redemption["id"]).get("status") == "reversed", "the credit is taken back, and known to be", AGREES_S)
    agree(world)
    answer = second.redeem(campaign["code"])
    assert answer.status_code in (201, 202) or (who, age) == ("discount", "before the reversal") and assert_problem(answer, 410, "sold_out")
    agree(world)
    assert first.balance() == 0


@pytest.mark.parametrize("who", ["wallet", "discount"])
def test_a_returned_place_that_another_has_by_now(make_world, who):
    """The copy is from before the reversal: the place is the other's, and the first has nothing."""
    world = make_world()
    campaign, first, second = world.operator.campaign(places=1), world.user(), world.user()
    redemption = won(world, first, campaign)
    copy = copy_of(getattr(world.pair, who))
    reversed_one(world, redemption["id"])
    other = won(world, second, campaign)
    put_back(copy)
    wait_until(lambda: read(world, other["id"]).get("status") == "credited" and (first.balance(), second.balance()) == (0, CREDIT), "the second has it, and the first has not", AGREES_S)
    agree(world)
    assert (first.balance(), second.balance()) == (0, CREDIT)


# ---- verify ----

@pytest.mark.of_sqlite
@pytest.mark.parametrize("damage, found", [("UPDATE reversals SET slot = 2", "its count of returned places is not that of its rows"), ("UPDATE reversals SET reversed_at = 0", "its count of returned places"),
                                           ("DELETE FROM reversals", "its count of returned places"), ("UPDATE campaigns SET reversed = 0, returned = 0", "has settled|taken back|reversals|worth|settled"),
                                           ("UPDATE redemptions SET status = 1", "its count of credits is not that of its rows"), ("UPDATE reversals SET key = key + 1", "its count of returned places|nothing says why")])
def test_a_changed_byte_is_found(make_world, damage, found):
    import re
    world = make_world()
    campaign = world.operator.campaign(places=1)
    reversed_one(world, won(world, world.user(), campaign)["id"])
    discount = world.pair.discount
    assert discount.stop() == 0
    discount.write_sql(damage)
    verified = discount.verify()
    assert verified.returncode != 0 and re.search("BROKEN: .*(" + found + ")", verified.stdout), verified.stdout
