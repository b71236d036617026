"""dry_run=true: the full decision and the answer as it would be, nothing written, nothing counted."""
import concurrent.futures
import uuid

import pytest

from harness.client import PASSWORD, new_username
from harness.services import Pair, wait_until
from harness.world import World, assert_problem


@pytest.fixture(scope="module")
def quiet(tmp_path_factory, contracts, issuers):
    """A pair in which nobody else does anything that could be taken for a trace."""
    pair = Pair(tmp_path_factory.mktemp("quiet"), issuers=issuers.values()).start()
    yield World(pair, issuers, contracts)
    pair.end()


def entries(world):
    """What both services have written: rows of every table but those of sessions."""
    tables = {world.pair.wallet: ("users", "accounts", "transfers", "entries", "funds", "idempotency"), world.pair.discount: ("campaigns", "redemptions", "idempotency")}
    return [service.sql(f"SELECT count(*) FROM {table}")[0][0] for service, names in tables.items() for table in names]


def counters(world):
    """What both services count of what they do."""
    names = {world.pair.wallet: ("walletd_transfers_total", "walletd_credits_total", "walletd_store_commits_total"),
             world.pair.discount: ("discountd_claims_total", "discountd_redemptions_answered_by_loop_total")}
    return [service.metric(name) for service, kinds in names.items() for name in kinds]


def report_of(world, campaign):
    report = world.operator.report(campaign["id"])
    del report["as_of"]
    return report


def test_a_transfer(quiet):
    world = quiet
    sender, receiver = world.rich_user(100), world.user()
    body = {"to": {"username": receiver.username}, "amount": 30, "currency": "IRT", "description": "Lunch"}
    before, counted, key = entries(world), counters(world), str(uuid.uuid4())
    for _ in range(2):
        tried = sender.wallet.post("/v1/wallet/transfers?dry_run=true", body, key=key)
        assert tried.status_code == 200 and tried.json()["dry_run"] is True and "Location" not in tried.headers and "Idempotent-Replayed" not in tried.headers
        assert tried.json()["balance_after"] == 70
    assert_problem(sender.wallet.post("/v1/wallet/transfers?dry_run=true", {**body, "amount": 101}), 409, "insufficient_funds")
    assert entries(world) == before and counters(world) == counted
    assert (sender.balance(), receiver.balance()) == (100, 0)
    assert_problem(sender.wallet.get(f"/v1/transactions/{tried.json()['id']}"), 404, "transaction_not_found")
    done = sender.wallet.post("/v1/wallet/transfers?dry_run=false", body, key=key)
    assert done.status_code == 201 and "Idempotent-Replayed" not in done.headers and "dry_run" not in done.json()
    ours = {"id", "created_at", "dry_run"}
    assert {name: value for name, value in done.json().items() if name not in ours} == {name: value for name, value in tried.json().items() if name not in ours}
    assert (sender.balance(), receiver.balance()) == (70, 30)
    world.assert_clean()


def test_credits_and_funds(quiet):
    world = quiet
    user, shop, reference = world.user(), world.shop, f"fund-{uuid.uuid4()}"
    opening = {"reference": reference, "amount": 50, "currency": "IRT"}
    before = entries(world)
    tried = shop.post("/v1/funds?dry_run=true", opening)
    assert tried.status_code == 200 and tried.json()["dry_run"] is True and tried.json()["remaining"] == 50
    assert_problem(shop.get(f"/v1/funds/{reference}"), 404, "fund_not_found")
    assert entries(world) == before
    assert shop.post("/v1/funds", opening).status_code == 201
    before, counted = entries(world), counters(world)
    assert shop.post("/v1/funds?dry_run=true", opening).json()["dry_run"] is True  # it is there
    topped = shop.post(f"/v1/funds/{reference}/topup?dry_run=true", {"amount": 5, "currency": "IRT"})
    assert topped.status_code == 200 and (topped.json()["funded"], topped.json()["dry_run"]) == (55, True)
    items = [{"reference": str(uuid.uuid4()), "user_id": user.id, "amount": 30, "currency": "IRT", "fund": reference} for _ in range(2)]
    credited = shop.post("/v1/credits?dry_run=true", {"items": items})
    assert credited.status_code == 200 and credited.json()["dry_run"] is True
    assert [(item["status"], item.get("code")) for item in credited.json()["items"]] == [("applied", None), ("rejected", "fund_exhausted")]
    released = shop.post(f"/v1/funds/{reference}/release?dry_run=true")
    assert released.status_code == 200 and (released.json()["released"], released.json()["state"], released.json()["dry_run"]) == (50, "released", True)
    assert entries(world) == before and counters(world) == counted and user.balance() == 0
    fund = shop.get(f"/v1/funds/{reference}").json()
    assert (fund["funded"], fund["remaining"], fund["state"]) == (50, 50, "open") and "dry_run" not in fund
    many = [{**items[0], "reference": str(uuid.uuid4()), "amount": 1, "fund": None} for _ in range(1000)]
    many = [{name: value for name, value in item.items() if value is not None} for item in many]
    outcome = shop.post("/v1/credits?dry_run=true", {"items": many})
    assert outcome.status_code == 200 and len(outcome.json()["items"]) == 1000 and user.balance() == 0
    assert [item["status"] for item in shop.post("/v1/credits", {"items": items}).json()["items"]] == ["applied", "rejected"]
    world.assert_clean()


