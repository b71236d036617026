"""What a service gave it may take back: once, into the fund that paid, and never more than is there."""
import uuid

import pytest

from harness.world import assert_problem


def reverse(client, *references, query="", **options):
    answer = client.post(f"/v1/credits/reversals{query}", {"items": [{"reference": reference, "reason": "The order was cancelled"} for reference in references]}, **options)
    assert answer.status_code == 200, answer.text
    outcomes = answer.json()["items"]
    assert [outcome["reference"] for outcome in outcomes] == list(references)
    return outcomes


def credit(world, user, amount, **members):
    return world.credit(user.id, amount, **members)["reference"]


def fund_of(world, reference):
    fund = world.shop.get(f"/v1/funds/{reference}").json()
    assert fund["funded"] == fund["credited"] + fund["remaining"] + fund["released"]
    return fund


def sums(fund):
    return {name: fund[name] for name in ("funded", "credited", "remaining", "released", "reversed")}


def rejected(reference, code):
    return {"reference": reference, "status": "rejected", "code": code}


def test_a_credit_goes_back_into_its_fund_once(world):
    user, fund = world.user(), world.fund(100)["reference"]
    first, second = credit(world, user, 30, fund=fund), credit(world, user, 20, fund=fund)
    counted = world.shop.get("/v1/instance").json()["caller"]["credits"]
    [outcome] = reverse(world.shop, first)
    assert outcome["status"] == "applied" and outcome["balance_after"] == 20 and set(outcome) == {"reference", "status", "transaction_id", "balance_after", "created_at"}
    for _ in range(2):
        assert reverse(world.shop, first) == [{**outcome, "status": "replayed"}]
    assert [again["status"] for again in reverse(world.shop, second, second)] == ["applied", "replayed"]
    assert sums(fund_of(world, fund)) == {"funded": 100, "credited": 0, "remaining": 100, "released": 0, "reversed": 50}
    assert user.balance() == 0
    assert world.shop.get("/v1/instance").json()["caller"]["credits"] == counted  # given they were
    line = user.wallet.get(f"/v1/transactions/{outcome['transaction_id']}").json()
    assert (line["kind"], line["direction"], line["amount"], line["reference"], line["description"]) == ("credit_reversal", "debit", 30, first, "The order was cancelled")
    assert [entry["kind"] for entry in user.wallet.get("/v1/wallet/transactions?kind=credit_reversal").json()["data"]] == ["credit_reversal"] * 2
    # Its reference stays known: the same credit again is no new one.
    again = world.shop.post("/v1/credits", {"items": [{"reference": first, "user_id": user.id, "amount": 30, "currency": "IRT", "fund": fund}]}).json()["items"][0]
    assert again["status"] == "replayed" and user.balance() == 0
    world.assert_clean()


def test_what_was_issued_goes_back_to_issuance(world):
    user = world.user()
    assert reverse(world.shop, credit(world, user, 7))[0]["balance_after"] == 0
    world.assert_clean()


def test_out_of_a_released_fund_it_goes_on(world):
    user, fund = world.user(), world.fund(100)["reference"]
    reference = credit(world, user, 30, fund=fund)
    assert world.shop.post(f"/v1/funds/{fund}/release").json()["released"] == 70
    assert reverse(world.shop, reference)[0]["status"] == "applied"
    found = fund_of(world, fund)
    assert sums(found) == {"funded": 100, "credited": 0, "remaining": 0, "released": 100, "reversed": 30} and found["state"] == "released"
    world.assert_clean()


def test_each_rejection(world):
    user, other, frozen = world.user(), world.user(), world.user()
    spent, cold = credit(world, user, 30), credit(world, frozen, 30)
    foreign = world.bank.post("/v1/credits", {"items": [{"reference": f"of-the-bank-{uuid.uuid4()}", "user_id": other.id, "amount": 5, "currency": "IRT"}]}).json()["items"][0]["reference"]
    assert user.wallet.post("/v1/wallet/transfers", {"to": {"username": other.username}, "amount": 1, "currency": "IRT"}).status_code == 201
    unknown = f"unknown-{uuid.uuid4()}"
    assert reverse(world.shop, unknown, foreign, spent) == [rejected(unknown, "credit_not_found"), rejected(foreign, "credit_not_found"), rejected(spent, "insufficient_funds")]
    world.credit(user.id, 1)
    assert reverse(world.shop, spent)[0]["status"] == "applied"  # a rejection is decided anew
    world.freeze(frozen)
    assert reverse(world.shop, cold) == [rejected(cold, "account_frozen")]
    world.freeze(frozen, False)
    assert (user.balance(), frozen.balance(), other.balance()) == (0, 30, 6)


def test_the_key_and_the_rehearsal(world):
    user, key = world.user(), str(uuid.uuid4())
    reference = credit(world, user, 30)
    body = {"items": [{"reference": reference, "reason": "x"}]}
    tried = world.shop.post("/v1/credits/reversals?dry_run=true", body).json()
    assert tried["dry_run"] is True and tried["items"][0]["status"] == "applied" and user.balance() == 30
    first = world.shop.post("/v1/credits/reversals", body, key=key)
    again = world.shop.post("/v1/credits/reversals", body, key=key)
    assert first.json() == again.json() and again.headers["Idempotent-Replayed"] == "true" and first.json()["items"][0]["status"] == "applied"


@pytest.mark.parametrize("items, fields", [
    ([], ["items"]), ([{"reference": "a"}], ["items[0].reason"]), ([{"reference": "", "reason": "x"}], ["items[0].reference"]),
    ([{"reference": "a", "reason": ""}], ["items[0].reason"]), ([{"reference": "a", "reason": "x" * 256}], ["items[0].reason"]),
    ([{"reference": "a", "reason": "x", "amount": 1}], ["items[0].amount"]), ([1], ["items[0]"])])
def test_ill_formed_items(world, items, fields):
    assert_problem(world.shop.post("/v1/credits/reversals", {"items": items}), 422, "validation_failed", fields)


def test_who_may(world):
    body = {"items": [{"reference": "a", "reason": "x"}]}
    assert_problem(world.user().wallet.post("/v1/credits/reversals", body), 403, "forbidden")
    assert_problem(world.operator.wallet.post("/v1/credits/reversals", body), 403, "forbidden")
    assert_problem(world.wallet.post("/v1/credits/reversals", body), 401, "token_missing")
