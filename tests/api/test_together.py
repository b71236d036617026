"""Both services and what comes between them: one is down, hangs, lies, or comes later; keys, drains, and slow clients."""
import json
import signal
import threading
import time
import uuid

import jwt
import pytest

from harness.client import Client, User, new_phone, wait_funded
from harness.fake import FakeService
from harness.raw import RawConnection, at_once, request_bytes
from harness.services import Discount, Wallet, wait_until
from harness.tokens import Issuer
from harness.world import assert_problem

CREDIT = 1_000_000
JWKS = "GET /.well-known/jwks.json"
SETTLE_WAIT_MS = 300


def wait_status(user, redemption, status):
    def found():
        got = user.discount.get(f"/v1/redemptions/{redemption['id']}").json()
        return got if got["status"] == status else None
    return wait_until(found, f"a redemption that is {status}")


# ---- the wallet is away ----

@pytest.mark.parametrize("how", ["killed", "hanging"])
def test_claims_are_answered_in_time_and_credited_when_the_wallet_is_back(make_world, how):
    world = make_world(discount_arguments=["--settle-wait", SETTLE_WAIT_MS])
    campaign = world.operator.campaign(places=30)
    users = [world.user() for _ in range(25)]
    wallet = world.pair.wallet
    wallet.kill() if how == "killed" else wallet.freeze()
    try:
        started = time.monotonic()
        answers = at_once(world.pair.discount.port, [user.redemption(campaign["code"]) for user in users])
        elapsed_s = time.monotonic() - started
        redemptions = [json.loads(answer.body) for answer in answers]
        assert [answer.status for answer in answers] == [202] * 25
        assert elapsed_s < SETTLE_WAIT_MS / 1000 + 10
        for answer, redemption in zip(answers, redemptions):
            assert redemption["status"] == "claimed" and answer.header("Location") == f"/v1/redemptions/{redemption['id']}"
            world.contracts["discount"].check("POST", "/v1/redemptions", answer.status, answer.headers, answer.body)
        assert sorted(redemption["position"] for redemption in redemptions) == list(range(1, 26))
        again = users[0].redeem(campaign["code"])
        assert again.status_code == 200 and again.json() == redemptions[0]
        report = world.operator.report(campaign["id"])
        assert (report["redeemed"], report["credited"], report["pending"], report["remaining"]) == (25, 0, 25, 5)
    finally:
        wallet.start() if how == "killed" else wallet.thaw()
    for user, redemption in zip(users, redemptions):
        credited = wait_status(user, redemption, "credited")
        assert credited == {**redemption, "status": "credited", "transaction_id": credited["transaction_id"], "credited_at": credited["credited_at"]}
        assert user.balance() == CREDIT
    assert users[0].redeem(campaign["code"]).json()["status"] == "credited"
    world.assert_clean()


def test_a_202_is_not_final(make_world):
    """With a key its repeat gets the redemption as it stands, and says each time that it is a repeat; also after a kill."""
    world = make_world(discount_arguments=["--settle-wait", SETTLE_WAIT_MS])
    campaign, user, key = world.operator.campaign(places=3), world.user(), "a key"
    world.pair.wallet.kill()
    first = user.redeem(campaign["code"], key=key)
    assert first.status_code == 202 and "Idempotent-Replayed" not in first.headers
    for is_killed in (False, True):
        if is_killed:
            world.pair.discount.kill()
            world.pair.discount.start()
        again = user.redeem(campaign["code"], key=key)
        assert again.status_code == 202 and again.json() == first.json() and again.headers["Idempotent-Replayed"] == "true"
        assert again.headers["Location"] == first.headers["Location"]
        asked = user.discount.get("/v1/idempotency/a%20key").json()
        assert (asked["state"], asked["status"], asked["body"]) == ("in_progress", None, None)
    world.pair.wallet.start()
    wait_status(user, first.json(), "credited")
    asked = user.discount.get("/v1/idempotency/a%20key").json()  # nobody has repeated it
    assert (asked["state"], asked["status"], asked["body"]["status"]) == ("done", 201, "credited")
    credited = user.redeem(campaign["code"], key=key)
    assert credited.status_code == 201 and credited.json()["status"] == "credited" and credited.headers["Idempotent-Replayed"] == "true"
    assert credited.headers["Location"] == first.headers["Location"] and credited.json() == asked["body"]
    assert user.redeem(campaign["code"], key=key).content == credited.content
    assert world.operator.report(campaign["id"])["redeemed"] == 1
    world.assert_clean()


