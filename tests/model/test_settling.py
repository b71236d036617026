"""settling.pml, checked exhaustively by spin: the true model keeps every invariant, and each planted fault breaks one.

Each world is one choice of bounds. spin turns the model into a C program that visits every state that can be reached; "exhaustive" means that
it was never cut short: no hashing without comparing (bitstate), no search that was too shallow. The table at the end says what was done.

What spin found is kept in proven.txt with a digest of the model and of this checker. As long as it is the same, spin is not asked again, but by
`./test --long`.
"""

import dataclasses
import os
import pathlib
import re
import resource
import shutil
import subprocess
import time

import pytest
import record

MODEL = pathlib.Path(__file__).with_name("settling.pml")
MEMORY_MB = 1900
IS_LONG = os.environ.get("HAMYAN_LONG") == "1"
LIMIT_S = 900
ASKED = []  # what spin found in this run
KNOWN = []  # what stands in proven.txt instead

# How many users, requests of each at once, and places. A refused user is one whom Wallet does not know.
ONE_PLACE = {"USERS": 2, "REQUESTS": 1, "LIMIT": 1}
ONE_PLACE_REPEATS = {"USERS": 2, "REQUESTS": 2, "LIMIT": 1}
ONE_PLACE_CROWD = {"USERS": 3, "REQUESTS": 1, "LIMIT": 1}
TWO_PLACES = {"USERS": 2, "REQUESTS": 1, "LIMIT": 2}
# With LIVENESS the verifier also looks for endless behaviour; that costs about as much again.
WORLDS = {
    "one place, repeats": ONE_PLACE_REPEATS | ({"LIVENESS": 1} if IS_LONG else {}),
    "one place, three users": ONE_PLACE_CROWD | {"LIVENESS": 1},
    "two places": TWO_PLACES | {"LIVENESS": 1},
    "two places, one refused": TWO_PLACES | {"REFUSED": 1, "LIVENESS": 1},
}

CREDITED_TWICE = "disk_credits[i] <= 1"
CREDIT_AND_CLAIM = "disk_credits[i] == 0 ||"
MARK_AND_CREDIT = "disk_status[i] != CREDITED || disk_credits[i] == 1"
FAILED_WRONGLY = "disk_status[i] != FAILED"
LIMIT = "disk_count <= LIMIT"
GAP = "HAS(set, i)"
TOLD_CLAIMED = "disk_status[USER(s)] != NO_ROW"
TOLD_CREDITED = "disk_status[USER(s)] == CREDITED"
TOLD_SOLD_OUT = "disk_count == LIMIT"
FUND = "disk_fund_left >= 0"
QUIET = "IS_QUIET"

# The fault, the smallest world that shows it, and the assertion of the model that must break.
FAULTS = {
    "REPLIES_BEFORE_COMMIT": (ONE_PLACE, TOLD_CLAIMED),
    "HANDS_OVER_BEFORE_COMMIT": (ONE_PLACE, CREDIT_AND_CLAIM),
    "PUBLISHES_BEFORE_COMMIT": (ONE_PLACE, TOLD_SOLD_OUT),
    "PUBLISHES_COUNT_FIRST": (ONE_PLACE_REPEATS, TOLD_SOLD_OUT),
    "LOOKS_FOR_WINNERS_FIRST": (ONE_PLACE_REPEATS, TOLD_SOLD_OUT),
    "COUNTS_THEN_INSERTS": (ONE_PLACE, LIMIT),
    "NO_LIMIT": (ONE_PLACE | {"FAULT_FUND_NOT_CHECKED": 1}, FUND),
    "KEEPS_MEMORY_AFTER_ROLLBACK": (ONE_PLACE, GAP),
    "LOSES_A_WAKE_UP": (ONE_PLACE, QUIET),
    "FORGETS_AT_RESTART": (ONE_PLACE, QUIET),
    "GIVES_UP": (ONE_PLACE, QUIET),
    "UNKNOWN_IS_REFUSED": (ONE_PLACE, CREDIT_AND_CLAIM),
    "SENDS_BEFORE_FUND": (ONE_PLACE, FAILED_WRONGLY),
    "MARKS_BEFORE_CONFIRMATION": (ONE_PLACE, MARK_AND_CREDIT),
    "ANSWERS_BEFORE_MARK": (ONE_PLACE, TOLD_CREDITED),
    "NEW_REFERENCE": (TWO_PLACES, CREDITED_TWICE),
    "IGNORES_REFERENCE": (TWO_PLACES, CREDITED_TWICE),
    "KEEPS_REFERENCES_IN_MEMORY": (TWO_PLACES, CREDITED_TWICE),
    "REPLIES_BEFORE_CREDIT": (ONE_PLACE, MARK_AND_CREDIT),
}


