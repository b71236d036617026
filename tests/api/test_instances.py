"""Which Wallet answers: the one that has our funds, another one at its address, or one that does not say."""
import json
import uuid

import pytest

from crash import crowds
from harness.client import Client, new_phone, wait_funded
from harness.fake import FakeService
from harness.services import Discount, Wallet, wait_until
from harness.tokens import Issuer, WalletKey
from harness.world import assert_problem

HEADER = "Wallet-Instance"
SETTLE_WAIT_MS = 100


def new_id():
    """A UUIDv7 in its form, and nothing but chance."""
    return str(uuid.UUID(int=(uuid.uuid4().int & ~(0xF << 76)) | (7 << 76)))


def instance_of(world):
    answer = world.shop.get("/v1/instance")
    assert answer.status_code == 200, answer.text
    return answer.json()


def metric(service, name):
    lines = Client(service.url).get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.split(" ")[0].split("{")[0] == name)


# ---- what Wallet says ----

def test_each_answer_to_a_service_names_the_wallet(world):
    told = instance_of(world)
    assert uuid.UUID(told["instance_id"]).version == 7
    fund = f"fund-{uuid.uuid4()}"
    answers = [world.shop.get("/v1/instance"), world.shop.post("/v1/funds", {"reference": fund, "amount": 5, "currency": "IRT"}), world.shop.get(f"/v1/funds/{fund}"),
               world.shop.get("/v1/funds/none"), world.shop.post("/v1/credits", {"items": []}), world.shop.post("/v1/credits", {}),
               world.shop.post(f"/v1/funds/{fund}/release"), world.shop.get("/v1/accounts"),
               world.shop.post("/v1/funds", {"reference": fund, "amount": 5, "currency": "IRT"}, headers={"Content-Type": "text/plain"})]
    assert {answer.status_code for answer in answers} >= {200, 201, 403, 404, 415, 422}
    assert [answer.headers.get(HEADER) for answer in answers] == [told["instance_id"]] * len(answers)
    user = world.user()
    assert HEADER not in user.wallet.get("/v1/wallet").headers
    assert HEADER not in user.wallet.get("/healthz").headers


def test_an_instance_tells_what_it_has_of_its_caller(world):
    before = instance_of(world)
    done = world.credit(world.user().id, 7, reference=(reference := new_id()))
    after = instance_of(world)
    assert (after["instance_id"], after["created_at"]) == (before["instance_id"], before["created_at"])
    assert after["caller"] == {"credits": before["caller"]["credits"] + 1, "last_reference": reference}
    assert after["ledger"]["sequence"] > before["ledger"]["sequence"] and len(after["ledger"]["hash"]) == 64
    assert done["transaction_id"]
    nobody = world.bank.get("/v1/instance").json()["caller"]
    assert nobody["last_reference"] is None if nobody["credits"] == 0 else True
    assert_problem(world.wallet.get("/v1/instance", token=world.user().token), 403, "forbidden")
    assert_problem(Client(world.pair.wallet.url).get("/v1/instance"), 401, "token_missing")


def test_an_instance_outlives_a_restart_and_is_another_after_init(make_world):
    world = make_world()
    world.credit(world.user().id, 7)
    before = instance_of(world)
    world.pair.wallet.kill()
    world.pair.wallet.start()
    assert instance_of(world.connect()) == before


# ---- another one at the address ----

class Exchange:
    """Two Wallets and one address: who stands there is up to the test."""

    def __init__(self, world, tmp_path):
        self.ours = world.pair.wallet
        base = tmp_path / "stranger"
        base.mkdir()
        self.other = Wallet(base)
        self.other.port, self.other.url, self.other.arguments = self.ours.port, self.ours.url, self.ours.arguments
        self.other._run_init(self.other.data, [])  # not a copy of the one that every test has: that would have the same instance
        self.other.add_user("admin", world.pair.admin_password, admin=True)
        self.world = world

    def to_other(self):
        assert self.ours.stop() == 0
        self.other.start()

    def to_ours(self):
        assert self.other.stop() == 0
        self.ours.start()


@pytest.fixture
def exchange(make_world, tmp_path):
    world = make_world(discount_arguments=["--settle-wait", SETTLE_WAIT_MS])
    made = Exchange(world, tmp_path)
    yield made
    made.other.end()


def state_of(world, campaign):
    """(credited, pending, failed) on disk: while another Wallet is there, nobody's token is good."""
    statuses = [row[4] for row in crowds.redemptions(world.pair, campaign["id"])]
    return statuses.count(1), statuses.count(0), statuses.count(2)


