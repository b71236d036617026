"""Who is stopped after how many tries, and who is never stopped by whom (docs/budgets.md). Wallet's passwords cost here what they cost in production,
or nothing would be counted. Clients have addresses of their own: each test takes some that no other has."""
import itertools
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.client import PASSWORD, User, new_phone, new_username
from harness.raw import at_once, request_bytes
from harness.services import Pair, wait_until
from harness.world import World, assert_problem

STANDARD = ["--password-cost", "standard"]
_subnets = itertools.count(1)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, contracts, issuers):
    """A pair whose budgets are on."""
    pair = Pair(tmp_path_factory.mktemp("guarded"), issuers=issuers.values(), wallet_arguments=STANDARD).start()
    try:
        yield World(pair, issuers, contracts)
    finally:
        pair.end()


def addresses(count):
    """So many that nobody has used."""
    subnet = next(_subnets)
    return [f"127.{subnet}.{i // 250}.{i % 250 + 1}" for i in range(count)]


def user_at(world, address):
    return User(world.wallet.at(address), world.discount.at(address))


def log_in(client, username, password=PASSWORD):
    return client.post("/v1/sessions", {"username": username, "password": password})


def guess(client, username):
    answer = log_in(client, username, "a wrong password")
    assert_problem(answer, *((401, "invalid_credentials") if answer.status_code == 401 else (429, "too_many_attempts")))
    return answer.status_code


def throttled(world, budget):
    lines = [line for line in world.wallet.get("/metrics").text.splitlines() if line.startswith(f'walletd_throttled_total{{budget="{budget}"}}')]
    return int(lines[0].rsplit(" ", 1)[1])


def wait_for_event(service, name, **members):
    """The line is written by a thread of its own."""
    wait_until(lambda: any(members.items() <= event.items() for event in service.events(name)), f"{name} in the log")


# ---- passwords ----

def test_repeated_failures_must_wait(guarded):
    here, = addresses(1)
    user, other = user_at(guarded, here), user_at(guarded, here)
    before = throttled(guarded, "user and known address")
    codes = [guess(user.wallet, user.username) for _ in range(22)]
    assert codes == [401] * 20 + [429] * 2
    assert_problem(log_in(user.wallet, user.username), 429, "too_many_attempts")
    assert throttled(guarded, "user and known address") - before == 3
    assert log_in(other.wallet, other.username).status_code == 201
    assert user.wallet.get("/v1/wallet").status_code == 200


def test_guessing_an_unknown_user_must_wait_too(guarded):
    """Otherwise the wait would tell who exists."""
    here, there = addresses(2)
    user = user_at(guarded, there)
    client = guarded.wallet.at(here)
    for username in (new_username(), user.username):
        assert [guess(client, username) for _ in range(12)] == [401] * 10 + [429] * 2


def test_guessing_the_old_password_must_wait(guarded):
    user = user_at(guarded, *addresses(1))
    change = {"current_password": "not it at all", "new_password": "a new battery staple"}
    codes = [user.wallet.request("PUT", "/v1/users/me/password", json=change).status_code for _ in range(22)]
    assert codes == [401] * 20 + [429] * 2


def test_guesses_side_by_side_are_counted_before_they_are_tried(guarded):
    user = user_at(guarded, *addresses(1))
    for username, free in ((user.username, 10), (new_username(), 10)):
        body = json.dumps({"username": username, "password": "a wrong password"}).encode()
        guesses = [request_bytes("POST", "/v1/sessions", {"Content-Type": "application/json"}, body)] * 400
        codes = [answer.status for answer in at_once(guarded.pair.wallet.port, guesses)]
        assert codes.count(401) == free and codes.count(429) == 400 - free


