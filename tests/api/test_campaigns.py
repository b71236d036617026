"""Campaigns: making, finding, changing, pausing and ending them, and their funds in Wallet."""
import datetime
import json

import pytest

from harness.client import new_phone
from harness.services import wait_until
from harness.world import assert_problem

SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"
BIG = 9007199254740991


def time_in(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def body(**changes):
    made = {"name": "Nowruz 1404", "kind": "wallet_credit", "code": "C" + new_phone()[1:], "credit": {"amount": 100, "currency": "IRT"}, "max_redemptions": 10, **changes}
    return {name: value for name, value in made.items() if value != "absent"}


def create(world, **changes):
    return world.operator.discount.post("/v1/campaigns", body(**changes))


def get(world, campaign):
    return world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()


def patch(world, campaign, changes, match=None):
    headers = {"If-Match": match if match is not None else f'"{campaign["version"]}"'}
    return world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json=changes, headers=headers)


def act(world, campaign, action):
    answer = world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/{action}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def fund_account(world, campaign):
    """The campaign's fund as Wallet has it; None before it is there."""
    rows, cursor = [], None
    while True:
        page = world.operator.wallet.get("/v1/accounts?kind=fund&limit=200" + (f"&cursor={cursor}" if cursor else "")).json()
        rows += [row for row in page["data"] if row["reference"] == campaign["fund"]["reference"]]
        cursor = page["next_cursor"]
        if rows or cursor is None:
            return rows[0] if rows else None


def wait_fund(world, campaign, balance):
    def found():
        account = fund_account(world, campaign)
        return account if account is not None and account["balance"] == balance else None
    return wait_until(found, f"a fund of {balance}", 15)


# ---- making and finding ----

def test_a_campaign(world):
    given = body()
    answer = world.operator.discount.post("/v1/campaigns", given)
    assert answer.status_code == 201, answer.text
    campaign = answer.json()
    assert answer.headers["Location"] == f"/v1/campaigns/{campaign['id']}"
    assert {name: campaign[name] for name in given} == given
    assert (campaign["max_per_user"], campaign["starts_at"], campaign["ends_at"]) == (1, None, None)
    assert (campaign["state"], campaign["redeemed"], campaign["remaining"]) == ("active", 0, 10)
    wait_until(lambda: get(world, campaign)["fund"]["state"] == "open", "the fund", 15)
    got = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}")
    assert got.json() == {**campaign, "fund": {**campaign["fund"], "state": "open"}, "updated_at": got.json()["updated_at"]}
    assert got.headers["ETag"] == f'"{campaign["version"]}"'
    assert campaign["id"] in [row["id"] for row in world.operator.discount.get("/v1/campaigns?limit=5").json()["data"]]


def test_creating_one_opens_its_fund(world):
    campaign = create(world).json()
    account = wait_fund(world, campaign, 1000)
    assert account["state"] == "open"
    user = world.user()
    assert user.redeem(campaign["code"]).status_code == 201
    wait_fund(world, campaign, 900)


@pytest.mark.parametrize("change, fields", [
    ({"name": ""}, ["name"]), ({"name": "  "}, ["name"]), ({"name": "A\nB"}, ["name"]), ({"name": "x" * 129}, ["name"]), ({"name": "absent"}, ["name"]), ({"kind": "percent_of"}, ["kind"]), ({"kind": 1}, ["kind"]),
    ({"credit": "absent"}, ["credit"]), ({"credit": 5}, ["credit"]), ({"credit": {"amount": 5}}, ["credit.currency"]),
    ({"credit": {"amount": 5, "currency": "IRR"}}, ["credit.currency"]), ({"max_redemptions": 0}, ["max_redemptions"]),
    ({"max_redemptions": 100_000_001}, ["max_redemptions"]), ({"max_per_user": 1001}, ["max_per_user"]), ({"max_per_user": 0}, ["max_per_user"]),
    ({"starts_at": "soon"}, ["starts_at"]), ({"ends_at": "2020-01-01T00:00:00Z"}, ["ends_at"]), ({"code": ""}, ["code"]), ({"budget": 5}, ["budget"]),
    ({"starts_at": "2050-01-02T00:00:00Z", "ends_at": "2050-01-01T00:00:00Z"}, ["ends_at"]),
    ({"starts_at": "2050-01-01T00:00:00Z", "ends_at": "2050-01-01T00:00:00Z"}, ["ends_at"]),
    ({"starts_at": "1970-01-01T00:00:00Z"}, ["starts_at"]), ({"ends_at": "1970-01-01T00:00:00Z"}, ["ends_at"]),
    ({"starts_at": "1969-12-31T23:59:59Z", "ends_at": "1969-12-31T23:59:58Z"}, ["ends_at", "starts_at"]),
    ({"name": "", "ends_at": "2020-01-01T00:00:00Z"}, ["ends_at", "name"]),
    ({"name": "", "starts_at": "2050-01-02T00:00:00Z", "ends_at": "2050-01-01T00:00:00Z"}, ["ends_at", "name"]),
    ({"credit": {"amount": BIG, "currency": "IRT"}, "max_redemptions": 2, "ends_at": "2020-01-01T00:00:00Z", "kind": "x"}, ["ends_at", "kind", "max_redemptions"]),
    ({"starts_at": "soon", "ends_at": "later"}, ["ends_at", "starts_at"]), ({"metadata": {"": "x"}}, ["metadata"]), ({"metadata": {"x" * 41: "x"}}, ["metadata"]),
])
def test_wrong_campaigns(world, change, fields):
    assert_problem(create(world, **change), 422, "validation_failed", fields)


