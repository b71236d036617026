"""A user's wallet: the balance, the list of movements, transfers; and the accounts as an admin sees them."""
import json
import random
import threading
import uuid

import pytest

from harness.client import Client
from harness.world import assert_problem

SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"


def send(sender, to, amount=10, **members):
    to = to if isinstance(to, dict) else {"username": to.username}
    return sender.wallet.post("/v1/wallet/transfers", {"to": to, "amount": amount, "currency": "IRT", **members})


def account_of(user):
    return user.wallet.get("/v1/wallet").json()["account_id"]


def test_a_wallet(world):
    user = world.user()
    before = user.wallet.get("/v1/wallet").json()
    world.credit(user.id, 700)
    wallet = user.wallet.get("/v1/wallet").json()
    assert set(wallet) == {"account_id", "currency", "balance", "held", "available", "sequence", "updated_at"}
    assert (wallet["balance"], wallet["held"], wallet["available"], wallet["sequence"]) == (700, 0, 700, 1)
    assert wallet["account_id"] == before["account_id"] and wallet["updated_at"] > before["updated_at"]


def test_a_wallet_as_it_was(world):
    user = world.user()
    wallets = [user.wallet.get("/v1/wallet").json()]
    for amount in (100, 20, 3):
        world.credit(user.id, amount)
        wallets.append(user.wallet.get("/v1/wallet").json())
    for index, wallet in enumerate(wallets):
        then = user.wallet.get(f"/v1/wallet?at={wallet['updated_at']}")
        assert then.status_code == 200, then.text
        then = then.json()
        assert (then["balance"], then["available"], then["sequence"]) == (wallet["balance"], wallet["available"], index)
    assert user.wallet.get("/v1/wallet?at=2090-01-01T00:00:00Z").json()["balance"] == 123
    assert user.wallet.get("/v1/wallet?at=2001-01-01T00:00:00Z").json()["balance"] == 0


def test_the_wallet_takes_no_other_query(world, stranger):
    for query, field in (("surprise=1", "surprise"), ("at=yesterday", "at"), ("at=", "at")):
        assert_problem(stranger.wallet.get(f"/v1/wallet?{query}"), 422, "validation_failed", [field])


@pytest.mark.parametrize("way", ["username", "phone", "account_id"])
def test_a_transfer(world, way):
    sender, receiver = world.rich_user(1000), world.user()
    to = {"username": receiver.username.upper(), "phone": "0" + receiver.phone[3:], "account_id": account_of(receiver)}[way]
    answer = send(sender, {way: to}, 250, description="Lunch")
    assert answer.status_code == 201, answer.text
    sent = answer.json()
    assert (sent["kind"], sent["direction"], sent["amount"], sent["currency"], sent["balance_after"]) == ("transfer", "debit", 250, "IRT", 750)
    assert (sent["reference"], sent["description"]) == (None, "Lunch")
    assert sent["counterparty"] == {way: {"username": receiver.username, "phone": receiver.phone, "account_id": account_of(receiver)}[way]}  # what was typed
    assert answer.headers["Location"] == f"/v1/transactions/{sent['id']}"
    assert (sender.balance(), receiver.balance()) == (750, 250)
    received = receiver.wallet.get("/v1/wallet/transactions").json()["data"]
    assert received == [{**sent, "direction": "credit", "balance_after": 250, "counterparty": {"account_id": account_of(sender), "username": sender.username},
                         "summary": f"Transfer from {sender.username}: Lunch"}]
    assert sender.wallet.get("/v1/wallet/transactions").json()["data"][0] == sent
    assert sender.wallet.get(f"/v1/transactions/{sent['id']}").json() == sent
    assert receiver.wallet.get(f"/v1/transactions/{sent['id']}").json() == received[0]


def test_a_transaction_is_for_its_parties_and_admins(world, stranger):
    sender, receiver = world.rich_user(1000), world.user()
    sent = send(sender, receiver).json()
    seen = world.operator.wallet.get(f"/v1/transactions/{sent['id']}").json()
    assert (seen["id"], seen["amount"], seen["direction"]) == (sent["id"], 10, "credit")
    assert_problem(stranger.wallet.get(f"/v1/transactions/{sent['id']}"), 404, "transaction_not_found")
    unknown = stranger.wallet.get(f"/v1/transactions/{SOME_ID}")
    assert_problem(unknown, 404, "transaction_not_found")
    for odd in ("1", "x" * 200, SOME_ID.upper() + "0", "019aab20-4c00-4a31-9f00-5b1e2c3d4e01", "%20"):
        assert_problem(stranger.wallet.get(f"/v1/transactions/{odd}"), 404, "transaction_not_found")