@pytest.mark.parametrize("who", ["user", "admin"])
def test_strangers_lock_nobody_out(guarded, who):
    """They guess from everywhere until all of them must wait; where the user has logged in before, nothing of it is noticed."""
    home, abroad, *others = addresses(62)
    user = user_at(guarded, home)
    username, password = (user.username, PASSWORD) if who == "user" else (guarded.pair.admin_name, guarded.pair.admin_password)
    at_home = guarded.wallet.at(home)
    assert log_in(at_home, username, password).status_code == 201
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda address: guess(guarded.wallet.at(address), username), others))
    assert 50 <= codes.count(401) <= 55 and codes.count(429) == 60 - codes.count(401)  # a slow service lets one more in behind each wait
    assert guess(guarded.wallet.at(abroad), username) == 429
    for _ in range(3):
        assert log_in(at_home, username, password).status_code == 201
    assert [guess(at_home, username) for _ in range(18)] == [401] * 18
    assert log_in(at_home, username, password).status_code == 201


def test_where_a_user_has_logged_in_is_known_after_a_restart(make_world):
    world = make_world(wallet_arguments=STANDARD)
    home, *others = addresses(60)
    user = user_at(world, home)
    assert world.pair.wallet.stop() == 0
    world.pair.wallet.start()
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda address: guess(world.wallet.at(address), user.username), others))
    assert codes.count(429) >= 4
    assert log_in(world.wallet.at(home), user.username).status_code == 201


def test_one_address_cannot_guess_at_all_users(guarded):
    office, elsewhere = addresses(2)
    regular, newcomer = user_at(guarded, office), user_at(guarded, elsewhere)
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: guess(guarded.wallet.at(office), new_username()), range(240)))  # some are regained meanwhile
    assert codes.count(401) >= 150 and 429 in codes
    assert guess(guarded.wallet.at(office), newcomer.username) == 429
    wait_for_event(guarded.pair.wallet, "password_guessing_suspected", of="address", client=office)
    assert log_in(guarded.wallet.at(office), regular.username).status_code == 201
    assert log_in(guarded.wallet.at(elsewhere), newcomer.username).status_code == 201


def test_an_office_that_knows_its_passwords_never_waits(guarded):
    """All at the same moment, from one address, of users who have never been there, some of whom mistype."""
    office, elsewhere = addresses(2)
    users = [user_at(guarded, elsewhere) for _ in range(30)]
    with ThreadPoolExecutor(15) as pool:
        codes = list(pool.map(lambda user: [guess(guarded.wallet.at(office), user.username), log_in(guarded.wallet.at(office), user.username).status_code,
                                            log_in(guarded.wallet.at(office), user.username).status_code], users))
    assert codes == [[401, 201, 201]] * 30


def test_a_client_behind_a_proxy_has_a_budget_of_its_own(make_world):
    world = make_world(wallet_arguments=[*STANDARD, "--trusted-proxies", "127.0.0.1"])
    username = new_username()

    def guess_by_proxy(client):
        return log_in_by(client, username).status_code

    def log_in_by(client, name):
        return world.wallet.post("/v1/sessions", {"username": name, "password": "a wrong password"}, headers={"X-Forwarded-For": client})

    assert [guess_by_proxy("192.0.2.7") for _ in range(11)] == [401] * 10 + [429]
    assert guess_by_proxy("192.0.2.8") == 401
    assert [guess_by_proxy(f"2001:db8:1:2::{i}") for i in range(1, 12)] == [401] * 10 + [429]  # one line: a /64
    assert guess_by_proxy("2001:db8:1:3::1") == 401


# ---- codes ----

def metric(client, line):
    return sum(int(found.rsplit(" ", 1)[1]) for found in client.get("/metrics").text.splitlines() if found.startswith(line + " "))


def test_who_guesses_codes_waits_longer_each_time(world):
    user = user_at(world, *addresses(1))
    campaign = world.operator.campaign(places=5)
    before = metric(world.discount, 'discountd_enumeration_suspected_total{of="user"}')
    for index in range(10):
        assert_problem(user.redeem(f"GUESS{index}"), 404, "code_not_found")
    first = user.redeem(campaign["code"])
    assert_problem(first, 429, "too_many_attempts")
    assert 1 <= int(first.headers["Retry-After"]) <= 5
    assert metric(world.discount, 'discountd_enumeration_suspected_total{of="user"}') - before == 1
    wait_for_event(world.pair.discount, "enumeration_suspected", of="user", user_id=user.id)

    def let_in():
        answer = user.redeem("STILL-GUESSING")
        return answer.status_code == 404

    wait_until(let_in, "one more try")
    second = user.redeem(campaign["code"])
    assert_problem(second, 429, "too_many_attempts")
    assert int(second.headers["Retry-After"]) > 5


