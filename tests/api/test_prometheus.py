"""A real Prometheus scrapes both services and evaluates our rules; the dashboard's queries find something after a crowd."""
import json
import re
import subprocess

import pytest
import requests
import yaml

from crash.crowds import finish_crowd
from harness.services import ROOT, free_port, wait_until

FOLDER = ROOT / "deploy/prometheus"
DASHBOARD = json.loads((ROOT / "deploy/grafana/hamyan.json").read_text())
RULES = [rule for group in yaml.safe_load((FOLDER / "hamyan.rules.yml").read_text())["groups"] for rule in group["rules"]]
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
OF_SQLITE = re.compile(r"_(database|wal)_bytes")


class Prometheus:
    """The very files of deploy/prometheus; only addresses and how often it looks are the test's."""

    def __init__(self, folder, pair):
        self.url = f"http://127.0.0.1:{free_port()}"
        text = (FOLDER / "prometheus.yml").read_text()
        for old, new in (("127.0.0.1:8080", pair.wallet.url.removeprefix("http://")), ("127.0.0.1:8081", pair.discount.url.removeprefix("http://")),
                         ("hamyan.rules.yml", str(FOLDER / "hamyan.rules.yml")), ("15s", "1s")):
            assert old in text
            text = text.replace(old, new)
        (folder / "prometheus.yml").write_text(text)
        with open(folder / "output", "wb") as output:
            self.process = subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                                             f"--web.listen-address={self.url.removeprefix('http://')}"], stdout=output, stderr=output)
        wait_until(self.is_ready, "Prometheus ready")

    def is_ready(self):
        assert self.process.poll() is None
        try:
            return requests.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def get(self, path, **parameters):
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, text):
        """[(labels, value)] of what is a number."""
        found = self.get("query", query=text)["result"]
        return [(row["metric"], float(row["value"][1])) for row in found if row["value"][1] != "NaN"]

    def end(self):
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def watched(make_world, tmp_path):
    world = make_world()
    prometheus = Prometheus(tmp_path, world.pair)
    try:
        world.prometheus = prometheus
        wait_until(lambda: sorted(value for _, value in prometheus.query("up")) == [1, 1], "both are scraped")
        yield world
    finally:
        prometheus.end()


def test_the_dashboard_shows_a_crowd(watched):
    campaign = watched.operator.campaign(places=100)
    finish_crowd(watched.pair.crowd(campaign["code"], users=300, places=100, connections=64))
    watched.operator.wait_settled(campaign["id"])
    prometheus, left = watched.prometheus, {query.replace("$__rate_interval", "60s") for query in QUERIES}
    if watched.pair.wallet.store:
        left = {query for query in left if not OF_SQLITE.search(query)}  # PostgreSQL's sizes are its own to say

    def all_have_data():
        for query in list(left):
            if prometheus.query(query):
                left.discard(query)
        return not left

    try:
        wait_until(all_have_data, "every query has data")
    except AssertionError as error:
        raise AssertionError(f"without data: {left}") from error
    wait_until(lambda: [value for _, value in prometheus.query('discountd_credits_total{outcome="credited"}')] == [100], "a scrape after the last credit")
    assert {labels["part"]: value for labels, value in prometheus.query("discountd_part_ok")} == {"store": 1, "keys": 1, "audit": 1, "wallet": 1}
    groups = prometheus.get("rules")["groups"]
    wait_until(lambda: all(rule["health"] == "ok" for group in prometheus.get("rules")["groups"] for rule in group["rules"]), "every rule is evaluated")
    assert sum(len(group["rules"]) for group in groups) == len(RULES)
    assert [alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"] if alert["state"] == "firing"] == []


def test_who_has_gone_is_alerted(watched):
    watched.pair.wallet.stop()
    prometheus = watched.prometheus

    def pending():
        return {(alert["labels"]["alertname"], alert["labels"].get("job")) for alert in prometheus.get("alerts")["alerts"]}

    wait_until(lambda: {("ServiceDown", "walletd"), ("WalletUnreachable", "discountd")} <= pending(), "both are noticed")
    watched.pair.wallet.start()
    wait_until(lambda: not pending(), "and forgotten")


def test_promtool_tries_each_rule():
    done = subprocess.run(["promtool", "test", "rules", FOLDER / "hamyan.rules.test.yml"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    tested = yaml.safe_load((FOLDER / "hamyan.rules.test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tested for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in RULES}


def test_the_operators_page_says_what_each_alert_means():
    page = (ROOT / "docs/operating.md").read_text()
    assert re.findall(r"^\| `([A-Z]\w+)`", page, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_every_metric_that_is_asked_for_exists(world):
    """A name that is mistyped finds nothing for ever, and never alerts."""
    world.user().redeem(world.operator.campaign()["code"])
    known = set()
    for service in (world.pair.wallet, world.pair.discount):
        known |= {line.split()[2] for line in requests.get(f"{service.url}/metrics", timeout=30).text.splitlines() if line.startswith("# TYPE")}
    asked = {name for text in [*QUERIES, *(rule["expr"] for rule in RULES)] for name in re.findall(r"\b(?:walletd|discountd|process)_[a-z_]+", text)}
    unknown = {name for name in asked if name not in known and re.sub("_(bucket|count|sum)$", "", name) not in known and not OF_SQLITE.search(name)}
    assert unknown == set()
