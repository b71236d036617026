"""A disk with room for a page and not for a batch: a small tmpfs, and a service on it that must say so once, and recover by itself."""
import os
import subprocess
import uuid

import pytest
import requests

from harness.client import Client, User
from harness.services import DEADLINE_S, Pair, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a small file system is mounted")
PAGE = 4096


@pytest.fixture
def small(tmp_path):
    """A folder on a file system of 24 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", folder], capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder, leave):
    """Takes all but so many bytes."""
    with open(folder / "ballast", "ab") as file:
        while (free := os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - leave) > 0:
            file.write(bytes(free))
            file.flush()


def registration():
    return {"username": f"d-{uuid.uuid4().hex[:16]}", "password": "correct horse battery"}


def readiness(service):
    return requests.get(f"{service.url}/readyz", timeout=DEADLINE_S)


@pytest.mark.parametrize("leave", [0, 3 * PAGE, 16 * PAGE])
def test_a_disk_that_is_nearly_full(small, leave):
    pair = Pair(small)
    pair.wallet.log = small.parent / "walletd.log"
    service, client = pair.wallet, Client(pair.wallet.url)
    try:
        service.start()
        user = User(client)
        fill(small, leave)
        answers = []

        def is_full():
            for _ in range(20):
                answers.append(client.post("/v1/users", registration()))
                fill(small, leave)
            return readiness(service).status_code == 503

        wait_until(is_full, "the disk is full, and that is said")
        for _ in range(100):
            answer = client.post("/v1/users", registration())
            assert answer.status_code in (201, 503), answer.text
            if answer.status_code == 503:
                assert answer.json()["code"] == "storage_unavailable" and int(answer.headers["Retry-After"]) >= 1
                ready = readiness(service)
                assert (ready.status_code, ready.json()["store"]) == (503, "full"), ready.text
            assert user.balance() == 0
        assert any(answer.status_code == 503 for answer in answers)
        assert len(service.events("store_unwritable")) <= 2, service.tail()
        lines = [event for name in ("store_unwritable", "store_writable", "database_failed", "request_failed") for event in service.events(name)]
        assert len(lines) <= 8, lines

        (small / "ballast").unlink()
        service.wait_ready()
        assert client.post("/v1/users", registration()).status_code == 201
        assert readiness(service).json()["store"] == "ok"
        wait_until(lambda: len(service.events("store_writable")) == len(service.events("store_unwritable")), "that it is back is said")
    finally:
        service.end()
    assert service.verify().returncode == 0
