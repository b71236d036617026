"""Full and broken disks: 503 for what can't be written, no false yes, reads go on, and it recovers without a restart.

The disk is SQLite's: PostgreSQL's is under its server, and no concern of ours."""
import concurrent.futures
import signal
import uuid

import pytest
import requests

from crash import crowds, disk
from harness.client import Client, User
from harness.services import DEADLINE_S, wait_until

MODES = ["full", "quota", "sync", "write"]
WRITERS = 4
ROUNDS = crowds.scaled(10, 3)


class Scene:
    """A pair of which one service stands on a disk that can fail, with users who came before the trouble."""

    def __init__(self, make_pair, tmp_path, victim):
        self.disk = disk.Disk(tmp_path / "control", tmp_path)
        options = {f"{victim}_options": {"environment": self.disk.environment}}
        self.pair = make_pair(discount_arguments=("--settle-wait", "300"), **options)
        self.disk.environment["FAULTDISK_PREFIX"] = str(self.service(victim).data.resolve())
        self.service(victim).environment.update(self.disk.environment)
        self.pair.start()
        self.victim = self.service(victim)
        self.operator = crowds.operator_of(self.pair)
        self.campaign = self.operator.campaign(places=1000)
        self.users = [User(self.operator.wallet.with_token(None), self.operator.discount) for _ in range(WRITERS + 1)]
        self.early = self.users.pop()
        self.first = self.early.redeem(self.campaign["code"])
        assert self.first.status_code == 201, self.first.text
        self.operator.wait_settled(self.campaign["id"])

    def service(self, name):
        return self.pair.wallet if name == "wallet" else self.pair.discount

    def assert_not_ready(self):
        def not_ready():
            answer = requests.get(f"{self.victim.url}/readyz", timeout=DEADLINE_S)
            return [answer] if answer.status_code == 503 else None  # a refusing answer itself counts as false

        (answer,) = wait_until(not_ready, "readyz says 503")
        problem = answer.json()
        assert problem["status"] == 503 and problem["detail"], problem
        assert int(answer.headers["Retry-After"]) >= 1

    def assert_reads_go_on(self):
        assert self.early.wallet.get("/v1/wallet").json()["balance"] == 1_000_000
        assert self.early.wallet.get("/v1/wallet/transactions").status_code == 200
        assert self.early.discount.get(self.first.headers["Location"]).json()["status"] == "credited"
        assert self.operator.discount.get(f"/v1/campaigns/{self.campaign['id']}/report").status_code == 200
        assert requests.get(f"{self.victim.url}/healthz", timeout=DEADLINE_S).status_code == 200
        assert requests.get(f"{self.victim.url}/metrics", timeout=DEADLINE_S).status_code == 200

    def recover(self):
        self.disk.set("none")
        self.victim.wait_ready()

    def revive(self):
        """The disk works again; the service may have been killed by it this moment."""

        def is_back():
            if self.victim.process.poll() is not None:
                assert self.victim.process.returncode == -signal.SIGKILL, self.victim.tail()
                self.victim.start(wait=False)
            return answers_ready(self.victim)

        wait_until(is_back, f"{self.victim.program} ready again")

    def end_right(self, winners):
        self.operator.wait_settled(self.campaign["id"])
        crowds.assert_clean(self.pair)
        won = crowds.redemptions(self.pair, self.campaign["id"])
        assert [row[0] for row in won] == list(range(1, winners + 1))
        assert {row[4] for row in won} == {1}
        assert len(crowds.credits(self.pair)) == winners


def answers_ready(service):
    try:
        return requests.get(f"{service.url}/readyz", timeout=DEADLINE_S).status_code == 200
    except requests.RequestException:
        return False


def assert_refused(answer):
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] == "storage_unavailable", answer.text
    assert int(answer.headers["Retry-After"]) >= 1


def until_refused(ask):
    """On a full disk what fits into the files as they are still goes through; those answers, and then the first refusal."""
    good = []
    for _ in range(2000):
        answer = ask()
        if answer.status_code == 503:
            return good, answer
        good.append(answer)
    raise AssertionError("the disk never was full")


def new_user(wallet):
    name = f"d-{uuid.uuid4().hex[:16]}"
    return wallet.post("/v1/users", {"username": name, "password": "correct horse battery"})


