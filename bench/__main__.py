"""bench/run and bench/profile."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from . import report
from .cases import CASES, Bench
from .servers import BUILD, ROOT

RESULTS = ROOT / "bench" / "results"
PROFILE_S = 6


def read_arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures walletd and discountd beside nginx, Redis and PostgreSQL, and says which goals are reached.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"only these: {' '.join(CASES)}")
    parser.add_argument("--smoke", action="store_true", help="only whether every case runs: small numbers that say nothing about speed")
    parser.add_argument("--rounds", type=int, default=3, help="how often each contestant is measured; default: 3")
    parser.add_argument("--transfers", type=int, default=10_000_000, help="size of the big database; default: 10000000")
    parser.add_argument("--before", type=pathlib.Path, help="build folder of an earlier version, made as this one's is: the case `before` lets both take turns")
    parser.add_argument("--publish", action="store_true", help="also writes docs/bench.md, docs/bench.svg and the table in README.md")
    parser.add_argument("--profile", action="store_true", help="no table: where the time of one CASE goes, function by function")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.cases if name not in CASES]
    if unknown:
        parser.error(f"no such case: {' '.join(unknown)}")
    if arguments.profile and len(arguments.cases) != 1:
        parser.error("a profile is of one case")
    return arguments


def measure(bench, name, rounds):
    """A B A B: each round measures every contestant once."""
    contestants = CASES[name](bench)
    measured = {contestant: [] for contestant in contestants}
    for _ in range(rounds):
        for contestant, once in contestants.items():
            measured[contestant].append(once())
    found = report.medians(measured)
    for contestant, row in found.items():
        print(f"  {contestant}: {', '.join(f'{report.short(number)} {report.METRICS[metric]}' for metric, number in row.items())}", flush=True)
    return found


def prove(bench):
    for name in ("main", "small", "codes", "before", "on-postgres"):
        if name in bench.servers:
            bench.servers[name].prove()
    print("the books of what was measured: clean", flush=True)


def run(bench, arguments):
    begin = time.monotonic()
    rounds = 1 if arguments.smoke else arguments.rounds
    results = {}
    for name in arguments.cases or CASES:
        print(f"== {name} ({time.monotonic() - begin:.0f} s)", flush=True)
        results[name] = measure(bench, name, rounds)
    prove(bench)
    if arguments.smoke:
        print(f"every case runs ({time.monotonic() - begin:.0f} s)")
        return
    big = bench.big_transfers if "growth" in results or "start" in results else None
    facts = {"rounds": rounds, "big_transfers": big, "small_transfers": bench.small_transfers}
    text, plot = report.markdown(results, facts), report.svg(results)
    RESULTS.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%S")
    (RESULTS / f"{stamp}.md").write_text(text)
    (RESULTS / f"{stamp}.svg").write_text(plot)
    (RESULTS / f"{stamp}.json").write_text(json.dumps({"machine": report.machine(), "facts": facts, "results": results}, indent=1))
    if arguments.publish:
        report.publish(ROOT, results, facts)
    print(f"\n{text}\n{RESULTS / stamp}.md, .svg and .json; {time.monotonic() - begin:.0f} s")


def profile(bench, name):
    """perf over both services while the case's contestants that are ours run, one after the other."""
    contestants = {contestant: once for contestant, once in CASES[name](bench).items() if not contestant.startswith(("nginx", "Redis", "PostgreSQL", "RSA", "one fdatasync"))}
    pair = bench.pair()
    RESULTS.mkdir(exist_ok=True)
    for contestant, once in contestants.items():
        once()
        for server in pair.servers:
            data = bench.folder / "perf.data"
            recorder = subprocess.Popen(["perf", "record", "--quiet", "--freq", "1499", "-g", "--output", data, "--pid", str(server.process.pid)], stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + PROFILE_S
            while time.monotonic() < deadline:
                once()
            recorder.send_signal(2)
            recorder.wait(60)
            path = RESULTS / f"profile {contestant} {server.name}.txt".replace(" ", "-").replace("/", "").replace(",", "")
            shown = subprocess.run(["perf", "report", "--input", data, "--stdio", "--no-children", "-g", "caller,0.5,callee,function,percent", "--percent-limit", "0.5"],
                                   capture_output=True, text=True, check=False).stdout
            path.write_text(shown)
            lines = subprocess.run(["perf", "report", "--input", data, "--stdio", "--no-children", "-g", "none", "--percent-limit", "0.4"], capture_output=True, text=True,
                                   check=False).stdout.splitlines()
            print(f"== {contestant}: {server.name} ({path})")
            print("\n".join(line for line in lines if line and not line.startswith("#")), flush=True)


def main():
    arguments = read_arguments()
    cache = BUILD / "bench-data"
    cache.mkdir(exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-work.", dir=BUILD))  # on the disk that is measured
    os.chmod(folder, 0o755)  # PostgreSQL, as another user, must get to its own folder in it
    bench = Bench(folder, cache, arguments.smoke, arguments.transfers, arguments.before and arguments.before.resolve())
    try:
        if arguments.profile:
            profile(bench, arguments.cases[0])
        else:
            run(bench, arguments)
    finally:
        bench.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


sys.exit(main())
