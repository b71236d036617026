"""Wallet and Discount in one small program that tells the truth, or one chosen lie: what `crowd` is tested against."""
import copy
import http.server
import json
import threading
import urllib.parse
import uuid

CODE = "NOWRUZ1404"
CREDIT = 1_000_000


PERCENT_OFF = 10


class Fake:
    """Keeps the books right; `lie` names a method of Lies that bends one answer."""

    def __init__(self, places, lie=None, has_orders=False):
        self.places = places
        self.has_orders = has_orders
        self.batch = None  # {code: the redemption that used it, or None}
        self.batch_id = str(uuid.uuid4())
        self.lock = threading.Lock()
        self.users = {}  # username -> id
        self.redemptions = {}  # user id -> redemption, in the order of positions
        self.phones = {}  # user id -> phone
        self.asked = {}  # user id -> how often it has asked for a place
        self.campaign_id = str(uuid.uuid4())
        self.bend = getattr(Lies(self), lie) if lie else lambda name, user, status, body: (status, body)

    # Each answer is (status, body); `bend` sees it last.

    def register(self, body):
        user = self.users.setdefault(body["username"], str(uuid.uuid4()))
        self.phones[user] = body["phone"]
        return "register", user, 201, {"id": user, "username": body["username"], "phone": body["phone"]}

    def log_in(self, body):
        user = "admin" if body["username"] == "admin" else self.users[body["username"]]
        return "log_in", user, 201, {"access_token": user, "token_type": "Bearer"}

    def redeem(self, user, body):
        self.asked[user] = self.asked.get(user, 0) + 1
        if user in self.redemptions:
            return "redeem", user, 200, copy.deepcopy(self.redemptions[user])
        if len(self.redemptions) == self.places:
            return "redeem", user, 410, {"code": "sold_out"}
        if body["code"] not in (self.batch or {CODE: None}):
            return "redeem", user, 404, {"code": "code_not_found"}
        redemption = {"id": str(uuid.uuid4()), "campaign_id": self.campaign_id, "user_id": user, "phone": self.phones[user],
                      "position": len(self.redemptions) + 1, "status": "credited", "transaction_id": str(uuid.uuid4())}
        if self.has_orders:
            amount = body["order"]["amount"]
            off = amount * PERCENT_OFF // 100
            redemption |= {"status": "applied", "order": body["order"], "discount": {"amount": off, "final_amount": amount - off, "currency": "IRT"}}
        if self.batch is not None:
            self.batch[body["code"]] = redemption
        self.redemptions[user] = redemption
        return "redeem", user, 201, copy.deepcopy(redemption)

    def make_batch(self, body):
        self.batch = {f"CROWD-{index:04d}-AAAA-BBBB-CCCC": None for index in range(body["count"])}
        return "batch", "admin", 201, {"id": self.batch_id, "count": body["count"]}

    def export(self, query):
        after, limit = int(query["after"]), int(query["limit"])
        return "export", "admin", 200, {"data": [{"index": index, "code": code, "state": "active"} for index, code in enumerate(self.batch, 1)][after:after + limit]}

    def look_up(self, body):
        redemption = self.batch[body["code"]]
        used = [{"id": redemption["id"], "user_id": redemption["user_id"]}] if redemption else []
        return "look_up", "admin", 200, {"batch": self.batch_id, "state": "used" if used else "active", "uses": len(used), "redemptions": used}

    def balance(self, user):
        return "balance", user, 200, {"balance": CREDIT if user in self.redemptions and not self.has_orders else 0}

    def history(self, user):
        data = [{"reference": self.redemptions[user]["id"], "amount": CREDIT}] if user in self.redemptions and not self.has_orders else []
        return "history", user, 200, {"data": data, "next_cursor": None}

    def campaigns(self):
        gift = {"kind": "wallet_credit", "credit": {"amount": CREDIT, "currency": "IRT"}}
        if self.has_orders:
            gift = {"kind": "percent_off", "discount": {"percent": str(PERCENT_OFF)}}
        campaign = {"id": self.campaign_id, "code": CODE, "redeemed": len(self.redemptions), **gift}
        return "campaigns", "admin", 200, {"data": [campaign], "next_cursor": None}

    def winners(self):
        return "winners", "admin", 200, {"data": [copy.deepcopy(redemption) for redemption in self.redemptions.values()], "next_cursor": None}

    def report(self):
        count = len(self.redemptions)
        told = {"redeemed": count, "remaining": self.places - count, "credited": 0 if self.has_orders else count, "pending": 0, "failed": 0, "orders": None,
                "by_batch": []}
        if self.has_orders:
            orders, discounts = [[row[name]["amount"] for row in self.redemptions.values()] for name in ("order", "discount")]
            told["orders"] = {"count": count, "amount": sum(orders), "discount": sum(discounts), "currency": "IRT"}
        if self.batch is not None:
            told["by_batch"] = [{"batch": self.batch_id, "count": len(self.batch), "used": count, "uses": count, "revoked": 0}]
        return "report", "admin", 200, told

    def answer(self, method, path, user, body):
        path, _, query = path.partition("?")
        with self.lock:
            if path == "/healthz":
                return 200, {}
            if path == "/v1/users":
                told = self.register(body)
            elif path == "/v1/sessions":
                told = self.log_in(body)
            elif path == "/v1/redemptions" and method == "POST":
                told = self.redeem(user, body)
            elif path == "/v1/wallet":
                told = self.balance(user)
            elif path == "/v1/wallet/transactions":
                told = self.history(user)
            elif path == "/v1/campaigns":
                told = self.campaigns()
            elif path.endswith("/code-batches"):
                told = self.make_batch(body)
            elif path.endswith("/codes"):
                told = self.export(dict(urllib.parse.parse_qsl(query)))
            elif path == "/v1/codes/lookup":
                told = self.look_up(body)
            elif path.endswith("/redemptions"):
                told = self.winners()
            elif path.endswith("/report"):
                told = self.report()
            else:
                return 404, {"code": "route_not_found"}
            return self.bend(*told)


