"""`crowd` is the witness of the other tests: so it must see each kind of lie, and must not cry wolf.

Nothing in here has a database: there is nothing to run on PostgreSQL."""
import subprocess

import pytest

from crash import lying
from harness import services

TRUTHS = ("a_claim_that_is_paid_later", "busy_at_first")
# Each lie and the words that tell of it.
LIES = {
    "one_winner_too_many": ["11 winners in 10 places", "the report says 10 redeemed, the list 11"],
    "one_winner_too_few": ["9 winners where 10 are due", "the wallets hold 9000000 in all"],
    "a_position_twice": ["position 3 stands where 4 is due"],
    "a_gap": ["position 11 stands where 10 is due"],
    "one_user_twice": ["has won twice", "is not listed"],
    "a_phone_twice": ["the phone of position 4 has won twice"],
    "a_winner_is_not_listed": ["was told place 4 and is not listed", "9 winners where 10 are due"],
    "the_money_is_missing": ["holds 0 and is due 1000000", "the wallets hold 9000000 in all"],
    "the_money_came_twice": ["holds 2000000 and is due 1000000", "has 2 credits for one place"],
    "the_credit_is_booked_twice_and_balanced": ["has 2 credits for one place"],
    "a_loser_holds_money": ["holds 1000000 and is due 0"],
    "the_report_counts_wrong": ["the report says 9 redeemed, the list 10"],
    "the_report_does_not_add_up": ["10 redeemed and 1 remaining are not 10"],
    "the_report_credits_wrong": ["the report says 9 credited, the list 10"],
    "the_report_tells_of_a_failure": ["1 credits have failed"],
    "no_report": ["the report cannot be read"],
    "credits_stay_pending": ["no end of the settling", "1 credits are still pending"],
    "a_list_without_end": ["the list of winners cannot be read"],
    "a_winner_was_told_no": ["has place 3 and was told no"],
    "a_no_for_the_wrong_reason": ["was refused with 409"],
    "another_place_than_told": ["was told place 4 and has 3"],
    "a_201_that_is_no_redemption": ["has no good answer"],
    "a_201_that_is_not_credited": ["has no good answer"],
    "a_claim_that_becomes_a_no": ["has no good answer"],
    "a_claim_that_is_never_paid": ["still waits for the credit"],
    "a_winner_that_failed": ["position 3 is failed"],
    "a_winner_without_a_user": ["position 3 has no user"],
}

LIES_OF_ORDERS = {
    "told_less_off": ["off an order of", "and is due"],
    "told_to_pay_more": ["off an order of", "and is due"],
    "listed_with_less_off": ["position 3 is listed with", "off, the list 10"],
    "listed_with_anothers_order": ["is listed with another order"],
    "an_order_of_another_amount": ["is listed with another order"],
    "credited_for_an_order": ["position 3 is credited", "the report says 0 credited, the list 1"],
    "told_credited_for_an_order": ["was told of another kind of gift"],
    "paid_for_an_order": ["has 1 credits for one place"],
    "the_report_forgets_an_order": ["the report says 9 orders"],
    "the_report_adds_orders_wrong": ["the report says 10 orders"],
    "the_report_adds_discounts_wrong": ["the report says 10 orders"],
    "a_no_for_the_wrong_reason": ["was refused with 409"],
    "a_loser_holds_money": ["holds 1000000 and is due 0"],
}
LIES_OF_CODES = {
    "a_code_of_nobody": ["has a place, and the code CROWD-"],
    "a_code_of_two": ["has a place, and the code CROWD-"],
    "anothers_code": ["has a place, and the code CROWD-"],
    "a_losers_code_is_gone": ["has none, and the code CROWD-"],
    "the_report_counts_codes_wrong": ["the report says 9 codes of the batch of 24 are used 10 times, by 10 winners"],
    "the_report_counts_uses_wrong": ["the report says 10 codes of the batch of 24 are used 11 times, by 10 winners"],
    "the_report_knows_no_batch": ["the report says -1 codes"],
    "a_right_code_is_refused": ["was refused with 404"],
    "one_winner_too_few": ["9 winners where 10 are due"],
}


