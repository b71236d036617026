"""The configurations of nginx and HAProxy that we hand out, before both services, with TLS."""
import json
import subprocess
import uuid

import pytest

from crash.crowds import finish_crowd
from harness.client import Client
from harness.events import Events
from harness.front import PROGRAMS, Front
from harness.services import Pair, wait_until
from harness.world import World

GUESSES_OF_AN_ADDRESS, GUESSES_OF_A_USER = 600, 10
TRUSTED = ["--trusted-proxies", "127.0.0.1"]
FORGED = [{"X-Forwarded-For": "198.51.100.7"}, {"Forwarded": "for=198.51.100.7"}, {"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7"}]


@pytest.fixture(scope="module", params=sorted(PROGRAMS))
def behind(request, tmp_path_factory, contracts, issuers):
    pair = Pair(tmp_path_factory.mktemp("pair"), issuers=issuers.values(), wallet_arguments=[*TRUSTED, "--log-level", "debug"], discount_arguments=TRUSTED).start()
    try:
        front = Front(tmp_path_factory.mktemp("front"), request.param, pair.wallet.url, pair.discount.url)
        try:
            world = World(pair, issuers, contracts)
            world.front = front
            yield world
            world.assert_clean()
        finally:
            front.end()
    finally:
        pair.end()


def test_a_crowd_of_a_thousand_is_exactly_right(behind):
    campaign = behind.operator.campaign(places=400)
    output = finish_crowd(behind.pair.crowd(campaign["code"], users=1000, places=400, connections=256, wallet=behind.front.url("wallet"),
                                            discount=behind.front.url("discount"), ca=behind.front.certificate))
    assert "400" in output
    assert behind.operator.wait_settled(campaign["id"])["credited"] == 400


def ask_with_curl(front, name, path, *words):
    done = subprocess.run(["curl", "--silent", "--show-error", "--cacert", front.certificate, "--max-time", "30", *words, front.url(name) + path],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_clients_speak_http_2_and_we_are_kept_alive(behind):
    """When the clients have gone, what is open to us is the proxy's, and who asks."""
    for name in ("wallet", "discount"):
        assert ask_with_curl(behind.front, name, "/healthz", "--output", "/dev/null", "--write-out", "%{http_version} %{http_code}") == "2 200"
        assert behind.service(name).metric(f"{name}d_http_connections") >= 2


def logged_client(service, request_id):
    [line] = wait_until(lambda: [line for line in service.events("request") if line["request_id"] == request_id], "the line of the request")
    return line["client"]


@pytest.mark.parametrize("forged", [{}, *FORGED], ids=["nothing", "x", "standard", "both"])
def test_the_client_is_who_asked_the_proxy_whatever_it_says_of_itself(behind, forged):
    for address in ("127.0.0.2", "127.0.0.3"):
        request_id = f"who-{uuid.uuid4()}"
        assert behind.front.session(address).get(behind.front.url("wallet") + "/healthz", headers={"X-Request-Id": request_id, **forged}).status_code == 200
        assert logged_client(behind.pair.wallet, request_id) == address


def wrong_code(behind, user, address, headers=None):
    client = Client(behind.front.url("discount"), token=user.token)
    client.session = behind.front.session(address)
    return client.post("/v1/redemptions", {"code": "NOSUCHCODE", "phone": user.phone}, headers=headers).status_code


def test_a_budget_is_the_clients_and_a_forged_address_is_no_way_out(behind):
    bystander = behind.user()
    guessers = [behind.user() for _ in range(2 * GUESSES_OF_AN_ADDRESS // GUESSES_OF_A_USER)]
    session = behind.front.session("127.0.0.9")
    statuses = []
    for count in range(len(guessers) * GUESSES_OF_A_USER):
        client = Client(behind.front.url("discount"), token=guessers[count // GUESSES_OF_A_USER].token)
        client.session = session
        forged = f"198.51.{count // 250}.{count % 250}"
        statuses.append(client.post("/v1/redemptions", {"code": "NOSUCHCODE", "phone": "+989121234567"}, headers={"X-Forwarded-For": forged, "Forwarded": f"for={forged}"}).status_code)
        if statuses[-1] == 429:
            break
    assert statuses[-1] == 429 and set(statuses[:-1]) == {404} and len(statuses) > GUESSES_OF_AN_ADDRESS
    assert wrong_code(behind, bystander, "127.0.0.8") == 404


def test_what_we_take_the_proxy_takes(behind):
    """A batch of a thousand credits, nearly 1 MiB of it; a head of nearly 16 KiB. And one that is longer is refused, by whichever of both."""
    client = Client(behind.front.url("wallet"), token=behind.issuers["shop"].token())
    client.session = behind.front.session()
    user = behind.user()
    items = [{"reference": str(uuid.uuid4()), "user_id": user.id, "amount": 1, "currency": "IRT", "description": "g" * 200, "metadata": {"note": "n" * 560}} for _ in range(1000)]
    assert 900_000 < len(json.dumps({"items": items})) < 1024 * 1024
    assert client.post("/v1/credits", {"items": items}).status_code == 200
    assert client.post("/v1/credits", {"items": [*items, *items[:200]]}).status_code == 413
    assert client.get("/healthz", headers={"X-Long": "x" * 14_000}).status_code == 200
    assert client.get("/healthz", headers={"X-Long": "x" * 40_000}).status_code in (400, 431)


def test_metrics_are_not_for_the_world(behind):
    """However the path is written: the services take %6d for m. (A decent client writes it as m.)"""
    for name in ("wallet", "discount"):
        for path in ("/metrics", "/%6detrics", "/%6Detric%73", "/metrics?x", "/./metrics", "//metrics", "/%2e/metrics", "/x/..%2fmetrics", "/%256detrics"):
            assert "# TYPE" not in ask_with_curl(behind.front, name, path, "--path-as-is"), path
            assert ask_with_curl(behind.front, name, path, "--path-as-is", "--output", "/dev/null", "--write-out", "%{http_code}") in ("404", "400"), path
        assert behind.service(name).metric(f"{name}d_http_requests_total") > 0


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_while_a_service_is_away_the_answer_says_what_to_do(tmp_path, program):
    front = Front(tmp_path, program, "http://127.0.0.1:1", "http://127.0.0.1:2")
    try:
        for name in ("wallet", "discount"):
            answer = front.session().post(front.url(name) + "/v1/redemptions", json={})
            assert answer.status_code == 503 and answer.headers["Content-Type"] == "application/problem+json" and answer.headers["Retry-After"] == "1"
            assert answer.json()["status"] == 503 and "Idempotency-Key" in answer.json()["detail"]
    finally:
        front.end()


def test_an_event_passes_when_it_happens(behind):
    """No buffer of the proxy's keeps a report until the next one, or until the stream ends."""
    campaign = behind.operator.campaign(places=2)
    client = Client(behind.front.url("discount"), token=behind.operator.token)
    with Events(client, campaign["id"], session=behind.front.session()) as events:
        assert events.next().data["redeemed"] == 0
        assert behind.user().redeem(campaign["code"]).status_code in (201, 202)
        events.until(lambda event: event.name == "report" and event.data["redeemed"] == 1)
