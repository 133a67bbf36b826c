"""Owns the reading of files that do not tell whose they are: in the tests, Quagga's."""

from __future__ import annotations

from speaker.migration.bgpd_conf.model import Configuration, Dialect
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.bgpd_conf.statement import MigrationError


def understand(text: str | bytes, file: str = "bgpd.conf") -> Configuration:
    """Read a configuration as what it tells that it is, else as Quagga's."""
    content = text if isinstance(text, bytes) else text.encode()
    try:
        return read(file, content)
    except MigrationError as error:
        if "--frr or --quagga" not in str(error):
            raise
    return read(file, content, Dialect.QUAGGA)