def test_another_wallet_stops_the_settling_and_fails_nobody(exchange):
    world = exchange.world
    discount = world.pair.discount
    campaign = world.operator.campaign(places=20)
    users = [world.user() for _ in range(6)]
    assert users[0].redeem(campaign["code"]).status_code == 201
    exchange.ours.kill()
    for user in users[1:]:
        assert user.redeem(campaign["code"]).status_code == 202
    exchange.other.start()
    wait_until(lambda: metric(discount, "discountd_wallet_is_another") == 1, "the other Wallet is noticed")
    [event] = discount.events("wallet_is_another")
    assert event["level"] == "error"
    ready = Client(discount.url).get("/readyz")
    assert (ready.status_code, ready.json()["wallet"]) == (200, "another instance")
    assert state_of(world, campaign) == (1, 5, 0)
    exchange.to_ours()
    wait_until(lambda: state_of(world, campaign) == (6, 0, 0), "all are paid", 30)
    assert metric(discount, "discountd_wallet_is_another") == 0
    assert Client(discount.url).get("/readyz").json()["wallet"] == "ok"  # what paid them has shown it
    assert [user.balance() for user in users] == [1_000_000] * 6
    world.assert_clean()


def test_another_wallet_is_noticed_after_a_restart_of_discount(exchange):
    world = exchange.world
    discount = world.pair.discount
    campaign = world.operator.campaign(places=20)
    user = world.user()
    exchange.ours.kill()
    assert user.redeem(campaign["code"]).status_code == 202
    discount.kill()
    exchange.other.start()
    discount.start()
    wait_until(lambda: metric(discount, "discountd_wallet_is_another") == 1, "the other Wallet is noticed")
    assert state_of(world, campaign) == (0, 1, 0)
    exchange.to_ours()
    wait_until(lambda: state_of(world, campaign) == (1, 0, 0), "paid", 30)


def trust(world):
    discount = world.pair.discount
    return discount.command("trust-wallet", "--data", discount.data, "--wallet", discount.wallet_url)


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
def test_the_operator_may_trust_another_wallet(exchange, is_running):
    world = exchange.world
    discount = world.pair.discount
    before = instance_of(world)["instance_id"]
    world.operator.campaign(places=20)
    exchange.to_other()
    wait_until(lambda: metric(discount, "discountd_wallet_is_another") == 1, "the other Wallet is noticed", 60)
    if not is_running:
        assert discount.stop() == 0
    done = trust(world)
    assert done.returncode == 0, done.stderr
    assert "made at 20" in done.stdout
    after = done.stdout.split()[1].rstrip(",")
    if not is_running:
        discount.start()
    wait_until(lambda: discount.events("wallet_trusted"), "it is trusted")
    wait_until(lambda: not (discount.data / "trust-wallet").exists(), "the word is on disk")
    for _ in range(2):
        wait_until(lambda: metric(discount, "discountd_wallet_is_another") == 0, "settling goes on")
        operator = world.connect().operator
        wait_until(lambda: operator.discount.get("/v1/campaigns").status_code == 200, "the other Wallet's keys are known")
        campaign = operator.campaign(places=3)
        assert campaign["fund"]["state"] == "open"
        assert world.user().redeem(campaign["code"]).status_code == 201
        (noted,) = operator.discount.get("/v1/audit-log?action=wallet.trust").json()["data"]
        assert (noted["actor"], noted["outcome"], noted["subject"]) == ("system", "done", after)
        assert (noted["before"], noted["after"]) == ({"instance_id": before}, {"instance_id": after})
        discount.kill()  # and it stays so
        discount.start()


def test_trust_wallet_says_why_not(exchange):
    world = exchange.world
    discount = world.pair.discount
    assert discount.command("trust-wallet", "--data", discount.data, "--wallet", "nonsense").returncode == 2
    exchange.ours.kill()
    done = trust(world)
    assert done.returncode == 1 and "does not answer" in done.stderr
    assert not (discount.data / "trust-wallet").exists()


# ---- who does not say ----

class FakeWallet(FakeService):
    def __init__(self, name):
        super().__init__()
        self.issuer = Issuer("wallet")
        self.name = name
        self.verdict = {"status": "rejected", "code": "user_not_found"}
        self.answers = {"GET /.well-known/jwks.json": lambda *_: (200, self.issuer.jwks()), "POST /v1/funds": lambda *_: self.named(201, {}),
                        "POST /v1/credits": self.judge, "GET /v1/instance": lambda *_: self.named(200, {})}

    def named(self, status, body):
        return status, body, {HEADER: self.name} if self.name else {}

    def judge(self, _, body):
        return self.named(200, {"items": [{"reference": item["reference"], **self.verdict} for item in json.loads(body)["items"]]})

    def token(self, scope="user"):
        return self.issuer.token(scope, aud=["wallet", "discount"], sub=new_id(), preferred_username="someone", sid=new_id())


