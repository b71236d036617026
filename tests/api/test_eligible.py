"""A campaign for the users and phone numbers of a list: brought as JSON or CSV, counted, decided in its order, and proven by verify."""
import uuid

import pytest
from harness.client import new_phone
from harness.world import assert_problem


def listed_campaign(world, **changes):
    return world.operator.campaign(places=9, eligibility={"list": True}, phone="any", **changes)


def add(world, campaign, body=None, csv=None, on_error=None, **options):
    path = f"/v1/campaigns/{campaign['id']}/eligible" + (f"?on_error={on_error}" if on_error else "")
    if csv is None:
        return world.operator.discount.post(path, body, **options)
    return world.operator.discount.request("POST", path, data=csv, headers={"Content-Type": "text/csv"}, **options)


def redeem(user, campaign, **options):
    return user.discount.post("/v1/redemptions", {"code": campaign["code"], "phone": user.phone}, **options)


def test_only_those_on_the_list_get_a_place(world):
    campaign = listed_campaign(world)
    assert campaign["eligibility"] == {"list": True}
    by_id, by_phone, stranger = world.user(), world.user(), world.user()
    assert_problem(redeem(by_id, campaign), 409, "not_eligible")
    added = add(world, campaign, {"users": [by_id.id], "phones": [by_phone.phone, "0" + by_phone.phone[3:]]})
    assert added.json() == {"added": 2, "already_listed": 0, "users": 1, "phones": 1, "skipped": 0, "errors": []}
    assert redeem(by_id, campaign).status_code in (201, 202)
    assert redeem(by_phone, campaign).status_code in (201, 202)
    assert_problem(redeem(stranger, campaign), 409, "not_eligible")
    assert_problem(redeem(stranger, campaign, key=str(uuid.uuid4())), 409, "not_eligible")
    assert stranger.discount.post("/v1/validations", {"code": campaign["code"]}).json()["code"] == "not_eligible"
    assert world.operator.report(campaign["id"])["rejected"]["not_eligible"] == 3
    assert world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/eligible").json() == {"users": 1, "phones": 1}


def test_the_list_is_asked_in_its_order(world):
    """After what is over, and before what is sold out; a winner's repeat comes before all of it."""
    campaign, first, second = listed_campaign(world), world.user(), world.user()
    add(world, campaign, {"users": [first.id]})
    assert redeem(first, campaign).status_code in (201, 202)
    changed = world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json={"max_redemptions": 1}, headers={"If-Match": "*"})
    assert changed.status_code == 200
    assert_problem(redeem(second, campaign), 409, "not_eligible")
    add(world, campaign, {"users": [second.id]})
    assert_problem(redeem(second, campaign), 410, "sold_out")
    assert world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json={"eligibility": None}, headers={"If-Match": "*"}).json()["eligibility"] is None
    assert world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/end").status_code == 200
    assert_problem(add(world, campaign, {"users": [first.id]}), 409, "campaign_state_conflict")
    assert redeem(first, campaign).status_code in (200, 202)


def test_lines_of_csv(world):
    campaign, user, phones = listed_campaign(world), world.user(), [new_phone() for _ in range(5)]
    one = add(world, campaign, csv=f"\ufeffphone\r\n{phones[0]}\r\n\"{phones[1]}\"\r\n\r\n".encode())
    assert (one.json()["added"], one.json()["phones"]) == (2, 2)
    assert_problem(add(world, campaign, csv=b""), 422, "validation_failed", [""])
    both = add(world, campaign, csv=f"user_id,phone\n{user.id},{phones[2]}\n,{phones[0]}\n".encode())
    assert (both.json()["added"], both.json()["already_listed"], both.json()["users"], both.json()["phones"]) == (2, 1, 1, 3)
    bare = add(world, campaign, csv=f"{user.id}\n{phones[3]}\n{phones[3]}".encode())
    assert (bare.json()["added"], bare.json()["already_listed"]) == (1, 1)
    assert redeem(user, campaign).status_code in (201, 202)


