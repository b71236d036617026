"""A container engine: the machine's own, or one that is started for the tests, in folders of its own and without touching the host's network."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = "debian:12-slim"
PLUGINS = ROOT / ".setup" / "docker"  # scripts/setup deploy
START_S = 60
BUILD_S = 900


def client():
    """Debian's own where there are several: it brings the builder that the Dockerfile needs."""
    return "/usr/bin/docker" if os.access("/usr/bin/docker", os.X_OK) else shutil.which("docker")


def machine_has_one():
    return client() is not None and subprocess.run([client(), "info"], capture_output=True, check=False, timeout=START_S).returncode == 0


class Engine:
    def __init__(self, own):
        self.is_own = own
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hamyan-engine-"))
        self.environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
        self.daemon = None

    def start(self):
        if not self.is_own:
            return self
        socket = f"unix://{self.folder}/socket"
        self.environment |= {"DOCKER_HOST": socket, "DOCKER_CONFIG": str(PLUGINS), "HAMYAN_BUILD_NETWORK": "host"}
        words = ["dockerd", "--data-root", self.folder / "data", "--exec-root", self.folder / "exec", "--pidfile", self.folder / "pid", "-H", socket,
                 "--iptables=false", "--ip6tables=false", "--bridge=none", "--ip-forward=false"]
        with open(self.folder / "log", "wb") as log:
            self.daemon = subprocess.Popen(list(map(str, words)), stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while self.docker("info", check=False).returncode != 0:
            assert self.daemon.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()[-4000:]
            time.sleep(0.1)
        self.make_base()
        return self

    def make_base(self):
        """Debian's smallest root: no registry of images is asked."""
        root = subprocess.Popen(["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", "--dpkgopt=force-unsafe-io", "bookworm", "-"], stdout=subprocess.PIPE)
        done = subprocess.run([client(), "import", "-", BASE], stdin=root.stdout, env=self.environment, capture_output=True, text=True, check=False, timeout=BUILD_S)
        assert root.wait(BUILD_S) == 0 and done.returncode == 0, done.stderr

    def docker(self, *words, check=True, timeout=BUILD_S, **options):
        done = subprocess.run([client(), *map(str, words)], env={**self.environment, **options.pop("variables", {})}, capture_output=True, text=True, check=False,
                              timeout=timeout, cwd=ROOT, **options)
        assert not check or done.returncode == 0, f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done

    def stop(self):
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.wait(START_S)
        shutil.rmtree(self.folder, ignore_errors=True)
