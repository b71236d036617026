"""A client of both services that holds every answer against the OpenAPI document before a test sees it."""
import itertools
import json
import secrets
import threading
import time
import uuid

import requests

from harness.raw import request_bytes

PASSWORD = "correct horse battery"
_serial = itertools.count(secrets.randbelow(500_000_000))
_serial_lock = threading.Lock()


def new_phone():
    """A number that no other test of this run uses."""
    with _serial_lock:
        return f"+989{next(_serial):09d}"


def new_username():
    return f"u-{secrets.token_hex(6)}"


def wait_funded(client, campaign, deadline_s=60, **options):
    """Until places can be given: a slow machine may open the fund after the creation was answered. Returns the campaign as it is then."""
    end = time.monotonic() + deadline_s
    while campaign.get("fund") is not None and campaign["fund"]["state"] == "pending":
        assert time.monotonic() < end, f"no fund within {deadline_s} s"
        campaign = client.get(f"/v1/campaigns/{campaign['id']}", **options).json()
    return campaign


class From(requests.adapters.HTTPAdapter):
    """Connections that begin at this address."""

    def __init__(self, source):
        self.source = source
        super().__init__()

    def init_poolmanager(self, *arguments, **options):
        super().init_poolmanager(*arguments, source_address=(self.source, 0), **options)


class Client:
    """`check` gets each answer (requests.Response); the contract's validator raises when the answer breaks the document."""

    def __init__(self, base_url, check=None, token=None, source=None):
        self.base_url = base_url
        self.source = source
        self.check = check
        self.token = token
        self.session = requests.Session()
        self.session.trust_env = False
        if source is not None:
            self.session.mount("http://", From(source))

    def with_token(self, token):
        return Client(self.base_url, self.check, token, self.source)

    def at(self, source):
        """The same from another address of this host's: all of 127.0.0.0/8 are."""
        return Client(self.base_url, self.check, self.token, source)

    def request(self, method, path, *, json=None, data=None, headers=None, token=None, key=None, timeout=60, **options):
        sent = dict(headers or {})
        token = token if token is not None else self.token
        if token and "Authorization" not in sent:
            sent["Authorization"] = f"Bearer {token}"
        if key:
            sent["Idempotency-Key"] = key
        answer = self.session.request(method, self.base_url + path, json=json, data=data, headers=sent, timeout=timeout, allow_redirects=False, **options)
        if self.check is not None:
            self.check(answer)
        return answer

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, json=None, **options):
        return self.request("POST", path, json=json, **options)


def redemption_bytes(token, code, phone, **headers):
    """The request, byte by byte, to be sent with others in one instant; the same each time."""
    fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
    return request_bytes("POST", "/v1/redemptions", fields, json.dumps({"code": code, "phone": phone}).encode())


class User:
    """A registered user, logged in."""

    def __init__(self, wallet, discount=None, phone=None, with_phone=True):
        self.username = new_username()
        self.phone = phone or new_phone()
        body = {"username": self.username, "password": PASSWORD}
        if with_phone:
            body["phone"] = self.phone
        answer = wallet.post("/v1/users", body)
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["id"]
        self.login(wallet)
        self.wallet = wallet.with_token(self.token)
        self.discount = discount.with_token(self.token) if discount is not None else None

    def login(self, wallet):
        answer = wallet.post("/v1/sessions", {"username": self.username, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        self.session = answer.json()
        self.token = self.session["access_token"]

    def redeem(self, code, phone=None, **options):
        return self.discount.post("/v1/redemptions", {"code": code, "phone": phone or self.phone}, **options)

    def redemption(self, code):
        return redemption_bytes(self.token, code, self.phone)

    def balance(self):
        return self.wallet.get("/v1/wallet").json()["balance"]


class Operator:
    """The admin: makes campaigns and reads what they did."""

    def __init__(self, wallet, discount, name, password):
        answer = wallet.post("/v1/sessions", {"username": name, "password": password})
        assert answer.status_code == 201, answer.text
        self.token = answer.json()["access_token"]
        self.wallet = wallet.with_token(self.token)
        self.discount = discount.with_token(self.token)

    def campaign(self, places=10, credit=1_000_000, is_funded=True, **changes):
        """Of a credit to each, unless the kind is another one: then `credit` is None."""
        body = {"name": "Nowruz", "kind": "wallet_credit", "code": f"T{secrets.token_hex(5).upper()}",
                "credit": credit and {"amount": credit, "currency": "IRT"}, "max_redemptions": places, **changes}
        answer = self.discount.post("/v1/campaigns", {name: value for name, value in body.items() if value is not None}, key=str(uuid.uuid4()))
        assert answer.status_code == 201, answer.text
        return wait_funded(self.discount, answer.json()) if is_funded else answer.json()

    def report(self, campaign_id):
        answer = self.discount.get(f"/v1/campaigns/{campaign_id}/report")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def winners(self, campaign_id):
        """All of them, page by page."""
        rows, cursor = [], None
        while True:
            page = self.discount.get(f"/v1/campaigns/{campaign_id}/redemptions?limit=200" + (f"&cursor={cursor}" if cursor else "")).json()
            rows += page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                return rows

    def wait_settled(self, campaign_id, deadline_s=60):
        end = time.monotonic() + deadline_s
        while True:
            report = self.report(campaign_id)
            if report["pending"] == 0:
                return report
            assert time.monotonic() < end, report
            time.sleep(0.02)
