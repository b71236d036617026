"""Who asks, when a proxy stands before the services: whom it names, if it is trusted, and nobody else's word."""
import uuid

import pytest

from harness.client import Client
from harness.proxy import FIELDS, Proxy, session_from
from harness.raw import ask, request_bytes
from harness.services import Discount, Pair, Wallet, wait_until
from harness.world import World

SERVICES = ["wallet", "discount"]
TRUSTED = ["--trusted-proxies", "127.0.0.1,2001:db8::/32", "--log-level", "debug"]
GUESSES_OF_AN_ADDRESS, GUESSES_OF_A_USER = 600, 10


@pytest.fixture(scope="module")
def behind(tmp_path_factory, contracts, issuers):
    """A pair that trusts what comes from 127.0.0.1, where nginx stands, and no other address of this host."""
    pair = Pair(tmp_path_factory.mktemp("behind"), issuers=issuers.values(), wallet_arguments=TRUSTED, discount_arguments=TRUSTED).start()
    try:
        proxy = Proxy(tmp_path_factory.mktemp("proxy"), {"wallet": pair.wallet.url, "discount": pair.discount.url})
        try:
            world = World(pair, issuers, contracts)
            world.proxy = proxy
            yield world
        finally:
            proxy.end()
    finally:
        pair.end()


def logged_client(service, request_id):
    """As the service wrote it into its log."""
    lines = wait_until(lambda: [line for line in service.events("request") if line["request_id"] == request_id], "the line of the request")
    return lines[0]["client"]


def client_of(world, name, session, url, headers=None):
    request_id = f"who-{uuid.uuid4()}"
    answer = session.get(url + "/healthz", headers={"X-Request-Id": request_id, **(headers or {})})
    assert answer.status_code == 200
    return logged_client(world.service(name), request_id)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", SERVICES)
def test_behind_nginx_the_client_is_who_asked_nginx(behind, name, field):
    url = behind.proxy.url(name, field)
    assert client_of(behind, name, behind.proxy.session("127.0.0.2"), url) == "127.0.0.2"
    assert client_of(behind, name, behind.proxy.session("127.0.0.3"), url) == "127.0.0.3"
    assert client_of(behind, name, behind.proxy.session("::1"), behind.proxy.url(name, field, host="[::1]")) == "::1"


@pytest.mark.parametrize("forged", [{"X-Forwarded-For": "198.51.100.7"}, {"Forwarded": "for=198.51.100.7"}, {"Forwarded": "for=junk"}, {"X-Forwarded-For": "junk\""},
                                    {"X-Forwarded-For": "198.51.100.7", "Forwarded": 'for="[2001:db9::7]:80"'}])
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", SERVICES)
def test_what_a_client_forges_stands_before_what_nginx_saw(behind, name, field, forged):
    assert client_of(behind, name, behind.proxy.session("127.0.0.2"), behind.proxy.url(name, field), forged) == "127.0.0.2"


@pytest.mark.parametrize("headers", [{"X-Forwarded-For": "198.51.100.7"}, {"Forwarded": "for=198.51.100.7"}, {"X-Forwarded-For": "127.0.0.1"}])
@pytest.mark.parametrize("name", SERVICES)
def test_who_is_no_trusted_proxy_is_the_client(behind, name, headers):
    assert client_of(behind, name, session_from("127.0.0.2"), behind.service(name).url, headers) == "127.0.0.2"