def test_a_redemption(quiet):
    world = quiet
    campaign = world.operator.campaign(places=1)
    user, late, key = world.user(), world.user(), str(uuid.uuid4())
    body = {"code": campaign["code"], "phone": user.phone}
    before, counted, report = entries(world), counters(world), report_of(world, campaign)
    for _ in range(2):
        tried = user.discount.post("/v1/redemptions?dry_run=true", body, key=key)
        assert tried.status_code == 200, tried.text
        told = tried.json()
        assert (told["dry_run"], told["position"], told["status"], told["user_id"], told["campaign_id"]) == (True, 1, "claimed", user.id, campaign["id"])
        assert told["credit"] == campaign["credit"] and "Location" not in tried.headers
    assert_problem(user.discount.post("/v1/redemptions?dry_run=true", {**body, "phone": late.phone}), 422, "phone_mismatch")
    assert_problem(user.discount.get(f"/v1/redemptions/{told['id']}"), 404, "redemption_not_found")
    assert entries(world) == before and counters(world) == counted and report_of(world, campaign) == report
    won = user.redeem(campaign["code"], key=key)
    assert won.status_code == 201 and won.json()["position"] == 1 and "Idempotent-Replayed" not in won.headers
    again = user.discount.post("/v1/redemptions?dry_run=true", body)
    assert again.status_code == 200 and again.json() == {**won.json(), "dry_run": True}
    report = report_of(world, campaign)
    refused = late.discount.post("/v1/redemptions?dry_run=true", {**body, "phone": late.phone})
    assert_problem(refused, 410, "sold_out")
    assert report_of(world, campaign) == report
    assert_problem(late.discount.post("/v1/redemptions?dry_run=true", {**body, "code": f"N{uuid.uuid4().hex[:12]}"}), 404, "code_not_found")
    world.assert_clean()


def acts_and_moves(world):
    """What is written of a campaign: entries of the audit log, and its money's way in Wallet."""
    [acts] = world.pair.discount.sql("SELECT count(*) FROM audit")[0]
    return entries(world), acts


def test_a_campaign_that_is_made_and_ended(quiet):
    """Both move money: the fund's."""
    world = quiet
    admin, code, key = world.operator.discount, f"D{uuid.uuid4().hex[:12].upper()}", str(uuid.uuid4())
    body = {"name": "Nowruz", "kind": "wallet_credit", "code": code, "credit": {"amount": 5, "currency": "IRT"}, "max_redemptions": 3}
    before = acts_and_moves(world)
    for _ in range(2):
        tried = admin.post("/v1/campaigns?dry_run=true", body, key=key)
        assert tried.status_code == 200, tried.text
        told = tried.json()
        assert (told["dry_run"], told["code"], told["remaining"], told["fund"]["state"]) == (True, code, 3, "pending") and "Location" not in tried.headers
        assert_problem(admin.get(f"/v1/campaigns/{told['id']}"), 404, "campaign_not_found")
    assert_problem(admin.post("/v1/campaigns?dry_run=true", {**body, "max_redemptions": 0}), 422, "validation_failed", ["max_redemptions"])
    assert acts_and_moves(world) == before
    made = admin.post("/v1/campaigns", body, key=key)
    assert made.status_code == 201 and "Idempotent-Replayed" not in made.headers and "dry_run" not in made.json()
    campaign = made.json()
    assert {name for name in told if told[name] != campaign.get(name)} == {"dry_run", "id", "fund", "created_at", "updated_at"}
    user = world.user()
    before = acts_and_moves(world)
    assert_problem(admin.post("/v1/campaigns?dry_run=true", body), 409, "code_taken")
    ended = admin.post(f"/v1/campaigns/{campaign['id']}/end?dry_run=true")
    assert ended.status_code == 200 and (ended.json()["dry_run"], ended.json()["state"]) == (True, "ended")
    assert acts_and_moves(world) == before
    assert_problem(admin.post(f"/v1/campaigns/{campaign['id']}/end?dry_run=true&more=1"), 422, "validation_failed", ["more"])
    assert admin.get(f"/v1/campaigns/{campaign['id']}").json() == campaign
    assert user.redeem(code).status_code == 201
    world.assert_clean()