def test_a_budget_that_can_not_be_counted(world):
    problem = assert_problem(create(world, credit={"amount": BIG, "currency": "IRT"}, max_redemptions=2), 422, "validation_failed")
    assert {fault["field"] for fault in problem["errors"]} & {"credit.amount", "max_redemptions", "credit"}


def test_right_campaigns_at_their_bounds(world):
    for change in ({"name": "ن" * 128}, {"code": None and "x" or "B" + "0" * 40 + new_phone()[1:]}, {"max_per_user": 1}, {"starts_at": None, "ends_at": None},
                   {"starts_at": "2050-01-01T00:00:00Z", "ends_at": "2050-01-01T00:00:00.000001Z"}, {"credit": {"amount": 1, "currency": "IRT"}, "max_redemptions": 1}):
        answer = create(world, **change)
        assert answer.status_code == 201, (change, answer.text)
        act(world, answer.json(), "end")


def test_a_code_is_free_again_when_its_campaign_has_ended(world):
    first, winner = create(world).json(), world.user()
    assert_problem(create(world, code=first["code"]), 409, "code_taken")
    assert winner.redeem(first["code"]).status_code == 201
    act(world, first, "end")
    assert_problem(world.user().redeem(first["code"]), 410, "campaign_ended")
    second = create(world, code=first["code"].lower())
    assert second.status_code == 201
    assert_problem(create(world, code=first["code"]), 409, "code_taken")
    again = winner.redeem(first["code"])  # the code is the new campaign's: a new place
    assert again.status_code == 201 and again.json()["campaign_id"] == second.json()["id"]
    assert world.pair.discount.stop() == 0
    world.pair.discount.start()
    assert world.user().redeem(first["code"]).json()["campaign_id"] == second.json()["id"]


def test_unknown_campaigns(world):
    client = world.operator.discount
    for odd in (SOME_ID, "1", "x" * 300):
        path = f"/v1/campaigns/{odd}"
        for answer in (client.get(path), client.get(f"{path}/report"), client.get(f"{path}/redemptions"), client.post(f"{path}/pause"), client.post(f"{path}/resume"),
                       client.post(f"{path}/end"), client.request("PATCH", path, json={"name": "A"}, headers={"If-Match": '"1"'})):
            assert_problem(answer, 404, "campaign_not_found")


@pytest.mark.parametrize("known", [True, False])
def test_a_body_is_read_before_its_campaign_is_looked_for(world, known):
    path = f"/v1/campaigns/{world.operator.campaign()['id'] if known else SOME_ID}"
    for method, tail in (("PATCH", ""), ("POST", "/pause"), ("POST", "/code-batches")):
        for data, status, code in (("{", 400, "malformed_json"), ("[]", 422, "validation_failed")):
            answer = world.operator.discount.request(method, path + tail, data=data, headers={"Content-Type": "application/json", "If-Match": "*"})
            assert_problem(answer, status, code)


def test_a_percentage_without_an_upper_bound_may_say_so(world):
    discount = {"percent": "12.5", "max": None}
    answer = create(world, kind="percent_off", credit="absent", discount=discount)
    assert answer.status_code == 201 and answer.json()["discount"] == {"percent": "12.5"}, answer.text


# ---- states ----

def test_states_by_time(world):
    campaign = create(world, starts_at=time_in(0.6), ends_at=time_in(1.4)).json()
    assert campaign["state"] == "scheduled"
    seen = []

    def over():
        state = get(world, campaign)["state"]
        if not seen or seen[-1] != state:
            seen.append(state)
        return state == "ended"

    wait_until(over, "the end", 15)
    assert seen in (["scheduled", "active", "ended"], ["active", "ended"], ["scheduled", "ended"])


