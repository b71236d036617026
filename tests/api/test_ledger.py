"""The ledger for an auditor from outside, who believes nothing: its head, and the journal, whose hashes are computed here again by docs/ledger.md."""
import datetime
import hashlib
import json
import struct
import uuid

import pytest

from harness.world import assert_problem

KINDS = ["credit", "transfer", "fund_open", "fund_topup", "fund_release", "payment", "hold", "capture", "hold_release", "hold_expiry", "reversal", "credit_reversal"]
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def microseconds(time):
    return 0 if time is None else (datetime.datetime.fromisoformat(time.replace("Z", "+00:00")) - EPOCH) // datetime.timedelta(microseconds=1)


def hash_of(line, previous):
    kind = KINDS.index(line["kind"]) + 1
    version = 1 if kind <= 5 else 2
    text = b"".join(struct.pack(">I", len(value)) + value for value in (line[name].encode() for name in ("caller", "reference", "description", "metadata")))
    sides = [line[f"{side}_{what}"] for side in ("debit", "credit") for what in ("account", "sequence", "balance_after")]
    encoding = (struct.pack(">Bq", version, line["sequence"]) + uuid.UUID(line["id"]).bytes + struct.pack(">B6qq", kind, *sides, line["amount"]) + line["currency"].encode()
                + struct.pack(">q", microseconds(line["created_at"])) + (struct.pack(">qq", line["origin"], microseconds(line["expires_at"])) if version == 2 else b"")
                + previous + text)
    return hashlib.blake2b(encoding, digest_size=32).hexdigest()


def journal(client, **query):
    answer = client.get("/v1/ledger/transfers", params=query)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/jsonl", answer.text
    assert answer.text == "" or answer.text.endswith("\n")
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture(scope="module")
def admin(world):
    sender, receiver = world.rich_user(1000), world.user()
    world.credit(sender.id, 5, description="\u06f1 \"quoted\" \u0001", metadata={"any": ["thing", 1, None]})
    sent = sender.wallet.post("/v1/wallet/transfers", {"to": {"phone": receiver.phone}, "amount": 7, "currency": "IRT"})
    assert sent.status_code == 201
    fund = world.fund(50)
    assert world.shop.post(f"/v1/funds/{fund['reference']}/release").status_code == 200
    return world.operator.wallet


def test_the_head_is_that_of_the_journal(admin):
    last = journal(admin)[-1]
    head = admin.get("/v1/ledger/head").json()
    assert head == {"sequence": last["sequence"], "hash": last["hash"], "time": last["created_at"]}


def test_an_auditor_computes_every_hash_again(admin):
    lines = journal(admin)
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))
    assert {"credit", "transfer", "fund_open", "fund_release"} <= {line["kind"] for line in lines}
    previous = bytes(32)
    for line in lines:
        assert line["hash"] == hash_of(line, previous), line
        previous = bytes.fromhex(line["hash"])


def test_the_journal_behind_a_sequence(admin):
    lines = journal(admin)
    for after in (0, 1, len(lines) - 1, len(lines), len(lines) + 5, 2**63 - 2):
        assert journal(admin, after=after) == lines[after:]
    for after in ("-1", "x", 2**63):
        assert_problem(admin.get("/v1/ledger/transfers", params={"after": after}), 422, "validation_failed", ["after"])


def test_a_journal_of_many_pieces_and_the_longest_lines(world, admin):
    user = world.user()
    for _ in range(3):
        items = [{"reference": str(uuid.uuid4()), "user_id": user.id, "amount": 1, "currency": "IRT", "description": "\u0001" * 255,
                  "metadata": {f"{number:02}": "\"" * 60 for number in range(14)}} for _ in range(100)]
        assert {item["status"] for item in world.shop.post("/v1/credits", {"items": items}).json()["items"]} == {"applied"}
    head = admin.get("/v1/ledger/head").json()
    lines = journal(admin, after=head["sequence"] - 301)
    previous = bytes.fromhex(lines[0]["hash"])
    for line in lines[1:]:
        assert line["hash"] == hash_of(line, previous)
        previous = bytes.fromhex(line["hash"])
    assert lines[-1]["hash"] == head["hash"]


def test_the_ledger_is_for_administrators(world, admin, stranger):
    for path in ("/v1/ledger/head", "/v1/ledger/transfers"):
        assert stranger.wallet.get(path).status_code == 403 and world.shop.get(path).status_code == 403 and world.wallet.get(path).status_code == 401
        assert_problem(admin.get(f"{path}?more=1"), 422, "validation_failed", ["more"])
    assert_problem(admin.get("/v1/ledger/transfers", headers={"Accept": "text/csv"}), 406, "not_acceptable")


def test_an_empty_ledger(make_world):
    admin = make_world().operator.wallet
    assert admin.get("/v1/ledger/head").json() == {"sequence": 0, "hash": "0" * 64, "time": None}
    assert journal(admin) == []
