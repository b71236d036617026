"""walletd user …: while the service runs, through the socket of its folder, and while it is stopped; noted, proven, and for its owner alone."""
import os
import stat

import pytest

from harness.client import PASSWORD, User, new_phone, new_username
from harness.services import wait_until
from harness.world import assert_problem


@pytest.fixture(scope="module")
def wallet(world):
    return world.pair.wallet


def run(wallet, act, *words, password=None):
    return wallet.command("user", act, *words, "--data", wallet.data, *wallet.store_words, input=None if password is None else password + "\n")


def done(wallet, act, *words, **options):
    answer = run(wallet, act, *words, **options)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def refused(wallet, act, *words, code=1, **options):
    answer = run(wallet, act, *words, **options)
    assert (answer.returncode, answer.stdout) == (code, "") and answer.stderr, answer
    return answer.stderr


def log_in(world, name, password):
    return world.wallet.post("/v1/sessions", {"username": name, "password": password})


def test_a_user_is_added_while_the_service_runs(world, wallet):
    name, phone = new_username(), new_phone()
    user_id = done(wallet, "add", name.upper(), "--phone", phone, password=PASSWORD)
    session = log_in(world, name, PASSWORD)
    assert session.status_code == 201
    me = world.wallet.get("/v1/users/me", token=session.json()["access_token"]).json()
    assert (me["id"], me["username"]) == (user_id, name)
    assert world.wallet.get("/v1/wallet", token=session.json()["access_token"]).status_code == 200
    assert "username" in refused(wallet, "add", name, password=PASSWORD)
    assert "phone" in refused(wallet, "add", new_username(), "--phone", phone, password=PASSWORD)
    assert "8 to 128" in refused(wallet, "add", new_username(), password="short")
    assert "tried first" in refused(wallet, "add", new_username(), password="Password1")
    assert "NAME" in refused(wallet, "add", "with blank", password=PASSWORD)
    assert refused(wallet, "add", code=2, password=PASSWORD)
    assert refused(wallet, "add", new_username(), PASSWORD, code=2, password=PASSWORD), "a password among the words"


def test_another_password_ends_all_sessions_at_both_services(world, wallet):
    user = User(world.wallet, world.discount)
    done(wallet, "set-password", user.username, password="quite another one")
    assert_problem(user.wallet.get("/v1/users/me"), 401, "token_revoked")
    wait_until(lambda: user.discount.get("/v1/redemptions").status_code == 401, "revoked at Discount")
    assert_problem(log_in(world, user.username, PASSWORD), 401, "invalid_credentials")
    assert log_in(world, user.username, "quite another one").status_code == 201
    assert "8 to 128" in refused(wallet, "set-password", user.username, password="short")
    assert "no user" in refused(wallet, "set-password", new_username(), password=PASSWORD)
    assert log_in(world, user.username, "quite another one").status_code == 201


def test_administrators_come_and_go(world, wallet):
    user = User(world.wallet, world.discount)
    assert user.wallet.get("/v1/accounts").status_code == 403
    done(wallet, "make-admin", user.username)
    assert user.wallet.get("/v1/accounts").status_code == 403, "tokens of before say what was so"
    user.login(world.wallet)
    assert user.wallet.get("/v1/accounts", token=user.token).status_code == 200
    assert user.username in done(wallet, "list", "--admin")
    done(wallet, "make-admin", user.username)  # is one already
    done(wallet, "remove-admin", user.username)
    assert_problem(user.wallet.get("/v1/accounts", token=user.token), 401, "token_revoked")
    user.login(world.wallet)
    assert user.wallet.get("/v1/accounts", token=user.token).status_code == 403
    assert user.username not in done(wallet, "list", "--admin") and user.username in done(wallet, "list")
    for act in ("make-admin", "remove-admin"):
        assert "no user" in refused(wallet, act, new_username())
    rows = world.operator.wallet.get(f"/v1/audit-log?actor=command line&subject={user.id}").json()["data"]
    assert [(row["action"], row["before"], row["after"]) for row in rows] == [("user.remove_admin", {"admin": True}, {"admin": False}),
                                                                              ("user.make_admin", {"admin": False}, {"admin": True})], "each once"


def test_every_act_is_noted(world, wallet):
    user_id = done(wallet, "add", (name := new_username()), password=PASSWORD)
    done(wallet, "set-password", name, password=PASSWORD + "2")
    rows = world.operator.wallet.get(f"/v1/audit-log?actor=command line&subject={user_id}").json()["data"]
    assert [row["action"] for row in rows] == ["user.set_password", "user.create"]
    assert {(row["actor"], row["outcome"], row["address"]) for row in rows} == {("command line", "done", None)}
    assert PASSWORD not in str(rows) and "argon2" not in str(rows)
    assert wallet.verify().returncode == 0


def test_the_list_has_everybody_in_order(world, wallet):
    names = [User(world.wallet, world.discount).username for _ in range(3)]
    lines = [line.split() for line in done(wallet, "list").splitlines()]
    assert [line[-1] for line in lines if line[-1] in names] == names
    assert [line[0] for line in lines] == sorted(line[0] for line in lines)
    assert {line[2] for line in lines} == {"admin", "user"}


def test_the_socket_is_its_owners(wallet):
    assert stat.S_IMODE((wallet.data / "control").stat().st_mode) == 0o600
    assert stat.S_ISSOCK((wallet.data / "control").stat().st_mode)


def test_stopped_killed_and_out_of_reach(make_world):
    world = make_world()
    wallet = world.pair.wallet
    os.rename(wallet.data / "control", wallet.data / "elsewhere")
    assert "in use by another process" in refused(wallet, "make-admin", world.pair.admin_name)
    os.rename(wallet.data / "elsewhere", wallet.data / "control")
    wallet.kill()
    assert (wallet.data / "control").exists(), "nobody listens there any more"
    name = new_username()
    done(wallet, "add", name, "--admin", password=PASSWORD)
    wallet.start()
    done(wallet, "set-password", name, password=PASSWORD + "2")
    assert wallet.stop() == 0
    assert not (wallet.data / "control").exists()
    done(wallet, "set-password", name, password=PASSWORD + "3")
    done(wallet, "remove-admin", name)
    assert "no user" in refused(wallet, "make-admin", new_username())
    assert name in done(wallet, "list") and name not in done(wallet, "list", "--admin")
    for act, password in (("list", None), ("add", PASSWORD)):
        nowhere = wallet.command("user", act, *([name] if password else []), "--data", wallet.base / "nowhere", input=password)
        assert nowhere.returncode == 1 and "init" in nowhere.stderr
    wallet.start()
    world.connect()
    assert log_in(world, name, PASSWORD + "3").status_code == 201