def test_pause_resume_end(world):
    campaign = create(world).json()
    versions = [campaign["version"]]
    for action, state in (("pause", "paused"), ("pause", "paused"), ("resume", "active"), ("resume", "active"), ("pause", "paused"), ("end", "ended"), ("end", "ended")):
        changed = act(world, campaign, action)
        assert changed["state"] == state
        assert changed["version"] >= versions[-1]
        versions.append(changed["version"])
    assert versions[1] == versions[2] and versions[3] == versions[4] and versions[6] == versions[7]
    assert len(set(versions)) == 5
    for action in ("pause", "resume"):
        assert_problem(world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/{action}"), 409, "campaign_state_conflict")


def test_a_pause_before_the_start_holds_at_the_start(world):
    campaign = create(world, starts_at=time_in(0.5)).json()
    assert act(world, campaign, "pause")["state"] == "paused"
    wait_until(lambda: time_in(0) > campaign["starts_at"], "the start", 10)
    assert get(world, campaign)["state"] == "paused"
    assert_problem(world.user().redeem(campaign["code"]), 409, "campaign_paused")
    assert act(world, campaign, "resume")["state"] == "active"


def test_an_end_before_the_start_is_for_good(world):
    campaign = create(world, starts_at=time_in(0.5)).json()
    assert act(world, campaign, "end")["state"] == "ended"
    wait_until(lambda: time_in(0) > campaign["starts_at"], "the start", 10)
    assert get(world, campaign)["state"] == "ended"
    assert_problem(world.user().redeem(campaign["code"]), 410, "campaign_ended")


def test_exhausted(world):
    campaign = create(world, max_redemptions=1).json()
    assert world.user().redeem(campaign["code"]).status_code == 201
    got = get(world, campaign)
    assert (got["state"], got["redeemed"], got["remaining"]) == ("exhausted", 1, 0)
    raised = patch(world, got, {"max_redemptions": 2}).json()
    assert (raised["state"], raised["redeemed"], raised["remaining"]) == ("active", 1, 1)


def test_at_its_end_the_rest_of_the_fund_goes_back(world):
    campaign = create(world).json()
    assert world.user().redeem(campaign["code"]).status_code == 201
    wait_fund(world, campaign, 900)
    act(world, campaign, "end")
    wait_until(lambda: get(world, campaign)["fund"]["state"] == "released", "the release", 15)
    account = wait_fund(world, campaign, 0)
    assert account["state"] == "released"


def test_at_its_end_by_date_the_rest_of_the_fund_goes_back(world):
    campaign = create(world, ends_at=time_in(0.5)).json()
    wait_until(lambda: get(world, campaign)["fund"]["state"] == "released", "the release", 20)
    assert fund_account(world, campaign)["balance"] == 0


# ---- changes ----

def test_a_change_needs_the_version(world):
    campaign = create(world).json()
    missing = world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json={"name": "B"})
    assert_problem(missing, 428, "precondition_required")
    tag = f'"{campaign["version"]}"'
    for match in ('"999"', '"0"', '"x"', 'W/"1"', '""', campaign["id"], '"998", "999"', f"W/{tag}, \"77\"", ",", "*, *", f"{tag} \"77\"", f"{campaign['version']}, 77"):
        assert_problem(patch(world, campaign, {"name": "B"}, match), 412, "version_mismatch")
    changed = patch(world, campaign, {"name": "B"})
    assert changed.status_code == 200
    assert changed.json()["name"] == "B" and changed.json()["version"] > campaign["version"]
    assert changed.headers["ETag"] == f'"{changed.json()["version"]}"'
    assert changed.json()["updated_at"] > campaign["updated_at"]
    assert_problem(patch(world, campaign, {"name": "C"}), 412, "version_mismatch")
    assert patch(world, campaign, {"name": "C"}, "*").status_code == 200
    for tags in ("{tag}, \"77\"", "\"77\",{tag}", "\"x\" ,\t{tag} , W/\"3\"", "\"1\", {tag}, \"999\"", ", {tag},"):
        tag = f'"{get(world, campaign)["version"]}"'
        assert patch(world, campaign, {"name": "D"}, tags.format(tag=tag)).status_code == 200, tags


def test_a_change_against_redemptions_in_between_is_fine(world):
    """Places that go meanwhile are no change by an admin."""
    campaign = create(world).json()
    assert world.user().redeem(campaign["code"]).status_code == 201
    got = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}")
    assert got.json()["redeemed"] == 1 and got.headers["ETag"] == f'"{campaign["version"]}"'
    assert patch(world, campaign, {"name": "B"}).status_code == 200


def test_one_of_two_admins_at_once_wins(world):
    campaign = create(world).json()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {world.operator.token}", "If-Match": f'"{campaign["version"]}"'}
    requests = [(headers, json.dumps({"name": f"by {index}"}).encode()) for index in range(10)]
    answers = world.all_at_once("discount", "PATCH", f"/v1/campaigns/{campaign['id']}", requests)
    assert sorted(answer.status for answer in answers) == [200] + [412] * 9


