"""One stranger with all the connections it can get: it takes up what nobody else wants, and nothing of it stays."""
import contextlib
import pathlib
import socket

import pytest

from crash.crowds import SANITIZER
from harness.client import Client
from harness.raw import RawConnection
from harness.services import Discount, Wallet, wait_until

SERVICES = ["wallet", "discount"]
STRANGER, PROXY = "127.0.0.9", "127.0.0.5"
GET = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: a\r\n\r\n"
PLACES = 8
BODY_BYTES = 64 * 1024
BODIES_MAX_KIB = 32 * 1024  # LIMIT_BODIES_BYTES
# A sanitizer keeps what was freed, and shadows of it.
SPARE_KIB = (1024 if SANITIZER else 16) * 1024
GIVEN_BACK_KIB = (1024 if SANITIZER else 12) * 1024


class From(RawConnection):
    """A connection that begins at one address of this host."""

    def __init__(self, port, address):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(address, 0))
        self.buffer = b""

    def asks(self):
        self.send(GET)
        answer = self.read_answer()
        assert answer is not None and answer.status == 200
        return self

    def is_open(self):
        """Without waiting: whether the other side has not closed it."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        finally:
            self.socket.settimeout(60)


def make_service(name, base, *arguments):
    service = Wallet(base, *arguments) if name == "wallet" else Discount(base, "http://127.0.0.1:1", *arguments)
    return service.init().start()


class Crowd(contextlib.ExitStack):
    """Connections that are closed at the end, whatever happens: a service that stops waits for the requests in them."""

    def __call__(self, port, address, count=1):
        return [self.enter_context(From(port, address)) for _ in range(count)]


@pytest.fixture
def crowd():
    with Crowd() as stack:
        yield stack


@pytest.fixture(params=SERVICES)
def small(request, tmp_path):
    service = make_service(request.param, tmp_path, "--connections", PLACES, "--trusted-proxies", PROXY, "--head-timeout", 600000, "--body-timeout", 600000)
    wait_until(lambda: int(metric(service, "http_connections")) <= 1, "only the one who asks")
    yield service
    service.end()


def metric(service, name):
    lines = Client(service.url).get("/metrics", headers={"Connection": "close"}).text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{service.program}_{name} ")).split()[1])


def test_idle_connections_of_one_client_make_room(small, crowd):
    [honest] = crowd(small.port, "127.0.0.1")
    honest.asks()
    held = [connection.asks() for connection in crowd(small.port, STRANGER, PLACES - 1)]
    newcomers = [connection.asks() for connection in crowd(small.port, "127.0.0.2") + crowd(small.port, "127.0.0.3")]
    assert [connection.is_open() for connection in held] == [False, False] + [True] * (PLACES - 3)  # its own, the oldest first
    assert honest.is_open() and all(connection.is_open() for connection in newcomers)
    assert metric(small, "http_connections_displaced_total") >= 2
    assert small.events("connection_displaced")[0]["address"] == STRANGER


def test_a_stranger_displaces_nobody_but_itself(small, crowd):
    honest = [connection.asks() for address in ("127.0.0.1", "127.0.0.2", "127.0.0.3") for connection in crowd(small.port, address)]
    for _ in range(5 * PLACES):
        crowd(small.port, STRANGER)[0].asks()
    assert all(connection.is_open() for connection in honest)


def make_room(service, crowd, begun):
    held = crowd(service.port, STRANGER, PLACES)
    for connection in held:
        connection.send(begun)
    for address in ("127.0.0.2", "127.0.0.3"):
        crowd(service.port, address)[0].asks()
    wait_until(lambda: [connection.is_open() for connection in held].count(False) == 2, "two of them made room")


def test_heads_that_never_end_make_room_as_well(small, crowd):
    make_room(small, crowd, b"GET / HT")


@pytest.mark.parametrize("small", ["wallet"], indirect=True)
def test_bodies_that_never_end_make_room_as_well(small, crowd):
    """Every body of Discount needs a token."""
    make_room(small, crowd, b"POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")


def test_a_proxys_connections_stay(small, crowd):
    kept = [connection.asks() for connection in crowd(small.port, PROXY, 5)]
    held = [connection.asks() for connection in crowd(small.port, STRANGER, 3)]
    crowd(small.port, "127.0.0.2")[0].asks()
    assert all(connection.is_open() for connection in kept) and not held[0].is_open() and held[1].is_open() and held[2].is_open()


def test_bodies_hold_bounded_memory_and_give_it_back(tmp_path, crowd):
    service = make_service("wallet", tmp_path)
    try:
        wallet = Client(service.url)
        wallet.post("/v1/sessions", {"username": "nobody", "password": "wrong password"})
        before_kib = service.rss_kib()
        head = f"POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n".encode()
        held = crowd(service.port, STRANGER, 1000)
        for connection in held:
            with contextlib.suppress(ConnectionError):  # some of the first have made room meanwhile
                connection.send(head + b"x" * (BODY_BYTES - 1))
        wait_until(lambda: metric(service, "http_connections_displaced_total") >= 1000 - BODIES_MAX_KIB * 1024 // BODY_BYTES, "the oldest gone")
        assert service.rss_kib() - before_kib < BODIES_MAX_KIB + SPARE_KIB
        assert wallet.post("/v1/sessions", {"username": "nobody", "password": "wrong password", "more": "x" * 60_000}).status_code == 422
        for connection in held:
            connection.socket.close()
        wait_until(lambda: service.rss_kib() - before_kib < GIVEN_BACK_KIB, "the memory given back")
    finally:
        crowd.close()
        service.end()


def test_who_announces_much_and_sends_little_holds_little(tmp_path, crowd):
    service = make_service("wallet", tmp_path)
    try:
        before_kib = service.rss_kib()
        for connection in crowd(service.port, STRANGER, 1000):
            connection.send(f"POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\nx".encode())
        wait_until(lambda: metric(service, "http_connections") >= 1000, "all of them there")
        assert service.rss_kib() - before_kib < SPARE_KIB and metric(service, "http_connections_displaced_total") == 0
    finally:
        crowd.close()
        service.end()


def bytes_in_kernel(service):
    """Sent by the service and not yet taken by its clients, connection by connection (proc(5), /proc/net/tcp)."""
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [int(line.split()[4].split(":")[0], 16) for line in lines if line.split()[1].endswith(f":{service.port:04X}")]


@pytest.mark.parametrize("name", SERVICES)
def test_answers_that_nobody_reads_fill_no_kernel(name, tmp_path, crowd):
    service = make_service(name, tmp_path)
    try:
        for connection in crowd(service.port, STRANGER, 20):
            connection.send(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        wait_until(lambda: sum(size > 64 * 1024 for size in bytes_in_kernel(service)) == 20, "all of them full")
        for _ in range(20):
            crowd(service.port, "127.0.0.2")[0].asks()
        assert max(bytes_in_kernel(service)) < 512 * 1024
    finally:
        crowd.close()
        service.end()
