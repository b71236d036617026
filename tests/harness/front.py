"""The very files of deploy/nginx and deploy/haproxy before both services: names, paths and ports are of this test, every other word is theirs."""
import socket
import subprocess

from harness.authority import Authority
from harness.proxy import session_from
from harness.services import ROOT, free_port, wait_until

PROGRAMS = {"nginx": "deploy/nginx/hamyan.conf", "haproxy": "deploy/haproxy/haproxy.cfg"}
NAMES = {"wallet": "localhost", "discount": "127.0.0.1"}  # both lead here without a name server
# What Debian's nginx.conf has around the files of conf.d, and paths that anybody may write.
AROUND = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  include {folder}/hamyan.conf;
}}
"""


class Front:
    """`url("wallet")` and `url("discount")` share one port; which of them is meant says the name alone."""

    def __init__(self, folder, program, wallet_url, discount_url):
        self.folder = folder
        self.program = program
        self.port = free_port()
        authority = Authority(folder)
        certificate, key = authority.issue("hamyan")
        self.certificate = authority.certificate
        changes = {"wallet.example.org": NAMES["wallet"], "discount.example.org": NAMES["discount"], "127.0.0.1:8080": wallet_url.removeprefix("http://"),
                   "127.0.0.1:8081": discount_url.removeprefix("http://")}
        command = getattr(self, f"_prepare_{program}")(changes, certificate, key)
        with open(folder / "output", "wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        wait_until(self._answers, f"{program} ready")

    def _write(self, name, changes):
        text = (ROOT / PROGRAMS[self.program]).read_text()
        for old, new in changes.items():
            assert old in text, f"{PROGRAMS[self.program]} has no {old}"
            text = text.replace(old, new)
        path = self.folder / name
        path.write_text(text)
        return path

    def _prepare_nginx(self, changes, certificate, key):
        self._write("hamyan.conf", {"[::]:443": f"[::1]:{self.port}", "listen 443": f"listen 127.0.0.1:{self.port}", "/etc/hamyan/tls/hamyan.crt": str(certificate),
                                    "/etc/hamyan/tls/hamyan.key": str(key), **changes})
        (self.folder / "nginx.conf").write_text(AROUND.format(folder=self.folder))
        return ["/usr/sbin/nginx", "-c", self.folder / "nginx.conf", "-p", self.folder]

    def _prepare_haproxy(self, changes, certificate, key):
        both = self.folder / "both.pem"
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        path = self._write("haproxy.cfg", {"[::]:443": f"[::1]:{self.port}", "bind :443": f"bind 127.0.0.1:{self.port}", "/etc/haproxy/tls/hamyan.pem": str(both),
                                           "    user haproxy\n    group haproxy\n": "",
                                           "maxconn 16384": "maxconn 4096", **changes})  # 20,000 files is what some machines allow
        return ["/usr/sbin/haproxy", "-db", "-f", path]

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "output").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        except ConnectionError:
            return False

    def url(self, name):
        return f"https://{NAMES[name]}:{self.port}"

    def session(self, address="127.0.0.1"):
        return session_from(address, self.certificate)

    def end(self):
        self.process.terminate()
        self.process.wait(60)
