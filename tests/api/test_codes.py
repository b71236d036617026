"""Batches of unique codes: made, listed, taken away, revoked (docs/codes.md)."""
import csv
import io
import time
import uuid

import pytest

from harness.services import CREDIT, Pair, wait_until
from harness.world import World, assert_problem

PATTERN = "GIFT-####-####-####"
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def make_batch(operator, campaign, count=3, pattern=PATTERN, **members):
    answer = operator.discount.post(f"/v1/campaigns/{campaign['id']}/code-batches", {"count": count, "pattern": pattern, **members})
    assert answer.status_code == 201, answer.text
    return answer.json()


def path_of(batch):
    return f"/v1/campaigns/{batch['campaign_id']}/code-batches/{batch['id']}"


def codes_of(operator, batch, query=""):
    return [item["code"] for item in operator.discount.get(f"{path_of(batch)}/codes{query}").json()["data"]]


def noted(operator, action, subject):
    return [entry for entry in operator.discount.get(f"/v1/audit-log?action={action}&subject={subject}").json()["data"] if entry["outcome"] == "done"]


@pytest.fixture(scope="module")
def campaign(world):
    return world.operator.campaign(places=100, phone="any")


def test_a_batch_is_made_and_read_again(world, campaign):
    key = str(uuid.uuid4())
    body = {"count": 1000, "pattern": PATTERN, "max_uses": 2, "expires_at": "2099-01-01T00:00:00Z", "note": "the newsletter of May"}
    answer = world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/code-batches", body, key=key)
    assert answer.status_code == 201, answer.text
    batch = answer.json()
    assert answer.headers["Location"] == path_of(batch)
    assert {name: batch[name] for name in ("count", "used", "uses", "revoked", "max_uses", "state", "note")} == {
        "count": 1000, "used": 0, "uses": 0, "revoked": 0, "max_uses": 2, "state": "active", "note": "the newsletter of May"}
    assert (float(batch["entropy_bits"]), float(batch["years_to_guess"])) == (40.0, 35.6)
    assert (batch["pattern"], batch["expires_at"], batch["revoked_at"]) == (PATTERN, "2099-01-01T00:00:00.000000Z", None)
    assert world.operator.discount.get(path_of(batch)).json() == batch
    again = world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/code-batches", body, key=key)
    assert again.json() == batch and again.headers["Idempotent-Replayed"] == "true"
    [entry] = noted(world.operator, "code_batch.create", batch["id"])
    assert (entry["after"]["pattern"], entry["after"]["count"]) == (PATTERN, 1000)
    plain = make_batch(world.operator, campaign)
    assert (plain["max_uses"], plain["expires_at"], plain["note"]) == (1, None, None)
    page = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/code-batches?limit=1").json()
    assert page["data"] == [plain]
    rest = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/code-batches?cursor={page['next_cursor']}").json()
    assert rest == {"data": [batch], "next_cursor": None}


def test_codes_have_their_pattern_and_are_all_different(world, campaign):
    """Two batches of one pattern, in two campaigns, share none."""
    other = world.operator.campaign(places=1, phone="any")
    batches = [make_batch(world.operator, campaign, 300), make_batch(world.operator, other, 300)]
    codes = [code for batch in batches for code in codes_of(world.operator, batch, "?limit=200") + codes_of(world.operator, batch, "?limit=200&after=200")]
    assert len(set(codes)) == 600
    for code in codes:
        assert code[:5] == "GIFT-" and [len(part) for part in code.split("-")] == [4, 4, 4, 4]
        assert set(code[5:].replace("-", "")) <= set(SYMBOLS)
    page = world.operator.discount.get(f"{path_of(batches[0])}/codes?limit=200").json()
    assert [item["index"] for item in page["data"]] == list(range(1, 201)) and page["next_cursor"] == "200"
    assert world.operator.discount.get(f"{path_of(batches[0])}/codes?after=200&limit=100").json()["next_cursor"] is None
    assert world.operator.discount.get(f"{path_of(batches[0])}/codes?after=300").json() == {"data": [], "next_cursor": None}


