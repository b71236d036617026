"""What somebody meets who knows only the address: the root, the page of each problem, and addresses that are right for whoever stands outside."""
import json
import uuid

import pytest

from harness.services import Discount, Wallet
from harness.world import World

SERVICES = ["wallet", "discount"]
PUBLIC = {"wallet": "https://pay.example.ir/wallet", "discount": "https://gifts.example.ir"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}


def codes_of(contract):
    """All that any answer of the document may have."""
    found, nodes = set(), [contract.document]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            nodes += node.values()
            if "status" in node and isinstance(node.get("code"), dict):
                found |= set(node["code"].get("enum", []))
        elif isinstance(node, list):
            nodes += node
    return sorted(found)


@pytest.fixture(scope="module")
def public(tmp_path_factory, contracts, issuers):
    from harness.services import Pair
    arguments = {name: ["--public-url", PUBLIC[name] + "/" * (name == "wallet")] for name in SERVICES}
    pair = Pair(tmp_path_factory.mktemp("public"), issuers=issuers.values(), wallet_arguments=arguments["wallet"], discount_arguments=arguments["discount"]).start()
    try:
        yield World(pair, issuers, contracts)
    finally:
        pair.end()


@pytest.mark.parametrize("name", SERVICES)
def test_the_root_says_what_this_is_and_where_its_parts_are(world, name):
    answer = world.client(name).get("/")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/json"
    root = answer.json()
    assert root["service"] == f"{name}d" and root["version"] == world.service(name).command("--version").stdout.split()[1]
    assert set(root["links"]) >= {"self", "docs", "openapi", "jwks", "health", "readiness", "metrics"}
    for link in root["links"].values():
        assert world.client(name).get(link).status_code == 200, link


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("accept, is_sent", [(BROWSER["Accept"], True), ("text/html", True), ("text/html;q=0.5,application/json", False), ("*/*", False), ("application/json", False),
                                             ("text/html, application/json", False)])
def test_a_browser_is_sent_to_the_api_pages(world, name, accept, is_sent):
    answer = world.client(name).get("/", headers={"Accept": accept})
    assert answer.status_code == (302 if is_sent else 200) and answer.headers.get("Location") == ("/docs/" if is_sent else None)
    assert "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_code_has_a_page_that_says_what_to_do(world, contracts, name):
    codes = codes_of(contracts[name])
    assert len(codes) > 20
    for code in codes:
        answer = world.client(name).get(f"/problems/{code}")
        assert answer.status_code == 200, code
        page = answer.json()
        assert page["code"] == code and page["status"] >= 400
        assert len({page["title"], page["what_happened"], page["what_to_do"]}) == 3 and page["what_happened"].endswith(".") and page["what_to_do"].endswith(".")
        html = world.client(name).get(f"/problems/{code}", headers=BROWSER)
        assert html.status_code == 200 and html.headers["Content-Type"].startswith("text/html")
        assert page["what_happened"] in html.text and page["what_to_do"] in html.text and code in html.text
        assert html.headers["X-Frame-Options"] == "DENY" and "default-src 'none'" in html.headers["Content-Security-Policy"]
    assert world.client(name).get("/problems/no_such_code").status_code == 404


@pytest.mark.parametrize("name", SERVICES)
def test_the_title_and_the_status_are_those_of_the_problem(world, name):
    problem = world.client(name).get("/nothing/here").json()
    page = world.client(name).get(problem["type"]).json()
    assert (page["title"], page["status"], page["code"]) == (problem["title"], problem["status"], problem["code"])


@pytest.mark.parametrize("body, place", [(b"{", 1), (b'{"username": }', 13), (b"", 0), (b'{"a": 1} x', 9), (b'{"a": "\\x"}', 8), (b'{"a": "\\u12g4"}', 11), (b'{"a": 01}', 7),
                                         (b'{"a": "\xff"}', 7), (b'{"a" 1}', 5), (b'{"a": tru}', 6), (b'[1, 2', 6), (b'{"a": "b', 8)])
