"""Lists: the bounds of `limit`, cursors, and pages that stay right while others write."""
import base64

import pytest

from harness.world import assert_problem

COUNT = 7


class List:
    """A list with COUNT items in it: `client`, `path`, `add` puts one more in, `identity` tells items apart."""

    def __init__(self, client, path, add, identity="id", newest_first=True):
        self.client, self.path, self.add, self.identity, self.newest_first = client, path, add, identity, newest_first

    def page(self, limit, cursor=None):
        answer = self.client.get(f"{self.path}?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert len(body["data"]) <= limit
        return [row[self.identity] for row in body["data"]], body["next_cursor"]


def transactions(world):
    user = world.user()
    made = List(user.wallet, "/v1/wallet/transactions", lambda: world.credit(user.id, 1))
    return made


def fund_transactions(world):
    user, reference = world.user(), world.fund(1000)["reference"]
    return List(world.shop, f"/v1/funds/{reference}/transactions", lambda: world.credit(user.id, 1, fund=reference), "transaction_id", False)


def own_redemptions(world):
    user = world.user()
    return List(user.discount, "/v1/redemptions", lambda: user.redeem(world.operator.campaign()["code"]))


def winners(world):
    campaign = world.operator.campaign(places=100)
    return List(world.operator.discount, f"/v1/campaigns/{campaign['id']}/redemptions", lambda: world.user().redeem(campaign["code"]), "position", False)


def campaigns(world):
    return List(world.operator.discount, "/v1/campaigns", world.operator.campaign)


def accounts(world):
    return List(world.operator.wallet, "/v1/accounts", world.user, newest_first=False)


LISTS = [transactions, fund_transactions, own_redemptions, winners, campaigns, accounts]


def fill(made):
    for _ in range(COUNT):
        made.add()
    return made


@pytest.fixture(params=LISTS, ids=lambda make: make.__name__)
def filled(world, request):
    return fill(request.param(world))


@pytest.fixture(scope="module", params=LISTS, ids=lambda make: make.__name__)
def quiet(world, request):
    """For the tests that only read."""
    return fill(request.param(world))


def test_pages_give_each_item_once_while_others_write(filled):
    whole = []
    cursor = None
    for _ in range(1000):
        page, cursor = filled.page(200, cursor)
        whole += page
        if cursor is None:
            break
    assert len(whole) == len(set(whole)) >= COUNT
    if len(whole) > 3 * COUNT:
        whole = whole[:3 * COUNT]
    seen, cursor = [], None
    while len(seen) < len(whole):
        page, cursor = filled.page(3, cursor)
        seen += page
        if cursor is None:
            break
        filled.add()
    assert seen[:len(whole)] == whole
    assert len(seen) == len(set(seen))


def test_the_newest_comes_first_or_last(filled):
    if filled.newest_first:
        before, _ = filled.page(2)
        filled.add()
        after, _ = filled.page(3)
        assert after[1:] == before
    else:
        before, _ = filled.page(COUNT)
        filled.add()
        assert filled.page(COUNT)[0] == before


def test_the_last_page_has_no_cursor(quiet):
    cursor, pages = None, 0
    while pages < 1000:
        page, cursor = quiet.page(200, cursor)
        pages += 1
        if cursor is None:
            return
        assert len(page) == 200
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.0", "1e1", "many", "", "99999999999999999999", "%D9%A5", "+5", " 5"])
def test_wrong_limits_are_named(quiet, limit):
    assert_problem(quiet.client.get(f"{quiet.path}?limit={limit}"), 422, "validation_failed", ["limit"])


def test_limits_at_their_bounds(quiet):
    assert quiet.client.get(f"{quiet.path}?limit=1").status_code == 200
    assert quiet.client.get(f"{quiet.path}?limit=200").status_code == 200
    assert len(quiet.client.get(quiet.path).json()["data"]) <= 50


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "A" * 512, "A" * 4000, "%00", "..", "2026-11-22T10:00:00Z", "0193a5b0-0000-7000-8000-000000000001"])
def test_wrong_cursors_are_named(quiet, cursor):
    answer = quiet.client.get(f"{quiet.path}?cursor={cursor}")
    if cursor == "%00":
        assert_problem(answer, 400, "bad_request")
    elif cursor == "A" * 4000 and answer.status_code == 414:
        assert_problem(answer, 414, "uri_too_long")
    else:
        assert_problem(answer, 422, "validation_failed", ["cursor"])


def test_changed_cursors_do_no_harm(quiet):
    """A cursor is opaque, not secret: a forged one may show another place of the same list, or be refused, and nothing else."""
    _, cursor = quiet.page(2)
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    for index in range(len(raw)):
        forged = bytearray(raw)
        forged[index] ^= 0xFF
        answer = quiet.client.get(f"{quiet.path}?cursor={base64.urlsafe_b64encode(forged).rstrip(b'=').decode()}")
        assert answer.status_code in (200, 422), answer.text


@pytest.mark.parametrize("service", ["wallet", "discount"])
def test_the_cursor_of_another_list_is_refused(world, service):
    """Each list of a service against the cursors of its other lists."""
    user = world.user()
    admin = getattr(world.operator, service)
    if service == "wallet":
        world.fund(1000)
        reference = world.fund(1000)["reference"]
        for _ in range(2):
            world.credit(user.id, 1, fund=reference)
        lists = [(user.wallet, "/v1/wallet/transactions"), (world.shop, f"/v1/funds/{reference}/transactions"), (admin, "/v1/accounts")]
    else:
        campaigns = [world.operator.campaign(places=2) for _ in range(2)]
        for campaign in campaigns:
            user.redeem(campaign["code"])
        world.user().redeem(campaigns[0]["code"])
        lists = [(user.discount, "/v1/redemptions"), (admin, f"/v1/campaigns/{campaigns[0]['id']}/redemptions"), (admin, "/v1/campaigns")]
    cursors = [client.get(f"{path}?limit=1").json()["next_cursor"] for client, path in lists]
    assert all(cursors)
    for client, path in lists:
        taken = [client.get(f"{path}?cursor={cursor}").status_code for cursor in cursors]
        assert sorted(taken) == [200, 422, 422], (path, taken)


@pytest.mark.parametrize("query, field", [("surprise=1", "surprise"), ("limit=5&limit=6", "limit"), ("Limit=5", "Limit"), ("cursor=a&cursor=b", "cursor")])
def test_unknown_and_repeated_parameters_are_named(quiet, query, field):
    problem = assert_problem(quiet.client.get(f"{quiet.path}?{query}"), 422, "validation_failed")
    assert field in {fault["field"] for fault in problem["errors"]}


def test_every_wrong_parameter_is_named(quiet):
    assert_problem(quiet.client.get(f"{quiet.path}?limit=0&cursor=x&surprise=1"), 422, "validation_failed", ["limit", "cursor", "surprise"])