def test_csv_streams_all_of_them_and_is_in_the_audit_log(world, campaign):
    batch = make_batch(world.operator, campaign, 3000)
    answer = world.operator.discount.get(f"{path_of(batch)}/codes", headers={"Accept": "text/csv"})
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["index"] for row in rows] == [str(number) for number in range(1, 3001)]
    assert len({row["code"] for row in rows}) == 3000 and {row["state"] for row in rows} == {"active"}
    assert [row["code"] for row in rows[:50]] == codes_of(world.operator, batch)
    [json_page, file] = noted(world.operator, "code_batch.export", batch["id"])[::1]
    assert {json_page["after"]["form"], file["after"]["form"]} == {"json", "csv"}
    spreadsheet = world.operator.discount.get(f"{path_of(batch)}/codes?for=spreadsheet&after=2990&limit=3", headers={"Accept": "text/csv"})
    assert spreadsheet.content.startswith(b"\xef\xbb\xbfindex,code,state\r\n2991,") and spreadsheet.content.count(b"\r\n") == 4


@pytest.mark.parametrize("pattern,count", [("GIFT-####", 1), ("GIFT-####-####-#", 1), ("GIFT-####-####-##", 4), ("GIFT-####-####-####", 10_000),
                                           ("##############", 4_000_000)])
def test_what_can_be_guessed_is_refused_with_its_figures(world, campaign, pattern, count):
    answer = world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/code-batches", {"count": count, "pattern": pattern})
    problem = assert_problem(answer, 422, "pattern_too_weak" if pattern.count("#") > 5 else "validation_failed")
    if pattern.count("#") <= 5:
        return
    payload = 32 ** (pattern.count("#") - 2)
    assert float(problem["years_to_guess"]) == pytest.approx(payload / count / 1000 / 31557600, abs=0.1) and float(problem["years_to_guess"]) < 10
    longer = pattern + "#" * (problem["symbols_needed"] - pattern.count("#"))
    make_batch(world.operator, campaign, count, longer)


@pytest.mark.parametrize("fault,members", [
    ("count", {"count": 0}), ("count", {"count": 10_000_001}), ("pattern", {"pattern": "GIFT"}), ("pattern", {"pattern": "#" * 27}),
    ("pattern", {"pattern": "GIFT*######"}), ("pattern", {"pattern": "A" * 60 + "######"}), ("max_uses", {"max_uses": 0}),
    ("expires_at", {"expires_at": "2020-01-01T00:00:00Z"}), ("expires_at", {"expires_at": "1970-01-01T00:00:00Z"}), ("note", {"note": "n" * 256}),
    ("size", {"size": 1})])
def test_faults_of_a_batch(world, campaign, fault, members):
    answer = world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/code-batches", {"count": 3, "pattern": PATTERN, **members})
    assert_problem(answer, 422, "validation_failed", [fault])


def test_a_pattern_holds_nothing_that_can_not_be_seen(world, campaign):
    batch = make_batch(world.operator, campaign, 2, "\u200bGIFT-##\u2060##-####-####-##\ufe0f")
    assert batch["pattern"] == "GIFT-####-####-####-##"
    (code, _) = [row["code"] for row in world.operator.discount.get(f"{path_of(batch)}/codes").json()["data"]]
    assert len(code) == len(batch["pattern"]) and code.isascii()


def test_what_is_not_there(world, campaign):
    admin, batch = world.operator.discount, make_batch(world.operator, campaign)
    other = world.operator.campaign(places=1, phone="any")
    nobody = str(uuid.uuid4())
    for method, tail in (("GET", ""), ("GET", "/codes"), ("POST", "/revoke")):
        assert_problem(admin.request(method, f"/v1/campaigns/{nobody}/code-batches/{batch['id']}{tail}"), 404, "campaign_not_found")
        assert_problem(admin.request(method, f"/v1/campaigns/{other['id']}/code-batches/{batch['id']}{tail}"), 404, "code_batch_not_found")
        assert_problem(admin.request(method, f"/v1/campaigns/{campaign['id']}/code-batches/x{tail}"), 404, "code_batch_not_found")
        assert_problem(world.user().discount.request(method, path_of(batch) + tail), 403, "forbidden")
    assert_problem(admin.post(f"/v1/campaigns/{nobody}/code-batches", {"count": 1, "pattern": PATTERN}), 404, "campaign_not_found")
    admin.post(f"/v1/campaigns/{other['id']}/end")
    assert_problem(admin.post(f"/v1/campaigns/{other['id']}/code-batches", {"count": 1, "pattern": PATTERN}), 409, "campaign_state_conflict")
    assert_problem(admin.get(f"{path_of(batch)}/codes?state=lost"), 422, "validation_failed", ["state"])
    assert_problem(admin.get(f"{path_of(batch)}/codes?limit=201"), 422, "validation_failed", ["limit"])
    assert_problem(admin.get(f"{path_of(batch)}/codes?for=spreadsheet"), 422, "validation_failed", ["for"])


