"""What must be true after a crowd, proven without the crowd's own word: from the services' answers, their commands, and their databases."""
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import threading
import time
import uuid

import requests

from harness.client import Client, Operator
from harness.services import CREDIT, DEADLINE_S

SANITIZER = os.environ.get("HAMYAN_SANITIZER", "")
SCALE = float(os.environ.get("HAMYAN_SCALE") or (0.1 if SANITIZER else 1))
CROWD_DEADLINE_S = 5 * DEADLINE_S


def scaled(number, least=1):
    """The full size in a normal build, less where HAMYAN_SCALE or a sanitizer wants it."""
    return max(least, int(number * SCALE))


def operator_of(pair):
    return Operator(Client(pair.wallet.url), Client(pair.discount.url), pair.admin_name, pair.admin_password)


def assert_no_finding(service):
    """A sanitizer's finding in a program that was killed afterwards would otherwise be lost."""
    if service.log.exists():
        text = service.log.read_text(errors="replace")
        for words in ("Sanitizer:", "runtime error:", "check_failed"):
            assert words not in text, text[max(0, text.index(words) - 500):][:4000]


def finish_crowd(process):
    """Waits for the crowd's end; its output. It must have found everything right."""
    try:
        output, _ = process.communicate(timeout=CROWD_DEADLINE_S)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 0, output
    assert "exactly right" in output, output
    return output


def answers(output):
    """{status: how often} as the crowd prints them; "broken" for no answer."""
    counted = {}
    lines = iter(output.splitlines())
    for line in lines:
        if line.startswith("answers to redemptions"):
            break
    for line in lines:
        words = line.split()
        if line.startswith("  no answer"):
            counted["broken"] = int(words[2])
        elif len(words) == 2 and words[0].isdigit():
            counted[int(words[0])] = int(words[1])
        else:
            break
    return counted


def rows(service, query, *values):
    """From a service's database, whether it runs or not: ids as their bytes, in both engines."""
    if service.store:
        return postgres_rows(service, query, values)
    (path,) = pathlib.Path(service.data).glob("*.db")
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=DEADLINE_S)
    try:
        return database.execute(query, values).fetchall()
    finally:
        database.close()


def postgres_rows(service, query, values):
    for value in values:
        query = query.replace("?", f"'{uuid.UUID(bytes=value)}'" if isinstance(value, bytes) else f"'{value}'", 1)
    schema = service.program.removesuffix("d")
    # As JSON: of psql alone numbers could not be told from texts.
    as_json = f"SET search_path TO {schema}; SELECT json_agg(found) FROM ({query}) found"
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", service.store, "-c", as_json], capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    is_id = re.compile(r"id|user_id|transaction_id")
    return [tuple(uuid.UUID(value).bytes if value is not None and is_id.fullmatch(name) else value for name, value in row.items())
            for row in json.loads(done.stdout.strip() or "null") or []]


def redemptions(pair, campaign_id):
    query = """SELECT key & 4294967295 AS position, redemptions.id, user_id, phone, status, transaction_id FROM redemptions
               JOIN campaigns ON number = campaign_number WHERE campaigns.id = ? ORDER BY key"""
    return rows(pair.discount, query, uuid.UUID(campaign_id).bytes)


def credits(pair):
    """{reference: (user id, transaction id, amount)} of all that Discount has had credited; a reference twice is a failure."""
    query = """SELECT reference, user_id, transfers.id, amount FROM transfers JOIN accounts ON number = credit_account
               WHERE transfers.kind = 1 AND caller = 'discount'"""
    found = {}
    for reference, user_id, transaction_id, amount in rows(pair.wallet, query):
        assert reference not in found, f"{reference} is credited twice"
        found[reference] = (user_id, transaction_id, amount)
    return found


def assert_books(pair, campaign_id, places, winners):
    """Places, credits, balances and the fund tell the same story, row by row."""
    won = redemptions(pair, campaign_id)
    assert [row[0] for row in won] == list(range(1, winners + 1))
    assert len({row[2] for row in won}) == winners, "one user twice"
    assert len({row[3] for row in won}) == winners, "one phone twice"
    assert {row[4] for row in won} <= {1}, "not all are credited"
    paid = credits(pair)
    assert {str(uuid.UUID(bytes=row[1])): (row[2], row[5], CREDIT) for row in won} == paid
    ((balances,),) = rows(pair.wallet, "SELECT coalesce(sum(credits_posted - debits_posted), 0) FROM accounts WHERE kind = 1")
    assert balances == winners * CREDIT
    fund = rows(pair.wallet, """SELECT funded, credited, released, credits_posted - debits_posted FROM funds JOIN accounts ON number = account
                                     WHERE caller = 'discount' AND reference = ?""", campaign_id)
    assert fund == [(places * CREDIT, winners * CREDIT, 0, (places - winners) * CREDIT)]


def assert_clean(pair):
    """The invariants, by the services' own commands, on a live or a stopped system (reconcile needs a live wallet)."""
    for done in (pair.wallet.verify(), pair.discount.verify(), pair.discount.reconcile()):
        assert done.returncode == 0, f"{done.args}: {done.stdout}{done.stderr}"


class Sampler:
    """Reads the report as fast as it comes, for the time of a with block; each answer must be exact in itself and never behind the one before."""

    def __init__(self, pair, campaign, may_break=False):
        self.url = f"{pair.discount.url}/v1/campaigns/{campaign['id']}/report"
        self.places = campaign["max_redemptions"]
        self.may_break = may_break
        self.headers = {"Authorization": f"Bearer {operator_of(pair).token}"}
        self.count = 0
        self.distinct = set()
        self.last = None
        self.failure = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        if self.failure is not None:
            raise self.failure

    def _run(self):
        session = requests.Session()
        session.trust_env = False
        try:
            while not self.stopping.is_set():
                try:
                    answer = session.get(self.url, headers=self.headers, timeout=DEADLINE_S)
                except requests.RequestException:
                    assert self.may_break, "the report does not answer"
                    self.stopping.wait(0.005)
                    continue
                assert answer.status_code == 200 or (self.may_break and answer.status_code == 503), answer.text
                if answer.status_code == 200:
                    self._check(answer.json())
        except BaseException as failure:  # told on the test's own thread
            self.failure = failure

    def _check(self, report):
        assert report["redeemed"] + report["remaining"] == report["max_redemptions"] == self.places, report
        assert report["credited"] + report["pending"] + report["failed"] == report["redeemed"], report
        assert report["credited"] <= report["redeemed"] and report["pending"] >= 0 and report["failed"] == 0, report
        assert report["attempts"] == report["redeemed"] + sum(report["rejected"].values()), report
        if self.last is not None:
            for name in ("redeemed", "credited", "sequence", "as_of"):
                assert report[name] >= self.last[name], f"{name} went back: {self.last} then {report}"
        self.last = report
        self.count += 1
        self.distinct.add(report["redeemed"])

    def wait_for(self, condition, what, deadline_s=CROWD_DEADLINE_S):
        """Until a report fulfils the condition."""
        end = time.monotonic() + deadline_s
        while self.last is None or not condition(self.last):
            assert self.thread.is_alive() or self.failure is None, self.failure
            assert time.monotonic() < end, f"{what} did not happen; the last report was {self.last}"
            time.sleep(0.002)


