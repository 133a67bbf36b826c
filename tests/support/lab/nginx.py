"""Owns one nginx of the lab, an application behind a VIP over TLS, and its certificates."""

import signal
import subprocess
from pathlib import Path

from tests.support.lab.eventually import eventually
from tests.support.lab.netns import Namespace

_CONFIG = """
daemon off;
error_log {home}/nginx-error.log;
pid {home}/nginx.pid;
user root;
events {{}}
http {{
  access_log off;
  server {{
    listen {listen} ssl;
    ssl_certificate {home}/{shown}.pem;
    ssl_certificate_key {home}/{shown}.key;
    root {home}/www;
    location = /health {{ try_files /health.json =503; }}
  }}
}}
"""


class Certificates:
    """An authority of its own, and certificates by it, in a folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=lab",
                      "-days", "30")  # fmt: skip

    def make(self, name: str, host: str, days: int = 30, subject: str = "") -> None:
        """Make NAME.pem and NAME.key for a host, by its name or IPv4 address; with negative days, one that has expired."""
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject or f"/CN={host}")  # fmt: skip
        kind = "DNS" if host.rpartition(".")[2].isalpha() else "IP"
        (self._home / "san").write_text(f"subjectAltName = {kind}:{host}\n")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-out", f"{name}.pem", "-days", str(days),
                      "-extfile", "san")  # fmt: skip

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self._home, check=True, capture_output=True)


class Nginx:
    """A server that says how it is at /health: the file that it has for that, else 503.

    Args:
        host: where it runs.
        listen: its address and port.
        shown: the name of the certificate that it shows first.
    """

    def __init__(self, host: Namespace, listen: str, shown: str) -> None:
        self._host, self._listen = host, listen
        self._home = host.directory / "nginx"
        self._home.mkdir()
        (self._home / "www").mkdir()
        self._home.chmod(0o755)
        self.health = self._home / "www" / "health.json"
        self.certificates = Certificates(self._home)
        self.ca = self._home / "ca.pem"
        self.certificates.make(shown, "shop.tld")
        self._configure(shown)
        self.say("up")
        self.start()

    def _configure(self, shown: str) -> None:
        text = _CONFIG.format(home=self._home, listen=self._listen, shown=shown)
        (self._home / "nginx.conf").write_text(text)

    def start(self) -> None:
        """Start it."""
        argv = ["nginx", "-c", str(self._home / "nginx.conf")]
        self._process = self._host.spawn(argv, log="nginx.log")
        self._serves()

    def _serves(self) -> None:
        _, port = self._listen.rsplit(":", 1)
        eventually(
            lambda: self._host.run("ss", "-Hltn", f"sport = :{port}"), within=5, what="nginx serves"
        )

    def stop(self) -> None:
        """Kill it."""
        self._process.stop()

    def say(self, state: str | None) -> None:
        """Have it say what it is; None: that it is unavailable."""
        if state is None:
            self.health.unlink()
        else:
            new = self.health.with_suffix(".new")
            new.write_text(f'{{"state": "{state}"}}')
            new.replace(self.health)

    def freeze(self) -> None:
        """Have it accept connections, and say nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in [*self._process.children(), self._process.pid]:
            subprocess.run(["kill", f"-{number.value}", str(pid)], check=True)

    def show(self, name: str) -> None:
        """Have it show another certificate."""
        self._configure(name)
        self.stop()
        self.start()
