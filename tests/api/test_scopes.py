"""What a service may do is what Wallet was told at its start, and no more than its token says."""
import uuid

import pytest

from harness.client import Client
from harness.services import Wallet
from harness.tokens import Issuer
from harness.world import assert_problem

ALL = "credits:write credits:issue funds:write holds:write payments:write reversals:write users:write"
GRANTS = {None: "credits:write funds:write", "credits:write": "credits:write", "funds:write": "funds:write", "credits:issue": "credits:issue",
          "credits:write,credits:issue": "credits:write credits:issue", "users:write": "users:write", "holds:write,payments:write,reversals:write": "holds:write payments:write reversals:write",
          ALL.replace(" ", ","): ALL, "credits:write,credits:write": "credits:write"}


@pytest.fixture(scope="module")
def shops():
    return {granted: Issuer(f"shop{number}") for number, granted in enumerate(GRANTS)}


@pytest.fixture(scope="module", params=["flags", "environment"])
def wallet(request, tmp_path_factory, shops):
    """One Wallet with a service for each grant; in the environment commas part the services as well."""
    base = tmp_path_factory.mktemp("scopes")
    trusted = [f"{issuer.name}={issuer.write_jwks(base)}" + (f",{granted}" if granted else "") for granted, issuer in shops.items()]
    if request.param == "flags":
        service = Wallet(base, *[word for item in trusted for word in ("--trust-service", item)])
    else:
        kept = [item for item in trusted if item.count(",") < 3]
        service = Wallet(base, environment={"WALLETD_TRUST_SERVICE": ", ".join(kept)})
        service.kept = kept
    service.init().start()
    yield service
    service.end()


def credit(wallet, token, fund=None):
    item = {"reference": str(uuid.uuid4()), "user_id": str(uuid.uuid4()), "amount": 5, "currency": "IRT", **({"fund": fund} if fund else {})}
    return Client(wallet.url, token=token).post("/v1/credits", {"items": [item]})


@pytest.mark.parametrize("granted", GRANTS)
def test_exactly_these_scopes(wallet, shops, granted):
    issuer, scopes = shops[granted], GRANTS[granted].split()
    if not any(item.startswith(issuer.name) for item in getattr(wallet, "kept", [issuer.name])):
        return
    token = issuer.token(ALL)
    answer = Client(wallet.url, token=token).get("/v1/funds/none")
    assert answer.status_code == (404 if "funds:write" in scopes else 403), answer.text
    verified = Client(wallet.url, token=token).request("PUT", f"/v1/users/{uuid.uuid4()}/phone-verification", json={"phone": "09121234567"})
    assert verified.status_code == (404 if "users:write" in scopes else 403), verified.text
    with_fund, without = credit(wallet, token, "none"), credit(wallet, token)
    if "credits:write" not in scopes:
        assert_problem(with_fund, 403, "forbidden")
        assert_problem(without, 403, "forbidden")
        return
    assert with_fund.json()["items"][0]["code"] == "user_not_found" or with_fund.json()["items"][0]["code"] == "fund_not_found"
    if "credits:issue" in scopes:
        assert without.json()["items"][0]["code"] == "user_not_found"
    else:
        problem = assert_problem(without, 422, "validation_failed", ["items[0].fund"])
        assert problem["errors"][0]["code"] == "required" and "credits:issue" in problem["errors"][0]["detail"], problem


def test_the_token_must_say_so_too(world):
    """A service that is granted much makes tokens that may do little."""
    user = world.user()
    token = world.issuers["shop"].token("credits:write")
    item = {"reference": str(uuid.uuid4()), "user_id": user.id, "amount": 5, "currency": "IRT"}
    good = {**item, "reference": str(uuid.uuid4()), "fund": world.fund(100)["reference"]}
    problem = assert_problem(world.wallet.post("/v1/credits", {"items": [good, item]}, token=token), 422, "validation_failed", ["items[1].fund"])
    assert problem["errors"][0]["code"] == "required"
    assert user.wallet.get("/v1/wallet").json()["balance"] == 0  # nothing of the batch was done
    assert world.wallet.post("/v1/credits", {"items": [{**item, "fund": None}]}, token=token).status_code == 422
    assert world.wallet.post("/v1/credits", {"items": [good]}, token=token).json()["items"][0]["status"] == "applied"
    assert world.shop.post("/v1/credits", {"items": [item]}).json()["items"][0]["status"] == "applied"
