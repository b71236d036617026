"""Random sequences of requests, the same for every side: what one side is asked names users, campaigns and so on by number, never by id."""
import random

PASSWORD = "correct horse battery"
KINDS = {  # how often, in relation
    "register": 5, "log_in": 6, "refresh": 2, "log_out": 1, "change_password": 1, "me": 2,
    "balance": 6, "transactions": 4, "transaction": 3, "transfer": 10, "accounts": 3,
    "open_fund": 3, "top_up": 3, "release": 1, "fund": 2, "fund_transactions": 2, "credit": 8,
    "create_campaign": 4, "patch": 3, "pause": 1, "resume": 2, "end": 1, "campaign": 3, "campaigns_list": 2,
    "redeem": 25, "redemption": 3, "redemptions": 3, "winners": 3, "report": 3, "repeat": 12, "garbage": 3,
}


class Script:
    """One seed's requests, one by one: (kind, service, method, path, headers, body, who). `{…}` in a path or a text is a thing's name, which the side
    knows by its id; `who` is the user, service or operator whose token is sent."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.users = self.sessions = self.campaigns = self.funds = self.keys = 0
        self.sent = []  # with a key, for repeats

    def pick(self, name, count, missing=0.05):
        """One that exists, or now and then one that does not."""
        if count == 0 or self.random.random() < missing:
            return f"{name}none"
        return f"{name}{self.random.randrange(count)}"

    def headers(self, share=0.5):
        if self.random.random() >= share:
            return {}
        self.keys += 1
        return {"Idempotency-Key": f"key-{self.keys}"}

    def next(self):
        kind = self.random.choices(list(KINDS), KINDS.values())[0]
        request = getattr(self, kind)()
        if request is None:
            return self.next()
        request = (kind, *request)
        if "Idempotency-Key" in request[4]:
            self.sent.append(request)
        return request

    # --- wallet ---

    def register(self):
        number = self.users if self.random.random() < 0.8 else self.random.randrange(self.users + 1)
        body = {"username": f"user{number}", "password": PASSWORD if self.random.random() < 0.95 else "short"}
        if self.random.random() < 0.8:
            body["phone"] = f"0912{number + self.random.choice([0, 0, 0, 0, 1]):07d}"
        self.users += 1
        return "wallet", "POST", "/v1/users", self.headers(), body, None

    def user(self):
        return self.pick("user", self.users)

    def log_in(self):
        return "wallet", "POST", "/v1/sessions", {}, {"username": self.user(), "password": PASSWORD}, None

    def refresh(self):
        return "wallet", "POST", "/v1/sessions/refresh", {}, {"refresh_token": "{refresh:" + self.user() + "}"}, None

    def log_out(self):
        return "wallet", "DELETE", "/v1/sessions/current", {}, None, self.user()

    def change_password(self):
        body = {"current_password": self.random.choice([PASSWORD, PASSWORD, "a wrong password"]), "new_password": PASSWORD}
        return "wallet", "PUT", "/v1/users/me/password", {}, body, self.user()

    def me(self):
        return "wallet", "GET", "/v1/users/me", {}, None, self.user()

    def balance(self):
        return "wallet", "GET", "/v1/wallet", {}, None, self.user()

    def page(self):
        return f"?limit={self.random.randint(1, 20)}"

    def transactions(self):
        kind = self.random.choice(["", "&kind=credit", "&kind=transfer", "&kind=nonsense"])
        return "wallet", "GET", f"/v1/wallet/transactions{self.page()}{kind}", {}, None, self.user()

    def transaction(self):
        return "wallet", "GET", "/v1/transactions/{transaction:any}", {}, None, self.random.choice([self.user(), "operator"])

    def transfer(self):
        to = self.random.choice([{"username": self.user()}, {"phone": f"0912{self.random.randrange(self.users + 1):07d}"}, {"account_id": "{account:" + self.user() + "}"}])
        body = {"to": to, "amount": self.random.choice([1, 5, 100, 5000, 10**9]), "currency": "IRT", "description": self.random.choice(["", "عیدی", "lunch"])}
        return "wallet", "POST", "/v1/wallet/transfers", self.headers(), body, self.user()

    def accounts(self):
        by = self.random.choice(["", "&kind=fund", "&kind=user", f"&username={self.user()}", "&state=released"])
        return "wallet", "GET", f"/v1/accounts{self.page()}{by}", {}, None, self.random.choice(["operator", "operator", self.user()])

    def open_fund(self):
        number = self.funds if self.random.random() < 0.7 else self.random.randrange(self.funds + 1)
        self.funds += 1
        return "wallet", "POST", "/v1/funds", self.headers(), {"reference": f"fund{number}", "amount": 1000, "currency": "IRT"}, "shop"

    def top_up(self):
        body = {"amount": self.random.choice([5, 50]), "currency": "IRT", "reference": f"top{self.random.randrange(6)}"}
        return "wallet", "POST", f"/v1/funds/{self.pick('fund', self.funds)}/topup", self.headers(), body, "shop"

    def release(self):
        return "wallet", "POST", f"/v1/funds/{self.pick('fund', self.funds)}/release", self.headers(), None, "shop"

    def fund(self):
        return "wallet", "GET", f"/v1/funds/{self.pick('fund', self.funds)}", {}, None, "shop"

    def fund_transactions(self):
        return "wallet", "GET", f"/v1/funds/{self.pick('fund', self.funds)}/transactions{self.page()}", {}, None, "shop"

    def credit(self):
        items = []
        for _ in range(self.random.randint(1, 6)):
            items.append({"reference": f"credit{self.random.randrange(60)}", "user_id": "{user:" + self.user() + "}", "amount": self.random.choice([10, 400]),
                          "currency": "IRT", "fund": self.pick("fund", self.funds)})
        return "wallet", "POST", "/v1/credits", self.headers(), {"items": items}, "shop"

    # --- discount ---

    def create_campaign(self):
        number = self.campaigns if self.random.random() < 0.85 else self.random.randrange(self.campaigns + 1)
        self.campaigns += 1
        body = {"name": f"Campaign {number}", "kind": "wallet_credit", "code": f"CODE{number}", "credit": {"amount": 1000, "currency": "IRT"},
                "max_redemptions": self.random.randint(1, 6)}
        if self.random.random() < 0.1:
            body["starts_at"] = "2100-01-01T00:00:00Z"
        return "discount", "POST", "/v1/campaigns", self.headers(), body, "operator"

    def campaign_path(self):
        return "/v1/campaigns/{campaign:" + self.pick("CODE", self.campaigns) + "}"

    def patch(self):
        change = self.random.choice([{"name": "Renamed"}, {"max_redemptions": self.random.randint(1, 9)}, {"starts_at": None}])
        tag = self.random.choice(["*", "*", '"1"', '"3"'])
        return "discount", "PATCH", self.campaign_path(), {**self.headers(), "If-Match": tag}, change, "operator"

    def switch(self, word):
        return "discount", "POST", f"{self.campaign_path()}/{word}", self.headers(), None, "operator"

    def pause(self):
        return self.switch("pause")

    def resume(self):
        return self.switch("resume")

    def end(self):
        return self.switch("end")

    def campaign(self):
        return "discount", "GET", self.campaign_path(), {}, None, "operator"

    def campaigns_list(self):
        return "discount", "GET", f"/v1/campaigns{self.page()}", {}, None, "operator"

    def redeem(self):
        who = self.user()
        number = int(who[4:]) if who != "usernone" else 0
        phone = f"0912{number + self.random.choice([0, 0, 0, 0, 0, 1]):07d}"
        return "discount", "POST", "/v1/redemptions", self.headers(), {"code": self.pick("CODE", self.campaigns), "phone": phone}, who

    def redemption(self):
        return "discount", "GET", "/v1/redemptions/{redemption:any}", {}, None, self.user()

    def redemptions(self):
        return "discount", "GET", f"/v1/redemptions{self.page()}", {}, None, self.user()

    def winners(self):
        accept = self.random.choice(["application/json", "text/csv"])
        return "discount", "GET", f"{self.campaign_path()}/redemptions{self.page() if accept != 'text/csv' else ''}", {"Accept": accept}, None, "operator"

    def report(self):
        return "discount", "GET", f"{self.campaign_path()}/report", {}, None, "operator"

    # --- both ---

    def repeat(self):
        """The same request under the same key; now and then another body."""
        if not self.sent:
            return None
        _, service, method, path, headers, body, who = self.random.choice(self.sent)
        if body and self.random.random() < 0.2:
            body = {**body, "surprise": 1}
        return service, method, path, headers, body, who

    def garbage(self):
        body = self.random.choice([[], {"a": 1}, "text", {"amount": -1}])
        service, path = self.random.choice([("wallet", "/v1/wallet/transfers"), ("wallet", "/v1/credits"), ("discount", "/v1/redemptions")])
        return service, "POST", path, {}, body, self.random.choice(["operator", "shop", self.user()])
