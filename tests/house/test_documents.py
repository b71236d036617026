"""The documents say what is so: parameters as the programs print them, and no path that is not there."""

import os
import pathlib
import re
import subprocess

import checks
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HAMYAN_BUILD", ROOT / "build")).resolve()
DOCUMENTS = [relative for relative, _ in checks.files(ROOT, {".md"})]
FOLDERS = "api|bench|docs|scripts|sim|sql|src|tests"
PATH = re.compile(rf"`((?:{FOLDERS})/[\w./*-]*[\w*/])`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_parameters_are_what_the_programs_print(tmp_path):
    subprocess.run([ROOT / "scripts/write-parameters", BUILD, tmp_path], check=True, timeout=30)
    for program in ("walletd", "discountd"):
        name = f"parameters-{program}.md"
        assert (ROOT / "docs" / name).read_text() == (tmp_path / name).read_text(), f"docs/{name}: run scripts/write-parameters"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_in_documents_exist(document):
    """In `src/…`, with * as in a shell, and in links. FOLDER and NAME stand for any; what git ignores is made by running."""
    text = (ROOT / document).read_text()
    made = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    named = [path.rstrip("/") for path in PATH.findall(text) if not re.search("FOLDER|NAME", path)]
    missing = [path for path in named if path not in made and not any(ROOT.glob(path))]
    for link in LINK.findall(text):
        if "://" not in link and not (ROOT / document).parent.joinpath(link).exists():
            missing.append(link)
    assert not missing, missing


ACT = re.compile(r"""\.act = "([a-z_.]+)"|\baudit_note(?:_actor)?\(\w+, [^,]+, "([a-z_.]+)\"""")


def test_each_act_of_an_administrator_is_explained():
    """In the table of docs/operating.md, where `.name` follows `room.name`."""
    acts = {one or other for path in (ROOT / "src").rglob("*.c") for one, other in ACT.findall(path.read_text())}
    told, room = set(), ""
    section = (ROOT / "docs/operating.md").read_text().split("## Audit log")[1].split("\n## ")[0]
    for name in re.findall(r"`([a-z_]*\.[a-z_]+)`", "\n".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))):
        room = name.split(".")[0] or room
        told.add(f"{room}.{name.split('.')[1]}")
    assert len(acts) > 20 and not acts - told, sorted(acts - told)
