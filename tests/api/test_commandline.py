"""The command line: what --help says, where values come from, what is refused, and what init leaves on the disk."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import threading

import pytest
from contract.routes import differences, parse_table

from harness.client import Client
from harness.raw import RawConnection
from harness.services import BUILD, DEADLINE_S, Discount, Wallet, free_port, wait_until

PROGRAMS = ["walletd", "discountd"]
KEYS = ["keys", "keys list", "keys rotate", "keys retire"]
COMMANDS = {"walletd": ["init", "serve", "user add", "user list", "user set-password", "user make-admin", "user remove-admin", "verify", "backup", "restore", "health", *KEYS], "discountd": ["init", "serve", "verify", "reconcile", "backup", "restore", "health", *KEYS]}


def run(program, *words, environment=None, **options):
    return subprocess.run([BUILD / program, *map(str, words)], capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                          env={**os.environ, **(environment or {})}, **options)


def wallet_words(program):
    return ["--wallet", "http://127.0.0.1:1"] if program == "discountd" else []


@pytest.fixture(params=PROGRAMS)
def program(request):
    return request.param


@pytest.fixture
def folder(tmp_path, program):
    path = tmp_path / "data"
    done = run(program, "init", "--data", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """An initialised folder for each program, for what never gets as far as to touch it."""
    folders = {name: tmp_path_factory.mktemp("ready") / name for name in PROGRAMS}
    for name, path in folders.items():
        assert run(name, "init", "--data", path).returncode == 0
    return folders


# ---- help and documents ----

def test_the_routes_are_those_of_the_document(world, program):
    documented = world.contracts[program.removesuffix("d")].routes()
    assert not differences(documented, parse_table(run(program, "routes").stdout))


def test_help_names_every_command_and_flag(program):
    done = run(program, "--help")
    assert done.returncode == 0
    for command in COMMANDS[program]:
        assert command in done.stdout
        own = run(program, *command.split(), "--help")
        assert own.returncode == 0 and ("--listen" if command == "health" else "--data") in own.stdout, command
        documented = re.findall(r"--([a-z][a-z-]+)", own.stdout)
        assert documented
    for words in ((), ("nonsense",), ("serve", "nonsense"), ("--nonsense",)):
        assert run(program, *words).returncode == 2, words


def test_help_tells_units_ranges_and_defaults(program):
    text = run(program, "serve", "--help").stdout
    expected = {"walletd": ["127.0.0.1:8080", "WALLETD_LISTEN", "1..64|1 to 64", "ms", r"standard\|low|standard, low"],
                "discountd": ["127.0.0.1:8081", "DISCOUNTD_LISTEN", "0..60000|0 to 60000", "ms", "2000", "DISCOUNTD_SETTLE_WAIT"]}[program]
    for pattern in expected:
        assert re.search(pattern, text), (pattern, text)


def test_the_documents_of_the_parameters_name_every_flag(program):
    text = run(program, "parameters").stdout
    for flag in set(re.findall(r"--([a-z][a-z-]+)", run(program, "serve", "--help").stdout)) - {"help", "config", "version"}:
        assert flag in text, flag


def test_version(program):
    done = run(program, "--version")
    assert done.returncode == 0 and re.match(rf"^{program} \d+\.\d+\.\d+ \(\S+\)\n$", done.stdout)


# ---- init ----

def test_init_leaves_private_files(folder):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    keys = list((folder / "keys").iterdir())
    assert keys
    for path in keys:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for path in folder.iterdir():
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_init_refuses_an_existing_folder(folder, program, tmp_path):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = run(program, "init", "--data", folder)
    assert done.returncode != 0 and str(folder) in done.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(program, "init", "--data", empty).returncode != 0
    assert list(empty.iterdir()) == []
    assert run(program, "init", "--data", tmp_path / "no" / "such" / "folder").returncode != 0


def test_serve_refuses_a_folder_that_was_not_initialised(program, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for path in (empty, tmp_path / "nothing", "/dev/null"):
        done = run(program, "serve", "--data", path, "--listen", f"127.0.0.1:{free_port()}", *wallet_words(program))
        assert done.returncode not in (0, -6, -11), done
        assert str(path) in done.stderr
    assert list(empty.iterdir()) == []


def test_keys_prints_the_public_keys_only(folder, program):
    done = run(program, "keys", "--data", folder)
    assert done.returncode == 0
    [key] = json.loads(done.stdout)["keys"]
    assert not {"d", "p", "q"} & set(key)


# ---- serve ----

@pytest.fixture
def service(tmp_path, program):
    made = Wallet(tmp_path) if program == "walletd" else Discount(tmp_path, "http://127.0.0.1:1")
    made.init()
    yield made
    made.end()


def test_a_second_serve_on_the_same_folder_is_refused(service, program):
    service.start()
    done = run(program, "serve", "--data", service.data, "--listen", f"127.0.0.1:{free_port()}", *wallet_words(program))
    assert done.returncode not in (0, -6, -11), done
    assert done.stderr
    assert Client(service.url).get("/readyz").status_code == 200


def test_a_taken_port_is_refused(service, program, tmp_path):
    service.start()
    other = tmp_path / "other"
    assert run(program, "init", "--data", other).returncode == 0
    done = run(program, "serve", "--data", other, "--listen", f"127.0.0.1:{service.port}", *wallet_words(program))
    assert done.returncode not in (0, -6, -11), done


def test_verify_on_a_live_and_a_stopped_service(service):
    service.start()
    assert service.verify().returncode == 0
    assert service.stop() == 0
    assert service.verify().returncode == 0


@pytest.mark.parametrize("signal_number", [15, 2])
def test_signals_end_it_with_exit_code_0(service, signal_number):
    service.start()
    service.process.send_signal(signal_number)
    assert service.process.wait(DEADLINE_S) == 0
    last = json.loads(service.tail(1))
    assert (last["event"], last["level"], last["reason"]) == ("stopped", "info", "drained"), last


def test_an_undrained_end_is_told(service):
    """A request that never comes to its end is waited for until the deadline."""
    service.start("--drain-deadline", "0")
    connection = RawConnection(service.port)
    try:
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.read_answer().status == 200
        connection.send(b"GET /healthz HTTP/1.1\r\n")
        assert service.stop() == 1, service.tail()
    finally:
        connection.socket.close()
    last = json.loads(service.tail(1))
    assert (last["event"], last["level"], last["reason"]) == ("stopped", "error", "timeout"), last


def keep_asking(port, serial, has_asked):
    """Passwords to hash, and rows to write, until nobody answers any more."""
    body = json.dumps({"username": f"asker-{serial}", "password": "correct horse battery"}).encode()
    head = f"POST /v1/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with contextlib.suppress(OSError, AssertionError):
        connection = RawConnection(port)
        with contextlib.closing(connection.socket):
            while True:
                connection.send(head + body + b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
                has_asked.release()
                connection.read_answer()
                connection.read_answer()


def test_an_end_in_the_middle_of_work_uses_nothing_that_is_gone(service):
    """Cut off at once, while loops, the store and the threads that hash passwords are all busy. The sanitizers watch."""
    for run_number in range(3):
        service.start("--drain-deadline", "0")
        has_asked = threading.Semaphore(0)
        askers = [threading.Thread(target=keep_asking, args=(service.port, f"{run_number}-{index}", has_asked)) for index in range(8)]
        for asker in askers:
            asker.start()
        for _ in range(2 * len(askers)):
            assert has_asked.acquire(timeout=DEADLINE_S)
        code = service.stop()
        for asker in askers:
            asker.join()
        assert code in (0, 1), service.tail()
        assert json.loads(service.tail(1))["event"] == "stopped"


@pytest.mark.parametrize("words, name", [
    (["--listen", "nonsense"], "--listen"), (["--listen", "127.0.0.1:99999"], "--listen"), (["--listen", ""], "--listen"), (["--loops", "0"], "--loops"),
    (["--loops", "65"], "--loops"), (["--loops", "two"], "--loops"), (["--loops", "1.5"], "--loops"), (["--nonsense", "1"], "--nonsense"), (["--log-level", "loud"], "--log-level"),
    (["--loops"], "--loops"), (["--loops", "1", "--loops", "1"], "--loops"), (["--config", "/no/such/file"], "/no/such/file"),
])
def test_bad_flags_are_named(ready, program, words, name):
    done = run(program, "serve", "--data", ready[program], *wallet_words(program), *words)
    assert done.returncode == 2, done
    assert name in done.stderr, done.stderr


def test_every_bad_flag_is_named(ready, program):
    done = run(program, "serve", "--data", ready[program], *wallet_words(program), "--loops", "0", "--log-level", "loud", "--surprise", "1")
    assert done.returncode == 2
    for name in ("--loops", "--log-level", "--surprise"):
        assert name in done.stderr


def test_bad_variables_and_files_are_named(ready, program, tmp_path):
    variable = f"{program.upper()}_LOOPS"
    done = run(program, "serve", "--data", ready[program], *wallet_words(program), environment={variable: "many"})
    assert done.returncode == 2 and variable in done.stderr
    config = tmp_path / "config"
    for text, mark in (("loops = 0\n", "config:1"), ("# fine\n\nsurprise = 1\n", "config:3"), ("no equals sign\n", "config:1")):
        config.write_text(text)
        done = run(program, "serve", "--data", ready[program], *wallet_words(program), "--config", config)
        assert done.returncode == 2 and mark in done.stderr, done.stderr


def serves_on(program, port, words, environment):
    """Whether a serve with these comes up on this port."""
    process = subprocess.Popen([BUILD / program, "serve", *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **environment})
    try:
        def alive():
            assert process.poll() is None, process.stderr.read()
            try:
                return Client(f"http://127.0.0.1:{port}").get("/healthz", timeout=2).status_code == 200
            except OSError:
                return False
        wait_until(alive, f"{program} on port {port}", 20)
    finally:
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
        process.stderr.close()


def test_flag_before_variable_before_file(folder, program, tmp_path):
    ports = {name: free_port() for name in ("flag", "variable", "file")}
    upper = program.upper()
    config = tmp_path / "config"
    config.write_text(f"# where\nlisten = 127.0.0.1:{ports['file']}\ndata = {folder}\n" + ("wallet = http://127.0.0.1:1\n" if program == "discountd" else ""))
    variables = {f"{upper}_LISTEN": f"127.0.0.1:{ports['variable']}", f"{upper}_CONFIG": str(config)}
    serves_on(program, ports["file"], ["--config", config], {})
    serves_on(program, ports["variable"], [], variables)
    serves_on(program, ports["flag"], ["--listen", f"127.0.0.1:{ports['flag']}"], variables)


def test_one_file_serves_all_commands(folder, program, tmp_path):
    """Also when it is exported for good: a command passes over what only others know, and still refuses what none knows."""
    config = tmp_path / "config"
    lines = f"data = {folder}\nlisten = 127.0.0.1:{free_port()}\n" + ("wallet = http://127.0.0.1:1\n" if program == "discountd" else "password-cost = low\n")
    environment = {f"{program.upper()}_CONFIG": str(config)}
    config.write_text(lines)
    own = ["user", "add", "boss"] if program == "walletd" else ["reconcile"]
    for words in (["init", "--data", tmp_path / "new"], ["verify"], ["keys"], own):
        done = run(program, *words, environment=environment, input="a good password\n")
        assert done.returncode == 0, (words, done.stderr)
    config.write_text(lines + "listens = 127.0.0.1:0\n")
    done = run(program, "verify", environment=environment)
    assert done.returncode == 2 and "unknown parameter `listens`" in done.stderr, done.stderr
    assert "configuration file" in run(program, "--help").stdout


# ---- the first start, and the check of a container ----

def test_a_service_makes_what_it_needs_at_its_first_start(tmp_path, program):
    password = tmp_path / "password"
    password.write_text("a good password\n")
    words = ["--init", *(["--admin-password-file", str(password)] if program == "walletd" else [])]
    service = (Wallet if program == "walletd" else Discount)(tmp_path, *wallet_words(program)[1:], *words)
    halfway = pathlib.Path(f"{service.data}.new")
    (halfway / "keys").mkdir(parents=True)  # what an init that was killed has left
    (halfway / "keys" / "one.jwk").write_text("{")
    for _ in range(2):
        service.start()
        try:
            assert not halfway.exists()
            if program == "walletd":
                token = Client(service.url).post("/v1/sessions", {"username": "admin", "password": "a good password"}).json()["access_token"]
                assert Client(service.url).get("/v1/accounts", token=token).status_code == 200
        finally:
            service.end()
        password.write_text("another password\n")  # who is there keeps the old one
    assert service.verify().returncode == 0


def test_a_first_start_goes_on_where_it_was_killed(tmp_path):
    """The folder is there, the administrator is not."""
    password = tmp_path / "password"
    service = Wallet(tmp_path, "--init", "--admin-password-file", str(password), "--admin-name", "Boss").init()
    done = run("walletd", "serve", "--data", service.data, *service.store_words, "--listen", f"127.0.0.1:{service.port}", *service.arguments)
    assert done.returncode == 1 and str(password) in done.stderr, done.stderr
    password.write_text("short\n")
    done = run("walletd", "serve", "--data", service.data, *service.store_words, "--listen", f"127.0.0.1:{service.port}", *service.arguments)
    assert done.returncode == 1 and "8 to 128 characters" in done.stderr, done.stderr
    password.write_text("a good password\n")
    service.start()
    service.end()
    service.start()
    try:
        token = Client(service.url).post("/v1/sessions", {"username": "boss", "password": "a good password"}).json()["access_token"]
        assert Client(service.url).get("/v1/accounts", token=token).status_code == 200
    finally:
        service.end()


def test_health_tells_whether_the_service_is_ready(world, program):
    service = world.pair.wallet if program == "walletd" else world.pair.discount
    for host in ("127.0.0.1", "0.0.0.0"):
        done = run(program, "health", "--listen", f"{host}:{service.port}")
        assert done.returncode == 0 and "ready" in done.stdout, done
    done = run(program, "health", environment={f"{program.upper()}_LISTEN": f"127.0.0.1:{free_port()}"})
    assert done.returncode == 1 and "does not answer" in done.stderr, done


# ---- walletd's own ----

def test_a_low_password_cost_is_for_loopback_only(ready):
    for listen in ("0.0.0.0", "[::]", "192.0.2.1"):
        done = run("walletd", "serve", "--data", ready["walletd"], "--listen", f"{listen}:{free_port()}", "--password-cost", "low")
        assert done.returncode != 0 and "password-cost" in done.stderr, done
    done = run("walletd", "serve", "--data", ready["walletd"], "--listen", f"127.0.0.1:{free_port()}", "--password-cost", "free")
    assert done.returncode == 2 and "--password-cost" in done.stderr


@pytest.mark.parametrize("trusted", ["discount", "=file", "wallet=file", "Dis Count=file", "discount=", "discount=file,", "discount=file,credits", "discount=file,admin", "discount=file,user", "credits:write",
                                     "discount=file,credits:write,CREDITS:ISSUE", "discount=file,credits:write funds:write x", ",discount=file"])
def test_bad_trusted_services_are_named(ready, trusted):
    done = run("walletd", "serve", "--data", ready["walletd"], "--listen", f"127.0.0.1:{free_port()}", "--trust-service", trusted)
    assert done.returncode not in (0, -6, -11) and "--trust-service" in done.stderr, done


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_may_read_is_told_with_its_remedy(ready, tmp_path, program, mode):
    folder = tmp_path / "data"
    shutil.copytree(ready[program], folder)
    key = next((folder / "keys").glob("*.jwk"))
    key.chmod(mode)
    for words in (["keys", "--data", folder], ["serve", "--data", folder, "--listen", f"127.0.0.1:{free_port()}"] + (["--wallet", "http://127.0.0.1:1"] if program == "discountd" else [])):
        done = run(program, *words)
        assert done.returncode not in (0, -6, -11) and "chmod 600" in done.stderr and str(key) in done.stderr, done
    key.chmod(0o600)
    assert run(program, "keys", "--data", folder).returncode == 0


def test_user_add(tmp_path):
    service = Wallet(tmp_path).init()
    service.add_user("Boss", "a good password", admin=True)
    service.add_user("worker", "another password")
    service.add_user("typist", "a password of Windows\r")  # the line ends with CRLF
    service.add_user("poet", "\U0001f511" * 128 + "\r")  # as long as can be
    for name, password in (("boss", "a good password"), ("worker", "short"), ("w", "a good password"), ("with blank", "a good password"), ("new", "")):
        done = service.command("user", "add", name, "--data", service.data, input=password + "\n")
        assert done.returncode != 0 and done.stderr, name
    assert service.command("user", "add", "--data", service.data, input="a good password\n").returncode == 2
    assert service.command("user", "add", "one", "two", "--data", service.data, input="a good password\n").returncode == 2
    service.start()
    try:
        service.add_user("late", "a good password")  # beside a running service
        client = Client(service.url)
        for name, password, scope_count in (("boss", "a good password", 200), ("worker", "another password", 403), ("typist", "a password of Windows", 403), ("late", "a good password", 403),
                                            ("poet", "\U0001f511" * 128, 403)):
            token = client.post("/v1/sessions", {"username": name, "password": password}).json()["access_token"]
            assert client.get("/v1/accounts", token=token).status_code == scope_count
    finally:
        service.end()


def test_no_secret_is_taken_from_the_command_line():
    for program in PROGRAMS + ["crowd"]:
        for command in COMMANDS.get(program, [""]):
            for flag in re.findall(r"--([a-z][a-z-]+)", run(program, *command.split(), "--help").stdout):
                assert flag in ("password-cost", "password-threads", "admin-password-file", "access-token-lifetime", "refresh-token-lifetime", "keys-max-age",
                                "keys-stale-max", "wallet-key") or not re.search("password|secret|token|key", flag), (program, flag)


def test_commands_say_what_wallet_answered(make_world):
    """A Wallet that refuses is there: what it says, and not that it does not answer."""
    world = make_world()
    assert world.user().redeem(world.operator.campaign()["code"]).status_code == 201
    wallet, discount = world.pair.wallet, world.pair.discount
    trust = discount.command("trust-wallet", "--data", discount.data, "--wallet", wallet.url)
    assert trust.returncode == 0, trust.stderr
    assert wallet.stop() == 0
    away = discount.reconcile()
    assert away.returncode == 1 and "Wallet does not answer" in away.stdout, away
    wallet.arguments = [word.replace("discount=", "another=") for word in wallet.arguments]
    wallet.start()
    for command in (discount.reconcile(), discount.command("trust-wallet", "--data", discount.data, "--wallet", wallet.url)):
        said = command.stdout + command.stderr
        assert command.returncode == 1 and "does not answer" not in said, command
        assert "401 token_invalid" in said and "--trust-service" in said, command
