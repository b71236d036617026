"""How a stream of events ends, and what comes back after it; who reads nothing; how many may listen; through the proxies that we hand out."""
import socket
import threading
import time

import pytest

from harness.client import Operator
from harness.events import Events
from harness.front import PROGRAMS, Front
from harness.raw import RawConnection, request_bytes
from harness.services import DEADLINE_S
from harness.world import assert_problem

LISTENERS_PER_ADMIN = 256


@pytest.fixture
def strict(make_world):
    return make_world(discount_arguments=["--clock-leeway", "0"])


def act(world, campaign, what):
    assert world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/{what}").status_code == 200


def test_a_stream_ends_with_its_token_and_with_the_service(strict):
    """And after a restart who comes back is told what he has missed."""
    campaign, pair = strict.operator.campaign(places=3), strict.pair
    now = time.time()
    key = strict.wallet_key
    token = key.sign(key.user_claims("019aab20-4c00-7a31-9f00-5b1e2c3d4e01", scope="user admin", iat=now, nbf=now, exp=now + 3))
    with Events(strict.discount.with_token(token), campaign["id"]) as short, Events(strict.operator.discount, campaign["id"]) as long:
        assert [event.name for event in short] == ["report"]  # until its end, and in good order
        assert time.time() >= now + 3
        assert long.next().name == "report"
        act(strict, campaign, "pause")
        seen = long.until(lambda event: event.name == "change")
        ended = []
        reader = threading.Thread(target=lambda: ended.extend(long))
        reader.start()
        assert pair.discount.stop() == 0
        reader.join(DEADLINE_S)
        assert not reader.is_alive() and {event.name for event in ended} <= {"report"}
    pair.discount.start()
    strict.connect()
    act(strict, campaign, "resume")
    with Events(strict.operator.discount, campaign["id"], last_id=seen[-1].id) as events:
        missed = events.until(lambda event: event.name == "report")
    assert [(event.name, event.data.get("action")) for event in missed] == [("change", "campaign.resume"), ("report", None)]


def deaf(world, campaign):
    """Has the head of its answer, and reads no further; its window takes little."""
    connection = RawConnection.__new__(RawConnection)
    connection.buffer = b""
    connection.socket = socket.socket()
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.socket.settimeout(DEADLINE_S)
    connection.socket.connect(("127.0.0.1", world.pair.discount.port))
    connection.send(request_bytes("GET", f"/v1/campaigns/{campaign['id']}/events", {"Accept": "text/event-stream", "Authorization": f"Bearer {world.operator.discount.token}"}))
    while b"\r\n\r\n" not in connection.buffer:
        connection.buffer += connection.socket.recv(256)
    assert connection.buffer.startswith(b"HTTP/1.1 200 ")
    return connection


def test_as_many_as_may_listen_and_who_reads_nothing_disturbs_nobody(world):
    campaign = world.operator.campaign(places=3)
    path = f"/v1/campaigns/{campaign['id']}/events"
    other = Operator(world.wallet, world.discount, world.pair.admin_name, world.pair.admin_password)
    connections = []
    try:
        with Events(world.operator.discount, campaign["id"]) as events:
            assert events.next().name == "report"
            for _ in range(LISTENERS_PER_ADMIN - 1):
                connections.append(deaf(world, campaign))
            assert_problem(other.discount.get(path), 429, "too_many_listeners")
            for what in ("pause", "resume"):
                act(world, campaign, what)
                seen = events.until(lambda event: event.name == "change")
                assert seen[-1].data["action"] == f"campaign.{what}"
            assert world.user().redeem(campaign["code"]).status_code in (201, 202)
            events.until(lambda event: event.name == "report" and event.data["redeemed"] == 1)
            connections.pop().socket.close()
            deadline = time.monotonic() + DEADLINE_S
            while True:  # until it is known that it has left
                answer = Events(other.discount, campaign["id"]).answer
                if answer.status_code == 200:
                    answer.close()
                    break
                assert time.monotonic() < deadline
    finally:
        for connection in connections:
            connection.socket.close()


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_events_pass_a_proxy_when_they_happen(world, tmp_path, program):
    campaign = world.operator.campaign(places=3)
    front = Front(tmp_path, program, world.pair.wallet.url, world.pair.discount.url)
    try:
        through = world.operator.discount.with_token(world.operator.discount.token)
        through.base_url = front.url("discount")
        with Events(through, campaign["id"], session=front.session()) as events:
            first = events.next()
            assert first.name == "report"
            for what in ("pause", "resume"):
                act(world, campaign, what)
                assert events.until(lambda event: event.name == "change")[-1].data["action"] == f"campaign.{what}"
        with Events(through, campaign["id"], last_id=first.id, session=front.session()) as events:
            seen = events.until(lambda event: event.name == "report")
        assert [event.data["action"] for event in seen if event.name == "change"] == ["campaign.pause", "campaign.resume"]
    finally:
        front.end()
