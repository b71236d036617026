"""What an earlier version left in the middle of an event (tests/databases/record.py), under the present programs: both services go on where they were, and a
backup of before is good."""
import json
import pathlib
import shutil
import tarfile
import time

import pytest

from crash.crowds import assert_clean, operator_of
from harness.client import Client, User
from harness.clock import Clock
from harness.services import Pair, wait_until

pytestmark = pytest.mark.of_sqlite  # there is none of earlier versions in PostgreSQL
RECORDED = pathlib.Path(__file__).resolve().parents[1] / "databases"
LATER_S = 60  # tokens and kept answers of then are good still


@pytest.fixture(params=sorted(path.name.removesuffix(".tar.xz") for path in RECORDED.glob("*.tar.xz")))
def left(request, tmp_path):
    """A pair on those folders, not started, on a day when they are new; what its users had been told; and where all of it is."""
    with tarfile.open(RECORDED / f"{request.param}.tar.xz") as archive:
        archive.extractall(tmp_path / "left")
    told = json.loads((tmp_path / "left" / "told.json").read_text())
    clock = Clock(tmp_path / "clock", told["time"] + LATER_S - time.time())
    pair = Pair(tmp_path, wallet_options={"environment": clock.environment}, discount_options={"environment": clock.environment})
    pair.admin_name, pair.admin_password = told["admin"]["name"], told["admin"]["password"]
    for service in (pair.wallet, pair.discount):
        shutil.rmtree(service.data)
        shutil.copytree(tmp_path / "left" / service.program, service.data)
    yield pair, told, tmp_path / "left"
    pair.end()


def wait_paid(pair, told):
    operator = operator_of(pair)
    for campaign in (told["over"], told["live"]):
        operator.wait_settled(campaign["id"])
    return operator


def balances(told):
    """{username: what he must have}"""
    expected = {each["username"]: told["credit"] for each in told["claims"]}
    expected[told["transfer"]["from"]] -= told["transfer"]["amount"]
    expected[told["transfer"]["to"]] += told["transfer"]["amount"]
    return expected


def test_both_services_go_on_where_they_were(left):
    pair, told, _ = left
    pair.start()
    operator = wait_paid(pair, told)
    wallet, discount = Client(pair.wallet.url), Client(pair.discount.url)
    expected = balances(told)
    for each in told["claims"]:
        mine = wallet.with_token(each["access_token"])  # nobody has to log in again
        assert mine.get("/v1/wallet").json()["balance"] == expected[each["username"]]
        repeated = discount.with_token(each["access_token"]).post("/v1/redemptions", {"code": told["live"]["code"], "phone": each["phone"]}, key=each["key"])
        assert repeated.status_code == 201 and repeated.headers["Idempotent-Replayed"] == "true", repeated.text
        became = repeated.json()
        known = {name: value for name, value in each["answer"].items() if each["status"] == 201 or name not in ("status", "transaction_id", "credited_at")}
        assert {name: became.get(name) for name in known} == known and became["status"] == "credited"
    first = told["claims"][0]
    assert wallet.post("/v1/sessions/refresh", {"refresh_token": first["refresh_token"]}).status_code == 201
    assert wallet.post("/v1/sessions", {"username": first["username"], "password": first["password"]}).status_code == 201

    places, taken = told["live"]["max_redemptions"], len(told["claims"])
    late = [User(wallet, discount).redeem(told["live"]["code"]) for _ in range(places - taken + 2)]
    assert [answer.status_code for answer in late] == [201] * (places - taken) + [410, 410]
    assert [winner["position"] for winner in operator.winners(told["live"]["id"])] == list(range(1, places + 1))
    assert operator.report(told["over"]["id"])["credited"] == told["over"]["max_redemptions"]
    assert_clean(pair)


def test_a_backup_of_before_is_restored(left):
    """Wallet's was taken before it was away: what it does not know yet is sent again."""
    pair, told, folder = left
    for service in (pair.wallet, pair.discount):
        shutil.rmtree(service.data)
        done = service.command("restore", folder / f"{service.program}.backup", "--data", service.data)
        assert done.returncode == 0, done.stderr
    pair.start()
    operator = wait_paid(pair, told)
    paid = [each for each in told["claims"] if each["status"] == 201]
    winners = {winner["user_id"]: winner["position"] for winner in operator.winners(told["live"]["id"])}
    assert winners == {each["id"]: each["answer"]["position"] for each in paid}
    wait_until(lambda: pair.discount.reconcile().returncode == 0, "both agree")
    assert_clean(pair)
