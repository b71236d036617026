"""Holds: counted at once, and ended in exactly one way."""
import concurrent.futures
import datetime
import uuid

import pytest

from harness.services import wait_until
from harness.world import assert_problem

SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"


def body_of(user, amount=60, expires_in=3600, **members):
    return {"reference": str(uuid.uuid4()), "user_id": user.id, "amount": amount, "currency": "IRT", "expires_in": expires_in, **members}


def hold(world, user, amount=60, **members):
    answer = world.till.post("/v1/holds", body_of(user, amount, **members))
    assert answer.status_code == 201, answer.text
    return answer.json()


def get(world, made):
    return world.till.get(f"/v1/holds/{made['id']}").json()


def capture(world, made, **body):
    return world.till.post(f"/v1/holds/{made['id']}/capture", body)


def release(world, made):
    return world.till.post(f"/v1/holds/{made['id']}/release")


def purse(user):
    wallet = user.wallet.get("/v1/wallet").json()
    assert wallet["balance"] == wallet["held"] + wallet["available"]
    return wallet["balance"], wallet["held"], wallet["available"]


def state(made):
    return made["state"], made["captured"], made["remaining"]


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_what_is_held_is_gone_at_once(world):
    user, other, merchant = world.rich_user(100), world.user(), world.merchant()
    made = hold(world, user, merchant=merchant["name"])
    assert state(made) == ("held", 0, 60) and made["merchant"] == merchant["id"] and made["amount"] == 60
    assert seconds(made["expires_at"]) - seconds(made["created_at"]) == datetime.timedelta(hours=1)
    assert purse(user) == (100, 60, 40) and get(world, made) == made
    assert_problem(user.wallet.post("/v1/wallet/transfers", {"to": {"username": other.username}, "amount": 41, "currency": "IRT"}), 409, "insufficient_funds")
    payment = {"reference": str(uuid.uuid4()), "user_id": user.id, "merchant": merchant["id"], "amount": 41, "currency": "IRT"}
    assert_problem(world.till.post("/v1/payments", payment), 409, "insufficient_funds")
    assert_problem(world.till.post("/v1/holds", body_of(user, 41)), 409, "insufficient_funds")
    assert world.till.post("/v1/holds", body_of(user, 40)).status_code == 201 and purse(user) == (100, 100, 0)
    assert user.wallet.get("/v1/wallet/transactions").json()["data"][0]["kind"] == "credit"  # nothing has moved
    assert user.wallet.get(f"/v1/transactions/{made['id']}").status_code == 404
    world.assert_clean()


def test_captures(world):
    user, merchant = world.rich_user(100), world.merchant()
    whole, part, steps = (hold(world, user, 30, merchant=merchant["id"]) for _ in range(3))
    answer = capture(world, whole).json()
    assert state(answer) == ("captured", 30, 0)
    line = user.wallet.get(f"/v1/transactions/{answer['transaction_id']}").json()
    assert (line["kind"], line["direction"], line["amount"], line["balance_after"], line["reference"]) == ("capture", "debit", 30, 70, whole["reference"])
    assert state(capture(world, part, amount=10).json()) == ("captured", 10, 0) and purse(user) == (60, 30, 30)  # what a final one leaves is free
    assert_problem(capture(world, steps, amount=31), 409, "hold_exceeded")
    assert state(capture(world, steps, amount=10, final=False).json()) == ("held", 10, 20)
    assert_problem(capture(world, steps, amount=21, final=False), 409, "hold_exceeded")
    assert state(capture(world, steps, amount=5, final=False).json()) == ("held", 15, 15) and purse(user) == (45, 15, 30)
    assert state(capture(world, steps, amount=15, final=False).json()) == ("captured", 30, 0) and purse(user) == (30, 0, 30)
    for made in (whole, part, steps):
        assert_problem(capture(world, made, amount=1), 409, "hold_closed")
        assert_problem(release(world, made), 409, "hold_closed")
    assert world.operator.wallet.get(f"/v1/accounts/{merchant['id']}").json()["balance"] == 70
    world.assert_clean()


