"""The house rules as functions: each takes the root of a tree and returns its faults as lines `path:line: what`.

They read text, not C, with two simplifications that clang-format makes safe: a function starts in the first column and ends with a
`}` alone in the first column.
"""

import pathlib
import re
import subprocess

SKIPPED_FOLDERS = {".git", ".setup", "build", "node_modules", "data", "test-results", "results", "__pycache__", ".pytest_cache"}
C_FOLDERS = ("src", "sim", "bench", "tests")
FUNCTION_LINES_MAX = 72
FILE_LINES_MAX = 650

# Who may include whom; each may include itself.
LAYERS = {
    "base": set(),
    "http": {"base"},
    "auth": {"base"},
    "store": {"base"},
    "service": {"base", "http", "auth", "store"},
    "wallet": {"base", "http", "auth", "store", "service"},
    "discount": {"base", "http", "auth", "store", "service"},
    "crowd": {"base", "http"},
}
# Made during the build from sql/, for one folder each.
GENERATED_HEADERS = {"wallet": {"wallet_schema.h"}, "discount": {"discount_schema.h"}}
# Headers of libraries and the one folder that may include each.
THIRD_PARTY = {
    "jansson.h": "tests",
    "sodium.h": "src/base",
    "utf8proc.h": "src/base",
    "glib.h": "src/base",
    "phonenumbers/": "src/base/phone",
    "http_parser.h": "tests",
    "curl/": "src/http",
    "openssl/": "src/auth",
    "sqlite3.h": "src/store/sqlite",
    "libpq-fe.h": "src/store/postgres",
    "cmocka.h": "tests/unit",
}
# The simulator's disk is a VFS of SQLite's.
SEES_THROUGH = {"sqlite3.h": {"sim/disk_vfs.c"}}
# The business cores: no I/O, no clock, no randomness, no threads. What they may include besides base/ and their own room.
PURE_CORES = re.compile(r"^src/\w+/core/\w+\.[ch]$")
PURE_SYSTEM_HEADERS = {"inttypes.h", "limits.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h"}
IMPURE_BASE_HEADERS = {"base/log.h", "base/metrics.h", "base/queue.h", "base/param.h"}
IMPURE_CALLS = re.compile(r"\b(clock_now_us|clock_monotonic_us|clock_gettime|time|rand|random|crypto_random\w*|printf|fprintf|fopen|id_source_init_system)\s*\(")
NO_DOUBLE = re.compile(r"^src/(\w+/core/\w+|base/money|\w+/rows\w*)\.[ch]$")

# SQL as C writes it: a string that begins with a statement, or goes on with one.
SQL = re.compile(
    r'"\s*(?:(?:SELECT|FROM|WHERE|WITH|PRAGMA|SAVEPOINT|UNION|ON CONFLICT|ORDER BY|RETURNING) |INSERT (?:OR|INTO) |UPDATE \w+ SET|DELETE FROM |(?:CREATE|DROP|ALTER) '
    r'(?:UNIQUE )?(?:TABLE|INDEX) |(?:BEGIN|COMMIT|ROLLBACK)(?: IMMEDIATE| TRANSACTION)?[;"])'
)
SQL_HEADERS = ("sqlite3.h", "libpq-fe.h", "postgresql/")
SQL_ROOMS = re.compile(r"^src/(store/.*|(service|wallet|discount)/tables(_\w+)?)\.[ch]$")
# What has gone for good, and since when: a path that must not be there any more, or one that must be. Until then the rule sleeps.
GONE = (
    ("in the cores stands no planted fault: sim/planted/ has them as patches", re.compile(r"\bPLANTED(_\w+)?\b"), re.compile(r"^src/"), ("absent", "src/base/planted.h")),
    ("rows are loaded and saved by the seam alone", re.compile(r"\brows_memory\b|\bstruct wallet_rows\b"), re.compile(r"^src/wallet/"), ("present", "src/wallet/tables.c")),
    ("rows are loaded and saved by the seam alone", re.compile(r"\brows_memory\b|\bstruct discount_rows\b"), re.compile(r"^src/discount/"), ("present", "src/discount/tables.c")),
    ("OpenSSL makes keys and signs", re.compile(r"\bcjose\w*"), re.compile(r"^(src|tests|sim)/"), ("absent", "src/auth/cjose.c")),
)
# Money is counted by money.h, which sees what overflows.
MONEY_SUM = re.compile(r"\b\w*(?:amount|balance|debits|credits|total|fund|funded|remaining|released|floor|limit)\w*_minor\s*(?:[-+*/]=?(?![->])|\+\+|--)|[-+*/]=?\s+[\w.>-]*_minor\b")
MONEY_ROOMS = re.compile(r"^src/(\w+/core/\w+|discount/settle/\w+)\.[ch]$")

