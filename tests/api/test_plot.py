"""GET /v1/campaigns/{id}/report.svg: well-formed, of the size that was asked for, and harmless whatever a campaign is called."""
import re
import xml.etree.ElementTree

from harness.world import assert_problem

SVG = "{http://www.w3.org/2000/svg}"
NAME = "عید <script>alert(1)</script> ]]> &amp; \"ten\" 'gifts'"


def draw(world, campaign, query=""):
    answer = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/report.svg{query}", headers={"Accept": "image/svg+xml"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/svg+xml" and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    return xml.etree.ElementTree.fromstring(answer.content)


def texts(picture):
    return ["".join(node.itertext()) for node in picture.iter(SVG + "text")]


def test_the_picture_says_what_the_report_says(world):
    campaign = world.operator.campaign(places=3, name=NAME)
    empty = draw(world, campaign)
    assert "No claims yet" in texts(empty) and "0 of 3 places taken · 0 credited · 0 rejected" in texts(empty)
    for _ in range(3):
        assert world.user().redeem(campaign["code"]).status_code in (201, 202)
    world.operator.wait_settled(campaign["id"])
    assert_problem(world.user().redeem(campaign["code"]), 410, "sold_out")
    picture = draw(world, campaign)
    assert picture.tag == SVG + "svg" and (picture.get("width"), picture.get("height"), picture.get("viewBox")) == ("960", "540", "0 0 960 540")
    assert picture.find(SVG + "title").text == NAME and texts(picture)[0] == NAME
    said = texts(picture)
    assert "3 of 3 places taken · 3 credited · 1 rejected" in said
    assert [text for text in said if text.startswith("■")] == ["■ Claims■ Creditsper second", "■ Rejectionsper second", "■ Places leftat the end of each second"]
    assert any(text.endswith(" UTC") for text in said) and any(re.fullmatch(r"\d\d:\d\d:\d\d", text) for text in said)
    drawn = [node.get("class") for node in picture.iter(SVG + "path") if node.get("class", "").startswith("line")]
    assert drawn == ["line claims", "line credits", "line rejections", "line left"]


def test_nothing_is_fetched_or_run(world):
    campaign = world.operator.campaign(name=NAME)
    picture = draw(world, campaign)
    assert {node.tag.removeprefix(SVG) for node in picture.iter()} <= {"svg", "title", "desc", "style", "defs", "linearGradient", "stop", "mask", "rect", "g", "text", "tspan", "path"}
    for node in picture.iter():
        for name, value in node.attrib.items():
            assert not name.startswith("on") and "href" not in name and (value.startswith("url(#") or "url(" not in value)
    assert "url(" not in picture.find(SVG + "style").text and "@import" not in picture.find(SVG + "style").text


def test_it_has_the_size_that_was_asked_for(world):
    campaign = world.operator.campaign()
    path = f"/v1/campaigns/{campaign['id']}/report.svg"
    for width, height in ((320, 240), (400, 300), (2400, 1600)):
        picture = draw(world, campaign, f"?width={width}&height={height}")
        assert picture.get("viewBox") == f"0 0 {width} {height}"
    for wrong in ("width=319", "width=2401", "height=239", "height=1601", "width=x", "size=1"):
        assert_problem(world.operator.discount.get(f"{path}?{wrong}"), 422, "validation_failed")
    assert_problem(world.user().discount.get(path), 403, "forbidden")
    assert_problem(world.operator.discount.get("/v1/campaigns/019aab20-4c00-7a31-9f00-5b1e2c3d4e08/report.svg"), 404, "campaign_not_found")
    assert_problem(world.operator.discount.get(path, headers={"Accept": "image/png"}), 406, "not_acceptable")
