"""One changed byte of a hold, of what it is in the journal, or of what is pending is found and named by verify."""
import sqlite3

import pytest

from harness.services import Pair
from harness.world import World

pytestmark = pytest.mark.of_sqlite  # its file is changed behind its back


@pytest.fixture(scope="module")
def books(tmp_path_factory, contracts, issuers):
    """A stopped Wallet that has a hold of each state, and a merchant."""
    pair = Pair(tmp_path_factory.mktemp("damage"), issuers=issuers.values()).start()
    world = World(pair, issuers, contracts)
    user, merchant = world.rich_user(1000), world.merchant()
    made = [world.till.post("/v1/holds", {"reference": f"h{number}", "user_id": user.id, "amount": 100, "currency": "IRT", "expires_in": 3600, "merchant": merchant["id"]}).json()
            for number in range(4)]
    for hold, body in ((made[0], {"amount": 40, "final": False}), (made[1], {"amount": 40})):
        assert world.till.post(f"/v1/holds/{hold['id']}/capture", body).status_code == 200
    assert world.till.post(f"/v1/holds/{made[2]['id']}/release").status_code == 200
    assert world.till.post("/v1/payments", {"reference": "p", "user_id": user.id, "merchant": merchant["id"], "amount": 5, "currency": "IRT"}).status_code == 201
    world.assert_clean()
    assert pair.wallet.stop() == 0
    yield pair.wallet
    pair.end()


GUARDS = "DROP TRIGGER IF EXISTS transfers_are_immutable; PRAGMA ignore_check_constraints = ON;"
HOLD = "(SELECT sequence FROM transfers WHERE kind = 7 AND reference = '%s')"


@pytest.mark.parametrize("damage, finding", [
    ("UPDATE holds SET state = 2 WHERE transfer = " + HOLD % "h0", "the state is another"),
    ("UPDATE holds SET state = 3 WHERE transfer = " + HOLD % "h1", "the state is another"),
    ("UPDATE holds SET state = 4 WHERE transfer = " + HOLD % "h2", "the state is another"),
    ("UPDATE holds SET captured = captured + 1 WHERE transfer = " + HOLD % "h0", "what was captured is another"),
    ("UPDATE holds SET remaining = remaining - 1 WHERE transfer = " + HOLD % "h3", "what remains is another"),
    ("UPDATE holds SET account = 1 WHERE transfer = " + HOLD % "h3", "the account is another"),
    ("UPDATE holds SET expires_at = expires_at + 1 WHERE transfer = " + HOLD % "h3", "the time of its expiry is another"),
    ("UPDATE holds SET updated_at = updated_at + 1 WHERE transfer = " + HOLD % "h1", "the time of its last change is another"),
    ("DELETE FROM holds WHERE transfer = " + HOLD % "h2", "1 of the journal have no row"),
    ("UPDATE accounts SET debits_pending = debits_pending - 1 WHERE kind = 1 AND debits_pending > 0", "what is pending is not what is held"),
    ("UPDATE transfers SET expires_at = expires_at + 1 WHERE reference = 'h3'", "its hash does not fit"),
    ("UPDATE transfers SET origin = 1 WHERE kind = 8 AND amount = 40", "its hash does not fit"),
    ("DELETE FROM merchants", "1 accounts and merchants"),
])
def test_each_damage_is_named(books, damage, finding):
    (path,) = books.data.glob("wallet.db")
    sound = path.read_bytes()
    try:
        connection = sqlite3.connect(path)
        connection.executescript(GUARDS + damage)
        connection.close()
        found = books.verify()
        assert found.returncode == 1 and finding in found.stdout, found.stdout
    finally:
        for leftover in books.data.glob("wallet.db-*"):
            leftover.unlink()
        path.write_bytes(sound)
    assert books.verify().returncode == 0