def test_an_address_that_guesses_codes_stops_its_guessers_and_nobody_else(world):
    """Each of them stays below what one user may; the right code is refused to them as well, or it could still be found."""
    here, there = addresses(2)
    campaign = world.operator.campaign(places=50)
    innocent, mistaken = user_at(world, here), user_at(world, there)
    guessers = [user_at(world, here) for _ in range(70)]
    assert_problem(mistaken.redeem("MISTYPED"), 404, "code_not_found")
    guesses = [user.redemption(f"GUESS-{user.username[-4:]}-{i}") for user in guessers for i in range(9)]
    codes = [answer.status for answer in at_once(world.pair.discount.port, guesses, source=here)]  # ten a second would be regained meanwhile
    late = [answer.status for answer in at_once(world.pair.discount.port, [user.redemption(campaign["code"]) for user in guessers[:5]], source=here)]
    assert 600 <= codes.count(404) < 630 and codes.count(429) == 630 - codes.count(404)
    assert late == [429] * 5
    wait_for_event(world.pair.discount, "enumeration_suspected", of="address", client=here)
    assert innocent.redeem(campaign["code"]).status_code == 201
    assert mistaken.redeem(campaign["code"]).status_code == 201
    moved = world.discount.at(there).with_token(guessers[0].token)
    assert moved.post("/v1/redemptions", {"code": campaign["code"], "phone": guessers[0].phone}).status_code == 201


# ---- recipients ----

def send_to(user, to, key=None):
    return user.wallet.post("/v1/wallet/transfers", {"to": to, "amount": 1, "currency": "IRT"}, key=key)


def test_guesses_at_recipients_are_counted_side_by_side(world):
    """Whether a phone number has a wallet is nobody's business; a right one is refused among them as well."""
    user, other = world.rich_user(100), world.rich_user(100)
    recipient = world.user()
    body = [json.dumps({"to": {"phone": new_phone()}, "amount": 1, "currency": "IRT"}).encode() for _ in range(300)]
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {user.token}"}
    codes = [answer.status for answer in world.all_at_once("wallet", "POST", "/v1/wallet/transfers", [(headers, each) for each in body])]
    assert codes.count(404) == 30 and codes.count(429) == 270
    key = str(uuid.uuid4())
    assert_problem(send_to(user, {"phone": recipient.phone}, key), 429, "too_many_attempts")
    assert recipient.balance() == 0
    wait_for_event(world.pair.wallet, "recipient_guessing_suspected", of="user")
    assert send_to(other, {"phone": recipient.phone}).status_code == 201
    wait_until(lambda: send_to(user, {"phone": recipient.phone}, key).status_code == 201, "the end of the wait")  # a 429 is not kept with the key
    assert recipient.balance() == 2


def test_right_recipients_are_never_counted(world):
    user, recipient = world.rich_user(1000), world.user()
    assert [send_to(user, {"username": recipient.username}).status_code for _ in range(60)] == [201] * 60


# ---- registrations ----

def test_registrations_are_counted_by_address(guarded):
    here, there = addresses(2)

    def register(address):
        return guarded.wallet.at(address).post("/v1/users", {"username": new_username(), "password": PASSWORD})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: register(here), range(260)))
    made = [answer for answer in answers if answer.status_code == 201]
    assert 200 <= len(made) < 240
    assert_problem(next(answer for answer in answers if answer.status_code != 201), 429, "too_many_attempts")
    assert_problem(register(here), 429, "too_many_attempts")
    assert register(there).status_code == 201


def test_a_test_crowd_is_not_counted(world):
    """With --password-cost low, which only a loopback listener takes."""
    user = world.user()
    assert [guess(world.wallet, user.username) for _ in range(60)] == [401] * 60
    assert log_in(world.wallet, user.username).status_code == 201


def test_low_cost_is_refused_unless_the_listener_is_on_loopback(world):
    done = world.pair.wallet.command("serve", "--data", world.pair.wallet.data, "--listen", "0.0.0.0:0", "--password-cost", "low")
    assert done.returncode == 2 and "loopback" in done.stderr
