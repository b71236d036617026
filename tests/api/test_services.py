"""What Wallet does for other services: credits in batches, each exactly once, and funds that can not be overdrawn."""
import json
import uuid

import pytest

from harness.world import assert_problem

SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"
BIG = 9007199254740991


def item(user_id, amount=10, **members):
    return {"reference": str(uuid.uuid4()), "user_id": user_id, "amount": amount, "currency": "IRT", **members}


def credit(client, *items):
    answer = client.post("/v1/credits", {"items": list(items)})
    assert answer.status_code == 200, answer.text
    outcomes = answer.json()["items"]
    assert [outcome["reference"] for outcome in outcomes] == [given["reference"] for given in items]
    return outcomes


def fund_of(world, reference):
    fund = world.shop.get(f"/v1/funds/{reference}").json()
    assert fund["funded"] == fund["credited"] + fund["remaining"] + fund["released"]
    return fund


def list_funds(client, limit=200):
    funds, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/v1/funds?limit={limit}{cursor and '&cursor=' + cursor}").json()
        assert len(page["data"]) <= limit and (page["next_cursor"] is None or len(page["data"]) == limit)
        funds, cursor = funds + page["data"], page["next_cursor"]
    return funds


# ---- credits ----

def test_a_credit(world):
    user = world.user()
    given = item(user.id, 700, description="Welcome", metadata={"order": 17, "deep": {"a": [1, 2.5, None]}})
    [outcome] = credit(world.shop, given)
    assert outcome["status"] == "applied" and outcome["balance_after"] == 700 and set(outcome) == {"reference", "status", "transaction_id", "balance_after", "created_at"}
    transaction = user.wallet.get(f"/v1/transactions/{outcome['transaction_id']}").json()
    assert (transaction["kind"], transaction["direction"], transaction["amount"], transaction["reference"], transaction["description"]) == (
        "credit", "credit", 700, given["reference"], "Welcome")
    assert user.balance() == 700


def test_the_same_credit_again_is_replayed_with_the_first_outcome(world):
    user = world.user()
    given = item(user.id)
    [first] = credit(world.shop, given)
    credit(world.shop, item(user.id, 5))
    for _ in range(2):
        [again] = credit(world.shop, given)
        assert again == {**first, "status": "replayed"}
    assert user.balance() == 15


@pytest.mark.parametrize("change", [{"amount": 11}, {"user_id": "another"}, {"fund": "another"}])
def test_the_same_reference_for_something_else_is_a_conflict(world, change):
    user, other = world.user(), world.user()
    given = item(user.id)
    credit(world.shop, given)
    change = {"user_id": other.id} if "user_id" in change else {"fund": world.fund()["reference"]} if "fund" in change else change
    assert credit(world.shop, {**given, **change}) == [{"reference": given["reference"], "status": "rejected", "code": "reference_conflict"}]
    assert (user.balance(), other.balance()) == (10, 0)
    assert credit(world.shop, given)[0]["status"] == "replayed"


def test_references_belong_to_the_calling_service(world):
    user = world.user()
    given = item(user.id)
    assert [credit(client, given)[0]["status"] for client in (world.shop, world.bank, world.shop, world.bank)] == ["applied", "applied", "replayed", "replayed"]
    assert user.balance() == 20


def test_items_stand_alone_and_in_order(world):
    user, other = world.user(), world.user()
    fund = world.fund(25)["reference"]
    same = item(user.id)
    given = [item(user.id), item(SOME_ID), same, item(user.id, currency="IRR", fund=fund), same, {**same, "amount": 99}, item(other.id, fund="no-such-fund"),
             item(other.id, 20, fund=fund), item(other.id, 10, fund=fund), item(other.id, 5, fund=fund), item(other.id, 1, fund=fund), item(user.id, BIG)]
    outcomes = credit(world.shop, *given)
    assert [outcome.get("code", outcome["status"]) for outcome in outcomes] == [
        "applied", "user_not_found", "applied", "currency_mismatch", "replayed", "reference_conflict", "fund_not_found",
        "applied", "fund_exhausted", "applied", "fund_exhausted", "balance_too_large"]
    assert [outcome["status"] for outcome in outcomes if "code" in outcome] == ["rejected"] * 6 + [] or all(
        outcome["status"] == "rejected" for outcome in outcomes if "code" in outcome)
    assert outcomes[4] == {**outcomes[2], "status": "replayed"}
    assert (user.balance(), other.balance()) == (20, 25)