@pytest.fixture
def fake(request, tmp_path, contracts):
    made = FakeWallet(getattr(request, "param", new_id()))
    discount = Discount(tmp_path, made.url, "--settle-wait", SETTLE_WAIT_MS).init().start()
    made.discount = discount
    made.client = Client(discount.url, contracts["discount"].check_response)
    yield made
    discount.end()
    made.end()


def redeem(fake, code):
    return fake.client.post("/v1/redemptions", {"code": code, "phone": new_phone()}, token=fake.token())


def campaign_of(fake):
    body = {"name": "A", "kind": "wallet_credit", "phone": "any", "code": "INST" + uuid.uuid4().hex[:8], "credit": {"amount": 5, "currency": "IRT"}, "max_redemptions": 50}
    admin = fake.token("user admin")
    answer = fake.client.post("/v1/campaigns", body, token=admin)
    assert answer.status_code == 201, answer.text
    return wait_funded(fake.client, answer.json(), token=admin)


@pytest.mark.parametrize("name", [new_id(), "", "nonsense", str(uuid.UUID(int=0))], ids=["another", "nobody", "nonsense", "zero"])
def test_what_a_stranger_says_is_not_believed(fake, name):
    """Whatever it says about the claim: paid, or refused for good."""
    campaign = campaign_of(fake)
    ours = fake.name
    for verdict in ({"status": "rejected", "code": "user_not_found"}, {"status": "applied", "transaction_id": new_id()}):
        fake.name, fake.verdict = name, verdict
        answer = redeem(fake, campaign["code"])
        assert answer.status_code == 202, answer.text
        fake.requests.clear()
        wait_until(lambda: fake.asked("GET /v1/instance") or fake.asked("POST /v1/credits"), "asked again")
        fake.name, fake.verdict = ours, {"status": "applied", "transaction_id": new_id()}
        admin = fake.token("user admin")
        found = wait_until(lambda: (got := fake.client.get(f"/v1/redemptions/{answer.json()['id']}", token=admin).json())["status"] != "claimed" and got, "settled")
        assert (found["status"], found["transaction_id"]) == ("credited", fake.verdict["transaction_id"])


@pytest.mark.parametrize("fake", [""], indirect=True)
def test_a_wallet_that_never_had_a_name_is_taken_as_before(fake):
    fake.verdict = {"status": "applied", "transaction_id": new_id()}
    assert redeem(fake, campaign_of(fake)["code"]).status_code == 201


# ---- what Wallet could give back ----

def test_each_credit_carries_what_makes_its_redemption_anew(make_world):
    """Should Discount's database be lost: campaign, position, phone and code stand with the transaction, and the campaign's name."""
    world = make_world()
    names = iter(["Nowruz \u06f1\u06f4\u06f0\u06f4", "Yalda"])
    campaigns = [world.operator.campaign(places=5, name=next(names)) for _ in range(2)]
    users = [world.user() for _ in range(3)]
    redemptions = {campaign["id"]: [user.redeem(campaign["code"]).json() for user in users] for campaign in campaigns}
    key = WalletKey(world.pair.discount.data)  # of any service's folder
    discount = world.wallet.with_token(key.sign({**key.claims("credits:write funds:write", aud=["wallet"], sub="discount"), "iss": "discount"}))
    for campaign in campaigns:
        fund = discount.get(f"/v1/funds/{campaign['id']}").json()
        assert fund["description"] == campaign["name"]
        items, cursor = [], ""
        while cursor is not None:
            page = discount.get(f"/v1/funds/{campaign['id']}/transactions?limit=2{cursor}").json()
            items += page["data"]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        expected = {made["id"]: {"campaign": campaign["id"], "position": made["position"], "phone": made["phone"], "code": campaign["code"]}
                    for made in redemptions[campaign["id"]]}
        assert {item["reference"]: item["metadata"] for item in items} == expected
        assert {item["description"] for item in items} == {campaign["name"]}
    [seen] = [item for item in users[0].wallet.get("/v1/wallet/transactions").json()["data"] if item["reference"] == redemptions[campaigns[0]["id"]][0]["id"]]
    assert seen["description"] == campaigns[0]["name"]