def test_single_codes_are_revoked_all_or_none(world, campaign):
    batch, admin = make_batch(world.operator, campaign, 10), world.operator.discount
    codes = codes_of(world.operator, batch)
    wrong = assert_problem(admin.post("/v1/codes/revocations", {"codes": [codes[0], "GIFT-0000-0000-0001", campaign["code"]]}), 422, "validation_failed")
    assert [fault["field"] for fault in wrong["errors"]] == ["codes[1]", "codes[2]"] and "shared" in wrong["errors"][1]["detail"]
    assert admin.get(path_of(batch)).json()["revoked"] == 0
    done = admin.post("/v1/codes/revocations", {"codes": [codes[3].lower(), codes[5].replace("-", " "), codes[3]]})
    assert done.status_code == 200 and done.json() == {"revoked": 2, "already_revoked": 1}
    assert admin.post("/v1/codes/revocations", {"codes": codes[3:4]}).json() == {"revoked": 0, "already_revoked": 1}
    assert admin.get(path_of(batch)).json()["revoked"] == 2
    assert codes_of(world.operator, batch, "?state=revoked") == [codes[3], codes[5]]
    assert len(codes_of(world.operator, batch, "?state=active")) == 8
    [entry] = noted(world.operator, "code.revoke", batch["id"])
    assert entry["after"] == {"revoked": 2}
    assert_problem(admin.post("/v1/codes/revocations", {"codes": []}), 422, "validation_failed", ["codes"])
    assert_problem(admin.post("/v1/codes/revocations", {"codes": [7]}), 422, "validation_failed", ["codes[0]"])


def test_a_whole_batch_is_revoked_for_good(world, campaign):
    batch, admin = make_batch(world.operator, campaign, 10), world.operator.discount
    revoked = admin.post(f"{path_of(batch)}/revoke")
    assert revoked.status_code == 200 and (revoked.json()["state"], revoked.json()["revoked"]) == ("revoked", 10) and revoked.json()["revoked_at"]
    assert admin.post(f"{path_of(batch)}/revoke").json() == revoked.json()
    assert len(codes_of(world.operator, batch, "?state=revoked")) == 10
    assert len(noted(world.operator, "code_batch.revoke", batch["id"])) == 1


def test_a_million_are_made_at_once(world, campaign):
    began = time.monotonic()
    batch = make_batch(world.operator, campaign, 1_000_000, "BIG-####-####-####-##")
    assert time.monotonic() - began < 10  # 0.1 s is the benchmark's business: this machine may be busy
    page = world.operator.discount.get(f"{path_of(batch)}/codes?after=999998").json()
    assert [item["index"] for item in page["data"]] == [999_999, 1_000_000]


# ---- redeeming ----


def refused(answer):
    """Nobody can tell why: status, code, and the size of the body."""
    problem = assert_problem(answer, 404, "code_not_found")
    return {name: value for name, value in problem.items() if name != "request_id"}, len(answer.content)


def mistyped(code, at, other=None):
    symbol = SYMBOLS[(SYMBOLS.index(code[at]) + 1) % 32] if other is None else other
    return code[:at] + symbol + code[at + 1:]


def test_a_code_gives_a_place_once(world):
    campaign = world.operator.campaign(places=5, phone="any")
    batch = make_batch(world.operator, campaign, 5)
    codes, user, other = codes_of(world.operator, batch), world.user(), world.user()
    first = user.redeem(codes[2].lower().replace("-", " "))
    assert first.status_code == 201 and first.json()["position"] == 1 and first.json()["campaign_id"] == campaign["id"], first.text
    assert user.balance() == CREDIT
    again = user.redeem(codes[2])
    assert again.status_code == 200 and again.json()["id"] == first.json()["id"]
    assert user.redeem(campaign["code"]).json()["id"] == first.json()["id"]  # one place for each user, whatever the code
    assert user.redeem(codes[3]).json()["id"] == first.json()["id"]
    refused(other.redeem(codes[2]))
    assert other.redeem(codes[3]).status_code == 201
    assert world.operator.discount.get(path_of(batch)).json()["used"] == 2
    assert codes_of(world.operator, batch, "?state=used") == [codes[2], codes[3]]
    assert [row["redeemed"] for row in [world.operator.report(campaign["id"])]] == [2]


