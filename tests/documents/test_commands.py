"""The commands of the documents, pasted as they stand there after ./run, answer as it stands there (harness/documents.py)."""
import os
import pathlib
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from harness.documents import Shell, follow  # noqa: E402
from harness.services import DEADLINE_S, ROOT, free_port, wait_until  # noqa: E402

RUN_S = 300  # ./run may set up and build first


@pytest.fixture
def running(tmp_path):
    """./run as somebody calls it who has read two minutes: set up, built, both services up, a crowd proven. Its folder, and what it said."""
    ports = {"HAMYAN_WALLET_PORT": str(free_port()), "HAMYAN_DISCOUNT_PORT": str(free_port())}
    log = tmp_path / "run.log"
    with open(log, "wb") as lines:
        process = subprocess.Popen([ROOT / "run", "--data", tmp_path / "data"], stdin=subprocess.DEVNULL, stdout=lines, stderr=lines, env={**os.environ, **ports})
    try:
        wait_until(lambda: "Ctrl-C stops both services" in log.read_text() or process.poll() is not None, "./run is up", RUN_S)
        assert process.poll() is None, log.read_text()
        yield tmp_path, log.read_text(), {":8080": f":{ports['HAMYAN_WALLET_PORT']}", ":8081": f":{ports['HAMYAN_DISCOUNT_PORT']}"}
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(DEADLINE_S)
    assert code == 0, log.read_text()


# Where the document's machine keeps its data, and what that is here: places of their own, or what ./run has made.
NEW = {"/var/lib/hamyan": "var"}
OF_RUN = {"/var/lib/hamyan/wallet/data": "data/wallet", "/var/lib/hamyan/discount/data": "data/discount", "/var/backups/hamyan": "backups"}


@pytest.mark.parametrize(("document", "places"), [("README.md", NEW), ("README.fa.md", NEW), ("docs/examples.md", NEW), ("docs/operating.md", OF_RUN)])
def test_commands_print_what_stands_beside_them(document, places, running):
    folder, said, changes = running
    for line in ("  201      1000", "  410      2000", "  exactly right"):
        assert line in said.splitlines(), said
    for name in ("build", "node_modules", "scripts"):
        (folder / name).symlink_to(ROOT / name)
    shell = Shell(folder, {**changes, **{there: folder / here for there, here in places.items()}})
    try:
        follow(document, shell, folder)
    finally:
        shell.end()
