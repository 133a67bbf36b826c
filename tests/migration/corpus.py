"""Owns the corpus: configurations as sites have them, one folder for a site, one file for a data centre.

Quagga's files have no statement that FRR 8.4 does not take; what FRR has by default and Quagga has
not is in tests/migration/stage.py.
"""

from pathlib import Path

ROOT = Path(__file__).with_name("corpus")
SITES = tuple(sorted(path.name for path in ROOT.iterdir()))
REFUSED = frozenset({"bandwidth"})
"""Sites whose policy can't be translated, and is never to be translated wrongly."""
FILES = tuple(sorted(ROOT.glob("*/*.conf")))


def files(site: str) -> dict[str, Path]:
    """Return the files of a site, by data centre."""
    return {path.stem: path for path in sorted((ROOT / site).glob("*.conf"))}


def name(path: Path) -> str:
    """Return what a file is called in a test: `toolkit-par1`."""
    return f"{path.parent.name}-{path.stem}"
