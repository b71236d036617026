"""A fund that Wallet refuses for good, or does not answer about: what the campaign says, and who goes on."""
import datetime
import json
import threading
import uuid

import pytest

from harness.client import Client, new_phone
from harness.fake import FakeService
from harness.services import Discount, wait_until
from harness.tokens import Issuer
from harness.world import assert_problem

LARGEST = 9007199254740991


def campaign_body(amount=1000, places=10, currency="IRT", **members):
    return {"name": "A", "kind": "wallet_credit", "code": "REF" + uuid.uuid4().hex[:8], "credit": {"amount": amount, "currency": currency},
            "max_redemptions": places, **members}


def get(operator, campaign_id):
    return operator.discount.get(f"/v1/campaigns/{campaign_id}").json()


def patch(operator, campaign_id, **members):
    return operator.discount.request("PATCH", f"/v1/campaigns/{campaign_id}", json=members, headers={"If-Match": "*"})


@pytest.fixture
def other_currency(make_world):
    """Discount has a currency that Wallet does not know."""
    return make_world(discount_arguments=["--currency", "USD:2"])


def test_a_fund_in_another_currency(other_currency):
    operator = other_currency.operator
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = campaign_body(currency="USD")
    problem = assert_problem(operator.discount.post("/v1/campaigns", body, headers=key), 409, "fund_refused")
    assert problem["wallet_code"] == "validation_failed" and "validation_failed" in problem["detail"]
    again = operator.discount.post("/v1/campaigns", body, headers=key)
    assert (again.status_code, again.json()["campaign_id"]) == (409, problem["campaign_id"])
    campaign = get(operator, problem["campaign_id"])
    assert campaign["fund"]["state"] == "failed" and campaign["fund"]["code"] == "validation_failed" and campaign["fund"]["detail"]
    user = other_currency.user()
    assert_problem(user.redeem(campaign["code"]), 409, "campaign_not_funded")
    assert_problem(user.redeem(campaign["code"], headers={"Idempotency-Key": "k"}), 409, "campaign_not_funded")
    events = other_currency.pair.discount.events("fund_refused")
    assert [event["code"] for event in events] == ["validation_failed"]
    # It says so after a restart as well, and asks nobody again.
    other_currency.pair.discount.kill()
    other_currency.pair.discount.start()
    operator = other_currency.connect().operator
    assert get(operator, campaign["id"])["fund"] == campaign["fund"]
    ended = operator.discount.post(f"/v1/campaigns/{campaign['id']}/end")
    assert ended.status_code == 200
    assert (ended.json()["state"], ended.json()["fund"]["state"]) == ("ended", "released")
    assert len(other_currency.pair.discount.events("fund_refused")) == 1
    other_currency.assert_clean()


def test_fewer_places_or_a_smaller_gift_resolve_it(make_world):
    """Wallet's issuance can go down to the negative of the largest number, and no further."""
    world = make_world()
    operator = world.operator
    world.fund(amount=LARGEST - 5000)
    problem = assert_problem(operator.discount.post("/v1/campaigns", campaign_body(amount=1000, places=10)), 409, "fund_refused")
    assert problem["wallet_code"] == "balance_too_large"
    first = problem["campaign_id"]
    changed = patch(operator, first, max_redemptions=9)
    assert changed.status_code == 200 and changed.json()["fund"]["state"] == "failed"  # still too much
    assert_problem(world.user().redeem(changed.json()["code"]), 409, "campaign_not_funded")
    changed = patch(operator, first, max_redemptions=2)
    assert changed.status_code == 200 and changed.json()["fund"] == {"reference": first, "state": "open"}
    assert world.user().redeem(changed.json()["code"]).status_code == 201
    second = assert_problem(operator.discount.post("/v1/campaigns", campaign_body(amount=1000, places=10)), 409, "fund_refused")["campaign_id"]
    changed = patch(operator, second, credit={"amount": 100, "currency": "IRT"})
    assert changed.status_code == 200 and changed.json()["fund"]["state"] == "open"
    answer = world.user().redeem(changed.json()["code"])
    assert answer.status_code == 201 and answer.json()["credit"]["amount"] == 100
    assert_problem(patch(operator, second, credit={"amount": 90, "currency": "IRT"}), 409, "campaign_state_conflict")
    assert_problem(patch(operator, second, credit={"amount": 90, "currency": "IRR"}), 422, "validation_failed", ["credit.currency"])
    # A raise that is refused leaves what there is.
    more = patch(operator, first, max_redemptions=1000)
    assert more.status_code == 200 and more.json()["fund"]["state"] == "failed"
    assert world.user().redeem(more.json()["code"]).status_code == 201
    assert_problem(world.user().redeem(more.json()["code"]), 409, "campaign_not_funded")
    less = patch(operator, first, max_redemptions=2)
    assert (less.json()["state"], less.json()["fund"]["state"]) == ("exhausted", "open")
    world.assert_clean()


