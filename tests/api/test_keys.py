"""The keys of others: fetched again, withdrawn, kept for the next start, and what an issuer says that is not itself."""
import json
import time
import uuid

import pytest

from harness.client import Client
from harness.fake import FakeService
from harness.services import Discount, Wallet, wait_until
from harness.tokens import Issuer
from harness.world import assert_problem

JWKS = "GET /jwks"


def joined(*issuers):
    return {"keys": [key for issuer in issuers for key in issuer.jwks()["keys"]]}


class Publisher:
    """An issuer of service tokens behind a URL, whose set of keys is the test's."""

    def __init__(self, *issuers):
        self.fake = FakeService()
        self.port = self.fake.server.server_address[1]
        self.publish(*issuers)

    def publish(self, *issuers):
        self.say(200, joined(*issuers))

    def say(self, *answer):
        self.fake.answers[JWKS] = lambda headers, body: answer

    def hang_up(self):
        self.fake.answers[JWKS] = lambda headers, body: None

    def wait_asked(self, times=2):
        """So many more fetches have begun: the ones before are over, since there is one at a time."""
        asked = len(self.fake.asked(JWKS))
        wait_until(lambda: len(self.fake.asked(JWKS)) >= asked + times, "another fetch")

    def end(self):
        self.fake.end()


@pytest.fixture(scope="module")
def leaked():
    return Issuer("shop", kid="leaked")


@pytest.fixture(scope="module")
def fresh():
    return Issuer("shop", kid="fresh")


@pytest.fixture
def publisher(leaked, fresh):
    made = Publisher(leaked, fresh)
    yield made
    made.end()


@pytest.fixture
def make_wallet(tmp_path, publisher):
    made = []

    def make(*arguments, source=None):
        wallet = Wallet(tmp_path, "--keys-max-age", "1", *arguments, trusted=[("shop", source or f"{publisher.fake.url}/jwks")])
        made.append(wallet)
        return wallet.init().start()

    yield make
    for wallet in made:
        wallet.end()


def at_funds(service, token):
    """404: the token is good."""
    return Client(service.url, token=token).get("/v1/funds/none")


def assert_good(service, token):
    answer = at_funds(service, token)
    assert answer.status_code == 404, answer.text


def refused_at_last(service, token, status=401):
    wait_until(lambda: at_funds(service, token).status_code == status, f"a {status}", deadline_s=20)


def test_a_withdrawn_key_is_trusted_no_more(make_wallet, publisher, leaked, fresh):
    wallet = make_wallet()
    stolen, good = leaked.token(), fresh.token()
    for _ in range(3):  # looked at, and then remembered
        assert_good(wallet, stolen)
        assert_good(wallet, good)
    publisher.publish(fresh)
    refused_at_last(wallet, stolen)
    assert_problem(at_funds(wallet, leaked.token()), 401, "token_invalid")
    assert_good(wallet, good)
    assert wallet.stop() == 0
    wallet.start()
    assert_problem(at_funds(wallet, stolen), 401, "token_invalid")
    assert_good(wallet, good)
    item = {"reference": str(uuid.uuid4()), "user_id": "019aab20-4c00-7a31-9f00-5b1e2c3d4e01", "amount": 1_000_000_000, "currency": "IRT"}
    assert_problem(Client(wallet.url, token=stolen).post("/v1/credits", {"items": [item]}), 401, "token_invalid")
    wallet.kill()
    publisher.hang_up()
    wallet.start()
    assert_problem(at_funds(wallet, stolen), 401, "token_invalid")  # also by what was kept
    assert_good(wallet, good)


def test_the_start_asks_before_it_believes_what_was_kept(make_wallet, publisher, leaked, fresh):
    wallet = make_wallet()
    stolen = leaked.token()
    assert_good(wallet, stolen)
    assert wallet.stop() == 0
    publisher.publish(fresh)  # while nobody looks
    wallet.start()
    assert_problem(at_funds(wallet, stolen), 401, "token_invalid")
    assert_good(wallet, fresh.token())


def test_an_issuer_that_publishes_no_key_withdraws_all(make_wallet, publisher, leaked, fresh):
    wallet = make_wallet()
    token = fresh.token()
    assert_good(wallet, token)
    publisher.publish()
    refused_at_last(wallet, token, 503)
    assert_problem(at_funds(wallet, token), 503, "keys_unavailable")
    assert Client(wallet.url).get("/readyz").json()["keys"] == "unavailable"  # the operator learns it
    publisher.publish(leaked, fresh)
    wait_until(lambda: at_funds(wallet, fresh.token()).status_code == 404, "trusted again")


def test_who_names_unknown_keys_keeps_no_new_one_out(make_wallet, publisher, fresh):
    """The issuer changes its key while a stranger asks for keys that nobody has. A token of the new one is good at once, again and again."""
    wallet = make_wallet()
    for number in range(5):
        forged = Issuer("shop", kid=f"forged {number}")
        assert_problem(at_funds(wallet, forged.token()), 401, "token_invalid")
        newer = Issuer("shop", kid=f"newer {number}")
        publisher.publish(fresh, newer)
        assert_good(wallet, newer.token())


NOT_A_SET = {
    "an error": (500, {"keys": []}),
    "nothing there": (404, {"keys": []}),
    "a page": (200, b"<html><body>Please log in to the Wi-Fi</body></html>"),
    "nothing": (200, b""),
    "half of it": (200, b'{"keys":['),
    "an object": (200, {}),
    "keys that are no list": (200, {"keys": {}}),
    "a list": (200, []),
    "no content": (204, b""),
    "too much": (200, b" " * 2_000_000),
}