BANNED_CALLS = re.compile(
    r"\b(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|strtok|strtok_r|atoi|atol|atoll|atof|gets|alloca|system|popen|rand|srand"
    r"|localtime|gmtime|ctime|asctime|longjmp|goto)\b(?=\s*[(\w])"
)
BANNED_NAMES = {"util", "utils", "common", "misc", "helper", "helpers"}
OPEN_WORK = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME|X" + r"XX)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(" + "work|roo" + r"t|hom" + r"e/\w+)/")
STATEMENT_START = re.compile(r"^[A-Za-z_]")


def files(root, suffixes, folders=None):
    """All files with one of the suffixes, as (path relative to root, text), in a steady order."""
    starts = [root / folder for folder in folders] if folders else [root]
    for start in starts:
        for path in sorted(start.rglob("*")):
            relative = path.relative_to(root)
            if any(part in SKIPPED_FOLDERS or part.startswith("build-") for part in relative.parts):
                continue
            if path.is_file() and (path.suffix in suffixes or "*" in suffixes):
                yield relative.as_posix(), path


def c_files(root):
    for relative, path in files(root, {".c", ".h"}, [folder for folder in C_FOLDERS if (root / folder).is_dir()]):
        yield relative, path.read_text()


def code_only(text):
    """The text with comments, strings and characters blanked, line for line."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def without_comments(text):
    """The text with comments blanked, line for line, and strings kept."""
    pattern = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
    return pattern.sub(lambda match: match.group() if match.group()[0] == '"' else re.sub(r"[^\n]", " ", match.group()), text)


def matches(relative, text, pattern, what):
    for number, line in enumerate(text.splitlines(), 1):
        for match in pattern.finditer(line):
            yield f"{relative}:{number}: {what}: {match.group()}"


def includes(text):
    """(line number, header, quoted) of each include."""
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(2), match.group(1) == '"'


def layer_of(relative):
    parts = relative.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def check_layers(root):
    """Includes point down only, and are written from src/. Tests mirror it: they see what their folder sees, and a header beside them or in tests/unit/base."""
    faults = []
    for relative, text in c_files(root):
        mirrored = re.sub(r"^tests/unit/", "src/", relative)
        layer = layer_of(mirrored)
        if layer is None:
            continue
        if layer not in LAYERS:
            faults.append(f"{relative}:1: the folder {layer} has no place in the layers")
            continue
        for number, header, quoted in includes(text):
            folder = header.split("/")[0]
            if not quoted:
                continue
            beside = re.sub(r"^(\.\./)+(base/)?", "", header)
            if relative.startswith("tests/") and "/" not in beside and (root / relative).parent.joinpath(header).is_file():
                continue
            if header in GENERATED_HEADERS.get(layer, ()):
                continue
            if "/" not in header:
                faults.append(f"{relative}:{number}: write it from src/: {header}")
            elif folder != layer and folder not in LAYERS[layer]:
                faults.append(f"{relative}:{number}: {layer} must not include {header}")
    return faults


# A unit is NAME.c with NAME.h; it stands on the units whose headers it includes and whose functions and variables it names.
ANNOUNCED = re.compile(r"^(?!static|typedef|#)(?:extern )?[a-z][\w ]*?[ *](\w+)(?=\(|;|\[)", re.MULTILINE)
DEFINED = re.compile(r"^(?!static|typedef|extern|#)[a-z][\w ]*?[ *](\w+)(?=\([^;{]*\)\s*\{|\s*=|\[[^;{=]*=|;)", re.MULTILINE)
OWN_NAME = re.compile(r"^static\b[^;={(]*?\b(\w+)\s*(?:\(|=|\[|;)", re.MULTILINE)
USED_NAME = re.compile(r"(?<![.\w])(?<!->)([a-z_]\w*)")
# Rooms, and pairs of files, in which no unit may stand on one that stands on it. Elsewhere only circles between rooms are faults.
ROOMS_WITHOUT_CIRCLES = re.compile(r"^src/(http/|discount/settle/|wallet/(flow|sessions)$)")
# What is not done yet. A pattern that fits no unit in a circle is a fault as well: this list gets shorter only.
CIRCLES_LEFT = (
    r"src/wallet/(flow|sessions)",
)


def all_behind(starts, steps):
    """All that can be reached by `steps` from each start."""
    reached = {}
    for start in starts:
        seen, waiting = set(), [start]
        while waiting:
            fresh = set(steps.get(waiting.pop(), ())) - seen
            seen |= fresh
            waiting += fresh
        reached[start] = seen
    return reached


def footing(root):
    """Of each unit of src/: the units it stands on, each with a word of what it takes from there."""
    texts = {relative: text for relative, text in c_files(root) if relative.startswith("src/")}
    code = {relative: code_only(text) for relative, text in texts.items()}
    included = {relative: {f"src/{header}" for _, header, quoted in includes(text) if quoted and f"src/{header}" in texts} for relative, text in texts.items()}
    visible = all_behind(texts, included)
    home = {}
    for relative in code:
        if relative.endswith(".c"):
            for name in DEFINED.findall(code[relative]):
                home.setdefault(name, set()).add(relative[:-2])
    announced = {relative: set(ANNOUNCED.findall(code[relative])) for relative in code if relative.endswith(".h")}
    stands_on = {}
    for relative in code:
        unit = relative[:-2]
        taken = stands_on.setdefault(unit, {})
        for header in included[relative]:
            taken[header[:-2]] = f"#include {header[4:]}"
        if not relative.endswith(".c"):
            continue
        offered = set().union(*(announced[header] for header in visible[relative] if header.endswith(".h")))
        for name in (set(USED_NAME.findall(code[relative])) & offered) - set(OWN_NAME.findall(code[relative])):
            homes = {place for place in home.get(name, ()) if len(home[name]) == 1 or place.split("/")[1] == unit.split("/")[1]}
            if len(homes) == 1:
                taken.setdefault(*homes, name)
        taken.pop(unit, None)
    return stands_on


def check_circles(root):
    """No circle between files of different rooms, and none within the rooms named above."""
    stands_on = footing(root)
    reached = all_behind(stands_on, stands_on)
    faults, left = [], set()
    for unit in sorted(stands_on):
        circle = {other for other in reached[unit] if unit in reached.get(other, ())}
        rooms = {other.rpartition("/")[0] for other in circle}
        if len(circle) < 2 or (len(rooms) < 2 and not ROOMS_WITHOUT_CIRCLES.match(unit)):
            continue
        excused = {pattern for pattern in CIRCLES_LEFT if re.fullmatch(pattern, unit)}
        left |= excused
        if not excused:
            steps = ", ".join(f"{other} ({word})" for other, word in sorted(stands_on[unit].items()) if other in circle)
            path = next(f"{unit}{suffix}" for suffix in (".c", ".h") if (root / f"{unit}{suffix}").is_file())
            faults.append(f"{path}:1: in a circle by {steps}")
    if (root / "tests/house/checks.py").is_file():
        faults += [f"tests/house/checks.py:1: no circle is left for {pattern}" for pattern in CIRCLES_LEFT if pattern not in left]
    return faults


def check_third_party(root):
    """Each library's headers are included in its one folder, and in the unit tests that mirror it."""
    faults = []
    for relative, text in c_files(root):
        mirrored = re.sub(r"^tests/unit/", "src/", relative)
        for number, header, _ in includes(text):
            for prefix, folder in THIRD_PARTY.items():
                if not header.startswith(prefix):
                    continue
                home = relative if folder.startswith("tests") else mirrored
                if not home.startswith(folder + "/") and relative not in SEES_THROUGH.get(header, ()):
                    faults.append(f"{relative}:{number}: {header} belongs to {folder}")
    return faults