def test_a_code_for_several_is_used_as_often_as_it_may_be(world):
    campaign = world.operator.campaign(places=9, phone="any")
    batch = make_batch(world.operator, campaign, 2, max_uses=3)
    [code, spare] = codes_of(world.operator, batch)
    users = [world.user() for _ in range(4)]
    assert [user.redeem(code).status_code for user in users] == [201, 201, 201, 404]
    assert [user.redeem(code).status_code for user in users] == [200, 200, 200, 404]
    told = world.operator.discount.get(path_of(batch)).json()
    assert (told["used"], told["uses"]) == (1, 3)
    assert codes_of(world.operator, batch, "?state=active") == [spare]


def test_whatever_is_wrong_with_a_code_it_is_the_same_answer(world):
    """Unknown, mistyped, swapped, revoked alone or with its batch, expired, used by another, of another pattern: even the bytes are as many."""
    campaign = world.operator.campaign(places=9, phone="any")
    batch, gone = make_batch(world.operator, campaign, 5), make_batch(world.operator, campaign, 1)
    short = make_batch(world.operator, campaign, 1, expires_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3)))
    codes, [of_gone], [expired] = (codes_of(world.operator, each) for each in (batch, gone, short))
    world.operator.discount.post("/v1/codes/revocations", {"codes": codes[:1]})
    world.operator.discount.post(f"{path_of(gone)}/revoke")
    assert world.user().redeem(codes[1]).status_code == 201
    swap_at = next(at for at in range(5, 18) if codes[2][at] != codes[2][at + 1] and "-" not in codes[2][at:at + 2])
    swapped = codes[2][:swap_at] + codes[2][swap_at + 1] + codes[2][swap_at] + codes[2][swap_at + 2:]
    wrong = ["NOSUCHCODE", mistyped(codes[2], 7), swapped, codes[0], of_gone, codes[1], "GIFT-0000-0000-0000", codes[2] + "0", codes[2][1:], "!"]
    answers = [refused(world.user().redeem(code)) for code in wrong]
    while codes_of(world.operator, short, "?state=expired") == []:
        time.sleep(0.05)
    answers.append(refused(world.user().redeem(expired)))
    assert all(answer == answers[0] for answer in answers), answers
    assert world.user().redeem(codes[2]).status_code == 201
    paused = world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/pause")
    assert paused.status_code == 200
    assert refused(world.user().redeem(codes[0])) == answers[0]  # nor does the campaign's state tell it from an unknown one
    assert_problem(world.user().redeem(codes[3]), 409, "campaign_paused")


@pytest.mark.parametrize("kind", ["one", "two", "swap"])
def test_what_is_mistyped_is_never_a_code(world, campaign, kind):
    """Each by itself is proven in tests/unit/discount/core/test_check_symbols.c; here that the service asks it."""
    [code] = codes_of(world.operator, make_batch(world.operator, campaign, 1))
    places = [at for at in range(5, len(code)) if code[at] != "-"]
    user = world.user()
    tries = {"one": [mistyped(code, at) for at in places[:4]], "two": [mistyped(mistyped(code, at), at + 2) for at in (5, 10)],
             "swap": [code[:5] + code[6] + code[5] + code[7:]] if code[5] != code[6] else []}[kind]
    for typed in tries:
        refused(user.redeem(typed))


def test_a_winner_keeps_the_place_whatever_becomes_of_the_code(world):
    campaign = world.operator.campaign(places=5, phone="any")
    batch = make_batch(world.operator, campaign, 3)
    [code, revoked, _], user = codes_of(world.operator, batch), world.user()
    made = user.redeem(code).json()
    world.operator.discount.post("/v1/codes/revocations", {"codes": [code, revoked]})
    again = user.redeem(code)
    assert again.status_code == 200 and again.json()["id"] == made["id"]
    refused(user.redeem(revoked))  # another's dead code stays one