def test_a_rejected_item_is_decided_anew(world):
    user = world.user()
    reference = f"late-{uuid.uuid4()}"
    given = item(user.id, fund=reference)
    assert credit(world.shop, given)[0]["code"] == "fund_not_found"
    world.fund(10, reference)
    assert credit(world.shop, given)[0]["status"] == "applied"
    assert user.balance() == 10


def test_a_thousand_items(world):
    users = [world.user() for _ in range(4)]
    given = [item(users[index % 4].id, index + 1) for index in range(1000)]
    outcomes = credit(world.shop, *given)
    assert {outcome["status"] for outcome in outcomes} == {"applied"}
    assert [user.balance() for user in users] == [sum(range(start, 1001, 4)) for start in (1, 2, 3, 4)]
    again = credit(world.shop, *reversed(given))
    assert again == [{**outcome, "status": "replayed"} for outcome in reversed(outcomes)]
    assert sum(user.balance() for user in users) == 500500


def test_more_than_a_thousand_or_none(world):
    user = world.user()
    assert_problem(world.shop.post("/v1/credits", {"items": [item(user.id) for _ in range(1001)]}), 422, "validation_failed", ["items"])
    assert_problem(world.shop.post("/v1/credits", {"items": []}), 422, "validation_failed", ["items"])
    assert user.balance() == 0


@pytest.mark.parametrize("change, field", [
    ({"reference": ""}, "reference"), ({"reference": "x" * 129}, "reference"), ({"reference": "نشان"}, "reference"), ({"reference": "a\tb"}, "reference"),
    ({"user_id": "me"}, "user_id"), ({"fund": ""}, "fund"), ({"fund": "a b"}, "fund"), ({"fund": "x" * 129}, "fund"), ({"description": "x" * 256}, "description"),
    ({"metadata": []}, "metadata"), ({"metadata": {"a": "x" * 2048}}, "metadata"), ({"surprise": 1}, "surprise"), ({"amount": 0}, "amount"),
])
def test_an_ill_formed_item_refuses_the_whole_batch(world, change, field):
    user = world.user()
    answer = world.shop.post("/v1/credits", {"items": [item(user.id), {**item(user.id), **change}]})
    assert_problem(answer, 422, "validation_failed", [f"items[1].{field}"])
    assert user.balance() == 0


def test_references_at_their_bounds(world):
    user = world.user()
    outcomes = credit(world.shop, item(user.id, reference="x" * 128), item(user.id, reference="~"), item(user.id, reference=f"with blanks \"{uuid.uuid4()}\""))
    assert {outcome["status"] for outcome in outcomes} <= {"applied"}


def test_a_balance_has_a_ceiling(world):
    user, sender = world.user(), world.rich_user(10)
    assert credit(world.shop, item(user.id, BIG - 2 ** 52))[0]["status"] in ("applied", "rejected")
    room = BIG - user.balance()
    assert credit(world.shop, item(user.id, room + 1 if room < BIG else BIG))[0].get("code") == "balance_too_large"
    assert user.balance() == BIG - room
    assert sender.balance() == 10


