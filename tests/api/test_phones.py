"""Whose a phone number is: typed by its user, proven by a service that is granted users:write, and what a campaign may ask of it."""
import base64
import concurrent.futures
import json
import uuid

import pytest

from harness.client import new_phone
from harness.services import wait_until
from harness.world import assert_problem


def change(user, phone):
    return user.wallet.request("PUT", "/v1/users/me/phone", json={"phone": phone})


def verify(world, user_id, phone, scope="users:write"):
    client = world.wallet.with_token(world.issuers["shop"].token(scope))
    return client.request("PUT", f"/v1/users/{user_id}/phone-verification", json={"phone": phone})


def claims_after(user, how):
    """What the next token says of the number."""
    if how == "login":
        user.login(user.wallet)
    else:
        user.session = user.wallet.post("/v1/sessions/refresh", {"refresh_token": user.session["refresh_token"]}).json()
        user.token = user.session["access_token"]
    user.wallet, user.discount = user.wallet.with_token(user.token), user.discount.with_token(user.token)
    payload = user.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims.get("phone_number"), claims.get("phone_number_verified")


def me(user):
    """The number of the account, and whether it is verified, which only tokens say."""
    phone, is_verified = claims_after(user, "refresh")
    assert user.wallet.get("/v1/users/me").json()["phone"] == phone
    return phone, bool(is_verified)


@pytest.mark.parametrize("how", ["login", "refresh"])
def test_a_changed_number_is_unverified(world, how):
    user, phone = world.user(), new_phone()
    assert me(user) == (user.phone, False) and claims_after(user, how) == (user.phone, False)
    verified = verify(world, user.id, user.phone)
    assert verified.status_code == 200 and verified.json() == user.wallet.get("/v1/users/me").json()
    assert claims_after(user, how) == (user.phone, True)
    assert change(user, "0" + user.phone.removeprefix("+98")).status_code == 200 and me(user) == (user.phone, True)  # the same number, typed in another way
    changed = change(user, phone)
    assert changed.status_code == 200 and changed.json() == user.wallet.get("/v1/users/me").json()
    assert me(user) == (phone, False) and claims_after(user, how) == (phone, False)
    assert world.operator.wallet.get(f"/v1/accounts?phone={phone.replace('+', '%2B')}").json()["data"][0]["username"] == user.username


def test_the_number_of_another_account(world):
    user, owner, old = world.user(), world.user(), None
    assert_problem(change(user, owner.phone), 409, "phone_taken")
    assert me(user) == (user.phone, False) and me(owner) == (owner.phone, False)
    old = owner.phone
    assert change(owner, new_phone()).status_code == 200
    assert change(user, old).status_code == 200  # given up, and free
    assert_problem(change(owner, old), 409, "phone_taken")
    newcomer = world.user(with_phone=False)
    assert me(newcomer) == (None, False) and claims_after(newcomer, "login") == (None, None)
    assert change(newcomer, user.phone).status_code == 200
    sender = world.rich_user(10)
    sent = sender.wallet.post("/v1/wallet/transfers", {"to": {"phone": user.phone}, "amount": 10, "currency": "IRT"})
    assert sent.status_code == 201 and newcomer.balance() == 10 and user.balance() == 0


def test_who_proves_a_number_takes_it_away(world):
    squatter, user = world.user(), world.user()
    phone = squatter.phone
    assert verify(world, user.id, phone).status_code == 200
    assert me(user) == (phone, True) and me(squatter) == (None, False)
    assert claims_after(squatter, "refresh") == (None, None)
    assert_problem(verify(world, squatter.id, phone), 409, "phone_taken")
    assert_problem(change(squatter, phone), 409, "phone_taken")
    assert verify(world, user.id, phone).status_code == 200  # again is nothing
    assert me(user) == (phone, True)
    rows = [row for subject in (user, squatter) for row in world.operator.wallet.get(f"/v1/audit-log?subject={subject.id}").json()["data"]]
    assert [(row["action"], row["actor"], row["subject"]) for row in rows if row["outcome"] == "done"] == [
        ("phone.verify", "shop", user.id), ("phone.verify", "shop", user.id), ("phone.take", "shop", squatter.id)]
    assert phone not in str(rows)


