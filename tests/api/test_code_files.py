"""discountd codes import and export: whole files, by the routes of a service that runs, with an administrator's token."""
import csv
import os
import secrets
import stat
import uuid

import pytest

PART = 1_048_576


@pytest.fixture(scope="module")
def campaign(world):
    return world.operator.campaign(code=None, phone="any", places=100)


def run(world, act, campaign, path, *words, token=None, url=None):
    token = world.operator.discount.token if token is None else token
    return world.pair.discount.command("codes", act, path, "--campaign", campaign["id"], "--discount", url or world.pair.discount.url, *words, input=token + "\n")


def redeem(user, code):
    return user.discount.post("/v1/redemptions", {"code": code, "phone": user.phone})


def some(count):
    return [f"FILE{secrets.token_hex(5).upper()}" for _ in range(count)]


def written(folder, text):
    path = folder / f"{uuid.uuid4()}.csv"
    path.write_text(text)
    return path


def batches(world, campaign):
    return world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/code-batches").json()["data"]


def test_a_file_of_several_parts(world, campaign, tmp_path):
    """Each part is an import of its own, and a repeat of the command imports nothing twice."""
    codes = some(90_000)
    path = written(tmp_path, "code\r\n" + "".join(f"{code}\r\n" for code in codes))
    assert path.stat().st_size > PART
    done = run(world, "import", campaign, path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and lines[-1] == "90000 codes imported, 0 lines skipped"
    made = batches(world, campaign)
    assert [line.split()[0] for line in lines[:2]] == [batch["id"] for batch in reversed(made)] and sum(batch["count"] for batch in made) == 90_000
    assert done.stderr.splitlines()[-1] == "100 %, 90000 codes imported"
    for code in (codes[0], codes[-1], codes[66_000]):
        assert redeem(world.user(), code).status_code in (201, 202)
    again = run(world, "import", campaign, path)
    assert again.returncode == 0 and again.stdout.count("which were imported before") == 2 and batches(world, campaign)[0]["count"] == made[0]["count"]
    acts = world.operator.discount.get("/v1/audit-log?action=code.import").json()["data"]
    assert {act["subject"] for act in acts if act["after"]} >= {batch["id"] for batch in made} and len({act["actor"] for act in acts}) == 1


def test_parts_may_be_small(world, campaign, tmp_path):
    """So that nobody waits long behind one: each is cut at the end of a line."""
    codes = some(600)
    done = run(world, "import", campaign, written(tmp_path, "code\n" + "\n".join(codes)), "--part", 4)
    assert done.returncode == 0, done.stderr
    counts = [int(line.split()[1]) for line in done.stdout.splitlines()[:-1]]
    assert sum(counts) == 600 and len(counts) == 3 and done.stdout.endswith("600 codes imported, 0 lines skipped\n")
    for code in (codes[0], codes[counts[0] - 1], codes[counts[0]], codes[-1]):
        assert redeem(world.user(), code).status_code in (201, 202)
    assert run(world, "import", campaign, written(tmp_path, codes[0]), "--part", 1025).returncode == 2


def test_bad_lines_are_told_by_their_place_in_the_file(world, campaign, tmp_path):
    good = some(74_000)
    lines = ["code", *good[:73_000], "???", good[0], *good[73_000:]]
    path = written(tmp_path, "\n".join(lines) + "\n")
    refused = run(world, "import", campaign, path)
    assert refused.returncode == 1 and "what stands above was imported" in refused.stderr and len(refused.stdout.splitlines()) == 1
    told = [line for line in refused.stderr.splitlines() if line.startswith(str(path))]
    assert told == [f"{path}:73002: must be letters and digits, 64 bytes at most without the separators", f"{path}:73003: is a code already, of a campaign or a batch"]
    skipped = run(world, "import", campaign, written(tmp_path, "???\n" + good[73_500] + "\n"), "--on-error", "skip")
    assert skipped.returncode == 0 and skipped.stdout.endswith("1 codes imported, 1 lines skipped\n") and ":1: must be letters" in skipped.stderr


def test_what_is_refused_is_said(world, campaign, tmp_path):
    path, nobody = written(tmp_path, "A1B2C3D4E5\n"), world.user()
    (tmp_path / "codes.json").write_text('{"codes": ["FROMJSON17"]}')
    assert run(world, "import", campaign, tmp_path / "codes.json").returncode == 0
    for words, said in (((campaign, tmp_path / "none.csv"), "No such file"), ((campaign, written(tmp_path, "\n\n")), "there is no code in it"),
                        ((campaign, written(tmp_path, "A" * (PART + 9))), "line 1 is longer than 1048576 bytes"), (({"id": str(uuid.uuid4())}, path), "404 campaign_not_found"),
                        (({"id": "x"}, path), "--campaign must be the id of a campaign")):
        answer = run(world, "import", *words)
        assert (answer.returncode, answer.stdout) == (1, "") and said in answer.stderr, answer
    assert "403 forbidden" in run(world, "import", campaign, path, token=nobody.discount.token).stderr
    assert "first line of standard input" in run(world, "import", campaign, path, token="").stderr
    assert world.pair.discount.command("codes", "import", path).returncode == 2
    assert world.pair.discount.command("codes", "export", "--campaign", campaign["id"]).returncode == 2


def test_a_batch_goes_into_a_file(world, campaign, tmp_path):
    made = world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/code-batches", {"count": 20_000, "pattern": "FILE-####-####-####-##"})
    assert made.status_code == 201, made.text
    batch, path = made.json()["id"], tmp_path / "codes.csv"
    done = run(world, "export", campaign, path, "--batch", batch)
    assert done.returncode == 0 and done.stderr.splitlines()[-1] == "100 %, 20000 codes exported", done
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    answer = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}/code-batches/{batch}/codes", headers={"Accept": "text/csv"})
    assert path.read_bytes() == answer.content
    rows = list(csv.DictReader(path.open(newline="")))
    assert redeem(world.user(), rows[12_345]["code"]).status_code in (201, 202)
    used = run(world, "export", campaign, "-", "--batch", batch, "--state", "used", "--for-spreadsheet")
    assert used.returncode == 0 and used.stdout.startswith("\ufeffindex,code,state\n") and used.stdout.splitlines()[1:] == [f"12346,{rows[12_345]['code']},used"]
    assert "File exists" in run(world, "export", campaign, path, "--batch", batch).stderr
    for words, said in (((campaign, tmp_path / "a.csv", "--batch", str(uuid.uuid4())), "404 code_batch_not_found"),
                        ((campaign, tmp_path / "none" / "a.csv", "--batch", batch), "No such file"), ((campaign, "/dev/full", "--batch", batch), "File exists"),
                        ((campaign, tmp_path / "a.csv", "--batch", "x"), "--batch must be the id")):
        answer = run(world, "export", *words)
        assert answer.returncode == 1 and said in answer.stderr, answer
    assert not (tmp_path / "a.csv").exists()
    acts = world.operator.discount.get(f"/v1/audit-log?subject={batch}&action=code_batch.export").json()["data"]
    assert len(acts) == 3 and len({act["actor"] for act in acts}) == 1


def test_a_service_that_is_not_there_is_named(world, campaign, tmp_path):
    answer = run(world, "export", campaign, tmp_path / "a.csv", "--batch", str(uuid.uuid4()), url="http://127.0.0.1:1/")
    assert answer.returncode == 1 and "http://127.0.0.1:1/v1/campaigns" in answer.stderr and "does not answer" in answer.stderr
    assert not os.listdir(tmp_path)