def test_a_campaign_made_while_the_wallet_is_away(make_world):
    world = make_world(discount_arguments=["--settle-wait", SETTLE_WAIT_MS])
    user = world.user()
    assert user.discount.get("/v1/redemptions").status_code == 200  # now Discount knows Wallet's keys
    world.pair.wallet.kill()
    campaign = world.operator.campaign(places=3, is_funded=False)
    assert campaign["fund"]["state"] == "pending"
    assert_problem(user.redeem(campaign["code"]), 409, "campaign_not_funded")
    world.pair.wallet.start()
    wait_until(lambda: world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()["fund"]["state"] == "open", "the fund")
    answers = []  # a database may tell of the fund a moment before the loops know
    wait_until(lambda: answers.append(user.redeem(campaign["code"]).status_code) or answers[-1] == 201, "a place")
    assert set(answers[:-1]) <= {409}
    assert world.operator.report(campaign["id"])["rejected"]["campaign_not_funded"] == len(answers)
    world.assert_clean()


def test_claims_survive_a_kill_of_both(make_world):
    world = make_world(discount_arguments=["--settle-wait", 0])
    campaign = world.operator.campaign(places=5)
    user, other = world.user(), world.user()
    world.pair.wallet.kill()
    redemption = user.redeem(campaign["code"]).json()
    assert redemption["status"] == "claimed"
    world.pair.discount.kill()
    world.pair.discount.start()
    assert user.discount.get(f"/v1/redemptions/{redemption['id']}").json() == redemption
    assert user.redeem(campaign["code"]).status_code == 200
    world.pair.wallet.start()
    wait_status(user, redemption, "credited")
    assert other.redeem(campaign["code"]).json()["position"] == 2
    world.assert_clean()


# ---- who starts first ----

def test_discount_may_start_first(make_world):
    pair = make_world(start=False)
    pair.wallet.start()
    client = Client(pair.wallet.url)
    user = User(client)
    assert pair.wallet.stop() == 0
    pair.discount.start()
    discount = Client(pair.discount.url, token=user.token)
    assert_problem(discount.get("/v1/redemptions"), 503, "keys_unavailable")
    assert_problem(discount.get("/v1/redemptions", token="a.b.c"), 401, "token_invalid")
    pair.wallet.start()
    wait_until(lambda: discount.get("/v1/redemptions").status_code == 200, "the keys", 20)
    pair.discount.kill()
    pair.wallet.kill()
    pair.discount.start()
    assert discount.get("/v1/redemptions").status_code == 200, "the keys were not kept"
    pair.wallet.start()


def test_wallet_may_start_first(make_world):
    pair = make_world(start=False)
    pair.wallet.start()
    assert User(Client(pair.wallet.url)).balance() == 0
    pair.discount.start()


# ---- keys of the other service ----

@pytest.fixture
def key_server():
    server = FakeService()
    yield server
    server.end()


@pytest.fixture
def fake_shop(tmp_path, key_server):
    """A wallet that trusts a service by the URL of its keys."""
    issuer = Issuer("shop")
    key_server.answers[JWKS] = lambda headers, body: (200, issuer.jwks())
    wallet = Wallet(tmp_path, trusted=[("shop", f"{key_server.url}/.well-known/jwks.json")]).init().start()
    yield wallet, issuer
    wallet.end()


def ask_fund(wallet, token):
    return Client(wallet.url).get("/v1/funds/none", token=token)