@pytest.mark.parametrize("mode", MODES)
def test_the_disk_of_walletd(make_pair, tmp_path, mode):
    scene = Scene(make_pair, tmp_path, "wallet")
    anonymous = Client(scene.pair.wallet.url)
    scene.disk.set(mode)
    registered, refusal = until_refused(lambda: new_user(anonymous))
    assert_refused(refusal)
    scene.assert_not_ready()
    transfer = {"to": {"username": scene.users[0].username}, "amount": 1000, "currency": "IRT"}
    key = str(uuid.uuid4())
    assert_refused(scene.early.wallet.post("/v1/wallet/transfers", transfer, key=key))
    claimed = scene.users[0].redeem(scene.campaign["code"])
    assert claimed.status_code == 202, claimed.text
    report = scene.operator.report(scene.campaign["id"])
    assert (report["credited"], report["pending"]) == (1, 1)
    scene.assert_reads_go_on()

    scene.recover()
    scene.operator.wait_settled(scene.campaign["id"])
    paid = scene.early.wallet.post("/v1/wallet/transfers", transfer, key=key)
    assert paid.status_code == 201, paid.text
    assert scene.users[0].balance() == 1_001_000 and scene.early.balance() == 999_000
    assert scene.users[1].redeem(scene.campaign["code"]).status_code == 201
    scene.end_right(winners=3)
    known = {name for (name,) in crowds.rows(scene.pair.wallet, "SELECT name FROM users")}
    assert {answer.json()["username"] for answer in registered} <= known


@pytest.mark.parametrize("mode", MODES)
def test_the_disk_of_discountd(make_pair, tmp_path, mode):
    scene = Scene(make_pair, tmp_path, "discount")
    scene.disk.set(mode)

    def change():
        return scene.operator.discount.request("PATCH", f"/v1/campaigns/{scene.campaign['id']}", json={"name": uuid.uuid4().hex}, headers={"If-Match": "*"})

    changed, refusal = until_refused(change)
    assert_refused(refusal)
    scene.assert_not_ready()
    assert_refused(scene.users[0].redeem(scene.campaign["code"]))
    again = scene.early.redeem(scene.campaign["code"])  # needs no write
    assert (again.status_code, again.json()["id"]) == (200, scene.first.json()["id"])
    report = scene.operator.report(scene.campaign["id"])
    assert report["redeemed"] + report["remaining"] == 1000
    scene.assert_reads_go_on()

    scene.recover()
    won = scene.users[0].redeem(scene.campaign["code"])
    assert won.status_code in (200, 201), won.text
    assert won.json()["position"] == 2
    scene.end_right(winners=2)


def redeem_and_note(scene, user, heard):
    """Redeems; what a 2xx says is noted."""
    try:
        answer = user.redeem(scene.campaign["code"])
    except requests.RequestException:
        return
    assert answer.status_code in (200, 201, 202, 503), answer.text
    if answer.status_code != 503:
        heard.append(answer.json())


@pytest.mark.parametrize("victim", ["wallet", "discount"])
@pytest.mark.parametrize("mode", ["sync", "write", "quota", "kill"])
def test_no_false_yes_while_the_disk_comes_and_goes(make_pair, tmp_path, seeded, victim, mode):
    """Claims go on while the disk fails for moments; then the service dies, and what it had said must be there."""
    scene = Scene(make_pair, tmp_path, victim)
    heard = []
    redeem_and_note(scene, scene.users[0], heard)  # on a slow machine nobody else may be answered in time
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        for _ in range(ROUNDS):
            people = [User(scene.operator.wallet.with_token(None), scene.operator.discount) for _ in range(WRITERS)]
            waiting = [pool.submit(redeem_and_note, scene, user, heard) for user in people]
            concurrent.futures.wait(waiting, timeout=seeded.uniform(0, 0.01))
            scene.disk.set(mode)
            concurrent.futures.wait(waiting, timeout=seeded.uniform(0, 0.1))
            scene.disk.set("none")
            for future in waiting:
                future.result()
            scene.revive()
    assert heard
    if scene.victim.process.poll() is None:
        scene.victim.kill()
    scene.victim.start()
    scene.operator.wait_settled(scene.campaign["id"])
    kept = {str(uuid.UUID(bytes=row[1])): row[0] for row in crowds.redemptions(scene.pair, scene.campaign["id"])}
    for redemption in heard:
        assert kept.get(redemption["id"]) == redemption["position"], "said and not kept"
    scene.end_right(winners=len(kept))