def test_a_release(world):
    user = world.rich_user(100)
    made, merchant = hold(world, user), world.merchant()
    assert state(capture(world, made, amount=10, final=False, merchant=merchant["id"]).json()) == ("held", 10, 50)
    answer = release(world, made)
    assert answer.status_code == 200 and state(answer.json()) == ("released", 10, 0) and purse(user) == (90, 0, 90) and get(world, made) == answer.json()
    assert_problem(release(world, made), 409, "hold_closed")
    assert_problem(world.till.request("POST", f"/v1/holds/{made['id']}/release", data="{", headers={"Content-Type": "application/json"}), 400, "malformed_json")
    assert_problem(capture(world, made, merchant=merchant["id"]), 409, "hold_closed")
    world.assert_clean()


def test_it_expires_at_its_time_though_nobody_asks(world):
    user, merchant = world.rich_user(100), world.merchant()
    made = hold(world, user, expires_in=1)
    assert state(capture(world, made, amount=10, final=False, merchant=merchant["id"]).json()) == ("held", 10, 50)
    wait_until(lambda: purse(user) == (90, 0, 90), "what was held is free")
    ended = get(world, made)
    assert state(ended) == ("expired", 10, 0) and ended["updated_at"] >= made["expires_at"]
    assert_problem(capture(world, made, merchant=merchant["id"]), 409, "hold_closed")
    assert_problem(release(world, made), 409, "hold_closed")
    world.assert_clean()


def test_it_expires_while_the_service_is_away(make_world):
    world = make_world()
    user = world.rich_user(100)
    made, later = hold(world, user, expires_in=1), hold(world, user, 5)
    world.pair.wallet.kill()
    wait_until(lambda: datetime.datetime.now(datetime.timezone.utc) > seconds(made["expires_at"]), "its time has come")
    world.pair.wallet.start()
    world.connect()
    assert get(world, made)["state"] == "expired"
    wait_until(lambda: purse(user) == (100, 5, 95), "one is free, the other is not")
    assert state(get(world, later)) == ("held", 0, 5)
    count = f"SELECT count(*) FROM transfers WHERE kind = 10 AND origin = (SELECT sequence FROM transfers WHERE kind = 7 AND reference = '{made['reference']}')"
    assert world.pair.wallet.sql(count) == [("1",)]
    world.assert_clean()


def test_the_reference_is_known_for_ever(world):
    user, merchant = world.rich_user(100), world.merchant()
    body = body_of(user, merchant=merchant["id"])
    made = world.till.post("/v1/holds", body).json()
    for change in ({}, {"merchant": merchant["name"]}):
        again = world.till.post("/v1/holds", {**body, **change})
        assert again.status_code == 200 and again.json() == made and again.headers["Location"].endswith(f"/v1/holds/{made['id']}")
    for change in ({"amount": 61}, {"expires_in": 3601}, {"merchant": world.merchant()["id"]}, {"merchant": SOME_ID}, {"user_id": world.user().id}, {"currency": "IRR"}):
        assert "differs from this request" in assert_problem(world.till.post("/v1/holds", {**body, **change}), 409, "reference_conflict")["detail"]
    del body["merchant"]
    assert_problem(world.till.post("/v1/holds", body), 409, "reference_conflict")
    assert release(world, made).status_code == 200
    again = world.till.post("/v1/holds", {**body, "merchant": merchant["id"]})
    assert again.status_code == 200 and again.json()["state"] == "released" and purse(user) == (100, 0, 100)


def test_whom_it_pays(world):
    user, merchant, other = world.rich_user(100), world.merchant(), world.merchant()
    free, bound = hold(world, user, 10), hold(world, user, 10, merchant=merchant["id"])
    assert_problem(capture(world, free), 422, "merchant_required")
    assert_problem(capture(world, free, merchant=SOME_ID), 404, "merchant_not_found")
    assert_problem(capture(world, bound, merchant=other["id"]), 422, "merchant_differs")
    assert capture(world, free, merchant=other["name"]).status_code == 200 and capture(world, bound, merchant=merchant["name"]).status_code == 200
    assert [world.operator.wallet.get(f"/v1/accounts/{account['id']}").json()["balance"] for account in (merchant, other)] == [10, 10]


