"""PostgreSQL dies, is replaced, or finds itself with two masters: exactly right, nothing that was acknowledged lost, each doubt settled as it was."""
import contextlib
import shutil
import subprocess

import pytest
import requests

from crash import crowds
from harness.client import Client, User
from harness.cluster import Cluster
from harness.services import BUILD, DEADLINE_S, Discount, Pair, wait_until

USERS, PLACES, CONNECTIONS = crowds.scaled(1200, 60), crowds.scaled(400, 20), crowds.scaled(128, 16)
SPREAD_S = 6 if not crowds.SANITIZER else 20  # of the redemptions, so that the deaths fall among them
DEATHS = 4


@pytest.fixture
def make_cluster():
    made = []

    def make(**settings):
        made.append(Cluster().init().start(**settings))
        return made[-1]

    yield make
    for cluster in made:
        cluster.remove()


@pytest.fixture
def make_pair_on(tmp_path):
    """make_pair_on(url of Wallet's database, url of Discount's)"""
    made = []

    def make(wallet_url, discount_url, **options):
        base = tmp_path / f"pair{len(made)}"
        base.mkdir()
        made.append(Pair(base, wallet_options={"store": wallet_url}, discount_options={"store": discount_url}, **options))
        return made[-1]

    yield make
    with contextlib.ExitStack() as endings:
        for pair in made:
            for service in (pair.wallet, pair.discount):
                endings.callback(end, service)


def end(service):
    if service.process is not None and service.process.poll() is None:
        service.thaw()
        try:
            service.stop()
        except subprocess.TimeoutExpired:
            service.kill()
    crowds.assert_no_finding(service)


