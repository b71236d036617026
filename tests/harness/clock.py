"""A wall clock that a test sets, for one service: libfaketime, which leaves the monotonic clock as it is."""
import os
import pathlib

LIBRARY = pathlib.Path(f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketime.so.1")


class Clock:
    def __init__(self, file, ahead_s=0):
        self.file = pathlib.Path(file)
        self.set(ahead_s)
        self.environment = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}
        if "ASAN_OPTIONS" in os.environ:  # gcc's wants to be the first library otherwise
            self.environment["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":verify_asan_link_order=0"

    def set(self, ahead_s):
        """So many seconds ahead of the machine's clock from now on; also while the service runs."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{ahead_s:+.3f}\n")
        fresh.rename(self.file)
