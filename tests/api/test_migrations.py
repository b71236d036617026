"""Databases of earlier versions (tests/databases) are carried over: nothing of them is lost, and what was owed is paid."""
import lzma
import pathlib
import sqlite3

import pytest
from harness.services import Pair, wait_until
from harness.world import World

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
        assert report["rejected"] == counted.get(bytes.fromhex(campaign["id"].replace("-", "")), dict.fromkeys(names, 0))
        assert report["pending"] == 0
