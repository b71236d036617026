"""The audit log: who did what, from where, when, with what before and after; append-only, chained, proven by verify, and bounded."""
import hashlib
import sqlite3
import struct

import pytest

from harness.client import PASSWORD, Client, User
from harness.services import Pair, wait_until


class Scene:
    def __init__(self, world):
        self.world = world
        self.admin = world.operator

    def entries(self, client, **filters):
        rows, cursor = [], None
        while True:
            query = {"limit": 200, **filters, **({"cursor": cursor} if cursor else {})}
            answer = client.get("/v1/audit-log?" + "&".join(f"{name}={value}" for name, value in query.items()))
            assert answer.status_code == 200, answer.text
            rows += answer.json()["data"]
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                return rows


@pytest.fixture
def scene(world):
    return Scene(world)


def test_acts_on_a_campaign_are_noted_with_before_and_after(scene):
    campaign = scene.admin.campaign(places=5)
    path = f"/v1/campaigns/{campaign['id']}"
    client = scene.admin.discount
    assert client.post(f"{path}/pause").status_code == 200
    assert client.post(f"{path}/resume").status_code == 200
    changed = client.request("PATCH", path, json={"max_redemptions": 7}, headers={"If-Match": "*"})
    assert changed.status_code == 200, changed.text
    assert client.post(f"{path}/end").status_code == 200
    again = client.request("PATCH", path, json={"max_redemptions": 9}, headers={"If-Match": "*"})
    assert again.status_code == 409, again.text
    wait_until(lambda: len(scene.entries(client, subject=campaign["id"])) == 6, "all six")
    rows = scene.entries(client, subject=campaign["id"])[::-1]
    assert [(row["action"], row["outcome"]) for row in rows] == [("campaign.create", "done"), ("campaign.pause", "done"), ("campaign.resume", "done"), ("campaign.change", "done"),
                                                                 ("campaign.end", "done"), ("campaign.change", again.json()["code"])]
    create, pause, resume, change, end, _ = rows
    assert create["before"] is None and create["after"]["max_redemptions"] == 5 and create["after"]["paused"] is False
    assert (pause["before"]["paused"], pause["after"]["paused"]) == (False, True)
    assert (resume["before"]["paused"], resume["after"]["paused"]) == (True, False)
    assert (change["before"]["max_redemptions"], change["after"]["max_redemptions"]) == (5, 7)
    assert end["before"]["ended_at"] is None and end["after"]["ended_at"] is not None
    me = scene.admin.wallet.get("/v1/users/me").json()
    for row in rows:
        assert (row["actor"], row["actor_name"], row["address"]) == (me["id"], me["username"], "127.0.0.1") and row["request_id"]
        assert campaign["code"] not in str(row)
    assert [row["sequence"] for row in rows] == sorted(row["sequence"] for row in rows)


def test_filters_add_up(scene):
    campaign = scene.admin.campaign(places=5)
    client = scene.admin.discount
    me = scene.admin.wallet.get("/v1/users/me").json()
    (row,) = scene.entries(client, subject=campaign["id"])
    for filters in ({"actor": me["id"]}, {"actor": me["username"]}, {"action": "campaign.create"}, {"from": row["created_at"]}):
        assert scene.entries(client, subject=campaign["id"], **filters) == [row], filters
    for filters in ({"actor": "nobody"}, {"action": "campaign.end"}, {"to": row["created_at"]}, {"from": "2099-01-01T00:00:00Z"}):
        assert scene.entries(client, subject=campaign["id"], **filters) == [], filters
    for bad in ("limit=0", "from=yesterday", "cursor=x", "unknown=1", "actor="):
        assert client.get(f"/v1/audit-log?{bad}").status_code == 422, bad
    pages, cursor = [], None
    while True:
        answer = client.get("/v1/audit-log?limit=1" + (f"&cursor={cursor}" if cursor else "")).json()
        pages += answer["data"]
        cursor = answer["next_cursor"]
        if cursor is None or len(pages) > 5:
            break
    numbers = [row["sequence"] for row in pages]
    assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1))


