"""Several currencies: an account per user and currency, opened by its first money; nothing moves from one into another."""
import csv
import io
import sqlite3
import subprocess
import uuid

import pytest

from harness.services import BUILD, DEADLINE_S, Pair, free_port
from harness.world import World, assert_problem

ADDED = ["--currency", "USD:2", "--currency", "BTC:8"]
SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"


@pytest.fixture(scope="module")
def world(tmp_path_factory, issuers, contracts):
    pair = Pair(tmp_path_factory.mktemp("currencies"), issuers=issuers.values(), wallet_arguments=ADDED, discount_arguments=["--currency", "USD:2"]).start()
    world = World(pair, issuers, contracts)
    yield world
    try:
        world.assert_clean()
    finally:
        pair.end()


def credit(world, user, amount, currency="USD", client=None, **members):
    item = {"reference": str(uuid.uuid4()), "user_id": user.id, "amount": amount, "currency": currency, **members}
    answer = (client or world.shop).post("/v1/credits", {"items": [item]})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"][0]


def wallets(user):
    return {wallet["currency"]: wallet for wallet in user.wallet.get("/v1/wallets").json()["data"]}


def balances(user):
    return {currency: wallet["balance"] for currency, wallet in wallets(user).items()}


def rich(world, **amounts):
    user = world.user()
    for currency, amount in amounts.items():
        assert credit(world, user, amount, currency)["status"] == "applied"
    return user


def sums(world):
    """Of each currency: what all its accounts come to."""
    found, cursor = {}, ""
    while cursor is not None:
        page = world.operator.wallet.get(f"/v1/accounts?limit=200{cursor and '&cursor=' + cursor}").json()
        for account in page["data"]:
            found[account["currency"]] = found.get(account["currency"], 0) + account["balance"]
        cursor = page["next_cursor"]
    return found


def test_a_wallet_comes_with_its_first_credit(world):
    user = world.user()
    assert balances(user) == {"IRT": 0}
    first = credit(world, user, 1250)
    assert first["status"] == "applied" and first["balance_after"] == 1250
    credit(world, user, 50)
    credit(world, user, 7, "BTC")
    listed = user.wallet.get("/v1/wallets").json()
    assert [(wallet["currency"], wallet["balance"]) for wallet in listed["data"]] == [("IRT", 0), ("USD", 1300), ("BTC", 7)]
    assert listed["next_cursor"] is None and len({wallet["account_id"] for wallet in listed["data"]}) == 3
    assert user.wallet.get("/v1/wallet").json() == listed["data"][0]
    for wallet in listed["data"]:
        assert user.wallet.get(f"/v1/wallet?currency={wallet['currency']}").json() == wallet
    pages, cursor = [], ""
    while cursor is not None:
        page = user.wallet.get(f"/v1/wallets?limit=1{cursor and '&cursor=' + cursor}").json()
        assert len(page["data"]) == 1
        pages, cursor = pages + page["data"], page["next_cursor"]
    assert pages == listed["data"]
    assert set(sums(world).values()) == {0}


def test_which_there_are(world):
    known = {"main": "IRT", "data": [{"currency": currency, "exponent": exponent} for currency, exponent in (("IRT", 0), ("IRR", 0), ("BTC", 8), ("USD", 2))]}
    assert world.user().wallet.get("/v1/currencies").json() == world.shop.get("/v1/currencies").json() == known
    assert_problem(world.wallet.get("/v1/currencies"), 401, "token_missing")


def test_who_may_ask_for_them(world):
    assert_problem(world.wallet.get("/v1/wallets"), 401, "token_missing")
    assert_problem(world.shop.get("/v1/wallets"), 403, "forbidden")
    user = world.user()
    assert_problem(user.wallet.get("/v1/wallets?currency=USD"), 422, "validation_failed", ["currency"])
    assert_problem(user.wallet.get("/v1/wallets?cursor=x"), 422, "validation_failed", ["cursor"])


@pytest.mark.parametrize("path", ["/v1/wallet", "/v1/wallet/transactions", "/v1/wallet/statement"])
def test_a_currency_that_nobody_knows_or_that_has_not_come(world, path):
    user = world.user()
    for unknown in ("EUR", "usd", "USDT", ""):
        problem = assert_problem(user.wallet.get(f"{path}?currency={unknown}"), 422, "validation_failed", ["currency"])
        assert "IRT, IRR, BTC or USD" in problem["errors"][0]["detail"]
    assert "USD" in assert_problem(user.wallet.get(f"{path}?currency=USD"), 404, "account_not_found")["detail"]
    assert user.wallet.get(f"{path}?currency=IRT").status_code == 200


