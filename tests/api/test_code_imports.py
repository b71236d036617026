"""Codes that somebody else has made: they redeem, are looked up, revoked and reported as derived ones, and no database holds them."""
import secrets
import uuid

import pytest
from harness.world import assert_problem


def some(count):
    return [f"EXT-{secrets.token_hex(4).upper()}-{secrets.token_hex(4).upper()}" for _ in range(count)]


def campaign_of(world, **changes):
    return world.operator.campaign(code=None, phone="any", **changes)


def bring(world, campaign, codes=None, csv=None, on_error=None, **options):
    path = f"/v1/campaigns/{campaign['id']}/code-imports" + (f"?on_error={on_error}" if on_error else "")
    if csv is None:
        return world.operator.discount.post(path, {"codes": codes}, **options)
    return world.operator.discount.request("POST", path, data=csv, headers={"Content-Type": "text/csv"}, **options)


def redeem(user, code):
    return user.discount.post("/v1/redemptions", {"code": code, "phone": user.phone})


def lookup(world, code):
    return world.operator.discount.post("/v1/codes/lookup", {"code": code})


def test_foreign_codes_are_as_derived_ones(world):
    campaign, codes, first, second = campaign_of(world), some(5), world.user(), world.user()
    made = bring(world, campaign, codes)
    assert made.status_code == 201, made.text
    batch = made.json()
    assert (batch["count"], batch["pattern"], batch["entropy_bits"], batch["skipped"], batch["errors"]) == (5, None, None, 0, [])
    assert made.headers["Location"].endswith(f"/code-batches/{batch['id']}")
    shown = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/code-batches/{batch['id']}").json()
    assert shown == {name: value for name, value in batch.items() if name not in ("skipped", "errors")}
    assert redeem(first, codes[2].lower().replace("-", " ")).status_code in (201, 202)
    assert redeem(first, codes[2]).status_code in (200, 202)
    used = assert_problem(redeem(second, codes[2]), 404, "code_not_found")
    found = lookup(world, codes[2]).json()
    assert (found["batch"], found["index"], found["state"], found["uses"], found["code"]) == (batch["id"], 3, "used", 1, "…" + codes[2][-4:])
    assert [item["user_id"] for item in found["redemptions"]] == [first.id]
    revoked = world.operator.discount.post("/v1/codes/revocations", {"codes": [codes[0]]})
    assert revoked.json() == {"revoked": 1, "already_revoked": 0}
    dead, unknown = redeem(second, codes[0]), redeem(world.user(), some(1)[0])
    assert {name: value for name, value in dead.json().items() if name != "request_id"} == {name: value for name, value in unknown.json().items() if name != "request_id"}
    assert len(dead.content) == len(unknown.content) and used["code"] == "code_not_found"
    states = [item["state"] for item in world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/code-batches/{batch['id']}/codes").json()["data"]]
    assert states == ["revoked", "active", "used", "active", "active"]
    assert world.operator.report(campaign["id"])["by_batch"] == [{"batch": batch["id"], "count": 5, "used": 1, "uses": 1, "revoked": 1}]
    listed = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/redemptions?code={codes[2]}").json()["data"]
    assert [item["user_id"] for item in listed] == [first.id]
    assert world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/code-batches/{batch['id']}/revoke").status_code == 200
    assert_problem(redeem(second, codes[1]), 404, "code_not_found")


def test_bad_lines_are_told_by_number_and_reason(world):
    campaign, other, codes = campaign_of(world), world.operator.campaign(places=1), some(3)
    csv = f"code\r\n{codes[0]}\r\n{other['code']}\r\n???\r\n{codes[1]}\r\n{codes[0]}\r\n".encode()
    refused = assert_problem(bring(world, campaign, csv=csv), 422, "validation_failed", ["line 3", "line 4", "line 6"])
    assert [fault["detail"] for fault in refused["errors"]] == ["is a code already, of a campaign or a batch", "must be letters and digits, 64 bytes at most without the separators", "stands there twice"]
    assert_problem(redeem(world.user(), codes[0]), 404, "code_not_found")
    taken = bring(world, campaign, csv=csv, on_error="skip")
    assert (taken.status_code, taken.json()["count"], taken.json()["skipped"], [error["line"] for error in taken.json()["errors"]]) == (201, 2, 3, [3, 4, 6])
    assert_problem(bring(world, campaign, [codes[0], 7]), 422, "validation_failed", ["codes[0]", "codes[1]"])
    assert_problem(bring(world, campaign, [codes[0]], on_error="skip"), 422, "validation_failed", ["codes"])
    assert_problem(bring(world, campaign, []), 422, "validation_failed", ["codes"])
    assert_problem(bring(world, campaign, csv=b"code\r\n"), 422, "validation_failed", ["codes"])
    empty = assert_problem(bring(world, campaign, csv=b""), 422, "validation_failed", [""])
    assert [fault["detail"] for fault in empty["errors"]] == ["the body must have at least one line of CSV"]
    assert_problem(bring(world, {"id": str(uuid.uuid4())}, some(1)), 404, "campaign_not_found")
    key, more = str(uuid.uuid4()), some(2)
    first = bring(world, campaign, more, key=key)
    again = bring(world, campaign, more, key=key)
    assert (first.status_code, again.json(), again.headers["Idempotent-Replayed"]) == (201, first.json(), "true")
    assert world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/end").status_code == 200
    assert_problem(bring(world, campaign, some(1)), 409, "campaign_state_conflict")
    acts = world.operator.discount.get(f"/v1/audit-log?subject={first.json()['id']}").json()["data"]
    assert [(act["action"], act["after"]) for act in acts] == [("code.import", {"count": 2})]


def test_a_whole_body_of_codes(world):
    campaign = campaign_of(world)
    codes = [secrets.token_hex(5).upper() for _ in range(60_000)]
    made = bring(world, campaign, csv="\n".join(codes).encode(), on_error="skip")
    assert made.status_code == 201 and made.json()["count"] >= 59_990
    assert redeem(world.user(), codes[31_234]).status_code in (201, 202)
    assert_problem(bring(world, campaign, csv=b"A" * 1_048_577), 413, "body_too_large")


def test_they_outlive_a_restart_and_a_new_key(make_world):
    world = make_world()
    campaign, codes = campaign_of(world), some(6)
    assert bring(world, campaign, codes[:3]).status_code == 201
    several = [some(40) for _ in range(3)]  # none of them alone fills a table that holds all
    for each in several:
        assert bring(world, campaign, each).status_code == 201
    assert redeem(world.user(), codes[0]).status_code in (201, 202)
    assert world.pair.discount.stop() == 0
    assert world.pair.discount.command("codes", "rotate-key", "--data", world.pair.discount.data).returncode == 0
    world.pair.discount.start()
    world.connect()
    assert bring(world, campaign, codes[3:]).status_code == 201
    assert_problem(redeem(world.user(), codes[0]), 404, "code_not_found")
    for code in (codes[1], codes[3], several[0][0], several[2][39]):
        assert redeem(world.user(), code).status_code in (201, 202)
    assert "codes[0]" in str(bring(world, campaign, [codes[2]]).json()["errors"])
    world.assert_clean()


@pytest.mark.of_sqlite
@pytest.mark.parametrize("damage, words", [("UPDATE imported_codes SET hash = zeroblob(32) WHERE code_index = 2", "batch of codes number 1, foreign code 2: it is not what was written down"),
                                           ("UPDATE imported_codes SET last = 'AAAA' WHERE code_index = 1", "foreign code 1: it is not what was written down"),
                                           ("DELETE FROM imported_codes WHERE code_index = 3", "its count of foreign codes is not that of its rows")])
def test_verify_finds_what_was_changed(make_world, damage, words):
    world = make_world()
    assert bring(world, campaign_of(world), some(3)).status_code == 201
    assert world.pair.discount.verify().returncode == 0
    assert world.pair.discount.stop() == 0
    world.pair.discount.write_sql(damage)
    found = world.pair.discount.verify()
    assert found.returncode == 1 and words in found.stdout, found.stdout
