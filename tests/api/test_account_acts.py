"""What an administrator does to an account: it is frozen, let go on, closed, given to and taken from; each act is in the audit log, and verify proves the states."""
import sqlite3
import uuid

import pytest

from harness.services import Pair
from harness.world import World, assert_problem

SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"


def act(world, account, verb):
    return world.operator.wallet.post(f"/v1/accounts/{account}/{verb}")


def adjust(world, account, direction, amount, query="", key=None, **members):
    body = {"direction": direction, "amount": amount, "currency": "IRT", "reason": "A mistake of ours", **members}
    return world.operator.wallet.post(f"/v1/accounts/{account}/adjustments{query}", body, **({"key": key} if key else {}))


def send(user, other, amount=1):
    return user.wallet.post("/v1/wallet/transfers", {"to": {"username": other.username}, "amount": amount, "currency": "IRT"})


def spend(world, user, merchant, path="/v1/payments", **members):
    return world.till.post(path, {"reference": str(uuid.uuid4()), "user_id": user.id, "merchant": merchant["id"], "amount": 10, "currency": "IRT", **members})


def noted(world, account, action):
    return [(entry["outcome"], entry["before"], entry["after"]) for entry in world.operator.wallet.get(f"/v1/audit-log?action={action}&subject={account}").json()["data"]]


def test_nothing_moves_while_an_account_is_frozen(world):
    user, other, merchant = world.rich_user(100), world.rich_user(100), world.merchant()
    account, other_account = world.account(user), world.account(other)
    paid = spend(world, user, merchant).json()
    held = spend(world, user, merchant, "/v1/holds", expires_in=3600).json()
    kept = spend(world, user, merchant, "/v1/holds", expires_in=3600).json()
    frozen = act(world, account, "freeze")
    assert frozen.status_code == 200 and (frozen.json()["id"], frozen.json()["state"], frozen.json()["username"]) == (account, "frozen", user.username)
    assert frozen.json() == world.operator.wallet.get(f"/v1/accounts/{account}").json()
    assert act(world, account, "freeze").json() == frozen.json()  # it was so before
    item = {"reference": str(uuid.uuid4()), "user_id": user.id, "amount": 1, "currency": "IRT"}
    assert world.shop.post("/v1/credits", {"items": [item]}).json()["items"][0]["code"] == "account_frozen"
    for refused in (send(user, other), send(other, user), spend(world, user, merchant), spend(world, user, merchant, "/v1/holds", expires_in=60),
                    world.till.post(f"/v1/holds/{held['id']}/capture", {}), adjust(world, account, "credit", 1), adjust(world, account, "debit", 1),
                    world.till.post(f"/v1/transactions/{paid['id']}/reversal", {"reason": "x"})):
        assert_problem(refused, 409, "account_frozen")
    assert world.till.post(f"/v1/holds/{kept['id']}/release").json()["state"] == "released"  # takes nothing from anybody
    assert act(world, account, "unfreeze").json()["state"] == "open"
    assert act(world, account, "unfreeze").status_code == 200
    assert world.till.post(f"/v1/holds/{held['id']}/capture", {}).status_code == 200
    assert send(user, other).status_code == 201
    assert noted(world, account, "account.freeze") == [("done", {"state": "open"}, {"state": "frozen"})]
    assert noted(world, account, "account.unfreeze") == [("done", {"state": "frozen"}, {"state": "open"})]
    assert noted(world, other_account, "account.freeze") == []
    world.assert_clean()


def test_a_frozen_fund_gets_nothing_and_gives_nothing_back(world):
    fund = world.fund(100)
    path = f"/v1/funds/{fund['reference']}"
    account = world.shop.get(path).json()["account_id"]
    act(world, account, "freeze")
    for tail, body in (("topup", {"amount": 1, "currency": "IRT"}), ("release", None)):
        assert_problem(world.shop.post(f"{path}/{tail}", body), 409, "account_frozen")
    act(world, account, "unfreeze")
    assert world.shop.post(f"{path}/release").json()["state"] == "released"
    (issuance,) = world.operator.wallet.get("/v1/accounts?kind=issuance").json()["data"]
    act(world, issuance["id"], "freeze")
    try:
        assert_problem(world.shop.post("/v1/funds", {"reference": f"fund-{uuid.uuid4()}", "amount": 1, "currency": "IRT"}), 409, "account_frozen")
    finally:
        assert act(world, issuance["id"], "unfreeze").json()["state"] == "open"


