"""A start that is refused is told as the log tells everything: each line of standard error is JSON, and one of level `error` says why."""
import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from harness.services import BUILD, DEADLINE_S, Discount, Wallet, free_port

PROGRAMS = {"walletd": [], "discountd": ["--wallet", "http://127.0.0.1:1"]}
FILE = {"walletd": "wallet.db", "discountd": "discount.db"}


def refused(program, *words, environment=None):
    """Its lines, and that they are lines of the log."""
    done = subprocess.run([BUILD / program, "serve", *map(str, words)], capture_output=True, text=True, timeout=DEADLINE_S, check=False, env={**os.environ, **(environment or {})})
    assert done.returncode in (1, 2) and done.stdout == "", done
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"time", "level", "service", "event"} <= set(line) and line["service"] == program for line in lines), done.stderr
    return lines


def says(lines, reason, event="start_refused"):
    told = [line for line in lines if line["event"] == event and line["level"] == "error" and reason in line["reason"]]
    assert told, lines
    return told[0]


@pytest.fixture(scope="module", params=list(PROGRAMS))
def program(request):
    return request.param


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "data"
    assert subprocess.run([BUILD / program, "init", "--data", path], capture_output=True, timeout=DEADLINE_S, check=False).returncode == 0
    return path


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "data")
    return tmp_path / "data"


def test_a_bad_call(program, made, tmp_path):
    words = ["--data", made, *PROGRAMS[program]]
    says(refused(program, *words, "--surprise"), "--surprise: unknown flag")
    says(refused(program, *words, "more"), "more: unexpected argument")
    says(refused(program, *words, "--listen", 'no "where"'), '--listen: `no "where"` is wrong')
    says(refused(program, *words, "--default-region", "XX"), "--default-region XX: no country")
    says(refused(program, *words, environment={f"{program.upper()}_LOOPS": "many"}), f"{program.upper()}_LOOPS: `many` is wrong")
    says(refused(program, *words, "--config", "/nowhere"), "/nowhere: cannot be opened")
    config = tmp_path / "config"
    config.write_text("loops = 0\nsurprise = 1\n")
    lines = refused(program, *words, "--config", config)
    says(lines, f"{config}:1: `0` is wrong")
    says(lines, f"{config}:2: unknown parameter `surprise`")
    own = {"walletd": [(["--password-cost", "low", "--listen", "192.0.2.1:1"], "--password-cost low is refused"), (["--trust-ca", "/nowhere"], "--trust-ca /nowhere: No such file"),
                       (["--trust-service", "x"], "--trust-service x: must be NAME=FILE_OR_URL")],
           "discountd": [(["--wallet-ca", "/nowhere"], "are for --wallet https://…"), (["--wallet-key", "/nowhere"], "go together")]}
    for more, reason in own[program]:
        says(refused(program, *words, *more), reason)
    if program == "discountd":
        says(refused(program, "--data", made), "--wallet: is required")
        says(refused(program, "--data", made, "--wallet", "elsewhere"), "--wallet must be a URL")


@pytest.mark.of_sqlite
def test_a_folder_that_cannot_be_served(program, folder, tmp_path):
    words = PROGRAMS[program]
    says(refused(program, "--data", tmp_path / "nothing", *words), "is not an initialised data folder")
    (tmp_path / "empty").mkdir()
    says(refused(program, "--data", tmp_path / "empty", *words), "was not initialised")
    says(refused(program, "--data", "/proc/new", "--init", *words), "/proc/new.new cannot be made")
    database = sqlite3.connect(folder / FILE[program])
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.execute("PRAGMA user_version = 9999")
    lines = refused(program, "--data", folder, *words)
    says(lines, "written by a newer version of this service", "database_open_failed")
    says(lines, "cannot be opened")
    database.execute(f"PRAGMA user_version = {version}")
    database.close()
    (key,) = (folder / "keys").glob("*.jwk")
    key.chmod(0o644)
    lines = refused(program, "--data", folder, *words)
    assert "chmod 600" in says(lines, "denied", "key_unusable")["help"]
    says(lines, f"the keys in {folder}/keys can't be read: denied")
    key.unlink()
    says(refused(program, "--data", folder, *words), f"the keys in {folder}/keys can't be read: not_found")
    (folder / FILE[program]).write_bytes(b"no database" * 1000)
    says(refused(program, "--data", folder, *words), "cannot be opened: corrupt")
    says(refused(program, "--data", folder, "--store", "postgres://nobody@127.0.0.1:1/none", *words), "Connection refused", "database_failed")


def test_what_another_process_has(program, tmp_path):
    service = (Wallet if program == "walletd" else Discount)(tmp_path / "first", *PROGRAMS[program][1:])
    other = (Wallet if program == "walletd" else Discount)(tmp_path / "other", *PROGRAMS[program][1:])
    service.init()
    other.init()
    service.start()
    try:
        says(refused(program, "--data", service.data, *service.store_words, "--listen", f"127.0.0.1:{free_port()}", *PROGRAMS[program]), f"{service.data} is in use by another process")
        for more in (["--listen", f"127.0.0.1:{service.port}"], ["--listen", f"127.0.0.1:{free_port()}", "--operations-listen", f"127.0.0.1:{service.port}"]):
            lines = refused(program, "--data", other.data, *other.store_words, *more, *PROGRAMS[program])
            assert says(lines, "Address already in use", "listen_failed")["port"] == service.port
    finally:
        service.end()


def test_a_first_start_without_its_password(tmp_path):
    words = ["--init", "--data", tmp_path / "new", "--admin-password-file", tmp_path / "password"]
    says(refused("walletd", *words), f"--admin-password-file {tmp_path}/password cannot be read: No such file")
    (tmp_path / "password").write_text("short\n")
    says(refused("walletd", *words), "must be 8 to 128 characters")