def test_logins_of_admins_and_passwords_are_noted(scene, world):
    wallet = scene.admin.wallet
    me = wallet.get("/v1/users/me").json()
    before = len(scene.entries(wallet, action="session.create", subject=me["id"]))
    pair = world.pair
    assert world.wallet.post("/v1/sessions", {"username": pair.admin_name, "password": pair.admin_password}).status_code == 201
    rows = scene.entries(wallet, action="session.create", subject=me["id"])
    assert len(rows) == before + 1 and rows[0]["actor_name"] == pair.admin_name and rows[0]["address"] == "127.0.0.1"
    user = world.user()
    assert scene.entries(wallet, actor=user.id) == []  # a user's own login is nobody's business here
    changed = user.wallet.request("PUT", "/v1/users/me/password", json={"current_password": PASSWORD, "new_password": "another horse battery"})
    assert changed.status_code == 204, changed.text
    (row,) = scene.entries(wallet, subject=user.id)
    assert (row["action"], row["actor"], row["outcome"]) == ("password.change", user.id, "done")
    assert "horse" not in str(row)


def test_failed_logins_of_admins_are_noted(make_world):
    world = make_world()
    scene, pair = Scene(world), world.pair
    wallet = scene.admin.wallet
    me = wallet.get("/v1/users/me").json()
    user = world.user()
    for name in (user.username, "nobody-at-all"):  # nobody's business here
        assert world.wallet.post("/v1/sessions", {"username": name, "password": "not this one"}).status_code == 401
    statuses = [world.wallet.post("/v1/sessions", {"username": pair.admin_name.upper(), "password": "not this one"}).status_code for _ in range(30)]
    assert set(statuses) <= {401, 429} and statuses[0] == 401
    rows = wait_until(lambda: [row for row in scene.entries(wallet, action="session.create") if row["outcome"] != "done"], "they are noted")
    assert 1 <= len(rows) <= 10 and {(row["actor"], row["actor_name"], row["subject"], row["address"]) for row in rows} == {(me["id"], pair.admin_name, me["id"], "127.0.0.1")}
    assert rows[-1]["outcome"] == "invalid_credentials" and {row["outcome"] for row in rows} <= {"invalid_credentials", "too_many_attempts"}
    assert "not this one" not in str(rows)
    assert scene.entries(wallet, actor=user.id) == []


def test_a_refused_change_of_an_admins_password_is_noted(scene):
    wallet = scene.admin.wallet
    wrong = wallet.request("PUT", "/v1/users/me/password", json={"current_password": "not this one", "new_password": "another horse battery"})
    assert wrong.status_code == 401
    me = wallet.get("/v1/users/me").json()["id"]
    (row,) = wait_until(lambda: scene.entries(wallet, action="password.change", actor=me), "it is noted")
    assert row["outcome"] == "invalid_credentials"


def test_keys_and_the_command_line_are_noted(tmp_path):
    pair = Pair(tmp_path).start()
    try:
        for _ in range(2):
            session = Client(pair.wallet.url).post("/v1/sessions", {"username": pair.admin_name, "password": pair.admin_password}).json()
            for service in (pair.wallet, pair.discount):
                client = Client(service.url, token=session["access_token"])
                wait_until(lambda: client.get("/v1/audit-log?action=keys.change").status_code == 200, "Discount knows the keys")
                (row,) = wait_until(lambda: client.get("/v1/audit-log?action=keys.change").json()["data"], "the keys are noted")  # once, not at each start
                assert row["actor"] == "system" and row["after"]["kids"] == [key["kid"] for key in client.get("/.well-known/jwks.json").json()["keys"]]
            (made,) = Client(pair.wallet.url, token=session["access_token"]).get("/v1/audit-log?action=user.create").json()["data"]
            assert made["actor"] == "command line" and made["subject"]
            for service in (pair.discount, pair.wallet):
                assert service.stop() == 0
            pair.start()
    finally:
        pair.end()


def test_who_is_no_admin_may_not_read_it(world):
    for service in ("wallet", "discount"):
        assert world.client(service).get("/v1/audit-log").status_code == 401
        assert getattr(world.user(), service).get("/v1/audit-log").status_code == 403


