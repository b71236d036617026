"""The report and the list of winners: exact at every moment."""
import csv
import datetime
import io
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

from harness.client import Client
from harness.raw import RawConnection, request_bytes
from harness.world import assert_problem

CREDIT = 1_000_000
REASONS = {"sold_out", "already_redeemed", "phone_already_redeemed", "phone_mismatch", "phone_missing", "phone_unverified", "campaign_not_started", "campaign_paused", "campaign_ended", "campaign_recovering",
           "campaign_not_funded", "user_limit_reached", "phone_limit_reached", "budget_exhausted", "daily_limit_reached", "order_too_small", "not_eligible", "approval_pending"}


def check_arithmetic(report):
    assert report["redeemed"] + report["remaining"] == report["max_redemptions"], report
    assert report["credited"] + report["pending"] + report["failed"] == report["redeemed"], report
    assert report["credited"] <= report["redeemed"], report
    assert set(report["rejected"]) == REASONS
    assert report["attempts"] == report["redeemed"] + sum(report["rejected"].values()), report
    assert (report["orders"], report["budget"], report["by_batch"], report["waiting"]) == (None, None, [], 0)
    check_times(report, report["per_second"], r"^.{19}\.000000Z$")
    check_times(report, report["per_minute"], r"^.{17}00\.000000Z$")
    by_minute = {}
    for row in report["per_second"]:
        counts = by_minute.setdefault(row[0][:16], [0, 0, 0])
        counts[:] = [count + more for count, more in zip(counts, row[1:])]
    assert {row[0][:16]: row[1:] for row in report["per_minute"]} == by_minute


def check_times(report, rows, form):
    """Of a campaign that is younger than 15 minutes."""
    assert sum(row[1] for row in rows) == report["redeemed"], report
    assert sum(row[2] for row in rows) == report["credited"], report
    times = [row[0] for row in rows]
    assert times == sorted(set(times)) and all(re.match(form, time) for time in times)
    for row in rows:
        assert sum(row[1:]) > 0


def test_a_campaign_that_nobody_has_seen(world):
    campaign = world.operator.campaign(places=7)
    report = world.operator.report(campaign["id"])
    check_arithmetic(report)
    assert (report["campaign_id"], report["max_redemptions"], report["redeemed"], report["remaining"], report["attempts"]) == (campaign["id"], 7, 0, 7, 0)
    assert (report["first_redeemed_at"], report["last_redeemed_at"], report["exhausted_at"], report["rate_per_second"], report["per_second"], report["per_minute"]) == (None, None, None, 0, [], [])
    assert report["latency"] == {"p50_ms": 0, "p99_ms": 0}
    assert world.operator.winners(campaign["id"]) == []


def test_each_attempt_is_counted_by_its_outcome(world):
    campaign = world.operator.campaign(places=2)
    path = f"/v1/campaigns/{campaign['id']}"
    winner, second, late, other = world.user(), world.user(), world.user(), world.user(with_phone=False)
    first = winner.redeem(campaign["code"]).json()
    assert winner.redeem(campaign["code"]).status_code == 200
    assert_problem(other.redeem(campaign["code"], winner.phone), 409, "phone_missing")
    assert_problem(second.redeem(campaign["code"], winner.phone), 422, "phone_mismatch")
    world.operator.discount.post(f"{path}/pause")
    assert_problem(second.redeem(campaign["code"]), 409, "campaign_paused")
    world.operator.discount.post(f"{path}/resume")
    before = world.operator.report(campaign["id"])
    check_arithmetic(before)
    last = second.redeem(campaign["code"]).json()
    for _ in range(3):
        assert_problem(late.redeem(campaign["code"]), 410, "sold_out")
    assert winner.redeem(campaign["code"]).status_code == 200
    report = world.operator.report(campaign["id"])
    check_arithmetic(report)
    assert report["rejected"] == {"sold_out": 3, "already_redeemed": 2, "phone_already_redeemed": 0, "phone_mismatch": 1, "phone_missing": 1, "phone_unverified": 0,
                                  "campaign_not_started": 0, "campaign_paused": 1, "campaign_ended": 0, "campaign_recovering": 0, "campaign_not_funded": 0,
                                  "user_limit_reached": 0, "phone_limit_reached": 0, "budget_exhausted": 0, "daily_limit_reached": 0, "order_too_small": 0, "not_eligible": 0, "approval_pending": 0}
    assert (report["redeemed"], report["credited"], report["pending"], report["failed"], report["attempts"]) == (2, 2, 0, 0, 10)
    assert (report["first_redeemed_at"], report["last_redeemed_at"], report["exhausted_at"]) == (first["claimed_at"], last["claimed_at"], last["claimed_at"])
    assert report["sequence"] > before["sequence"] and report["as_of"] > before["as_of"]
    assert 0 < report["latency"]["p50_ms"] <= report["latency"]["p99_ms"]
    assert report["rate_per_second"] > 0
    world.operator.discount.post(f"{path}/end")
    assert_problem(late.redeem(campaign["code"]), 410, "campaign_ended")
    assert world.operator.report(campaign["id"])["rejected"]["campaign_ended"] == 1
    said = world.pair.discount.verify().stderr.splitlines()[-1]
    done, of = re.fullmatch(r"redemptions: (\d+) of (\d+)", said).groups()
    assert int(done) == int(of) >= 2


