"""A listener for the operators alone: what is meant for them is there, and nowhere else."""
import pytest
import requests

from harness.client import Client
from harness.raw import RawConnection
from harness.services import Discount, Wallet, free_port, wait_until

SERVICES = {"wallet": Wallet, "discount": Discount}
FOR_OPERATORS = ["/healthz", "/readyz", "/metrics", "/docs", "/docs/", "/docs/start.js"]
FOR_BOTH = ["/", "/problems/overloaded", "/openapi.json", "/openapi.yaml"]
FOR_THE_WORLD = ["/.well-known/jwks.json"]


def make_service(name, base, *arguments):
    service = (Wallet(base, *arguments) if name == "wallet" else Discount(base, "http://127.0.0.1:1", *arguments)).init()
    service.operations_port = free_port()
    service.start("--operations-listen", f"127.0.0.1:{service.operations_port}", wait=False)
    operators = Client(f"http://127.0.0.1:{service.operations_port}")

    def is_ready():
        assert service.process.poll() is None, service.tail()
        try:
            return operators.get("/readyz").status_code == 200
        except requests.ConnectionError:
            return False

    wait_until(is_ready, "ready, as its operators see it")
    return service, operators, Client(service.url)


@pytest.fixture(params=SERVICES)
def split(request, tmp_path):
    service, operators, world = make_service(request.param, tmp_path, "--public-url", "https://a.example")
    yield service, operators, world
    service.end()


def test_each_has_its_own(split):
    service, operators, world = split
    for path in FOR_OPERATORS:
        assert operators.get(path).status_code in (200, 308), path
        assert world.get(path).status_code == 404, path
    for path in FOR_BOTH:
        assert operators.get(path).status_code == world.get(path).status_code == 200, path
    for path in FOR_THE_WORLD:
        assert world.get(path).status_code == 200 and operators.get(path).status_code == 404, path
    for method, path in (("POST", "/v1/sessions"), ("GET", "/v1/wallet"), ("POST", "/v1/redemptions")):
        assert operators.request(method, path).status_code == 404, path


def test_the_root_names_what_is_there(split):
    _, operators, world = split
    links = world.get("/").json()["links"]
    assert set(links) == {"self", "openapi", "jwks"} and all(link.startswith("https://a.example/") for link in links.values())
    assert world.get("/", headers={"Accept": "text/html"}).status_code == 200  # there is no page to be sent to
    links = operators.get("/").json()["links"]
    assert links["docs"] == "/docs/" and all(operators.get(link).status_code == 200 for link in links.values())
    assert operators.get("/", headers={"Accept": "text/html"}).headers["Location"] == "/docs/"
    assert operators.get("/nothing").json()["type"] == "/problems/route_not_found"


def test_what_the_world_asks_is_counted_for_the_operators(split):
    service, operators, world = split
    for _ in range(3):
        world.get("/.well-known/jwks.json")
    counted = [line for line in operators.get("/metrics").text.splitlines() if line.startswith(f"{service.program}_http_requests_total{{") and "jwks.json" in line]
    assert [line.split()[-1] for line in counted if '"200"' in line] == ["3"], counted


def test_health_asks_where_the_operators_ask(split):
    service, _, _ = split
    assert service.command("health", "--listen", f"127.0.0.1:{service.port}").returncode == 1
    asked = service.command("health", "--listen", f"127.0.0.1:{service.port}", "--operations-listen", f"127.0.0.1:{service.operations_port}")
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_full_house_keeps_no_operator_out(name, tmp_path):
    service, operators, _ = make_service(name, tmp_path, "--connections", "4")
    held = [RawConnection(service.port) for _ in range(8)]
    try:
        for connection in held:
            connection.send(b"GET /")
        for _ in range(20):
            assert operators.get("/readyz").status_code == 200
    finally:
        for connection in held:
            connection.socket.close()
        service.end()


@pytest.mark.parametrize("name", SERVICES)
def test_one_port_is_not_both(name, tmp_path):
    service = Wallet(tmp_path) if name == "wallet" else Discount(tmp_path, "http://127.0.0.1:1")
    service.init().start("--operations-listen", f"127.0.0.1:{service.port}", wait=False)
    assert service.process.wait(60) == 1 and service.events("listen_failed")
