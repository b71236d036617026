"""Users and their sessions."""
import pathlib
import statistics
import time

import jwt
import pytest

from harness.client import PASSWORD, Client, User, new_phone, new_username
from harness.services import Wallet
from harness.world import assert_problem


def log_in(world, username, password=PASSWORD):
    return world.wallet.post("/v1/sessions", {"username": username, "password": password})


def refresh(world, token):
    return world.wallet.post("/v1/sessions/refresh", {"refresh_token": token})


def test_a_new_user(world):
    username, phone = new_username(), new_phone()
    answer = world.wallet.post("/v1/users", {"username": username, "password": PASSWORD, "phone": phone})
    assert answer.status_code == 201
    user = answer.json()
    assert set(user) == {"id", "username", "phone", "created_at"}
    assert (user["username"], user["phone"]) == (username, phone)
    assert answer.headers["Location"] == "/v1/users/me"
    token = log_in(world, username).json()["access_token"]
    assert world.wallet.get("/v1/users/me", token=token).json() == user
    wallet = world.wallet.get("/v1/wallet", token=token).json()
    assert (wallet["balance"], wallet["held"], wallet["available"], wallet["sequence"], wallet["currency"]) == (0, 0, 0, 0, "IRT")


def test_a_new_user_without_a_phone(world):
    answer = world.wallet.post("/v1/users", {"username": new_username(), "password": PASSWORD})
    assert answer.status_code == 201 and answer.json()["phone"] is None


def test_a_refused_user_is_not_there(world):
    taken, phone, username = world.user(), new_phone(), new_username()
    assert_problem(world.wallet.post("/v1/users", {"username": username, "password": PASSWORD, "phone": taken.phone}), 409, "phone_taken")
    assert_problem(world.wallet.post("/v1/users", {"username": taken.username, "password": PASSWORD, "phone": phone}), 409, "username_taken")
    assert world.wallet.post("/v1/users", {"username": username, "password": PASSWORD, "phone": phone}).status_code == 201


def test_the_same_registration_many_times_at_once(world):
    import json
    body = json.dumps({"username": new_username(), "password": PASSWORD, "phone": new_phone()}).encode()
    answers = world.all_at_once("wallet", "POST", "/v1/users", [({"Content-Type": "application/json"}, body)] * 20)
    assert sorted(answer.status for answer in answers) == [201] + [409] * 19


def test_a_session(world):
    user = world.user()
    answer = log_in(world, user.username)
    assert answer.status_code == 201
    session = answer.json()
    assert set(session) == {"access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"}
    assert session["token_type"] == "Bearer"
    assert 0 < session["expires_in"] < session["refresh_expires_in"]
    assert answer.headers.get("Cache-Control") == "no-store"


@pytest.mark.parametrize("with_phone", [True, False])
def test_claims_of_an_access_token(world, with_phone):
    before = int(time.time())
    user = world.user(with_phone=with_phone)
    key = world.wallet.get("/.well-known/jwks.json").json()["keys"][0]
    header = jwt.get_unverified_header(user.token)
    assert header["alg"] == "RS256" and header["kid"] == key["kid"] and set(header) <= {"alg", "kid", "typ"}
    public = jwt.algorithms.RSAAlgorithm.from_jwk(key)
    claims = jwt.decode(user.token, public, algorithms=["RS256"], audience="discount", issuer="wallet")
    assert claims["aud"] == ["wallet", "discount"]
    expected = {"iss", "aud", "sub", "preferred_username", "scope", "sid", "jti", "iat", "nbf", "exp"} | ({"phone_number", "phone_number_verified"} if with_phone else set())
    assert set(claims) == expected
    assert claims["sub"] == user.id and claims["preferred_username"] == user.username and claims["scope"] == "user"
    assert claims.get("phone_number") == (user.phone if with_phone else None)
    assert claims.get("phone_number_verified") is (False if with_phone else None)
    assert before <= claims["iat"] == claims["nbf"] <= int(time.time())
    assert claims["exp"] - claims["iat"] == user.session["expires_in"]
    again = jwt.decode(log_in(world, user.username).json()["access_token"], options={"verify_signature": False})
    assert again["jti"] != claims["jti"] and again["sid"] != claims["sid"]


def test_claims_of_an_admin(world):
    assert jwt.decode(world.operator.token, options={"verify_signature": False})["scope"] == "user admin"


def test_a_wrong_password_and_an_unknown_user_look_alike(world):
    user = world.user()
    wrong, unknown = log_in(world, user.username, PASSWORD + "!"), log_in(world, new_username())
    for answer in (wrong, unknown):
        assert_problem(answer, 401, "invalid_credentials")
    bodies = [{**answer.json(), "request_id": None} for answer in (wrong, unknown)]
    assert bodies[0] == bodies[1]
    assert set(wrong.headers) == set(unknown.headers)
    assert_problem(log_in(world, "no such user at all, with blanks"), 401, "invalid_credentials")
    assert_problem(log_in(world, user.username, "x" * 5000), 401, "invalid_credentials")