def test_a_phone_that_has_won_is_counted(world):
    campaign = world.operator.campaign(phone="any")
    winner, second = world.user(), world.user()
    assert winner.redeem(campaign["code"]).status_code == 201
    assert_problem(second.redeem(campaign["code"], winner.phone), 409, "phone_already_redeemed")
    assert world.operator.report(campaign["id"])["rejected"]["phone_already_redeemed"] == 1


def test_too_early_is_counted(world):
    campaign = world.operator.campaign(starts_at="2090-01-01T00:00:00Z")
    assert_problem(world.user().redeem(campaign["code"]), 409, "campaign_not_started")
    assert world.operator.report(campaign["id"])["rejected"]["campaign_not_started"] == 1


def test_the_report_is_current(world):
    """The very next report after an answer has it."""
    campaign = world.operator.campaign(places=5)
    for count in range(1, 6):
        assert world.user().redeem(campaign["code"]).status_code == 201
        report = world.operator.report(campaign["id"])
        check_arithmetic(report)
        assert (report["redeemed"], report["credited"]) == (count, count)
        as_of = datetime.datetime.fromisoformat(report["as_of"].replace("Z", "+00:00"))
        assert abs((datetime.datetime.now(datetime.timezone.utc) - as_of).total_seconds()) < 10


def test_every_report_in_the_middle_of_a_crowd_is_exact(world):
    places, users = 60, [world.user() for _ in range(200)]
    campaign = world.operator.campaign(places=places)
    port = world.pair.discount.port
    reports, faults, done = [], [], threading.Event()

    def watch():
        client = Client(world.discount.base_url, world.discount.check, world.operator.token)
        try:
            while True:
                last = done.is_set()
                reports.append(client.get(f"/v1/campaigns/{campaign['id']}/report").json())
                if last:
                    return
        except Exception as error:
            faults.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    answers = []
    connections = [RawConnection(port) for _ in range(20)]
    try:
        for start in range(0, len(users), len(connections)):
            group = users[start:start + len(connections)]
            for connection, user in zip(connections, group):
                body = json.dumps({"code": campaign["code"], "phone": user.phone}).encode()
                connection.send(request_bytes("POST", "/v1/redemptions", {"Content-Type": "application/json", "Authorization": f"Bearer {user.token}"}, body))
            answers += [connection.read_answer() for connection, _ in zip(connections, group)]
        world.operator.wait_settled(campaign["id"])
    finally:
        done.set()
        watcher.join()
        for connection in connections:
            connection.socket.close()
    assert not faults, faults
    statuses = [answer.status for answer in answers]
    assert statuses.count(410) == len(users) - places and set(statuses) <= {201, 202, 410}
    for report in reports:
        check_arithmetic(report)
    for earlier, later in zip(reports, reports[1:]):
        for name in ("redeemed", "credited", "attempts", "sequence", "as_of"):
            assert earlier[name] <= later[name], name
    assert len({report["redeemed"] for report in reports}) > 2, "the crowd was over before anybody looked"
    last = reports[-1]
    assert (last["redeemed"], last["credited"], last["remaining"], last["rejected"]["sold_out"]) == (places, places, 0, len(users) - places)
    winners = world.operator.winners(campaign["id"])
    assert [row["position"] for row in winners] == list(range(1, places + 1))
    assert last["exhausted_at"] == winners[-1]["claimed_at"] and last["first_redeemed_at"] == winners[0]["claimed_at"]


