"""Storms of passwords: they cost the service no more than it wants to spend, and hold up nobody else. Passwords cost here what they cost in production."""
import json
import socket
import time

from harness.client import new_username
from harness.raw import request_bytes
from harness.services import wait_until

STANDARD = ["--password-cost", "standard"]
STORM = 600


def login_bytes(username):
    body = json.dumps({"username": username, "password": "a wrong password"}).encode()
    return request_bytes("POST", "/v1/sessions", {"Content-Type": "application/json"}, body)


def register_bytes(username):
    body = json.dumps({"username": username, "password": "correct horse battery"}).encode()
    return request_bytes("POST", "/v1/users", {"Content-Type": "application/json"}, body)


def send(world, request, source="127.0.0.1"):
    connection = socket.create_connection(("127.0.0.1", world.pair.wallet.port), timeout=60, source_address=(source, 0))
    connection.sendall(request)
    return connection


def metric(world, name):
    lines = world.wallet.get("/metrics").text.splitlines()
    return sum(int(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


def test_a_password_whose_client_has_left_is_not_hashed(make_world):
    world = make_world(wallet_arguments=STANDARD)
    for make in (login_bytes, register_bytes):
        before = metric(world, "walletd_passwords_left_total")
        for _ in range(STORM):
            send(world, make(new_username())).close()
        # The others were hashed before their end was seen. An empty queue would not be the end: some still wait for their turn to be read.
        wait_until(lambda: metric(world, "walletd_passwords_left_total") - before >= STORM * 3 // 4, "most of the storm was dropped")
        wait_until(lambda: metric(world, "walletd_password_queue_depth") == 0, "the end of the storm")


def test_a_stop_does_not_wait_for_passwords_beyond_its_deadline(make_world):
    """Of clients that stay: the hashes that have not begun are answered 503, and the process ends at its deadline, not after a minute of hashing."""
    world = make_world(wallet_arguments=[*STANDARD, "--drain-deadline", "300"])
    connections = [send(world, register_bytes(new_username()), f"127.0.{i % 200}.{i % 250 + 1}") for i in range(STORM)]
    wait_until(lambda: metric(world, "walletd_password_queue_depth") > STORM // 2, "a long queue")
    began = time.monotonic()
    world.pair.wallet.stop()
    took_s = time.monotonic() - began
    world.pair.wallet.start()
    assert took_s < 5, f"{took_s:.1f} s"
    for connection in connections:
        connection.close()


def test_a_stop_does_not_wait_for_who_is_slow(make_world):
    """A request that is never finished, and answers that nobody takes: the end comes long before its deadline, and is a good one."""
    world = make_world(wallet_arguments=["--drain-deadline", "20000", "--head-timeout", "60000", "--body-timeout", "60000"])
    head, body = b"GET /healthz HTTP/1.1\r\nHost: ", request_bytes("POST", "/v1/users", {"Content-Type": "application/json"}, b"x" * 1000)[:-500]
    slow = [send(world, head), send(world, body)]
    unread = socket.socket()
    unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    unread.connect(("127.0.0.1", world.pair.wallet.port))
    unread.sendall(request_bytes("GET", "/openapi.json") * 20)
    wait_until(lambda: metric(world, "walletd_http_connections") >= 4, "all are in")
    assert world.pair.wallet.stop() == 0
    assert world.pair.wallet.events("stopped")[-1]["reason"] == "drained"
    world.pair.wallet.start()
    for connection in (*slow, unread):
        connection.close()


def test_an_honest_login_does_not_wait_behind_those_of_another_address(make_world):
    """All of them stay, and none is refused: what another address has waiting is still there when the login is answered."""
    world = make_world(wallet_arguments=STANDARD)
    user, count = world.user(), 180
    connections = [send(world, register_bytes(new_username()), "127.77.0.1") for _ in range(count)]
    wait_until(lambda: metric(world, "walletd_password_queue_depth") > count * 3 // 4, "a long queue")
    user.login(world.wallet.at("127.78.0.1"))
    assert metric(world, "walletd_password_queue_depth") > count // 4
    for connection in connections:
        connection.close()
    wait_until(lambda: metric(world, "walletd_password_queue_depth") == 0, "the end of the storm")