@dataclasses.dataclass
class Verdict:
    errors: int
    states: int
    depth: int
    memory_mb: float
    seconds: float
    whole: bool  # nothing was cut short
    broken: str  # the assertion, as it stands in the model; empty: none
    unreached: list
    text: str


def run(command, folder, limit_s=LIMIT_S):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=limit_s, check=False)


def number(pattern, text):
    found = re.search(pattern, text)
    assert found, text
    return float(found.group(1))


def source_of_error(folder, defines):
    """The line of the model at which spin's replay of the error stops."""
    replay = run(["spin", *defines, "-t", MODEL.name], folder)
    found = re.search(r"settling\.pml:(\d+), Error: assertion violated", replay.stdout + replay.stderr)
    assert found, replay.stdout[-2000:] + replay.stderr[-2000:]
    line = MODEL.read_text().splitlines()[int(found.group(1)) - 1]
    return re.sub(r"/\*.*?\*/", "", line).strip(" ;")


def check(folder, macros, compile_options=(), run_options=(), depth=1_000_000):
    defines = [f"-D{name}={value}" for name, value in macros.items()]
    shutil.copy(MODEL, folder)
    made = run(["spin", *defines, "-a", MODEL.name], folder)
    assert made.returncode == 0 and (folder / "pan.c").is_file(), made.stdout + made.stderr
    # -w: the verifier is spin's code, not ours.
    memory = [] if "-DBITSTATE" in compile_options else ["-DCOLLAPSE", f"-DMEMLIM={MEMORY_MB}"]
    built = run(["gcc", "-O2", "-w", *memory, *compile_options, "-o", "pan", "pan.c"], folder)
    assert built.returncode == 0, built.stdout + built.stderr
    before_s = time.monotonic()
    done = run(["./pan", f"-m{depth}", *run_options], folder)
    seconds = time.monotonic() - before_s
    text = done.stdout + done.stderr
    errors = int(number(r"errors: (\d+)", text))
    whole = not re.search(r"max search depth too small|Search not completed|out of memory|MEMLIM|memory limit", text, re.IGNORECASE)
    return Verdict(
        errors=errors,
        states=int(number(r"([\d.e+]+) states, stored", text)),
        depth=int(number(r"depth reached (\d+)", text)),
        memory_mb=number(r"([\d.]+)\s+total actual memory usage", text),
        seconds=seconds,
        whole=whole,
        broken=source_of_error(folder, defines) if "assertion violated" in text else "",
        unreached=[line.strip() for line in re.findall(r"\.pml:\d+, state \d+, .*", text)],
        text=text,
    )


@pytest.fixture(scope="session")
def proven(request):
    """{(kind, name): line} of proven.txt, if it is of this model and this checker; empty when spin shall be asked anyway."""
    digest, lines = record.read()
    is_asked = IS_LONG or request.config.getoption("--record") or digest != record.digest()
    return {} if is_asked else lines


def is_known(proven, kind, name):
    """Each answer must be there: a record of a part would leave the rest unasked."""
    if proven:
        KNOWN.append(proven[kind, name])
    return bool(proven)


def note(kind, name, verdict, result):
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    ASKED.append(f"{kind:8} {name:28} {verdict.states:>9} states {verdict.depth:>7} deep {verdict.seconds:6.1f} s  {result}")
    assert peak_mb < 2048, f"{peak_mb} MiB"


