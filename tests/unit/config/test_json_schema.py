"""The JSON schema for editors: it refuses nothing that vip_mgmt accepts, and finds what is mistyped."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from speaker.config.json_schema import json_schema

SOURCE = Path(__file__).parents[3]
EXAMPLE = (SOURCE / "vip.toml.example").read_text()
WHOLE = re.sub(r"(?m)^# (?=[a-z_]+ = |\[)", "", EXAMPLE)
"""The example with all that is commented out."""


def faults(text: str) -> list[str]:
    """Return where the schema finds something wrong."""
    found = Draft202012Validator(json_schema()).iter_errors(tomllib.loads(text))
    return [".".join(map(str, error.absolute_path)) for error in found]


def test_it_is_a_schema() -> None:
    """It is one of its draft."""
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("text", [EXAMPLE, WHOLE], ids=["as it is", "all of it"])
def test_the_example(text: str) -> None:
    """The example is accepted, also with every key that is commented out."""
    assert faults(text) == []


@pytest.mark.parametrize("page", ["configuration.md", "health.md", "exabgp.md"])
def test_documentation(page: str) -> None:
    """So is what the pages show."""
    found = re.findall(r"```toml\n(.*?)```", (SOURCE / "docs" / page).read_text(), re.DOTALL)
    for text in found:
        assert [where for where in faults(text) if where] == [], text


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[node]\ndcs = "par1"', "node"),
        ("[health]\ninterval = 5", "health.interval"),
        ('[health]\ninterval = "5 s"', "health.interval"),
        ('[health]\nsource = "icmp"', "health.source"),
        ("[policy]\nmax_withdraw = 0.5", "policy.max_withdraw"),
        ('[dc.par1]\nasn = "x"\nweigth = 1', "dc.par1"),
    ],
)
def test_mistyped(text: str, where: str) -> None:
    """What is mistyped is found where it stands."""
    assert where in faults(text)
