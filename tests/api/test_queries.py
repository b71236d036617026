"""What stands in a query: each route reads it, refuses it, or is one on which nothing depends. Asked of every route of both documents."""
import pytest

from harness.world import assert_problem

SERVICES = ["wallet", "discount"]
SOME_ID = "019aab20-4bff-7c00-8000-0a1b2c3d4e5f"
SOME = {"{id}": SOME_ID, "{batch}": SOME_ID, "{reference}": "some", "{key}": "some", "{code}": "overloaded", "{file}": "start.js"}


class Route:
    """An operation of the document, and a client who may ask for it."""

    def __init__(self, world, service, method, path, operation):
        contract = world.contracts[service]
        self.method, self.scope = method, operation["x-scope"].split("|")[0]
        self.path = "/".join(SOME.get(segment, segment) for segment in path.split("/"))
        self.parameters = {parameter["name"] for parameter in map(contract.resolve, operation.get("parameters", [])) if parameter["in"] == "query"}
        self.takes_any = "422" not in operation["responses"]
        self.body = {} if "requestBody" in operation else None
        self.world, self.client = world, world.client(service)

    def token(self, user):
        if self.scope in ("user", "any"):
            return user.token
        if self.scope == "admin":
            return self.world.operator.token
        return None if self.scope == "-" else self.world.issuers["shop"].token("funds:write" if self.scope == "service" else self.scope)

    def ask(self, user, query):
        return self.client.request(self.method, f"{self.path}{query}", json=self.body, token=self.token(user), headers={"If-Match": '"1"'} if self.method == "PATCH" else None)

    def faults(self, user, query):
        """{(field, code)} of an answer that is 422 because of its query."""
        answer = self.ask(user, query)
        assert answer.status_code == 422, f"{self.method} {self.path}{query}: {answer.status_code} {answer.text}"
        return {(fault["field"], fault["code"]) for fault in assert_problem(answer, 422, "validation_failed")["errors"]}


def routes(world, service):
    found = [Route(world, service, method, path, operation) for method, path, operation in world.contracts[service].operations()]
    assert len(found) > 30 and all("{" not in route.path for route in found)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_misspelt_dry_run_is_refused_by_name(world, service):
    """Also where it may end the session that asks; it is there at the end, since nothing was done."""
    user, refused_count = world.user(), 0
    for route in routes(world, service):
        if route.takes_any:
            assert (route.method, route.scope) == ("GET", "-"), route.path  # nothing is done there, and it is for everybody
            assert route.ask(user, "?dryrun=true").status_code == route.ask(user, "").status_code
        else:
            assert route.faults(user, "?dryrun=true") == {("dryrun", "unknown_field")}, f"{route.method} {route.path}"
            refused_count += 1
    assert refused_count > 30
    assert user.wallet.get("/v1/users/me/sessions").status_code == 200


@pytest.mark.parametrize("service", SERVICES)
def test_a_dry_run_is_refused_where_there_is_none(world, service):
    user, dry_count = world.user(), 0
    for route in routes(world, service):
        if route.takes_any:
            continue
        taken = "dry_run" in route.parameters
        assert route.faults(user, "?dry_run=maybe") == {("dry_run", "invalid_choice" if taken else "unknown_field")}, f"{route.method} {route.path}"
        assert taken or route.faults(user, "?dry_run=true") == {("dry_run", "unknown_field")}
        dry_count += taken
    assert dry_count >= 5


@pytest.mark.parametrize("service", SERVICES)
def test_each_documented_parameter_is_read(world, service):
    """It is known, by the fault of one that is given twice."""
    user, count = world.user(), 0
    for route in routes(world, service):
        for name in route.parameters:
            assert (name, "duplicate_field") in route.faults(user, f"?{name}=1&{name}=1"), f"{route.method} {route.path} {name}"
            count += 1
    assert count > 20


def test_who_may_not_ask_is_told_that_first(world, stranger):
    assert_problem(world.discount.post(f"/v1/campaigns/{SOME_ID}/end?dryrun=true"), 401, "token_missing")
    assert_problem(stranger.discount.post(f"/v1/campaigns/{SOME_ID}/end?dryrun=true"), 403, "forbidden")


def test_nothing_is_done_for_a_word_that_is_not_known(world):
    campaign, user = world.operator.campaign(places=1), world.user()
    for act in ("end", "pause"):
        assert_problem(world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/{act}?dryrun=true"), 422, "validation_failed", ["dryrun"])
    body = {"code": campaign["code"], "phone": user.phone}
    for query in ("?dryrun=true", "?dry_run=false&dryrun=true", "?=", "?" + "&".join(f"w{number}" for number in range(20))):
        assert_problem(user.discount.post("/v1/redemptions" + query, body), 422, "validation_failed")
    sender = world.rich_user(10)
    transfer = {"to": {"username": user.username}, "amount": 10, "currency": "IRT"}
    assert_problem(sender.wallet.post("/v1/wallet/transfers?dryRun=true", transfer), 422, "validation_failed", ["dryRun"])
    assert sender.balance() == 10 and world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()["state"] == "active"
    assert user.discount.post("/v1/redemptions?", body).status_code == 201  # an empty query says nothing
