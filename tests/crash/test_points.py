"""A crash at each write, fsync, send and receive of a short scenario, in either service: exhaustive, not random.

The scenario: an admin makes a campaign of two places; its fund opens; three users redeem one after the other, the third finds it sold out; the
winners read what they have; the service stops. crashpoint.c numbers the calls of one service in it from 1, and kills the service at number n:
before the call, after it, and, for a send, when half of it has left. The service is started again at once, the clients repeat what had no
definite answer (the second user only when no claim is pending any more: settling needs nobody who asks), and then everything must be as if nothing
had happened, and as every answer before the crash said.

Only the process dies: what the kernel had taken is kept. Disks that lose or tear what no fsync followed are the simulator's.

With HAMYAN_STORE=postgres all rows are in PostgreSQL: what is sent to its server and received from it are points like all others, and only Wallet's keys are
still written into Discount's folder.

The full form (HAMYAN_LONG=1) takes n = 1, 2, 3… in all variants until three numbers in a row were never reached (threads and polls move the end
by a few calls from run to run). The short form runs the scenario once to list its calls, and takes every 4th write and every 2nd of the other
kinds (with PostgreSQL every 6th), the first one being another for each kind, in one variant, which changes from each to the next; then more, until
each kind was struck.
HAMYAN_POINT=17:after takes one point alone.
"""
import collections
import json
import mmap
import os
import shutil
import signal
import socket
import threading
import time
import uuid

import pytest

from crash import crowds
from crash.people import gather
from harness import cluster
from harness.raw import RawAnswer, parse_head, request_bytes
from harness.services import BUILD, CREDIT, DEADLINE_S, wait_until
from harness.tokens import WalletKey

CONTROL_BYTES = 65536
IS_POSTGRES = os.environ.get("HAMYAN_STORE") == "postgres"
KINDS = {"w": "write", "f": "fsync", "s": "send", "r": "receive"}
NEEDED = set("sr" if IS_POSTGRES else "wfsr")  # the scenario has them
VARIANTS = ("before", "after", "half")
STRIDES = {"w": 4, "f": 2, "s": 6, "r": 6} if IS_POSTGRES else {"w": 4, "f": 2, "s": 2, "r": 2}
PLACES = 2
UNREACHED = 3  # numbers in a row, for the end of the list


class Crash:
    """crashpoint.c's control file."""

    def __init__(self, control, folder):
        control.write_bytes(bytes(CONTROL_BYTES))
        self.environment = {"LD_PRELOAD": str(BUILD / "tests/crash/crashpoint.so"), "CRASHPOINT_PREFIX": str(folder.resolve()),
                            "CRASHPOINT_CONTROL": str(control)}
        with open(control, "r+b") as file:
            self.mapped = mmap.mmap(file.fileno(), CONTROL_BYTES)

    def _set(self, place, number):
        self.mapped[8 * place:8 * place + 8] = number.to_bytes(8, "little")

    def arm(self, number, variant):
        self.disarm()
        self.mapped[24:] = bytes(CONTROL_BYTES - 24)
        self._set(1, number)
        self._set(2, VARIANTS.index(variant))
        self._set(0, 1)

    def disarm(self):
        self._set(0, 0)

    def kinds(self):
        """The letters of the calls that were counted, in their order."""
        count = int.from_bytes(self.mapped[24:32], "little")
        assert count < CONTROL_BYTES - 32, "more calls than the list holds"
        return self.mapped[32:32 + count].decode()


def exchange(port, request):
    """The answer, or None where there was none or only a part of one: then a client can't tell what happened."""
    data = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as connection:
            connection.sendall(request)
            while piece := connection.recv(65536):
                data += piece
    except OSError:
        pass  # what came before it may be a whole answer
    head, gap, body = data.partition(b"\r\n\r\n")
    if not gap:
        return None
    status, headers = parse_head(head)
    answer = RawAnswer(status, headers, body, head)
    return answer if len(body) == int(answer.header("Content-Length")) else None