@pytest.mark.parametrize("world", WORLDS)
def test_every_state_keeps_the_invariants(world, proven, tmp_path):
    """And once calm, the world becomes quiet: with the last failure behind it, everybody is answered and every claim is settled."""
    if is_known(proven, "proof", world):
        return
    is_live = "LIVENESS" in WORLDS[world]
    verdict = check(tmp_path, WORLDS[world], [] if is_live else ["-DSAFETY"], ["-a", "-w23"] if is_live else ["-w23"])
    note("proof", world, verdict, f"errors: {verdict.errors}")
    assert verdict.errors == 0 and verdict.whole, verdict.text
    assert verdict.states > 100_000, verdict.text


def test_endless_unrest_is_found(proven, tmp_path):
    """The proof of quiet is not empty: a settler that gives up breaks it, also without the assertion at the end of the world."""
    if is_known(proven, "fault", "gives_up, by liveness"):
        return
    macros = ONE_PLACE | {"FAULT_GIVES_UP": 1, "WITHOUT_END": 1, "LIVENESS": 1}
    verdict = check(tmp_path, macros, [], ["-a", "-w22"])
    note("fault", "gives_up, by liveness", verdict, "acceptance cycle")
    assert verdict.errors > 0 and "acceptance cycle" in verdict.text, verdict.text


def test_fund_stops_what_the_limit_lets_through(proven, tmp_path):
    """Wallet alone refuses the credit behind the last place, when Discount has forgotten its limit."""
    if is_known(proven, "defence", "no limit, fund checked"):
        return
    verdict = check(tmp_path, ONE_PLACE | {"FAULT_NO_LIMIT": 1, "WITHOUT_END": 1}, ["-DSAFETY"], ["-w22"])
    note("defence", "no limit, fund checked", verdict, f"errors: {verdict.errors}")
    assert verdict.errors == 0 and verdict.whole, verdict.text


def test_every_line_of_the_model_is_reached(proven, tmp_path):
    """Steps made of single statements, because spin does not look into a d_step. Reaching needs no complete search: bitstate will do.

    The ends of the endless processes are the only states that may stay unreached.
    """
    if is_known(proven, "coverage", "every statement"):
        return
    macros = {"USERS": 3, "REQUESTS": 1, "LIMIT": 2, "REFUSED": 1, "STEP": "atomic"}
    verdict = check(tmp_path, macros, ["-DSAFETY", "-DBITSTATE"], ["-w21"], depth=100_000)
    unexplained = [line for line in verdict.unreached if '"-end-"' not in line]
    note("coverage", "every statement", verdict, f"unreached: {len(unexplained)}")
    assert verdict.errors == 0, verdict.text
    assert "unreached in proctype Store" in verdict.text
    assert not unexplained, "\n".join(unexplained)


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(fault, proven, tmp_path):
    if is_known(proven, "fault", fault.lower()):
        return
    world, assertion = FAULTS[fault]
    verdict = check(tmp_path, world | {f"FAULT_{fault}": 1}, ["-DSAFETY"], ["-w22"])
    note("fault", fault.lower(), verdict, verdict.broken)
    assert verdict.errors > 0, verdict.text
    assert assertion in verdict.broken


def test_every_fault_of_the_model_is_planted():
    named = set(re.findall(r"FAULT_(\w+)", MODEL.read_text())) - {"FUND_NOT_CHECKED"}  # it needs NO_LIMIT beside it
    assert named == set(FAULTS)


def test_the_record_is_of_this_model(request):
    digest, lines = record.read()
    if request.config.getoption("--record"):
        return  # it is written at the end
    assert digest == record.digest(), "the model or its checker changed: pytest tests/model --record"
    assert len(lines) == len(WORLDS) + len(FAULTS) + 3


def test_another_model_or_another_checker_has_another_digest(tmp_path, monkeypatch):
    for name, text in (("a.pml", "1"), ("b.py", "2")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    digests = {record.digest()}
    for name, text in (("a.pml", "3"), ("b.py", "3"), ("c.py", "")):
        (tmp_path / name).write_text(text)
        digests.add(record.digest())
    assert len(digests) == 4
    record.write(["fault    a name                       7 states"], tmp_path / "proven.txt")
    assert record.read(tmp_path / "proven.txt") == (record.digest(), {("fault", "a name"): "fault    a name                       7 states"})
