"""POST /v1/redemptions/{id}/retry: what Wallet had refused for good is owed again."""
import uuid

import pytest

from harness.services import CREDIT, wait_until
from harness.world import assert_problem

SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"


def retry(world, redemption_id, **options):
    return world.operator.discount.post(f"/v1/redemptions/{redemption_id}/retry", **options)


def failed_redemption(world, user, campaign):
    refused = assert_problem(user.redeem(campaign["code"]), 409, "credit_failed")
    return refused["redemption_id"]


@pytest.fixture
def frozen(make_world):
    """(world, user, campaign, the id of a redemption that has failed because its user's account was frozen)"""
    world = make_world()
    user, campaign = world.user(), world.operator.campaign(places=3)
    world.freeze(user)
    return world, user, campaign, failed_redemption(world, user, campaign)


def test_a_failed_credit_is_sent_again_and_paid_once(frozen):
    world, user, campaign, failed = frozen
    world.freeze(user, False)
    tried = world.operator.discount.post(f"/v1/redemptions/{failed}/retry?dry_run=true")
    assert tried.status_code == 200 and (tried.json()["dry_run"], tried.json()["status"]) == (True, "claimed")
    assert (world.operator.report(campaign["id"])["failed"], user.balance()) == (1, 0)
    answer = retry(world, failed)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["id"], told["status"], told["position"]) == (failed, "credited", 1) and told["transaction_id"]
    assert user.discount.get(f"/v1/redemptions/{failed}").json() == told
    assert user.balance() == CREDIT
    report = world.operator.report(campaign["id"])
    assert (report["redeemed"], report["credited"], report["failed"]) == (1, 1, 0)
    assert_problem(retry(world, failed), 409, "redemption_not_failed")
    assert user.balance() == CREDIT
    noted = world.operator.discount.get(f"/v1/audit-log?action=redemption.retry&subject={failed}").json()["data"]
    [done] = [entry for entry in noted if entry["outcome"] == "done"]
    assert (done["before"], done["after"]) == ({"status": "failed", "wallet_code": "account_frozen"}, {"status": "claimed"})
    world.assert_clean()


def test_what_is_refused_again_has_failed_again(frozen):
    world, user, campaign, failed = frozen
    for _ in range(2):
        refused = assert_problem(retry(world, failed), 409, "credit_failed")
        assert (refused["redemption_id"], refused["wallet_code"]) == (failed, "account_frozen")
        report = world.operator.report(campaign["id"])
        assert (report["redeemed"], report["credited"], report["failed"]) == (1, 0, 1)
    world.assert_clean()


def test_what_cant_be_sent_now_follows_by_itself(frozen):
    world, user, campaign, failed = frozen
    world.freeze(user, False)
    world.pair.wallet.kill()
    answer = retry(world, failed)
    assert answer.status_code == 202 and answer.json()["status"] == "claimed"
    assert_problem(retry(world, failed), 409, "redemption_not_failed")  # it is on its way
    world.pair.discount.kill()
    world.pair.wallet.start()
    world.pair.discount.start()
    wait_until(lambda: user.balance() == CREDIT, "it is paid")
    wait_until(lambda: user.discount.get(f"/v1/redemptions/{failed}").json()["status"] == "credited", "and marked")
    world.assert_clean()


def test_a_fund_that_has_gone_back_pays_nobody(frozen):
    world, user, campaign, failed = frozen
    assert world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/end").status_code == 200
    wait_until(lambda: world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()["fund"]["state"] == "released", "its fund is released")
    assert_problem(retry(world, failed), 409, "campaign_state_conflict")


def test_who_may_and_what_there_is(world):
    user = world.user()
    paid = user.redeem(world.operator.campaign()["code"]).json()["id"]
    assert_problem(user.discount.post(f"/v1/redemptions/{paid}/retry"), 403, "forbidden")
    for unknown in (SOME_ID, str(uuid.UUID(int=0)), "x", "a%2Fb"):
        assert_problem(retry(world, unknown), 404, "redemption_not_found")
    assert_problem(retry(world, paid), 409, "redemption_not_failed")
    assert_problem(world.operator.discount.post(f"/v1/redemptions/{paid}/retry?now=1"), 422, "validation_failed", ["now"])
