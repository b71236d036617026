"""Databases of earlier versions (tests/databases) are carried over: nothing of them is lost, and what was owed is paid."""
import lzma
import pathlib
import sqlite3

import pytest
from harness.client import PASSWORD, Client
from harness.services import Pair, wait_until
from harness.world import World

pytestmark = pytest.mark.of_sqlite  # there is none of earlier versions in PostgreSQL
DATABASES = pathlib.Path(__file__).resolve().parents[1] / "databases"
NAMES = {"walletd": "wallet.db", "discountd": "discount.db"}


def rows(path, query):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.fixture(params=sorted(path.name for path in DATABASES.iterdir() if path.is_dir()))
def carried(request, tmp_path):
    """A pair on an earlier version's databases, not started; and those databases as they were."""
    pair = Pair(tmp_path)
    before = {}
    for service in (pair.wallet, pair.discount):
        name = NAMES[service.program]
        data = lzma.open(DATABASES / request.param / f"{name}.xz").read()
        before[service.program] = tmp_path / f"before-{name}"
        before[service.program].write_bytes(data)
        (service.data / name).write_bytes(data)
    pair.wallet.add_user("operator", pair.admin_password, admin=True)
    pair.admin_name = "operator"
    yield pair, before
    pair.end()


def test_an_earlier_version_is_carried_over(carried, contracts, issuers):
    pair, before = carried
    old, new = before["discountd"], pair.discount.data / NAMES["discountd"]
    columns = "key, id, user_id, phone, claimed_at"
    owed = rows(old, "SELECT id, user_id FROM redemptions WHERE status = 0")
    assert owed
    pair.start()
    wait_until(lambda: rows(new, "SELECT count(*) FROM redemptions WHERE status = 0") == [(0,)], "what was owed is paid")

    assert rows(new, f"SELECT {columns} FROM redemptions ORDER BY key") == rows(old, f"SELECT {columns} FROM redemptions ORDER BY key")
    settled = "SELECT key, status, settled_at, transaction_id, failure FROM redemptions WHERE key IN (%s) ORDER BY key"
    keys = ",".join(str(key) for (key,) in rows(old, "SELECT key FROM redemptions WHERE status <> 0"))
    assert rows(new, settled % keys) == rows(old, settled % keys)
    kept = "SELECT number, lookup, fingerprint, status, content_type, location, body, created_at FROM idempotency ORDER BY number"
    assert rows(new, kept) == rows(old, kept)
    assert rows(new, "SELECT settled_position FROM campaigns") == rows(new, "SELECT redeemed FROM campaigns")

    for service in (pair.wallet, pair.discount):
        assert service.verify().returncode == 0, service.verify().stdout
    assert pair.discount.reconcile().returncode == 0, pair.discount.reconcile().stdout

    world = World(pair, issuers, contracts)
    campaigns = world.operator.discount.get("/v1/campaigns?limit=100").json()["data"]
    assert len(campaigns) == len(rows(old, "SELECT number FROM campaigns"))
    names = [column[1] for column in rows(old, "PRAGMA table_info(rejections)")][1:]
    counted = {id: dict(zip(names, counts)) for id, *counts in rows(old, f"SELECT c.id, {', '.join(names)} FROM campaigns c JOIN rejections ON campaign_number = number")}
    for campaign in campaigns:
        report = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/report").json()
        expected = counted.get(bytes.fromhex(campaign["id"].replace("-", "")), {})
        assert report["rejected"] == {**dict.fromkeys(report["rejected"], 0), **expected}  # a reason that is younger has never been given
        assert report["pending"] == 0


# What stood in an earlier table must stand in the present one, column by column.
WALLET_TABLES = {
    "user": ("users", "id, name, phone, password_hash, is_admin, created_at, sessions_cutoff, kept_session, sessions_ended_at"),
    "session": ("sessions", "id, user_id, generation, created_at, expires_at, ended_at"),
    "refresh_token": ("refresh_tokens", "session_id, hash, generation, expires_at"),
    "account": ("accounts", "number, id, kind, user_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, sequence, floor, is_frozen, created_at, updated_at"),
    "transfer": ("transfers", "sequence, id, kind, debit_account, debit_sequence, credit_account, credit_sequence, amount, currency, caller, reference, description, metadata, created_at, hash"),
    "entry": ("(SELECT key >> 32 AS account, key & 4294967295 AS sequence, transfer, amount, balance_after FROM entries)", "account, sequence, transfer, amount, balance_after"),
    "fund": ("funds", "account, caller, reference, opened, funded, credited, released, is_released, description, created_at, updated_at"),
    "idempotency": ("idempotency", "number, lookup, status, content_type, location, CAST(body AS TEXT), created_at"),
    "meta": ("meta", "instance_id, currency, idempotency_secret, created_at"),
}


def test_no_digest_of_a_password_is_carried_over(carried):
    """It stood in the fingerprint of each registration that had a key; the rest of the fingerprint stays, so that the key is as good as before."""
    pair, before = carried
    query = "SELECT number, fingerprint FROM idempotency ORDER BY number"
    lines = {number: fingerprint.splitlines() for number, fingerprint in rows(before["walletd"], query)}
    digests = [line.split()[0].encode() for kept in lines.values() for line in kept if line.endswith(" password")]
    assert digests
    pair.wallet.start()
    assert pair.wallet.stop() == 0
    new = pair.wallet.data / NAMES["walletd"]
    assert {number: fingerprint.splitlines() for number, fingerprint in rows(new, query)} == \
        {number: [line for line in kept if not line.endswith(" password")] for number, kept in lines.items()}
    on_disk = b"".join(path.read_bytes() for path in pair.wallet.data.glob("wallet.db*"))
    assert not [digest for digest in digests if digest in on_disk]


def test_books_are_carried_over(carried, contracts):
    pair, before = carried
    old, new = before["walletd"], pair.wallet.data / NAMES["walletd"]
    for table, (present, columns) in WALLET_TABLES.items():
        was, now = rows(old, f"SELECT {columns} FROM {table}"), rows(new, f"SELECT {columns} FROM {present}")
        assert was and not set(was) - set(now), table
        assert len(now) - len(was) == {"user": 1, "account": 1}.get(table, 0), table  # the operator that the fixture added
    pair.wallet.start()  # alone: nobody is paid what is owed
    verified = pair.wallet.verify()
    assert verified.returncode == 0, verified.stdout
    ((head,),) = rows(old, "SELECT lower(hex(hash)) FROM transfer ORDER BY sequence DESC LIMIT 1")
    assert f"head      {head}\n" in verified.stdout

    wallet = Client(pair.wallet.url, contracts["wallet"].check_response)
    people = rows(old, "SELECT name, credits_posted - debits_posted, sequence FROM user u JOIN account a ON a.user_id = u.id WHERE is_admin = 0")
    for name, balance, sequence in people[::6]:
        answer = wallet.post("/v1/sessions", {"username": name, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        mine = wallet.with_token(answer.json()["access_token"])
        seen = mine.get("/v1/wallet").json()
        assert (seen["balance"], seen["sequence"]) == (balance, sequence)
        assert len(mine.get("/v1/wallet/transactions").json()["data"]) == sequence