def test_many_want_the_same_number_at_once(world):
    """In one batch it goes from hand to hand, and in the end one has it."""
    users, phone = [world.user() for _ in range(8)], new_phone()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            statuses = list(pool.map(lambda user: change(user, phone).status_code, users))
            assert sorted(set(statuses)) in ([200, 409], [200]) and sum(me(user)[0] == phone for user in users) == 1
            proofs = list(pool.map(lambda user: verify(world, user.id, phone).status_code, users))
            holders = [user for user in users if me(user)[0] == phone]
            assert proofs.count(200) == 1 and len(holders) == 1 and me(holders[0]) == (phone, True)
            phone = new_phone()
    swapped = world.user(), world.user()
    numbers = [user.phone for user in swapped]
    wanted = list(zip(swapped, reversed(numbers)))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda pair: verify(world, pair[0].id, pair[1]).status_code, wanted)) == [200, 200]
    assert sorted(me(user) for user in swapped) == sorted((number, True) for number in numbers)


def test_who_may(world):
    user = world.user()
    for scope in ("credits:write credits:issue funds:write", "user", "admin"):
        assert_problem(verify(world, user.id, user.phone, scope), 403, "forbidden")
    for client in (user.wallet, world.operator.wallet):
        assert_problem(client.request("PUT", f"/v1/users/{user.id}/phone-verification", json={"phone": user.phone}), 403, "forbidden")
    assert_problem(world.wallet.request("PUT", "/v1/users/me/phone", json={"phone": user.phone}), 401, "token_missing")
    for nobody in (uuid.uuid4(), "sara", "me"):
        assert_problem(verify(world, nobody, new_phone()), 404, "user_not_found")
    assert me(user) == (user.phone, False)


@pytest.mark.parametrize("body", [{}, {"phone": None}, {"phone": 9121234567}, {"phone": ""}, {"phone": "+99900000000"}, {"phone": "09121234567", "more": 1}])
def test_what_is_no_number(world, body):
    user = world.user()
    for answer in (user.wallet.request("PUT", "/v1/users/me/phone", json=body),
                   world.wallet.with_token(world.issuers["shop"].token("users:write")).request("PUT", f"/v1/users/{user.id}/phone-verification", json=body)):
        assert_problem(answer, 422, "validation_failed", ["more"] if "more" in body else ["phone"])
    assert me(user) == (user.phone, False)


def test_the_whole_way_to_a_campaign_for_verified_numbers(world):
    campaign = world.operator.campaign(places=5, phone="verified")
    user = world.user()
    assert_problem(user.redeem(campaign["code"]), 409, "phone_unverified")
    assert verify(world, user.id, user.phone).status_code == 200
    assert_problem(user.redeem(campaign["code"]), 409, "phone_unverified")  # the token is of before
    claims_after(user, "refresh")
    won = user.redeem(campaign["code"])
    assert won.status_code == 201 and won.json()["phone"] == user.phone and user.balance() == 1_000_000
    late = world.user()
    assert change(late, new_phone()).status_code == 200
    claims_after(late, "refresh")
    assert_problem(late.redeem(campaign["code"], me(late)[0]), 409, "phone_unverified")


def test_it_outlives_a_restart(make_world):
    world = make_world()
    users, squatter = [world.user() for _ in range(2)], world.user()
    assert verify(world, users[0].id, squatter.phone).status_code == 200
    phone = new_phone()
    assert change(users[1], phone).status_code == 200
    world.pair.wallet.kill()
    world.pair.wallet.start()
    wait_until(lambda: users[0].wallet.get("/v1/users/me").status_code == 200, "it is back")
    assert [me(user) for user in (*users, squatter)] == [(squatter.phone, True), (phone, False), (None, False)]
    world.connect().assert_clean()
