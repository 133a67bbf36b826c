"""No text of vip.toml acts on a terminal, or begins a line of its own: refused, or escaped where it is shown."""

import copy
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from speaker import config
from speaker.config.toml_text import toml_path, value
from speaker.vip_mgmt import main
from tests.unit.config.test_refusal import KEYS, WHOLE, at, errors
from tests.unit.config.test_refusal import Path as KeyPath

NASTY = "x\x1b[2J\x9b1m\u202e\r\nFORGED: line"
TEXTS: list[object] = [
    *(NASTY, f"/{NASTY}", f"http://192.0.2.9/{NASTY}", [NASTY], [f"/{NASTY}"], [f"/x{{}}{NASTY}", NASTY]),
    *({NASTY: "x"}, {"near": NASTY}, {NASTY: [NASTY]}, {NASTY: {}}),
]  # fmt: skip
FREE = {("check", "web", "body"), ("check", "web", "json", "equals"), ("events", "exec")}
"""What an application may answer, and what a program is given: any text. Messages have it escaped."""


def document() -> dict[str, Any]:
    """A site that is fine, with all its tables."""
    whole = copy.deepcopy(WHOLE)
    whole["dc"]["lyo1"] = {"asn": 64699}
    whole["vip"]["vip-1.tld"]["rule"] = {"all": ["ipvs", "check/web"]}
    return whole


def write(directory: Path, what: dict[str, Any]) -> Path:
    path = directory / "vip.toml"
    path.write_text("\n".join(f"{toml_path([key])} = {value(each)}" for key, each in what.items()))
    return path


def placed(text: object, path: KeyPath) -> dict[str, Any]:
    whole = document()
    at(whole, path[:-1])[path[-1]] = text
    return whole


def test_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each text everywhere is refused in one line for each fault, or accepted where any text may stand."""
    config.load(write(tmp_path, document()), {}, obeyed=False)  # is fine without
    accepted: set[KeyPath] = set()
    faults: list[object] = []
    for path, text in product(KEYS, TEXTS):
        whole = placed(text, path)
        if errors(whole):
            continue  # of the form: what they say is tested where that is
        file = write(tmp_path, whole)
        try:
            config.load(file, {}, obeyed=False)
        except config.ConfigError as error:
            faults += error.faults
            continue
        accepted.add(path)
        main(["--config", str(file), "check", "--offline"])
        main(["--config", str(file), "plan", "--without", "lyo1"])
        printed = capsys.readouterr()
        lines = (printed.out + printed.err).split("\n")
        assert all(line.isprintable() for line in lines), (path, lines)
        assert not [line for line in lines if line.startswith("FORGED")], (path, lines)
    assert accepted == FREE
    assert faults
    assert all(str(fault).isprintable() for fault in faults)