def test_an_unknown_currency_is_refused_by_name_everywhere(world):
    user, merchant = rich(world, USD=100), world.merchant()
    account = wallets(user)["USD"]["account_id"]
    for client, path, body, field in (
            (world.shop, "/v1/credits", {"items": [{"reference": "r", "user_id": user.id, "amount": 1, "currency": "EUR"}]}, "items[0].currency"),
            (world.shop, "/v1/funds", {"reference": "eur", "amount": 1, "currency": "EUR"}, "currency"),
            (world.till, "/v1/payments", {"reference": "r", "user_id": user.id, "merchant": merchant["id"], "amount": 1, "currency": "EUR"}, "currency"),
            (world.till, "/v1/holds", {"reference": "r", "user_id": user.id, "amount": 1, "currency": "EUR", "expires_in": 9}, "currency"),
            (user.wallet, "/v1/wallet/transfers", {"to": {"username": user.username}, "amount": 1, "currency": "EUR"}, "currency"),
            (world.operator.wallet, f"/v1/accounts/{account}/adjustments", {"direction": "credit", "amount": 1, "currency": "EUR", "reason": "x"}, "currency")):
        problem = assert_problem(client.post(path, body), 422, "validation_failed", [field])
        assert "IRT, IRR" in problem["errors"][0]["detail"]
    assert_problem(world.operator.wallet.get("/v1/accounts?currency=EUR"), 422, "validation_failed", ["currency"])


def test_a_refused_credit_opens_nothing(world):
    user, fund = world.user(), world.fund(1000)
    refused = credit(world, user, 5, fund=fund["reference"])
    assert (refused["status"], refused["code"]) == ("rejected", "currency_mismatch")
    assert credit(world, user, 9007199254740991)["code"] == "balance_too_large"  # what is in USD already is too much beside it
    dry = world.shop.post("/v1/credits?dry_run=true", {"items": [{"reference": "dry", "user_id": user.id, "amount": 5, "currency": "USD"}]}).json()
    assert dry["dry_run"] is True and dry["items"][0]["status"] == "applied"
    assert list(balances(user)) == ["IRT"]


def test_the_same_reference_in_another_currency_is_another_credit(world):
    user, reference = world.user(), str(uuid.uuid4())
    first = credit(world, user, 5, reference=reference)
    assert credit(world, user, 5, reference=reference) == {**first, "status": "replayed"}
    assert credit(world, user, 5, "IRT", reference=reference)["code"] == "reference_conflict"
    assert balances(user) == {"IRT": 0, "USD": 5}


def test_a_fund_has_a_currency(world):
    reference, user = str(uuid.uuid4()), world.user()
    opened = world.shop.post("/v1/funds", {"reference": reference, "amount": 1000, "currency": "USD"})
    assert opened.status_code == 201 and opened.json()["currency"] == "USD"
    assert_problem(world.shop.post("/v1/funds", {"reference": reference, "amount": 1000, "currency": "IRT"}), 409, "fund_reference_conflict")
    assert_problem(world.shop.post(f"/v1/funds/{reference}/topup", {"amount": 5, "currency": "IRT"}), 422, "currency_mismatch")
    assert credit(world, user, 600, fund=reference, reference="in-usd-" + reference)["status"] == "applied"
    assert credit(world, user, 500, fund=reference)["code"] == "fund_exhausted"
    released = world.shop.post(f"/v1/funds/{reference}/release").json()
    assert (released["credited"], released["released"]) == (600, 400)
    taken = world.shop.post("/v1/credits/reversals", {"items": [{"reference": "in-usd-" + reference, "reason": "x"}]}).json()["items"][0]
    assert taken["status"] == "applied" and balances(user)["USD"] == 0
    assert set(sums(world).values()) == {0}