def test_an_empty_account_is_closed_for_good(world):
    user, other, merchant = world.rich_user(30), world.rich_user(10), world.merchant()
    account = world.account(user)
    assert_problem(act(world, account, "close"), 409, "account_not_empty")
    held = spend(world, user, merchant, "/v1/holds", expires_in=3600).json()
    assert send(user, other, 20).status_code == 201
    assert_problem(act(world, account, "close"), 409, "account_not_empty")
    assert world.till.post(f"/v1/holds/{held['id']}/capture", {}).status_code == 200
    closed = act(world, account, "close")
    assert closed.status_code == 200 and closed.json()["state"] == "closed", closed.text
    assert act(world, account, "close").json() == closed.json()
    for verb in ("freeze", "unfreeze"):
        assert_problem(act(world, account, verb), 409, "account_closed")
    item = {"reference": str(uuid.uuid4()), "user_id": user.id, "amount": 1, "currency": "IRT"}
    assert world.shop.post("/v1/credits", {"items": [item]}).json()["items"][0]["code"] == "account_closed"
    for refused in (send(user, other), send(other, user), spend(world, user, merchant), adjust(world, account, "credit", 1)):
        assert_problem(refused, 409, "account_closed")
    assert user.wallet.get("/v1/wallet").json()["balance"] == 0
    assert len(user.wallet.get("/v1/wallet/transactions").json()["data"]) == 3  # its history stays
    listed = world.operator.wallet.get(f"/v1/accounts?state=closed&username={user.username}").json()["data"]
    assert [found["id"] for found in listed] == [account]
    assert account in {found["id"] for found in world.operator.wallet.get("/v1/accounts?state=closed&limit=200").json()["data"]}
    assert noted(world, account, "account.close")[-1:] == [("account_not_empty", None, None)] and noted(world, account, "account.close")[0] == ("done", {"state": "open"}, {"state": "closed"})
    world.assert_clean()


def test_a_closed_winner_is_refused_for_good(world):
    user, campaign = world.user(), world.operator.campaign(places=3)
    assert act(world, world.account(user), "close").status_code == 200
    refused = assert_problem(user.redeem(campaign["code"]), 409, "credit_failed")
    assert refused["wallet_code"] == "account_closed"
    world.assert_clean()


def test_adjustments_give_and_take(world):
    user, merchant = world.user(), world.merchant()
    account = world.account(user)
    dry = adjust(world, account, "credit", 70, "?dry_run=true")
    assert dry.status_code == 200 and dry.json()["dry_run"] is True and user.balance() == 0
    given = adjust(world, account, "credit", 70)
    assert given.status_code == 201, given.text
    made = given.json()
    assert (made["kind"], made["account_id"], made["direction"], made["amount"], made["currency"], made["reason"], made["reference"]) == ("adjustment", account, "credit", 70, "IRT", "A mistake of ours", None)
    taken = adjust(world, account, "debit", 20, reason="Too much")
    assert taken.status_code == 201 and user.balance() == 50
    assert_problem(adjust(world, account, "debit", 51), 409, "insufficient_funds")
    line = user.wallet.get(f"/v1/transactions/{taken.json()['id']}").json()
    assert (line["kind"], line["direction"], line["amount"], line["description"], line["summary"]) == ("adjustment", "debit", 20, "Too much", "Adjustment: Too much")
    assert [entry["amount"] for entry in user.wallet.get("/v1/wallet/transactions?kind=adjustment").json()["data"]] == [20, 70]
    assert adjust(world, merchant["id"], "credit", 5).status_code == 201  # who is paid, too
    assert_problem(world.operator.wallet.post(f"/v1/transactions/{made['id']}/reversal", {"reason": "x"}), 409, "not_reversible")
    done = [entry for entry in noted(world, account, "account.adjust") if entry[0] == "done"]
    assert [(before, after["direction"], after["amount"]) for _, before, after in done] == [({"balance": 70}, "debit", 20), ({"balance": 0}, "credit", 70)]
    world.assert_clean()


