"""One version in all places that say it."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACES = {"meson.build": r"version: '([\d.]+)'", "src/service/version.h": r'SERVICE_VERSION "([\d.]+)"', "debian/changelog": r"^hamyan \(([\d.]+)\)",
          "CHANGELOG.md": r"^## ([\d.]+)", "api/wallet.yaml": r"^  version: '([\d.]+)'", "api/discount.yaml": r"^  version: '([\d.]+)'"}


def test_all_places_say_the_same_version():
    said = {place: re.search(pattern, (ROOT / place).read_text(), re.MULTILINE)[1] for place, pattern in PLACES.items()}
    assert len(set(said.values())) == 1, said