def test_sending(world):
    sender, other = rich(world, USD=100, IRT=100), world.user()
    for to in ({"username": other.username}, {"phone": other.phone}):
        answer = sender.wallet.post("/v1/wallet/transfers", {"to": to, "amount": 30, "currency": "USD"})
        assert answer.status_code == 201 and (answer.json()["currency"], answer.json()["balance_after"]) == ("USD", 70 if "username" in to else 40)
    assert (balances(sender), balances(other)) == ({"IRT": 100, "USD": 40}, {"IRT": 0, "USD": 60})
    mine = wallets(other)
    by_account = {"to": {"account_id": mine["USD"]["account_id"]}, "amount": 10, "currency": "USD"}
    assert sender.wallet.post("/v1/wallet/transfers", by_account).status_code == 201
    assert_problem(sender.wallet.post("/v1/wallet/transfers", {**by_account, "currency": "IRT"}), 422, "currency_mismatch")
    assert_problem(sender.wallet.post("/v1/wallet/transfers", {**by_account, "to": {"account_id": mine["IRT"]["account_id"]}}), 422, "currency_mismatch")
    own = wallets(sender)["IRT"]["account_id"]
    assert_problem(sender.wallet.post("/v1/wallet/transfers", {"to": {"account_id": own}, "amount": 1, "currency": "USD"}), 422, "currency_mismatch")
    assert_problem(sender.wallet.post("/v1/wallet/transfers", {"to": {"account_id": own}, "amount": 1, "currency": "IRT"}), 422, "same_account")
    poor = world.user()
    assert_problem(poor.wallet.post("/v1/wallet/transfers", {"to": {"username": other.username}, "amount": 1, "currency": "BTC"}), 422, "currency_mismatch")
    assert_problem(sender.wallet.post("/v1/wallet/transfers", {"to": {"username": other.username}, "amount": 31, "currency": "USD"}), 409, "insufficient_funds")
    assert list(balances(poor)) == ["IRT"] and "BTC" not in balances(other)


def test_paying_and_holding(world):
    user, merchant = rich(world, USD=1000), world.merchant()
    payment = {"reference": str(uuid.uuid4()), "user_id": user.id, "merchant": merchant["id"], "amount": 300, "currency": "USD"}
    paid = world.till.post("/v1/payments", payment)
    assert paid.status_code == 201 and (paid.json()["merchant"], paid.json()["currency"]) == (merchant["id"], "USD")
    assert world.till.post("/v1/payments", {**payment, "merchant": merchant["name"]}).json() == paid.json()
    assert_problem(world.till.post("/v1/payments", {**payment, "currency": "IRR"}), 409, "reference_conflict")
    assert_problem(world.till.post("/v1/payments", {**payment, "currency": "IRT", "reference": "irt"}), 409, "insufficient_funds")
    assert_problem(world.till.post("/v1/payments", {**payment, "currency": "IRR", "reference": "irr"}), 422, "currency_mismatch")
    (listed,) = [found for found in world.operator.wallet.get("/v1/merchants?limit=200").json()["data"] if found["id"] == merchant["id"]]
    (till,) = listed["tills"]
    assert (listed["currency"], listed["balance"], till["currency"], till["balance"]) == ("IRT", 0, "USD", 300)
    account = world.operator.wallet.get(f"/v1/accounts/{till['account_id']}").json()
    assert (account["kind"], account["currency"], account["balance"]) == ("merchant", "USD", 300)
    assert_problem(world.till.post("/v1/payments", {**payment, "reference": "till", "merchant": till["account_id"]}), 404, "merchant_not_found")
    held = world.till.post("/v1/holds", {"reference": str(uuid.uuid4()), "user_id": user.id, "merchant": merchant["name"], "amount": 200, "currency": "USD", "expires_in": 3600})
    assert held.status_code == 201 and (held.json()["merchant"], held.json()["currency"]) == (merchant["id"], "USD")
    assert wallets(user)["USD"]["held"] == 200 and wallets(user)["IRT"]["held"] == 0
    assert world.till.get(f"/v1/holds/{held.json()['id']}").json()["merchant"] == merchant["id"]
    captured = world.till.post(f"/v1/holds/{held.json()['id']}/capture", {"amount": 150})
    assert captured.status_code == 200 and captured.json()["state"] == "captured"
    nobody_yet = world.till.post("/v1/holds", {"reference": str(uuid.uuid4()), "user_id": user.id, "amount": 7, "currency": "USD", "expires_in": 3600}).json()
    new = world.merchant()
    assert world.till.post(f"/v1/holds/{nobody_yet['id']}/capture", {"merchant": new["name"]}).json()["merchant"] is None
    assert balances(user) == {"IRT": 0, "USD": 543}
    back = world.till.post(f"/v1/transactions/{paid.json()['id']}/reversal", {"reason": "x", "amount": 100})
    assert back.status_code == 201 and back.json()["currency"] == "USD" and balances(user)["USD"] == 643
    line = user.wallet.get("/v1/wallet/transactions?currency=USD&kind=payment").json()["data"][0]
    assert line["merchant"] == merchant["name"] and line["currency"] == "USD"