@pytest.mark.parametrize("fields, client", [
    ([("X-Forwarded-For", "203.0.113.9, 198.51.100.7, 2001:db8::1")], "198.51.100.7"),
    ([("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "198.51.100.7")], "198.51.100.7"),
    ([("Forwarded", 'for=203.0.113.9, for="198.51.100.7:4711";proto=https, for="[2001:db8::1]"')], "198.51.100.7"),
    ([("Forwarded", 'for="[2001:db9::7]:_x"')], "2001:db9::7"),
    ([("X-Forwarded-For", "::ffff:198.51.100.7")], "198.51.100.7"),
    ([("X-Forwarded-For", "127.0.0.1")], "127.0.0.1"),
    ([("Forwarded", "for=203.0.113.9, for=unknown")], "127.0.0.1"),
    ([("Forwarded", "for=203.0.113.9, for=_hidden")], "127.0.0.1"),
    ([("Forwarded", 'for=203.0.113.9, for="198.51.100.7')], "127.0.0.1"),
    ([("X-Forwarded-For", "203.0.113.9, nobody")], "127.0.0.1"),
    ([("X-Forwarded-For", "198.51.100.7"), ("Forwarded", "for=203.0.113.9")], "127.0.0.1"),
    ([("X-Forwarded-For", "198.51.100.7"), ("Forwarded", "for=198.51.100.7")], "198.51.100.7"),
])
@pytest.mark.parametrize("name", SERVICES)
def test_the_right_most_address_that_is_no_proxy(behind, name, fields, client):
    request_id = f"who-{uuid.uuid4()}"
    service = behind.service(name)
    assert ask(service.port, request_bytes("GET", "/healthz", [("X-Request-Id", request_id), *fields])).status == 200
    assert logged_client(service, request_id) == client


@pytest.mark.parametrize("program", [Wallet, Discount])
def test_without_trusted_proxies_nobody_is_believed(tmp_path, program):
    service = program(tmp_path, *(["http://127.0.0.1:1"] if program is Discount else []), "--log-level", "debug").init().start()
    try:
        request_id = f"who-{uuid.uuid4()}"
        Client(service.url).get("/healthz", headers={"X-Request-Id": request_id, "X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7"})
        assert logged_client(service, request_id) == "127.0.0.1"
    finally:
        service.end()


def wrong_code(world, user, forwarded, session=None):
    client = Client(world.pair.discount.url, token=user.token)
    if session is not None:
        client.session = session
    return client.post("/v1/redemptions", {"code": "NOSUCHCODE", "phone": user.phone}, headers={"X-Forwarded-For": forwarded}).status_code


def guess_until_refused(world, address_of, session=None):
    """Users who each keep within their own budget; how many guesses it took. What comes back to the address meanwhile is a tenth of what is guessed."""
    guessers = [world.user() for _ in range(2 * GUESSES_OF_AN_ADDRESS // GUESSES_OF_A_USER)]
    for count in range(len(guessers) * GUESSES_OF_A_USER):
        status = wrong_code(world, guessers[count // GUESSES_OF_A_USER], address_of(count), session)
        if status == 429:
            return count
        assert status == 404
    raise AssertionError("nobody was refused")


@pytest.mark.parametrize("all_of, another", [("198.51.100.7", "198.51.101.7"), ("2001:db9:0:7::{:x}", "2001:db9:1:7::1"), ("::ffff:198.51.102.7", "198.51.103.7")])
def test_a_budget_by_address_is_the_clients_behind_the_proxy(behind, all_of, another):
    """One line is one client, whichever of its addresses asks: an IPv6 network of 64 bits is one line."""
    stranger = behind.user()
    assert guess_until_refused(behind, all_of.format) >= GUESSES_OF_AN_ADDRESS
    assert wrong_code(behind, stranger, another) == 404
    assert wrong_code(behind, stranger, all_of.format(1), session_from("127.0.0.2")) == 404  # no proxy: its word about itself counts for nothing


def test_a_forged_address_does_not_get_out_of_a_budget(behind):
    assert guess_until_refused(behind, lambda count: f"198.51.{count // 250}.{count % 250}", session_from("127.0.0.9")) >= GUESSES_OF_AN_ADDRESS


@pytest.mark.parametrize("ranges", ["", "proxy.example", "10.0.0.0/33", "10.0.0.1,,10.0.0.2", "10.0.0.0/8;10.1.0.0/16"])
def test_what_is_no_range_is_refused_at_start(make_world, ranges):
    pair = make_world(start=False)
    for service in (pair.wallet, pair.discount):
        arguments = ["--wallet", pair.wallet.url] if isinstance(service, Discount) else []
        done = service.command("serve", "--data", service.data, "--listen", "127.0.0.1:0", *arguments, "--trusted-proxies", ranges)
        assert done.returncode == 2 and "trusted-proxies must be numeric addresses or ranges" in done.stderr
