"""Users as administrators find and treat them, and the sessions that a user lists and ends."""
import uuid

import pytest

from harness.client import PASSWORD, new_phone, new_username
from harness.services import wait_until
from harness.world import assert_problem

OTHER = "quite another sentence"
NOBODY = str(uuid.uuid4())


@pytest.fixture(scope="module")
def admin(world):
    return world.operator.wallet


def log_in(world, user, password=PASSWORD, **more):
    return world.wallet.post("/v1/sessions", {"username": user.username, "password": password, **more})


def assert_over(user, token=None):
    """At both services."""
    token = token or user.token
    assert_problem(user.wallet.get("/v1/users/me", token=token), 401, "token_revoked")
    wait_until(lambda: user.discount.get("/v1/redemptions", token=token).status_code == 401, "Discount knows", 5)


def pages(client, path, limit):
    rows, cursor = [], None
    while True:
        answer = client.get(f"{path}{'&' if '?' in path else '?'}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["data"]) <= limit
        rows += answer.json()["data"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return rows


# ---- a user's own sessions ----

def test_sessions_are_listed_and_ended(world):
    user = world.user()
    tokens = [user.token] + [log_in(world, user).json()["access_token"] for _ in range(4)]
    rows = pages(user.wallet, "/v1/users/me/sessions", 2)
    assert [row["current"] for row in rows] == [False] * 4 + [True]
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    assert rows == user.wallet.get("/v1/users/me/sessions").json()["data"]
    newest, second, *_ = rows
    path = "/v1/users/me/sessions"
    assert user.wallet.request("DELETE", f"{path}/{newest['id']}").status_code == 204
    assert user.wallet.request("DELETE", f"{path}/{newest['id']}").status_code == 204, "it has ended"
    assert_over(user, tokens[4])
    assert [row["id"] for row in user.wallet.get(path).json()["data"]] == [row["id"] for row in rows[1:]]
    assert user.wallet.request("DELETE", path, token=tokens[3]).status_code == 204
    assert [(row["id"], row["current"]) for row in user.wallet.get(path, token=tokens[3]).json()["data"]] == [(second["id"], True)]
    for token in tokens[:3]:
        assert_over(user, token)
    assert_problem(world.wallet.post("/v1/sessions/refresh", {"refresh_token": user.session["refresh_token"]}), 401, "token_revoked")
    assert user.wallet.request("DELETE", f"{path}/{second['id']}", token=tokens[3]).status_code == 204, "its own"
    assert_over(user, tokens[3])
    assert log_in(world, user).status_code == 201


def test_sessions_of_others_are_nobodys_business(world):
    user, other = world.user(), world.user()
    (theirs,) = other.wallet.get("/v1/users/me/sessions").json()["data"]
    for session in (theirs["id"], NOBODY, "none"):
        assert_problem(user.wallet.request("DELETE", f"/v1/users/me/sessions/{session}"), 404, "session_not_found")
    assert user.wallet.request("DELETE", "/v1/users/me/sessions").status_code == 204
    assert other.wallet.get("/v1/users/me").status_code == 200
    assert_problem(user.wallet.get("/v1/users/me/sessions?cursor=abc"), 422, "validation_failed", ["cursor"])


# ---- finding users ----

def test_users_are_found(world, admin):
    user, other = world.user(), world.user(with_phone=False)
    record = {"id": user.id, "username": user.username, "phone": user.phone, "phone_verified": False, "state": "active", "admin": False, "password_temporary": False}
    (found,) = admin.get(f"/v1/users?username={user.username.upper()}").json()["data"]
    assert {name: found[name] for name in record} == record
    for query in (f"phone={user.phone.replace('+98', '0')}", f"username={user.username}&phone={user.phone.replace('+', '%2B')}&state=active"):
        assert admin.get(f"/v1/users?{query}").json() == {"data": [found], "next_cursor": None}, query
    assert admin.get(f"/v1/users/{user.id}").json() == found
    assert admin.get(f"/v1/users/{other.id}").json()["phone"] is None
    for query in (f"username={user.username}&state=disabled", f"username={new_username()}", "username=!", f"phone={new_phone()}", f"username={other.username}&phone={user.phone.replace('+', '%2B')}"):
        assert admin.get(f"/v1/users?{query}").json() == {"data": [], "next_cursor": None}, query
    me = admin.get("/v1/users/me").json()
    assert admin.get(f"/v1/users/{me['id']}").json()["admin"] is True


def test_pages_of_users(world, admin):
    users = [world.user(with_phone=False) for _ in range(5)]
    everybody = pages(admin, "/v1/users", 200)
    assert pages(admin, "/v1/users", 3) == everybody
    assert [row["id"] for row in everybody] == sorted(row["id"] for row in everybody)
    assert [row["id"] for row in everybody][-5:] == [user.id for user in users]
    for user in users[1:3]:
        assert admin.post(f"/v1/users/{user.id}/disable").status_code == 200
    disabled = pages(admin, "/v1/users?state=disabled", 1)
    assert [row["id"] for row in disabled][-2:] == [user.id for user in users[1:3]] and {row["state"] for row in disabled} == {"disabled"}
    active = {row["id"] for row in pages(admin, "/v1/users?state=active", 200)}
    assert active == {row["id"] for row in everybody} - {row["id"] for row in disabled}


def test_finding_is_refused(world, admin):
    user = world.user()
    for path in (f"/v1/users/{NOBODY}", "/v1/users/nobody"):
        assert_problem(admin.get(path), 404, "user_not_found")
    assert_problem(admin.get("/v1/users?state=gone&phone=1&cursor=x&more=1"), 422, "validation_failed", ["state", "phone", "cursor", "more"])
    for path in ("/v1/users", f"/v1/users/{user.id}"):
        assert user.wallet.get(path).status_code == 403 and world.wallet.get(path).status_code == 401 and world.shop.get(path).status_code == 403


# ---- treating them ----

def test_a_disabled_user_is_out_until_enabled(world, admin):
    user = world.user()
    record = admin.post(f"/v1/users/{user.id}/disable").json()
    assert record["state"] == "disabled" and record == admin.get(f"/v1/users/{user.id}").json()
    assert_over(user)
    assert_problem(world.wallet.post("/v1/sessions/refresh", {"refresh_token": user.session["refresh_token"]}), 401, "token_revoked")
    assert_problem(log_in(world, user), 403, "user_disabled")
    assert_problem(log_in(world, user, OTHER), 401, "invalid_credentials")
    assert admin.post(f"/v1/users/{user.id}/disable").json() == record
    assert world.credit(user.id, 5)["status"] == "applied", "money is left alone"
    assert admin.post(f"/v1/users/{user.id}/enable").json()["state"] == "active"
    assert_problem(user.wallet.get("/v1/users/me"), 401, "token_revoked")
    user.login(world.wallet)
    assert user.wallet.get("/v1/wallet", token=user.token).json()["balance"] == 5
    rows = admin.get(f"/v1/audit-log?subject={user.id}").json()["data"]
    assert [(row["action"], row["before"], row["after"]) for row in rows] == [("user.enable", {"state": "disabled"}, {"state": "active"}),
                                                                              ("user.disable", {"state": "active"}, {"state": "disabled"})]
    assert rows[0]["actor"] == admin.get("/v1/users/me").json()["id"]


def test_a_temporary_password_is_changed_by_the_next_login(world, admin):
    user = world.user()
    path = f"/v1/users/{user.id}/password"
    assert admin.request("PUT", path, json={"password": OTHER}).status_code == 204
    assert_over(user)
    assert admin.get(f"/v1/users/{user.id}").json()["password_temporary"] is True
    assert_problem(log_in(world, user), 401, "invalid_credentials")
    for _ in range(2):
        assert_problem(log_in(world, user, OTHER), 403, "password_change_required")
    assert_problem(log_in(world, user, OTHER, new_password=OTHER), 422, "validation_failed", ["new_password"])
    assert_problem(log_in(world, user, OTHER, new_password="short"), 422, "validation_failed", ["new_password"])
    assert_problem(log_in(world, user, PASSWORD, new_password=PASSWORD + "2"), 401, "invalid_credentials")
    session = log_in(world, user, OTHER, new_password=PASSWORD)
    assert session.status_code == 201
    assert world.wallet.get("/v1/users/me", token=session.json()["access_token"]).json()["id"] == user.id
    assert admin.get(f"/v1/users/{user.id}").json()["password_temporary"] is False
    assert_problem(log_in(world, user, OTHER), 401, "invalid_credentials")
    assert log_in(world, user).status_code == 201
    rows = admin.get(f"/v1/audit-log?subject={user.id}&action=user.set_password").json()["data"]
    assert [(row["before"], row["after"]) for row in rows] == [({"temporary": False}, {"temporary": True})] and OTHER not in str(rows)


def test_any_login_may_change_the_password(world):
    user = world.user()
    session = log_in(world, user, new_password=OTHER)
    assert session.status_code == 201
    assert_over(user)
    (row,) = world.wallet.get("/v1/users/me/sessions", token=session.json()["access_token"]).json()["data"]
    assert row["current"] and log_in(world, user, OTHER).status_code == 201


def test_all_sessions_of_a_user_end(world, admin):
    user = world.user()
    second = log_in(world, user).json()["access_token"]
    assert admin.request("DELETE", f"/v1/users/{user.id}/sessions").status_code == 204
    assert_over(user)
    assert_over(user, second)
    assert log_in(world, user).status_code == 201
    assert [row["action"] for row in admin.get(f"/v1/audit-log?subject={user.id}").json()["data"]] == ["user.end_sessions"]


def test_treating_is_refused(world, admin):
    user = world.user()
    acts = [("PUT", "password", {"password": OTHER}), ("POST", "disable", None), ("POST", "enable", None), ("DELETE", "sessions", None)]
    for method, act, body in acts:
        for nobody in (NOBODY, "nobody"):
            assert_problem(admin.request(method, f"/v1/users/{nobody}/{act}", json=body), 404, "user_not_found")
        path = f"/v1/users/{user.id}/{act}"
        assert user.wallet.request(method, path, json=body).status_code == 403 and world.wallet.request(method, path, json=body).status_code == 401
    assert_problem(admin.request("PUT", f"/v1/users/{user.id}/password", json={"password": "short", "more": 1}), 422, "validation_failed", ["password", "more"])
    assert_problem(admin.request("PUT", f"/v1/users/{user.id}/password", json={}), 422, "validation_failed", ["password"])
    assert user.wallet.get("/v1/users/me").status_code == 200 and log_in(world, user).status_code == 201
    noted = [(row["action"], row["outcome"]) for row in admin.get(f"/v1/audit-log?subject={NOBODY}").json()["data"]]
    assert ("user.disable", "user_not_found") in noted, "what an administrator was refused is noted"


# ---- names and passwords that nobody gets ----

@pytest.mark.parametrize("name", ["admin", "Support", "wallet", "system", "ad.min", "no-reply", "ADMINISTRATOR", "\uff41\uff44\uff4d\uff49\uff4e"])
def test_reserved_names(world, name):
    problem = assert_problem(world.wallet.post("/v1/users", {"username": name, "password": PASSWORD}), 422, "validation_failed", ["username"])
    assert problem["errors"][0]["code"] == "reserved"


def test_names_that_only_resemble_reserved_ones(world):
    assert world.wallet.post("/v1/users", {"username": new_username()[:20] + "admin", "password": PASSWORD}).status_code == 201
    assert_problem(world.wallet.post("/v1/wallet/transfers", {"to": {"username": "support"}, "amount": 1, "currency": "IRT"}, token=world.user().token), 404, "recipient_not_found")


def test_common_passwords_are_refused_wherever_one_is_made(world, admin):
    user = world.user()
    for password in ("password1", "PassWord1", "12345678", "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18", "\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7\u06f8", "iloveyou1", "qwertyuiop"):
        assert_problem(world.wallet.post("/v1/users", {"username": new_username(), "password": password}), 422, "password_too_common")
    change = {"current_password": PASSWORD, "new_password": "password1"}
    assert_problem(user.wallet.request("PUT", "/v1/users/me/password", json=change), 422, "password_too_common")
    assert_problem(admin.request("PUT", f"/v1/users/{user.id}/password", json={"password": "football1"}), 422, "password_too_common")
    assert_problem(log_in(world, user, new_password="password1"), 422, "password_too_common")
    assert log_in(world, user).status_code == 201, "nothing was changed"
    assert_problem(world.wallet.post("/v1/users", {"username": "x", "password": "password1"}), 422, "validation_failed", ["username"])
    assert world.wallet.post("/v1/users", {"username": new_username(), "password": "password1 of mine"}).status_code == 201