def test_malformed_json_says_at_which_byte(world, body, place):
    place = min(place, len(body))
    for name, path in (("wallet", "/v1/users"), ("wallet", "/v1/sessions")):
        answer = world.raw(name, "POST", path, {"Content-Type": "application/json"}, body)
        problem = json.loads(answer.body)
        assert (answer.status, problem["code"]) == (400, "malformed_json") and f" byte {place}" in problem["detail"], problem
    answer = world.raw("discount", "POST", "/v1/redemptions", {"Content-Type": "application/json", "Authorization": f"Bearer {world.operator.token}"}, body)
    assert f" byte {place}" in json.loads(answer.body)["detail"]


@pytest.mark.parametrize("name", SERVICES)
def test_the_public_url_begins_every_address(public, name):
    base = PUBLIC[name]
    client = public.client(name)
    links = client.get("/").json()["links"]
    assert links["self"] == base + "/" and all(link.startswith(base + "/") for link in links.values())
    assert client.get("/", headers=BROWSER).headers["Location"] == f"{base}/docs/"
    assert client.get("/docs").headers["Location"] == f"{base}/docs/"
    assert client.get("/nothing").json()["type"] == f"{base}/problems/route_not_found"
    assert client.get("/openapi.json").json()["servers"] == [{"url": base, "description": "The service that serves this document."}]
    assert f"servers:\n  - url: {base}\n" in client.get("/openapi.yaml").text
    tag = client.get("/openapi.json").headers["ETag"]
    assert client.get("/openapi.json", headers={"If-None-Match": tag}).status_code == 304


def test_what_was_made_is_at_its_public_address(public):
    reference = f"fund-{uuid.uuid4()}"
    key = str(uuid.uuid4())
    body = {"reference": reference, "amount": 10, "currency": "IRT"}
    for _ in range(2):  # kept answers know where they are served today
        answer = public.shop.post("/v1/funds", body, key=key)
        assert answer.status_code == 201 and answer.headers["Location"] == f"{PUBLIC['wallet']}/v1/funds/{reference}"
    campaign = public.operator.campaign(places=1)
    user, late = public.user(), public.user()
    won = user.redeem(campaign["code"])
    assert won.headers["Location"] == f"{PUBLIC['discount']}/v1/redemptions/{won.json()['id']}"
    assert late.redeem(campaign["code"]).json()["type"] == f"{PUBLIC['discount']}/problems/sold_out"
    assert late.redeem(campaign["code"], key=str(uuid.uuid4())).json()["type"] == f"{PUBLIC['discount']}/problems/sold_out"


def test_the_next_page_of_a_file_is_at_its_public_address(public):
    campaign = public.operator.campaign(places=2)
    for _ in range(2):
        assert public.user().redeem(campaign["code"]).status_code == 201
    path = f"/v1/campaigns/{campaign['id']}/redemptions"
    link = public.operator.discount.get(f"{path}?limit=1", headers={"Accept": "text/csv"}).headers["Link"]
    assert link.startswith(f"<{PUBLIC['discount']}{path}?limit=1&cursor=")


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_shows_the_api_pages_in_a_frame(world, public, name):
    for served, more in ((world, ""), (public, " https://" + PUBLIC[name].split("/")[2])):
        for path in ("/docs/", "/docs/start.js"):
            answer = served.client(name).get(path)
            policy = {part.split()[0]: part.split()[1:] for part in answer.headers["Content-Security-Policy"].split(";")}
            assert policy["default-src"] == ["'none'"] and policy["frame-ancestors"] == ["'none'"] and policy["script-src"] == ["'self'"]
            assert policy["connect-src"] == f"'self'{more}".split()
            assert answer.headers["X-Frame-Options"] == "DENY" and answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("url", ["pay.example.ir", "ftp://pay.example.ir", "https://", "https:///wallet", "https://pay.example.ir/?a=b", "https://pay.example.ir/#x",
                                 "https://pay.example.ir/ a", 'https://pay.example.ir/"', "https://pay.example.ir;x"])
@pytest.mark.parametrize("program", [Wallet, Discount])
def test_what_is_no_public_url_is_refused_at_start(tmp_path, program, url):
    service = program(tmp_path) if program is Wallet else program(tmp_path, "http://127.0.0.1:1")
    done = service.command("serve", "--data", tmp_path / "none", *service.arguments, "--public-url", url)
    assert done.returncode == 2 and "public-url must be a URL" in done.stderr