def test_an_unknown_user_costs_as_much_as_a_wrong_password(tmp_path, contracts):
    """With what a password costs in production, where the difference would show."""
    service = Wallet(tmp_path)
    service.arguments = service.arguments[2:]
    service.init().start()
    try:
        client = Client(service.url, contracts["wallet"].check_response)
        user = User(client)

        def spent_s():
            """CPU time of all threads (proc(5), schedstat): what else the machine does is not in it."""
            tasks = pathlib.Path(f"/proc/{service.process.pid}/task").iterdir()
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

        def cost_s(username):
            before = spent_s()
            assert_problem(client.post("/v1/sessions", {"username": username, "password": "wrong password"}), 401, "invalid_credentials")
            return spent_s() - before

        wrong, unknown = [], []
        for _ in range(3):
            wrong.append(cost_s(user.username))
            unknown.append(cost_s(new_username()))
        assert 0.4 < min(unknown) / min(wrong) < 2.5, (unknown, wrong)
        assert statistics.median(unknown) > 0.01
    finally:
        service.end()


def test_a_refresh_token_is_rotated(world):
    user = world.user()
    first = user.session
    answer = refresh(world, first["refresh_token"])
    assert answer.status_code == 201
    second = answer.json()
    assert second["refresh_token"] != first["refresh_token"] and second["access_token"] != first["access_token"]
    old, new = (jwt.decode(session["access_token"], options={"verify_signature": False}) for session in (first, second))
    assert old["sid"] == new["sid"] and old["jti"] != new["jti"] and old["sub"] == new["sub"]
    assert world.wallet.get("/v1/wallet", token=second["access_token"]).status_code == 200
    third = refresh(world, second["refresh_token"])
    assert third.status_code == 201


def test_a_second_tab_gets_another_successor(world):
    """Within --refresh-reuse-interval: each successor is good, and so is what comes of it."""
    user = world.user()
    sid = jwt.decode(user.token, options={"verify_signature": False})["sid"]
    tabs = [refresh(world, user.session["refresh_token"]) for _ in range(3)]
    assert [tab.status_code for tab in tabs] == [201] * 3
    assert len({tab.json()["refresh_token"] for tab in tabs}) == 3
    for tab in tabs:
        assert jwt.decode(tab.json()["access_token"], options={"verify_signature": False})["sid"] == sid
        later = refresh(world, tab.json()["refresh_token"])
        assert later.status_code == 201
        assert world.wallet.get("/v1/wallet", token=later.json()["access_token"]).status_code == 200
    assert user.wallet.get("/v1/wallet").status_code == 200


def test_the_same_refresh_token_many_times_at_once(world):
    import json
    user = world.user()
    body = json.dumps({"refresh_token": user.session["refresh_token"]}).encode()
    answers = world.all_at_once("wallet", "POST", "/v1/sessions/refresh", [({"Content-Type": "application/json"}, body)] * 10)
    assert [answer.status for answer in answers] == [201] * 10
    assert all(refresh(world, json.loads(answer.body)["refresh_token"]).status_code == 201 for answer in answers)


@pytest.fixture(scope="module")
def strict(tmp_path_factory, contracts):
    """A Wallet whose refresh tokens are good once, and not a moment longer."""
    service = Wallet(tmp_path_factory.mktemp("strict"), "--refresh-reuse-interval", "0").init().start()
    yield service
    service.end()


def strict_user(service, contracts):
    client = Client(service.url, contracts["wallet"].check_response)
    return client, User(client)


def again(client, token):
    return client.post("/v1/sessions/refresh", {"refresh_token": token})


@pytest.mark.parametrize("later", [0, 3, 40])
def test_a_reused_refresh_token_ends_the_whole_session(strict, contracts, later):
    """However old the copy is, and though used ones are forgotten."""
    client, user = strict_user(strict, contracts)
    other = client.post("/v1/sessions", {"username": user.username, "password": PASSWORD}).json()
    newest = user.session
    for _ in range(1 + later):
        newest = again(client, newest["refresh_token"]).json()
    sid = jwt.decode(user.token, options={"verify_signature": False})["sid"].replace("-", "")
    stored = f"session_id = '{sid}'" if strict.store else f"session_id = X'{sid}'"
    assert int(strict.sql(f"SELECT count(*) FROM refresh_tokens WHERE {stored}")[0][0]) <= 2
    reused = again(client, user.session["refresh_token"])
    assert_problem(reused, 401, "token_revoked")
    assert reused.headers["WWW-Authenticate"].startswith("Bearer")
    assert_problem(again(client, newest["refresh_token"]), 401, "token_revoked")
    for token in (user.token, newest["access_token"]):
        assert_problem(client.get("/v1/wallet", token=token), 401, "token_revoked")
    assert client.get("/v1/wallet", token=other["access_token"]).status_code == 200
    assert again(client, other["refresh_token"]).status_code == 201