def test_a_wallet_never_goes_below_zero(world):
    sender, receiver = world.rich_user(100), world.user()
    assert_problem(send(sender, receiver, 101), 409, "insufficient_funds")
    assert_problem(send(sender, receiver, 9007199254740991), 409, "insufficient_funds")
    assert (sender.balance(), receiver.balance()) == (100, 0)
    assert send(sender, receiver, 100).json()["balance_after"] == 0
    assert_problem(send(sender, receiver, 1), 409, "insufficient_funds")


@pytest.mark.parametrize("to", [{"username": "nobody-of-this-name"}, {"phone": "+989999999999"}, {"account_id": SOME_ID}])
def test_an_unknown_recipient(world, to):
    sender = world.rich_user(100)
    assert_problem(send(sender, to), 404, "recipient_not_found")
    assert sender.balance() == 100


def test_money_goes_to_users_only(world):
    """Not into a fund, nor back to where money is made."""
    sender = world.rich_user(100)
    fund = world.fund()
    assert_problem(send(sender, {"account_id": fund["account_id"]}), 404, "recipient_not_found")
    issuance = world.operator.wallet.get("/v1/accounts?kind=issuance").json()["data"][0]
    assert_problem(send(sender, {"account_id": issuance["id"]}), 404, "recipient_not_found")


def test_nobody_sends_to_himself(world):
    sender = world.rich_user(100)
    for to in ({"username": sender.username}, {"phone": sender.phone}, {"account_id": account_of(sender)}):
        assert_problem(send(sender, to), 422, "same_account")


def test_currencies_are_never_mixed(world):
    sender, receiver = world.rich_user(100), world.user()
    assert_problem(send(sender, receiver, currency="IRR"), 422, "currency_mismatch")
    assert sender.balance() == 100


@pytest.mark.parametrize("to, fields", [
    ({}, ["to"]), ({"username": "abc", "phone": "09121234567"}, ["to"]), ({"username": "abc", "x": 1}, ["to.x"]), ({"phone": "12"}, ["to.phone"]),
    ({"account_id": "12"}, ["to.account_id"]), ({"username": 5}, ["to.username"]), ("sara", ["to"]), (None, ["to"]), ([], ["to"]),
])
def test_exactly_one_recipient(world, to, fields):
    answer = world.rich_user(100).wallet.post("/v1/wallet/transfers", {"to": to, "amount": 1, "currency": "IRT"})
    assert_problem(answer, 422, "validation_failed", fields)


def test_descriptions(world):
    sender, receiver = world.rich_user(100), world.user()
    assert send(sender, receiver, 1, description="ن" * 255).json()["description"] == "ن" * 255
    assert send(sender, receiver, 1).json()["description"] is None
    assert_problem(send(sender, receiver, 1, description="ن" * 256), 422, "validation_failed", ["description"])
    odd = "\"quotes\" \\ and\ttabs\n🙂 \u2028"
    assert send(sender, receiver, 1, description=odd).json()["description"] == odd


def test_a_reference_of_the_sender(world):
    sender, recipient = world.rich_user(100), world.user()
    sent = send(sender, recipient, 10, reference="invoice 1404-17")
    assert sent.status_code == 201 and sent.json()["reference"] == "invoice 1404-17", sent.text
    assert send(sender, recipient, 20, reference="invoice 1404-17").status_code == 201  # a word of his, that is compared with nothing
    assert send(sender, recipient, 30).json()["reference"] is None
    for user, direction in ((sender, "debit"), (recipient, "credit")):
        found = user.wallet.get("/v1/wallet/transactions?reference=invoice%201404-17").json()["data"]
        assert [(line["reference"], line["amount"], line["direction"]) for line in found] == [("invoice 1404-17", amount, direction) for amount in (20, 10)]
    rehearsed = sender.wallet.post("/v1/wallet/transfers?dry_run=true", {"to": {"username": recipient.username}, "amount": 1, "currency": "IRT", "reference": "r"})
    assert rehearsed.status_code == 200 and rehearsed.json()["reference"] == "r"
    for wrong in ("", "x" * 129, "فاکتور", "a\nb", 5, None):
        assert_problem(send(sender, recipient, 1, reference=wrong), 422, "validation_failed", ["reference"])
    assert sender.balance() == 40
    world.assert_clean()


