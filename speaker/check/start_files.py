"""Finds VIPs that bgpd announces by itself when it starts: network lines in its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.lint.finding import Code, Finding
from speaker.backends.quagga.running_config import start_lines
from speaker.check.report import Report
from speaker.files import bounded

if TYPE_CHECKING:
    from speaker.config.settings import Config


def start_files(config: Config) -> Report:
    """Check the files that bgpd may read when it starts."""
    found = []
    for path in config.settings.quagga.start_files:
        try:
            with bounded.regular(path) as descriptor:
                text = bounded.read(descriptor).decode("utf-8", "backslashreplace")
        except FileNotFoundError:
            continue
        except OSError as error:
            found.append(
                Finding(
                    Code.START_FILE,
                    str(path),
                    f"{error.strerror}",
                    "it may have network lines of VIPs: let the user who runs check read it",
                )
            )
            continue
        found += [
            Finding(
                Code.START_FILE,
                f"{path}:{number}",
                f"network {prefix}: announced at bgpd's start until the next pass, drained or not",
                "remove the line",
            )
            for number, prefix in start_lines(text.splitlines())
            if config.topology.find(prefix) is not None
        ]
    return Report(tuple(found))