def test_each_other_refusal(world):
    user, frozen, merchant = world.rich_user(100), world.rich_user(100), world.merchant()
    for status, code, change in ((404, "user_not_found", {"user_id": SOME_ID}), (404, "merchant_not_found", {"merchant": "nobody"}), (422, "currency_mismatch", {"currency": "IRR"})):
        assert_problem(world.till.post("/v1/holds", {**body_of(user), **change}), status, code)
    made, to_free = hold(world, frozen, 10, merchant=merchant["id"]), hold(world, frozen, 10)
    world.freeze(frozen)
    assert_problem(world.till.post("/v1/holds", body_of(frozen, 1)), 409, "account_frozen")
    assert_problem(capture(world, made), 409, "account_frozen")
    assert release(world, to_free).status_code == 200 and get(world, made)["state"] == "held"
    for client in (world.other_till,):  # nobody else's
        for answer in (client.get(f"/v1/holds/{made['id']}"), client.post(f"/v1/holds/{made['id']}/release"), client.post(f"/v1/holds/{made['id']}/capture", {})):
            assert_problem(answer, 404, "hold_not_found")
    for id in (SOME_ID, "x"):
        assert_problem(world.till.get(f"/v1/holds/{id}"), 404, "hold_not_found")
        assert_problem(world.till.post(f"/v1/holds/{id}/release"), 404, "hold_not_found")
        assert_problem(world.till.post(f"/v1/holds/{id}/capture", {}), 404, "hold_not_found")


def test_all_at_once_it_is_captured_once(world):
    user, merchant = world.rich_user(100), world.merchant()
    made = hold(world, user, 100, merchant=merchant["id"])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: capture(world, made) if number % 2 else release(world, made), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    world.assert_clean()


def test_the_key_and_the_rehearsal(world):
    user, merchant, key = world.rich_user(100), world.merchant(), str(uuid.uuid4())
    body = body_of(user, merchant=merchant["id"])
    tried = world.till.post("/v1/holds?dry_run=true", body)
    assert tried.status_code == 200 and tried.json()["dry_run"] is True and purse(user) == (100, 0, 100)
    made = world.till.post("/v1/holds", body, key=key)
    assert world.till.post("/v1/holds", body, key=key).json() == made.json() and made.status_code == 201
    where = f"/v1/holds/{made.json()['id']}"
    assert world.till.post(f"{where}/capture?dry_run=true", {"amount": 5}).json()["captured"] == 5 and world.till.post(f"{where}/release?dry_run=true").json()["state"] == "released"
    assert purse(user) == (100, 60, 40)
    first, again = (world.till.post(f"{where}/capture", {"amount": 5, "final": False}, key=f"c-{key}") for _ in range(2))
    assert first.json() == again.json() and again.headers["Idempotent-Replayed"] == "true" and purse(user) == (95, 55, 40)


@pytest.mark.parametrize("change, fields", [
    ({"reference": ""}, ["reference"]), ({"user_id": "x"}, ["user_id"]), ({"merchant": ""}, ["merchant"]), ({"amount": 0}, ["amount"]), ({"currency": "EUR"}, ["currency"]),
    ({"expires_in": 0}, ["expires_in"]), ({"expires_in": 31536001}, ["expires_in"]), ({"expires_in": "1"}, ["expires_in"]), ({"tip": 1}, ["tip"])])
def test_ill_formed(world, change, fields):
    body = {"reference": "r", "user_id": SOME_ID, "amount": 1, "currency": "IRT", "expires_in": 1, **change}
    assert_problem(world.till.post("/v1/holds", body), 422, "validation_failed", fields)


@pytest.mark.parametrize("change, fields", [({"amount": 0}, ["amount"]), ({"final": 1}, ["final"]), ({"merchant": ""}, ["merchant"]), ({"currency": "IRT"}, ["currency"])])
def test_an_ill_formed_capture(world, change, fields):
    assert_problem(world.till.post(f"/v1/holds/{SOME_ID}/capture", change), 422, "validation_failed", fields)


def test_who_may(world):
    for client in (world.shop, world.user().wallet, world.operator.wallet):
        assert_problem(client.post("/v1/holds", {}), 403, "forbidden")
        assert_problem(client.get(f"/v1/holds/{SOME_ID}"), 403, "forbidden")
