"""The simulator's worlds: none may break a rule, and a seed says everything about its world."""

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIM = pathlib.Path(os.environ.get("HAMYAN_BUILD", ROOT / "build")).resolve() / "sim"
IS_LONG = os.environ.get("HAMYAN_LONG", "0") == "1"
SEEDS = 10000 if IS_LONG else 300


def run(*words, limit_s):
    return subprocess.run([SIM, *words], capture_output=True, text=True, timeout=limit_s, check=False)


def test_no_world_breaks_a_rule():
    done = run("--seeds", f"1..{SEEDS}", limit_s=SEEDS * 2)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    summary = re.search(r"^(\d+) seeds, (\d+) steps, .* (\d+) failed$", done.stdout, re.MULTILINE)
    assert summary, done.stdout[-2000:]
    assert int(summary[1]) == SEEDS and int(summary[3]) == 0
    assert int(summary[2]) > SEEDS * 100  # worlds in which something happens
    print(done.stdout)


def test_worlds_meet_crashes_and_every_kind_of_request():
    """Coverage is counted over the run: a world without faults would prove little."""
    counts = dict(re.findall(r"^  ([a-z][a-z ]+?)\s+(\d+)$", run("--seeds", "1..60", limit_s=180).stdout, re.MULTILINE))
    for state in ("redeem", "transfer", "pause", "patch", "crash while serving", "crash while starting"):
        assert int(counts.get(state, 0)) > 0, (state, counts)


def test_a_seed_replays_its_world_to_the_byte():
    for seed in ("7", "11", "23"):
        first, second = (run("--seed", seed, "--events", limit_s=60) for _ in range(2))
        assert first.returncode == second.returncode == 0, first.stdout[-2000:]
        assert first.stdout == second.stdout
        assert re.search(r"hash [0-9a-f]{32}$", first.stdout.strip())


def test_another_seed_is_another_world():
    hashes = {run("--seed", str(seed), limit_s=60).stdout.split()[-1] for seed in (1, 2, 3)}
    assert len(hashes) == 3
