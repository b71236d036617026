"""A service's own keys: another one signs, the old one stays for its last tokens and then goes, while everybody is served."""
import os
import signal

import jwt
import pytest

from harness.client import PASSWORD, Client
from harness.services import wait_until
from harness.world import assert_problem

SERVICES = ["wallet", "discount"]


@pytest.fixture
def rotated(make_world):
    return make_world(wallet_arguments=["--keys-max-age", "1"], discount_arguments=["--keys-max-age", "1"])


def keys(service, *words):
    done = service.command("keys", *words, "--data", service.data)
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(service):
    """[(kid, state)], newest first."""
    return [(line.split()[0], line.split()[-1]) for line in keys(service, "list").splitlines()]


def published(service):
    return [key["kid"] for key in Client(service.url).get("/.well-known/jwks.json").json()["keys"]]


def tell(service, kids):
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: published(service) == kids, f"{kids} published")


def rotate(service):
    """(new, old), as the running service has taken them over."""
    [(old, _)] = listed(service)
    assert "--signal=HUP" in keys(service, "rotate")
    [(new, state), (other, other_state)] = listed(service)
    assert new != old and (other, state, other_state) == (old, "signs", "published")
    assert published(service) == [old]  # not before it is told
    tell(service, [new, old])
    return new, old


def retire(service, new, old):
    assert "trusted no more" in keys(service, "retire", old)
    assert listed(service) == [(new, "signs")]
    tell(service, [new])


def test_wallets_key_is_exchanged_under_its_users(rotated):
    wallet, discount = rotated.pair.wallet, rotated.pair.discount
    user = rotated.user()
    new, old = rotate(wallet)
    assert jwt.get_unverified_header(user.token)["kid"] == old
    campaign = rotated.operator.campaign()
    assert user.redeem(campaign["code"]).status_code == 201  # its last tokens are good in both
    late = rotated.user()
    assert jwt.get_unverified_header(late.token)["kid"] == new
    wait_until(lambda: late.redeem(campaign["code"]).status_code == 201, "Discount has heard of the new key", deadline_s=20)
    retire(wallet, new, old)
    assert_problem(user.wallet.get("/v1/wallet"), 401, "token_invalid")
    wait_until(lambda: user.discount.get("/v1/redemptions").status_code == 401, "Discount has heard of it", deadline_s=20)
    assert late.wallet.get("/v1/wallet").status_code == late.discount.get("/v1/redemptions").status_code == 200  # which it knows still
    user.login(rotated.wallet)
    assert Client(discount.url, token=user.token).get("/v1/redemptions").status_code == 200
    wallet.stop()
    wallet.start()
    assert published(wallet) == [new]
    assert late.wallet.get("/v1/wallet").status_code == 200


def test_discounts_key_is_exchanged_under_its_claims(rotated):
    campaign = rotated.operator.campaign()
    assert rotated.user().redeem(campaign["code"]).status_code == 201
    new, old = rotate(rotated.pair.discount)
    assert rotated.user().redeem(campaign["code"]).status_code == 201
    retire(rotated.pair.discount, new, old)
    wait_until(lambda: rotated.pair.discount.reconcile().returncode == 0, "Wallet has heard of the new key", deadline_s=20)
    for _ in range(3):
        assert rotated.user().redeem(campaign["code"]).status_code in (201, 202)
    assert rotated.operator.wait_settled(campaign["id"])["credited"] == 5
    rotated.assert_clean()


@pytest.mark.parametrize("name", SERVICES)
def test_the_audit_log_has_both(rotated, name):
    service = rotated.service(name)
    new, old = rotate(service)
    retire(service, new, old)
    session = rotated.wallet.post("/v1/sessions", {"username": rotated.pair.admin_name, "password": rotated.pair.admin_password}).json()
    client = rotated.client(name).with_token(session["access_token"])
    rows = wait_until(lambda: len(found := client.get("/v1/audit-log?action=keys.change").json()["data"]) == 3 and found, "all three are noted")
    assert [row["after"]["kids"] for row in rows] == [[new], [new, old], [old]]
    assert [row["before"] and row["before"]["kids"] for row in rows] == [[new, old], [old], None]
    service.process.send_signal(signal.SIGHUP)  # nothing has changed: nothing to note
    wait_until(lambda: len(service.events("keys_reloaded")) == 3, "loaded again")
    assert client.get("/v1/audit-log?action=keys.change").json()["data"] == rows
    assert service.verify().returncode == 0


@pytest.mark.parametrize("name", SERVICES)
def test_a_folder_that_is_no_good_changes_nothing(rotated, name):
    service = rotated.service(name)
    [(kid, _)] = listed(service)
    broken = service.data / "keys" / "broken.jwk"
    broken.write_text("{")
    broken.chmod(0o600)
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: service.events("keys_not_reloaded"), "it is said")
    assert published(service) == [kid]
    broken.unlink()
    assert rotated.user().redeem(rotated.operator.campaign()["code"]).status_code == 201


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_not_retired(world, name):
    service = world.service(name)
    [(kid, _)] = listed(service)
    for words, complaint in (([kid], "the only key"), (["nobody"], "no key is called nobody"), (["../keys"], "no key is called ../keys"), ([], "needs KID")):
        done = service.command("keys", "retire", *words, "--data", service.data)
        assert done.returncode != 0 and complaint in done.stderr
    assert listed(service) == [(kid, "signs")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_a_key_that_root_makes_belongs_to_the_service(make_world):
    wallet = make_world(start=False).wallet
    os.chown(wallet.data / "keys", 12345, 12346)
    before = set((wallet.data / "keys").iterdir())
    keys(wallet, "rotate")
    [made] = set((wallet.data / "keys").iterdir()) - before
    assert (made.stat().st_uid, made.stat().st_gid, made.stat().st_mode & 0o777) == (12345, 12346, 0o600)


def test_who_logs_in_meanwhile_is_served(rotated):
    """Keys come and go under tokens that are being made and checked."""
    wallet = rotated.pair.wallet
    user = rotated.user()
    for _ in range(3):
        new, old = rotate(wallet)
        answer = rotated.wallet.post("/v1/sessions", {"username": user.username, "password": PASSWORD})
        assert jwt.get_unverified_header(answer.json()["access_token"])["kid"] == new
        retire(wallet, new, old)
        assert Client(wallet.url, token=answer.json()["access_token"]).get("/v1/wallet").status_code == 200
