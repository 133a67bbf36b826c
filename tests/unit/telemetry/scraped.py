"""Metrics as Prometheus's own library reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from speaker.telemetry import exposition
from speaker.telemetry.look import Look

if TYPE_CHECKING:
    from speaker.reconcile.reconciler import Reconciler

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    """Return each sample by its name and labels. There is none twice."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, key
            found[key] = sample.value
    return found


def scraped(reconciler: Reconciler) -> Samples:
    """Return what a scrape would give now."""
    return read(exposition.text(Look(reconciler)).decode())


def value(samples: Samples, name: str, **labels: str) -> float:
    """Return a sample's value."""
    return samples[name, frozenset(labels.items())]
