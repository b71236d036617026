"""This tree keeps the house rules."""

import pathlib
import subprocess

import checks
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_rule(check):
    faults = check(ROOT)
    assert not faults, "\n" + "\n".join(faults)


def test_layout():
    faults = checks.check_layout(ROOT, ROOT / ".clang-format")
    assert not faults, "\n" + "\n".join(faults)


def bash_scripts():
    for relative, path in checks.files(ROOT, {""}):
        if path.read_bytes().startswith(b"#!/usr/bin/env bash"):
            yield relative


@pytest.mark.parametrize("script", bash_scripts())
def test_shellcheck(script):
    done = subprocess.run(["shellcheck", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("document", ["wallet", "discount"])
def test_openapi_lint(document):
    command = ["node_modules/.bin/redocly", "lint", f"api/{document}.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr


def test_every_planted_fault_has_its_place(tmp_path):
    done = subprocess.run(["scripts/plant", tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_lock_file_names_no_registry():
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()
