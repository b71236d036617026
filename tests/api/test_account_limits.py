"""What an account may have, and may let go of: limits that are decided with each movement, holds and reversals included, and that say what is left."""
import datetime
import sqlite3
import uuid
import zoneinfo

import pytest

from harness.services import Pair
from harness.world import World, assert_problem

SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"
NONE = {"floor": 0, "ceiling": None, "per_transaction": None, "daily": None, "monthly": None}


def limit(world, account, **limits):
    return world.operator.wallet.request("PUT", f"/v1/accounts/{account}/limits", json=limits)


def limited(world, amount=1000, **limits):
    """(a user, his account)"""
    user = world.rich_user(amount)
    account = world.account(user)
    answer = limit(world, account, **limits)
    assert answer.status_code == 200, answer.text
    return user, account


def send(user, other, amount):
    return user.wallet.post("/v1/wallet/transfers", {"to": {"username": other.username}, "amount": amount, "currency": "IRT"})


def pay(world, user, merchant, amount, path="/v1/payments", **members):
    return world.till.post(path, {"reference": str(uuid.uuid4()), "user_id": user.id, "merchant": merchant["id"], "amount": amount, "currency": "IRT", **members})


def hold(world, user, merchant, amount, **members):
    return pay(world, user, merchant, amount, "/v1/holds", expires_in=3600, **members)


def adjust(world, account, direction, amount):
    return world.operator.wallet.post(f"/v1/accounts/{account}/adjustments", {"direction": direction, "amount": amount, "currency": "IRT", "reason": "x"})


def reverse(client, id, **members):
    return client.post(f"/v1/transactions/{id}/reversal", {"reason": "x", **members})


def credit(world, user, amount):
    item = {"reference": str(uuid.uuid4()), "user_id": user.id, "amount": amount, "currency": "IRT"}
    return world.shop.post("/v1/credits", {"items": [item]}).json()["items"][0]


def assert_limit(answer, code, limit, remaining):
    problem = assert_problem(answer, 409, code)
    assert (problem["limit"], problem["remaining"]) == (limit, remaining), problem
    return problem


def test_limits_are_set_all_at_once(world):
    user, account = limited(world, floor=10, ceiling=5000, per_transaction=100, daily=200, monthly=300)
    seen = world.operator.wallet.get(f"/v1/accounts/{account}").json()["limits"]
    assert seen == {"floor": 10, "ceiling": 5000, "per_transaction": 100, "daily": 200, "monthly": 300}
    answer = limit(world, account, daily=50, floor=None).json()
    assert {name: answer[name] for name in NONE} == {**NONE, "daily": 50}
    assert (answer["account_id"], answer["currency"], answer["time_zone"], answer["spent_today"], answer["spent_this_month"]) == (account, "IRT", "Asia/Tehran", 0, 0)
    assert limit(world, account, daily=50).status_code == 200  # as before: nothing to note
    none = limit(world, account).json()
    assert {name: none[name] for name in NONE} == NONE and none["spent_today"] is None
    noted = [(entry["before"], entry["after"]) for entry in world.operator.wallet.get(f"/v1/audit-log?action=account.limit&subject={account}").json()["data"]]
    assert noted == [({**NONE, "daily": 50}, NONE), (seen, {**NONE, "daily": 50}), (NONE, seen)]
    world.assert_clean()


def test_the_floor_counts_what_is_held(world):
    merchant, other = world.merchant(), world.user()
    user, account = limited(world, floor=400)
    assert hold(world, user, merchant, 250).status_code == 201
    for refused in (pay(world, user, merchant, 351), hold(world, user, merchant, 351), send(user, other, 351), adjust(world, account, "debit", 351)):
        assert_limit(refused, "floor_reached", 400, 350)
    assert_problem(pay(world, user, merchant, 751), 409, "insufficient_funds")
    assert send(user, other, 350).status_code == 201
    assert limit(world, account, floor=2000).status_code == 200  # above what there is: the account is overdrawn until enough has come
    world.assert_clean()
    assert_limit(send(user, other, 1), "floor_reached", 2000, 0)
    assert credit(world, user, 1700)["status"] == "applied"
    assert_limit(send(user, other, 101), "floor_reached", 2000, 100)
    assert send(user, other, 100).status_code == 201
    world.assert_clean()


def test_a_credit_is_taken_back_while_it_is_there(world):
    user = world.user()
    given = world.credit(user.id, 100)
    assert limit(world, world.account(user), floor=60, daily=1, per_transaction=1).status_code == 200
    (item,) = world.shop.post("/v1/credits/reversals", {"items": [{"reference": given["reference"], "reason": "x"}]}).json()["items"]
    assert item["code"] == "insufficient_funds"
    assert_limit(reverse(world.operator.wallet, given["transaction_id"]), "floor_reached", 60, 40)
    assert reverse(world.operator.wallet, given["transaction_id"], amount=40).status_code == 201  # it is not spent
    assert reverse(world.operator.wallet, given["transaction_id"], allow_negative=True).status_code == 201
    assert user.balance() == 0
    world.assert_clean()


