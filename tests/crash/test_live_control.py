"""Users come while an administrator lowers, raises, pauses and resumes their campaign at random, and takes redemptions back, and each service is killed: no place is
given while it is paused, nor beyond the limit of that moment, and what each user was told last is what the report and Wallet say."""
import datetime
import os
import queue
import random
import threading
import time
import uuid

from crash import crowds, people
from crash.patient import Patient
from crash.test_kill import Killer
from harness.services import CREDIT, DEADLINE_S, wait_until

IS_LONG = os.environ.get("HAMYAN_LONG") == "1"
USERS, PLACES = (4000, 1000) if IS_LONG else (crowds.scaled(600, 80), crowds.scaled(200, 30))
CLIENTS = 64 if not crowds.SANITIZER else 16
SPREAD_S = 20 if IS_LONG else 4  # of all users
KILLS, ACTS = (20, 60) if IS_LONG else (5, 15)  # at least
LINE = PLACES // 10  # so many may wait
ONCE_MORE = 0.5  # of those who were told that all is gone, or that they wait
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
PASSING = {"campaign_paused", "campaign_not_funded"}  # they may change


class Comer:
    """One user, and what it was told last."""

    def __init__(self, person, chance):
        self.person, self.chance = person, chance
        self.place = None
        self.line = None  # its id in the line of those who wait, which stays its own
        self.refused = None
        self.slot = None  # what becomes of its place, once an administrator has asked for it back

    def come(self, patient, campaign):
        body = {"code": campaign["code"], "phone": self.person.phone}
        end = time.monotonic() + 3 * DEADLINE_S
        while True:
            status, told = patient.ask("POST", "/v1/redemptions", body, self.person.token)
            if status < 300 and told["status"] == "waiting":
                assert self.place is None and self.line in (None, told["id"]) and told["rank"] >= 1, told
                self.line = told["id"]
                if self.chance.random() > ONCE_MORE:
                    return
            elif status < 300:
                assert self.line in (None, told["id"]), f"{told} after {self.line}"
                assert self.place is None or (told["id"], told["position"]) == self.place, f"{told} after {self.place}"
                self.place = told["id"], told["position"]
                if told["status"] == "credited":
                    return
            elif told["code"] == "sold_out":
                assert self.place is None and self.line is None, "a place was given and is gone"
                self.refused = told["code"]
                if self.chance.random() > ONCE_MORE:
                    return
            else:
                assert status == 409 and told["code"] in PASSING and self.place is None, told
            assert time.monotonic() < end, f"no last answer: {told}"
            time.sleep(self.chance.uniform(0, 0.1))


class Crowd:
    """All users, a thread for each of the clients."""

    def __init__(self, pair, campaign, seeded):
        self.pair, self.campaign = pair, campaign
        self.comers = [Comer(person, random.Random(seeded.random())) for person in people.gather(pair, USERS)]
        self.waiting, self.paid = queue.SimpleQueue(), queue.SimpleQueue()
        for comer in self.comers:
            self.waiting.put(comer)
        self.failures = []
        self.threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        patient = Patient(self.pair.discount)
        try:
            while True:
                comer = self.waiting.get_nowait()
                time.sleep(comer.chance.uniform(0, 2 * SPREAD_S * CLIENTS / USERS))
                comer.come(patient, self.campaign)
                if comer.place:
                    self.paid.put(comer)
        except queue.Empty:
            return
        except BaseException as failure:
            self.failures.append(failure)

    def join(self):
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures[0]


