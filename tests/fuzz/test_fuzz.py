"""Runs every libFuzzer target of the build in HAMYAN_FUZZ_BUILD for HAMYAN_FUZZ_SECONDS, from its committed seeds.

A crash, a leak, a hang or a finding of a sanitizer fails the test, and the input that did it is printed, ready to become a seed.
"""

import json
import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ["HAMYAN_FUZZ_BUILD"])
SECONDS = int(os.environ.get("HAMYAN_FUZZ_SECONDS", "5"))


def targets():
    listing = json.loads((BUILD / "meson-info" / "intro-targets.json").read_text())
    return sorted(target["filename"][0] for target in listing if target["name"].startswith("fuzz_"))


def test_there_are_targets():
    sources = {path.stem for path in HERE.glob("fuzz_*.c")}
    assert sources and sources == {pathlib.Path(target).name for target in targets()}


@pytest.mark.parametrize("target", targets(), ids=lambda target: pathlib.Path(target).name)
def test_target_survives(target, tmp_path):
    seeds = HERE / "seeds" / pathlib.Path(target).name.removeprefix("fuzz_")
    assert any(seeds.iterdir()), f"no seeds in {seeds}"
    found = tmp_path / "found"
    found.mkdir()
    command = [target, f"-max_total_time={SECONDS}", "-timeout=20", "-rss_limit_mb=1024", "-entropic=0", f"-artifact_prefix={tmp_path}/", str(found), str(seeds)]
    done = subprocess.run(command, capture_output=True, timeout=SECONDS + 60, check=False)
    said = done.stderr.decode(errors="replace")
    artifacts = [f"{path.name}: {path.read_bytes()!r}" for path in tmp_path.iterdir() if path.is_file()]
    assert done.returncode == 0, said[-4000:] + "\n" + "\n".join(artifacts)
    assert "DONE" in said, said[-1000:]
