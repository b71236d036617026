"""docs/docker.md as a new operator follows it: from an empty disk through a promotion, a new key, a backup and a restore to an upgrade."""
import os
import secrets

from engine import client
from tree import copy_page, copy_tree

from harness.documents import Shell, follow
from harness.services import free_port

BLOCK_S = 300


def test_a_new_operator_follows_the_page(engine, images, tmp_path):
    folder, own = copy_page(copy_tree(tmp_path / "hamyan")), tmp_path / "bin"
    own.mkdir()
    (own / "docker").symlink_to(client())
    ports = {name: free_port() for name in ("WALLET", "DISCOUNT")}
    variables = {**engine.environment, "PATH": f"{own}:{os.environ['PATH']}", "COMPOSE_PROJECT_NAME": f"hamyan-page-{secrets.token_hex(4)}", "HAMYAN_CROWD_USERS": "40", "HAMYAN_CROWD_PLACES": "20",
                 **{f"HAMYAN_{name}_PORT": str(port) for name, port in ports.items()}}
    shell = Shell(folder, {":8080": f":{ports['WALLET']}", ":8081": f":{ports['DISCOUNT']}"}, variables, BLOCK_S)
    try:
        follow("docs/docker.md", shell, folder)
    finally:
        shell.end()
        engine.docker("compose", "--profile", "crowd", "down", "--volumes", "--timeout", "40", check=False,
                      variables={name: variables[name] for name in ("COMPOSE_PROJECT_NAME", "PATH")})
