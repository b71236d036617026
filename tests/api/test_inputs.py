"""What people type: phone numbers, codes, names, passwords; and what comes out: times and ids."""
import datetime
import re

import pytest

from harness.client import PASSWORD, new_phone, new_username
from harness.world import assert_problem

PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")

# From E.164 to what people type.
TYPED = {
    "national": lambda phone: "0" + phone[3:],
    "international": lambda phone: phone,
    "with blanks": lambda phone: f"+98 {phone[3:6]} {phone[6:9]} {phone[9:]}",
    "with hyphens": lambda phone: f"0{phone[3:6]}-{phone[6:9]}-{phone[9:]}",
    "with 00": lambda phone: "00" + phone[1:],
    "with 00 and blanks": lambda phone: f"0098 {phone[3:6]} {phone[6:]}",
    "Persian digits": lambda phone: ("0" + phone[3:]).translate(PERSIAN),
    "Arabic digits": lambda phone: ("0" + phone[3:]).translate(ARABIC),
    "Persian international": lambda phone: ("+98 " + phone[3:]).translate(PERSIAN),
    "with brackets": lambda phone: f"(0{phone[3:6]}) {phone[6:]}",
    "blanks around": lambda phone: f"  0{phone[3:]} ",
    "without its zero": lambda phone: phone[3:],
    "without a plus": lambda phone: phone[1:],
    "with (0)": lambda phone: f"+98 (0) {phone[3:6]} {phone[6:]}",
    "with 0098 and the zero": lambda phone: f"0098 0{phone[3:6]} {phone[6:]}",
    "full width": lambda phone: ("0" + phone[3:]).translate(WIDE),
    "Devanagari digits": lambda phone: ("0" + phone[3:]).translate(DEVANAGARI),
    "a variation selector": lambda phone: f"0{phone[3:6]}\ufe0f{phone[6:]}\u200b",
}
NO_PHONES = ["", " ", "12345", "0912", "+", "+98", "+98912", "091212345678", "0912123456x", "call me", "+98912123456789012", "09121234567; DROP", "۰۹۱۲", "+99900000000", "+4917", "+1 234 5678", "+0098 912 123 4567", "٫" * 11,
             "0" * 5000]


def test_a_number_on_a_wire_is_told_what_is_missing(world):
    campaign, user = world.operator.campaign(places=1), world.user()
    for answer in (register(world, phone="+98 21 8888 8888"), user.redeem(campaign["code"], "+98 21 8888 8888")):
        (fault,) = assert_problem(answer, 422, "validation_failed", ["phone"])["errors"]
        assert "of Iran a mobile one" in fault["detail"]


def register(world, **body):
    return world.wallet.post("/v1/users", {"username": new_username(), "password": PASSWORD, **body})


@pytest.mark.parametrize("form", TYPED)
def test_a_phone_is_taken_as_typed(world, form):
    phone = new_phone()
    answer = register(world, phone=TYPED[form](phone))
    assert answer.status_code == 201, answer.text
    assert answer.json()["phone"] == phone


@pytest.mark.parametrize("form", TYPED)
def test_a_phone_is_taken_as_typed_when_redeeming(world, form):
    campaign = world.operator.campaign(places=1)
    user = world.user()
    answer = user.redeem(campaign["code"], TYPED[form](user.phone))
    assert answer.status_code == 201, answer.text
    assert answer.json()["phone"] == user.phone


@pytest.mark.parametrize("form", TYPED)
def test_the_same_phone_typed_otherwise_is_the_same(world, form):
    phone = new_phone()
    assert register(world, phone=phone).status_code == 201
    assert_problem(register(world, phone=TYPED[form](phone)), 409, "phone_taken")


@pytest.mark.parametrize("typed", NO_PHONES)
def test_what_is_no_phone_is_named(world, stranger, typed):
    assert_problem(register(world, phone=typed), 422, "validation_failed", ["phone"])
    answer = stranger.discount.post("/v1/redemptions", {"code": "ANYTHING", "phone": typed})
    assert_problem(answer, 422, "validation_failed", ["phone"])


def test_a_number_of_another_country(world):
    answer = register(world, phone="+49 151 23456789")
    assert answer.status_code == 201 and answer.json()["phone"] == "+4915123456789"


def test_a_number_with_and_without_its_trunk_prefix_is_one(world):
    tail = new_phone()[-7:]
    assert register(world, phone=f"+49170{tail}").json()["phone"] == f"+49170{tail}"
    for typed in (f"+49 (0)170 {tail}", f"0049 (0) 170 {tail}", f"+49 170/{tail}".replace("/", " ")):
        assert_problem(register(world, phone=typed), 409, "phone_taken")


def test_nobody_is_paid_twice_for_one_number(world):
    campaign = world.operator.campaign(places=5)
    tail = new_phone()[-7:]
    first, second = world.user(phone=f"+49170{tail}"), world.user(phone=None)
    assert first.redeem(campaign["code"], f"+49 (0)170 {tail}").status_code == 201
    answer = second.redeem(campaign["code"], f"+49 (0)170 {tail}")
    assert answer.status_code in (409, 422), answer.text
    assert world.operator.report(campaign["id"])["redeemed"] == 1