def test_the_same_batch_many_times_at_once(world):
    users = [world.user() for _ in range(5)]
    body = json.dumps({"items": [item(user.id) for user in users for _ in range(10)]}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {world.shop.token}"}
    answers = world.all_at_once("wallet", "POST", "/v1/credits", [(headers, body)] * 12)
    statuses = [{outcome["status"] for outcome in json.loads(answer.body)["items"]} for answer in answers]
    assert sorted(map(sorted, statuses)) == [["applied"]] + [["replayed"]] * 11
    assert [user.balance() for user in users] == [100] * 5


# ---- funds ----

def test_a_fund(world):
    reference = f"f.{uuid.uuid4()}:A_1"
    answer = world.shop.post("/v1/funds", {"reference": reference, "amount": 100, "currency": "IRT", "description": "Nowruz"})
    assert answer.status_code == 201, answer.text
    fund = answer.json()
    assert answer.headers["Location"] == f"/v1/funds/{reference}"
    assert {name: fund[name] for name in ("reference", "currency", "funded", "credited", "remaining", "released", "state", "description")} == {
        "reference": reference, "currency": "IRT", "funded": 100, "credited": 0, "remaining": 100, "released": 0, "state": "open", "description": "Nowruz"}
    assert world.shop.get(f"/v1/funds/{reference}").json() == fund


def test_a_fund_is_opened_once(world):
    fund = world.fund(100)
    body = {"reference": fund["reference"], "amount": 100, "currency": "IRT"}
    again = world.shop.post("/v1/funds", body)
    assert again.status_code == 200 and again.json() == fund
    assert_problem(world.shop.post("/v1/funds", {**body, "amount": 101}), 409, "fund_reference_conflict")
    assert fund_of(world, fund["reference"]) == fund


def test_a_fund_is_its_services_own(world):
    fund = world.fund(100)
    assert_problem(world.bank.get(f"/v1/funds/{fund['reference']}"), 404, "fund_not_found")
    for action in ("release", "transactions", "topup"):
        path = f"/v1/funds/{fund['reference']}/{action}"
        answer = world.bank.get(path) if action == "transactions" else world.bank.post(path, {"amount": 1, "currency": "IRT"} if action == "topup" else None)
        assert_problem(answer, 404, "fund_not_found")
    assert credit(world.bank, item(world.user().id, fund=fund["reference"]))[0]["code"] == "fund_not_found"
    other = world.bank.post("/v1/funds", {"reference": fund["reference"], "amount": 7, "currency": "IRT"})
    assert other.status_code == 201 and other.json()["account_id"] != fund["account_id"]


def test_the_list_of_a_services_funds(world):
    before = list_funds(world.shop)
    made = [world.fund(100 + index) for index in range(5)]
    credit(world.shop, item(world.user().id, 30, fund=made[1]["reference"]))
    world.shop.post(f"/v1/funds/{made[2]['reference']}/release")
    theirs = world.bank.post("/v1/funds", {"reference": made[0]["reference"], "amount": 7, "currency": "IRT"}).json()
    for limit in (1, 2, 5, 200):
        listed = list_funds(world.shop, limit)
        assert [fund["reference"] for fund in listed] == [fund["reference"] for fund in before + made]
        assert listed == [fund_of(world, fund["reference"]) for fund in listed]
    assert [(fund["credited"], fund["released"], fund["state"]) for fund in listed[-5:]] == [
        (0, 0, "open"), (30, 0, "open"), (0, 102, "released"), (0, 0, "open"), (0, 0, "open")]
    assert list_funds(world.bank)[-1] == theirs


def test_a_walk_over_the_funds_is_not_moved_by_new_ones(world):
    made = [world.fund(10)["reference"] for _ in range(3)]
    page, seen = world.shop.get("/v1/funds?limit=1").json(), []
    while True:
        seen += [fund["reference"] for fund in page["data"]]
        if page["next_cursor"] is None:
            break
        if len(seen) == 1:
            made.append(world.fund(10)["reference"])
        page = world.shop.get(f"/v1/funds?limit=1&cursor={page['next_cursor']}").json()
    assert len(set(seen)) == len(seen) and seen[-4:] == made


@pytest.mark.parametrize("query, pointer", [("limit=0", "limit"), ("limit=201", "limit"), ("cursor=x", "cursor"), ("state=open", "state")])
def test_what_the_list_of_funds_does_not_take(world, query, pointer):
    assert_problem(world.shop.get(f"/v1/funds?{query}"), 422, "validation_failed", [pointer])


def test_unknown_funds(world):
    for reference in ("nothing", "x" * 128, "x" * 500, "%20", "a%2Fb"):
        assert_problem(world.shop.get(f"/v1/funds/{reference}"), 404, "fund_not_found")


@pytest.mark.parametrize("reference", ["", "a b", "a/b", "نشان", "x" * 129, 5])
def test_ill_formed_references(world, reference):
    assert_problem(world.shop.post("/v1/funds", {"reference": reference, "amount": 1, "currency": "IRT"}), 422, "validation_failed", ["reference"])


def test_a_fund_in_another_currency(world):
    opened = world.shop.post("/v1/funds", {"reference": "rial", "amount": 1, "currency": "IRR"})
    assert opened.status_code == 201 and opened.json()["currency"] == "IRR"
    assert_problem(world.shop.post("/v1/funds", {"reference": "euro", "amount": 1, "currency": "EUR"}), 422, "validation_failed", ["currency"])


def test_a_fund_pays_what_it_holds_and_no_more(world):
    reference = world.fund(100)["reference"]
    users = [world.user() for _ in range(3)]
    outcomes = credit(world.shop, *[item(users[index % 3].id, 30, fund=reference) for index in range(4)])
    assert [outcome.get("code", outcome["status"]) for outcome in outcomes] == ["applied"] * 3 + ["fund_exhausted"]
    fund = fund_of(world, reference)
    assert (fund["funded"], fund["credited"], fund["remaining"], fund["state"]) == (100, 90, 10, "open")
    assert credit(world.shop, item(users[0].id, 10, fund=reference))[0]["status"] == "applied"
    assert credit(world.shop, item(users[0].id, 1, fund=reference))[0]["code"] == "fund_exhausted"
    rows = world.shop.get(f"/v1/funds/{reference}/transactions").json()["data"]
    assert [(row["reference"], row["user_id"], row["amount"]) for row in rows[:3]] == [
        (outcome["reference"], users[index].id, 30) for index, outcome in enumerate(outcomes[:3])]
    assert sum(row["amount"] for row in rows) == 100


def test_a_fund_wanted_by_many_at_once(world):
    reference = world.fund(100)["reference"]
    users = [world.user() for _ in range(5)]
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {world.shop.token}"}
    bodies = [json.dumps({"items": [item(user.id, 7, fund=reference) for user in users]}).encode() for _ in range(10)]
    answers = world.all_at_once("wallet", "POST", "/v1/credits", [(headers, body) for body in bodies])
    applied = [outcome for answer in answers for outcome in json.loads(answer.body)["items"] if outcome["status"] == "applied"]
    assert len(applied) == 14
    assert sum(user.balance() for user in users) == 98
    fund = fund_of(world, reference)
    assert (fund["credited"], fund["remaining"]) == (98, 2)


def test_a_topup(world):
    reference = world.fund(10)["reference"]
    user = world.user()
    credit(world.shop, item(user.id, 10, fund=reference))
    path = f"/v1/funds/{reference}/topup"
    answer = world.shop.post(path, {"amount": 5, "currency": "IRT"})
    assert answer.status_code == 200
    assert (answer.json()["funded"], answer.json()["credited"], answer.json()["remaining"]) == (15, 10, 5)
    assert credit(world.shop, item(user.id, 5, fund=reference))[0]["status"] == "applied"
    named = {"amount": 7, "currency": "IRT", "reference": "second"}
    assert [world.shop.post(path, named).json()["funded"] for _ in range(3)] == [22, 22, 22]
    assert_problem(world.shop.post(path, {**named, "amount": 8}), 409, "reference_conflict")
    assert_problem(world.shop.post(path, {"amount": 5, "currency": "IRR"}), 422, "currency_mismatch")
    assert_problem(world.shop.post("/v1/funds/nothing/topup", {"amount": 5, "currency": "IRT"}), 404, "fund_not_found")
    assert_problem(world.shop.post(path, {"amount": 0, "currency": "IRT", "x": 1}), 422, "validation_failed", ["amount", "x"])


def test_a_release(world):
    reference = world.fund(100)["reference"]
    user = world.user()
    credit(world.shop, item(user.id, 30, fund=reference))
    path = f"/v1/funds/{reference}"
    answer = world.shop.post(f"{path}/release")
    assert answer.status_code == 200
    fund = answer.json()
    assert (fund["funded"], fund["credited"], fund["remaining"], fund["released"], fund["state"]) == (100, 30, 0, 70, "released")
    assert world.shop.post(f"{path}/release").json() == fund
    assert fund_of(world, reference) == fund
    assert credit(world.shop, item(user.id, 1, fund=reference))[0]["code"] == "fund_released"
    assert_problem(world.shop.post(f"{path}/topup", {"amount": 5, "currency": "IRT"}), 409, "fund_released")
    assert_problem(world.shop.post("/v1/funds/nothing/release"), 404, "fund_not_found")
    assert user.balance() == 30