def test_one_balance_spent_by_many_requests_at_once(world):
    sender, receiver = world.rich_user(1000), world.user()
    body = json.dumps({"to": {"username": receiver.username}, "amount": 100, "currency": "IRT"}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {sender.token}"}
    answers = world.all_at_once("wallet", "POST", "/v1/wallet/transfers", [(headers, body)] * 60)
    assert sorted(answer.status for answer in answers) == [201] * 10 + [409] * 50
    assert {json.loads(answer.body)["balance_after"] for answer in answers if answer.status == 201} == set(range(0, 1000, 100))
    assert (sender.balance(), receiver.balance()) == (0, 1000)


def test_money_going_round_neither_grows_nor_shrinks(world):
    users = [world.rich_user(50) for _ in range(5)]
    faults = []

    def spend(seed):
        choose = random.Random(seed)
        clients = [Client(world.wallet.base_url, world.wallet.check, user.token) for user in users]
        try:
            for _ in range(25):
                sender, receiver = choose.sample(range(5), 2)
                answer = clients[sender].post("/v1/wallet/transfers", {"to": {"username": users[receiver].username}, "amount": choose.randint(1, 40), "currency": "IRT"})
                assert answer.status_code in (201, 409), answer.text
                assert clients[sender].get("/v1/wallet").json()["balance"] >= 0
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=spend, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults
    assert sum(user.balance() for user in users) == 250
    for user in users:
        rows = user.wallet.get("/v1/wallet/transactions?limit=200").json()["data"]
        assert rows[0]["balance_after"] == user.balance()
        running = 0
        for row in reversed(rows):
            running += row["amount"] if row["direction"] == "credit" else -row["amount"]
            assert row["balance_after"] == running >= 0


def test_movements_by_kind_and_time(world):
    user, other = world.user(), world.user()
    world.credit(user.id, 100, description="A gift")
    send(user, other, 10)
    world.credit(user.id, 5)
    rows = user.wallet.get("/v1/wallet/transactions").json()["data"]
    assert [(row["kind"], row["direction"], row["amount"], row["balance_after"]) for row in rows] == [
        ("credit", "credit", 5, 95), ("transfer", "debit", 10, 90), ("credit", "credit", 100, 100)]
    assert rows[2]["description"] == "A gift" and rows[2]["reference"] and "counterparty" not in rows[2]

    def amounts(query):
        return [row["amount"] for row in user.wallet.get(f"/v1/wallet/transactions?{query}").json()["data"]]

    assert amounts("kind=credit") == [5, 100]
    assert amounts("kind=transfer") == [10]
    times = [row["created_at"] for row in rows]
    assert amounts(f"from={times[1]}") == [5, 10]
    assert amounts(f"to={times[1]}") == [100]
    assert amounts(f"from={times[1]}&to={times[0]}") == [10]
    assert amounts(f"from={times[2]}&kind=transfer") == [10]
    assert amounts("from=2090-01-01T00:00:00Z") == []
    for query, field in (("kind=gift", "kind"), ("from=yesterday", "from"), ("to=1", "to"), ("surprise=1", "surprise"), ("kind=credit&kind=transfer", "kind")):
        assert_problem(user.wallet.get(f"/v1/wallet/transactions?{query}"), 422, "validation_failed", [field])


# ---- accounts ----

def test_an_admin_finds_accounts(world):
    user = world.rich_user(77)
    account = account_of(user)
    for query in (f"username={user.username}", f"username={user.username.upper()}", f"phone=0{user.phone[3:]}", f"phone=%2B{user.phone[1:]}",
                  f"username={user.username}&kind=wallet&state=open"):
        rows = world.operator.wallet.get(f"/v1/accounts?{query}").json()["data"]
        assert [row["id"] for row in rows] == [account], query
    row = rows[0]
    assert (row["kind"], row["state"], row["balance"], row["available"], row["held"], row["sequence"]) == ("wallet", "open", 77, 77, 0, 1)
    assert (row["user_id"], row["username"], row["phone"], row["reference"]) == (user.id, user.username, user.phone, None)
    assert world.operator.wallet.get(f"/v1/accounts/{account}").json() == row
    for query in (f"username={user.username}&kind=fund", "username=nobody-of-this-name", f"username={user.username}&state=frozen", "phone=%2B989999999999"):
        assert world.operator.wallet.get(f"/v1/accounts?{query}").json() == {"data": [], "next_cursor": None}
    for query, field in (("kind=purse", "kind"), ("state=melted", "state"), ("phone=12", "phone"), ("colour=red", "colour")):
        assert_problem(world.operator.wallet.get(f"/v1/accounts?{query}"), 422, "validation_failed", [field])


def test_an_admin_finds_funds(world):
    fund = world.fund(123)
    row = world.operator.wallet.get(f"/v1/accounts/{fund['account_id']}").json()
    assert (row["kind"], row["balance"], row["reference"], row["user_id"], row["username"]) == ("fund", 123, fund["reference"], None, None)
    assert row in _all(world, "/v1/accounts?kind=fund")


def test_unknown_accounts(world):
    for odd in (SOME_ID, "1", str(uuid.uuid4())):
        assert_problem(world.operator.wallet.get(f"/v1/accounts/{odd}"), 404, "account_not_found")


def test_all_money_sums_to_zero(world):
    assert sum(row["balance"] for row in _all(world, "/v1/accounts?")) == 0


def _all(world, path):
    rows, cursor = [], None
    while True:
        page = world.operator.wallet.get(f"{path}&limit=200" + (f"&cursor={cursor}" if cursor else "")).json()
        rows += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows
