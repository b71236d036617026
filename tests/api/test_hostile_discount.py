"""A service that Wallet trusts, and that has gone wrong or mad: nothing is paid twice, no fund pays what it has not, and the books stay right."""
import json
import random
import threading
import uuid

import pytest

from harness.raw import RawConnection, at_once, request_bytes
from harness.world import assert_problem

BIG = 9007199254740991
CONNECTIONS = 6


@pytest.fixture(autouse=True)
def books_stay_right(world):
    yield
    done = world.pair.wallet.verify()
    assert done.returncode == 0, done.stdout + done.stderr


def item(user, amount=10, **members):
    return {"reference": str(uuid.uuid4()), "user_id": user.id, "amount": amount, "currency": "IRT", **members}


def headers_of(token):
    return {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}


def request_of(world, items, token=None):
    body = items if isinstance(items, bytes) else json.dumps({"items": items}).encode()
    return request_bytes("POST", "/v1/credits", headers_of(token or world.shop.token), body)


def codes_of(answer):
    return [outcome.get("code", outcome["status"]) for outcome in answer]


def credit(world, *items):
    answer = world.shop.post("/v1/credits", {"items": list(items)})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def fund_of(world, reference):
    fund = world.shop.get(f"/v1/funds/{reference}").json()
    assert fund["remaining"] >= 0 and fund["funded"] == fund["credited"] + fund["remaining"] + fund["released"], fund
    return fund


def test_one_reference_in_many_forms_within_a_batch(world):
    user, other = world.user(), world.user()
    fund, second = world.fund(100)["reference"], world.fund(100)["reference"]
    given = item(user, fund=fund)
    forms = [given, given, {**given, "amount": 11}, {**given, "user_id": other.id}, {**given, "fund": second}, {k: v for k, v in given.items() if k != "fund"},
             {**given, "currency": "IRR"}, given]
    answer = credit(world, *forms)
    assert codes_of(answer)[:6] == ["applied", "replayed"] + ["reference_conflict"] * 4
    assert codes_of(answer)[6] in ("reference_conflict", "currency_mismatch") and answer[7] == answer[1]
    assert (user.balance(), other.balance(), fund_of(world, fund)["credited"], fund_of(world, second)["credited"]) == (10, 0, 10, 0)


AMOUNTS = (b"0", b"-1", b"-9223372036854775808", b"9007199254740992", b"9223372036854775807", b"9223372036854775808", b"18446744073709551617", b"1e3", b"1.5",
           b"1e400", b'"10"', b"null", b"true", b"[10]", b"{}")


@pytest.mark.parametrize("amount", AMOUNTS, ids=lambda amount: amount.decode())
def test_an_amount_that_is_none_refuses_the_batch(world, amount):
    user = world.user()
    good = item(user)
    bad = json.dumps({**item(user), "amount": "AMOUNT"}).encode().replace(b'"AMOUNT"', amount)
    answer = world.raw("wallet", "POST", "/v1/credits", headers_of(world.shop.token), b'{"items":[' + json.dumps(good).encode() + b"," + bad + b"]}")
    assert answer.status == 422, answer.body
    assert {fault["field"] for fault in json.loads(answer.body)["errors"]} == {"items[1].amount"}
    assert user.balance() == 0
    assert codes_of(credit(world, good)) == ["applied"]


@pytest.mark.parametrize("member", [b'"amount":10,"amount":1000', b'"amount":10,"amount":10'])
def test_a_member_that_stands_twice_pays_neither(world, member):
    user = world.user()
    body = b'{"items":[{"reference":"%s","user_id":"%s",%s,"currency":"IRT"}]}' % (str(uuid.uuid4()).encode(), user.id.encode(), member)
    answer = world.raw("wallet", "POST", "/v1/credits", headers_of(world.shop.token), body)
    assert (answer.status, json.loads(answer.body)["code"]) == (422, "validation_failed")
    assert user.balance() == 0


