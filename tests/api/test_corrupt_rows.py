"""What stands in a database is not trusted: a row that breaks its rules is refused by name, whichever column it is, and the service goes on."""
import sqlite3
import uuid

import pytest
import requests

from harness.client import PASSWORD, Client, Operator, User
from harness.services import DEADLINE_S, Pair, wait_until

pytestmark = pytest.mark.of_sqlite

WRONG = {"INTEGER": [-1, 7, 1 << 62], "TEXT": ["", "x" * 5000, b"\xff\xfe"], "BLOB": [b"\x00", bytes(16), b"\xff" * 32]}
WALLET_TABLES = ["accounts", "audit", "entries", "funds", "idempotency", "meta", "refresh_tokens", "sessions", "transfers", "users"]
DISCOUNT_TABLES = ["audit", "campaigns", "code_batches", "code_revocations", "idempotency", "minutes", "redemptions", "rejections", "seconds", "settings"]


class Scene:
    """Both services with a row of every kind, and requests that read and write all of them."""

    def __init__(self, folder):
        self.pair = Pair(folder, discount_arguments=("--settle-wait", "50")).start()
        wallet, discount = Client(self.pair.wallet.url), Client(self.pair.discount.url)
        self.operator = Operator(wallet, discount, self.pair.admin_name, self.pair.admin_password)
        self.campaign = self.operator.campaign(places=5)
        self.user, self.other = User(wallet, discount), User(wallet, discount)
        self.key = str(uuid.uuid4())
        redeemed = self.user.redeem(self.campaign["code"], key=self.key)
        self.operator.wait_settled(self.campaign["id"])
        self.redemption = redeemed.headers["Location"]
        made = self.operator.discount.post(f"/v1/campaigns/{self.campaign['id']}/code-batches", {"count": 3, "pattern": "ROW-####-####-##"})
        self.batch = made.headers["Location"]
        self.codes = [item["code"] for item in self.operator.discount.get(f"{self.batch}/codes").json()["data"]]
        self.operator.discount.post("/v1/codes/revocations", {"codes": self.codes[:1]})
        self.transfer = {"to": {"username": self.other.username}, "amount": 1, "currency": "IRT"}
        sent = self.user.wallet.post("/v1/wallet/transfers", self.transfer, key=self.key)
        assert sent.status_code == 201, sent.text
        self.transaction = sent.json()["id"]
        self.account = next(item["id"] for item in self.operator.wallet.get("/v1/accounts").json()["data"] if item["user_id"])

    def ask(self):
        """Everything that reads or writes a row; each answer is a good one, or a refusal that has a name."""
        user, admin = self.user, self.operator
        login = {"username": user.username, "password": PASSWORD}
        yield user.wallet.get("/v1/users/me")
        yield user.wallet.get("/v1/wallet")
        yield user.wallet.get("/v1/wallet/transactions")
        yield user.wallet.get(f"/v1/transactions/{self.transaction}")
        yield admin.wallet.get("/v1/accounts")
        yield admin.wallet.get(f"/v1/accounts/{self.account}")
        yield user.discount.get("/v1/redemptions")
        yield user.discount.get(self.redemption)
        yield admin.discount.get("/v1/campaigns")
        yield admin.discount.get(f"/v1/campaigns/{self.campaign['id']}")
        yield admin.discount.get(f"/v1/campaigns/{self.campaign['id']}/report")
        yield admin.discount.get(f"/v1/campaigns/{self.campaign['id']}/redemptions")
        yield user.wallet.post("/v1/sessions/refresh", {"refresh_token": user.session["refresh_token"]})
        yield user.wallet.post("/v1/sessions", login)
        yield user.wallet.post("/v1/wallet/transfers", self.transfer)
        yield user.wallet.post("/v1/wallet/transfers", self.transfer, key=self.key)
        yield user.redeem(self.campaign["code"])
        yield user.redeem(self.campaign["code"], key=self.key)
        yield self.other.redeem(self.campaign["code"])
        yield admin.discount.get(f"/v1/campaigns/{self.campaign['id']}/code-batches")
        yield admin.discount.get(self.batch)
        yield admin.discount.get(f"{self.batch}/codes")
        yield admin.discount.post("/v1/codes/revocations", {"codes": self.codes})
        yield admin.discount.post(f"{self.batch}/revoke")
        yield admin.discount.post(f"/v1/campaigns/{self.campaign['id']}/pause")
        yield admin.discount.post(f"/v1/campaigns/{self.campaign['id']}/resume")

    def alive(self, victim, what):
        assert victim.process.poll() is None, (what, victim.tail(5))
        assert requests.get(f"{victim.url}/healthz", timeout=DEADLINE_S).status_code == 200