def check_pure_cores(root):
    faults = []
    for relative, text in c_files(root):
        if not PURE_CORES.match(relative):
            continue
        own = re.compile("^" + re.escape(relative[len("src/") : relative.rindex("/") + 1]) + r"\w*\.h$")
        for number, header, quoted in includes(text):
            pure = header in PURE_SYSTEM_HEADERS if not quoted else header.startswith("base/") and header not in IMPURE_BASE_HEADERS
            if not pure and not own.match(header):
                faults.append(f"{relative}:{number}: a pure core must not include {header}")
        faults += matches(relative, code_only(text), IMPURE_CALLS, "a pure core must not call")
    return faults


def check_sql(root):
    """SQL, SQLite and libpq are known to the store and to the tables of questions of the frame and of each service only."""
    faults = []
    for relative, text in c_files(root):
        if not relative.startswith("src/") or SQL_ROOMS.match(relative):
            continue
        service = layer_of(relative)
        if service in ("wallet", "discount") and not (root / "src" / service / "tables.c").is_file():
            continue
        faults += [f"{relative}:{number}: {header} belongs to src/store" for number, header, _ in includes(text) if header.startswith(SQL_HEADERS)]
        faults += matches(relative, without_comments(text), SQL, "SQL stands in tables.c and tables_*.c")
    return faults