def test_an_adjustment_is_done_once(world):
    user, key, reference = world.user(), str(uuid.uuid4()), str(uuid.uuid4())
    account = world.account(user)
    first = adjust(world, account, "credit", 10, key=key)
    again = adjust(world, account, "credit", 10, key=key)
    assert (again.status_code, again.json(), again.headers["Idempotent-Replayed"]) == (201, first.json(), "true")
    named = adjust(world, account, "credit", 5, reference=reference)
    assert named.status_code == 201 and named.json()["reference"] == reference
    repeated = adjust(world, account, "credit", 5, reference=reference)
    assert repeated.status_code == 200 and repeated.json() == named.json()
    for direction, amount, members in (("debit", 5, {}), ("credit", 6, {}), ("credit", 5, {"reason": "Other"})):
        assert_problem(adjust(world, account, direction, amount, reference=reference, **members), 409, "reference_conflict")
    assert user.balance() == 15


def test_each_other_refusal(world):
    user, operator = world.user(), world.operator.wallet
    account, fund = world.account(user), world.fund(10)
    books = {found["kind"]: found["id"] for found in operator.get("/v1/accounts?limit=200").json()["data"]}
    for kind in ("fund", "issuance"):
        assert_problem(adjust(world, books[kind], "credit", 1), 409, "account_of_books")
        assert_problem(act(world, books[kind], "close"), 409, "account_of_books")
    for unknown in (SOME_ID, "x"):
        assert_problem(adjust(world, unknown, "credit", 1), 404, "account_not_found")
        for verb in ("freeze", "unfreeze", "close"):
            assert_problem(act(world, unknown, verb), 404, "account_not_found")
    for client in (user.wallet, world.till):
        assert_problem(client.post(f"/v1/accounts/{account}/freeze"), 403, "forbidden")
        assert_problem(client.post(f"/v1/accounts/{account}/adjustments", {"direction": "credit", "amount": 1, "currency": "IRT", "reason": "x"}), 403, "forbidden")
    for members in ({"direction": "up"}, {"amount": 0}, {"reason": ""}, {"reference": ""}, {"currency": "USD"}, {"more": 1}):
        assert adjust(world, account, **{"direction": "credit", "amount": 1, **members}).status_code == 422, members
    assert_problem(adjust(world, account, "credit", 1, currency="IRR"), 422, "currency_mismatch")
    assert fund["remaining"] == 10 and user.balance() == 0


@pytest.mark.of_sqlite
def test_a_state_that_nobody_has_given_is_named(tmp_path, contracts, issuers):
    pair = Pair(tmp_path, issuers=issuers.values()).start()
    try:
        world = World(pair, issuers, contracts)
        user, closed, open_again = world.user(), world.user(), world.user()
        assert act(world, world.account(user), "freeze").status_code == 200
        assert act(world, world.account(closed), "close").status_code == 200
        for verb in ("freeze", "unfreeze"):
            assert act(world, world.account(open_again), verb).status_code == 200
        world.assert_clean()
        assert pair.wallet.stop() == 0
        (path,) = pair.wallet.data.glob("wallet.db")
        sound = path.read_bytes()
        for who, change, said in ((user, "is_frozen = 0", '{"state":"frozen"}'), (closed, "is_closed = 0", '{"state":"closed"}'), (open_again, "is_frozen = 1", '{"state":"open"}'),
                                  (user, "is_closed = 1", '{"state":"frozen"}'), (None, "is_frozen = 1", "")):
            with sqlite3.connect(path) as database:
                database.execute(f"UPDATE accounts SET {change} WHERE " + (f"user_id = (SELECT id FROM users WHERE name = '{who.username}')" if who else "number = 1"))
            database.close()
            found = pair.wallet.verify()
            assert found.returncode == 1 and "is in another state than the audit log says" in found.stdout and said in found.stdout, (change, found.stdout)
            path.write_bytes(sound)
        assert pair.wallet.verify().returncode == 0
    finally:
        pair.end()
