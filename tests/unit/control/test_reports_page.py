"""docs/reports.md: its clients are run as they stand there, and report."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.lab.eventually import eventually
from tests.unit.control.test_api_server import APP, served
from tests.unit.control.test_callers import MINE, SHOP, Authority, by_socket

if TYPE_CHECKING:
    from tests.support.fakes.site import Site

PAGE = (Path(__file__).parents[3] / "docs" / "reports.md").read_text()
PORT = "127.0.0.1:9181"


def block(language: str, first: str) -> str:
    """Return the block of the page that begins so."""
    found = re.findall(
        rf"^```{language}\n({re.escape(first)}.*?)^```", PAGE, re.DOTALL | re.MULTILINE
    )
    text: str
    (text,) = found
    return text


def reported(site: Site) -> str:
    report = site.store.intents().reports.get("shop")
    return "" if report is None else f"{report.state} by {report.by} for {report.ttl:g} s"


def test_python(tmp_path: Path) -> None:
    """The client in Python reports, again and again."""
    text = block("python", "import json")

    def play(site: Site, port: int) -> None:
        assert PORT in text
        code = text.replace(PORT, f"127.0.0.1:{port}")
        env = {**os.environ, "TOKEN": APP}
        with subprocess.Popen([sys.executable, "-c", code], env=env) as client:
            try:
                eventually(lambda: reported(site), within=20, what="a report")
                assert client.poll() is None
            finally:
                client.kill()
        assert reported(site) == "up by app for 30 s"

    served(tmp_path, play)


def test_curl(tmp_path: Path) -> None:
    """The client by curl reports."""
    text = block("sh", "printf")

    def play(site: Site, port: int) -> None:
        assert PORT in text
        command = text.replace(PORT, f"127.0.0.1:{port}")
        env = {**os.environ, "token": APP}
        subprocess.run(["sh", "-c", command], env=env, check=True, capture_output=True, timeout=60)
        assert reported(site) == "up by app for 30 s"

    served(tmp_path, play)


def test_a_token(tmp_path: Path) -> None:
    """What the page types makes a line that is taken."""
    (text,) = re.findall(r"^```sh\n(token=.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

    def play(site: Site, port: int) -> None:
        made = text.replace("shop sha256", "app sha256").replace(
            "/etc/vip-speaker/tokens", str(tmp_path / "tokens")
        )
        done = subprocess.run(
            ["sh", "-c", f'{made}\nprintf %s "$token"'], check=True, capture_output=True, timeout=60
        )
        command = block("sh", "printf").replace(PORT, f"127.0.0.1:{port}")
        env = {**os.environ, "token": done.stdout.decode()}
        subprocess.run(["sh", "-c", command], env=env, check=True, capture_output=True, timeout=60)
        assert reported(site) == "up by app for 30 s"

    served(tmp_path, play)


def test_without_a_token(tmp_path: Path) -> None:
    """The lines by a certificate and by a group report, under the names that vip.toml has for them."""
    authority = Authority(tmp_path, "ca")
    tls = replace(authority.of("server", "IP:127.0.0.1"), client_ca=authority.certificate)
    shop = authority.of("shop", "DNS:shop.example")
    more = SHOP + 'certificate = "shop.example"\n'
    by_tls, by_group = block("sh", "curl").split("curl ")[1:]

    def run(command: str) -> None:
        words = ["sh", "-c", f"curl {command}"]
        subprocess.run(words, check=True, capture_output=True, timeout=60, cwd=tmp_path)

    def play(site: Site, port: int) -> None:
        assert shop.key == tmp_path / "shop.key"
        run(by_tls.replace("192.0.2.9:9181", f"127.0.0.1:{port}"))
        assert reported(site) == "up by web for 30 s"

    def play_at_socket(site: Site, path: Path) -> None:
        run(by_group.replace("/run/vip-speaker/api.sock", str(path)))
        assert reported(site).startswith("up by web (")

    api = f'client_ca = "{tls.client_ca}"\ncertificate = "{tls.certificate}"\nkey = "{tls.key}"\n'
    served(tmp_path, play, tls, more, api)
    (tmp_path / "at-socket").mkdir()
    by_socket(tmp_path / "at-socket", play_at_socket, f'{SHOP}group = "{MINE}"\n')