def check_gone(root):
    """What was taken out stays out."""
    faults = []
    for why, words, where, (state, path) in GONE:
        if (root / path).exists() == (state == "present"):
            for relative, text in c_files(root):
                if where.match(relative):
                    name = pathlib.PurePath(relative).stem
                    faults += [f"{relative}:1: {why}"] if words.search(name) else matches(relative, code_only(text), words, why)
    return faults


def check_money(root):
    """Where money is decided, no plain arithmetic touches what is counted in minor units."""
    return [
        fault
        for relative, text in c_files(root)
        if MONEY_ROOMS.match(relative)
        for fault in matches(relative, code_only(text), MONEY_SUM, "money is counted by money.h")
    ]


def check_banned_calls(root):
    return [fault for relative, text in c_files(root) for fault in matches(relative, code_only(text), BANNED_CALLS, "banned")]


def check_no_double(root):
    pattern = re.compile(r"\b(double|float)\b")
    return [
        fault
        for relative, text in c_files(root)
        if NO_DOUBLE.match(relative)
        for fault in matches(relative, code_only(text), pattern, "money knows no")
    ]


def check_file_sizes(root):
    faults = []
    for relative, path in files(root, {".c", ".h", ".py"}):
        count = len(path.read_text().splitlines())
        if count > FILE_LINES_MAX:
            faults.append(f"{relative}:1: {count} lines")
    return faults


def check_function_sizes(root):
    faults = []
    for relative, text in c_files(root):
        start = None
        for number, line in enumerate(code_only(text).splitlines(), 1):
            if STATEMENT_START.match(line):
                start = number
            elif line.rstrip() == "}" and start is not None:
                if number - start + 1 > FUNCTION_LINES_MAX:
                    faults.append(f"{relative}:{start}: a function of {number - start + 1} lines")
                start = None
    return faults


def check_names(root):
    faults = []
    for relative, _ in files(root, {".c", ".h", ".py", ".js", ".mjs"}):
        if set(re.split(r"[_\-.]", pathlib.PurePath(relative).stem)) & BANNED_NAMES:
            faults.append(f"{relative}:1: say what is in it")
    return faults


def check_open_work(root):
    faults = []
    for relative, path in files(root, {".c", ".h", ".py", ".md", ".sql", ".yaml", ".build", ".js", ".mjs", ".txt", ""}):
        text = path.read_text(errors="replace")
        faults += matches(relative, text, OPEN_WORK, "open work")
        faults += matches(relative, text, MACHINE_PATHS, "a path of one machine")
    return faults


