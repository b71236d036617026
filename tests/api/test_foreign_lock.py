"""Another program holds the database: a short while is waited for, a long one is refused by its right name."""
import concurrent.futures
import sqlite3
import threading

import pytest
import requests

from harness.client import Client, User
from harness.services import DEADLINE_S, Pair, wait_until

pytestmark = pytest.mark.of_sqlite


class Lock:
    """BEGIN IMMEDIATE by somebody else."""

    def __init__(self, service):
        self.database = sqlite3.connect(next(service.data.glob("*.db")), isolation_level=None, timeout=DEADLINE_S, check_same_thread=False)
        self.database.execute("BEGIN IMMEDIATE")

    def give_back(self):
        if self.database.in_transaction:
            self.database.execute("ROLLBACK")

    def close(self):
        self.give_back()
        self.database.close()


@pytest.fixture
def pair(tmp_path):
    pair = Pair(tmp_path).start()
    yield pair
    pair.end()


def test_two_seconds_are_waited_for(pair):
    user = User(Client(pair.wallet.url), Client(pair.discount.url))
    lock = Lock(pair.wallet)
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(User, Client(pair.wallet.url)) for _ in range(8)]
            timer = threading.Timer(2.2, lock.give_back)
            timer.start()
            assert user.balance() == 0  # reads go on
            for one in waiting:
                assert one.result().id  # 201
            timer.join()
    finally:
        lock.close()


@pytest.mark.parametrize("victim", ["wallet", "discount"])
def test_a_long_one_is_refused_by_its_name(pair, victim):
    service = getattr(pair, victim)
    user = User(Client(pair.wallet.url), Client(pair.discount.url))

    def write():
        if victim == "wallet":
            return user.wallet.post("/v1/sessions/refresh", {"refresh_token": user.session["refresh_token"]})
        operator = Client(pair.wallet.url).post("/v1/sessions", {"username": pair.admin_name, "password": pair.admin_password}).json()["access_token"]
        return Client(pair.discount.url, token=operator).post("/v1/campaigns", {"code": "LOCKED", "kind": "wallet_credit", "name": "Locked", "max_redemptions": 1, "credit": {"amount": 1, "currency": "IRT"}})

    lock = Lock(service)
    try:
        answer = write()
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "storage_unavailable", answer.text
        assert "stopping" not in answer.text and int(answer.headers["Retry-After"]) >= 1
        ready = requests.get(f"{service.url}/readyz", timeout=DEADLINE_S)
        assert ready.status_code == 503 and ready.json()["store"] == "unavailable", ready.text
        assert user.balance() == 0
    finally:
        lock.close()
    service.wait_ready()
    wait_until(lambda: write().status_code in (200, 201), "it goes on by itself")