def test_bad_lines_are_told_by_number_and_reason(world):
    campaign, phones = listed_campaign(world), [new_phone() for _ in range(2)]
    bad = f"phone\n{phones[0]}\nnobody\n{phones[1]}\n12\n".encode()
    refused = assert_problem(add(world, campaign, csv=bad), 422, "validation_failed", ["line 3", "line 5"])
    assert {fault["detail"] for fault in refused["errors"]} == {"must be a phone number"}
    assert world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/eligible").json() == {"users": 0, "phones": 0}
    skipped = add(world, campaign, csv=bad, on_error="skip").json()
    assert (skipped["added"], skipped["skipped"], [error["line"] for error in skipped["errors"]]) == (2, 2, [3, 5])
    mixed = add(world, campaign, {"users": ["me"], "phones": [phones[0], 7]}, on_error="skip").json()
    assert (mixed["added"], mixed["already_listed"], [error["field"] for error in mixed["errors"]]) == (0, 1, ["users[0]", "phones[1]"])
    assert_problem(add(world, campaign, {"users": ["me"], "phones": [7]}), 422, "validation_failed", ["users[0]", "phones[0]"])
    assert_problem(add(world, campaign, {}), 422, "validation_failed", ["users"])
    assert_problem(add(world, campaign, {"names": []}), 422, "validation_failed", ["names"])
    assert_problem(add(world, campaign, {"users": []}, on_error="ask"), 422, "validation_failed", ["on_error"])
    text = world.operator.discount.request("POST", f"/v1/campaigns/{campaign['id']}/eligible", data=b"x", headers={"Content-Type": "text/plain"})
    assert_problem(text, 415, "unsupported_media_type")
    assert_problem(world.operator.discount.post(f"/v1/campaigns/{uuid.uuid4()}/eligible", {"users": []}), 404, "campaign_not_found")


def test_the_same_import_again_is_the_first_one(world):
    campaign, key, phone = listed_campaign(world), str(uuid.uuid4()), new_phone()
    first = add(world, campaign, csv=phone.encode(), key=key)
    again = add(world, campaign, csv=phone.encode(), key=key)
    assert again.json() == first.json() and again.headers["Idempotent-Replayed"] == "true"
    assert_problem(add(world, campaign, csv=new_phone().encode(), key=key), 422, "idempotency_key_reused")
    assert add(world, campaign, csv=phone.encode()).json()["already_listed"] == 1


def test_a_whole_body_of_numbers(world):
    campaign = listed_campaign(world)
    lines = "".join(f"+98912{number:07d}\n" for number in range(70_000)).encode()
    answer = add(world, campaign, csv=lines)
    assert (answer.json()["added"], answer.json()["phones"]) == (70_000, 70_000)
    assert_problem(add(world, campaign, csv=lines + b"0" * (1_048_577 - len(lines))), 413, "body_too_large")


def test_it_is_in_the_audit_log(world):
    campaign, user = listed_campaign(world), world.user()
    add(world, campaign, {"users": [user.id]})
    entries = world.operator.discount.get(f"/v1/audit-log?subject={campaign['id']}&action=eligible.add").json()["data"]
    assert [entry["after"]["users"] for entry in entries] == [1]
    assert_problem(user.discount.post(f"/v1/campaigns/{campaign['id']}/eligible", {"users": [user.id]}), 403, "forbidden")


@pytest.mark.of_sqlite
@pytest.mark.parametrize("damage, words", [("UPDATE eligible_phones SET phone = '+989120000001'", "entry +989120000001: it is not what was written down"),
                                           ("UPDATE eligible_users SET row_check = row_check + 1", "it is not what was written down"),
                                           ("DELETE FROM eligible_users", "the count of users on its list"), ("UPDATE eligible_lists SET phones = 2", "the count of phones on its list"),
                                           ("UPDATE eligible_phones SET campaign_number = 99", "its campaign is not there")])
def test_verify_finds_what_was_changed(make_world, damage, words):
    world = make_world()
    campaign = listed_campaign(world)
    add(world, campaign, {"users": [world.user().id], "phones": ["+989120000000"]})
    assert world.pair.discount.verify().returncode == 0
    world.pair.discount.write_sql(damage)
    found = world.pair.discount.verify()
    assert found.returncode == 1 and words in found.stdout, found.stdout