def test_keys_are_fetched_once_and_kept(fake_shop, key_server):
    wallet, issuer = fake_shop
    for _ in range(30):
        assert_problem(ask_fund(wallet, issuer.token()), 404, "fund_not_found")
    assert len(key_server.asked(JWKS)) == 1
    key_server.answers[JWKS] = lambda headers, body: (500, {})
    assert wallet.stop() == 0
    wallet.start()
    assert_problem(ask_fund(wallet, issuer.token()), 404, "fund_not_found")


def test_unknown_keys_are_asked_for_four_times_a_second_at_most_and_a_new_one_is_found(fake_shop, key_server):
    wallet, issuer = fake_shop
    assert ask_fund(wallet, issuer.token()).status_code == 404
    fetched = len(key_server.asked(JWKS))
    started = time.monotonic()
    renewed, forged = Issuer("shop", kid="renewed"), Issuer("shop", kid="unknown")
    key_server.answers[JWKS] = lambda headers, body: (200, {"keys": renewed.jwks()["keys"] + issuer.jwks()["keys"]})
    for count in range(8):
        forged.kid = f"unknown-{count}"
        assert_problem(ask_fund(wallet, forged.token()), 401, "token_invalid")
    assert len(key_server.asked(JWKS)) <= fetched + 1 + (time.monotonic() - started) * 4
    assert ask_fund(wallet, renewed.token()).status_code == 404
    assert len(key_server.asked(JWKS)) <= fetched + 2 + (time.monotonic() - started) * 4
    assert ask_fund(wallet, issuer.token()).status_code == 404


BAD_ANSWERS = {
    "hangs-up": None, "fails": (500, {}), "nonsense": (200, b"nonsense"), "no-keys": (200, {"keys": []}),
    "a-secret": (200, {"keys": [{"kty": "oct", "k": "AAAA", "kid": "a-secret-key", "alg": "HS256"}]}), "nested": (200, b"[" * 100000), "elsewhere": (302, {}),
    "huge": (200, b"x" * 2_000_000),
}


def test_bad_key_servers(tmp_path, key_server):
    issuers = {name: Issuer(name) for name in BAD_ANSWERS}
    for name, answer in BAD_ANSWERS.items():
        key_server.answers[f"GET /{name}"] = lambda headers, body, answer=answer: answer
    wallet = Wallet(tmp_path, trusted=[(name, f"{key_server.url}/{name}") for name in BAD_ANSWERS]).init().start()
    try:
        for issuer in issuers.values():
            assert_problem(ask_fund(wallet, issuer.token()), 503, "keys_unavailable")
        for name, issuer in issuers.items():
            key_server.answers[f"GET /{name}"] = lambda headers, body, issuer=issuer: (200, issuer.jwks())
        for name, issuer in issuers.items():
            wait_until(lambda issuer=issuer: ask_fund(wallet, issuer.token()).status_code == 404, f"the keys of {name}", 20)
    finally:
        wallet.end()


# ---- a wallet that lies ----

class FakeWallet(FakeService):
    """Signs users' tokens, and answers funds and credits as the test says."""

    def __init__(self):
        super().__init__()
        self.issuer = Issuer("wallet")
        self.answers[JWKS] = lambda headers, body: (200, self.issuer.jwks())
        self.answers["POST /v1/funds"] = self.open_fund
        self.answers["POST /v1/credits"] = self.apply

    def token(self, scope="user", user_id=None):
        made = user_id or str(uuid.UUID(int=(uuid.uuid4().int & ~(0xF << 76)) | (7 << 76)))
        return self.issuer.sign(self.issuer.claims(scope, aud=["wallet", "discount"], sub=made, sid=made, preferred_username="fake"))

    @staticmethod
    def open_fund(headers, body):
        fund = json.loads(body)
        return 201, {"reference": fund["reference"], "account_id": "019aab20-4c00-7a31-9f00-5b1e2c3d4e06", "currency": "IRT", "funded": fund["amount"], "credited": 0,
                     "remaining": fund["amount"], "released": 0, "state": "open", "description": None, "created_at": "2026-11-22T10:00:00.123456Z"}

    @staticmethod
    def outcome(item, **changes):
        return {"reference": item["reference"], "status": "applied", "transaction_id": "019aab20-4c00-7a31-9f00-5b1e2c3d4e04", "balance_after": item["amount"], **changes}

    def apply(self, headers, body):
        return 200, {"items": [self.outcome(item) for item in json.loads(body)["items"]]}