def begin_crowd(pair, campaign):
    return pair.crowd(campaign["code"], users=USERS, connections=CONNECTIONS, places=PLACES, rate=max(10, USERS // SPREAD_S), **{"give-up-after": 240})


def assert_right(pair, campaign, output):
    counted = crowds.answers(output)
    assert sum(counted.get(status, 0) for status in (200, 201, 202)) >= PLACES, counted
    crowds.operator_of(pair).wait_settled(campaign["id"])
    crowds.assert_books(pair, campaign["id"], PLACES, PLACES)
    crowds.assert_clean(pair)


def test_a_crowd_among_deaths_of_the_server(make_cluster, make_pair_on, seeded):
    cluster = make_cluster()
    pair = make_pair_on(cluster.url(cluster.create_database()), cluster.url(cluster.create_database())).start()
    campaign = crowds.operator_of(pair).campaign(places=PLACES)
    crowd = begin_crowd(pair, campaign)
    try:
        with crowds.Sampler(pair, campaign, may_break=True) as sampler:
            sampler.wait_for(lambda report: report["redeemed"] > 0, "the first redemption")
            for death in range(DEATHS):
                sampler.wait_for(lambda report, due=PLACES * death // DEATHS: report["redeemed"] >= due, "more redemptions")
                cluster.kill()
                cluster.start()
            output = crowds.finish_crowd(crowd)
    finally:
        if crowd.poll() is None:
            crowd.kill()
    assert_right(pair, campaign, output)


def test_a_standby_takes_over_in_the_middle_of_a_crowd(make_cluster, make_pair_on, tmp_path):
    primary = make_cluster()
    databases = primary.create_database(), primary.create_database()
    standby = primary.make_standby(None)
    try:
        urls = [f"postgres://hamyan@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/{database}" for database in databases]
        pair = make_pair_on(*urls).start()
        campaign = crowds.operator_of(pair).campaign(places=PLACES)
        crowd = begin_crowd(pair, campaign)
        try:
            with crowds.Sampler(pair, campaign, may_break=True) as sampler:
                sampler.wait_for(lambda report: report["redeemed"] >= PLACES // 3, "a third of the redemptions")
                primary.kill()
                standby.promote()
                output = crowds.finish_crowd(crowd)
        finally:
            if crowd.poll() is None:
                crowd.kill()
        assert_right(pair, campaign, output)
    finally:
        standby.remove()


def test_a_server_that_is_away_is_told_and_waited_for(make_cluster, make_pair_on):
    cluster = make_cluster()
    pair = make_pair_on(cluster.url(cluster.create_database()), cluster.url(cluster.create_database())).start()
    operator = crowds.operator_of(pair)
    campaign = operator.campaign(places=10)
    user = User(operator.wallet.with_token(None), operator.discount)
    cluster.kill()
    asked = [("POST", pair.discount.url + "/v1/redemptions", {"code": campaign["code"], "phone": user.phone}),
             ("GET", pair.wallet.url + "/v1/wallet", None), ("GET", pair.discount.url + "/v1/redemptions", None)]
    for method, url, body in asked:
        answer = requests.request(method, url, json=body, headers={"Authorization": f"Bearer {user.token}"}, timeout=DEADLINE_S)
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable"), answer.text
        assert int(answer.headers["Retry-After"]) >= 1
    for service in (pair.wallet, pair.discount):
        wait_until(lambda service=service: requests.get(service.url + "/readyz", timeout=DEADLINE_S).status_code == 503, "not ready is said")
    cluster.start()
    pair.wallet.wait_ready()
    pair.discount.wait_ready()
    won = wait_until(lambda: (answer := user.redeem(campaign["code"])).status_code in (200, 201, 202) and answer, "a redemption")
    assert won.json()["position"] == 1
    wait_until(lambda: user.balance() == won.json()["credit"]["amount"], "the credit")
    crowds.assert_clean(pair)


def test_who_was_stopped_and_continued_writes_nothing(make_cluster, make_pair_on, tmp_path):
    """A second discountd takes over when the lease of the first is over; the first wakes up, finds that out, and ends."""
    cluster = make_cluster()
    database = cluster.create_database()
    pair = make_pair_on(cluster.url(cluster.create_database()), cluster.url(database)).start()
    operator = crowds.operator_of(pair)
    campaign = operator.campaign(places=10)
    first, second, third = (User(operator.wallet.with_token(None), operator.discount) for _ in range(3))
    assert first.redeem(campaign["code"]).status_code == 201

    old = pair.discount
    old.freeze()
    base = tmp_path / "second"
    base.mkdir()
    shutil.copytree(old.data, base / "discountd")
    new = Discount(base, pair.wallet.url, store=old.store)
    new.port, new.url = old.port, old.url  # Wallet knows the keys' address
    words = [BUILD / "discountd", "serve", "--data", new.data, "--store", new.store, "--wallet", pair.wallet.url, "--listen", "127.0.0.1:0"]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert refused.returncode != 0
    assert "another process" in refused.stderr, refused.stderr
    new = Discount(base, pair.wallet.url, store=old.store)
    try:
        def has_started():
            new.start(wait=False)
            wait_until(lambda: new.process.poll() is not None or is_ready(new), "an end or a start")
            return new.process.poll() is None

        wait_until(has_started, "the end of the lease", deadline_s=4 * DEADLINE_S)
        late = Client(new.url, token=second.token).post("/v1/redemptions", {"code": campaign["code"], "phone": second.phone})
        assert late.status_code in (201, 202) and late.json()["position"] == 2, late.text

        sent = requests.Request("POST", old.url + "/v1/redemptions", json={"code": campaign["code"], "phone": third.phone},
                                headers={"Authorization": f"Bearer {third.token}"}).prepare()
        old.thaw()
        with contextlib.suppress(requests.RequestException):  # it may be gone before it answers
            with requests.Session() as session:
                answer = session.send(sent, timeout=DEADLINE_S)
                assert answer.status_code == 503, answer.text
        assert old.process.wait(DEADLINE_S) == 1
        assert any("another process" in event["reason"] for event in old.events("stopped")), old.tail()
        found = crowds.redemptions(pair, campaign["id"])
        assert [row[0] for row in found] == [1, 2]
    finally:
        end(new)
    assert new.verify().returncode == 0


def is_ready(service):
    with contextlib.suppress(requests.RequestException):
        return requests.get(service.url + "/readyz", timeout=5).status_code == 200
    return False
