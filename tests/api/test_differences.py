"""What counts alone do not show, and what belongs to nobody here: credits that the books of both services don't share."""
import uuid

from api.test_reconcile import DiscountKey
from harness.services import CREDIT, wait_until


def redeem(user, campaign):
    """As it stands when it is paid."""
    answer = user.redeem(campaign["code"])
    assert answer.status_code in (201, 202), answer.text
    path = f"/v1/redemptions/{answer.json()['id']}"
    return wait_until(lambda: (found := user.discount.get(path).json())["status"] == "credited" and found, "it is paid")


def test_as_many_lost_here_as_there_are_found(make_world):
    """Both databases lack one credit that the other has: the counts are the same, and the last credit of ours that Wallet has is unknown here."""
    world = make_world()
    discount = world.pair.discount
    first, lost_here, lost_there = [world.user() for _ in range(3)]
    other, campaign = world.operator.campaign(places=1), world.operator.campaign(places=4)
    redeem(lost_there, other)
    redeem(first, campaign)
    unknown = redeem(lost_here, campaign)
    assert discount.stop() == 0
    of_other = f"FROM redemptions AS others WHERE others.key = (SELECT number << 32 FROM campaigns WHERE code = '{other['code']}') + 1"
    discount.write_sql(f"""
        UPDATE redemptions SET id = (SELECT transaction_id {of_other}), transaction_id = (SELECT id {of_other}),
            user_id = (SELECT user_id {of_other}), phone = (SELECT phone {of_other})
        WHERE key = (SELECT number << 32 FROM campaigns WHERE code = '{campaign['code']}') + 2""")
    discount.start()
    wait_until(lambda: lost_there.balance() == 2 * CREDIT, "what Wallet has lost is sent again")
    wait_until(lambda: discount.reconcile().returncode == 0, "the books agree")
    assert [winner["user_id"] for winner in world.operator.winners(campaign["id"])] == [first.id, lost_there.id, lost_here.id]
    assert [user.balance() for user in (first, lost_here)] == [CREDIT] * 2
    assert [event["reference"] for event in discount.events("last_credit_unknown")] == [unknown["id"]]
    assert discount.stop() == 0
    discount.start()  # and now it is known
    world.assert_clean()
    assert len(discount.events("last_credit_unknown")) == 1


def test_a_credit_of_nobody_holds_up_nobody(make_world):
    """Somebody with our key has paid out of a campaign's fund: it is named, and the campaign goes on with what its fund has left."""
    world = make_world(discount_arguments=["--settle-wait", 500])
    discount = world.pair.discount
    early, late, last, nobody = [world.user() for _ in range(4)]
    campaign = world.operator.campaign(places=3)
    redeem(early, campaign)
    assert discount.stop() == 0
    token = DiscountKey(discount.data).token("credits:write")
    gift = {"reference": f"gift-{uuid.uuid4()}", "user_id": nobody.id, "amount": CREDIT, "currency": "IRT", "fund": campaign["id"]}
    answer = world.wallet.post("/v1/credits", {"items": [gift]}, token=token)
    assert answer.status_code == 200 and answer.json()["items"][0]["status"] == "applied", answer.text
    discount.start()
    redeem(late, campaign)
    [event] = discount.events("credit_of_no_redemption")
    assert (event["campaign_id"], event["reference"], event["amount"]) == (campaign["id"], gift["reference"], CREDIT)
    wait_until(lambda: discount.metric("discountd_books_differences") == 1, "it is counted")
    said = discount.reconcile()
    assert said.returncode == 1 and "Wallet lists a transaction that is none of Discount's" in said.stdout
    assert last.redeem(campaign["code"]).status_code == 202  # its fund has so much less
    changed = world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json={"max_redemptions": 4}, headers={"If-Match": "*"})
    assert changed.status_code == 200, changed.text
    wait_until(lambda: last.balance() == CREDIT, "it is paid out of more")
    assert len(discount.events("credit_of_no_redemption")) == 1