class Clients:
    """The admin and three users: each repeats a request until its answer is a definite one, and notes it."""

    def __init__(self, pair, people, admin_id):
        self.pair = pair
        self.people = people
        key = WalletKey(pair.wallet.data)
        for person in people:
            person.token = key.sign(key.user_claims(person.id, phone_number=person.phone, jti=str(uuid.uuid4())))
        self.admin = key.sign(key.user_claims(admin_id, scope="user admin"))
        self.campaign = {"name": "Points", "kind": "wallet_credit", "code": "POINTS", "credit": {"amount": CREDIT, "currency": "IRT"},
                         "max_redemptions": PLACES}
        self.keys = (str(uuid.uuid4()), str(uuid.uuid4()))

    def ask(self, service, method, path, token, body=None, key=None, before_repeat=None):
        headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        request = request_bytes(method, path, headers, None if body is None else json.dumps(body).encode())

        def answer():
            got = exchange(service.port, request)
            assert got is None or got.status != 500, got.body
            if got is not None and got.status < 500 and got.status != 429:
                return got
            if before_repeat is not None:
                before_repeat()
            return None

        return wait_until(answer, f"a definite answer to {method} {path}")

    def create(self):
        answer = self.ask(self.pair.discount, "POST", "/v1/campaigns", self.admin, self.campaign, self.keys[0])
        assert answer.status == 201, answer.body
        return answer

    def redeem(self, index):
        """The second user has a key, and comes back only when a place that was taken without an answer has been paid without further help."""
        person = self.people[index]
        body = {"code": self.campaign["code"], "phone": person.phone}
        options = {"key": self.keys[1], "before_repeat": self.wait_nothing_pending} if index == 1 else {}
        return self.ask(self.pair.discount, "POST", "/v1/redemptions", person.token, body, **options)

    def wait_nothing_pending(self):
        (campaign,) = self.read(self.pair.discount, "/v1/campaigns", self.admin)["data"]
        path = f"/v1/campaigns/{campaign['id']}/report"
        wait_until(lambda: self.read(self.pair.discount, path, self.admin)["pending"] == 0, "each claim is settled")

    def read(self, service, path, token):
        answer = self.ask(service, "GET", path, token)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def wait_open(self, campaign_id):
        path = f"/v1/campaigns/{campaign_id}"
        wait_until(lambda: self.read(self.pair.discount, path, self.admin)["fund"]["state"] == "open", "an open fund")

    def wait_settled(self, campaign_id):
        path = f"/v1/campaigns/{campaign_id}/report"
        wait_until(lambda: self.read(self.pair.discount, path, self.admin)["credited"] == PLACES, "both are credited")


class Scene:
    """A pair whose folders and databases are put back to the same beginning before each run."""

    def __init__(self, make_pair, tmp_path, victim):
        self.pair = make_pair()
        self.services = (self.pair.wallet, self.pair.discount)
        self.victim = self.pair.wallet if victim == "wallet" else self.pair.discount
        self.crash = Crash(tmp_path / "control", self.victim.data)
        self.plain = self.victim.environment
        self.begun = tmp_path / "begun"
        self.pair.wallet.start()
        self.people = gather(self.pair, 3)
        self.pair.wallet.end()
        ((admin_id,),) = crowds.rows(self.pair.wallet, "SELECT id FROM users WHERE name = ?", self.pair.admin_name)
        self.admin_id = str(uuid.UUID(bytes=admin_id))
        self.stores = {service.program: service.store for service in self.services}
        for service in self.services:
            shutil.copytree(service.data, self.begun / service.program)

    def begin(self):
        for service in self.services:
            shutil.rmtree(service.data)
            shutil.copytree(self.begun / service.program, service.data)
            if service.store:
                service.store = cluster.shared().copy(self.stores[service.program], instead_of=service.store)
            service.log.unlink(missing_ok=True)
        self.crash.disarm()
        self.victim.environment = {**self.plain, **self.crash.environment}
        for service in self.services:
            service.start(wait=False)
        for service in self.services:
            service.wait_ready()

    def supervise(self):
        """As systemd would: the victim is started again as soon as it has ended. Its exit code goes to the list."""
        self.victim.process.wait(DEADLINE_S)
        self.codes.append(self.victim.process.returncode)
        self.victim.environment = self.plain
        self.victim.start(wait=False)

    def run(self, number, variant):
        """One whole run with a crash at this number (0: none). The kind of call it struck, or None, and the kinds of all calls until then."""
        self.begin()
        self.codes = []
        clients = Clients(self.pair, self.people, self.admin_id)
        process = self.victim.process
        supervisor = threading.Thread(target=self.supervise)
        supervisor.start()
        try:
            self.crash.arm(number, variant)
            heard = self.play(clients)
        finally:
            process.send_signal(signal.SIGTERM)  # of no effect if it has been killed; it isn't sent to the successor
            supervisor.join(DEADLINE_S)
        assert self.codes in ([0], [-signal.SIGKILL]), (self.codes, self.victim.tail())
        kinds = self.crash.kinds()
        self.victim.wait_ready()
        self.assert_right(clients, heard)
        for service in self.services:
            service.kill()
            crowds.assert_no_finding(service)
        struck = self.codes != [0]
        assert not struck or len(kinds) >= number > 0
        return (kinds[number - 1] if struck else None), kinds

    def play(self, clients):
        created = clients.create()
        campaign = json.loads(created.body)
        clients.wait_open(campaign["id"])
        redeemed = [clients.redeem(index) for index in range(3)]
        assert [answer.status in (200, 201, 202) for answer in redeemed] == [True, True, False], [answer.body for answer in redeemed]
        assert redeemed[2].status == 410 and json.loads(redeemed[2].body)["code"] == "sold_out", redeemed[2].body
        clients.wait_settled(campaign["id"])
        for index in range(PLACES):
            token = clients.people[index].token
            redemption = clients.read(self.pair.discount, redeemed[index].header("Location"), token)
            assert redemption["status"] == "credited", redemption
            assert clients.read(self.pair.wallet, "/v1/wallet", token)["balance"] == CREDIT
        return created, redeemed

    def assert_right(self, clients, heard):
        """All that was said holds, and the books are right."""
        created, redeemed = heard
        campaign = json.loads(created.body)
        again = clients.create()
        assert (again.body, again.header("Idempotent-Replayed")) == (created.body, "true"), (created.body, again.body)
        won = [json.loads(answer.body) for answer in redeemed[:PLACES]]
        assert [redemption["position"] for redemption in won] == [1, 2]
        repeated = [clients.redeem(index) for index in range(3)]
        assert [repeated[0].status, repeated[1].status, repeated[2].status] == [200, redeemed[1].status, 410], [answer.body for answer in repeated]
        assert (repeated[1].body, repeated[1].header("Idempotent-Replayed")) == (redeemed[1].body, "true")
        for before, after in zip(won, repeated):
            now = json.loads(after.body)
            for name in ("id", "user_id", "position", "claimed_at"):
                assert now[name] == before[name], (before, now)
            assert before["status"] == "claimed" or now["transaction_id"] == before["transaction_id"]
        kept = [str(uuid.UUID(bytes=row[1])) for row in crowds.redemptions(self.pair, campaign["id"])]
        assert kept == [redemption["id"] for redemption in won]
        for index, balance in enumerate((CREDIT, CREDIT, 0)):
            assert clients.read(self.pair.wallet, "/v1/wallet", clients.people[index].token)["balance"] == balance
        crowds.assert_books(self.pair, campaign["id"], PLACES, PLACES)
        crowds.assert_clean(self.pair)


