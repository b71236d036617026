"""A session that has ended in Wallet is over in Discount seconds later, by GET /v1/revocations."""
import time

import pytest

from harness.client import PASSWORD
from harness.services import wait_until
from harness.world import assert_problem

NEW = "a new battery staple"


def is_over(user, token=None):
    """Whether Discount refuses the user's token; it must be for this reason."""
    answer = user.discount.get("/v1/redemptions", token=token or user.token)
    if answer.status_code == 200:
        return False
    assert_problem(answer, 401, "token_revoked")
    return True


def log_out(user):
    assert user.wallet.request("DELETE", "/v1/sessions/current").status_code == 204


def log_in(world, user, password=PASSWORD):
    answer = world.wallet.post("/v1/sessions", {"username": user.username, "password": password})
    assert answer.status_code == 201, answer.text
    return answer.json()["access_token"]


def test_a_logout_is_known_within_seconds(world):
    user, other = world.user(), world.user()
    second = log_in(world, user)
    assert not is_over(user) and not is_over(user, second)
    log_out(user)
    wait_until(lambda: is_over(user), "Discount knows", 5)
    assert not is_over(user, second) and not is_over(other)


def test_a_new_password_is_known_within_seconds(world):
    user = world.user()
    second = log_in(world, user)
    change = {"current_password": PASSWORD, "new_password": NEW}
    assert user.wallet.request("PUT", "/v1/users/me/password", json=change).status_code == 204
    wait_until(lambda: is_over(user, second), "Discount knows", 5)
    assert not is_over(user) and not is_over(user, log_in(world, user, NEW))


def test_a_reused_refresh_token_is_known_within_seconds(make_world):
    world = make_world(wallet_arguments=["--refresh-reuse-interval", "0"])
    user = world.user()
    for _ in range(2):
        world.wallet.post("/v1/sessions/refresh", {"refresh_token": user.session["refresh_token"]})
    wait_until(lambda: is_over(user), "Discount knows", 5)


@pytest.mark.parametrize("who", ["wallet", "discount", "both"])
def test_it_is_known_after_a_restart(make_world, who):
    world = make_world()
    user, later = world.user(), world.user()
    log_out(user)
    wait_until(lambda: is_over(user), "Discount knows", 5)
    for name in ("wallet", "discount") if who == "both" else (who,):
        service = getattr(world.pair, name)
        service.kill()
        service.start()
    wait_until(lambda: is_over(user), "Discount knows again", 10)
    log_out(later)  # and what ends from now on
    wait_until(lambda: is_over(later), "Discount knows", 10)


def test_while_wallet_is_away_tokens_serve(make_world):
    world = make_world()
    user, gone = world.user(), world.user()
    log_out(gone)
    wait_until(lambda: is_over(gone), "Discount knows", 5)
    world.pair.wallet.kill()
    assert not is_over(user) and is_over(gone)
    world.pair.wallet.start()
    log_out(user)
    wait_until(lambda: is_over(user), "Discount knows", 10)


def test_more_than_a_page_at_once(make_world):
    world = make_world()
    user = world.user()
    tokens = [log_in(world, user) for _ in range(450)]
    assert not is_over(user, tokens[-1])
    for token in tokens:
        assert world.wallet.request("DELETE", "/v1/sessions/current", token=token).status_code == 204
    wait_until(lambda: all(is_over(user, token) for token in tokens), "Discount knows all", 10)
    assert not is_over(user)


# ---- the list itself ----

def revocations(world, cursor=None, **more):
    words = [f"{name}={value}" for name, value in {**more, **({"cursor": cursor} if cursor else {})}.items()]
    answer = world.shop.get("/v1/revocations" + ("?" + "&".join(words) if words else ""))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_list(make_world):
    world = make_world()
    first = revocations(world)
    assert first["data"] == [] and revocations(world, first["next_cursor"]) == first
    user, other = world.user(), world.user()
    log_out(user)
    assert other.wallet.request("PUT", "/v1/users/me/password", json={"current_password": PASSWORD, "new_password": NEW}).status_code == 204
    found = revocations(world, first["next_cursor"])
    one, all_of_a_user = found["data"]
    assert one["session_id"] and not one["user_id"] and not one["sessions_before"]
    assert not all_of_a_user["session_id"] and all_of_a_user["user_id"] == other.id
    assert all_of_a_user["kept_session_id"] < all_of_a_user["sessions_before"]
    assert revocations(world, found["next_cursor"])["data"] == []
    assert revocations(world)["data"] == found["data"]  # from the beginning
    page = revocations(world, limit=1)
    assert page["data"] == [one] and revocations(world, page["next_cursor"], limit=1)["data"] == [all_of_a_user]
    world.pair.wallet.kill()
    world.pair.wallet.start()
    assert sorted(map(str, revocations(world, found["next_cursor"])["data"])) == sorted(map(str, found["data"]))  # a cursor of before begins anew


def test_they_are_forgotten_with_their_tokens(make_world):
    world = make_world(wallet_arguments=["--access-token-lifetime", "1", "--clock-leeway", "0"])
    user = world.user()
    log_out(user)
    assert len(revocations(world)["data"]) == 1
    end = time.time() + 1
    while time.time() < end:
        log_in(world, user)
    log_out_token = log_in(world, user)
    world.wallet.request("DELETE", "/v1/sessions/current", token=log_out_token)
    assert len(revocations(world)["data"]) == 1  # the second one alone


def test_it_is_for_services(world):
    assert_problem(world.user().wallet.get("/v1/revocations"), 403, "forbidden")
    assert_problem(world.operator.wallet.get("/v1/revocations"), 403, "forbidden")
    assert_problem(world.wallet.get("/v1/revocations"), 401, "token_missing")
    assert_problem(world.shop.get("/v1/revocations?cursor=AAAA"), 422, "validation_failed", ["cursor"])
