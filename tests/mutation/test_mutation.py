"""The mutants are what they say, and with --long: no mutant of the cores, the engine's frame or the settler lives that is not accepted."""

import os
import pathlib
import subprocess
import sys

import mutants

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
IS_LONG = os.environ.get("HAMYAN_LONG", "0") == "1"

SOURCE = """#include <stdbool.h>
#define LOG(...)
#define LOG_BURST(...)

/* if (a comment) is none; */
static const int table[] = {1, 2};

static bool is_odd(int a) { return a % 2 != 0; }

int grade(int a, int b,
          const char *name);
int grade(int a, int b,
          const char *name) {
    int grades[4] = {0};
    if (a > 3 && name[0] == '3') return 1;
    if (b == 9) {
        a += table[1];
    } else if (is_odd(b)) {
        grades[0]++;
    }
    for (int i = 0; i < b; i++) grades[1] += a;
    switch (a) {
    case 7: return 2;
    default: break;
    }
    if (a < 5) LOG(LOG_WARN, "told");
    LOG_BURST(&grades, LOG_WARN, "told", a + 1);
    return grades[0] * 3 + grades[1];
}
"""
NAMES = """is_odd: moved 2 in: return a % 2 != 0;
is_odd: moved 0 in: return a % 2 != 0;
grade: negated: a > 3 && name[0] == '3'
grade: guard dropped: a > 3 && name[0] == '3'
grade: side of && dropped: a > 3
grade: side of && dropped: name[0] == '3'
grade: moved behind > in: a > 3 && name[0] == '3'
grade: moved 0 in: a > 3 && name[0] == '3'
grade: moved 1 in: return 1;
grade: negated: b == 9
grade: moved 9 in: b == 9
grade: dropped: a += table[1];
grade: moved 1 in: a += table[1];
grade: negated: is_odd(b)
grade: dropped: grades[0]++;
grade: moved 0 in: grades[0]++;
grade: moved behind < in: int i = 0; i < b; i++
grade: moved 0 in: int i = 0; i < b; i++
grade: dropped: grades[1] += a;
grade: moved 1 in: grades[1] += a;
grade: moved 2 in: return 2;
grade: moved 0 in: return grades[0] * 3 + grades[1];
grade: moved 3 in: return grades[0] * 3 + grades[1];
grade: moved 1 in: return grades[0] * 3 + grades[1];""".splitlines()
# Enough arguments that each mutant gives another answer somewhere.
MAIN = """
#include <stdio.h>
int main(void) {
    const char *names[] = {"3", "x3", ""};
    for (int a = 0; a < 9; a++)
        for (int b = 0; b < 11; b++)
            for (int n = 0; n < 3; n++) printf("%d ", grade(a, b, names[n]));
    return 0;
}
"""


def test_what_is_found():
    assert [mutant.name.removeprefix("a.c: ") for mutant in mutants.find("a.c", SOURCE)] == NAMES


def test_each_mutant_changes_what_the_program_says_and_asleep_none_does(tmp_path):
    numbered = dict(enumerate(mutants.find("a.c", SOURCE)))
    (tmp_path / "plain.c").write_text(SOURCE + MAIN)
    (tmp_path / "all.c").write_text(mutants.write(SOURCE + MAIN, numbered))
    said = {}
    for name in ("plain", "all"):
        subprocess.run(["gcc", "-w", f"-I{HERE}", "-o", name, f"{name}.c"], cwd=tmp_path, check=True, timeout=60)
        said[name] = subprocess.run([tmp_path / name], capture_output=True, text=True, check=True, timeout=10).stdout
    assert said["plain"] == said["all"]
    for number, mutant in numbered.items():
        awake = subprocess.run([tmp_path / "all"], capture_output=True, text=True, check=False, timeout=10, env={"HAMYAN_MUTANT": str(number)})
        assert awake.stdout != said["plain"] or awake.returncode != 0, mutant.name


def test_a_run_tells_which_mutants_it_came_by(tmp_path):
    numbered = dict(enumerate(mutants.find("a.c", SOURCE)))
    (tmp_path / "all.c").write_text(mutants.write(SOURCE, numbered) + 'int main(void) { return grade(0, 9, ""); }\n')
    subprocess.run(["gcc", "-w", f"-I{HERE}", "-o", "all", "all.c"], cwd=tmp_path, check=True, timeout=60)
    subprocess.run([tmp_path / "all"], check=False, timeout=10, env={"HAMYAN_MUTANT_TRACE": str(tmp_path / "trace")})
    met = {numbered[int(line)].name for line in (tmp_path / "trace").read_text().split()}
    assert "a.c: grade: dropped: a += table[1];" in met and "a.c: grade: dropped: grades[0]++;" not in met


def test_what_the_compiler_refuses_goes():
    numbered = dict(enumerate(mutants.find("a.c", SOURCE)))
    line = SOURCE[: SOURCE.index("return a % 2")].count("\n") + 1
    assert len(mutants.without_lines(numbered, {line})) == len(numbered) - 2


def test_what_may_live_is_there_and_has_a_reason():
    named = subprocess.run([sys.executable, ROOT / "scripts/mutate", "--list"], capture_output=True, text=True, timeout=60, check=True).stdout
    lines = [line for line in (HERE / "accepted.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0].startswith("= "), "a reason stands above the names"
    names = [line for line in lines if not line.startswith("= ")]
    assert len(set(names)) == len(names)
    assert set(names) - set(named.splitlines()) == set()


if IS_LONG:

    def test_no_mutant_lives_that_is_not_accepted():
        done = subprocess.run([sys.executable, ROOT / "scripts/mutate"], capture_output=True, text=True, timeout=6 * 3600, check=False)
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
