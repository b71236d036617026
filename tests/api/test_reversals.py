"""What a transaction moved goes back to where it came from, in whole or in parts, and never more than that."""
import uuid

import pytest

from harness.world import assert_problem

SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"


def pay(world, user, merchant, amount):
    answer = world.till.post("/v1/payments", {"reference": str(uuid.uuid4()), "user_id": user.id, "merchant": merchant["id"], "amount": amount, "currency": "IRT"})
    assert answer.status_code == 201, answer.text
    return answer.json()


def reverse(client, transaction_id, query="", key=None, **body):
    return client.post(f"/v1/transactions/{transaction_id}/reversal{query}", {"reason": "Damaged", **body}, **({"key": key} if key else {}))


def balance_of(world, account_id):
    return world.operator.wallet.get(f"/v1/accounts/{account_id}").json()["balance"]


def test_parts_of_a_payment_go_back(world):
    user, merchant = world.rich_user(100), world.merchant()
    paid = pay(world, user, merchant, 60)
    first = reverse(world.till, paid["id"], amount=20)
    assert first.status_code == 201, first.text
    part = first.json()
    assert (part["kind"], part["transaction_id"], part["amount"], part["currency"], part["reason"], part["reference"]) == ("reversal", paid["id"], 20, "IRT", "Damaged", None)
    assert (user.balance(), balance_of(world, merchant["id"])) == (60, 40)
    assert_problem(reverse(world.till, paid["id"], amount=41), 409, "reversal_exceeds_original")
    assert reverse(world.operator.wallet, paid["id"]).json()["amount"] == 40  # what is left
    for body in ({}, {"amount": 1}):
        assert_problem(reverse(world.till, paid["id"], **body), 409, "reversal_exceeds_original")
    assert (user.balance(), balance_of(world, merchant["id"])) == (100, 0)
    line = user.wallet.get(f"/v1/transactions/{part['id']}").json()
    assert (line["kind"], line["direction"], line["amount"], line["description"]) == ("reversal", "credit", 20, "Damaged")
    assert [entry["amount"] for entry in user.wallet.get("/v1/wallet/transactions?kind=reversal").json()["data"]] == [40, 20]
    (noted,) = world.operator.wallet.get(f"/v1/audit-log?action=transaction.reverse&subject={paid['id']}").json()["data"]  # the service's is not an administrator's
    assert noted["after"]["amount"] == 40
    assert_problem(reverse(world.operator.wallet, part["id"]), 409, "not_reversible")
    world.assert_clean()


def test_a_credit_goes_back_into_its_fund(world):
    user, fund = world.user(), world.fund(100)["reference"]
    credit = world.credit(user.id, 50, fund=fund)
    assert reverse(world.till, credit["transaction_id"], amount=20).status_code == 201
    found = world.shop.get(f"/v1/funds/{fund}").json()
    assert (found["credited"], found["remaining"], found["reversed"]) == (30, 70, 20)
    (rest,) = world.shop.post("/v1/credits/reversals", {"items": [{"reference": credit["reference"], "reason": "x"}]}).json()["items"]
    assert rest["status"] == "applied" and user.balance() == 0  # what was left of it
    assert_problem(reverse(world.till, credit["transaction_id"]), 409, "reversal_exceeds_original")
    released = world.credit(user.id, 30, fund=fund)
    world.shop.post(f"/v1/funds/{fund}/release")
    assert reverse(world.till, released["transaction_id"]).status_code == 201
    found = world.shop.get(f"/v1/funds/{fund}").json()
    assert (found["funded"], found["credited"], found["remaining"], found["released"]) == (100, 0, 0, 100)
    world.assert_clean()


def test_a_capture_goes_back_to_the_user(world):
    user, merchant = world.rich_user(100), world.merchant()
    body = {"reference": str(uuid.uuid4()), "user_id": user.id, "amount": 60, "currency": "IRT", "expires_in": 3600, "merchant": merchant["id"]}
    held = world.till.post("/v1/holds", body).json()
    captured = world.till.post(f"/v1/holds/{held['id']}/capture", {"amount": 40}).json()
    assert_problem(reverse(world.till, held["id"]), 404, "transaction_not_found")  # nothing moved by it
    assert reverse(world.till, captured["transaction_id"], amount=15).status_code == 201
    assert (user.balance(), balance_of(world, merchant["id"])) == (75, 25)
    assert world.till.get(f"/v1/holds/{held['id']}").json()["captured"] == 40
    world.assert_clean()