def test_a_raise_is_answered_when_its_places_are_there(world):
    operator = world.operator
    campaign = operator.campaign(places=1)
    assert world.user().redeem(campaign["code"]).status_code == 201
    for places in range(2, 8):
        assert patch(operator, campaign["id"], max_redemptions=places).json()["fund"]["state"] == "open"
        assert world.user().redeem(campaign["code"]).status_code == 201


class HangingWallet(FakeService):
    """Opens the first fund, and hangs on all others."""

    def __init__(self):
        super().__init__()
        self.issuer = Issuer("wallet")
        self.release = threading.Event()
        self.answers = {"GET /.well-known/jwks.json": lambda *_: (200, self.issuer.jwks()), "POST /v1/funds": self.open_fund, "POST /v1/credits": self.apply}

    def open_fund(self, _, body):
        if len(self.asked("POST /v1/funds")) > 1:
            self.release.wait(60)
        return 201, {"funded": json.loads(body)["amount"]}

    @staticmethod
    def apply(_, body):
        return 200, {"items": [{"reference": item["reference"], "status": "applied", "transaction_id": item["reference"]} for item in json.loads(body)["items"]]}

    def token(self, scope="user"):
        made = str(uuid.UUID(int=(uuid.uuid4().int & ~(0xF << 76)) | (7 << 76)))
        return self.issuer.sign(self.issuer.claims(scope, aud=["wallet", "discount"], sub=made, sid=made, preferred_username="fake"))


def test_funds_that_hang_hold_up_nobody_else(tmp_path, contracts):
    """Eight calls at once may wait for Wallet: a campaign's end asks nobody, and the credits of an open fund have calls of their own."""
    fake = HangingWallet()
    discount = Discount(tmp_path, fake.url, "--settle-wait", 100).init().start()
    try:
        client = Client(discount.url, contracts["discount"].check_response)
        admin = fake.token("user admin")
        ends_at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
        answers = [client.post("/v1/campaigns", campaign_body(phone="any", ends_at=ends_at.isoformat().replace("+00:00", "Z") if index == 0 else None), token=admin) for index in range(12)]
        assert [answer.status_code for answer in answers] == [201] * 12
        campaigns = [answer.json() for answer in answers]
        assert [campaign["fund"]["state"] for campaign in campaigns] == ["open"] + ["pending"] * 11
        assert client.post("/v1/redemptions", {"code": campaigns[0]["code"], "phone": new_phone()}, token=fake.token()).status_code == 201
        wait_until(lambda: discount.events("campaign_expired"), "the end of the first campaign", 12)
        assert not fake.release.is_set()
        assert_problem(client.post("/v1/redemptions", {"code": campaigns[5]["code"], "phone": new_phone()}, token=fake.token()), 409, "campaign_not_funded")
    finally:
        fake.release.set()
        discount.end()
        fake.end()
