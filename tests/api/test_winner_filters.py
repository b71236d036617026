"""The winners of a campaign by a filter: the same rows as JSON, as CSV and by pages, whichever of them are asked for together."""
import csv
import io
import urllib.parse
import uuid

import pytest
from harness.client import new_phone
from harness.world import assert_problem


@pytest.fixture(scope="module")
def winners(world):
    """A campaign on orders with two redemptions of one user and one each of two more, one of them with a code of a batch; beside another campaign."""
    made = world.operator.discount.post("/v1/campaigns", {"name": "Filtered", "kind": "percent_off", "code": "F" + new_phone()[1:], "discount": {"percent": "10"},
                                                          "max_redemptions": 10, "max_per_user": 2, "max_per_phone": 2, "phone": "any"})
    assert made.status_code == 201, made.text
    campaign = made.json()
    batch = world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/code-batches", {"count": 5, "pattern": "FLTR-####-####-####"}).json()
    codes = [item["code"] for item in world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/code-batches/{batch['id']}/codes").json()["data"]]
    anna, omid, sara = world.user(), world.user(), world.user()

    def redeem(user, code):
        order = {"reference": str(uuid.uuid4()), "amount": 1000, "currency": "IRT"}
        answer = user.discount.post("/v1/redemptions", {"code": code, "phone": user.phone, "order": order})
        assert answer.status_code == 201, answer.text
        return answer.json()

    rows = [redeem(anna, campaign["code"]), redeem(omid, codes[0]), redeem(anna, campaign["code"]), redeem(sara, campaign["code"])]
    anna.redeem(world.operator.campaign(places=3)["code"])
    world.winners = campaign, codes, (anna, omid, sara), rows
    return world.winners


def path_of(campaign, **filters):
    return f"/v1/campaigns/{campaign['id']}/redemptions?" + urllib.parse.urlencode({name.rstrip("_"): value for name, value in filters.items()})


def filters_of(winners):
    campaign, codes, (anna, omid, _), rows = winners
    return [
        ({}, [1, 2, 3, 4]), ({"user_id": anna.id}, [1, 3]), ({"phone": anna.phone}, [1, 3]), ({"phone": "0" + omid.phone[3:]}, [2]), ({"status": "applied"}, [1, 2, 3, 4]),
        ({"status": "failed"}, []), ({"code": codes[0].lower()}, [2]), ({"code": campaign["code"]}, [1, 3, 4]), ({"code": codes[1]}, []), ({"code": "NOBODYS1"}, []),
        ({"from_": rows[2]["claimed_at"]}, [3, 4]), ({"to": rows[2]["claimed_at"]}, [1, 2]), ({"from_": rows[1]["claimed_at"], "to": rows[3]["claimed_at"]}, [2, 3]),
        ({"user_id": anna.id, "from_": rows[1]["claimed_at"]}, [3]), ({"user_id": anna.id, "phone": omid.phone}, []), ({"user_id": anna.id, "code": codes[0]}, []),
        ({"user_id": str(uuid.uuid4())}, []), ({"user_id": omid.id, "code": codes[0], "status": "applied", "phone": omid.phone}, [2]),
    ]


def test_each_filter_gives_its_rows_in_every_form(world, winners):
    campaign, rows = winners[0], winners[3]
    for filters, positions in filters_of(winners):
        page = world.operator.discount.get(path_of(campaign, **filters)).json()
        assert page == {"data": [rows[position - 1] for position in positions], "next_cursor": None}, filters
        answer = world.operator.discount.get(path_of(campaign, **filters), headers={"Accept": "text/csv"})
        assert [int(row["position"]) for row in csv.DictReader(io.StringIO(answer.text))] == positions, filters
        assert "Link" not in answer.headers


def test_pages_of_a_filter_follow_each_other(world, winners):
    campaign, _, (anna, _, _), _ = winners
    for filters, positions in filters_of(winners):
        seen, cursor = [], None
        for _ in range(len(positions) + 1):
            page = world.operator.discount.get(path_of(campaign, limit=1, **filters, **({"cursor": cursor} if cursor else {}))).json()
            seen += [row["position"] for row in page["data"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert (seen, cursor) == (positions, None), filters
    first = world.operator.discount.get(path_of(campaign, limit=1, phone=anna.phone, for_="spreadsheet"), headers={"Accept": "text/csv"})
    link = first.headers["Link"].split(">")[0].lstrip("<")
    assert f"phone=%2B{anna.phone[1:]}" in link and "for=spreadsheet" in link
    second = world.operator.discount.get(link, headers={"Accept": "text/csv"})
    assert [text.split(",")[0] for text in (first.text + second.text).split("\r\n") if text[:1].isdigit()] == ["1", "3"]
    assert "Link" not in second.headers


def test_a_status_is_that_of_now(world):
    campaign = world.operator.campaign(places=3)
    made = world.user().redeem(campaign["code"]).json()
    world.operator.wait_settled(campaign["id"])
    settled = world.operator.discount.get(path_of(campaign, status="credited")).json()["data"]
    assert [row["id"] for row in settled] == [made["id"]]
    assert world.operator.discount.get(path_of(campaign, status="claimed")).json()["data"] == []


def test_faults_of_filters(world, winners):
    campaign = winners[0]
    for filters, field in (({"status": "won"}, "status"), ({"user_id": "me"}, "user_id"), ({"phone": "letters"}, "phone"), ({"from_": "yesterday"}, "from"), ({"to": "now"}, "to"),
                           ({"code": ""}, "code"), ({"name": "x"}, "name")):
        assert_problem(world.operator.discount.get(path_of(campaign, **filters)), 422, "validation_failed", [field])
