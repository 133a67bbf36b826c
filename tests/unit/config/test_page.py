"""docs/configuration.md has a row for every key of vip.toml, beside its table, and none for another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speaker.config import (
    schema,
    schema_api,
    schema_checks,
    schema_dcs,
    schema_drain,
    schema_peers,
    schema_site,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE = (Path(__file__).parents[3] / "docs/configuration.md").read_text()
TABLES: dict[str, list[tuple[type[BaseModel], ...]]] = {
    "[node]": [(schema.NodeTable,)],
    "[dc.NAME]": [(schema_dcs.DcTable,)],
    "[policy]": [(schema.PolicyTable,)],
    "[profile.NAME]": [(schema.ProfileTable,)],
    "[health]": [(schema.HealthTable,), (schema.DampingTable,)],
    "[drain]": [(schema_drain.DrainTable,)],
    '[vip."NAME"]': [(schema.VipTable,), (schema.AddressTable,), (schema.ServiceTable,)],
    "[check.NAME]": [(schema_checks.CheckTable,)],
    "[report.NAME]": [(schema_api.ReportTable,)],
    "[api]": [(schema_api.ApiTable,)],
    "[api.tokens.NAME]": [(schema_api.TokenTable,)],
    "[site]": [(schema_site.SiteTable,)],
    '[aggregate."PREFIX"]': [(schema.AggregateTable,)],
    '[peer."ADDRESS"], [peer_group.NAME]': [(schema_peers.PeerTable, schema_peers.PeerGroupTable)],
    "[backend.exabgp]": [(schema.ExabgpTable,)],
    "[backend.quagga]": [(schema.QuaggaTable,)],
    "[metrics]": [(schema.MetricsTable,)],
    "[events]": [(schema.EventsTable,)],
}
"""What the tables of rows below each heading describe."""
HEADED = {"tokens"}
"""A key that is a table with a heading of its own."""


def keys(*tables: type[BaseModel]) -> set[str]:
    return {
        field.alias or name for table in tables for name, field in table.model_fields.items()
    } - HEADED


def sections() -> dict[str, list[list[str]]]:
    """Return the keys of each table of rows, by the heading above it."""
    found = {}
    for section in re.split(r"(?m)^## ", PAGE)[1:]:
        title, _, text = section.partition("\n")
        tables = re.findall(r"(?m)^\| key \|.*\n\|[-|]+\n((?:\|.*\n?)+)", text)
        rows = [[line.split("|")[1] for line in table.splitlines()] for table in tables]
        named = [[key for cell in cells for key in re.findall(r"`(.*?)`", cell)] for cells in rows]
        if named:
            found[title.partition(": ")[0]] = named
    return found


def test_headings() -> None:
    """Each table of vip.toml that has keys has its rows below its heading."""
    assert {title: len(tables) for title, tables in sections().items()} == {
        title: len(tables) for title, tables in TABLES.items()
    }


@pytest.mark.parametrize("title", TABLES)
def test_rows(title: str) -> None:
    """The rows are the keys that the program takes, each once."""
    for rows, tables in zip(sections()[title], TABLES[title], strict=True):
        assert sorted(rows) == sorted(keys(*tables))
