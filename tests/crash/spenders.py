"""Clients who move, hold, capture, release and reverse money among the same wallets, and what their answers add up to.

Each sends a request again, the same to the byte, until there is an answer that is none of the passing ones: so all that has happened is known from
the answers alone, but for the holds that nobody has ended, which expire."""
import collections
import threading
import time
import uuid

from crash import people
from crash.patient import Patient
from harness.tokens import Issuer

SPENDING = "payments:write holds:write reversals:write"
EARNING = "credits:write credits:issue"
MERCHANTS = 5
RICH = 1000  # what a wallet begins with; what is moved at once is up to MOST
MOST = 400
HOLDS_KEPT = 400  # that clients still try to end
NEWEST = 200  # of the transfers that they take back


class Hold:
    """What a client was told of one."""

    def __init__(self, told, user):
        self.id, self.user, self.amount = told["id"], user, told["amount"]
        self.is_short = None
        self.captured = []  # amounts
        self.ends = []  # of those that ended it: "captured" or "released"


class Original:
    """A transfer that can be taken back: of a merchant's payment or capture, or a service's credit by its reference."""

    def __init__(self, transfer_id, user, left, merchant=None, reference=None):
        self.id, self.user, self.left, self.merchant, self.reference = transfer_id, user, left, merchant, reference


class Books:
    """What all answers add up to. Each method is called with the answer of a 2xx, from any thread."""

    def __init__(self, wallets, merchants):
        self.lock = threading.Lock()
        self.balances = collections.Counter({person.id: 0 for person in wallets} | {merchant: 0 for merchant in merchants})
        self.holds = {}
        self.transfers = collections.defaultdict(set)  # kind → ids
        self.originals = []  # Original, the newest last
        self.refusals = collections.Counter()
        self.done = collections.Counter()  # what was done or seen, by name

    def move(self, kind, transfer_id, amount, debit=None, credit=None):
        with self.lock:
            assert transfer_id not in self.transfers[kind], f"two requests were answered with one transfer {transfer_id}"
            self.transfers[kind].add(transfer_id)
            if debit is not None:
                self.balances[debit] -= amount
            if credit is not None:
                self.balances[credit] += amount
            self.done[kind] += 1

    def remember(self, original):
        with self.lock:
            self.originals.append(original)

    def take_back(self, kind, transfer_id, original, amount):
        self.move(kind, transfer_id, amount, *((original.merchant, original.user) if original.merchant else (original.user, None)))
        with self.lock:
            original.left -= amount

    def some_original(self, chance, is_credit):
        """One of the newest, so that several clients take back the same; None while there is none."""
        with self.lock:
            found = [original for original in self.originals[-NEWEST:] if (original.merchant is None) == is_credit]
        return chance.choice(found) if found else None

    def count(self, name):
        with self.lock:
            self.done[name] += 1

    def refuse(self, code):
        with self.lock:
            self.refusals[code] += 1


class Party:
    """The wallets, the merchants, and who may do what with them; the service runs."""

    def __init__(self, pair, shop, wallets):
        self.pair = pair
        self.shop = shop
        self.people = people.gather(pair, wallets)
        self.holds = []  # the newest; some are ended meanwhile
        self.stopping = threading.Event()
        self.failures = []
        teller = Client(self, None)
        self.merchants = [teller.call("POST", "/v1/merchants", {"name": f"Shop {uuid.uuid4()}"}, teller.admin())["id"] for _ in range(MERCHANTS)]
        self.books = Books(self.people, self.merchants)
        for person in self.people:
            teller.give(person, RICH)

    def token(self, *scope):
        return self.shop.token(*scope)


