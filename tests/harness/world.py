"""A running pair with the clients, users and services that a test wants, and the check of a refusal."""
import time
import uuid

from .client import Client, Operator, User
from .raw import ask, at_once, request_bytes
from .tokens import WalletKey


SPENDING = "payments:write holds:write reversals:write"


class World:
    """A running pair, and everything that a test wants of it."""

    def __init__(self, pair, issuers, contracts):
        self.pair = pair
        self.issuers = issuers
        self.contracts = contracts
        self.connect()

    def connect(self):
        """Also after a restart: new connections, a new session of the operator."""
        pair = self.pair
        self.wallet = Client(pair.wallet.url, self.contracts["wallet"].check_response)
        self.discount = Client(pair.discount.url, self.contracts["discount"].check_response)
        self.operator = Operator(self.wallet, self.discount, pair.admin_name, pair.admin_password)
        self._services = {}
        return self

    def _as_service(self, name, *scope):
        """A service's token lives five minutes, which the tests of one world may outlast."""
        made_s, client = self._services.get((name, scope), (0, None))
        if client is None or time.monotonic() - made_s > 120:
            client = self.wallet.with_token(self.issuers[name].token(*scope))
            self._services[name, scope] = time.monotonic(), client
        return client

    @property
    def shop(self):
        return self._as_service("shop")

    @property
    def till(self):
        """The shop, where money is spent."""
        return self._as_service("shop", SPENDING)

    @property
    def other_till(self):
        return self._as_service("bank", SPENDING)

    def merchant(self, name=None):
        answer = self.operator.wallet.post("/v1/merchants", {"name": name or f"Shop {uuid.uuid4()}"})
        assert answer.status_code == 201, answer.text
        return answer.json()

    @property
    def bank(self):
        return self._as_service("bank")

    @property
    def wallet_key(self):
        return WalletKey(self.pair.wallet.data)

    def service(self, name):
        """("wallet" | "discount") → the process."""
        return self.pair.wallet if name == "wallet" else self.pair.discount

    def client(self, name):
        return self.wallet if name == "wallet" else self.discount

    def user(self, **options):
        return User(self.wallet, self.discount, **options)

    def rich_user(self, amount=1_000_000, **options):
        user = self.user(**options)
        self.credit(user.id, amount)
        return user

    def credit(self, user_id, amount, **members):
        item = {"reference": str(uuid.uuid4()), "user_id": user_id, "amount": amount, "currency": "IRT", **members}
        answer = self.shop.post("/v1/credits", {"items": [item]})
        assert answer.status_code == 200, answer.text
        outcome = answer.json()["items"][0]
        assert outcome["status"] == "applied", outcome
        return outcome

    def freeze(self, user, is_frozen=True):
        """The account of a user, as an administrator does it."""
        answer = self.operator.wallet.post(f"/v1/accounts/{self.account(user)}/{'freeze' if is_frozen else 'unfreeze'}")
        assert answer.status_code == 200, answer.text

    def account(self, user):
        return user.wallet.get("/v1/wallet").json()["account_id"]

    def fund(self, amount=1_000_000, reference=None):
        answer = self.shop.post("/v1/funds", {"reference": reference or f"fund-{uuid.uuid4()}", "amount": amount, "currency": "IRT"})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def raw(self, name, method, target, headers=None, body=None, **options):
        """One request by hand, checked like any other."""
        answer = ask(self.service(name).port, request_bytes(method, target, headers, body, **options), method)
        assert answer is not None, "closed without an answer"
        self.contracts[name].check(method, target, answer.status, answer.headers, answer.body)
        return answer

    def all_at_once(self, name, method, target, requests):
        """[(headers, body)] in one instant."""
        answers = at_once(self.service(name).port, [request_bytes(method, target, headers, body) for headers, body in requests])
        for answer in answers:
            assert answer is not None, "closed without an answer"
            self.contracts[name].check(method, target, answer.status, answer.headers, answer.body)
        return answers

    def assert_clean(self):
        """The invariants, by the services' own commands, on the live system."""
        for done in (self.pair.wallet.verify(), self.pair.discount.verify(), self.pair.discount.reconcile()):
            assert done.returncode == 0, f"{done.args}: {done.stdout}{done.stderr}"


def assert_problem(answer, status, code, fields=None):
    """Status and code, and with `fields` exactly the members that `errors` names (one may have two faults); returns the document."""
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text}"
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["code"] == code, problem
    assert problem["type"].endswith(f"/problems/{code}")
    if code not in ("route_not_found", "overloaded", "shutting_down"):  # of which there is no more to say
        assert problem["detail"].rstrip(".").lower() != problem["title"].lower(), problem
    if fields is not None:
        assert {fault["field"] for fault in problem["errors"]} == set(fields), problem["errors"]
    if status in (429, 503):
        assert int(answer.headers["Retry-After"]) >= 1
    return problem