def test_a_campaign_that_is_raised(quiet):
    """What a raise would be: decided as the real one, its fund not asked for, its version and its sequence as before."""
    world = quiet
    admin, campaign = world.operator.discount, world.operator.campaign(places=1)
    path = f"/v1/campaigns/{campaign['id']}"

    def change(query, version='"1"', **members):
        return admin.request("PATCH", path + query, json=members, headers={"If-Match": version})

    before, report = acts_and_moves(world), report_of(world, campaign)
    tried = change("?dry_run=true", max_redemptions=3, name="Larger")
    assert tried.status_code == 200 and "ETag" not in tried.headers
    told = tried.json()
    assert (told["dry_run"], told["max_redemptions"], told["remaining"], told["name"], told["version"]) == (True, 3, 3, "Larger", 2)
    assert told["fund"]["state"] == "pending"
    assert change("?dry_run=true", max_redemptions=1).json() == {**campaign, "dry_run": True}
    assert_problem(change("?dry_run=true", '"2"', max_redemptions=3), 412, "version_mismatch")
    assert_problem(admin.request("PATCH", f"{path}?dry_run=true", json={"max_redemptions": 3}), 428, "precondition_required")
    assert_problem(change("?dry_run=true", max_redemptions=0), 422, "validation_failed", ["max_redemptions"])
    assert admin.get(path).json() == campaign and report_of(world, campaign) == report and acts_and_moves(world) == before
    assert_problem(change("?dry_run=true&more=1", max_redemptions=3), 422, "validation_failed", ["more"])
    assert [world.user().redeem(campaign["code"]).status_code for _ in range(2)] == [201, 410]
    done = change("?dry_run=false", max_redemptions=3, name="Larger")
    assert done.status_code == 200 and done.headers["ETag"] == '"2"' and done.json()["fund"]["state"] == "open"
    assert {name for name in told if told[name] != done.json().get(name)} == {"dry_run", "redeemed", "remaining", "fund", "updated_at"}
    assert world.user().redeem(campaign["code"]).status_code == 201
    world.assert_clean()


def test_wrong_codes_count_though(quiet):
    """Else nobody would type one for real."""
    world = quiet
    user = world.user()
    answers = [user.discount.post("/v1/redemptions?dry_run=true", {"code": f"N{number}OCODE", "phone": user.phone}) for number in range(60)]
    assert {answer.status_code for answer in answers} == {404, 429} and answers[-1].status_code == 429


@pytest.mark.parametrize("word", ["", "True", "1", "yes", "true&dry_run=true", "true&more=1"])
def test_what_is_no_word_for_it(world, word):
    sender, receiver = world.rich_user(10), world.user()
    campaign = world.operator.campaign()
    for client, path, body in ((sender.wallet, "/v1/wallet/transfers", {"to": {"username": receiver.username}, "amount": 1, "currency": "IRT"}),
                               (sender.discount, "/v1/redemptions", {"code": campaign["code"], "phone": sender.phone})):
        assert_problem(client.post(f"{path}?dry_run={word}", body), 422, "validation_failed", ["more"] if "more" in word else ["dry_run"])
    assert sender.balance() == 10


def test_where_there_is_none_nothing_is_done(world):
    name = new_username()
    assert_problem(world.wallet.post("/v1/users?dry_run=true", {"username": name, "password": PASSWORD}), 422, "validation_failed", ["dry_run"])
    assert world.wallet.post("/v1/users", {"username": name, "password": PASSWORD}).status_code == 201
    campaign = world.operator.campaign()
    assert_problem(world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/pause?dry_run=true"), 422, "validation_failed", ["dry_run"])
    assert world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()["state"] == "active"


def test_beside_those_that_are_meant(quiet):
    """Rehearsals among real ones in the same moments: none is done, and each real one is."""
    world = quiet
    sender, receiver = world.rich_user(1000), world.user()
    body = {"to": {"username": receiver.username}, "amount": 1, "currency": "IRT"}

    def send(number):
        return sender.wallet.post("/v1/wallet/transfers" + ("?dry_run=true" if number % 2 else ""), body).status_code

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        with world.pair.wallet.held():
            sent = [pool.submit(send, number) for number in range(16)]
            wait_until(lambda: world.pair.wallet.metric("walletd_store_queue_depth") >= 8, "they wait")
        statuses = [one.result() for one in sent]
    assert statuses == [200 if number % 2 else 201 for number in range(16)]
    assert (sender.balance(), receiver.balance()) == (992, 8)
    world.assert_clean()
