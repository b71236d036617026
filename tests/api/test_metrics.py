"""What the services show of themselves, held against what the kernel says and what Prometheus' own tools think of it."""
import os
import re
import subprocess

import pytest
import requests

from harness.services import BUILD, ROOT, wait_until

SERVICES = ["wallet", "discount"]
SERIES_OF_AN_IDLE_SERVICE = 1000  # there were 2,700 when each route had one for each status


def page(service):
    answer = requests.get(f"{service.url}/metrics", timeout=30)
    assert answer.status_code == 200
    return answer.text


def samples(text):
    """{series: value}"""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}


@pytest.mark.parametrize("name", SERVICES)
def test_prometheus_reads_the_page_and_finds_nothing_odd(world, name):
    world.user().redeem(world.operator.campaign()["code"])
    text = page(world.service(name))
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    heads = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads))


@pytest.mark.parametrize("name", SERVICES)
def test_the_process_is_as_the_kernel_says(world, name):
    service = world.service(name)
    shown = samples(page(service))
    pid = service.process.pid
    with open(f"/proc/{pid}/limits") as limits:
        [files] = [line.split()[3] for line in limits if line.startswith("Max open files")]
    ticks = [int(field) for field in open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[11:13]]
    assert 0.5 <= shown["process_resident_memory_bytes"] / 1024 / service.rss_kib() <= 2
    assert shown["process_virtual_memory_bytes"] > shown["process_resident_memory_bytes"]
    assert abs(shown["process_open_fds"] - len(os.listdir(f"/proc/{pid}/fd"))) <= 5  # connections come and go
    assert shown["process_max_fds"] == int(files)
    assert shown["process_threads"] == len(os.listdir(f"/proc/{pid}/task"))
    assert 0 < shown["process_cpu_seconds_total"] <= sum(ticks) / os.sysconf("SC_CLK_TCK") + 1
    assert abs(shown["process_start_time_seconds"] - os.stat(f"/proc/{pid}").st_mtime) < 3600


@pytest.mark.parametrize("name", SERVICES)
def test_the_program_says_what_it_was_built_from(world, name):
    program = f"{name}d"
    version = subprocess.run([BUILD / program, "--version"], capture_output=True, text=True, timeout=60).stdout
    [(number, commit)] = re.findall(rf"{program} (\d+\.\d+\.\d+) \((\S+)\)\n", version)
    assert samples(page(world.service(name)))[f'{program}_build_info{{version="{number}",commit="{commit}"}}'] == 1
    assert world.client(name).get("/").json()["version"] == number
    assert f"## {number}" in (ROOT / "CHANGELOG.md").read_text()
    if (ROOT / ".git").exists():
        assert re.fullmatch(r"[0-9a-f]{12,40}(-dirty)?", commit), commit


@pytest.mark.of_sqlite
@pytest.mark.parametrize("name", SERVICES)
def test_the_files_of_the_database_are_shown(world, name):
    world.user().redeem(world.operator.campaign()["code"])
    service = world.service(name)
    path = service.data / f"{name}.db"

    def is_right():
        shown = samples(page(service))
        return (shown[f"{name}d_database_bytes"], shown.get(f"{name}d_wal_bytes", 0)) == (path.stat().st_size, path.with_suffix(".db-wal").stat().st_size)

    wait_until(is_right, "both sizes are the files'")  # another test may write meanwhile


def test_an_idle_service_shows_what_has_happened_and_no_more(make_world):
    pair = make_world(start=False).start()
    watched = {"walletd": ("POST /v1/users", "POST /v1/sessions", "POST /v1/credits"), "discountd": ("POST /v1/redemptions",)}
    asked_by_discount = {"GET /v1/funds", "GET /v1/instance", "GET /v1/revocations"}
    for service in (pair.wallet, pair.discount):
        before = samples(page(service))
        for route in watched[service.program]:
            assert before[f'{service.program}_http_requests_total{{route="{route}",status="503"}}'] == 0  # a rate needs it
        assert len(before) < SERIES_OF_AN_IDLE_SERVICE, len(before)
        shown = {series.split('"')[1] for series in before if "_http_requests_total{" in series}
        assert shown <= {*watched[service.program], "GET /readyz", "GET /metrics", "GET /.well-known/jwks.json", *asked_by_discount}, shown
        assert requests.post(f"{service.url}/v1/nowhere", timeout=30).status_code == 404
        assert samples(page(service))[f'{service.program}_http_requests_total{{route="none",status="404"}}'] == 1


def test_live_campaigns_are_shown_with_their_places(make_world):
    world = make_world()
    service = world.pair.discount

    def shown():
        return {series: value for series, value in samples(page(service)).items() if series.startswith("discountd_campaign_")}

    assert shown() == {}
    one, other = world.operator.campaign(places=3), world.operator.campaign(places=7)
    for _ in range(2):
        assert world.user().redeem(one["code"]).status_code == 201
    of = {campaign["id"]: (campaign["max_redemptions"], taken) for campaign, taken in ((one, 2), (other, 0))}
    assert shown() == {f'discountd_campaign_{kind}{{campaign="{id}"}}': value
                       for id, (places, taken) in of.items() for kind, value in (("places", places), ("redeemed", taken), ("credited", taken), ("waiting", 0))}
    done = subprocess.run(["promtool", "check", "metrics"], input=page(service), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert world.operator.discount.post(f"/v1/campaigns/{one['id']}/end").status_code == 200
    assert not any(one["id"] in series for series in shown()) and len(shown()) == 4