@pytest.mark.parametrize("name", NOT_A_SET)
def test_what_is_no_set_of_keys_changes_nothing(make_wallet, publisher, fresh, name):
    wallet = make_wallet()
    token = fresh.token()
    assert_good(wallet, token)
    publisher.say(*NOT_A_SET[name])
    publisher.wait_asked()
    assert_good(wallet, token)
    assert_good(wallet, fresh.token())
    assert wallet.events("keys_fetch_failed")


def test_a_redirect_leads_nowhere(make_wallet, publisher, fresh):
    wallet = make_wallet()
    mallory = Issuer("shop", kid="mallory")
    publisher.fake.answers["GET /elsewhere"] = lambda headers, body: (200, joined(mallory))
    publisher.say(302, joined(mallory), {"Location": f"{publisher.fake.url}/elsewhere"})
    publisher.wait_asked()
    assert publisher.fake.asked("GET /elsewhere") == []
    assert_problem(at_funds(wallet, mallory.token()), 401, "token_invalid")
    assert_good(wallet, fresh.token())


def test_an_issuer_that_changes_its_mind(make_wallet, publisher, leaked, fresh):
    """Two sets in turn, as two instances behind one name would publish: what both have is always good, and memory does not grow."""
    wallet = make_wallet()
    other = Issuer("shop", kid="other")
    sets = [joined(fresh, leaked), joined(fresh, other)]
    publisher.fake.answers[JWKS] = lambda headers, body: (200, sets[len(publisher.fake.asked(JWKS)) % 2])
    token, asked = fresh.token(), len(publisher.fake.asked(JWKS))
    while len(publisher.fake.asked(JWKS)) < asked + 6:
        assert_good(wallet, token)
        assert at_funds(wallet, leaked.token()).status_code in (401, 404)


def test_keys_of_an_issuer_out_of_reach_end(make_wallet, publisher, fresh):
    wallet = make_wallet("--keys-stale-max", "3")
    token = fresh.token()
    assert_good(wallet, token)
    publisher.hang_up()
    publisher.wait_asked(1)
    assert_good(wallet, token)  # out of reach, but not for long
    refused_at_last(wallet, token, 503)
    assert_problem(at_funds(wallet, token), 503, "keys_unavailable")
    wait_until(lambda: wallet.events("keys_too_old"), "that they are too old is said")  # the log has a thread of its own
    publisher.publish(fresh)
    wait_until(lambda: at_funds(wallet, token).status_code == 404, "trusted again")


@pytest.mark.parametrize("age", ["2 hours", "from the future", "unknown"])
def test_a_kept_copy_that_may_be_old_is_not_used(make_wallet, publisher, fresh, age):
    wallet = make_wallet()
    assert_good(wallet, fresh.token())
    assert wallet.stop() == 0
    path = wallet.data / "trusted-shop.jwks"
    kept = json.loads(path.read_text())
    if age == "unknown":
        del kept["fetched_at"]
    else:
        seconds = time.time() + (-7200 if age == "2 hours" else 7200)
        kept["fetched_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    path.write_text(json.dumps(kept))
    publisher.hang_up()
    wallet.start()
    assert_problem(at_funds(wallet, fresh.token()), 503, "keys_unavailable")
    publisher.publish(fresh)
    wait_until(lambda: at_funds(wallet, fresh.token()).status_code == 404, "trusted")


def test_a_key_that_is_taken_out_of_a_file(tmp_path, make_wallet, leaked, fresh):
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(joined(leaked, fresh)))
    wallet = make_wallet(source=path)
    stolen = leaked.token()
    assert_good(wallet, stolen)
    path.with_suffix(".new").write_text(json.dumps(joined(fresh)))
    path.with_suffix(".new").rename(path)
    refused_at_last(wallet, stolen)
    assert_good(wallet, fresh.token())


def test_discount_forgets_a_key_of_wallets(tmp_path):
    """As Wallet would publish it: two keys, of which one leaks."""
    leaked, fresh = Issuer("wallet", kid="leaked"), Issuer("wallet", kid="fresh")
    fake = FakeService()
    fake.answers["GET /.well-known/jwks.json"] = lambda headers, body: (200, joined(leaked, fresh))
    discount = Discount(tmp_path, fake.url, "--keys-max-age", "1").init().start()

    def token(issuer):
        user = {"sub": str(uuid.uuid4()), "sid": str(uuid.uuid4()), "aud": ["wallet", "discount"], "preferred_username": "forged"}
        return issuer.token("user admin", **user)

    def ask(bearer):
        return Client(discount.url, token=bearer).get("/v1/redemptions")

    try:
        stolen, good = token(leaked), token(fresh)
        assert ask(stolen).status_code == ask(good).status_code == 200
        fake.answers["GET /.well-known/jwks.json"] = lambda headers, body: (200, joined(fresh))
        wait_until(lambda: ask(stolen).status_code == 401, "withdrawn", deadline_s=20)
        assert ask(good).status_code == 200
        assert discount.stop() == 0
        discount.start()
        assert_problem(ask(stolen), 401, "token_invalid")
        assert ask(good).status_code == 200
    finally:
        discount.end()
        fake.end()
