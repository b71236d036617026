"""The simulator's worlds: none may break a rule, and a seed says everything about its world."""

import concurrent.futures
import functools
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIM = pathlib.Path(os.environ.get("HAMYAN_BUILD", ROOT / "build")).resolve() / "sim"
IS_LONG = os.environ.get("HAMYAN_LONG", "0") == "1"
SEEDS = 100000 if IS_LONG else 2000


def run(*words, limit_s):
    return subprocess.run([SIM, *words], capture_output=True, text=True, timeout=limit_s, check=False)


@pytest.fixture(scope="module", name="campaign")
def fixture_campaign():
    return run("--seeds", f"1..{SEEDS}", limit_s=600 + SEEDS / 4)


@functools.cache
def hash_alone(seed):
    """Of the seed's world, in a process of its own."""
    return int(run("--seed", str(seed), limit_s=60).stdout.split()[-1], 16)


def test_no_world_breaks_a_rule(campaign):
    assert campaign.returncode == 0, campaign.stdout[-4000:] + campaign.stderr[-4000:]
    summary = re.search(r"^(\d+) seeds, (\d+) steps, .* (\d+) failed$", campaign.stdout, re.MULTILINE)
    assert summary, campaign.stdout[-2000:]
    assert int(summary[1]) == SEEDS and int(summary[3]) == 0
    assert int(summary[2]) > SEEDS * 100  # worlds in which something happens
    print(campaign.stdout)


def test_worlds_meet_crashes_and_every_kind_of_request(campaign):
    """Coverage is counted over the run: worlds without faults would prove little."""
    counts = dict(re.findall(r"^  ([a-z][a-z ]+?)\s+(\d+)$", campaign.stdout, re.MULTILINE))
    for state in ("redeem", "transfer", "pause", "patch", "crash while serving", "crash while starting"):
        assert int(counts.get(state, 0)) > SEEDS / 60, (state, counts)


def test_a_seed_replays_its_world_to_the_byte():
    for seed in ("7", "11", "23"):
        first, second = (run("--seed", seed, "--events", limit_s=60) for _ in range(2))
        assert first.returncode == second.returncode == 0, first.stdout[-2000:]
        assert first.stdout == second.stdout
        assert re.search(r"hash [0-9a-f]{32}$", first.stdout.strip())


def test_a_world_does_not_depend_on_those_before_it():
    """A process lives through several worlds: what they leave behind changes none that follows."""
    together = re.search(r"^hash over all worlds ([0-9a-f]{32})$", run("--seeds", "1..40", limit_s=120).stdout, re.MULTILINE)[1]
    alone = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for one in pool.map(hash_alone, range(1, 41)):
            alone ^= one
    assert f"{alone:032x}" == together


def test_another_seed_is_another_world():
    assert len({hash_alone(seed) for seed in (1, 2, 3)}) == 3


def test_a_world_that_does_not_end_is_reported():
    done = run("--seed", "7", "--steps", "300", limit_s=60)
    assert done.returncode == 1
    assert "FAILED at step 301" in done.stdout and "a world ends: not within 300 steps" in done.stdout
    replay = re.search(r"^  replay: build/sim (.+) --events$", done.stdout, re.MULTILINE)[1].split()
    assert "a world ends" in run(*replay, limit_s=60).stdout


def rows_of(table):
    """Of the table of planted faults: (fault, seed); no seed where a unit test finds it."""
    return re.findall(r"^\| ([^|]+?) \| (\d+|not found|) ?\|", table, re.MULTILINE)


def test_every_planted_fault_is_found(tmp_path):
    planted = len(list((ROOT / "sim/planted").glob("*.patch")))
    assert planted >= 20
    kept_first = [] if IS_LONG else ["--kept"]
    done = subprocess.run([ROOT / "scripts/write-planted", *kept_first, tmp_path / "table.md"], capture_output=True, text=True, timeout=3000, check=False)
    found = rows_of((tmp_path / "table.md").read_text())
    assert done.returncode == 0, (done.stderr[-2000:], [fault for fault, seed in found if seed == "not found"])
    assert re.search(r"^\| a batch waits until it is full \|.*\| a step comes to its end \|$", (tmp_path / "table.md").read_text(), re.MULTILINE)
    assert len(found) == planted and all(int(seed) <= 10000 for _, seed in found if seed)
    kept = rows_of((ROOT / "docs/planted-faults.md").read_text())
    assert [fault for fault, _ in kept] == [fault for fault, _ in found], "docs/planted-faults.md: run scripts/write-planted"
