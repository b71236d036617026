"""Answers that are longer than anybody's memory: all winners of a campaign as CSV, made while they are sent."""
import csv
import io
import signal
import socket
import uuid

import pytest
import requests

from crash.crowds import SANITIZER
from harness.raw import RawConnection, request_bytes
from harness.services import DEADLINE_S, wait_until
from harness.world import assert_problem

WINNERS = 100_000
HEAD = "position,id,user_id,phone,status,amount,currency,transaction_id,claimed_at,credited_at"
# What one answer costs besides what it holds, and what the rest of a test leaves: 4.4 MiB of pages of SQLite's, 2.7 MiB of libpq's and the allocator's.
# The whole file is 20 MiB. A sanitizer keeps what was freed.
MOST_KIB = 1024 * 1024 if SANITIZER else 8 * 1024
# Who does not read holds a piece of 16 KiB with its head in a buffer of 32, and the arenas of its exchange and its reading: 42 KiB were seen on SQLite,
# 38 on PostgreSQL. All of them together stay below one whole file.
SLEEPERS = 100
SLEEPER_KIB = 64

# Winners by the thousand, each of them credited: positions :first to :last of campaign :number.
COUNTS = "UPDATE campaigns SET redeemed = {last}, credited = {last}, settled_position = {last}, spent = amount * {last}, sequence = sequence + {last}, first_redeemed_at = {at}, last_redeemed_at = {at}"
SQLITE = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last})
INSERT INTO redemptions (key, id, campaign_number, user_id, phone, status, claimed_at, settled_at, transaction_id)
SELECT (1 << 32) + i, CAST(printf('r%015d', i) AS BLOB), 1, CAST(printf('u%015d', i) AS BLOB), printf('+98911%07d', i), 1, {at}, {at} + i, CAST(printf('t%015d', i) AS BLOB) FROM n;
"""
POSTGRES = """
INSERT INTO redemptions (key, id, campaign_number, user_id, phone, status, claimed_at, settled_at, transaction_id)
SELECT (1::bigint << 32) + i, ('a' || lpad(i::text, 31, '0'))::uuid, 1, ('b' || lpad(i::text, 31, '0'))::uuid, '+98911' || lpad(i::text, 7, '0'), 1, {at}, {at} + i, ('c' || lpad(i::text, 31, '0'))::uuid
FROM generate_series(1, {last}) i;
"""
# Wallet's side of it: what the only fund has paid, in one entry, so that its audit of itself finds the sums it expects.
PAID = """
UPDATE funds SET credited = {paid};
INSERT INTO entries (key, transfer, amount, balance_after, kind, created_at)
SELECT (number << 32) + sequence + 1, 1, -{paid}, credits_posted - {paid}, 1, updated_at FROM accounts WHERE number IN (SELECT account FROM funds);
UPDATE accounts SET debits_posted = {paid}, sequence = sequence + 1 WHERE number IN (SELECT account FROM funds);
"""


@pytest.fixture
def crowded(make_world):
    """A pair with one campaign, WINNERS of its places taken and two left."""
    world = make_world()
    campaign = world.operator.campaign(places=WINNERS + 2)
    wallet, discount = world.pair.wallet, world.pair.discount
    assert discount.stop() == 0 and wallet.stop() == 0
    wallet.write_sql(PAID.format(paid=WINNERS * campaign["credit"]["amount"]))  # else they would be sent again
    wallet.start()
    discount.write_sql((POSTGRES if discount.store else SQLITE).format(last=WINNERS, at=1_790_000_000_000_000) + COUNTS.format(last=WINNERS, at=1_790_000_000_000_000))
    discount.start()
    world.connect()
    world.campaign = campaign
    world.path = f"/v1/campaigns/{campaign['id']}/redemptions"
    return world


def get(world, query="", **options):
    headers = {"Accept": "text/csv", "Authorization": f"Bearer {world.operator.discount.token}"}
    return requests.get(world.pair.discount.url + world.path + query, headers=headers, timeout=DEADLINE_S, **options)


def begin(world):
    """One that has the head of its answer, and reads no further; its window takes little."""
    connection = RawConnection.__new__(RawConnection)
    connection.buffer = b""
    connection.socket = socket.socket()
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    connection.socket.settimeout(DEADLINE_S)
    connection.socket.connect(("127.0.0.1", world.pair.discount.port))
    connection.send(request_bytes("GET", world.path, {"Accept": "text/csv", "Authorization": f"Bearer {world.operator.discount.token}"}))
    while b"\r\n\r\n" not in connection.buffer:
        connection.buffer += connection.socket.recv(1024)
    assert connection.buffer.startswith(b"HTTP/1.1 200 ")
    return connection


def read_chunks(connection):
    """The body; None: it has no end."""
    rest = connection.buffer.partition(b"\r\n\r\n")[2]
    while not rest.endswith(b"\r\n0\r\n\r\n"):
        piece = connection.socket.recv(1 << 16)
        if piece == b"":
            return None
        rest += piece
    body = bytearray()
    at = 0
    while True:
        end = rest.index(b"\r\n", at)
        size = int(rest[at:end], 16)
        if size == 0:
            return bytes(body)
        body += rest[end + 2:end + 2 + size]
        at = end + 2 + size + 2


def positions(body):
    lines = body.decode().split("\r\n")
    assert lines[0] == HEAD and lines[-1] == ""
    return [int(line.partition(",")[0]) for line in lines[1:-1]]


def test_all_winners_come_as_of_one_moment(crowded):
    service = crowded.pair.discount
    before_kib = service.rss_kib()
    sequence = crowded.operator.report(crowded.campaign["id"])["sequence"]
    with get(crowded, stream=True) as answer:
        assert answer.headers["Campaign-Sequence"] == str(sequence) and "Content-Disposition" not in answer.headers
        assert answer.status_code == 200 and answer.headers["Transfer-Encoding"] == "chunked" and "Link" not in answer.headers
        pieces = answer.iter_content(1 << 16)
        body = bytearray(next(pieces))
        late = crowded.user().redeem(crowded.campaign["code"])
        assert late.status_code == 201, late.text
        assert late.json()["position"] == WINNERS + 1
        peak_kib = 0
        for piece in pieces:
            body += piece
            peak_kib = max(peak_kib, service.rss_kib())
    assert positions(bytes(body)) == list(range(1, WINNERS + 1))
    assert len(body) > 15_000_000 and peak_kib - before_kib < MOST_KIB
    rows = list(csv.DictReader(io.StringIO(bytes(body[:100_000]).decode(), newline="")))
    assert rows[6]["phone"] == "+989110000007" and rows[6]["status"] == "credited" and rows[6]["amount"] == "1000000"
    assert rows[6]["credited_at"] > rows[6]["claimed_at"] and uuid.UUID(rows[6]["transaction_id"])
    again = get(crowded)
    assert positions(again.content)[-1] == WINNERS + 1 and int(again.headers["Campaign-Sequence"]) > sequence


def test_a_page_says_where_the_next_one_begins(crowded):
    path, seen, pages = "?limit=10000&for=spreadsheet", [], 0
    while path is not None:
        answer = get(crowded, path)
        assert answer.status_code == 200 and answer.content.startswith(b"\xef\xbb\xbf")
        seen += positions(answer.content.removeprefix(b"\xef\xbb\xbf"))
        pages += 1
        path = answer.links["next"]["url"].partition("redemptions")[2] if "next" in answer.links else None
    assert seen == list(range(1, WINNERS + 1)) and pages == WINNERS // 10000
    cursor = get(crowded, "?limit=10000").links["next"]["url"].partition("cursor=")[2]
    assert positions(get(crowded, f"?cursor={cursor}").content) == list(range(10001, WINNERS + 1))


def test_clients_that_do_not_read_cost_a_piece_each(crowded):
    service = crowded.pair.discount
    assert positions(get(crowded).content)  # what one costs is there
    before_kib = service.rss_kib()
    sleepers = [begin(crowded) for _ in range(SLEEPERS)]
    try:
        user = crowded.user()
        assert user.redeem(crowded.campaign["code"]).status_code == 201  # nobody else waits for them
        assert service.rss_kib() - before_kib < MOST_KIB + SLEEPERS * SLEEPER_KIB
        assert positions(read_chunks(sleepers[0])) == list(range(1, WINNERS + 1))
    finally:
        for connection in sleepers:
            connection.socket.close()


def test_clients_that_leave_in_the_middle_leave_nothing(crowded):
    service = crowded.pair.discount
    assert positions(get(crowded).content)
    before_kib = service.rss_kib()
    for turn in range(500):
        connection = begin(crowded)
        for _ in range(turn % 8):
            connection.socket.recv(1 << 16)
        connection.socket.close()
    assert positions(get(crowded).content)[-1] == WINNERS
    assert service.rss_kib() - before_kib < MOST_KIB


def test_a_drain_sends_it_to_its_end(crowded):
    service = crowded.pair.discount
    with begin(crowded) as connection:
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: service.events("draining") or b"drain" in service.log.read_bytes(), "the drain")
        assert positions(read_chunks(connection)) == list(range(1, WINNERS + 1))
    assert service.process.wait(DEADLINE_S) == 0, service.tail()


def test_what_is_missing_in_the_middle_is_no_end(crowded):
    crowded.pair.discount.write_sql(f"DELETE FROM redemptions WHERE key = {(1 << 32) + 60_000};")
    with begin(crowded) as connection:
        assert read_chunks(connection) is None
    assert crowded.pair.discount.events("stream_failed")
    assert get(crowded, "?limit=100").status_code == 200


def test_the_first_piece_that_can_not_be_read_is_a_refusal(crowded):
    crowded.pair.discount.write_sql(f"DELETE FROM redemptions WHERE key = {(1 << 32) + 7};")
    answer = crowded.operator.discount.get(crowded.path, headers={"Accept": "text/csv"})
    assert_problem(answer, 500, "storage_corrupt")


def test_for_a_spreadsheet(world):
    campaign = world.operator.campaign(places=5)
    redemption = world.user().redeem(campaign["code"]).json()
    path = f"/v1/campaigns/{campaign['id']}/redemptions"
    answer = world.operator.discount.get(f"{path}?for=spreadsheet", headers={"Accept": "text/csv"})
    assert answer.content.startswith(b"\xef\xbb\xbf" + HEAD.encode())
    sequence = world.operator.report(campaign["id"])["sequence"]
    assert answer.headers["Campaign-Sequence"] == str(sequence)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="winners-{campaign["id"]}-{sequence}.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert row["phone"] == "'" + redemption["phone"] and row["position"] == "1" and row["amount"] == "1000000" and row["id"] == redemption["id"]
    for query, accept in (("for=people", "text/csv"), ("for=", "text/csv"), ("for=spreadsheet", "application/json"), ("for=spreadsheet&for=spreadsheet", "text/csv")):
        assert_problem(world.operator.discount.get(f"{path}?{query}", headers={"Accept": accept}), 422, "validation_failed", ["for"])
    empty = world.operator.discount.get(f"/v1/campaigns/{world.operator.campaign(places=5)['id']}/redemptions?for=spreadsheet", headers={"Accept": "text/csv"})
    assert empty.content == b"\xef\xbb\xbf" + HEAD.encode() + b"\r\n"
