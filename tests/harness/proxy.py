"""nginx before both services, as an operator would put it there: it ends TLS and says who its client is."""
import socket
import subprocess

import requests

from harness.authority import Authority
from harness.services import free_port, wait_until

# What each of the two fields needs; the other one is taken away, for a client could have written it.
FIELDS = {
    "X-Forwarded-For": "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header Forwarded '';",
    "Forwarded": "proxy_set_header Forwarded $forwarded; proxy_set_header X-Forwarded-For '';",
}
CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $remote_addr $seen {{ ~^[0-9.]+$ "for=$remote_addr"; ~^[0-9A-Fa-f:.]+$ "for=\\"[$remote_addr]\\""; default "for=unknown"; }}
  map $http_forwarded $forwarded {{ '' "$seen;proto=https"; default "$http_forwarded, $seen;proto=https"; }}
  ssl_certificate {folder}/proxy.crt; ssl_certificate_key {folder}/proxy.key; {clients}
  {servers}
}}
"""
SERVER = """
  server {{
    listen 127.0.0.1:{port} ssl; listen [::1]:{port} ssl;
    location / {{ proxy_pass {url}; proxy_bind 127.0.0.1; proxy_http_version 1.1; proxy_set_header Host $http_host; {field} }}
  }}
"""


class _From(requests.adapters.HTTPAdapter):
    """Connections that begin at one address of this host."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *arguments, **options):
        super().init_poolmanager(*arguments, source_address=(self.address, 0), **options)


def session_from(address, certificate=None):
    """A client at that address: any of 127.0.0.0/8 is ours."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(certificate) if certificate is not None else True
    for scheme in ("http://", "https://"):
        session.mount(scheme, _From(address))
    return session


class Proxy:
    """`upstreams`: a name for each URL behind it; at `url(name, field)` it names its clients in that field. With `clients`, an authority, it
    lets nobody in without a certificate of it."""

    def __init__(self, folder, upstreams, clients=None, hosts=("localhost", "127.0.0.1", "::1")):
        self.folder = folder
        authority = Authority(folder)
        authority.issue("proxy", hosts)
        self.certificate = authority.certificate
        self.identity = clients.issue("test") if clients is not None else None
        self.ports = {(name, field): free_port() for name in upstreams for field in FIELDS}
        servers = [SERVER.format(port=port, url=upstreams[name], field=FIELDS[field]) for (name, field), port in self.ports.items()]
        wanted = f"ssl_client_certificate {clients.certificate}; ssl_verify_client on;" if clients is not None else ""
        (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, servers="".join(servers), clients=wanted))
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", folder / "nginx.conf", "-p", folder], stderr=subprocess.DEVNULL)
        wait_until(self._answers, "nginx ready")

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "error.log").read_text()
        try:
            for port in self.ports.values():
                socket.create_connection(("127.0.0.1", port), 5).close()
            return True
        except ConnectionError:
            return False

    def url(self, name, field, host="127.0.0.1"):
        return f"https://{host}:{self.ports[name, field]}"

    def session(self, address):
        session = session_from(address, self.certificate)
        session.cert = self.identity and tuple(map(str, self.identity))
        return session

    def end(self):
        self.process.terminate()
        self.process.wait(60)
