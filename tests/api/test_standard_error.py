"""Standard error: a pipe that nobody reads, a log that strangers want to fill, and a descriptor that is closed."""
import json
import os
import pathlib
import socket
import subprocess

import pytest

from harness.client import Client, User
from harness.services import BUILD, DEADLINE_S, Pair, wait_until

SHELL = ["/bin/sh", "-c"]
FAULTY = b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"


def faulty_requests(service, count):
    """As many connections, each with a head that breaks a rule; all are answered 400."""
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE_S) as connection:
            connection.sendall(FAULTY)
            assert connection.recv(64).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("victim", ["wallet", "discount"])
def test_a_full_pipe_stops_nothing(tmp_path, victim):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    wrapper = [*SHELL, f'exec "$@" 2>{pipe}', "sh"]
    pair = Pair(tmp_path, **{f"{victim}_options": {"wrapper": wrapper}, f"{victim}_arguments": ("--log-level", "debug")})
    service = getattr(pair, victim)
    try:
        pair.start()
        client = Client(service.url)
        for _ in range(2500):  # some 300 bytes each: the ring and the pipe are full
            assert client.get("/healthz").status_code == 200
        lost = wait_until(lambda: next((line.split()[1] for line in client.get("/metrics").text.splitlines() if line.startswith(f"{service.program}_log_lines_lost_total ")), None), "the metric")
        if lost == "0":
            for _ in range(2500):
                assert client.get("/healthz").status_code == 200
        assert User(Client(pair.wallet.url), Client(pair.discount.url)).balance() == 0
        service.process.terminate()
        assert service.process.wait(DEADLINE_S) == 0
        text = b""
        while piece := os.read(reader, 1 << 16):
            text += piece
        assert text.endswith(b"}\n")
        for line in text.splitlines():
            json.loads(line)
    finally:
        os.close(reader)
        pair.end()


def test_lines_that_are_lost_are_counted(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    pair = Pair(tmp_path, wallet_options={"wrapper": [*SHELL, f'exec "$@" 2>{pipe}', "sh"]}, wallet_arguments=("--log-level", "debug"))
    try:
        pair.wallet.start()
        client = Client(pair.wallet.url)
        for _ in range(4000):
            assert client.get("/healthz").status_code == 200
        lost = next(line for line in client.get("/metrics").text.splitlines() if line.startswith("walletd_log_lines_lost_total "))
        assert int(lost.split()[1]) > 0
        text = b""

        def said():
            nonlocal text
            try:
                text += os.read(reader, 1 << 16)
            except BlockingIOError:
                pass
            return b'"log_lines_lost"' in text

        wait_until(said, "how many were lost is said when there is room again")
        line = next(json.loads(line) for line in text.splitlines() if b'"log_lines_lost"' in line)
        assert line["level"] == "warn" and line["count"] > 0
    finally:
        pair.wallet.process.kill()
        pair.wallet.process.wait(DEADLINE_S)
        os.close(reader)


@pytest.mark.parametrize("victim", ["wallet", "discount"])
def test_strangers_do_not_fill_the_log(tmp_path, victim):
    pair = Pair(tmp_path)
    service = getattr(pair, victim)
    try:
        service.start()
        faulty_requests(service, 2000)
        client = Client(service.url)
        for _ in range(2000):
            client.get("/healthz", headers={"traceparent": f"00-{os.urandom(16).hex()}-00f067aa0ba902b7-01"})
        text = client.get("/metrics").text
        left_out = next(line for line in text.splitlines() if line.startswith(f"{service.program}_log_lines_left_out_total "))
        assert int(left_out.split()[1]) > 3000
        assert len(service.events("request_faulty")) <= 6
        assert service.log.stat().st_size < 400_000
    finally:
        service.end()


@pytest.mark.parametrize("victim", ["wallet", "discount"])
@pytest.mark.parametrize("closed", ["2>&-", "0<&- 1>&- 2>&-"])
def test_closed_descriptors_are_nobodys(tmp_path, victim, closed):
    pair = Pair(tmp_path)
    service = getattr(pair, victim)
    service.wrapper = [*SHELL, f'exec "$@" {closed}', "sh"]
    try:
        pair.start()
        faulty_requests(service, 3)
        assert User(Client(pair.wallet.url), Client(pair.discount.url)).balance() == 0
        folder = pathlib.Path(f"/proc/{service.process.pid}/fd")
        assert os.readlink(folder / "2") == "/dev/null"
        if service.store is None:
            for lock in service.data.glob("*.lock"):
                assert lock.read_bytes() == f"{service.process.pid}\n".encode()
    finally:
        pair.end()
    assert service.verify().returncode == 0


def test_the_commands_and_the_crowd_stand_on_closed_descriptors(tmp_path):
    pair = Pair(tmp_path)
    for program, words in (("walletd", ["verify", "--data", pair.wallet.data, *pair.wallet.store_words]),
                           ("discountd", ["verify", "--data", pair.discount.data, *pair.discount.store_words]), ("crowd", ["--help"])):
        done = subprocess.run([*SHELL, 'exec "$@" 0<&- 1>&- 2>&-', "sh", BUILD / program, *words], timeout=DEADLINE_S, check=False)
        assert done.returncode == 0, program