@pytest.fixture(scope="module")
def liar(tmp_path_factory, contracts):
    fake = FakeWallet()
    discount = Discount(tmp_path_factory.mktemp("liar"), fake.url, "--settle-wait", SETTLE_WAIT_MS).init().start()
    fake.client = Client(discount.url, contracts["discount"].check_response)
    fake.port = discount.port
    yield fake
    discount.end()
    fake.end()


@pytest.fixture
def fake_wallet(liar):
    """Honest again, and with nothing asked yet."""
    liar.answers["POST /v1/credits"] = liar.apply
    liar.requests.clear()
    return liar


def make_campaign(fake):
    body = {"name": "A", "kind": "wallet_credit", "phone": "any", "code": "FAKE" + uuid.uuid4().hex[:8], "credit": {"amount": 5, "currency": "IRT"}, "max_redemptions": 50}
    admin = fake.token("user admin")
    answer = fake.client.post("/v1/campaigns", body, token=admin)
    assert answer.status_code == 201, answer.text
    return wait_funded(fake.client, answer.json(), token=admin)


def redeem(fake, campaign, token, phone="09121234567", **options):
    return fake.client.post("/v1/redemptions", {"code": campaign["code"], "phone": phone}, token=token, **options)


def test_how_discount_speaks_to_the_wallet(fake_wallet):
    campaign = make_campaign(fake_wallet)
    trace = uuid.uuid4().hex
    for _ in range(20):  # a claim that was read back before its request came to the settler goes without a trace
        answer = redeem(fake_wallet, campaign, fake_wallet.token(), new_phone(), headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        assert answer.status_code == 201, answer.text
        headers, credits = fake_wallet.asked("POST /v1/credits")[-1]
        if "traceparent" in headers:
            break
    [(_, fund)] = fake_wallet.asked("POST /v1/funds")
    assert json.loads(fund) == {"reference": campaign["id"], "amount": 250, "currency": "IRT", **({"description": json.loads(fund)["description"]} if b"description" in fund else {})}
    [item] = json.loads(credits)["items"]
    redemption = answer.json()
    assert {name: item[name] for name in ("reference", "user_id", "amount", "currency", "fund")} == {
        "reference": redemption["id"], "user_id": redemption["user_id"], "amount": 5, "currency": "IRT", "fund": campaign["id"]}
    assert headers["traceparent"].split("-")[1] == trace
    keys = fake_wallet.client.get("/.well-known/jwks.json").json()["keys"]
    token = headers["Authorization"].removeprefix("Bearer ")
    assert jwt.get_unverified_header(token)["kid"] == keys[0]["kid"]
    claims = jwt.decode(token, jwt.algorithms.RSAAlgorithm.from_jwk(keys[0]), algorithms=["RS256"], audience="wallet", issuer="discount")
    assert claims["exp"] - claims["iat"] <= 300 and "credits:write" in claims["scope"].split()
    assert "user" not in claims["scope"].split() and "admin" not in claims["scope"].split()


@pytest.mark.parametrize("lie", [
    None, (500, {}), (503, {"code": "overloaded"}), (429, {}), (401, {"code": "token_invalid"}), (403, {"code": "forbidden"}), (404, {}), (200, b""), (200, b"nonsense"), (200, []),
    (200, {"items": []}), (200, {"items": None}), (200, {"items": [{"reference": "another", "status": "applied", "transaction_id": "019aab20-4c00-7a31-9f00-5b1e2c3d4e04"}]}),
    (200, {"items": [{"status": "applied"}]}), (202, {"items": []}), (200, b"[" * 100000), (200, b"x" * 3_000_000), (301, {}),
], ids=lambda lie: "hangs up" if lie is None else f"{lie[0]} {str(lie[1])[:24]}")
def test_a_claim_outlives_a_wallets_nonsense(fake_wallet, lie):
    campaign = make_campaign(fake_wallet)
    fake_wallet.answers["POST /v1/credits"] = lambda headers, body: lie
    token = fake_wallet.token()
    answer = redeem(fake_wallet, campaign, token)
    assert answer.status_code == 202, answer.text
    redemption = answer.json()
    assert redemption["status"] == "claimed"
    fake_wallet.answers["POST /v1/credits"] = fake_wallet.apply

    def credited():
        got = fake_wallet.client.get(f"/v1/redemptions/{redemption['id']}", token=token).json()
        assert got["status"] != "failed", got
        return got["status"] == "credited"

    wait_until(credited, "the credit", 45)
    references = {item["reference"] for _, body in fake_wallet.asked("POST /v1/credits") for item in json.loads(body)["items"]}
    assert references == {redemption["id"]}


def test_a_wallets_definite_no_is_a_failure(fake_wallet):
    """Nothing can be credited to a user whom Wallet does not know: the place is shown as failed, for somebody to look at."""
    campaign = make_campaign(fake_wallet)
    fake_wallet.answers["POST /v1/credits"] = lambda headers, body: (200, {
        "items": [{"reference": item["reference"], "status": "rejected", "code": "user_not_found"} for item in json.loads(body)["items"]]})
    token = fake_wallet.token()
    answer = redeem(fake_wallet, campaign, token)
    problem = assert_problem(answer, 409, "credit_failed")
    assert problem["wallet_code"] == "user_not_found"
    assert fake_wallet.client.get(f"/v1/redemptions/{problem['redemption_id']}", token=token).json()["status"] == "failed"
    report = fake_wallet.client.get(f"/v1/campaigns/{campaign['id']}/report", token=fake_wallet.token("user admin")).json()
    assert (report["redeemed"], report["credited"], report["failed"], report["pending"], report["remaining"]) == (1, 0, 1, 0, 49)


# ---- drain ----

def test_a_stop_answers_all_that_was_accepted(make_world):
    """The wallet hangs, so that the redemptions are still open when the signal comes."""
    world = make_world(discount_arguments=["--settle-wait", 1500])
    campaign = world.operator.campaign(places=50)
    users = [world.user() for _ in range(20)]
    discount, wallet = world.pair.discount, world.pair.wallet
    wallet.freeze()
    answers = []
    try:
        collector = threading.Thread(target=lambda: answers.extend(at_once(discount.port, [user.redemption(campaign["code"]) for user in users])))
        collector.start()
        wait_until(lambda: world.operator.report(campaign["id"])["redeemed"] == 20, "the claims")
        discount.process.send_signal(signal.SIGTERM)
        collector.join()
        assert discount.process.wait(30) == 0
    finally:
        wallet.thaw()
    assert [answer.status for answer in answers] == [202] * 20
    with pytest.raises(OSError):
        RawConnection(discount.port, 2)
    discount.start()
    assert world.operator.wait_settled(campaign["id"])["credited"] == 20
    world.assert_clean()


def test_a_stop_refuses_what_comes_later_on_an_open_connection(make_world):
    world = make_world(discount_arguments=["--settle-wait", 1500])
    campaign = world.operator.campaign(places=50)
    user = world.user()
    discount, wallet = world.pair.discount, world.pair.wallet
    idle = RawConnection(discount.port)
    idle.send(request_bytes("GET", "/healthz"))
    assert idle.read_answer().status == 200
    wallet.freeze()
    try:
        with RawConnection(discount.port) as busy:
            busy.send(user.redemption(campaign["code"]))
            wait_until(lambda: world.operator.report(campaign["id"])["redeemed"] == 1, "the claim")
            discount.process.send_signal(signal.SIGTERM)
            try:
                idle.send(request_bytes("POST", "/v1/redemptions", {"Content-Type": "application/json"}, b"{}"))
                late = idle.read_answer()
            except (BrokenPipeError, ConnectionResetError):
                late = None
            assert late is None or late.status in (503, 401), late.head
            assert busy.read_answer().status == 202
        assert discount.process.wait(30) == 0
    finally:
        wallet.thaw()
    discount.start()
    world.operator.wait_settled(campaign["id"])


def test_a_stop_under_load_loses_nothing(make_world):
    world = make_world()
    sender, receiver = world.rich_user(10_000), world.user()
    body = json.dumps({"to": {"username": receiver.username}, "amount": 1, "currency": "IRT"}).encode()
    data = request_bytes("POST", "/v1/wallet/transfers", {"Content-Type": "application/json", "Authorization": f"Bearer {sender.token}"}, body)
    confirmed, stopped = [], threading.Event()

    def spend():
        try:
            with RawConnection(world.pair.wallet.port) as connection:
                while not stopped.is_set():
                    connection.send(data)
                    answer = connection.read_answer()
                    if answer is None or answer.status == 503:
                        return
                    assert answer.status == 201, answer.body
                    confirmed.append(json.loads(answer.body)["id"])
        except OSError:
            pass

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(confirmed) > 100, "some transfers")
    assert world.pair.wallet.stop() == 0
    stopped.set()
    for thread in threads:
        thread.join()
    world.pair.wallet.start()
    assert receiver.balance() == len(set(confirmed)) == len(confirmed)
    world.assert_clean()