@pytest.mark.parametrize("typed", [
    lambda code: code.translate(WIDE), lambda code: code.translate(DEVANAGARI), lambda code: "\ufe0f".join(code), lambda code: "\u200b" * 900 + code,
    lambda code: "".join(chr(ord(letter) + 0xFEE0) for letter in code),
], ids=["full width digits", "Devanagari digits", "variation selectors", "nine hundred of zero width", "full width"])
def test_a_code_is_the_same_code_on_every_keyboard(world, typed):
    code = world.operator.campaign(places=1, code="NOW" + new_phone()[1:])["code"]
    assert world.user().redeem(typed(code)).status_code == 201


def test_a_code_of_another_script(world):
    digits = new_phone()[1:]
    campaign = world.operator.campaign(places=2, code=f"عید{digits}".translate(PERSIAN))
    assert campaign["code"] == f"عید{digits}"
    assert world.user().redeem(f"ع\u200cید-{digits}").status_code == 201
    campaign = world.operator.campaign(places=2, code=f"cafe\u0301{digits}")
    assert campaign["code"] == f"CAFÉ{digits}"
    assert world.user().redeem(f"café{digits}").status_code == 201


@pytest.mark.parametrize("typed, kept", [("Ｎｏｗｒｕｚ\u200b ۱۴۰۴", "Nowruz 1404"), ("Cafe\u0301", "Café"), ("نوروز", "نوروز"), ("x" * 128, "x" * 128), ("\ufdfa", "صلى الله عليه وسلم"),
                                         ("🎁", "🎁"), ("\u200b" * 100 + "a", "a")])
def test_a_campaign_is_named_in_normal_form(world, typed, kept):
    campaign = world.operator.campaign(places=1, name=typed)
    assert campaign["name"] == kept
    tag = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").headers["ETag"]
    changed = world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json={"name": typed + "!" if len(kept) < 128 else typed}, headers={"If-Match": tag})
    assert changed.json()["name"] == (kept + "!" if len(kept) < 128 else kept)


@pytest.mark.parametrize("name", ["\u200b", "\ufe0f\u2060", "\u00a0\u3000", "\u2800", "a\u2028b", "a\u0085b", "\ufdfa" * 8, "x" * 129])
def test_a_name_that_can_not_be_seen_is_none(world, name):
    body = {"name": name, "kind": "wallet_credit", "code": "N" + new_phone()[1:], "credit": {"amount": 1, "currency": "IRT"}, "max_redemptions": 1}
    assert_problem(world.operator.discount.post("/v1/campaigns", body), 422, "validation_failed", ["name"])


@pytest.mark.parametrize("typed", [
    lambda code: code.lower(), lambda code: f" {code} ", lambda code: "-".join(code), lambda code: " ".join(code.lower()),
    lambda code: code.translate(PERSIAN), lambda code: code.lower().translate(ARABIC), lambda code: f"{code[:4]} - {code[4:]}",
], ids=["small letters", "blanks around", "hyphens", "blanks and small letters", "Persian digits", "Arabic digits", "blanks and a hyphen"])
def test_a_code_is_taken_as_typed(world, typed):
    code = world.operator.campaign(places=1, code="NOW" + new_phone()[1:])["code"]
    answer = world.user().redeem(typed(code))
    assert answer.status_code == 201, answer.text


def test_a_code_is_kept_in_one_form(world):
    digits = new_phone()[1:]
    campaign = world.operator.campaign(code=f"no-wr uz {digits.translate(PERSIAN)}")
    assert campaign["code"] == f"NOWRUZ{digits}"
    body = {"name": "Again", "kind": "wallet_credit", "code": f"Nowruz{digits}", "credit": {"amount": 1, "currency": "IRT"}, "max_redemptions": 1}
    assert_problem(world.operator.discount.post("/v1/campaigns", body), 409, "code_taken")


@pytest.mark.parametrize("code", ["", "   ", "---", "A" * 65, "NOWRUZ!", "نوروز!", "پ" * 33, "\u200b", "🎁", "NOW_RUZ"])
def test_a_code_for_a_campaign_must_be_writable(world, code):
    body = {"name": "A", "kind": "wallet_credit", "code": code, "credit": {"amount": 1, "currency": "IRT"}, "max_redemptions": 1}
    assert_problem(world.operator.discount.post("/v1/campaigns", body), 422, "validation_failed", ["code"])


@pytest.mark.parametrize("username, kept", [
    ("abc", "abc"), ("a.b_c-9", "a.b_c-9"), ("SARA", "sara"), ("x" * 32, "x" * 32), ("123", "123"), ("...", "..."),
])
def test_right_usernames(world, username, kept):
    tail = new_username()[-6:]
    if len(username) < 26:
        username, kept = username + tail, kept + tail
    answer = register(world, username=username)
    assert answer.status_code in (201, 409), answer.text
    if answer.status_code == 201:
        assert answer.json()["username"] == kept
        assert world.wallet.post("/v1/sessions", {"username": kept.upper(), "password": PASSWORD}).status_code == 201