def test_refused_acts_are_noted_and_strangers_are_bounded(tmp_path):
    pair = Pair(tmp_path).start()
    try:
        session = Client(pair.wallet.url).post("/v1/sessions", {"username": pair.admin_name, "password": pair.admin_password}).json()
        client = Client(pair.discount.url, token=session["access_token"])
        user = User(Client(pair.wallet.url), Client(pair.discount.url))
        for _ in range(500):
            assert user.discount.post("/v1/campaigns", {"name": "mine"}).status_code == 403
        assert client.post("/v1/campaigns", {"name": "no"}).status_code == 422
        rows = wait_until(lambda: client.get(f"/v1/audit-log?actor={user.id}").json()["data"], "it is noted")
        refused = wait_until(lambda: client.get(f"/v1/audit-log?actor={pair.admin_name}&action=campaign.create").json()["data"], "the admin's too")
        assert {row["outcome"] for row in refused} == {"validation_failed"}
        assert 1 <= len(rows) <= 20 and {(row["action"], row["outcome"]) for row in rows} == {("campaign.create", "forbidden")}
        assert {row["address"] for row in rows} == {"127.0.0.1"}
        count = len(client.get("/v1/audit-log?limit=200").json()["data"])
        lines = wait_until(lambda: len(found := pair.discount.events("audit")) == count and found, "as many lines")
        assert all(line["level"] == "info" and line["act"] and line["outcome"] for line in lines)
    finally:
        pair.end()


@pytest.mark.of_sqlite
@pytest.mark.parametrize("harm", ["UPDATE audit SET actor_name = 'nobody' WHERE sequence = 2", "DELETE FROM audit WHERE sequence = 2",
                                  "UPDATE audit SET created_at = created_at + 1 WHERE sequence = 3", "UPDATE audit SET hash = zeroblob(32) WHERE sequence = 3"])
@pytest.mark.parametrize("program", ["wallet", "discount"])
def test_verify_finds_what_was_touched(tmp_path, program, harm):
    pair = Pair(tmp_path).start()
    service = getattr(pair, program)
    try:
        for _ in range(3):
            session = Client(pair.wallet.url).post("/v1/sessions", {"username": pair.admin_name, "password": pair.admin_password}).json()
            client = Client(pair.discount.url, token=session["access_token"])
            wait_until(lambda: client.post("/v1/campaigns", {"name": "no"}).status_code == 422, "Discount knows the keys")
        reader = Client(service.url, token=session["access_token"])
        wait_until(lambda: len(reader.get("/v1/audit-log").json()["data"]) >= 4, "four entries")
        sound = service.verify()
        assert sound.returncode == 0 and "audit log: " in sound.stdout, sound.stdout
        database = sqlite3.connect(next(service.data.glob("*.db")), isolation_level=None)
        with pytest.raises(sqlite3.IntegrityError):
            database.execute(harm)
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute(harm)
        database.close()
        broken = service.verify()
        assert broken.returncode == 1 and "BROKEN: audit log: entry " in broken.stdout, broken.stdout
        service.stop()
        service.start()
        wait_until(lambda: reader.get("/readyz").json()["audit"] == "diverged", "readyz says it")
        assert reader.get("/healthz").status_code == 200
    finally:
        pair.end()


def encoded(row, previous):
    texts = [row["actor"], row["actor_name"] or "", row["address"] or "", row["request_id"] or "", row["action"], row["subject"] or "", row["outcome"], row["before"], row["after"]]
    return struct.pack(">Bqq", 1, row["sequence"], row["created_at"]) + previous + b"".join(struct.pack(">I", len(text)) + text for text in (text.encode() for text in texts))


@pytest.mark.of_sqlite
def test_the_hash_is_the_documented_one(tmp_path):
    pair = Pair(tmp_path).start()
    try:
        Client(pair.wallet.url).post("/v1/sessions", {"username": pair.admin_name, "password": pair.admin_password})
        with sqlite3.connect(next(pair.wallet.data.glob("*.db"))) as database:
            rows = database.execute("SELECT sequence, created_at, actor, actor_name, address, request_id, act, subject, outcome, state_before, state_after, hash FROM audit ORDER BY sequence").fetchall()
        assert len(rows) >= 3
        previous = bytes(32)
        names = ["sequence", "created_at", "actor", "actor_name", "address", "request_id", "action", "subject", "outcome", "before", "after"]
        for row in rows:
            assert hashlib.blake2b(encoded(dict(zip(names, row)), previous), digest_size=32).digest() == row[-1], row
            previous = row[-1]
    finally:
        pair.end()
