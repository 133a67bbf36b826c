"""What is packaged for Prometheus and Grafana asks for metrics and labels that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from speaker.telemetry.metrics import CAUSES, METRICS, MODES, STATES

ROOT = Path(__file__).parents[3]
LABELS = {metric.name: {*metric.labels} for metric in METRICS}
VALUES = {"cause": {*CAUSES}, "mode": {*MODES}}


def queries(value: Any) -> list[str]:
    """Return each PromQL expression of a dashboard."""
    if isinstance(value, dict):
        own = [value["expr"]] if "expr" in value else []
        return own + [each for inner in value.values() for each in queries(inner)]
    return [each for inner in value for each in queries(inner)] if isinstance(value, list) else []


DASHBOARD = json.loads((ROOT / "packaging/grafana/vip-speaker.json").read_text())
RULES = (ROOT / "packaging/prometheus/vip-speaker.rules.yml").read_text()
ALL = [*queries(DASHBOARD), *re.findall(r"^ +expr: (.*)$", RULES, re.MULTILINE)]


@pytest.mark.parametrize("query", ALL)
def test_queries(query: str) -> None:
    """Each name is a metric's, each label one that it has, each word of a matcher one that it may have."""
    named = re.findall(r"\b(vip_\w+)(?:\{([^}]*)\})?", query)
    assert named or "up{" in query
    for name, matchers in named:
        metric = re.sub("_(bucket|sum|count)$", "", name)
        assert metric in LABELS, name
        for label, words in re.findall(r'(\w+)(?:=~|!=|=)"([^"]*)"', matchers):
            assert label in LABELS[metric] | {"instance"}, (name, label)
            if label in VALUES:
                assert {*words.split("|")} <= VALUES[label]
            if metric == "vip_health":
                assert {words} <= {*STATES, "$instance"}


def test_what_is_there() -> None:
    """Dashboard and rules ask something, and no two panels have one number."""
    assert len(ALL) > 25
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert sorted(numbers) == sorted(set(numbers))