def check_build_entries(root):
    """Every source is named in a meson.build of its own folder or of one above it."""
    faults = []
    for relative, _ in files(root, {".c"}, ["src", "tests"]):
        name = pathlib.PurePath(relative)
        wanted = {name.name, name.stem.removeprefix("test_"), name.stem.removeprefix("fuzz_")}
        folders = [root / parent for parent in name.parents]
        texts = [(folder / "meson.build").read_text() for folder in folders if (folder / "meson.build").is_file()]
        if not any(re.search(rf"['/]{re.escape(word)}'", text) for text in texts for word in wanted):
            faults.append(f"{relative}:1: no meson.build builds it")
    return faults


def check_unit_tests(root):
    """Unit tests mirror src/: a test names a source that exists, alone or with what it is about (database, database_faults)."""
    faults = []
    for relative, path in files(root, {".c"}, ["tests/unit"]):
        name = path.stem.removeprefix("test_")
        folder = pathlib.PurePath(relative).parent.relative_to("tests/unit")
        sources = {source.stem for source in (root / "src" / folder).rglob("*.[ch]")}
        if path.stem.startswith("test_") and not any(name == source or name.startswith(source + "_") for source in sources):
            faults.append(f"{relative}:1: src/{folder}/{name}.c does not exist")
    return faults


def check_empty_folders(root):
    """A folder has a purpose that can be seen in it."""
    faults = []
    for path in sorted(root.rglob("*/")):
        relative = path.relative_to(root)
        if any(part in SKIPPED_FOLDERS or part.startswith("build-") for part in relative.parts):
            continue
        if path.is_dir() and not any(path.iterdir()):
            faults.append(f"{relative.as_posix()}:1: nothing is in it")
    return faults


def check_problem_pages(root):
    """Each problem has its page beside it (src/http/problem.h): what happened and what to do. It stands in HTML as it is."""
    faults = []
    for relative, text in c_files(root):
        if not relative.startswith("src/"):
            continue
        pages = re.findall(r"\{&(problem_\w+),((?:\s*\"(?:[^\"\\]|\\.)*\",?)+)\s*\}", text)
        paged = {name: words for name, words in pages if len(re.findall(r"\.\",|\.\"$", words.strip())) == 2}
        for found in re.finditer(r"^const struct problem (problem_\w+) =", text, re.MULTILINE):
            name, number = found[1], text.count("\n", 0, found.start()) + 1
            if name not in paged:
                faults.append(f"{relative}:{number}: {name} has no page that says what happened and what to do")
            elif re.search(r"[<>&]", paged[name]):
                faults.append(f"{relative}:{number}: the page of {name} is no plain text")
    return faults


def check_scripts(root):
    """What has a #! line can be started, and bash stops at the first error."""
    faults = []
    for relative, path in files(root, {"*"}):
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if not text.startswith("#!"):
            continue
        if not path.stat().st_mode & 0o111:
            faults.append(f"{relative}:1: not executable")
        if "bash" in text.splitlines()[0] and "set -euo pipefail" not in text:
            faults.append(f"{relative}:1: without set -euo pipefail")
    return faults


def check_text_files(root):
    """.editorconfig, checked: line feeds only, no blanks at a line's end, a line feed at the file's end."""
    faults = []
    for relative, path in files(root, {".c", ".h", ".py", ".md", ".sql", ".yaml", ".build", ".mjs", ".txt"}):
        data = path.read_bytes()
        if b"\r" in data:
            faults.append(f"{relative}:1: a carriage return")
        if data and not data.endswith(b"\n"):
            faults.append(f"{relative}:1: no line feed at the end")
        for number, line in enumerate(data.split(b"\n"), 1):
            if line != line.rstrip() and line.rstrip(b"\r") == line:
                faults.append(f"{relative}:{number}: blanks at the end")
    return faults


def check_layout(root, style):
    """clang-format, with the house's .clang-format."""
    paths = [relative for relative, _ in c_files(root)]
    if not paths:
        return []
    command = ["clang-format", f"--style=file:{style}", "--dry-run", "-Werror", "--ferror-limit=1"]
    done = subprocess.run([*command, *paths], cwd=root, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 0:
        return []
    return sorted(set(re.findall(r"^(\S+:\d+):\d+: error", done.stderr, re.MULTILINE))) or [done.stderr]


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_") and name != "check_layout"]
