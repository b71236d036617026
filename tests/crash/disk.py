"""The disk that fails on command (faultdisk.c), for one service."""
import mmap
import os

from harness.services import BUILD, wait_until

CONTROL_BYTES = 4096
MODES = ("none", "full", "quota", "sync", "write", "kill")


class Disk:
    def __init__(self, control, folder):
        control.write_bytes(bytes(CONTROL_BYTES))
        self.environment = {"LD_PRELOAD": str(BUILD / "tests/crash/faultdisk.so"), "FAULTDISK_PREFIX": str(folder.resolve()),
                            "FAULTDISK_CONTROL": str(control)}
        if "ASAN_OPTIONS" in os.environ:  # gcc's wants to be the first library otherwise
            self.environment["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
        with open(control, "r+b") as file:
            self.mapped = mmap.mmap(file.fileno(), CONTROL_BYTES)

    def set(self, mode):
        assert mode in MODES
        self.mapped[0] = ord(mode[0]) if mode != "none" else 0

    def failed_calls(self):
        return int.from_bytes(self.mapped[8:16], "little")

    def wait_failed(self, than=0):
        wait_until(lambda: self.failed_calls() > than, "a failed write")
