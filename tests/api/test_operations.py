"""What both services have for machines that watch them: health, readiness, metrics, their documents, their keys."""
import json
import re

import pytest
import yaml
from contract.openapi import ROOT

from harness.client import Client
from harness.world import assert_problem

SERVICES = ["wallet", "discount"]
PUBLIC = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/openapi.yaml", "/docs/", "/docs/swagger-ui-bundle.js", "/.well-known/jwks.json"]
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\+Inf|-?[0-9.e+-]+)$')


@pytest.fixture(params=SERVICES)
def client(world, request):
    return world.client(request.param)


def read_metrics(text):
    """{(name, labels): value}, by the rules of the exposition format 0.0.4."""
    assert text.endswith("\n")
    kinds, samples = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds, f"{name} is declared twice"
            assert not any(key[0].startswith(name) and key[0] in (name, f"{name}_bucket") for key in samples), f"samples of {name} come before its type"
            kinds[name] = kind
        elif line.startswith("#"):
            assert line.startswith("# HELP "), line
        else:
            match = SAMPLE.match(line)
            assert match, line
            name, labels, value = match.groups()
            family = name if name in kinds else re.sub(r"_(bucket|sum|count)$", "", name)
            assert kinds.get(family) in ("counter", "gauge", "histogram"), line
            assert (name, labels or "") not in samples, f"twice: {line}"
            samples[name, labels or ""] = float(value)
    return kinds, samples


def test_alive(client):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_ready(client):
    answer = client.get("/readyz").json()
    assert answer["status"] == "ready" and answer["store"] == "ok", answer


def test_metrics_are_prometheus_text(client):
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    kinds, samples = read_metrics(answer.text)
    histograms = [name for name, kind in kinds.items() if kind == "histogram"]
    assert histograms
    for name in histograms:
        series = {}
        for (sample, labels), value in samples.items():
            if sample == f"{name}_bucket":
                rest, bound = re.sub(r',?le="[^"]*"', "", labels), re.search(r'le="([^"]*)"', labels).group(1)
                series.setdefault(rest, []).append((float(bound), value))
        for rest, buckets in series.items():
            assert buckets == sorted(buckets) and [value for _, value in buckets] == sorted(value for _, value in buckets), (name, rest)
            assert buckets[-1] == (float("inf"), samples[f"{name}_count", rest]), (name, rest)
            assert (f"{name}_sum", rest) in samples


@pytest.mark.parametrize("service", SERVICES)
def test_requests_are_counted_by_route_and_status(world, service):
    client, name = world.client(service), f"{service}d_http_requests_total"

    def count(labels):
        return read_metrics(client.get("/metrics").text)[1].get((name, labels), 0)

    good, unrouted = 'route="GET /healthz",status="200"', 'status="404"'
    before = count(good)
    for _ in range(3):
        client.get("/healthz")
    assert count(good) == before + 3

    def count_unrouted():
        return sum(value for (sample, labels), value in read_metrics(client.get("/metrics").text)[1].items() if sample == name and unrouted in labels)

    before = count_unrouted()
    client.get("/no/such/path")
    assert count_unrouted() == before + 1


@pytest.mark.parametrize("service, patterns", [
    ("wallet", ["queue", "batch", "fsync|commit|sync", "credits"]),
    ("discount", ["queue", "batch", "fsync|commit|sync", "claims", "settle.*lag|lag.*settle"]),
])
def test_metrics_name_what_matters(world, service, patterns):
    kinds, _ = read_metrics(world.client(service).get("/metrics").text)
    for pattern in patterns:
        assert [name for name in kinds if name.startswith(f"{service}d_") and re.search(pattern, name)], (pattern, sorted(kinds))


def test_claims_and_credits_are_counted(world):
    def total(service, word):
        samples = read_metrics(world.client(service).get("/metrics").text)[1]
        return sum(value for (name, _), value in samples.items() if re.search(rf"{word}.*_total$", name))

    campaign = world.operator.campaign(places=2)
    claims, credits = total("discount", "claims"), total("wallet", "credits")
    assert world.user().redeem(campaign["code"]).status_code == 201
    assert total("discount", "claims") == claims + 1
    assert total("wallet", "credits") == credits + 1


@pytest.mark.parametrize("service", SERVICES)
def test_documents(world, service):
    client = world.client(service)
    served = client.get("/openapi.json")
    assert served.headers["Content-Type"].split(";")[0] == "application/json"
    source = (ROOT / "api" / f"{service}.yaml").read_text()
    assert json.loads(served.content) == world.contracts[service].document
    text = client.get("/openapi.yaml")
    assert text.headers["Content-Type"].split(";")[0] == "application/yaml"
    assert text.content.decode("utf-8") == source
    assert yaml.safe_load(text.content) == yaml.safe_load(source)
    assert served.json()["openapi"].startswith("3.1")


@pytest.mark.parametrize("path", ["/openapi.json", "/openapi.yaml", "/docs/", "/docs/swagger-ui.css"])
def test_what_has_not_changed_is_not_sent_again(client, path):
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and again.content == b""
    for tags in (f'W/{first.headers["ETag"]}', f'"another", W/{first.headers["ETag"]}', "*"):
        assert client.get(path, headers={"If-None-Match": tags}).status_code == 304, tags
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("accepted, packed", [("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("gzip; q=0.0, br", False), ("br", False)])
def test_what_is_packed_is_sent_to_those_who_take_it(client, accepted, packed):
    answer = client.get("/docs/swagger-ui.css", headers={"Accept-Encoding": accepted})
    assert answer.status_code == 200 and (answer.headers.get("Content-Encoding") == "gzip") == packed
    assert answer.headers["Vary"] == "Accept-Encoding"


def test_the_page_loads_from_this_service_only(client):
    folder = client.get("/docs")
    assert folder.status_code == 308 and folder.headers["Location"] == "/docs/"
    page = client.get("/docs/").text
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert any("swagger-ui-bundle.js" in source for source in sources)
    for source in sources:
        assert "//" not in source, source
        if not source.startswith("../"):
            asset = client.get(f"/docs/{source}")
            assert asset.status_code == 200 and asset.content, source
    assert_problem(client.get("/docs/nothing.js"), 404, "route_not_found")
    assert_problem(client.get("/docs/../../etc/passwd%00"), 400, "bad_request")


@pytest.mark.parametrize("service", SERVICES)
def test_public_keys_hold_nothing_private(world, service):
    keys = world.client(service).get("/.well-known/jwks.json").json()["keys"]
    assert len(keys) >= 1
    for key in keys:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k", "oth"} & set(key)
        assert key["alg"] == "RS256" and key["use"] == "sig"


@pytest.mark.parametrize("path", PUBLIC)
def test_head_is_get_without_a_body(client, path):
    plain = Client(client.base_url, client.check)
    headers = {"Accept-Encoding": "identity"}
    get, head = plain.get(path, headers=headers), plain.request("HEAD", path, headers=headers)
    assert head.status_code == get.status_code == 200
    assert head.content == b""
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    if path != "/metrics":
        assert head.headers["Content-Length"] == str(len(get.content))