def test_what_an_administrator_does_is_done_to_one_account(world):
    user = rich(world, USD=1000, IRT=1000)
    admin, usd, irt = world.operator.wallet, wallets(user)["USD"]["account_id"], wallets(user)["IRT"]["account_id"]
    adjustment = {"direction": "debit", "amount": 10, "currency": "USD", "reason": "x"}
    assert admin.post(f"/v1/accounts/{usd}/adjustments", adjustment).status_code == 201
    assert_problem(admin.post(f"/v1/accounts/{irt}/adjustments", adjustment), 422, "currency_mismatch")
    limited = admin.request("PUT", f"/v1/accounts/{usd}/limits", json={"ceiling": 1000})
    assert limited.status_code == 200 and limited.json()["currency"] == "USD"
    assert credit(world, user, 11)["code"] == "ceiling_reached" and credit(world, user, 11, "IRT")["status"] == "applied"
    assert admin.post(f"/v1/accounts/{usd}/freeze").status_code == 200
    assert credit(world, user, 1)["code"] == "account_frozen" and credit(world, user, 1, "IRT")["status"] == "applied"
    assert admin.post(f"/v1/accounts/{usd}/unfreeze").status_code == 200
    assert [found["currency"] for found in admin.get(f"/v1/accounts?username={user.username}").json()["data"]] == ["IRT", "USD"]
    assert [found["id"] for found in admin.get(f"/v1/accounts?phone={user.phone.replace('+', '%2B')}&currency=USD").json()["data"]] == [usd]
    assert [found["id"] for found in admin.get(f"/v1/accounts?username={user.username}&limit=1").json()["data"]] == [irt]
    assert {found["currency"] for found in admin.get("/v1/accounts?currency=USD&limit=200").json()["data"]} == {"USD"}
    (issuance,) = admin.get("/v1/accounts?kind=issuance&currency=USD").json()["data"]
    assert issuance["balance"] < 0


def test_history_is_of_one_currency(world):
    user = rich(world, USD=500, IRT=77)
    before = wallets(user)["USD"]
    credit(world, user, 20)
    rows = user.wallet.get("/v1/wallet/transactions?currency=USD").json()["data"]
    assert [(row["amount"], row["currency"], row["balance_after"]) for row in rows] == [(20, "USD", 520), (500, "USD", 500)]
    assert [row["currency"] for row in user.wallet.get("/v1/wallet/transactions").json()["data"]] == ["IRT"]
    assert user.wallet.get("/v1/wallet", params={"currency": "USD", "at": before["updated_at"]}).json() == before
    statement = user.wallet.get("/v1/wallet/statement?currency=USD").json()
    assert (statement["currency"], statement["closing_balance"], statement["totals"]) == ("USD", 520, {"credit": 520, "debit": 0, "count": 2})
    told = user.wallet.get("/v1/wallet/statement?currency=USD", headers={"Accept": "text/csv"}).text
    assert {line["currency"] for line in csv.DictReader(io.StringIO(told))} == {"USD"}
    account = before["account_id"]
    assert len(world.operator.wallet.get(f"/v1/accounts/{account}/transactions").json()["data"]) == 2
    assert_problem(world.operator.wallet.get(f"/v1/accounts/{account}/transactions?currency=USD"), 422, "validation_failed", ["currency"])


def test_the_journal_and_verify_speak_of_each(world):
    rich(world, USD=5, IRR=6)
    proven = world.pair.wallet.verify()
    assert proven.returncode == 0, proven.stdout + proven.stderr
    issued = dict(reversed(line.split()[1:]) for line in proven.stdout.splitlines() if line.startswith("issued"))
    assert {"IRT", "IRR", "USD"} <= set(issued)
    for currency, amount in issued.items():
        (issuance,) = world.operator.wallet.get(f"/v1/accounts?kind=issuance&currency={currency}").json()["data"]
        assert issuance["balance"] == -int(amount)


def test_a_campaign_in_a_currency_that_was_added(world):
    operator, user = world.operator, world.user()
    body = {"name": "A", "kind": "wallet_credit", "code": "USD" + uuid.uuid4().hex[:8], "credit": {"amount": 250, "currency": "USD"}, "max_redemptions": 3, "phone": "any"}
    made = operator.discount.post("/v1/campaigns", body)
    assert made.status_code == 201, made.text
    assert operator.discount.get(f"/v1/campaigns/{made.json()['id']}").json()["credit"] == body["credit"]
    user.redeem(body["code"])
    operator.wait_settled(made.json()["id"])
    assert balances(user) == {"IRT": 0, "USD": 250}
    patched = operator.discount.request("PATCH", f"/v1/campaigns/{made.json()['id']}", json={"credit": {"amount": 200, "currency": "IRT"}}, headers={"If-Match": "*"})
    assert_problem(patched, 422, "validation_failed", ["credit.currency"])
    other = operator.discount.post("/v1/campaigns", {**body, "credit": {"amount": 1, "currency": "IRR"}})  # known, and not one of this Discount's
    assert "IRT or USD" in assert_problem(other, 422, "validation_failed", ["credit.currency"])["errors"][0]["detail"]
    unknown = operator.discount.post("/v1/campaigns", {**body, "credit": {"amount": 1, "currency": "EUR"}})
    assert "USD" in assert_problem(unknown, 422, "validation_failed", ["credit.currency"])["errors"][0]["detail"]


