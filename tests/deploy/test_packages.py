"""The Debian packages: built, installed into a machine that boots, started, asked, stopped, removed and purged."""
import json
import os
import re
import shutil
import subprocess

import pytest
from engine import ROOT
from tree import copy_page, copy_tree

from harness.services import wait_until

PROGRAMS = ["walletd", "discountd"]
EXPOSURE_MAX = 2.0
BUILD_S, WAIT_S = 600, 120


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """{program: its .deb}, out of a copy of the tree: building leaves much behind."""
    tree = copy_page(copy_tree(tmp_path_factory.mktemp("build") / "hamyan"))
    done = subprocess.run(["dpkg-buildpackage", "--no-sign", "--build=binary", "--no-pre-clean"], cwd=tree, capture_output=True, text=True, check=False, timeout=BUILD_S,
                          env={**os.environ, "DEB_BUILD_OPTIONS": "noautodbgsym nocheck"})
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return {program: next(tree.parent.glob(f"{program}_*.deb")) for program in PROGRAMS}


@pytest.mark.skipif(os.environ.get("HAMYAN_LONG") != "1", reason="./test --long")
def test_lintian_has_nothing_to_say(packages):
    said = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *packages.values()], capture_output=True, text=True, check=False, timeout=BUILD_S)
    assert said.returncode == 0, said.stdout + said.stderr


class Machine:
    """A container whose first process is systemd."""

    def __init__(self, engine, image):
        self.engine = engine
        self.name = f"hamyan-machine-{os.getpid()}"
        engine.docker("run", "--detach", "--name", self.name, "--network=none", "--cgroupns=private", "--cap-add=SYS_ADMIN", "--cap-add=SYS_PTRACE", "--cap-add=NET_ADMIN",
                      "--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined", "--tmpfs=/run", "--tmpfs=/tmp", image)
        wait_until(lambda: "running" in self.run("systemctl", "is-system-running", check=False).stdout or "degraded" in self.run("systemctl", "is-system-running", check=False).stdout,
                   "the boot", WAIT_S)

    def run(self, *words, **options):
        return self.engine.docker("exec", "-i", self.name, *words, **options)

    def end(self):
        self.engine.docker("rm", "--force", self.name, check=False)


@pytest.fixture(scope="module")
def machine(engine, packages, tmp_path_factory):
    context = tmp_path_factory.mktemp("image")
    for path in packages.values():
        shutil.copy(path, context)
    engine.docker("build", "--quiet", *(["--network=host"] if engine.is_own else []), "--file", ROOT / "tests/deploy/systemd.Dockerfile", "--tag", "hamyan-test/systemd", context)
    made = Machine(engine, "hamyan-test/systemd")
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_unit_lets_its_service_do_little(program):
    scored = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", ROOT / f"deploy/systemd/{program}.service"], capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", scored.stdout)
    assert found and float(found[1]) <= EXPOSURE_MAX, scored.stdout[-500:] + scored.stderr


def test_the_packages_serve_on_a_machine_that_boots(machine):
    machine.run("sh", "-c", "apt-get install --yes --no-install-recommends /packages/*.deb")
    for program in PROGRAMS:
        wait_until(lambda program=program: machine.run(program, "health", "--config", f"/etc/hamyan/{program}.conf", check=False).returncode == 0, f"{program} ready", WAIT_S)
        assert machine.run("systemctl", "show", "--property=User", "--value", program).stdout.strip() == program
        verified = machine.run("systemd-analyze", "verify", "--man=no", f"{program}.service", check=False)
        assert verified.returncode == 0, verified.stderr
    machine.run("systemctl", "stop", "walletd")
    added = machine.run("runuser", "-u", "walletd", "--", "walletd", "user", "add", "admin", "--admin", "--config", "/etc/hamyan/walletd.conf", input="a good password\n")
    assert len(added.stdout.strip()) == 36
    machine.run("systemctl", "start", "walletd")
    wait_until(lambda: machine.run("walletd", "health", check=False).returncode == 0, "walletd ready again", WAIT_S)
    answer = machine.run("curl", "-sS", "http://127.0.0.1:8080/v1/sessions", "-H", "Content-Type: application/json", "-d",
                         '{"username": "admin", "password": "a good password"}')
    token = json.loads(answer.stdout)["access_token"]
    campaigns = machine.run("curl", "-sS", "http://127.0.0.1:8081/v1/campaigns", "-H", f"Authorization: Bearer {token}")
    assert json.loads(campaigns.stdout)["data"] == []


def test_the_man_pages_are_there(machine):
    listed = machine.run("dpkg", "-L", "walletd", "discountd").stdout
    for program in PROGRAMS:
        commands = re.findall(r"^  ([a-z-]+(?: [a-z-]+)?) +[A-Z]", machine.run(program, "--help").stdout, re.MULTILINE)
        assert {"serve", "keys rotate"} <= set(commands)
        for page in (program, *(f"{program}-{command.replace(' ', '-')}" for command in commands)):
            assert f"/man1/{page}.1.gz" in listed, page


def test_removing_stops_and_purging_keeps_the_money(machine):
    machine.run("systemctl", "kill", "--signal=KILL", "discountd")
    wait_until(lambda: machine.run("discountd", "health", check=False).returncode == 0, "discountd up again by itself", WAIT_S)
    machine.run("apt-get", "remove", "--yes", *PROGRAMS)
    for program in PROGRAMS:
        assert machine.run("systemctl", "is-active", program, check=False).stdout.strip() in ("inactive", "failed", "unknown")
    machine.run("apt-get", "purge", "--yes", *PROGRAMS)
    assert machine.run("test", "-e", "/etc/hamyan/walletd.conf", check=False).returncode != 0
    machine.run("test", "-s", "/var/lib/hamyan/wallet/data/wallet.db")
