"""Owns the fuzzer's reader of what etcd's gateway answers: each kind of answer, and lines of its streams."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError
from speaker.site.base import Compare, Delete, Put
from speaker.site.etcd import answers
from tests.unit.site.etcd.recorded import ALL

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = ALL
_COMPARES = [Compare("/vip-speaker/a", 7)]
_THEN: list[Put | Delete] = [Put("/vip-speaker/a", b"1"), Delete("/vip-speaker/b")]


def _transacted(data: bytes) -> object:
    return answers.came_of(_COMPARES, _THEN, answers.attempt(data))


READERS: tuple[Callable[[bytes], object], ...] = (
    lambda data: answers.failure(400, data),
    answers.page,
    _transacted,
    answers.lease,
    answers.kept,
    answers.token,
    answers.heard,
)


def answer(data: bytes) -> None:
    """Read an answer as each kind there is; the last refusal is its own."""
    for read in READERS:
        with suppress(SpeakerError):
            read(data)