def test_dry_runs_and_keys_take_codes_too(world):
    campaign = world.operator.campaign(places=5, phone="any")
    [code, other] = codes_of(world.operator, make_batch(world.operator, campaign, 2))
    user, key = world.user(), str(uuid.uuid4())
    rehearsed = user.discount.post("/v1/redemptions?dry_run=true", {"code": code, "phone": user.phone})
    assert rehearsed.status_code == 200 and rehearsed.json()["dry_run"] is True
    made = user.redeem(code, key=key)
    assert made.status_code == 201
    repeated = user.redeem(code, key=key)
    assert repeated.json() == made.json() and repeated.headers["Idempotent-Replayed"] == "true"
    refused(world.user().redeem(code, key=str(uuid.uuid4())))
    assert_problem(user.redeem(other, key=key), 422, "idempotency_key_reused")


def test_wrong_codes_of_batches_use_up_the_budget_of_their_user(world, campaign):
    [code, spare] = codes_of(world.operator, make_batch(world.operator, campaign, 2))
    assert world.user().redeem(code).status_code == 201
    user, statuses = world.user(), []
    for _ in range(40):
        statuses.append(user.redeem(code).status_code)  # used by another: a guess like any other
        if statuses[-1] == 429:
            break
    assert statuses[-1] == 429 and set(statuses[:-1]) == {404}
    assert user.redeem(spare).status_code == 429


def test_one_code_for_many_at_once_is_one_place(world):
    """Eight users redeem with the same code in one instant."""
    campaign = world.operator.campaign(places=20, phone="any")
    [code] = codes_of(world.operator, make_batch(world.operator, campaign, 1))
    users = [world.user() for _ in range(8)]
    body = [f'{{"code":"{code}","phone":"{user.phone}"}}'.encode() for user in users]
    answers = world.all_at_once("discount", "POST", "/v1/redemptions",
                                [({"Authorization": f"Bearer {user.token}", "Content-Type": "application/json"}, each) for user, each in zip(users, body)])
    assert sorted(answer.status for answer in answers) in ([201] + [404] * 7, [202] + [404] * 7)


def test_what_was_used_and_revoked_is_known_after_a_restart(make_world):
    world = make_world()
    campaign = world.operator.campaign(places=20, phone="any")
    once, thrice = make_batch(world.operator, campaign, 3), make_batch(world.operator, campaign, 1, max_uses=2)
    codes, [shared] = codes_of(world.operator, once), codes_of(world.operator, thrice)
    winner = world.user()
    assert [winner.redeem(codes[0]).status_code, world.user().redeem(shared).status_code] == [201, 201]
    world.operator.discount.post("/v1/codes/revocations", {"codes": codes[1:2]})
    world.pair.discount.kill()
    world.pair.discount.start()
    world.connect()
    assert codes_of(world.operator, once) == codes
    assert [world.user().redeem(code).status_code for code in codes] == [404, 404, 201]
    assert [world.user().redeem(shared).status_code for _ in range(2)] == [201, 404]
    world.assert_clean()


# ---- looking up ----


def test_an_administrator_is_told_what_a_code_is(world):
    campaign = world.operator.campaign(places=2, phone="any")
    batch, admin = make_batch(world.operator, campaign, 3, max_uses=2), world.operator.discount
    codes, user = codes_of(world.operator, batch), world.user()

    def lookup(code):
        answer = admin.post("/v1/codes/lookup", {"code": code})
        assert answer.status_code == 200, answer.text
        return answer.json()

    fresh = lookup(codes[1].lower())
    assert (fresh["kind"], fresh["code"], fresh["batch"], fresh["index"], fresh["uses"], fresh["state"]) == ("unique", codes[1], batch["id"], 2, 0, "active")
    assert fresh["refusal"] is None and fresh["redemptions"] == [] and fresh["campaign_id"] == campaign["id"]
    made = user.redeem(codes[1]).json()
    used = lookup(codes[1])
    assert (used["uses"], used["max_uses"], used["state"], used["refusal"]) == (1, 2, "active", None)
    assert [(each["id"], each["user_id"], each["status"]) for each in used["redemptions"]] == [(made["id"], user.id, "credited")]
    assert world.user().redeem(codes[1]).status_code == 201
    spent = lookup(codes[1])
    assert (spent["state"], spent["uses"], spent["refusal"]["code"]) == ("used", 2, "code_not_found") and "used" in spent["refusal"]["detail"]
    assert lookup(codes[2])["refusal"]["code"] == "sold_out"
    admin.post("/v1/codes/revocations", {"codes": codes[2:]})
    assert lookup(codes[2])["refusal"]["code"] == "code_not_found" and lookup(codes[2])["state"] == "revoked"
    shared = lookup(campaign["code"])
    assert (shared["kind"], shared["batch"], shared["uses"], shared["max_uses"], shared["refusal"]["code"]) == ("shared", None, 2, 2, "sold_out")
    unknown = assert_problem(admin.post("/v1/codes/lookup", {"code": "NOSUCHCODE"}), 404, "code_not_found")
    typo = assert_problem(admin.post("/v1/codes/lookup", {"code": mistyped(codes[0], 6)}), 404, "code_not_found")
    assert "mistyped" in typo["detail"] and "mistyped" not in unknown["detail"]
    assert_problem(admin.post("/v1/codes/lookup", {}), 422, "validation_failed", ["code"])
    assert_problem(user.discount.post("/v1/codes/lookup", {"code": codes[0]}), 403, "forbidden")