def test_winners_by_position(world):
    campaign = world.operator.campaign(places=5)
    redemptions = [world.user().redeem(campaign["code"]).json() for _ in range(5)]
    assert world.operator.winners(campaign["id"]) == redemptions


def test_winners_as_csv(world):
    campaign = world.operator.campaign(places=5)
    redemptions = [world.user().redeem(campaign["code"]).json() for _ in range(5)]
    path, rows, seen = f"/v1/campaigns/{campaign['id']}/redemptions?limit=2", [], 0
    while path is not None:
        answer = world.operator.discount.get(path, headers={"Accept": "text/csv"})
        assert answer.status_code == 200 and answer.headers["Content-Type"].split(";")[0] == "text/csv"
        assert answer.content.endswith(b"\r\n") and answer.content.count(b"\n") == answer.content.count(b"\r\n")
        page = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8"), newline="")))
        assert len(page) <= 2
        rows += page
        seen += 1
        assert seen < 10
        link = answer.headers.get("Link")
        path = None if link is None else re.match(r'^<([^>]+)>; *rel="?next"?$', link).group(1)
    assert list(rows[0]) == ["position", "id", "user_id", "phone", "status", "amount", "currency", "transaction_id", "claimed_at", "credited_at"]
    assert rows == [{"position": str(redemption["position"]), **{name: redemption[name] for name in ("id", "user_id", "phone", "status", "transaction_id", "claimed_at", "credited_at")},
                     "amount": str(CREDIT), "currency": "IRT"} for redemption in redemptions]


def test_csv_of_one_sequence_in_the_middle_of_a_crowd(world):
    """Each file holds the winners of the sequence that it names: as many as the report of that sequence counts."""
    campaign, taken = world.operator.campaign(places=40), {}
    path, users = f"/v1/campaigns/{campaign['id']}/redemptions", [world.user() for _ in range(40)]

    def look():
        report = world.operator.report(campaign["id"])
        taken[report["sequence"]] = report["redeemed"]

    with ThreadPoolExecutor(8) as pool:
        crowd = [pool.submit(user.redeem, campaign["code"]) for user in users]
        files = []
        while not all(one.done() for one in crowd) or not files:
            look()
            answer = world.operator.discount.get(path, headers={"Accept": "text/csv"})
            files.append((int(answer.headers["Campaign-Sequence"]), [int(row["position"]) for row in csv.DictReader(io.StringIO(answer.text))]))
            look()
    look()
    for sequence, positions in files:
        assert positions == list(range(1, len(positions) + 1))
        assert taken.get(sequence, len(positions)) == len(positions)
        assert max(count for at, count in taken.items() if at <= sequence) <= len(positions) <= min(count for at, count in taken.items() if at >= sequence)
    assert [one.result().status_code for one in crowd] == [201] * 40
    assert "Campaign-Sequence" not in world.operator.discount.get(path).headers


def test_csv_or_json_as_wanted(world):
    campaign = world.operator.campaign(places=5)
    path = f"/v1/campaigns/{campaign['id']}/redemptions"
    for accept, media_type in (("text/csv", "text/csv"), ("application/json", "application/json"), ("*/*", "application/json"), (None, "application/json"),
                               ("text/csv;q=0.5, application/json", "application/json"), ("application/json;q=0.5, text/*", "text/csv")):
        answer = world.operator.discount.get(path, headers={"Accept": accept})
        assert answer.headers["Content-Type"].split(";")[0] == media_type, accept
    assert_problem(world.operator.discount.get(path, headers={"Accept": "text/html"}), 406, "not_acceptable")
    answer = world.operator.discount.get(path, headers={"Accept": "text/csv"})
    assert answer.content == b"position,id,user_id,phone,status,amount,currency,transaction_id,claimed_at,credited_at\r\n"