class Covered:
    """Runs points and counts those that struck, by kind and variant."""

    def __init__(self, scene):
        self.scene = scene
        self.count = collections.Counter()

    def take(self, number, variant):
        """The kind of call that the crash struck, or None."""
        try:
            kind, _ = self.scene.run(number, variant)
        except BaseException as failure:
            failure.add_note(f"HAMYAN_POINT={number}:{variant} in {self.scene.victim.program}")
            raise
        if kind is not None:
            self.count[kind, variant if variant != "half" or kind == "s" else "before"] += 1
        return kind

    def kinds(self):
        return {kind for kind, _ in self.count}

    def summary(self):
        return ", ".join(f"{name} {variant} {self.count[kind, variant]}" for kind, name in KINDS.items() for variant in VARIANTS
                         if self.count[kind, variant])


def take_all(covered, kinds):
    number = unreached = 0
    while number < len(kinds) or unreached < UNREACHED:
        number += 1
        struck = [covered.take(number, variant) for variant in ("before", "after")]
        if "s" in struck:
            struck.append(covered.take(number, "half"))
        unreached = 0 if any(struck) else unreached + 1


def take_some(covered, kinds):
    turn = 0
    for offset, kind in enumerate(KINDS):
        numbers = [number for number, found in enumerate(kinds, 1) if found == kind]
        variants = VARIANTS if kind == "s" else VARIANTS[:2]
        for number in numbers[offset % STRIDES[kind]::STRIDES[kind]]:
            covered.take(number, variants[turn % len(variants)])
            turn += 1
    for kind in sorted(NEEDED - covered.kinds()):
        strike(covered, kinds, kind)


def strike(covered, kinds, kind):
    """Until one of this kind was struck: no two runs number their calls alike, since batches fall otherwise. First where the list has this kind."""
    for number in sorted(range(1, len(kinds) + 1), key=lambda number: kinds[number - 1] != kind):
        if covered.take(number, "before") == kind:
            return


@pytest.mark.parametrize("victim", ["wallet", "discount"])
def test_a_crash_at_each_call(make_pair, tmp_path, victim):
    scene = Scene(make_pair, tmp_path, victim)
    began = time.monotonic()
    struck, kinds = scene.run(0, "before")
    assert struck is None
    assert set(kinds) >= NEEDED, f"{victim}: the scenario has no {NEEDED - set(kinds)}"
    print(f"{scene.victim.program}: {len(kinds)} calls:", ", ".join(f"{name} {kinds.count(kind)}" for kind, name in KINDS.items()))
    covered = Covered(scene)
    if os.environ.get("HAMYAN_POINT"):
        number, variant = os.environ["HAMYAN_POINT"].split(":")
        covered.take(int(number), variant)
        return
    if os.environ.get("HAMYAN_LONG") == "1":
        take_all(covered, kinds)
    else:
        take_some(covered, kinds)
    print(f"{scene.victim.program}: crashed at {sum(covered.count.values())} points in {time.monotonic() - began:.0f} s: {covered.summary()}")
    assert covered.kinds() >= NEEDED, covered.summary()