class Admin:
    def __init__(self, pair, campaign, chance):
        self.patient, self.chance = Patient(pair.discount), chance
        self.path = f"/v1/campaigns/{campaign['id']}"
        self.token = crowds.operator_of(pair).token
        self.acts = 0
        self.taken_back = []

    def set_places(self, places):
        status, told = self.patient.ask("PATCH", self.path, {"max_redemptions": places}, self.token, **{"If-Match": "*"})
        assert status in (200, 202), told

    def act(self):
        """Whatever comes to mind; a repeat of what was lost with its answer changes nothing."""
        act = self.chance.choice(["lower", "raise", "pause", "resume", "resume"])
        if act in ("lower", "raise"):
            self.set_places(self.chance.randint(1, PLACES // 2) if act == "lower" else self.chance.randint(PLACES // 2, PLACES))
        else:
            status, told = self.patient.ask("POST", f"{self.path}/{act}", None, self.token)
            assert status == 200, told
        self.acts += 1

    def ask_back(self, comer):
        """Whether its money is back, and its place open or gone; the same again is the same."""
        body = {"reason": "The order was cancelled", "slot": comer.slot}
        status, told = self.patient.ask("POST", f"/v1/redemptions/{comer.place[0]}/reversal", body, self.token)
        assert (status, told.get("status")) in ((200, "reversed"), (202, "reversing")), told
        assert told["id"] == comer.place[0] and told["reversal"]["slot"] == comer.slot
        return status == 200

    def take_back(self, paid):
        """The place of somebody who was told that it is paid, and comes no more."""
        if not paid.empty():
            comer = paid.get()
            comer.slot = self.chance.choice(["return", "promote", "burn"])
            self.taken_back.append(comer)
            self.ask_back(comer)

    def settle_at(self, places):
        status, told = self.patient.ask("POST", f"{self.path}/resume", None, self.token)
        assert status == 200, told
        self.set_places(places)
        end = time.monotonic() + DEADLINE_S
        for comer in self.taken_back:
            while not self.ask_back(comer):
                assert time.monotonic() < end, f"{comer.place} is not taken back"
                time.sleep(0.02)


def time_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def times_of_returns(pair):
    return [EPOCH + datetime.timedelta(microseconds=at) for (at,) in crowds.rows(pair.discount, "SELECT reversed_at FROM reversals WHERE slot <> 2")]


def assert_each_moment(operator, campaign, winners, returns):
    """Between two acts, by the audit log: no place while it was paused, and none beyond the limit, but for those returned before. What fell into the moment of an act may
    belong to either side."""
    entries, cursor = [], ""
    while cursor is not None:
        page = operator.discount.get(f"/v1/audit-log?subject={campaign['id']}&limit=200{cursor and '&cursor=' + cursor}").json()
        entries += [entry for entry in page["data"] if entry["outcome"] == "done" and entry["after"] and "max_redemptions" in entry["after"]]
        cursor = page["next_cursor"]
    entries.sort(key=lambda entry: entry["after"]["sequence"])
    for before, after in zip(entries, entries[1:]):
        assert {name: before["after"][name] for name in ("max_redemptions", "paused")} == {name: after["before"][name] for name in ("max_redemptions", "paused")}
    moments = [(time_of(entry["created_at"]), entry["after"]["max_redemptions"], entry["after"]["paused"]) for entry in entries]
    for winner in winners:
        claimed = time_of(winner["claimed_at"])
        at = [index for index, moment in enumerate(moments) if moment[0] <= claimed]
        if moments[at[-1]][0] == claimed:
            continue
        _, limit, is_paused = moments[at[-1]]
        assert not is_paused, f"position {winner['position']} was given at {claimed}, while it was paused"
        returned = sum(at <= claimed for at in returns)
        assert winner["position"] - returned <= limit, f"position {winner['position']} was given at {claimed}, with {returned} returned and a limit of {limit}"
    return len(entries)


def assert_last_answers(pair, crowd, winners, waiting, balances):
    """What each user was told is listed and paid, unless it was taken back, and nothing else is. Who was told that it waits may have got a place since."""
    assert [winner["position"] for winner in winners] == list(range(1, len(winners) + 1))
    listed = {winner["user_id"]: winner for winner in winners}
    assert len(listed) == len(winners) == len({winner["phone"] for winner in winners})
    for comer in crowd.comers:
        winner = listed.pop(comer.person.id, None)
        if comer.place is None and comer.line is not None:
            assert comer.line in waiting if winner is None else winner["id"] == comer.line, f"{comer.line} waited, {winner} is listed"
        else:
            assert (winner and (winner["id"], winner["position"])) == comer.place, f"{comer.place} was told, {winner} is listed"
            assert comer.place is not None or comer.refused is not None
        assert winner is None or winner["status"] == ("reversed" if comer.slot else "credited")
        assert balances.get(comer.person.id, 0) == (CREDIT if winner and not comer.slot else 0)
    assert not listed, "places of nobody"


def waiting_of(operator, campaign):
    page = operator.discount.get(f"/v1/campaigns/{campaign['id']}/redemptions?status=waiting&limit=200").json()
    assert page["next_cursor"] is None
    return {item["id"] for item in page["data"]}


def balances_of(pair):
    found = crowds.rows(pair.wallet, "SELECT user_id, credits_posted - debits_posted FROM accounts WHERE kind = 1")
    return {str(uuid.UUID(bytes=user_id)): balance for user_id, balance in found if balance != 0}


def test_live_control_among_kills(make_pair, seeded):
    pair = make_pair().start()
    campaign = crowds.operator_of(pair).campaign(places=PLACES // 2, waiting_list=LINE)
    admin, killer, crowd = Admin(pair, campaign, random.Random(seeded.random())), Killer(pair, seeded), Crowd(pair, campaign, seeded)
    kills, end = 0, time.monotonic() + 3 * DEADLINE_S
    try:
        while (kills < KILLS or admin.acts < ACTS or not crowd.waiting.empty()) and not crowd.failures:
            assert time.monotonic() < end, f"{kills} kills, {admin.acts} acts"
            for _ in range(4):
                admin.act()
                admin.take_back(crowd.paid)
                killer.pause(0.15)
            killer.strike(killer.any_of_them())
            kills += 1
    finally:
        admin.settle_at(PLACES)
        crowd.join()
    operator = crowds.operator_of(pair)
    wait_until(lambda: 0 in [operator.report(campaign["id"])[name] for name in ("waiting", "remaining")], "who waits has what is open")
    report = operator.wait_settled(campaign["id"])
    winners = operator.winners(campaign["id"])
    waiting = waiting_of(operator, campaign)
    returns = times_of_returns(pair)
    acts = assert_each_moment(operator, campaign, winners, returns)
    back = len(admin.taken_back)
    print(f"{kills} kills, {acts} acts, {len(winners)} of {USERS} users got a place, {back} were taken back, {len(returns)} of them returned; {len(waiting)} wait")
    assert acts >= ACTS // 2, "most acts changed nothing"
    assert back > 0 and len(returns) == sum(comer.slot != "burn" for comer in admin.taken_back)
    taken = len(winners) - len(returns)
    counted = [report[name] for name in ("redeemed", "remaining", "credited", "failed", "reversing", "reversed", "waiting")]
    assert counted == [taken, PLACES - taken, len(winners) - back, 0, 0, back, len(waiting)]
    assert len(crowds.credits(pair)) == len(winners)
    assert_last_answers(pair, crowd, winners, waiting, balances_of(pair))
    crowds.assert_clean(pair)
