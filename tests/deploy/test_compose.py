"""compose.yaml as an operator uses it: images, a first start on an empty disk, a crowd, a stop in its middle, and the same data afterwards."""
import io
import json
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import tarfile

import pytest
import requests
import yaml
from engine import ROOT, client
from tree import copy_tree

from harness.services import free_port, wait_until

IMAGE_BYTES_MAX = 80_000_000
WAIT_S = 120


class Site:
    """A project of its own name, with its own volumes, ports and password."""

    def __init__(self, engine, folder):
        self.engine = engine
        self.password = secrets.token_urlsafe(16)
        file = folder / "admin.password"
        file.write_text(self.password + "\n")
        file.chmod(0o644)
        self.ports = {name: free_port() for name in ("wallet", "discount", "prometheus", "grafana")}
        self.variables = {"HAMYAN_ADMIN_PASSWORD_FILE": str(file), "COMPOSE_PROJECT_NAME": f"hamyan-test-{secrets.token_hex(4)}",
                          **{f"HAMYAN_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}}

    def compose(self, *words, **options):
        return self.engine.docker("compose", *words, variables=self.variables, **options)

    def url(self, name, path):
        return f"http://127.0.0.1:{self.ports[name]}{path}"

    def token(self):
        answer = requests.post(self.url("wallet", "/v1/sessions"), json={"username": "admin", "password": self.password}, timeout=30)
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def crowd(self, *words):
        """In the background."""
        return subprocess.Popen([client(), "compose", "run", "--rm", "crowd", "--wallet", "http://wallet:8080", "--discount", "http://discount:8081", "--create",
                                 "--admin-password-file", "/run/secrets/admin_password", *words], env={**self.engine.environment, **self.variables}, cwd=ROOT,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def site(engine, images, tmp_path_factory):
    made = Site(engine, tmp_path_factory.mktemp("site"))
    try:
        made.compose("up", "--wait", "--no-build", timeout=WAIT_S)
        yield made
    finally:
        made.compose("--profile", "crowd", "--profile", "monitoring", "down", "--volumes", "--timeout", "40", check=False)


def test_the_images_hold_nothing_but_the_program(engine, images):
    for program, image in images.items():
        about = json.loads(engine.docker("image", "inspect", image).stdout)[0]
        assert about["Size"] < IMAGE_BYTES_MAX, (program, about["Size"])
        assert about["Config"]["User"] == "10001:0" and about["Config"]["Entrypoint"] == [f"/usr/bin/{program}"]
        assert engine.docker("run", "--rm", "--network=none", "--entrypoint", "/bin/sh", image, check=False).returncode != 0
        told = engine.docker("run", "--rm", "--network=none", image, "--help")
        assert program in told.stdout
    for program in ("walletd", "discountd"):
        health = json.loads(engine.docker("image", "inspect", images[program]).stdout)[0]["Config"]["Healthcheck"]["Test"]
        assert health == ["CMD", f"/usr/bin/{program}", "health"]


@pytest.mark.skipif(os.environ.get("HAMYAN_LONG") != "1", reason="./test --long")
def test_a_fresh_clone_is_built_with_npm_inside(engine, tmp_path):
    """As who has never run npm: what a site's registry is signed by comes as a secret."""
    authorities = os.environ.get("NODE_EXTRA_CA_CERTS")
    engine.docker("build", "--no-cache", *(["--network=host"] if engine.is_own else []), *(["--secret", f"id=ca,src={authorities}"] if authorities else []), "--file",
                  "deploy/docker/Dockerfile", "--target", "walletd", "--tag", "hamyan-test/fresh", copy_tree(tmp_path / "hamyan"))
    told = engine.docker("run", "--rm", "--network=none", "hamyan-test/fresh", "--version")
    assert told.stdout.startswith("walletd ")


def test_any_user_id_of_group_0_may_run_it(engine, images):
    volume = f"hamyan-test-{secrets.token_hex(4)}"
    try:
        for _ in range(2):  # the second time the folder is there
            name = f"{volume}-one"
            engine.docker("run", "--detach", "--name", name, "--network=none", "--user", "54321:0", "--read-only", "--cap-drop=ALL", "--volume",
                          f"{volume}:/var/lib/hamyan", images["walletd"], "serve", "--init")
            wait_until(lambda name=name: engine.docker("exec", name, "/usr/bin/walletd", "health", check=False).returncode == 0, "health", WAIT_S)
            engine.docker("stop", "--time", "40", name)
            assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip() == "0"
            engine.docker("rm", name)
    finally:
        engine.docker("volume", "rm", "--force", volume, check=False)


def test_a_crowd_is_paid_exactly_across_a_stop_in_its_middle(site):
    crowd = site.crowd("--users", "60", "--places", "40", "--connections", "32", "--rate", "15")
    try:
        headers = site.token()

        def some_are_in():
            campaigns = requests.get(site.url("discount", "/v1/campaigns"), headers=headers, timeout=30).json()["data"]
            return any(0 < campaign["redeemed"] < 40 for campaign in campaigns)

        wait_until(some_are_in, "the first redemptions", WAIT_S)
        for name in ("discount", "wallet"):
            site.compose("stop", "--timeout", "40", name)
        codes = [json.loads(line)["ExitCode"] for line in site.compose("ps", "--all", "--format", "json").stdout.splitlines() if "crowd" not in line]
        assert codes == [0, 0], codes
        site.compose("up", "--wait", "--no-build", timeout=WAIT_S)
        output, _ = crowd.communicate(timeout=300)
    finally:
        crowd.kill()
    assert crowd.returncode == 0 and "exactly right" in output, output[-3000:]


def test_the_books_are_proven_where_they_are(site):
    proven = site.compose("exec", "-T", "wallet", "walletd", "verify")
    assert "transfers" in proven.stdout
    site.compose("exec", "-T", "discount", "/usr/bin/discountd", "verify")
    site.compose("exec", "-T", "discount", "/usr/bin/discountd", "reconcile")


def test_what_it_says_of_itself_holds_no_secret(site):
    logs = site.compose("logs", "--no-color").stdout
    assert "listening" in logs and site.password not in logs


# ---- who watches it ----

def described(site):
    """The services of compose.yaml as an engine understands it, with what the profile adds."""
    return json.loads(site.compose("--profile", "monitoring", "config", "--format", "json").stdout)["services"]


def mounts(service):
    """{where in the container: which file of this tree}"""
    return {mount["target"]: pathlib.Path(mount["source"]) for mount in service["volumes"] if mount["type"] == "bind"}


def stand_in(engine, image):
    """Debian's Prometheus under the name that compose.yaml gives: no registry of images is asked here."""
    program = shutil.which("prometheus")
    linked = re.findall(r"/\S+", subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, path in [("bin/prometheus", program), *((path.lstrip("/"), path) for path in linked)]:
            archive.addfile(archive.gettarinfo(pathlib.Path(path).resolve(), name), pathlib.Path(path).resolve().open("rb"))
        folder = tarfile.TarInfo("prometheus")
        folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o755, 65534, 65534
        archive.addfile(folder)
    done = subprocess.run([client(), "import", "--change", 'ENTRYPOINT ["/bin/prometheus"]', "--change", "USER 65534", "-", image], input=packed.getvalue(), env=engine.environment,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_prometheus_beside_it_scrapes_both_and_knows_the_rules(site):
    image = described(site)["prometheus"]["image"]
    if site.engine.is_own:
        stand_in(site.engine, image)
    site.compose("--profile", "monitoring", "up", "--detach", "--no-build", "prometheus")

    def ask(path, **parameters):
        return requests.get(site.url("prometheus", f"/api/v1/{path}"), params=parameters, timeout=30).json()["data"]

    def both_are_up():
        try:
            return sorted((row["metric"]["job"], row["value"][1]) for row in ask("query", query="up")["result"]) == [("discountd", "1"), ("walletd", "1")]
        except requests.RequestException:  # of one that is starting: no JSON
            return False

    wait_until(both_are_up, "Prometheus has asked both", WAIT_S)
    known = {rule["name"] for group in ask("rules")["groups"] for rule in group["rules"]}
    assert known == set(re.findall(r"alert: (\w+)", (ROOT / "deploy/prometheus/hamyan.rules.yml").read_text()))


def test_grafana_is_given_prometheus_and_the_dashboard(site):
    """As far as it goes without a registry that has Grafana: what it is told points at what is there."""
    services = described(site)
    grafana = services["grafana"]
    for name in ("prometheus", "grafana"):
        assert re.search(r":v?\d+\.\d+\.\d+$", services[name]["image"]), "a version that stays"
        assert {port["host_ip"] for port in services[name]["ports"]} == {"127.0.0.1"}
    files = mounts(grafana)
    provisioning = files["/etc/grafana/provisioning"]
    [source] = yaml.safe_load((provisioning / "datasources/hamyan.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090" and source["isDefault"] and "prometheus" in services
    [provider] = yaml.safe_load((provisioning / "dashboards/hamyan.yml").read_text())["providers"]
    dashboard = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert pathlib.Path(dashboard).parent == pathlib.Path(provider["options"]["path"])
    wanted = {panel["datasource"]["uid"] for panel in json.loads(files[dashboard].read_text())["panels"]}
    assert wanted == {"${datasource}"}, "each panel asks the one that is chosen, at first the default"