def test_a_raised_limit_is_followed_by_the_fund(world):
    campaign = create(world, max_redemptions=1).json()
    wait_fund(world, campaign, 100)
    assert world.user().redeem(campaign["code"]).status_code == 201
    assert_problem(world.user().redeem(campaign["code"]), 410, "sold_out")
    raised = patch(world, campaign, {"max_redemptions": 3})
    assert raised.status_code == 200 and raised.json()["remaining"] == 2
    for _ in range(2):
        answer = world.user().redeem(campaign["code"])
        assert answer.status_code in (201, 202), answer.text
    report = world.operator.wait_settled(campaign["id"])
    assert (report["redeemed"], report["credited"], report["remaining"]) == (3, 3, 0)
    wait_fund(world, campaign, 0)
    assert [row["position"] for row in world.operator.winners(campaign["id"])] == [1, 2, 3]


def test_a_lowered_limit(world):
    campaign = create(world, max_redemptions=10).json()
    for _ in range(2):
        assert world.user().redeem(campaign["code"]).status_code == 201
    over = patch(world, campaign, {"max_redemptions": 1})
    assert over.status_code == 200 and (over.json()["max_redemptions"], over.json()["redeemed"], over.json()["remaining"], over.json()["state"]) == (1, 2, 0, "exhausted")
    assert_problem(world.user().redeem(campaign["code"]), 410, "sold_out")
    campaign = over.json()
    assert_problem(patch(world, campaign, {"max_redemptions": 1, "ends_at": "1970-01-01T00:00:00Z", "name": ""}), 422, "validation_failed", ["ends_at", "name"])
    assert_problem(patch(world, campaign, {"max_redemptions": BIG, "starts_at": "1970-01-01T00:00:00Z"}), 422, "validation_failed", ["max_redemptions", "starts_at"])
    lowered = patch(world, campaign, {"max_redemptions": 2}).json()
    assert (lowered["state"], lowered["remaining"], lowered["redeemed"]) == ("exhausted", 0, 2)
    assert_problem(world.user().redeem(campaign["code"]), 410, "sold_out")
    raised = patch(world, lowered, {"max_redemptions": 4}).json()
    assert (raised["state"], raised["remaining"]) == ("active", 2)
    assert world.user().redeem(campaign["code"]).json()["position"] == 3


def test_dates_can_be_moved(world):
    campaign = create(world, starts_at=time_in(3600)).json()
    user = world.user()
    assert_problem(user.redeem(campaign["code"]), 409, "campaign_not_started")
    later = patch(world, campaign, {"starts_at": time_in(7200), "ends_at": time_in(9000)}).json()
    assert later["state"] == "scheduled" and later["ends_at"] is not None
    now = patch(world, later, {"starts_at": None, "ends_at": None}).json()
    assert (now["state"], now["starts_at"], now["ends_at"]) == ("active", None, None)
    assert user.redeem(campaign["code"]).status_code == 201
    assert_problem(patch(world, now, {"starts_at": time_in(60)}), 409, "campaign_state_conflict")
    assert_problem(patch(world, now, {"ends_at": "2020-01-01T00:00:00Z"}), 422, "validation_failed", ["ends_at"])
    assert patch(world, now, {"ends_at": time_in(60)}).status_code == 200


def test_changes_that_are_none(world):
    campaign = create(world).json()
    answer = patch(world, campaign, {})
    assert answer.status_code == 200 and answer.json()["version"] == campaign["version"]
    for change, fields in (({"name": ""}, ["name"]), ({"name": "  "}, ["name"]), ({"name": "A\nB"}, ["name"]), ({"max_redemptions": 0, "x": 1}, ["max_redemptions", "x"]), ({"code": "no code!"}, ["code"]),
                           ({"credit": {"amount": 0, "currency": "IRR"}}, ["credit.amount", "credit.currency"]), ({"state": "ended"}, ["state"]), ({"name": None}, ["name"])):
        assert_problem(patch(world, campaign, change), 422, "validation_failed", fields)
    assert {name: value for name, value in get(world, campaign).items() if name not in ("fund", "updated_at")} == {
        name: value for name, value in campaign.items() if name not in ("fund", "updated_at")}


def test_what_has_ended_does_not_change(world):
    campaign = act(world, create(world).json(), "end")
    for change in ({"name": "B"}, {"max_redemptions": 20}, {"ends_at": None}):
        assert_problem(patch(world, campaign, change), 409, "campaign_state_conflict")


def test_changes_are_logged_with_their_sequence(world):
    campaign = create(world).json()
    patch(world, campaign, {"name": "Renamed"})

    def is_logged():
        lines = [json.loads(line) for line in world.pair.discount.log.read_text().splitlines() if line.startswith("{") and line.endswith("}") and campaign["id"] in line]
        return [line for line in lines if "change" in line["event"] and "sequence" in line]

    wait_until(is_logged, "the line of the change")
