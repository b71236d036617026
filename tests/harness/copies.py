"""Backups of a service's data, and their restoring."""
import shutil
import uuid

from harness import cluster


class Copy:
    """Of a service's folder and database, which is stopped, as a backup has it."""

    def __init__(self, service):
        assert service.process is None or service.process.poll() is not None
        self.service = service
        self.folder = service.base / f"copy-{uuid.uuid4().hex}"
        shutil.copytree(service.data, self.folder, ignore=shutil.ignore_patterns("control"))  # a socket, of one that was killed
        self.store = cluster.shared().copy(service.store) if service.store else None

    def restore(self):
        shutil.rmtree(self.service.data)
        shutil.copytree(self.folder, self.service.data)
        if self.store:
            self.service.store = cluster.shared().copy(self.store, instead_of=self.service.store)


def copy_of(service):
    """Of one that runs, and goes on."""
    assert service.stop() == 0
    copy = Copy(service)
    service.start()
    return copy