# ---- the key ----


def test_without_their_key_codes_are_neither_taken_nor_made_up(make_world):
    world = make_world()
    campaign = world.operator.campaign(places=20, phone="any")
    batch = make_batch(world.operator, campaign, 3)
    codes, key = codes_of(world.operator, batch), world.pair.discount.data / "codes.key"
    kept = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600 and len(kept) == 44
    assert world.pair.discount.stop() == 0
    for lost in (None, b"A" * 43 + b"\n"):
        key.unlink()
        if lost is not None:
            key.write_bytes(lost)
            key.chmod(0o600)
        world.pair.discount.start()
        world.connect()
        assert world.discount.get("/readyz").json()["codes"] == "key missing"
        assert wait_until(lambda: world.pair.discount.events("code_key_missing"), "it is said")
        user = world.user()
        assert_problem(user.redeem(codes[0]), 503, "code_key_missing")
        refused(user.redeem(mistyped(codes[0], 6)))
        assert user.redeem(campaign["code"]).status_code == 201  # the rest goes on
        assert_problem(world.operator.discount.get(f"{path_of(batch)}/codes"), 503, "code_key_missing")
        assert_problem(world.operator.discount.post("/v1/codes/lookup", {"code": codes[0]}), 503, "code_key_missing")
        assert_problem(world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/code-batches", {"count": 1, "pattern": PATTERN}), 503, "code_key_missing")
        assert world.operator.discount.get(path_of(batch)).json()["count"] == 3
        assert key.exists() == (lost is not None)
        assert world.pair.discount.stop() == 0
        key.write_bytes(kept)
        key.chmod(0o600)
    world.pair.discount.start()
    world.connect()
    assert "codes" not in world.discount.get("/readyz").json()
    assert codes_of(world.operator, batch) == codes and world.user().redeem(codes[0]).status_code == 201
    assert world.pair.discount.stop() == 0
    key.write_bytes(b"nonsense\n")
    world.pair.discount.start(wait=False)
    wait_until(lambda: world.pair.discount.process.poll() is not None, "it refuses to start")
    assert any("codes.key" in line for line in world.pair.discount.tail(5).splitlines()), world.pair.discount.tail(5)


@pytest.mark.of_sqlite
@pytest.mark.parametrize("spoiled,said", [
    ("UPDATE code_batches SET uses = 2, used = 2", "its counts of used codes are not those of its redemptions"),
    ("UPDATE code_batches SET revoked = 2", "its count of revoked codes is not that of its rows"),
    ("UPDATE code_batches SET count = 1", "its code is none of its campaign's"),
    ("UPDATE code_batches SET pattern = 'GIFT'", "is missing, can't be read, or breaks a rule of its own"),
    ("UPDATE code_batches SET number = 2", "is missing, can't be read, or breaks a rule of its own"),
    ("UPDATE code_batches SET campaign_number = 7", "its campaign is not there"),
    ("UPDATE code_revocations SET code_index = 9", "a code is revoked that it does not have"),
    ("UPDATE redemptions SET code_index = 4", "its code is none of its campaign's"),
    ("UPDATE redemptions SET code_batch = NULL, code_index = NULL", "its counts of used codes are not those of its redemptions")])
def test_verify_finds_one_changed_byte(verified, spoiled, said):
    pair, restore = verified
    pair.discount.write_sql(spoiled)
    try:
        done = pair.discount.verify()
        assert done.returncode == 1 and said in done.stdout, done.stdout
    finally:
        restore()


@pytest.fixture(scope="module")
def verified(tmp_path_factory, contracts, issuers):
    """A stopped service with a batch of which one code was used and one revoked, and how to make it whole again."""
    pair = Pair(tmp_path_factory.mktemp("codes"), issuers=issuers.values()).start()
    world = World(pair, issuers, contracts)
    campaign = world.operator.campaign(places=5, phone="any")
    codes = codes_of(world.operator, make_batch(world.operator, campaign, 3))
    assert world.user().redeem(codes[1]).status_code == 201
    assert world.operator.discount.post("/v1/codes/revocations", {"codes": codes[:1]}).status_code == 200
    assert pair.discount.stop() == 0
    database = pair.discount.data / "discount.db"
    whole = database.read_bytes()
    assert pair.discount.verify().returncode == 0

    def restore():
        for left in pair.discount.data.glob("discount.db*"):
            left.unlink()
        database.write_bytes(whole)

    yield pair, restore
    pair.end()


@pytest.mark.of_sqlite
def test_the_key_is_part_of_a_backup_and_can_be_rotated(make_world, tmp_path):
    world = make_world()
    campaign = world.operator.campaign(places=20, phone="any")
    before = make_batch(world.operator, campaign, 2)
    old, key, service = codes_of(world.operator, before), world.pair.discount.data / "codes.key", world.pair.discount
    rotated = service.command("codes", "rotate-key", "--data", service.data)
    assert rotated.returncode == 0, rotated.stderr
    assert len(key.read_bytes()) == 88 and key.stat().st_mode & 0o777 == 0o600
    assert service.stop() == 0
    service.start()
    world.connect()
    after = make_batch(world.operator, campaign, 2)
    new = codes_of(world.operator, after)
    assert codes_of(world.operator, before) == old and not set(old) & set(new)
    assert [world.user().redeem(code).status_code for code in (old[0], new[0])] == [201, 201]
    assert service.command("backup", tmp_path / "copy", "--data", service.data).returncode == 0
    restored = tmp_path / "restored"
    assert service.command("restore", tmp_path / "copy", "--data", restored).returncode == 0
    assert (restored / "codes.key").read_bytes() == key.read_bytes() and (restored / "codes.key").stat().st_mode & 0o777 == 0o600
    assert not (restored / "keys" / "codes.key").exists()


# ---- campaigns without a code of their own ----


def test_a_campaign_may_have_only_codes_of_batches(world):
    campaign = world.operator.campaign(places=3, phone="any", code=None)
    assert campaign["code"] is None
    assert world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()["code"] is None
    old, batch = make_batch(world.operator, campaign, 1), make_batch(world.operator, campaign, 4, "عید۱۴۰۴-####-####-####")
    codes, users = codes_of(world.operator, batch), [world.user() for _ in range(4)]
    assert codes[0].startswith("عید۱۴۰۴-")
    assert [user.redeem(code).status_code for user, code in zip(users, codes)] == [201, 201, 201, 410]
    assert users[0].redeem(codes[0].replace("۱۴۰۴", " 1404 ")).status_code == 200
    assert world.operator.report(campaign["id"])["by_batch"] == [
        {"batch": batch["id"], "count": 4, "used": 3, "uses": 3, "revoked": 0}, {"batch": old["id"], "count": 1, "used": 0, "uses": 0, "revoked": 0}]
    assert world.operator.campaign(places=1, phone="any", code=None)["code"] is None  # as many as one likes


def test_the_code_of_an_ended_campaign_is_free(world):
    first = world.operator.campaign(places=2, phone="any", code=f"عید۱۴۰۴{uuid.uuid4().hex[:6]}")
    body = {"name": "Again", "kind": "wallet_credit", "code": first["code"], "credit": {"amount": 1, "currency": "IRT"}, "max_redemptions": 2, "phone": "any"}
    assert_problem(world.operator.discount.post("/v1/campaigns", body), 409, "code_taken")
    assert world.operator.discount.post(f"/v1/campaigns/{first['id']}/end").status_code == 200
    assert_problem(world.user().redeem(first["code"]), 410, "campaign_ended")
    again = world.operator.discount.post("/v1/campaigns", body)
    assert again.status_code == 201
    assert world.user().redeem(first["code"]).json()["campaign_id"] == again.json()["id"]
