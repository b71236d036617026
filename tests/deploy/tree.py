"""The tree as somebody has it who has cloned it: what git has, and what the next commit would add."""
import shutil
import subprocess

from engine import ROOT


def copy_tree(folder):
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def copy_page(folder):
    """The files of the API page: with them no build asks npm."""
    shutil.copytree(ROOT / "node_modules" / "swagger-ui-dist", folder / "node_modules" / "swagger-ui-dist")
    return folder
