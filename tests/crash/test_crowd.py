"""`crowd` is the witness of the other tests: so it must see each kind of lie, and must not cry wolf."""
import inspect
import subprocess

import pytest

from crash import lying
from harness import services

TRUTHS = {"a_claim_that_is_paid_later", "busy_at_first"}
LIES = sorted(name for name, _ in inspect.getmembers(lying.Lies, inspect.isfunction) if name not in {"__init__", "winner"} | TRUTHS)


def run_crowd(folder, lie, users=24, places=10, **options):
    password_file = folder / "password"
    password_file.write_text("secret\n")
    with lying.Server(lying.Fake(places, lie)) as server:
        flags = {"wallet": server.url, "discount": server.url, "code": lying.CODE, "users": users, "connections": 6, "places": places,
                 "credit": lying.CREDIT, "admin-password-file": password_file, "give-up-after": 20, **options}
        words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
        return subprocess.run([services.BUILD / "crowd", *words], capture_output=True, text=True, timeout=services.DEADLINE_S, check=False)


@pytest.mark.parametrize("truth", [None, *sorted(TRUTHS)])
def test_the_truth_passes(tmp_path, truth):
    done = run_crowd(tmp_path, truth)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exactly right" in done.stdout
    assert "FAULT" not in done.stdout


def test_fewer_users_than_places_is_fine(tmp_path):
    done = run_crowd(tmp_path, None, users=7)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_is_seen(tmp_path, lie):
    done = run_crowd(tmp_path, lie)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAULT" in done.stdout and "NOT RIGHT" in done.stdout, done.stdout + done.stderr


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


@pytest.mark.parametrize("flags", [["--users", "0"], ["--connections", "none"], ["--code", 'x"y'], ["--wallet", "http://" + "w" * 200], ["--speed", "9"]])
def test_a_bad_flag_is_refused(tmp_path, flags):
    (tmp_path / "password").write_text("secret\n")
    done = subprocess.run([services.BUILD / "crowd", "--admin-password-file", tmp_path / "password", *flags], capture_output=True, text=True,
                          timeout=services.DEADLINE_S, check=False)
    assert done.returncode == 2, done.stderr
    assert flags[0] in done.stderr