class Lies:
    """One method for each thing that can be wrong in the world. `chosen` is the user that it happens to: the third winner, or the first loser."""

    def __init__(self, fake):
        self.fake = fake

    def winner(self, number=3):
        return list(self.fake.redemptions)[number - 1] if len(self.fake.redemptions) >= number else None

    def one_winner_too_many(self, name, user, status, body):
        if name == "winners":
            body["data"].append({**body["data"][-1], "id": str(uuid.uuid4()), "user_id": str(uuid.uuid4()), "phone": "+989000000000",
                                 "position": len(body["data"]) + 1})
        return status, body

    def one_winner_too_few(self, name, user, status, body):
        """Everything agrees, and yet a place was not given away."""
        fake = self.fake
        if name == "redeem" and status == 201 and body["position"] == fake.places:
            del fake.redemptions[user]
            return 410, {"code": "sold_out"}
        return status, body

    def a_position_twice(self, name, user, status, body):
        if name == "winners":
            body["data"][3]["position"] = body["data"][2]["position"]
        return status, body

    def a_gap(self, name, user, status, body):
        """The last one got a number behind the last, and was told so."""
        fake = self.fake
        if name == "redeem" and status == 201 and body["position"] == fake.places:
            fake.redemptions[user]["position"] += 1
            body["position"] += 1
        return status, body

    def one_user_twice(self, name, user, status, body):
        if name == "winners":
            body["data"][3]["user_id"] = body["data"][2]["user_id"]
        return status, body

    def a_phone_twice(self, name, user, status, body):
        if name == "winners":
            body["data"][3]["phone"] = body["data"][2]["phone"]
        return status, body

    def a_winner_is_not_listed(self, name, user, status, body):
        if name == "winners":
            body["data"][3] = {**body["data"][3], "id": str(uuid.uuid4()), "user_id": str(uuid.uuid4())}
        return status, body

    def the_money_is_missing(self, name, user, status, body):
        return (status, {"balance": 0}) if name == "balance" and user == self.winner() else (status, body)

    def the_money_came_twice(self, name, user, status, body):
        if user == self.winner():
            if name == "balance":
                body["balance"] *= 2
            if name == "history":
                body["data"] *= 2
        return status, body

    def the_credit_is_booked_twice_and_balanced(self, name, user, status, body):
        if name == "history" and user == self.winner():
            body["data"] *= 2
        return status, body

    def a_loser_holds_money(self, name, user, status, body):
        if name == "balance" and user not in self.fake.redemptions:
            body["balance"] = CREDIT
        return status, body

    def the_report_counts_wrong(self, name, user, status, body):
        if name == "report":
            body["redeemed"] -= 1
            body["remaining"] += 1
        return status, body

    def the_report_does_not_add_up(self, name, user, status, body):
        if name == "report":
            body["remaining"] += 1
        return status, body

    def the_report_credits_wrong(self, name, user, status, body):
        if name == "report":
            body["credited"] -= 1
        return status, body

    def no_report(self, name, user, status, body):
        return (404, {"code": "route_not_found"}) if name == "report" else (status, body)

    def the_report_tells_of_a_failure(self, name, user, status, body):
        if name == "report":
            body["failed"] = 1
        return status, body

    def credits_stay_pending(self, name, user, status, body):
        if name == "report":
            body["pending"] = 1
        return status, body

    def a_list_without_end(self, name, user, status, body):
        if name == "winners":
            return status, {"data": [], "next_cursor": "again"}
        return status, body

    def a_winner_was_told_no(self, name, user, status, body):
        if name == "redeem" and user == self.winner():
            return 410, {"code": "sold_out"}
        return status, body

    def a_no_for_the_wrong_reason(self, name, user, status, body):
        return (409, {"code": "phone_already_redeemed"}) if name == "redeem" and status == 410 else (status, body)

    def another_place_than_told(self, name, user, status, body):
        if name == "redeem" and user == self.winner():
            body["position"] = 4
        return status, body

    def a_201_that_is_no_redemption(self, name, user, status, body):
        return (201, {"ok": True}) if name == "redeem" and user == self.winner() else (status, body)

    def a_201_that_is_not_credited(self, name, user, status, body):
        if name == "redeem" and user == self.winner():
            body["status"] = "claimed"
        return status, body

    def a_claim_that_becomes_a_no(self, name, user, status, body):
        """The place was promised by a 202 and taken away again."""
        if name == "redeem" and user == self.winner():
            if self.fake.asked[user] > 1:
                return 410, {"code": "sold_out"}
            return 202, {**body, "status": "claimed"}
        return status, body

    def a_claim_that_is_never_paid(self, name, user, status, body):
        if name == "redeem" and user == self.winner():
            return (202 if self.fake.asked[user] == 1 else 200), {**body, "status": "claimed"}
        return status, body

    def a_winner_without_a_user(self, name, user, status, body):
        if name == "winners":
            body["data"][2]["user_id"] = "nobody"
        return status, body

    def a_winner_that_failed(self, name, user, status, body):
        if name == "winners":
            body["data"][2]["status"] = "failed"
        return status, body

    # of orders

    def told_less_off(self, name, user, status, body):
        if name == "redeem" and user == self.winner():
            body["discount"]["amount"] -= 1
            body["discount"]["final_amount"] += 1
        return status, body

    def told_to_pay_more(self, name, user, status, body):
        if name == "redeem" and user == self.winner():
            body["discount"]["final_amount"] += 1
        return status, body

    def listed_with_less_off(self, name, user, status, body):
        if name == "winners":
            body["data"][2]["discount"]["amount"] -= 1
        return status, body

    def listed_with_anothers_order(self, name, user, status, body):
        if name == "winners":
            body["data"][2]["order"] = body["data"][3]["order"]
            body["data"][2]["discount"] = body["data"][3]["discount"]
        return status, body

    def an_order_of_another_amount(self, name, user, status, body):
        if name == "winners":
            body["data"][2]["order"]["amount"] += 100 // PERCENT_OFF
            body["data"][2]["discount"]["amount"] += 1
        return status, body

    def credited_for_an_order(self, name, user, status, body):
        if name == "winners":
            body["data"][2]["status"] = "credited"
        return status, body

    def told_credited_for_an_order(self, name, user, status, body):
        if name == "redeem" and user == self.winner():
            body["status"] = "credited"
        return status, body

    def paid_for_an_order(self, name, user, status, body):
        if name == "history" and user == self.winner():
            body["data"] = [{"reference": self.fake.redemptions[user]["id"], "amount": CREDIT}]
        return status, body

    def the_report_forgets_an_order(self, name, user, status, body):
        if name == "report":
            body["orders"]["count"] -= 1
        return status, body

    def the_report_adds_orders_wrong(self, name, user, status, body):
        if name == "report":
            body["orders"]["amount"] += 1
        return status, body

    def the_report_adds_discounts_wrong(self, name, user, status, body):
        if name == "report":
            body["orders"]["discount"] -= 1
        return status, body

    # of unique codes

    def a_code_of_nobody(self, name, user, status, body):
        """A winner's code stays unused."""
        if name == "look_up" and status == 200 and body["redemptions"] and body["redemptions"][0]["user_id"] == self.winner():
            return status, {**body, "state": "active", "uses": 0, "redemptions": []}
        return status, body

    def a_code_of_two(self, name, user, status, body):
        if name == "look_up" and body["redemptions"] and body["redemptions"][0]["user_id"] == self.winner():
            body["uses"] = 2
            body["redemptions"] *= 2
        return status, body

    def anothers_code(self, name, user, status, body):
        if name == "look_up" and body["redemptions"] and body["redemptions"][0]["user_id"] == self.winner():
            body["redemptions"][0]["user_id"] = self.winner(4)
        return status, body

    def a_losers_code_is_gone(self, name, user, status, body):
        return (status, {**body, "state": "used"}) if name == "look_up" else (status, body)

    def the_report_counts_codes_wrong(self, name, user, status, body):
        if name == "report":
            body["by_batch"][0]["used"] -= 1
        return status, body

    def the_report_counts_uses_wrong(self, name, user, status, body):
        if name == "report":
            body["by_batch"][0]["uses"] += 1
        return status, body

    def the_report_knows_no_batch(self, name, user, status, body):
        if name == "report":
            body["by_batch"] = []
        return status, body

    def a_right_code_is_refused(self, name, user, status, body):
        return (404, {"code": "code_not_found"}) if name == "redeem" and status == 410 else (status, body)

    # and what is no lie

    def a_claim_that_is_paid_later(self, name, user, status, body):
        if name == "redeem" and status in (200, 201) and self.fake.asked[user] == 1:
            return 202, {**body, "status": "claimed"}
        return status, body

    def busy_at_first(self, name, user, status, body):
        """The answer to the first redemption of each user is lost behind a 503; the place may be taken."""
        return (503, {"code": "overloaded"}) if name == "redeem" and self.fake.asked[user] == 1 else (status, body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def serve(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        user = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        status, told = self.server.fake.answer(self.command, self.path, user, body)
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = serve

    def log_message(self, *_):
        pass


class Server:
    """The fake on a port of its own, for the time of a with block."""

    def __init__(self, fake):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.fake = fake
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()
