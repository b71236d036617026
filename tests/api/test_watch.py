"""crowd --watch: the campaign as a line that moves in a terminal, and as lines elsewhere."""
import os
import pty
import re
import subprocess

from harness.services import BUILD, DEADLINE_S

LINE = re.compile(r"places     \[[#.]{24}\] ([\d,]+) of ([\d,]+) left   claimed ([\d,]+)   credited ([\d,]+)   refused ([\d,]+)")


def words(world, campaign):
    pair = world.pair
    return [BUILD / "crowd", "--wallet", pair.wallet.url, "--discount", pair.discount.url, "--code", campaign["code"], "--users", "30", "--places", "20", "--connections", "8",
            "--rate", "40", "--admin-name", pair.admin_name, "--admin-password-file", pair.password_file, "--watch"]


def counts(line):
    return [int(number.replace(",", "")) for number in LINE.fullmatch(line).groups()]


def check(lines):
    """Left, places, claimed, credited, refused: nothing is undone, and the last line is the end."""
    found = [counts(line) for line in lines if line.startswith("places ")]
    assert len(found) >= 2 and found[-1] == [0, 20, 20, 20, 10]
    for earlier, later in zip(found, found[1:]):
        assert earlier != later and earlier[0] >= later[0] and all(before <= after for before, after in zip(earlier[2:], later[2:]))
    for left, places, claimed, _, _ in found:
        assert left + claimed == places


def test_lines_where_there_is_no_terminal(world):
    campaign = world.operator.campaign(places=20)
    done = subprocess.run(words(world, campaign), capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\r" not in done.stderr and "\033" not in done.stderr
    check(done.stderr.splitlines())


def test_one_line_in_a_terminal(world):
    campaign = world.operator.campaign(places=20)
    ours, theirs = pty.openpty()
    crowd = subprocess.Popen(words(world, campaign), stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    seen = b""
    try:
        while True:
            piece = os.read(ours, 4096)
            seen += piece
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    output = crowd.stdout.read()
    assert crowd.wait(DEADLINE_S) == 0, output
    drawn = [part for part in seen.decode().split("\r") if part.startswith("places ")]
    check([part.partition("\033[K")[0] for part in drawn])
    assert all(part.endswith("\033[K") for part in drawn[:-1])
