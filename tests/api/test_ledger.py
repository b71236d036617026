"""The ledger for an auditor from outside, who believes nothing: its head, and the journal, whose hashes are computed here again by docs/ledger.md."""
import datetime
import hashlib
import json
import struct
import uuid

import pytest
import requests

from harness.services import wait_until
from harness.world import assert_problem

KINDS = ["credit", "transfer", "fund_open", "fund_topup", "fund_release", "payment", "hold", "capture", "hold_release", "hold_expiry", "reversal", "credit_reversal", "adjustment"]
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
    return [json.loads(line) for line in answer.text.split("\n") if line]


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


# ---- the self-audit ----

def self_audit(admin):
    answer = admin.get("/v1/ledger/audit")
    assert answer.status_code == 200, answer.text
    return answer.json()


def a_pass(admin, more=2):
    """One that began after this was called has ended."""
    due = self_audit(admin)["passes"] + more
    return wait_until(lambda: (state := self_audit(admin))["passes"] >= due and state, "a pass of the self-audit")


def test_the_self_audit_goes_through_all_accounts(world, admin):
    state = a_pass(admin)
    assert (state["state"], state["divergence_count"], state["divergences"]) == ("ok", 0, [])
    assert state["last_pass_ended_at"] is not None and state["entries_checked"] > 0
    ready = requests.get(f"{world.pair.wallet.url}/readyz", timeout=5)
    assert ready.status_code == 200 and ready.json()["audit"] == "ok"
    assert world.pair.wallet.metric("walletd_self_audit_passes_total") >= state["passes"] and world.pair.wallet.metric("walletd_self_audit_divergences") == 0


DAMAGE = {
    "entry": ("the balance behind an entry", "UPDATE entries SET balance_after = balance_after + 1 WHERE key = (SELECT number << 32 FROM accounts WHERE id = {id}) + 2;"),
    "missing": ("an entry is missing", "DELETE FROM entries WHERE key = (SELECT number << 32 FROM accounts WHERE id = {id}) + 1;"),
    "sums": ("its sums", "UPDATE accounts SET credits_posted = credits_posted + 1 WHERE id = {id};"),
    "count": ("another number", "UPDATE accounts SET sequence = sequence + 1 WHERE id = {id};"),
}


@pytest.mark.of_sqlite
def test_an_account_that_diverges_is_named_and_refused(make_world):
    world = make_world()
    wallet = world.pair.wallet
    users = {name: world.rich_user(100) for name in [*DAMAGE, "sound"]}
    accounts = {}
    for name, user in users.items():
        world.credit(user.id, 5)
        accounts[name] = user.wallet.get("/v1/wallet").json()["account_id"]
    assert wallet.stop() == 0
    guards = "DROP TRIGGER entries_are_immutable; DROP TRIGGER entries_are_kept;"
    wallet.write_sql(guards + "".join(sql.format(id=f"x'{uuid.UUID(accounts[name]).hex}'") for name, (_, sql) in DAMAGE.items()))
    wallet.start()
    world.connect()
    admin = world.operator.wallet
    state = a_pass(admin, 1)
    assert state["state"] == "diverged" and state["divergence_count"] == len(DAMAGE)
    found = {row["account_id"]: row for row in state["divergences"]}
    for name, (finding, _) in DAMAGE.items():
        assert finding in found[accounts[name]]["finding"], name
        wait_until(lambda: admin.get(f"/v1/accounts/{accounts[name]}").json()["state"] == "frozen", f"{name} is frozen")  # noqa: B023
        users[name].login(world.wallet)
        refused = world.wallet.post("/v1/wallet/transfers", {"to": {"username": users["sound"].username}, "amount": 1, "currency": "IRT"}, token=users[name].token)
        assert_problem(refused, 409, "account_frozen")
        (noted,) = admin.get(f"/v1/audit-log?action=account.freeze&subject={accounts[name]}").json()["data"]
        assert (noted["actor"], noted["before"], noted["after"]) == ("self-audit", {"state": "open"}, {"state": "frozen"})
    assert found[accounts["entry"]]["entry"] == 2 and found[accounts["sums"]]["entry"] == 0
    sound = users["sound"]
    sound.login(world.wallet)
    assert world.wallet.get("/v1/wallet", token=sound.token).json()["balance"] == 105, "the rest goes on"
    assert world.credit(sound.id, 1)["status"] == "applied"
    ready = requests.get(f"{wallet.url}/readyz", timeout=5)
    assert ready.status_code == 200 and ready.json()["audit"] == "diverged"
    assert wallet.metric("walletd_self_audit_divergences") == len(DAMAGE) and len(wallet.events("books_diverge")) == len(DAMAGE)
    assert a_pass(admin, 1)["divergence_count"] == len(DAMAGE), "each once"


def test_the_self_audit_is_for_administrators(world, admin, stranger):
    assert stranger.wallet.get("/v1/ledger/audit").status_code == 403 and world.wallet.get("/v1/ledger/audit").status_code == 401
    assert_problem(admin.get("/v1/ledger/audit?more=1"), 422, "validation_failed", ["more"])


def test_verify_says_how_far_it_is(world, admin):
    done = world.pair.wallet.verify()
    lines = done.stderr.splitlines()
    assert done.returncode == 0 and [line.partition(":")[0] for line in lines[-2:]] == ["transfers", "entries"], done
    for line in lines[-2:]:
        said, of = line.partition(": ")[2].split(" of ")
        assert int(said) == int(of) > 0
