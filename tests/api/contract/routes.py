#!/usr/bin/python3
"""Compares the routes of an OpenAPI document with the route table of a service, in both directions.

    routes.py api/wallet.yaml                   prints the document's routes as "METHOD PATH SCOPE" lines; "-" is public
    routes.py api/wallet.yaml BUILD/walletd     runs `walletd routes`, prints every difference, and exits with 1 if there is one
"""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from contract.openapi import Contract  # noqa: E402


def parse_table(text):
    """{(method, path, scope)} from the lines that `routes` prints."""
    table = set()
    for line in text.splitlines():
        words = line.split()
        if len(words) != 3:
            raise ValueError(f"not a route: {line!r}")
        table.add(tuple(words))
    return table


def differences(documented, built):
    """A line for each route that is only on one side, or has another scope there."""
    lines = [f"not documented, or with another scope: {' '.join(route)}" for route in sorted(built - documented)]
    return lines + [f"not built, or with another scope: {' '.join(route)}" for route in sorted(documented - built)]


def main(arguments):
    if len(arguments) not in (1, 2):
        raise SystemExit(__doc__)
    documented = Contract.load(Path(arguments[0]).resolve()).routes()
    if len(arguments) == 1:
        for route in sorted(documented, key=lambda route: (route[1], route[0])):
            print(" ".join(route))
        return 0
    built = parse_table(subprocess.run([arguments[1], "routes"], check=True, stdout=subprocess.PIPE, text=True, timeout=10).stdout)
    lines = differences(documented, built)
    print("\n".join(lines) or f"{len(built)} routes, all as documented")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
