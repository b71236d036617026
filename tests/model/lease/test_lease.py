"""lease.pml, checked exhaustively by spin: the lease and the doubt keep their promises, and each planted fault breaks one.

The model is small enough to be asked anew each time: nothing of it is kept in proven.txt.
"""

import pathlib
import re
import shutil
import subprocess

import pytest

MODEL = pathlib.Path(__file__).with_name("lease.pml")

# The fault, and the assertion of the model that must break.
FAULTS = {
    "DOUBT_TAKEN_FOR_MADE": "what != DONE || applied[p] == 1",
    "DOUBT_TAKEN_FOR_LOST": "applied[p] <= 1",
    "LEASE_IGNORED": "!lease || holder == p",
    "EPOCH_NOT_ASKED": "holder == p",
}


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def check(folder, *defines):
    """What the verifier says of the model, every state of it visited."""
    shutil.copy(MODEL, folder)
    made = run(["spin", *defines, "-a", MODEL.name], folder)
    assert made.returncode == 0 and (folder / "pan.c").is_file(), made.stdout + made.stderr
    built = run(["gcc", "-O1", "-w", "-DSAFETY", "-o", "pan", "pan.c"], folder)
    assert built.returncode == 0, built.stdout + built.stderr
    done = run(["./pan", "-m1000000"], folder)
    return done.stdout + done.stderr


def test_every_state_keeps_the_promises(tmp_path):
    """And no state without a way on has a doubt left open, or a request that is neither answered nor ended by name."""
    text = check(tmp_path)
    assert "errors: 0" in text and "max search depth too small" not in text and "Search not completed" not in text, text
    assert int(float(re.search(r"([\d.e+]+) states, stored", text)[1])) > 10_000, text
    unreached = re.findall(r"\.pml:\d+, state \d+, .*", text)
    assert all('"-end-"' in line for line in unreached), "\n".join(unreached)


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(fault, tmp_path):
    text = check(tmp_path, f"-DFAULT_{fault}")
    assert "errors: 1" in text, text
    replay = run(["spin", f"-DFAULT_{fault}", "-t", MODEL.name], tmp_path)
    found = re.search(r"lease\.pml:(\d+), Error: assertion violated", replay.stdout + replay.stderr)
    assert found, replay.stdout[-2000:]
    assert f"assert({FAULTS[fault]})" in MODEL.read_text().splitlines()[int(found[1]) - 1]


def test_every_fault_of_the_model_is_planted():
    assert set(re.findall(r"FAULT_([A-Z_]+)", MODEL.read_text())) == set(FAULTS)
