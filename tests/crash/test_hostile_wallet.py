"""Whatever stands at Wallet's address: no claim is lost, none is called paid that is not, and Discount stays up."""
import json
import uuid

import pytest

from crash import crowds, hostile, people
from harness.client import Client, new_phone
from harness.raw import at_once
from harness.services import CREDIT, Discount, wait_until

CLAIMS = 3


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """One Discount for all moods: that it lives through them in a row is part of the test."""
    wallet = hostile.HostileWallet()
    with hostile.Server(wallet) as server:
        discount = Discount(tmp_path_factory.mktemp("hostile"), server.url, "--settle-wait", "100").init().start()
        operator = Client(discount.url, token=wallet.token(str(uuid.uuid4()), scope="user admin"))
        yield wallet, discount, operator
        try:
            wallet.set_mood("honest")
            discount.end()
        finally:
            if discount.process.poll() is None:
                discount.kill()
        crowds.assert_no_finding(discount)
        assert discount.verify().returncode == 0


def claim(wallet, discount, code, count):
    requests = []
    for _ in range(count):
        person = people.Person(new_phone())
        person.token = wallet.token(str(uuid.uuid4()), person.phone)
        requests.append(person.redemption(code))
    answers = at_once(discount.port, requests)
    for answer in answers:
        assert answer is not None and answer.status == 202, answer and answer.body
        assert json.loads(answer.body)["status"] == "claimed"


def begin(wallet, operator, mood):
    """A campaign whose fund Wallet has confirmed, and a function that reads its report."""
    wallet.set_mood("honest")
    body = {"name": mood, "kind": "wallet_credit", "code": f"M{uuid.uuid4().hex[:12]}", "credit": {"amount": CREDIT, "currency": "IRT"},
            "max_redemptions": CLAIMS}
    campaign = operator.post("/v1/campaigns", body).json()

    def report():
        return operator.get(f"/v1/campaigns/{campaign['id']}/report").json()

    wait_until(lambda: campaign["id"] in wallet.funds, "the fund")
    wallet.set_mood(mood)
    return campaign, report


@pytest.mark.parametrize("mood", hostile.HARMLESS)
def test_what_is_odd_and_right_is_believed(scene, mood):
    wallet, discount, operator = scene
    campaign, report = begin(wallet, operator, mood)
    requests = [people.Person(new_phone()) for _ in range(CLAIMS)]
    for person in requests:
        person.token = wallet.token(str(uuid.uuid4()), person.phone)
    answers = at_once(discount.port, [person.redemption(campaign["code"]) for person in requests])
    assert all(answer.status in (201, 202) for answer in answers)
    wait_until(lambda: report()["pending"] == 0, "settled")
    seen = report()
    assert (seen["redeemed"], seen["credited"], seen["failed"]) == (CLAIMS, CLAIMS, 0)
    for winner in operator.get(f"/v1/campaigns/{campaign['id']}/redemptions").json()["data"]:
        assert wallet.paid[winner["id"]] == (winner["user_id"], CREDIT, winner["transaction_id"])


@pytest.mark.parametrize("mood", hostile.MOODS)
def test_no_claim_is_lost_nor_called_paid(scene, mood):
    wallet, discount, operator = scene
    campaign, report = begin(wallet, operator, mood)
    claim(wallet, discount, campaign["code"], CLAIMS)
    wait_until(lambda: wallet.calls >= (1 if mood == "slow drip" else 3), "tries")
    seen = report()
    assert (seen["redeemed"], seen["credited"], seen["failed"], seen["pending"]) == (CLAIMS, 0, 0, CLAIMS)

    wallet.set_mood("honest")
    wait_until(lambda: report()["pending"] == 0, "settled")
    seen = report()
    assert (seen["redeemed"], seen["credited"], seen["failed"]) == (CLAIMS, CLAIMS, 0)
    winners = operator.get(f"/v1/campaigns/{campaign['id']}/redemptions").json()["data"]
    assert [winner["position"] for winner in winners] == list(range(1, CLAIMS + 1))
    for winner in winners:
        assert wallet.paid[winner["id"]] == (winner["user_id"], CREDIT, winner["transaction_id"])


def test_each_claim_was_paid_once_in_the_end(scene):
    """The references are the identity of a credit: never a new one for an old claim."""
    wallet, _, operator = scene
    listed, cursor = [], ""
    while cursor is not None:
        page = operator.get(f"/v1/campaigns?limit=200{cursor and '&cursor=' + cursor}").json()
        cursor = page["next_cursor"]
        for campaign in page["data"]:
            listed += [winner["id"] for winner in operator.get(f"/v1/campaigns/{campaign['id']}/redemptions").json()["data"]]
    assert sorted(listed) == sorted(wallet.paid)
