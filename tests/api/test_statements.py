"""What a user is told of the past: the list with its filters, each line in words, and the statement as JSON and CSV."""
import csv
import io
import time
import uuid

import pytest

from harness.client import new_username
from harness.world import assert_problem

LIST = "/v1/wallet/transactions"
STATEMENT = "/v1/wallet/statement"


def send(sender, to, amount, **members):
    answer = sender.wallet.post("/v1/wallet/transfers", {"to": to, "amount": amount, "currency": "IRT", **members})
    assert answer.status_code == 201, answer.text
    return answer.json()


def pages(client, path, **query):
    rows, cursor = [], None
    while True:
        answer = client.get(path, params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        rows += answer.json()["data"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return rows


class Life:
    """A user with a few of everything, and a friend."""

    def __init__(self, world):
        self.world = world
        self.user, self.friend = world.user(), world.user()
        self.reference = str(uuid.uuid4())
        self.born = world.wallet.get("/v1/users/me", token=self.user.token).json()["created_at"]
        world.credit(self.user.id, 1000, reference=self.reference, description="Nowruz \u06f1\u06f4\u06f0\u06f5, \"gift\"")
        send(self.user, {"username": self.friend.username}, 300, description="Lunch")
        world.credit(self.user.id, 50)
        self.middle = self.rows()[0]["created_at"]
        send(self.friend, {"phone": self.user.phone}, 120)
        send(self.user, {"phone": self.friend.phone}, 7)
        self.account = self.user.wallet.get("/v1/wallet").json()["account_id"]

    def rows(self, **query):
        return pages(self.user.wallet, LIST, **query)

    def statement(self, **query):
        answer = self.user.wallet.get(STATEMENT, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def life(world):
    return Life(world)


# ---- the list ----

def test_each_line_says_in_words_what_it_was(life):
    assert [row["summary"] for row in life.rows()] == [f"Transfer to {life.friend.phone}", f"Transfer from {life.friend.username}", "Credit from shop",
                                                       f"Transfer to {life.friend.username}: Lunch", 'Credit from shop: Nowruz \u06f1\u06f4\u06f0\u06f5, "gift"']
    for row in life.rows():
        assert life.user.wallet.get(f"/v1/transactions/{row['id']}").json() == row


def test_filters(life):
    rows = life.rows()
    for query, count in (({"direction": "credit"}, 3), ({"direction": "debit"}, 2), ({"kind": "transfer"}, 3), ({"kind": "transfer", "direction": "debit"}, 2), ({"kind": "credit"}, 2),
                         ({"kind": "payment"}, 0), ({"reference": life.reference}, 1), ({"reference": life.reference.upper()}, 0), ({"from": life.middle}, 3), ({"to": life.middle}, 2),
                         ({"from": life.middle, "direction": "credit", "kind": "credit"}, 1)):
        expected = [row for row in rows if all(row[name] == value for name, value in query.items() if name not in ("from", "to"))]
        expected = [row for row in expected if query.get("from", "") <= row["created_at"] and ("to" not in query or row["created_at"] < query["to"])]
        assert life.rows(**query) == expected and len(expected) == count, query
        assert life.rows(**query, limit=1) == expected, query
    for query in ({"direction": "up"}, {"kind": "hold"}, {"reference": ""}, {"reference": "x" * 129}, {"from": "yesterday"}, {"to": "1"}, {"limit": "0"}, {"cursor": "abc"}, {"more": "1"}):
        assert_problem(life.user.wallet.get(LIST, params=query), 422, "validation_failed", list(query))


def test_pages_are_stable_while_entries_come(world):
    user = world.user()
    for amount in range(1, 7):
        world.credit(user.id, amount)
    first = user.wallet.get(LIST, params={"limit": 2}).json()
    for amount in range(7, 10):
        world.credit(user.id, amount)
    rest = pages(user.wallet, LIST, limit=2, cursor=first["next_cursor"])
    assert [row["amount"] for row in first["data"] + rest] == [6, 5, 4, 3, 2, 1]


def test_an_administrator_sees_the_list_of_any_account(world, life):
    admin, path = world.operator.wallet, f"/v1/accounts/{life.account}/transactions"
    rows = pages(admin, path)
    own = life.rows()
    assert [row["id"] for row in rows] == [row["id"] for row in own]
    assert rows[0]["counterparty"]["username"] == life.friend.username and "account_id" in rows[0]["counterparty"]
    assert rows[0]["summary"] == f"Transfer to {life.friend.username}" and own[0]["counterparty"] == {"phone": life.friend.phone}
    assert [row["id"] for row in pages(admin, path, limit=1, direction="debit", to=life.middle)] == [own[3]["id"]]
    issuance = next(row for row in pages(admin, "/v1/accounts", kind="issuance"))
    assert all(row["kind"] in ("credit", "fund_open", "fund_topup", "fund_release", "credit_reversal", "reversal", "adjustment") for row in admin.get(f"/v1/accounts/{issuance['id']}/transactions").json()["data"])
    for nobody in (uuid.uuid4(), "none"):
        assert_problem(admin.get(f"/v1/accounts/{nobody}/transactions"), 404, "account_not_found")
    assert_problem(admin.get(path, params={"cursor": life.user.wallet.get(LIST, params={"limit": 1}).json()["next_cursor"]}), 422, "validation_failed", ["cursor"])
    assert life.user.wallet.get(path).status_code == 403 and world.wallet.get(path).status_code == 401


# ---- the statement ----

def test_a_statement_of_everything(life):
    statement = life.statement()
    assert statement["entries"] == life.rows()[::-1]
    assert (statement["opening_balance"], statement["closing_balance"], statement["currency"]) == (0, life.user.balance(), "IRT")
    assert statement["totals"] == {"credit": 1170, "debit": 307, "count": 5}
    assert statement["from"] == life.user.wallet.get("/v1/wallet", params={"at": life.born}).json()["updated_at"] and statement["to"] > statement["entries"][-1]["created_at"]


def test_a_statement_of_a_time(life):
    rows = life.rows()[::-1]
    for first, last in ((0, 2), (2, 5), (1, 4), (2, 2), (0, 5)):
        begin, end = rows[first]["created_at"], rows[last]["created_at"] if last < 5 else "2100-01-01T00:00:00Z"
        statement = life.statement(**{"from": begin, "to": end})
        assert statement["entries"] == rows[first:last]
        assert statement["opening_balance"] == (rows[first - 1]["balance_after"] if first else 0)
        assert statement["closing_balance"] == statement["opening_balance"] + statement["totals"]["credit"] - statement["totals"]["debit"]
        assert statement["totals"]["count"] == last - first and statement["from"] == begin
    before = life.statement(to="2020-01-01T00:00:00Z")
    assert before["entries"] == [] and before["opening_balance"] == before["closing_balance"] == 0


def test_the_statement_as_csv(life):
    text = life.user.wallet.get(STATEMENT, headers={"Accept": "text/csv"})
    assert text.status_code == 200 and text.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(text.text, newline="")))
    statement = life.statement(to=lines[-1]["time"])
    assert (lines[0]["kind"], lines[0]["balance"], lines[0]["credit"]) == ("opening_balance", "0", "")
    assert (lines[-1]["kind"], lines[-1]["credit"], lines[-1]["debit"], lines[-1]["balance"]) == ("closing_balance", "1170", "307", str(statement["closing_balance"]))
    for line, entry in zip(lines[1:-1], statement["entries"], strict=True):
        amount = {"credit": "", "debit": "", entry["direction"]: str(entry["amount"])}
        assert line == {"time": entry["created_at"], "kind": entry["kind"], "summary": entry["summary"], **amount, "balance": str(entry["balance_after"]), "currency": "IRT",
                        "reference": entry["reference"] or "", "transaction_id": entry["id"]}
    people = life.user.wallet.get(STATEMENT, params={"for": "spreadsheet"}, headers={"Accept": "text/csv"})
    assert people.content.startswith(b"\xef\xbb\xbftime,")


def test_statements_that_are_refused(world, life):
    for query, fields in (({"from": "x"}, ["from"]), ({"to": "x", "more": "1"}, ["to", "more"]), ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, ["to"]), ({"for": "spreadsheet"}, ["for"])):
        assert_problem(life.user.wallet.get(STATEMENT, params=query), 422, "validation_failed", fields)
    assert_problem(life.user.wallet.get(STATEMENT, headers={"Accept": "image/png"}), 406, "not_acceptable")
    assert world.wallet.get(STATEMENT).status_code == 401 and world.shop.get(STATEMENT).status_code == 403


def test_a_statement_of_many_pieces(world):
    """With the longest lines there are, each character of which is escaped, and while more comes."""
    user = world.user()
    lines = 300
    for start in range(0, lines, 100):
        items = [{"reference": f"{uuid.uuid4()}-{'r' * 91}", "user_id": user.id, "amount": number + 1, "currency": "IRT",
                  "description": ("\u0001" if number % 3 == 0 else "\U0001f381" if number % 3 == 1 else "\"") * 255} for number in range(start, start + 100)]
        answer = world.shop.post("/v1/credits", {"items": items})
        assert answer.status_code == 200 and {item["status"] for item in answer.json()["items"]} == {"applied"}, answer.text
    statement = user.wallet.get(STATEMENT).json()
    assert [entry["amount"] for entry in statement["entries"]] == list(range(1, lines + 1))
    assert statement["closing_balance"] == statement["totals"]["credit"] == sum(range(1, lines + 1)) and statement["totals"]["count"] == lines
    text = user.wallet.get(STATEMENT, headers={"Accept": "text/csv"}).text
    assert len(list(csv.reader(io.StringIO(text, newline="")))) == lines + 3
