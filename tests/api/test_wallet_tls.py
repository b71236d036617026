"""Discount's calls to Wallet over https://: whom it believes, what it shows of itself, and what it says when that is not enough."""
import pytest

from harness.authority import Authority
from harness.client import Client
from harness.fake import FakeService
from harness.proxy import Proxy
from harness.services import Discount, Pair, Wallet, wait_until
from harness.world import World, assert_problem


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    """Of the clients; and one that nobody has heard of."""
    folder = tmp_path_factory.mktemp("authorities")
    return Authority(folder, "clients"), Authority(folder, "strangers")


@pytest.fixture
def guarded(tmp_path, tmp_path_factory, contracts, issuers, authorities):
    """A pair that is not started, and nginx before Wallet, which asks for a certificate."""
    pair = Pair(tmp_path_factory.mktemp("pair"), issuers=issuers.values())
    pair.wallet.start()
    proxy = Proxy(tmp_path, {"wallet": pair.wallet.url}, clients=authorities[0])
    try:
        pair.discount.wallet_url = proxy.url("wallet", "Forwarded")
        at = pair.discount.arguments.index("--wallet")
        pair.discount.arguments[at + 1] = pair.discount.wallet_url
        pair.proxy = proxy
        yield pair
    finally:
        try:
            pair.end()
        finally:
            proxy.end()


def words(ca=None, identity=None):
    return [*(["--wallet-ca", ca] if ca else []), *(["--wallet-certificate", identity[0], "--wallet-key", identity[1]] if identity else [])]


def causes(discount, event="tls_failed"):
    """They are told at `warn`, once a burst, whoever calls."""
    lines = wait_until(lambda: discount.events(event), event)
    assert len(lines) == 1 and lines[0]["level"] == "warn"
    return lines[0]


def test_behind_a_private_authority_with_a_certificate_places_are_paid(guarded, contracts, issuers, authorities):
    trusted = words(guarded.proxy.certificate, authorities[0].issue("discount"))
    guarded.discount.start(*trusted)
    world = World(guarded, issuers, contracts)
    campaign = world.operator.campaign()
    user = world.user()
    assert user.redeem(campaign["code"]).status_code == 201
    assert guarded.discount.events("tls_failed") == []
    done = guarded.discount.command("reconcile", "--data", guarded.discount.data, *guarded.discount.store_words, "--wallet", guarded.discount.wallet_url, *trusted)
    assert done.returncode == 0, done.stdout + done.stderr
    done = guarded.discount.command("trust-wallet", "--data", guarded.discount.data, "--wallet", guarded.discount.wallet_url, *trusted)
    assert done.returncode == 0, done.stderr


def test_an_authority_of_nobody_is_told_with_its_cause(guarded, authorities):
    guarded.discount.start(*words(authorities[1].certificate, authorities[0].issue("discount")))
    assert "certificate" in causes(guarded.discount)["cause"]
    assert "certificate" in causes(guarded.discount, "wallet_unreachable")["cause"]


def test_the_systems_authorities_do_not_vouch_for_a_private_one(guarded):
    guarded.discount.start()
    assert "certificate" in causes(guarded.discount)["cause"]


def test_who_shows_no_certificate_is_told_so(guarded):
    """nginx lets the handshake end and answers 400 then."""
    guarded.discount.start(*words(guarded.proxy.certificate))
    assert causes(guarded.discount, "keys_not_served")["status"] == 400


def test_a_certificate_of_strangers_is_refused(guarded, authorities):
    guarded.discount.start(*words(guarded.proxy.certificate, authorities[1].issue("discount")))
    assert causes(guarded.discount, "keys_not_served")["status"] == 400


def test_a_name_that_the_certificate_has_not_is_refused(tmp_path, authorities):
    """An authority that is believed vouches for names, not for whoever has a certificate of it."""
    proxy = Proxy(tmp_path, {"wallet": "http://127.0.0.1:1"}, hosts=("elsewhere.example",))
    discount = Discount(tmp_path, proxy.url("wallet", "Forwarded"), *words(proxy.certificate)).init()
    try:
        discount.start()
        assert "127.0.0.1" in causes(discount)["cause"]
    finally:
        discount.end()
        proxy.end()


def test_wallet_fetches_keys_behind_a_private_authority(tmp_path, issuers):
    fake = FakeService()
    fake.answers["GET /jwks"] = lambda headers, body: (200, issuers["shop"].jwks())
    proxy = Proxy(tmp_path, {"keys": fake.url})
    wallet = Wallet(tmp_path, trusted=[("shop", proxy.url("keys", "Forwarded") + "/jwks")]).init()
    client = Client(wallet.url, token=issuers["shop"].token())
    try:
        wallet.start()
        assert_problem(client.get("/v1/funds/none"), 503, "keys_unavailable")
        assert "certificate" in causes(wallet)["cause"]
        assert wallet.stop() == 0
        wallet.start("--trust-ca", proxy.certificate)
        wait_until(lambda: client.get("/v1/funds/none").status_code == 404, "the keys are known")
        done = wallet.command("serve", "--data", wallet.data, "--listen", "127.0.0.1:0", "--trust-ca", "/nowhere/ca.pem")
        assert done.returncode == 2 and "--trust-ca /nowhere/ca.pem: No such file" in done.stderr
    finally:
        wallet.end()
        proxy.end()
        fake.end()


def test_files_that_are_not_there_are_refused_at_the_start(make_world, authorities):
    discount = make_world(start=False).discount
    certificate, key = authorities[0].issue("discount")
    for given, complaint in [(["--wallet-ca", "/nowhere/ca.pem"], "--wallet-ca /nowhere/ca.pem: No such file"),
                             (["--wallet-certificate", certificate], "--wallet-certificate and --wallet-key go together"),
                             (["--wallet-certificate", certificate, "--wallet-key", "/nowhere/key.pem"], "--wallet-key /nowhere/key.pem: No such file")]:
        done = discount.command("serve", "--data", discount.data, "--listen", "127.0.0.1:0", "--wallet", "https://127.0.0.1:1", *given)
        assert done.returncode != 0 and complaint in done.stderr, done.stderr
    done = discount.command("serve", "--data", discount.data, "--listen", "127.0.0.1:0", "--wallet", "http://127.0.0.1:1", "--wallet-ca", certificate)
    assert done.returncode != 0 and "for --wallet https://" in done.stderr, done.stderr
    assert key.exists()