def test_the_ceiling_counts_what_is_held(world):
    merchant, other = world.merchant(), world.rich_user(5000)
    user, account = limited(world, ceiling=1200)
    paid = pay(world, user, merchant, 100).json()
    assert hold(world, user, merchant, 500).status_code == 201  # it may come back
    refused = credit(world, user, 301)
    assert (refused["status"], refused["code"], refused["limit"], refused["remaining"]) == ("rejected", "ceiling_reached", 1200, 300)
    assert_limit(adjust(world, account, "credit", 301), "ceiling_reached", 1200, 300)
    told = assert_problem(send(other, user, 301), 409, "ceiling_reached")
    assert "limit" not in told and "remaining" not in told  # what another has is nobody's business
    assert send(other, user, 300).status_code == 201
    assert_limit(reverse(world.till, paid["id"]), "ceiling_reached", 1200, 0)
    assert limit(world, account, ceiling=1000).status_code == 200  # less than there is: nothing comes
    assert credit(world, user, 1)["remaining"] == 0
    assert limit(world, merchant["id"], ceiling=150).status_code == 200
    held = hold(world, other, merchant, 100).json()
    assert_limit(world.till.post(f"/v1/holds/{held['id']}/capture", {"amount": 51}), "ceiling_reached", 150, 50)
    assert world.till.post(f"/v1/holds/{held['id']}/capture", {"amount": 50}).status_code == 200
    world.assert_clean()


def test_a_winner_above_the_ceiling_is_refused_for_good(world):
    user, campaign = world.user(), world.operator.campaign(places=3)
    assert limit(world, world.account(user), ceiling=10).status_code == 200
    assert assert_problem(user.redeem(campaign["code"]), 409, "credit_failed")["wallet_code"] == "ceiling_reached"
    world.assert_clean()


def test_one_amount_is_limited(world):
    merchant, other = world.merchant(), world.user()
    user, account = limited(world, per_transaction=100)
    for refused in (pay(world, user, merchant, 101), hold(world, user, merchant, 101), send(user, other, 101), adjust(world, account, "debit", 101)):
        assert "resets_at" not in assert_limit(refused, "limit_per_transaction", 100, 100)
    for done in (pay(world, user, merchant, 100), hold(world, user, merchant, 100), send(user, other, 100), adjust(world, account, "debit", 100)):
        assert done.status_code == 201
    assert adjust(world, account, "credit", 101).status_code == 201 and credit(world, user, 101)["status"] == "applied"  # what comes is not spent


@pytest.mark.parametrize("name, code, spent", [("daily", "limit_daily", "spent_today"), ("monthly", "limit_monthly", "spent_this_month")])
def test_what_is_spent_in_a_time_is_limited(world, name, code, spent):
    merchant, other = world.merchant(), world.user()
    user = world.rich_user(10_000)
    account = world.account(user)
    before = pay(world, user, merchant, 100).json()  # what was spent before counts as well
    assert limit(world, account, **{name: 1000}).json()[spent] == 100
    assert send(user, other, 200).status_code == 201
    held = hold(world, user, merchant, 300).json()
    assert adjust(world, account, "debit", 50).status_code == 201
    for refused in (pay(world, user, merchant, 351), hold(world, user, merchant, 351), send(user, other, 351), adjust(world, account, "debit", 351)):
        told = assert_limit(refused, code, 1000, 350)
    now = datetime.datetime.now(zoneinfo.ZoneInfo("Asia/Tehran"))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    turns = midnight + datetime.timedelta(days=1) if name == "daily" else (midnight.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)
    assert datetime.datetime.fromisoformat(told["resets_at"]) == turns
    assert world.till.post(f"/v1/holds/{held['id']}/capture", {"amount": 100}).status_code == 200  # 200 of it come back, and the capture is not spent again
    assert_limit(pay(world, user, merchant, 551), code, 1000, 550)
    released = hold(world, user, merchant, 550).json()
    assert_limit(pay(world, user, merchant, 1), code, 1000, 0)
    assert world.till.post(f"/v1/holds/{released['id']}/release").status_code == 200
    assert reverse(world.till, before["id"], amount=60).status_code == 201
    assert_limit(pay(world, user, merchant, 611), code, 1000, 610)
    captured = world.till.get(f"/v1/holds/{held['id']}").json()
    assert captured["captured"] == 100
    taken = next(entry for entry in user.wallet.get("/v1/wallet/transactions?kind=capture").json()["data"])
    assert reverse(world.till, taken["id"]).status_code == 201
    assert_limit(pay(world, user, merchant, 711), code, 1000, 710)
    assert send(other, user, 200).status_code == 201  # what comes gives nothing back
    dry = world.till.post("/v1/payments?dry_run=true", {"reference": str(uuid.uuid4()), "user_id": user.id, "merchant": merchant["id"], "amount": 710, "currency": "IRT"})
    assert dry.status_code == 200
    assert pay(world, user, merchant, 710).status_code == 201
    assert limit(world, account, **{name: 900}).json()[spent] == 1000
    assert_limit(pay(world, user, merchant, 1), code, 900, 0)
    world.assert_clean()