# ---- which there are, from start to start ----

def serve_refused(program, folder, *words):
    others = ["--wallet", "http://127.0.0.1:1"] if program == "discountd" else []
    done = subprocess.run([BUILD / program, "serve", "--data", folder, "--listen", f"127.0.0.1:{free_port()}", *others, *words],
                          capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode in (1, 2), done
    return done.stderr


@pytest.mark.parametrize("program", ["walletd", "discountd"])
@pytest.mark.parametrize("words, reason", [
    (["usd:2"], "must be CODE or CODE:EXPONENT"), (["USD:9"], "must be CODE or CODE:EXPONENT"), (["USD:"], "must be CODE or CODE:EXPONENT"),
    (["USD2"], "must be CODE or CODE:EXPONENT"), (["USDT:2"], "must be CODE or CODE:EXPONENT"), (["US"], "must be CODE or CODE:EXPONENT"),
    (["IRT:2"], "always known"), (["USD:2", "USD:3"], "another exponent"), (["IRT", "IRR"], "one main currency"), (["EUR"], "not known")])
def test_a_start_that_is_refused(program, tmp_path, words, reason):
    folder = tmp_path / "data"
    assert subprocess.run([BUILD / program, "init", "--data", folder], capture_output=True, timeout=DEADLINE_S, check=False).returncode == 0
    told = serve_refused(program, folder, *[piece for word in words for piece in ("--currency", word)])
    assert reason in told and words[-1] in told


def test_what_the_books_have_stays(make_world):
    world = make_world(wallet_arguments=["--currency", "USD:2", "--currency", "EUR:2"])
    user = rich(world, USD=5)
    wallet = world.pair.wallet
    wallet.stop()
    assert "the books have amounts of USD with the exponent 2" in serve_refused("walletd", wallet.data, *wallet.store_words, "--currency", "USD:3")
    assert "the main currency of these books is IRT" in serve_refused("walletd", wallet.data, *wallet.store_words, "--currency", "IRR")
    # Without the options: what was used is known, what was not is gone, and may come again otherwise.
    wallet.arguments = [word for word in wallet.arguments if word not in ("--currency", "USD:2", "EUR:2")]
    wallet.start()
    world.connect()
    assert balances(user) == {"IRT": 0, "USD": 5} and credit(world, user, 1)["balance_after"] == 6
    item = {"reference": "e", "user_id": user.id, "amount": 1, "currency": "EUR"}
    assert_problem(world.shop.post("/v1/credits", {"items": [item]}), 422, "validation_failed", ["items[0].currency"])
    assert wallet.verify().returncode == 0
    wallet.stop()
    wallet.start("--currency", "EUR:0")
    world.connect()
    assert credit(world, user, 1, "EUR")["balance_after"] == 1 and {"currency": "EUR", "exponent": 0} in user.wallet.get("/v1/currencies").json()["data"]


def test_another_main_currency(make_world, tmp_path):
    folder = tmp_path / "usd"
    made = subprocess.run([BUILD / "walletd", "init", "--data", folder, "--currency", "USD", "--currency", "USD:2"], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert made.returncode == 0, made.stderr
    with sqlite3.connect(f"file:{folder}/wallet.db?mode=ro", uri=True) as database:
        assert database.execute("SELECT currency FROM meta").fetchall() == [("USD",)]
        assert database.execute("SELECT currency FROM accounts").fetchall() == [("USD",)]
    refused = subprocess.run([BUILD / "walletd", "init", "--data", tmp_path / "eur", "--currency", "EUR"], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert refused.returncode == 1 and "EUR: it is not known" in refused.stderr and not (tmp_path / "eur").exists()
    proven = subprocess.run([BUILD / "walletd", "verify", "--data", folder], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert proven.returncode == 0 and "issued    0 USD" in proven.stdout
