"""Merchants, and what services pay them with users' money."""
import uuid

import pytest

from harness.world import assert_problem

SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"


def payment(user, merchant, amount=30, **members):
    return {"reference": str(uuid.uuid4()), "user_id": user.id, "merchant": merchant["id"], "amount": amount, "currency": "IRT", **members}


def pay(world, body, **options):
    return world.till.post("/v1/payments", body, **options)


def balance_of(world, merchant):
    return world.operator.wallet.get(f"/v1/accounts/{merchant['id']}").json()["balance"]


def test_a_merchant(world):
    name = f"  Corner\u200b shop {uuid.uuid4()}".strip()
    made = world.merchant(name)
    assert made["name"] == name.replace("\u200b", "") and made["balance"] == 0
    again = world.operator.wallet.post("/v1/merchants", {"name": made["name"]})
    assert again.status_code == 200 and again.json() == made
    listed, cursor = [], ""
    while cursor is not None:
        page = world.operator.wallet.get(f"/v1/merchants?limit=2{cursor and '&cursor=' + cursor}").json()
        listed, cursor = listed + page["data"], page["next_cursor"]
    assert made in listed and len({merchant["id"] for merchant in listed}) == len(listed)
    account = world.operator.wallet.get(f"/v1/accounts/{made['id']}").json()
    assert (account["kind"], account["balance"]) == ("merchant", 0)
    assert made["id"] in [found["id"] for found in world.operator.wallet.get("/v1/accounts?kind=merchant&limit=200").json()["data"]]
    (noted,) = world.operator.wallet.get(f"/v1/audit-log?action=merchant.create&subject={made['id']}").json()["data"]
    assert noted["after"] == made and noted["before"] is None


@pytest.mark.parametrize("name", ["", " \u200b", "x" * 81, "a\u0007b", SOME_ID, 7])
def test_an_ill_formed_name(world, name):
    assert_problem(world.operator.wallet.post("/v1/merchants", {"name": name}), 422, "validation_failed", ["name"])


def test_a_payment_once_by_its_reference(world):
    user, merchant, other = world.rich_user(100), world.merchant(), world.merchant()
    body = payment(user, merchant, description="Two books", metadata={"order": 17})
    answer = pay(world, body)
    assert answer.status_code == 201, answer.text
    paid = answer.json()
    assert {name: paid[name] for name in body} == body and paid["kind"] == "payment" and answer.headers["Location"].endswith(f"/v1/transactions/{paid['id']}")
    for again in (pay(world, body), pay(world, {**body, "merchant": merchant["name"]})):
        assert again.status_code == 200 and again.json() == paid
    for change in ({"amount": 31}, {"merchant": other["id"]}, {"user_id": world.user().id}, {"currency": "IRR"}, {"description": "Three"}, {"metadata": {"order": 18}}, {"user_id": SOME_ID}):
        assert_problem(pay(world, {**body, **change}), 409, "reference_conflict")
    assert world.other_till.post("/v1/payments", body).status_code == 201  # references are the caller's own
    assert (user.balance(), balance_of(world, merchant), balance_of(world, other)) == (40, 60, 0)
    line = user.wallet.get(f"/v1/transactions/{paid['id']}").json()
    assert (line["kind"], line["direction"], line["amount"], line["balance_after"], line["reference"], line["description"]) == ("payment", "debit", 30, 70, body["reference"], "Two books")
    assert [entry["kind"] for entry in user.wallet.get("/v1/wallet/transactions?kind=payment").json()["data"]] == ["payment"] * 2
    world.assert_clean()


def test_each_refusal(world):
    user, frozen, merchant = world.rich_user(100), world.rich_user(100), world.merchant()
    for problem, change in ((("user_not_found", 404), {"user_id": SOME_ID}), (("merchant_not_found", 404), {"merchant": SOME_ID}), (("merchant_not_found", 404), {"merchant": "nobody"}),
                            (("insufficient_funds", 409), {"amount": 101}), (("currency_mismatch", 422), {"currency": "IRR"})):
        assert_problem(pay(world, {**payment(user, merchant), **change}), problem[1], problem[0])
    world.freeze(frozen)
    assert_problem(pay(world, payment(frozen, merchant)), 409, "account_frozen")
    assert (user.balance(), balance_of(world, merchant)) == (100, 0)


def test_the_key_and_the_rehearsal(world):
    user, merchant, key = world.rich_user(100), world.merchant(), str(uuid.uuid4())
    body = payment(user, merchant)
    tried = world.till.post("/v1/payments?dry_run=true", body)
    assert tried.status_code == 200 and tried.json()["dry_run"] is True and user.balance() == 100
    first, again = pay(world, body, key=key), pay(world, body, key=key)
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json() and again.headers["Idempotent-Replayed"] == "true"
    assert user.balance() == 70


@pytest.mark.parametrize("change, fields", [
    ({"reference": ""}, ["reference"]), ({"reference": "a\u00e9"}, ["reference"]), ({"user_id": "x"}, ["user_id"]), ({"merchant": ""}, ["merchant"]), ({"amount": 0}, ["amount"]),
    ({"currency": "EUR"}, ["currency"]), ({"description": "x" * 256}, ["description"]), ({"metadata": {"a": "x" * 2100}}, ["metadata"]), ({"metadata": 1}, ["metadata"]), ({"tip": 1}, ["tip"])])
def test_ill_formed(world, change, fields):
    body = {"reference": "r", "user_id": SOME_ID, "merchant": SOME_ID, "amount": 1, "currency": "IRT", **change}
    assert_problem(pay(world, body), 422, "validation_failed", fields)


def test_who_may(world):
    body = {"reference": "r", "user_id": SOME_ID, "merchant": SOME_ID, "amount": 1, "currency": "IRT"}
    for client in (world.shop, world.user().wallet, world.operator.wallet):
        assert_problem(client.post("/v1/payments", body), 403, "forbidden")
    for client in (world.till, world.user().wallet):
        assert_problem(client.post("/v1/merchants", {"name": "x"}), 403, "forbidden")
        assert_problem(client.get("/v1/merchants"), 403, "forbidden")