def columns_of(victim, table):
    with sqlite3.connect(next(victim.data.glob("*.db"))) as database:
        return [(name, kind) for _, name, kind, *_ in database.execute(f"PRAGMA table_info({table})")]


def spoil(victim, table, column, value, kind="INTEGER"):
    """One row, whatever its table's rules and triggers say."""
    database = sqlite3.connect(next(victim.data.glob("*.db")), isolation_level=None, timeout=DEADLINE_S)
    try:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute("BEGIN IMMEDIATE")
        triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)).fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        keys = [name for _, name, _, _, _, place in database.execute(f"PRAGMA table_info({table})") if place]
        keys = keys or ["rowid"]
        try:
            cast = "CAST(? AS TEXT)" if kind == "TEXT" else "?"
            database.execute(f"UPDATE {table} SET {column} = {cast} WHERE ({', '.join(keys)}) = (SELECT {', '.join(keys)} FROM {table} ORDER BY 1 DESC LIMIT 1)", (value,))
        except sqlite3.IntegrityError:  # NOT NULL, or another row's
            database.execute("ROLLBACK")
            return False
        for _, sql in triggers:
            database.execute(sql)
        database.execute("COMMIT")
        return True
    finally:
        database.close()


def is_answering(service):
    try:
        return requests.get(f"{service.url}/readyz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


@pytest.mark.parametrize("program,table", [("wallet", table) for table in WALLET_TABLES] + [("discount", table) for table in DISCOUNT_TABLES])
def test_no_row_ends_a_service(tmp_path, program, table):
    scene = Scene(tmp_path)
    victim = getattr(scene.pair, program)
    assert columns_of(victim, table), "there is no such table"
    try:
        for column, kind in columns_of(victim, table):
            for value in WRONG[kind]:
                if not spoil(victim, table, column, value, kind):
                    continue
                for answer in scene.ask():
                    scene.alive(victim, (table, column, value))
                    if answer.status_code == 500:
                        assert answer.json()["code"] == "storage_corrupt", (table, column, value, answer.text)
                    assert answer.status_code in range(200, 504), (table, column, value, answer.text)
            victim.kill()  # and what is loaded at the start
            victim.start(wait=False)
            wait_until(lambda: victim.process.poll() is not None or is_answering(victim), "started, or refused")
            if victim.process.poll() is not None:
                assert victim.process.returncode == 1, (table, column, victim.process.returncode, victim.tail(5))
                return
    finally:
        for service in (scene.pair.discount, scene.pair.wallet):
            if service.process.poll() is None:
                service.kill()


def test_a_corrupt_row_is_told_by_table_and_key(tmp_path):
    scene = Scene(tmp_path)
    try:
        assert spoil(scene.pair.wallet, "users", "is_admin", 7)
        answers = [answer for answer in scene.ask() if answer.status_code == 500]
        assert answers
        for answer in answers:
            problem = answer.json()
            assert (problem["code"], problem["status"]) == ("storage_corrupt", 500) and problem["detail"] != problem["title"]
            assert "Retry-After" not in answer.headers  # the same again is no better
        events = scene.pair.wallet.events("row_refused")
        assert {event["table"] for event in events} == {"users"}
        assert all(uuid.UUID(event["key"]) for event in events)
        assert requests.get(f"{scene.pair.wallet.url}/readyz", timeout=DEADLINE_S).status_code == 200
    finally:
        scene.pair.end()