@pytest.mark.parametrize("username", ["", "ab", "x" * 33, "with blank", "سارا", "a@b.c", "a/b/c", "abc\n", " abc", "abç", "a\u200db"])
def test_wrong_usernames_are_named(world, username):
    assert_problem(register(world, username=username), 422, "validation_failed", ["username"])


def test_usernames_are_unique_ignoring_case(world):
    username = new_username()
    assert register(world, username=username).status_code == 201
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in username)
    for again in (username, username.upper(), username.capitalize(), wide, "\u200b".join(username), username.translate(PERSIAN)):
        assert world.wallet.post("/v1/sessions", {"username": again, "password": PASSWORD}).status_code == 201
        assert_problem(register(world, username=again), 409, "username_taken")


@pytest.mark.parametrize("password, is_right", [
    ("x" * 7, False), ("x" * 8, True), ("x" * 128, True), ("x" * 129, False), ("پ" * 7, False), ("پ" * 8, True), ("پ" * 128, True), ("پ" * 129, False),
    ("🔑" * 128, True), ("        ", True), ("\"\\/'`<>{}", True), ("e\u0301" * 7, False), ("e\u0301" * 8, True), ("e\u0301" * 128, True),
    ("\"\\/\b\f\n\r\t", False), ("12345678\u200b", False), ("12345678\u0085", False), ("12345678\ufe0f", False),
])
def test_passwords_are_counted_in_characters(world, password, is_right):
    username = new_username()
    answer = world.wallet.post("/v1/users", {"username": username, "password": password})
    if not is_right:
        assert_problem(answer, 422, "validation_failed", ["password"])
        return
    assert answer.status_code == 201, answer.text
    assert world.wallet.post("/v1/sessions", {"username": username, "password": password}).status_code == 201
    assert_problem(world.wallet.post("/v1/sessions", {"username": username, "password": password[:-1] + "?"}), 401, "invalid_credentials")


def test_a_password_is_the_same_on_every_keyboard(world):
    username = new_username()
    assert world.wallet.post("/v1/users", {"username": username, "password": "Café\u00a0Crème"}).status_code == 201
    for typed, status in (("Cafe\u0301 Cre\u0300me", 201), ("Café Crème", 201), ("Café\u3000Crème", 201), ("café crème", 401), ("Ｃafé Crème", 401)):
        assert world.wallet.post("/v1/sessions", {"username": username, "password": typed}).status_code == status, typed


@pytest.mark.parametrize("typed, kept", [
    ("2050-11-22T10:00:00Z", "2050-11-22T10:00:00.000000Z"), ("2050-11-22T10:00:00.5Z", "2050-11-22T10:00:00.500000Z"),
    ("2050-11-22T13:30:00+03:30", "2050-11-22T10:00:00.000000Z"), ("2050-11-22T10:00:00.123456789Z", "2050-11-22T10:00:00.123456Z"),
    ("2050-11-21T23:00:00.000001-11:00", "2050-11-22T10:00:00.000001Z"), ("2052-02-29T00:00:00Z", "2052-02-29T00:00:00.000000Z"),
])
def test_times_are_kept_in_utc_with_microseconds(world, typed, kept):
    assert world.operator.campaign(starts_at=typed)["starts_at"] == kept


@pytest.mark.parametrize("typed", ["2050-11-22", "2050-11-22T10:00:00", "2050-11-22 10:00", "2050-02-30T10:00:00Z", "2050-11-22T24:00:00Z", "2050-11-22T10:60:00Z", "now", "",
                                   "2050-11-22T10:00:00+0330", "2050-11-22T10:00:00.Z", "20501122T100000Z", "2050-11-22T10:00:00Z ", "-2050-11-22T10:00:00Z", 2550823200])
def test_wrong_times_are_named(world, typed):
    body = {"name": "A", "kind": "wallet_credit", "code": "T" + new_phone()[1:], "credit": {"amount": 1, "currency": "IRT"}, "max_redemptions": 1, "starts_at": typed}
    assert_problem(world.operator.discount.post("/v1/campaigns", body), 422, "validation_failed", ["starts_at"])


def test_ids_are_uuid7_of_this_moment(world):
    before = datetime.datetime.now(datetime.timezone.utc)
    answer = register(world).json()
    after = datetime.datetime.now(datetime.timezone.utc)
    assert re.match(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", answer["id"])
    made = int(answer["id"].replace("-", "")[:12], 16) / 1000
    assert before.timestamp() - 1 <= made <= after.timestamp() + 1
    created = datetime.datetime.fromisoformat(answer["created_at"].replace("Z", "+00:00"))
    assert before - datetime.timedelta(seconds=1) <= created <= after
