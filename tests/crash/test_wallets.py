"""64 clients spend out of 100 wallets while walletd is killed: sums stay, no floor is crossed, what a 2xx said is there, and each hold ends in exactly one way."""
import collections
import os
import random
import threading
import time
import uuid

from crash import crowds, spenders
from crash.test_kill import Killer
from harness.services import DEADLINE_S, wait_until

CLIENTS, WALLETS = 64 if not crowds.SANITIZER else 16, 100
DURATION_S = 60 if os.environ.get("HAMYAN_LONG") == "1" else 6
KILLS = 5  # at least
# Each must have happened so often before the end proves anything.
LEAST = {"transfer": 10, "hold": 20, "capture": 10, "release": 5, "payment": 10, "reversal": 5, "credit_reversal": 1, "look": 10}
# Of transfers that move money (src/wallet/core/transfers.h).
KINDS = {1: "credit", 2: "transfer", 6: "payment", 8: "capture", 11: "reversal", 12: "credit_reversal"}
HOLD, RELEASE, EXPIRY = 7, 9, 10
STATES = {1: "held", 2: "captured", 3: "released", 4: "expired"}


def spend_among_kills(party, killer, seeded):
    """Kills until the time is over and all has happened that must."""
    books, clients = party.books, [spenders.Client(party, random.Random(seeded.random())) for _ in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    kills = 0
    try:
        while not party.stopping.is_set():
            killer.pause(1.2)
            killer.strike([party.pair.wallet])
            kills += 1
            with books.lock:
                has_all = all(books.done[name] >= least for name, least in LEAST.items()) and books.refusals["insufficient_funds"] and books.refusals["hold_closed"]
            if kills >= KILLS and time.monotonic() - began > DURATION_S and has_all:
                break
            assert time.monotonic() - began < DURATION_S + 3 * DEADLINE_S, (books.done, books.refusals)
    finally:
        party.stopping.set()
        for thread in threads:
            thread.join()
    assert not party.failures, party.failures[0]
    print(f"{kills} kills, {dict(books.done)}, refused: {dict(books.refusals)}")


def wait_expired(pair):
    """Those that had a few seconds to live; the others have an hour."""
    soon_us = time.time_ns() // 1000 + 600_000_000
    wait_until(lambda: not crowds.rows(pair.wallet, f"SELECT transfer FROM holds WHERE state = 1 AND expires_at < {soon_us}"), "each hold expires at its time")


def assert_every_answer(party):
    """Of each kind that moves money, exactly the transfers that clients were told of."""
    found = collections.defaultdict(set)
    for transfer_id, kind in crowds.rows(party.pair.wallet, "SELECT id, kind FROM transfers"):
        if kind in KINDS:
            found[KINDS[kind]].add(str(uuid.UUID(bytes=transfer_id)))
    for kind in KINDS.values():
        assert found[kind] == party.books.transfers[kind], f"{kind}: {len(found[kind])} are there, {len(party.books.transfers[kind])} were told"


def assert_balances(party):
    """Each wallet and each merchant has what all answers add up to, and never had less than nothing."""
    rows = crowds.rows(party.pair.wallet, "SELECT id, user_id, credits_posted - debits_posted AS balance, debits_pending FROM accounts WHERE kind <> 3")
    balances = {str(uuid.UUID(bytes=user_id or account_id)): balance for account_id, user_id, balance, _ in rows}
    assert {holder: balance for holder, balance in balances.items() if holder in party.books.balances} == dict(party.books.balances)
    assert len(balances) == len(party.books.balances) + 1, "who is there besides, and the operator"
    assert sum(row[3] for row in rows) == sum(row[0] for row in crowds.rows(party.pair.wallet, "SELECT remaining FROM holds"))
    ((total,),) = crowds.rows(party.pair.wallet, "SELECT sum(credits_posted - debits_posted) AS total FROM accounts")
    assert total == 0, "what is debited is not what is credited"
    overdrawn = crowds.rows(party.pair.wallet, "SELECT count(*) AS n FROM entries JOIN accounts ON number = key >> 32 WHERE accounts.kind <> 3 AND balance_after < 0")
    assert overdrawn == [(0,)]


def assert_holds(party):
    """Each in the one state that its clients were told, or expired, or held: and no other transfer has ended it."""
    rows = crowds.rows(party.pair.wallet, "SELECT transfers.id, sequence, amount, state, captured, remaining FROM holds JOIN transfers ON transfer = sequence")
    ends = collections.defaultdict(list)
    for origin, kind, amount in crowds.rows(party.pair.wallet, f"SELECT origin, kind, amount FROM transfers WHERE kind IN (8, {RELEASE}, {EXPIRY})"):
        ends[origin].append((kind, amount))
    assert {str(uuid.UUID(bytes=row[0])) for row in rows} == set(party.books.holds)
    for hold_id, sequence, amount, state, captured, remaining in rows:
        hold, frees = party.books.holds[str(uuid.UUID(bytes=hold_id))], [kind for kind, _ in ends[sequence] if kind != 8]
        assert len(hold.ends) <= 1, f"hold {hold.id} was ended twice: {hold.ends}"
        assert captured == sum(hold.captured) == sum(amount for kind, amount in ends[sequence] if kind == 8), hold.id
        told = hold.ends[0] if hold.ends else "expired" if STATES[state] == "expired" else "held"
        assert STATES[state] == told and (told == "expired") <= hold.is_short and (told == "held") <= (not hold.is_short), f"hold {hold.id} is {STATES[state]}, told was {told}"
        assert remaining == (amount - captured if told == "held" else 0)
        assert [kind for kind in frees if kind == EXPIRY] == ([EXPIRY] if told == "expired" else []), hold.id
        assert len(frees) <= 1 and (RELEASE in frees) == (told == "released" or (told == "captured" and captured < amount)), (hold.id, frees, told)


def test_wallets_among_kills(make_pair, seeded):
    shop = spenders.trusted_shop()
    pair = make_pair(issuers=[shop])
    pair.wallet.start()
    party = spenders.Party(pair, shop, WALLETS)
    spend_among_kills(party, Killer(pair, seeded), seeded)
    wait_expired(pair)
    for _ in range(2):
        assert_every_answer(party)
        assert_balances(party)
        assert_holds(party)
        done = pair.wallet.verify()
        assert done.returncode == 0, done.stdout + done.stderr
        if pair.wallet.process.poll() is None:  # and once more when it has stopped
            assert pair.wallet.stop() == 0
