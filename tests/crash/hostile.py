"""A Wallet that misbehaves on command: it answers `POST /v1/credits` as `mood` says, and keeps the books of what it has really credited."""
import http.server
import json
import threading
import uuid

from harness.tokens import Issuer

CREATED_AT = "2026-11-22T10:00:00.000000Z"


class HostileWallet:
    def __init__(self):
        self.issuer = Issuer("wallet")
        self.lock = threading.Lock()
        self.paid = {}  # reference -> (user, amount, transaction)
        self.funds = {}  # reference -> amount
        self.mood = "honest"
        self.calls = 0  # of POST /v1/credits in the present mood

    def set_mood(self, mood):
        with self.lock:
            self.mood, self.calls = mood, 0

    def token(self, user_id, phone=None, scope="user"):
        return self.issuer.token(scope, aud=["wallet", "discount"], sub=user_id, preferred_username="someone", sid=str(uuid.uuid4()), phone_number=phone)

    def pay(self, items):
        told = []
        for item in items:
            known = item["reference"] in self.paid
            if not known:
                self.paid[item["reference"]] = (item["user_id"], item["amount"], str(uuid.uuid4()))
            told.append({"reference": item["reference"], "status": "replayed" if known else "applied", "transaction_id": self.paid[item["reference"]][2],
                         "balance_after": item["amount"], "created_at": CREATED_AT})
        return {"items": told}

    def credits(self, items):
        """(status, what is sent). None for the content: closed in the middle. A generator: sent piece by piece."""
        moods = {
            "honest": lambda: (200, self.pay(items)),
            "not JSON": lambda: (200, b"<html>Welcome</html>"),
            "cut JSON": lambda: (200, json.dumps(self.pay(items)).encode()[:-20]),
            "no items": lambda: (200, {}),
            "items of a wrong type": lambda: (200, {"items": {"reference": items[0]["reference"]}}),
            "one too few": lambda: (200, {"items": self.pay(items)["items"][1:]}),
            "one too many": lambda: (200, {"items": (told := self.pay(items)["items"]) + told[-1:]}),
            "unknown references": lambda: (200, {"items": [{**item, "reference": str(uuid.uuid4())} for item in self.pay(items)["items"]]}),
            "the same reference for all": lambda: (200, {"items": [(told := self.pay(items)["items"])[0]] * max(2, len(told))}),
            "unknown status": lambda: (200, {"items": [{**item, "status": "done"} for item in self.pay(items)["items"]]}),
            "no transaction": lambda: (200, {"items": [{"reference": item["reference"], "status": "applied"} for item in items]}),
            "transaction zero": lambda: (200, {"items": [{"reference": item["reference"], "status": "applied", "transaction_id": str(uuid.UUID(int=0))}
                                                         for item in items]}),
            "rejected with an unknown code": lambda: (200, {"items": [{"reference": item["reference"], "status": "rejected", "code": "bad_mood"}
                                                                      for item in items]}),
            "rejected without a code": lambda: (200, {"items": [{"reference": item["reference"], "status": "rejected"} for item in items]}),
            "fund exhausted": lambda: (200, {"items": [{"reference": item["reference"], "status": "rejected", "code": "fund_exhausted"} for item in items]}),
            "a problem": lambda: (500, {"code": "internal_error"}),
            "never authorised": lambda: (401, {"code": "invalid_token"}),
            "moved away": lambda: (302, {}),
            "refused as a whole": lambda: (422, {"code": "validation_failed"}),
            "nothing": lambda: (200, b""),
            "null": lambda: (200, b"null"),
            "said twice": lambda: (200, json.dumps(self.pay(items)).encode()[:-1] + b', "items": []}'),
            "a status said twice": lambda: (200, json.dumps(self.pay(items)).encode().replace(b'"status":', b'"status": "rejected", "status":')),
            "a status of a wrong type": lambda: (200, {"items": [{**item, "status": True} for item in self.pay(items)["items"]]}),
            "a transaction of a wrong type": lambda: (200, {"items": [{**item, "transaction_id": 7} for item in self.pay(items)["items"]]}),
            "no content": lambda: (self.pay(items) and 204, b""),
            "accepted": lambda: (202, self.pay(items)),
            "a number beyond reading": lambda: (200, {"items": [{**item, "balance_after": -(1 << 70)} for item in self.pay(items)["items"]]}),
            "in another order": lambda: (200, {"items": self.pay(items)["items"][::-1]}),
            "with lies about amounts and times": lambda: (200, {"items": [{**item, "amount": 1, "balance_after": -5, "created_at": "tomorrow"}
                                                                          for item in self.pay(items)["items"]]}),
            "huge": lambda: (200, (b" " * (1 << 20) for _ in range(64))),
            "deep": lambda: (200, b"[" * 1_000_000),
            "slow drip": lambda: (200, self.drip()),
            "closed in the middle": lambda: (200, None),
            "paid and then closed": lambda: (self.pay(items) and 200, None),
        }
        return moods[self.mood]()

    def drip(self):
        """A byte now and then, for as long as the mood lasts."""
        while self.mood == "slow drip":
            yield b" "
            threading.Event().wait(0.05)


MOODS = ("not JSON", "cut JSON", "no items", "items of a wrong type", "one too few", "one too many", "unknown references", "the same reference for all",
         "unknown status", "no transaction", "transaction zero", "rejected with an unknown code", "rejected without a code", "fund exhausted", "a problem",
         "never authorised", "moved away", "refused as a whole", "nothing", "null", "said twice", "a status said twice", "a status of a wrong type",
         "a transaction of a wrong type", "no content", "accepted", "a number beyond reading", "huge", "deep", "slow drip", "closed in the middle", "paid and then closed")
HARMLESS = ("in another order", "with lies about amounts and times")  # Discount knows the order by the references, and asks nobody for its amounts


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def send(self, status, content):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if isinstance(content, (dict, list)):
            content = json.dumps(content).encode()
        if isinstance(content, bytes):
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        elif content is None:
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"items": [')
            self.close_connection = True
        else:
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            for piece in content:
                self.wfile.write(piece)

    def serve(self):
        wallet = self.server.wallet
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        try:
            if self.path == "/.well-known/jwks.json":
                self.send(200, wallet.issuer.jwks())
            elif self.path == "/v1/credits":
                with wallet.lock:
                    status, content = wallet.credits(body["items"])
                    wallet.calls += 1
                self.send(status, content)
            elif self.path == "/v1/funds":
                wallet.funds[body["reference"]] = body["amount"]
                self.send(201, {"reference": body["reference"], "funded": body["amount"], "remaining": body["amount"], "credited": 0, "released": 0})
            else:
                self.send(404, {"code": "route_not_found"})
        except OSError:
            self.close_connection = True  # the other side had enough

    do_GET = do_POST = serve

    def log_message(self, *_):
        pass


class Server:
    """On a port of its own for the time of a with block."""

    def __init__(self, wallet):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.wallet = wallet
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.http.wallet.set_mood("honest")
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()
