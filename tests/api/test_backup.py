"""A backup is taken while the crowd is there, and what is restored of it is right: proven by the command itself, then by serving it."""
import shutil
import sqlite3

import pytest

from crash.crowds import finish_crowd

of_sqlite = pytest.mark.of_sqlite
PLACES = 450


def services(pair):
    return (pair.wallet, pair.discount)


def backup(service, path):
    done = service.command("backup", path, "--data", service.data)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "whole and proven" in done.stdout and "copied 100 %" in done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    return path


def restore(service, path, folder):
    return service.command("restore", path, "--data", folder)


def redemptions(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return database.execute("SELECT count(*) FROM redemptions").fetchone()[0]


@of_sqlite
def test_backups_under_a_crowd(make_world, tmp_path):
    world = make_world()
    pair = world.pair
    campaign = world.operator.campaign(places=PLACES)
    crowd = pair.crowd(campaign["code"], users=500, places=PLACES, connections=64, rate=100)
    counts = []
    while crowd.poll() is None:
        files = [backup(service, tmp_path / f"{service.program}.{len(counts)}") for service in services(pair)]
        counts.append(redemptions(files[1]))
    finish_crowd(crowd)
    assert counts == sorted(counts)
    assert any(0 < count < PLACES for count in counts), counts  # in the middle of it
    for number in {0, next(i for i, count in enumerate(counts) if count > 0), len(counts) - 1}:
        for service in services(pair):
            done = restore(service, tmp_path / f"{service.program}.{number}", tmp_path / f"restored-{number}-{service.program}")
            assert done.returncode == 0, done.stdout + done.stderr
    world.assert_clean()


@of_sqlite
def test_what_is_restored_goes_on(make_world, tmp_path):
    """With the same keys: who is logged in stays so, and Wallet knows Discount."""
    world = make_world()
    pair = world.pair
    campaign = world.operator.campaign()
    users = [world.user() for _ in range(3)]
    for user in users:
        assert user.redeem(campaign["code"]).status_code == 201
    entries = world.operator.wallet.get("/v1/audit-log").json()["data"]
    files = [backup(service, tmp_path / service.program) for service in services(pair)]
    pair.end()
    for service, file in zip(services(pair), files):
        shutil.rmtree(service.data)
        assert restore(service, file, service.data).returncode == 0
    pair.start()
    world.connect()
    for user in users:
        assert user.balance() == 1_000_000
        assert user.redeem(campaign["code"]).status_code == 200
    assert world.user().redeem(campaign["code"]).status_code == 201
    assert world.operator.report(campaign["id"])["credited"] == 4
    assert world.operator.wallet.get("/v1/audit-log").json()["data"][-len(entries):] == entries
    assert world.operator.wallet.get("/v1/audit-log?action=keys.change").json()["data"][1:] == []  # no other keys
    world.assert_clean()


def test_with_postgresql_its_own_tools_are_named(make_world, tmp_path):
    for service in services(make_world(start=False)):
        done = service.command("backup", tmp_path / "file", "--data", service.data, "--store", "postgres://nowhere/db")
        assert done.returncode == 1 and "pg_dump" in done.stderr and not (tmp_path / "file").exists()


@of_sqlite
def test_nothing_is_written_over(make_world, tmp_path):
    for service in services(make_world(start=False)):
        file = tmp_path / service.program
        (tmp_path / f"{service.program}.new").write_text("what a killed backup has left")
        backup(service, file)
        assert not (tmp_path / f"{service.program}.new").exists()
        before = file.read_bytes()
        done = service.command("backup", file, "--data", service.data)
        assert done.returncode == 1 and "exists already" in done.stderr and file.read_bytes() == before
        done = restore(service, file, service.data)
        assert done.returncode == 1 and "exists already" in done.stderr


@of_sqlite
def test_what_breaks_a_rule_is_no_backup_and_is_not_restored(make_world, tmp_path):
    world = make_world()
    user = world.user()
    assert user.redeem(world.operator.campaign()["code"]).status_code == 201
    pair = world.pair
    breaks = {"walletd": "UPDATE accounts SET credits_posted = credits_posted + 1 WHERE kind = 1", "discountd": "UPDATE redemptions SET key = key + 1"}
    for service in services(pair):
        file = backup(service, tmp_path / service.program)
        with sqlite3.connect(file) as database:
            changed = database.execute(breaks[service.program]).rowcount
            database.commit()
        assert changed >= 1
        done = restore(service, file, tmp_path / f"of-{service.program}")
        assert done.returncode == 1 and "was not restored: corrupt" in done.stderr, done.stderr
        assert not (tmp_path / f"of-{service.program}").exists()
    pair.end()
    for service in services(pair):
        service.write_sql(breaks[service.program])
        done = service.command("backup", tmp_path / f"{service.program}.broken", "--data", service.data)
        assert done.returncode == 1 and "no backup was made: corrupt" in done.stderr
        assert list(tmp_path.glob(f"{service.program}.broken*")) == []


@of_sqlite
def test_what_is_no_backup_is_refused(make_world, tmp_path):
    pair = make_world(start=False)
    files = {service.program: backup(service, tmp_path / service.program) for service in services(pair)}
    whole = files["walletd"].read_bytes()
    (tmp_path / "half").write_bytes(whole[:len(whole) // 2])
    (tmp_path / "text").write_text("no database at all\n" * 100)
    (tmp_path / "empty").write_bytes(b"")
    shutil.copy(pair.wallet.data / "wallet.db", tmp_path / "bare")  # without keys
    for name in ("half", "text", "empty", "bare", "discountd", "nothing"):
        done = restore(pair.wallet, tmp_path / name, tmp_path / "made")
        assert done.returncode == 1 and "was not restored" in done.stderr, (name, done.stderr)
        assert not (tmp_path / "made").exists()
    assert restore(pair.wallet, files["walletd"], tmp_path / "made").returncode == 0  # after all those attempts