def test_below_its_floor_by_an_administrator_only(world):
    user, other, merchant = world.rich_user(100), world.user(), world.merchant()
    sent = user.wallet.post("/v1/wallet/transfers", {"to": {"username": other.username}, "amount": 100, "currency": "IRT"}).json()
    assert other.wallet.post("/v1/wallet/transfers", {"to": {"username": user.username}, "amount": 30, "currency": "IRT"}).status_code == 201
    assert_problem(reverse(world.till, sent["id"]), 404, "transaction_not_found")  # not the service's
    assert_problem(reverse(world.operator.wallet, sent["id"]), 409, "insufficient_funds")
    assert_problem(reverse(world.till, sent["id"], allow_negative=True), 403, "forbidden")
    assert reverse(world.operator.wallet, sent["id"], allow_negative=True).status_code == 201
    assert (user.balance(), other.balance()) == (130, -30)
    world.assert_clean()
    credited = world.credit(other.id, 20)
    assert credited["balance_after"] == -10
    for amount in (1, 10):
        assert_problem(world.till.post("/v1/payments", {"reference": str(uuid.uuid4()), "user_id": other.id, "merchant": merchant["id"], "amount": amount, "currency": "IRT"}), 409, "insufficient_funds")
    world.credit(other.id, 15)
    pay(world, other, merchant, 5)
    assert other.balance() == 0
    world.assert_clean()


def test_the_reference_is_known_for_ever(world):
    user, merchant, reference = world.rich_user(100), world.merchant(), str(uuid.uuid4())
    paid, other = pay(world, user, merchant, 60), pay(world, user, merchant, 20)
    first = reverse(world.till, paid["id"], amount=20, reference=reference)
    assert first.status_code == 201
    again = reverse(world.till, paid["id"], amount=20, reference=reference)
    assert again.status_code == 200 and again.json() == first.json()
    for id, change in ((paid["id"], {"amount": 21}), (paid["id"], {"amount": 20, "reason": "Other"}), (other["id"], {"amount": 20}), (SOME_ID, {"amount": 20})):
        assert_problem(reverse(world.till, id, reference=reference, **change), 409, "reference_conflict")
    assert reverse(world.operator.wallet, paid["id"], amount=1, reference=reference).status_code == 201  # each caller's own
    assert user.balance() == 41


def test_each_other_refusal(world):
    user, frozen, merchant = world.rich_user(100), world.rich_user(100), world.merchant()
    paid, cold = pay(world, user, merchant, 60), pay(world, frozen, merchant, 5)
    for id in (SOME_ID, "x"):
        assert_problem(reverse(world.till, id), 404, "transaction_not_found")
        assert_problem(reverse(world.operator.wallet, id), 404, "transaction_not_found")
    assert_problem(reverse(world.other_till, paid["id"]), 404, "transaction_not_found")
    world.freeze(frozen)
    assert_problem(reverse(world.till, cold["id"]), 409, "account_frozen")
    for client in (user.wallet, world.shop):
        assert_problem(reverse(client, paid["id"]), 403, "forbidden")
    assert_problem(reverse(world.wallet, paid["id"]), 401, "token_missing")


def test_the_key_and_the_rehearsal(world):
    user, merchant, key = world.rich_user(100), world.merchant(), str(uuid.uuid4())
    paid = pay(world, user, merchant, 60)
    tried = reverse(world.till, paid["id"], "?dry_run=true", amount=20)
    assert tried.status_code == 200 and tried.json()["dry_run"] is True and user.balance() == 40
    first, again = (reverse(world.till, paid["id"], key=key, amount=20) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json() and again.headers["Idempotent-Replayed"] == "true" and user.balance() == 60


@pytest.mark.parametrize("change, fields", [({"reason": ""}, ["reason"]), ({"reason": "x" * 256}, ["reason"]), ({"reason": None}, ["reason"]), ({"amount": 0}, ["amount"]),
                                            ({"reference": ""}, ["reference"]), ({"allow_negative": 1}, ["allow_negative"]), ({"currency": "IRT"}, ["currency"])])
def test_ill_formed(world, change, fields):
    assert_problem(reverse(world.till, SOME_ID, **change), 422, "validation_failed", fields)