def run_crowd(folder, lie, users=24, places=10, flags=(), **options):
    password_file = folder / "password"
    password_file.write_text("secret\n")
    with lying.Server(lying.Fake(places, lie, has_orders="--orders" in flags)) as server:
        named = {"wallet": server.url, "discount": server.url, "code": lying.CODE, "users": users, "connections": 6, "places": places,
                 "credit": lying.CREDIT, "admin-password-file": password_file, "give-up-after": 20, **options}
        words = [word for name, value in named.items() for word in (f"--{name}", str(value))] + list(flags)
        return subprocess.run([services.BUILD / "crowd", *words], capture_output=True, text=True, timeout=services.DEADLINE_S, check=False)


ORDERS, CODES = ("--orders",), ("--codes", "unique")


@pytest.mark.parametrize("truth, flags", [*((truth, ()) for truth in (None, *TRUTHS)), (None, ORDERS), ("busy_at_first", ORDERS), (None, CODES),
                                          ("a_claim_that_is_paid_later", CODES), ("busy_at_first", (*CODES, *ORDERS))])
def test_the_truth_passes(tmp_path, truth, flags):
    done = run_crowd(tmp_path, truth, flags=flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exactly right" in done.stdout
    assert "FAULT" not in done.stdout
    assert ("taken off" in done.stdout) == ("--orders" in flags) and ("each by its own user" in done.stdout) == ("unique" in flags)


def test_a_campaign_of_orders_needs_the_flag(tmp_path):
    password_file = tmp_path / "password"
    password_file.write_text("secret\n")
    with lying.Server(lying.Fake(10, has_orders=True)) as server:
        done = subprocess.run([services.BUILD / "crowd", "--wallet", server.url, "--discount", server.url, "--code", lying.CODE, "--admin-password-file", password_file],
                              capture_output=True, text=True, timeout=services.DEADLINE_S, check=False)
    assert done.returncode == 1 and "needs --orders" in done.stderr


def test_fewer_users_than_places_is_fine(tmp_path):
    done = run_crowd(tmp_path, None, users=7)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("lie, words, flags", [(lie, words, flags) for lies, flags in ((LIES, ()), (LIES_OF_ORDERS, ORDERS), (LIES_OF_CODES, CODES))
                                               for lie, words in lies.items()])
def test_each_lie_is_seen(tmp_path, lie, words, flags):
    patience = {"give-up-after": 1} if lie in ("credits_stay_pending", "a_claim_that_is_never_paid") else {}
    done = run_crowd(tmp_path, lie, flags=flags, **patience)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NOT RIGHT" in done.stdout, done.stdout + done.stderr
    faults = [line for line in done.stdout.splitlines() if line.startswith("  FAULT: ")]
    for expected in words:
        assert any(expected in fault for fault in faults), faults


def test_many_faults_are_told_in_few_lines(tmp_path):
    done = run_crowd(tmp_path, "a_no_for_the_wrong_reason", users=60)
    assert done.stdout.count("FAULT") == 20
    assert "and 30 more faults" in done.stdout


def test_answers_are_counted_by_status(tmp_path):
    done = run_crowd(tmp_path, None)
    counted = {words[0]: words[1] for words in map(str.split, done.stdout.splitlines()) if len(words) == 2 and words[0] in ("201", "410")}
    assert counted == {"201": "10", "410": "14"}, done.stdout


def test_nobody_there_ends_in_time_with_a_word(tmp_path):
    (tmp_path / "password").write_text("secret\n")
    nowhere = f"http://127.0.0.1:{services.free_port()}"
    words = ["--wallet", nowhere, "--discount", nowhere, "--admin-password-file", tmp_path / "password", "--give-up-after", "1"]
    done = subprocess.run([services.BUILD / "crowd", *words], capture_output=True, text=True, timeout=services.DEADLINE_S, check=False)
    assert done.returncode == 1
    assert "cannot log in" in done.stderr


@pytest.mark.parametrize("flags", [["--users", "0"], ["--connections", "none"], ["--code", 'x"y'], ["--wallet", "http://" + "w" * 200], ["--speed", "9"], ["--codes", "own"]])
def test_a_bad_flag_is_refused(tmp_path, flags):
    (tmp_path / "password").write_text("secret\n")
    done = subprocess.run([services.BUILD / "crowd", "--admin-password-file", tmp_path / "password", *flags], capture_output=True, text=True,
                          timeout=services.DEADLINE_S, check=False)
    assert done.returncode == 2, done.stderr
    assert flags[0] in done.stderr
