"""The file that says how far a roll has come, beside the state file: written before each stage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.roll import Roll, RolledMachine, RollStage
from speaker.api import Text  # noqa: TC001 - pydantic reads the form by it
from speaker.cli.roll_lock import RollLock
from speaker.errors import SpeakerError
from speaker.files import bounded
from speaker.files.directory_owner import as_owner
from speaker.files.replacing import replace_file
from speaker.json_value import FormError, Value

if TYPE_CHECKING:
    from pathlib import Path

MODE = 0o600
MAX_SIZE = 1 << 24
"""Bytes: what 20 machines of 10,000 VIPs announce is ten millions."""


class RollFileError(SpeakerError):
    """How far a roll has come can't be read or recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineProgress(Value):
    """See `policy.roll.RolledMachine`."""

    name: Text
    stage: RollStage
    prefixes: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RollProgress(Value):
    """A roll, and the command that it runs."""

    command: tuple[Text, ...]
    machines: tuple[MachineProgress, ...]

    @classmethod
    def of(cls, command: tuple[str, ...], roll: Roll) -> RollProgress:
        """Return it as what is recorded."""
        return cls(
            command=command,
            machines=tuple(
                MachineProgress(name=one.name, stage=one.stage, prefixes=one.prefixes)
                for one in roll.machines
            ),
        )

    @property
    def roll(self) -> Roll:
        """How far it has come."""
        return Roll(
            tuple(RolledMachine(one.name, one.stage, one.prefixes) for one in self.machines)
        )


class RollFile:
    """The file of the rolls over one data centre.

    Args:
        directory: of the state file.
        dc: the data centre's name.
    """

    def __init__(self, directory: Path, dc: str) -> None:
        self.path = directory / f"roll-{dc}.json"
        self.lock = RollLock(self.path.with_suffix(".lock"))

    def load(self) -> RollProgress | None:
        """Return how far the last one has come that did not end; None where there is none.

        Raises:
            RollFileError: it can't be read.
        """
        try:
            with as_owner(self.path.parent), bounded.regular(self.path) as descriptor:
                text = bounded.read(descriptor, MAX_SIZE)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(error) from error
        try:
            return RollProgress.from_text(text)
        except FormError as error:
            raise RollFileError(
                f"roll: {self.path}: {error}; see what is drained by vip_mgmt roll (vip_mgmt status --site), restore that alone (vip_mgmt -a PREFIX… --here, on its machine), and remove this file"
            ) from error

    def save(self, progress: RollProgress) -> None:
        """Record it durably: it is there as a whole, or as it was.

        Raises:
            RollFileError: it can't be.
        """
        try:
            content = json.dumps(progress.to_json()).encode()
            replace_file(self.path, content, MODE, durable=True)
        except OSError as error:
            raise self._error(error) from error

    def forget(self) -> None:
        """Have there be none any more.

        Raises:
            RollFileError: it can't be removed.
        """
        try:
            with as_owner(self.path.parent):
                self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> RollFileError:
        return RollFileError(
            f"roll: {self.path}: {error.strerror}; how far it has come is recorded there: run it as root"
        )