def test_a_refusal_is_kept_under_its_key(world):
    merchant, key = world.merchant(), str(uuid.uuid4())
    user, account = limited(world, per_transaction=100)
    body = {"reference": str(uuid.uuid4()), "user_id": user.id, "merchant": merchant["id"], "amount": 101, "currency": "IRT"}
    first = world.till.post("/v1/payments", body, key=key)
    assert_limit(first, "limit_per_transaction", 100, 100)
    assert limit(world, account).status_code == 200
    again = world.till.post("/v1/payments", body, key=key)
    assert again.json() == first.json() and again.headers["Idempotent-Replayed"] == "true"


def test_each_other_refusal(world):
    user = world.user()
    account = world.account(user)
    world.fund(10)
    books = {found["kind"]: found["id"] for found in world.operator.wallet.get("/v1/accounts?limit=200").json()["data"]}
    for kind in ("fund", "issuance"):
        assert_problem(limit(world, books[kind], daily=1), 409, "account_of_books")
    for unknown in (SOME_ID, "x"):
        assert_problem(limit(world, unknown, daily=1), 404, "account_not_found")
    for client in (user.wallet, world.till):
        assert_problem(client.request("PUT", f"/v1/accounts/{account}/limits", json={"daily": 1}), 403, "forbidden")
    for wrong in ({"floor": -1}, {"daily": 1.5}, {"monthly": "1"}, {"ceiling": 1 << 60}, {"more": 1}, {"floor": 2, "ceiling": 1}):
        assert limit(world, account, **wrong).status_code == 422, wrong
    assert world.operator.wallet.post(f"/v1/accounts/{account}/close").status_code == 200
    assert_problem(limit(world, account, daily=1), 409, "account_closed")


@pytest.fixture(scope="module")
def books(tmp_path_factory, contracts, issuers):
    """(a Wallet that is up, its world, a user who has spent 130 of his day, his account)"""
    pair = Pair(tmp_path_factory.mktemp("limits"), issuers=issuers.values()).start()
    world = World(pair, issuers, contracts)
    user, account = limited(world, floor=5, ceiling=5000, per_transaction=200, daily=500, monthly=600)
    merchant = world.merchant()
    assert pay(world, user, merchant, 100).status_code == 201 and hold(world, user, merchant, 30).status_code == 201
    world.assert_clean()
    yield pair, world, user, account
    pair.end()


def test_another_time_zone_counts_anew(books):
    pair, world, user, account = books
    merchant = world.merchant()
    told = 1  # a new database counts in UTC, until its first start
    for zone, is_told in (("Pacific/Kiritimati", True), ("Asia/Tehran", True), ("Asia/Tehran", False)):
        assert pair.wallet.stop() == 0
        assert pair.wallet.verify().returncode == 0
        pair.wallet.start("--time-zone", zone)
        told += is_told
        assert len(pair.wallet.events("time_zone_changed")) == told
        assert limit(world, account, floor=5, ceiling=5000, per_transaction=200, daily=500, monthly=600).json()["time_zone"] == zone
        world.assert_clean()
    assert pay(world, user, merchant, 10).status_code == 201
    world.assert_clean()


@pytest.mark.of_sqlite
def test_each_changed_column_is_named(books):
    pair, _, user, _ = books
    assert pair.wallet.stop() == 0
    (path,) = pair.wallet.data.glob("wallet.db")
    sound = path.read_bytes()
    for change, finding in (("floor = 6", "its limits are others"), ("ceiling = 5001", "its limits are others"), ("per_transaction = NULL", "its limits are others"),
                            ("daily = 501", "its limits are others"), ("monthly = 601", "its limits are others"), ("daily = NULL, monthly = NULL", "its limits are others"),
                            ("day_spent = day_spent + 1", "what was spent in the day is another"), ("month_spent = month_spent - 1", "what was spent in the month is another"),
                            ("day_from = day_from + 1", "its day or its month begins when none does"), ("month_from = month_from + 1", "its day or its month begins when none does"),
                            ("day_from = day_from - 86400000000", "")):
        with sqlite3.connect(path) as database:
            database.execute(f"UPDATE accounts SET {change} WHERE user_id = (SELECT id FROM users WHERE name = '{user.username}')")
        database.close()
        found = pair.wallet.verify()
        assert finding == "" or (found.returncode == 1 and finding in found.stdout), (change, found.stdout)
        path.write_bytes(sound)
    for change, where, finding in (("day_spent = 1", "number = 1", "it counts what it spends, and has no limit"), ("daily = 1", "number = 1", "its limits are others")):
        with sqlite3.connect(path) as database:
            database.execute(f"UPDATE accounts SET {change} WHERE {where}")
        database.close()
        found = pair.wallet.verify()
        assert found.returncode == 1 and finding in found.stdout, (change, found.stdout)
        path.write_bytes(sound)
    assert pair.wallet.verify().returncode == 0
    pair.wallet.start()