class Client:
    def __init__(self, party, chance):
        self.party, self.chance = party, chance
        self.patient = Patient(party.pair.wallet)
        self.tokens = {}

    def admin(self):
        answer = self.call("POST", "/v1/sessions", {"username": self.party.pair.admin_name, "password": self.party.pair.admin_password}, None)
        return answer["access_token"]

    def service(self, scope):
        """A token lives five minutes."""
        made_s, token = self.tokens.get(scope, (0, None))
        if token is None or time.monotonic() - made_s > 120:
            self.tokens[scope] = time.monotonic(), self.party.token(scope)
        return self.tokens[scope][1]

    def call(self, method, path, body, token, key=None):
        """The answer's body, or None for a definite refusal, which is counted."""
        status, told = self.patient.ask(method, path, body, token, key)
        if status < 300:
            return told
        assert status == 409, f"{method} {path} {body}: {status} {told}"
        self.party.books.refuse(told["code"])
        return None

    # ---- what a client does ----

    def run(self):
        acts = [(self.move, 4), (self.hold, 4), (self.capture, 4), (self.release, 2), (self.pay, 3), (self.reverse, 3), (self.take_back, 1), (self.look, 3),
                (self.earn, 1)]
        try:
            while not self.party.stopping.is_set():
                self.chance.choices([act for act, _ in acts], [weight for _, weight in acts])[0]()
        except BaseException as failure:
            self.party.failures.append(failure)
            self.party.stopping.set()

    def key_or_reference(self):
        """Either of them makes a repeat harmless: (key, reference)."""
        return (str(uuid.uuid4()), str(uuid.uuid4())) if self.chance.random() < 0.5 else (None, str(uuid.uuid4()))

    def amount(self):
        return self.chance.randint(1, MOST)

    def anybody(self):
        return self.chance.choice(self.party.people)

    def move(self):
        sender, to = self.chance.sample(self.party.people, 2)
        amount = self.amount()
        told = self.call("POST", "/v1/wallet/transfers", {"to": {"username": to.username}, "amount": amount, "currency": "IRT"}, sender.token, str(uuid.uuid4()))
        if told:
            self.party.books.move("transfer", told["id"], amount, sender.id, to.id)

    def give(self, person, amount):
        item = {"reference": str(uuid.uuid4()), "user_id": person.id, "amount": amount, "currency": "IRT"}
        (told,) = self.call("POST", "/v1/credits", {"items": [item]}, self.service(EARNING))["items"]
        assert told["status"] in ("applied", "replayed"), told
        self.party.books.move("credit", told["transaction_id"], amount, None, person.id)
        self.party.books.remember(Original(told["transaction_id"], person.id, amount, reference=item["reference"]))

    def earn(self):
        self.give(self.anybody(), self.chance.randint(1, MOST // 4))

    def pay(self):
        user, merchant, amount = self.anybody(), self.chance.choice(self.party.merchants), self.amount()
        key, reference = self.key_or_reference()
        told = self.call("POST", "/v1/payments", {"reference": reference, "user_id": user.id, "merchant": merchant, "amount": amount, "currency": "IRT"},
                         self.service(SPENDING), key)
        if told:
            self.party.books.move("payment", told["id"], amount, user.id, merchant)
            self.party.books.remember(Original(told["id"], user.id, amount, merchant=merchant))

    def hold(self):
        user, is_short = self.anybody(), self.chance.random() < 0.4
        key, reference = self.key_or_reference()
        told = self.call("POST", "/v1/holds", {"reference": reference, "user_id": user.id, "amount": self.amount(), "currency": "IRT",
                                              "expires_in": self.chance.randint(1, 3) if is_short else 3600}, self.service(SPENDING), key)
        if told is None:
            return
        hold = Hold(told, user)
        hold.is_short = is_short
        with self.party.books.lock:
            assert hold.id not in self.party.books.holds, "two requests were answered with one hold"
            self.party.books.holds[hold.id] = hold
            self.party.holds.append(hold)
            if len(self.party.holds) > HOLDS_KEPT:
                self.party.holds.pop(self.chance.randrange(len(self.party.holds)))
        self.party.books.count("hold")

    def some_hold(self):
        with self.party.books.lock:
            return self.chance.choice(self.party.holds) if self.party.holds else None

    def capture(self):
        hold, merchant = self.some_hold(), self.chance.choice(self.party.merchants)
        if hold is None:
            return
        amount, is_final = self.chance.randint(1, hold.amount), self.chance.random() < 0.5
        told = self.call("POST", f"/v1/holds/{hold.id}/capture", {"amount": amount, "final": is_final, "merchant": merchant}, self.service(SPENDING), str(uuid.uuid4()))
        if told is None:
            return
        assert told["captured"] + told["remaining"] <= hold.amount and told["state"] in ("held", "captured"), told
        self.party.books.move("capture", told["transaction_id"], amount, hold.user.id, merchant)
        self.party.books.remember(Original(told["transaction_id"], hold.user.id, amount, merchant=merchant))
        with self.party.books.lock:
            hold.captured.append(amount)
            if told["state"] == "captured":
                hold.ends.append("captured")

    def release(self):
        hold = self.some_hold()
        told = hold and self.call("POST", f"/v1/holds/{hold.id}/release", None, self.service(SPENDING), str(uuid.uuid4()))
        if told:
            assert told["state"] == "released" and told["remaining"] == 0, told
            with self.party.books.lock:
                hold.ends.append("released")
            self.party.books.count("release")

    def reverse(self):
        """A part of a payment or a capture; also more than is left of it."""
        original = self.party.books.some_original(self.chance, is_credit=False)
        if original is None:
            return
        key, reference = self.key_or_reference()
        amount = self.chance.randint(1, max(1, original.left) + 5)
        told = self.call("POST", f"/v1/transactions/{original.id}/reversal", {"amount": amount, "reason": "Damaged", "reference": reference}, self.service(SPENDING), key)
        if told:
            self.party.books.take_back("reversal", told["id"], original, amount)

    def take_back(self):
        """A credit, by its service: the whole of it or nothing."""
        original = self.party.books.some_original(self.chance, is_credit=True)
        if original is None:
            return
        item = {"reference": original.reference, "reason": "Too early"}
        (told,) = self.call("POST", "/v1/credits/reversals", {"items": [item]}, self.service(EARNING), str(uuid.uuid4()))["items"]
        if told["status"] == "applied":
            self.party.books.take_back("credit_reversal", told["transaction_id"], original, original.left)
        elif told["status"] == "rejected":
            self.party.books.refuse(told["code"])

    def look(self):
        """No floor is ever crossed, and what is held is not there twice."""
        told = self.call("GET", "/v1/wallet", None, self.anybody().token)
        assert told["available"] >= 0 and told["held"] >= 0 and told["balance"] == told["available"] + told["held"], told
        self.party.books.count("look")


def trusted_shop():
    return Issuer("shop")