# ---- slow and many clients ----

def test_slow_clients_are_cut_off(tmp_path):
    wallet = Wallet(tmp_path, "--head-timeout", 500, "--body-timeout", 700, "--idle-timeout", 900).init().start()
    try:
        head = request_bytes("POST", "/v1/users", {"Content-Type": "application/json", "Content-Length": "1000"})
        connections = {"silent": b"", "half a line": b"GET /hea", "half a head": b"GET /healthz HTTP/1.1\r\nHost: a\r\n", "half a body": head + b'{"username":'}
        for name, data in connections.items():
            with RawConnection(wallet.port, deadline_s=20) as connection:
                connection.send(data)
                answer = connection.read_answer()
                assert answer is None or answer.status == 408, name
        with RawConnection(wallet.port, deadline_s=20) as connection:
            started = time.monotonic()
            try:
                for byte in b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: " + b"x" * 10_000:
                    connection.send(bytes([byte]))
                    assert time.monotonic() - started < 15, "one byte after the other kept it open"
                    assert Client(wallet.url).get("/healthz").status_code == 200
                raise AssertionError("all of it was taken")
            except OSError:
                pass
    finally:
        wallet.end()


def test_too_many_logins_at_once_are_told_to_come_again(tmp_path, contracts):
    """Its queue of passwords is bounded: 4096. With what a password costs in production nobody would wait for the end of it."""
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    wallet = Wallet(tmp_path, "--password-threads", 1)
    wallet.arguments = [argument for argument in wallet.arguments if argument not in ("--password-cost", "low")]
    wallet.init().start()
    connections = []
    try:
        body = json.dumps({"username": "nobody", "password": "wrong password"})
        late = None
        for index in range(6000):
            connection = RawConnection(wallet.port)
            connections.append(connection)
            connection.send(request_bytes("POST", "/v1/sessions", {"Content-Type": "application/json"}, body.replace("nobody", f"nobody{index}").encode()))
            if index > 4096 and index % 50 == 0:
                connection.socket.settimeout(0.2)
                try:
                    late = connection.read_answer()
                    break
                except TimeoutError:
                    pass
        assert late is not None and late.status == 503, "nobody was told to come again"
        contracts["wallet"].check("POST", "/v1/sessions", late.status, late.headers, late.body)
        assert json.loads(late.body)["code"] == "overloaded" and int(late.header("Retry-After")) >= 1
        assert Client(wallet.url, contracts["wallet"].check_response).get("/healthz").status_code == 200
    finally:
        wallet.kill()
        for connection in connections:
            connection.socket.close()
