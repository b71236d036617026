"""What spin found when it was last asked everything about this model. While model and checker are the same, to the byte, it would find the same."""

import hashlib
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent
PATH = FOLDER / "proven.txt"
HEAD = """# What spin found, and of which model and checker: the digest is over the files of this folder that are named in record.py.
# Written by: /usr/bin/python3 -m pytest -p no:cacheprovider tests/model --record
"""


def digest():
    """SHA-256 over the model and all that checks it, each with its name."""
    whole = hashlib.sha256()
    for path in sorted([*FOLDER.glob("*.pml"), *FOLDER.glob("*.py")]):
        whole.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    return whole.hexdigest()


def read(path=PATH):
    """The digest, and {(kind, name): the line}."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")] if path.is_file() else []
    found = {tuple(field.strip() for field in (line[:8], line[9:37])): line for line in lines[1:]}
    return (lines[0].removeprefix("digest ") if lines else ""), found


def write(lines, path=PATH):
    path.write_text(HEAD + f"digest {digest()}\n" + "".join(f"{line}\n" for line in lines))