def test_sums_that_overflow(world):
    """Each amount alone is fine."""
    user, fund = world.user(), world.fund(BIG // 4)["reference"]
    answer = credit(world, *[item(user, BIG) for _ in range(4)], *[item(user, BIG, fund=fund) for _ in range(4)])
    assert codes_of(answer)[0] in ("applied", "balance_too_large")  # the issuance account has a bound too
    assert set(codes_of(answer)[1:4]) == {"balance_too_large"} and set(codes_of(answer)[4:]) <= {"balance_too_large", "fund_exhausted"}
    assert fund_of(world, fund)["credited"] == 0
    answer = world.shop.post(f"/v1/funds/{fund}/topup", {"amount": BIG, "currency": "IRT"})
    assert answer.status_code in (409, 422), answer.text
    assert fund_of(world, fund)["funded"] == BIG // 4


def test_nobodys_funds(world):
    """Another service's, one that was given back, one that never was, and one that is opened again with more in it."""
    user = world.user()
    foreign = world.bank.post("/v1/funds", {"reference": f"bank-{uuid.uuid4()}", "amount": 100, "currency": "IRT"}).json()["reference"]
    released = world.fund(100)["reference"]
    assert world.shop.post(f"/v1/funds/{released}/release").status_code == 200
    answer = credit(world, item(user, fund=foreign), item(user, fund=released), item(user, fund="no-such-fund"))
    assert codes_of(answer) == ["fund_not_found", "fund_released", "fund_not_found"]
    assert_problem(world.shop.post("/v1/funds", {"reference": released, "amount": 200, "currency": "IRT"}), 409, "fund_reference_conflict")
    assert user.balance() == 0 and world.bank.get(f"/v1/funds/{foreign}").json()["remaining"] == 100


def test_tokens_that_are_not_for_this(world):
    user, issuer = world.user(), world.issuers["shop"]
    body = {"items": [item(user)]}
    stale = issuer.claims("credits:write")
    stale.update(iat=stale["iat"] - 900, nbf=stale["nbf"] - 900, exp=stale["exp"] - 900)
    wrong = {"audience": (issuer.token("credits:write", aud="discount"), 401, "token_invalid"), "scope": (issuer.token("funds:write"), 403, "forbidden"),
             "expired": (issuer.sign(stale), 401, "token_expired"), "other issuer": (issuer.token("credits:write", iss="bank"), 401, "token_invalid"),
             "a user's": (user.token, 403, "forbidden")}
    for token, status, code in wrong.values():
        assert_problem(world.wallet.with_token(token).post("/v1/credits", body), status, code)
    assert user.balance() == 0
    assert codes_of(credit(world, *body["items"])) == ["applied"]


def test_a_batch_that_is_cut_pays_nothing(world):
    user = world.user()
    given = [item(user) for _ in range(20)]
    data = request_of(world, given)
    head = data.index(b"\r\n\r\n") + 4
    for end in (head, head + 1, (head + len(data)) // 2, len(data) - 1):
        with RawConnection(world.pair.wallet.port) as connection:
            connection.send(data[:end])
    assert user.balance() == 0
    assert codes_of(credit(world, *given)) == ["applied"] * 20


def test_answers_that_nobody_reads(world):
    """The batch takes effect or not, but once: who comes back for the answer gets it."""
    user = world.user()
    batches = [[item(user) for _ in range(10)] for _ in range(5)]
    for batch in batches:
        with RawConnection(world.pair.wallet.port) as connection:
            connection.send(request_of(world, batch) * 2)
    for batch in batches:
        assert len(set(codes_of(credit(world, *batch)))) == 1  # a batch is one transaction
        assert set(codes_of(credit(world, *batch))) == {"replayed"}
    assert user.balance() == 5 * 10 * 10


def test_too_many_and_too_much(world):
    user = world.user()
    assert_problem(world.shop.post("/v1/credits", {"items": [item(user) for _ in range(1001)]}), 422, "validation_failed", ["items"])
    answer = world.raw("wallet", "POST", "/v1/credits", headers_of(world.shop.token), b'{"items":[' + b" " * (1 << 20) + b"]}")
    assert answer.status == 413
    assert user.balance() == 0


def forms_of(random_, users, funds, count):
    """A few references, each in some forms that contradict each other."""
    references = [str(uuid.uuid4()) for _ in range(count)]
    return [{"reference": random_.choice(references), "user_id": random_.choice(users).id, "amount": random_.choice((7, 7, 7, 8)), "currency": "IRT",
             "fund": random_.choice(funds)} for _ in range(6 * count)]


@pytest.mark.parametrize("seed", range(4))
def test_liars_on_many_connections(world, seed):
    """Batches with contradictory and repeated credits, shuffled, all at once and again: whatever the order was, each reference was paid at most once, as what
    was said when it was applied, and no fund paid more than it had."""
    random_ = random.Random(seed)
    users = [world.user() for _ in range(3)]
    funds = [world.fund(150)["reference"], world.fund(40)["reference"], "no-such-fund"]
    credits = forms_of(random_, users, funds, 60)
    applied, lock = {}, threading.Lock()

    def note(items, outcomes):
        for given, outcome in zip(items, outcomes, strict=True):
            assert outcome["reference"] == given["reference"]
            if outcome["status"] == "applied":
                with lock:
                    assert given["reference"] not in applied, f"{given} was paid twice"
                    applied[given["reference"]] = (given, outcome["transaction_id"])

    def check_replays(items, outcomes):
        for given, outcome in zip(items, outcomes, strict=True):
            if outcome["status"] != "replayed":
                continue
            first, transaction = applied[given["reference"]]
            assert (first, transaction) == (given, outcome["transaction_id"])

    for _ in range(3):
        batches = [random_.sample(credits, 100) for _ in range(CONNECTIONS)]
        answers = at_once(world.pair.wallet.port, [request_of(world, batch) for batch in batches])
        assert all(answer is not None and answer.status == 200 for answer in answers)
        told = [json.loads(answer.body)["items"] for answer in answers]
        for check in (note, check_replays):  # a replay may have been answered before its first answer was read
            for batch, outcomes in zip(batches, told, strict=True):
                check(batch, outcomes)
    assert applied
    for user in users:
        assert user.balance() == sum(given["amount"] for given, _ in applied.values() if given["user_id"] == user.id)
    for reference in funds[:2]:
        paid = sum(given["amount"] for given, _ in applied.values() if given["fund"] == reference)
        assert fund_of(world, reference)["credited"] == paid and paid <= fund_of(world, reference)["funded"]
    assert not any(given["fund"] == "no-such-fund" for given, _ in applied.values())