def test_after_the_interval_a_copy_ends_the_session(tmp_path, contracts):
    service = Wallet(tmp_path, "--refresh-reuse-interval", "1").init().start()
    try:
        client, user = strict_user(service, contracts)
        first = again(client, user.session["refresh_token"])
        assert again(client, user.session["refresh_token"]).status_code == 201
        end = time.time() + 1
        while time.time() < end:
            assert client.get("/v1/wallet", token=first.json()["access_token"]).status_code == 200
        assert_problem(again(client, user.session["refresh_token"]), 401, "token_revoked")
        assert_problem(again(client, first.json()["refresh_token"]), 401, "token_revoked")
    finally:
        service.end()


def test_unknown_refresh_tokens(world):
    user = world.user()
    right = user.session["refresh_token"]
    for token in ("x", "a.b", right + "A", right[:-1] + ("A" if right[-1] != "A" else "B"), right[5:], user.token[:500], "0" * 400, "ي"):
        answer = refresh(world, token)
        assert_problem(answer, 401, "token_invalid")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert refresh(world, right).status_code == 201


def test_a_refresh_token_is_no_access_token(world):
    user = world.user()
    assert_problem(world.wallet.get("/v1/wallet", token=user.session["refresh_token"]), 401, "token_invalid")


def test_logout_ends_the_session_at_once(world):
    user = world.user()
    other = log_in(world, user.username).json()
    assert user.wallet.get("/v1/wallet").status_code == 200
    answer = user.wallet.request("DELETE", "/v1/sessions/current")
    assert answer.status_code == 204 and answer.content == b""
    assert_problem(user.wallet.get("/v1/wallet"), 401, "token_revoked")
    assert_problem(user.wallet.request("DELETE", "/v1/sessions/current"), 401, "token_revoked")
    assert_problem(refresh(world, user.session["refresh_token"]), 401, "token_revoked")
    assert world.wallet.get("/v1/wallet", token=other["access_token"]).status_code == 200
    assert log_in(world, user.username).status_code == 201


def test_a_new_password_ends_the_other_sessions(world):
    user = world.user()
    other = log_in(world, user.username).json()
    change = {"current_password": PASSWORD, "new_password": "a new battery staple"}
    answer = user.wallet.request("PUT", "/v1/users/me/password", json=change)
    assert answer.status_code == 204 and answer.content == b""
    assert user.wallet.get("/v1/wallet").status_code == 200
    assert_problem(world.wallet.get("/v1/wallet", token=other["access_token"]), 401, "token_revoked")
    assert_problem(refresh(world, other["refresh_token"]), 401, "token_revoked")
    assert refresh(world, user.session["refresh_token"]).status_code == 201
    assert_problem(log_in(world, user.username), 401, "invalid_credentials")
    assert log_in(world, user.username, "a new battery staple").status_code == 201


def test_a_new_password_needs_the_old_one(world):
    user = world.user()
    change = {"current_password": "not it at all", "new_password": "a new battery staple"}
    answer = user.wallet.request("PUT", "/v1/users/me/password", json=change)
    assert_problem(answer, 401, "invalid_credentials")
    assert log_in(world, user.username).status_code == 201
    for new in ("x" * 7, "x" * 129):
        answer = user.wallet.request("PUT", "/v1/users/me/password", json={"current_password": PASSWORD, "new_password": new})
        assert_problem(answer, 422, "validation_failed", ["new_password"])


def test_sessions_survive_a_restart(make_world):
    world = make_world()
    user, gone = world.user(), world.user()
    assert gone.wallet.request("DELETE", "/v1/sessions/current").status_code == 204
    assert world.pair.wallet.stop() == 0
    world.pair.wallet.start()
    assert user.wallet.get("/v1/wallet").status_code == 200
    assert_problem(gone.wallet.get("/v1/wallet"), 401, "token_revoked")
    assert_problem(refresh(world, gone.session["refresh_token"]), 401, "token_revoked")
    assert refresh(world, user.session["refresh_token"]).status_code == 201


def test_access_tokens_live_as_long_as_they_say(make_world):
    """By the flag of the wallet, so that nobody waits for fifteen minutes."""
    world = make_world(wallet_arguments=["--access-token-lifetime", "2", "--clock-leeway", "0"], discount_arguments=["--clock-leeway", "0"])
    user = world.user()
    assert user.session["expires_in"] == 2
    expires = jwt.decode(user.token, options={"verify_signature": False})["exp"]
    while time.time() < expires - 0.2:
        assert user.wallet.get("/v1/wallet").status_code == 200
    while time.time() < expires:
        pass
    assert_problem(user.wallet.get("/v1/wallet"), 401, "token_expired")
    assert_problem(user.discount.get("/v1/redemptions"), 401, "token_expired")
    assert refresh(world, user.session["refresh_token"]).status_code == 201
