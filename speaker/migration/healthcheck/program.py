"""The options of ExaBGP's healthcheck: of its command line, and of the file that this names. Nothing is opened but that.

They are those of ExaBGP 4.2 and 5.0; what is abbreviated is read as healthcheck reads it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from policy.errors import PolicyError
from policy.route import parse_prefix
from speaker import units
from speaker.migration.bgpd_conf.statement import MigrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from policy.route import Prefix
    from speaker.migration.healthcheck.exabgp_file import HealthcheckProcess
    from speaker.units import IpAddress


class GivenOption(NamedTuple):
    """A value, and where it is said."""

    value: str
    where: str


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """A healthcheck: the process that runs it, and its options, each as often as it is said.

    Of an option that is said several times the last one counts, where it is none of a list.
    """

    where: str
    process: str
    options: Mapping[str, tuple[GivenOption, ...]] = field(default_factory=dict)

    def has(self, option: str) -> bool:
        """Tell whether an option is said."""
        return option in self.options

    def place(self, option: str) -> str:
        """Return where an option is said; where the process is, if nowhere."""
        return self.options[option][-1].where if option in self.options else self.where

    def text(self, option: str) -> str | None:
        """Return the value of an option; None where it is not said."""
        return self.options[option][-1].value if option in self.options else None

    def number(self, option: str, default: float) -> float:
        """Return a number.

        Raises:
            MigrationError: it is none.
        """
        text = self.text(option)
        if text is None:
            return default
        try:
            return float(text) if option in _FLOATS else int(text)
        except ValueError as error:
            raise self.error(option, f"{text!r} is not a number; correct it") from error

    def address(self, option: str) -> IpAddress | None:
        """Return an address; None where there is none.

        Raises:
            MigrationError: it is none.
        """
        text = self.text(option)
        try:
            return None if text is None else units.address(text)
        except ValueError as error:
            raise self.error(option, str(error)) from error

    def prefixes(self) -> tuple[Prefix, ...]:
        """Return what it announces, in its order.

        Raises:
            MigrationError: a prefix is none; it names none; or too many.
        """
        given = self.options.get("ip", ())
        if not given:
            raise MigrationError(
                f"{self.where}: {self}: which addresses it announces is on the machine (those of lo); write each as --ip in "
                "a copy of the file"
            )
        found: list[Prefix] = []
        for text, where in given:
            try:
                network = parse_prefix(text)
            except PolicyError as error:
                raise MigrationError(f"{where}: {self}: --ip: {error}") from error
            if self.has("deaggregate-networks") and network.num_addresses <= MOST:
                found += map(ip_network, network)
            else:
                found.append(network)
            if len(found) > MOST or (
                self.has("deaggregate-networks") and network.num_addresses > MOST
            ):
                raise MigrationError(
                    f"{where}: {self}: --ip: more than {MOST} addresses; use fewer"
                )
        first = int(self.number("start-ip", 0)) % len(found)
        return (*found[first:], *found[:first])

    def error(self, option: str, text: str) -> MigrationError:
        """Return the error of an option."""
        return MigrationError(f"{self.place(option)}: {self}: --{option}: {text}")

    def __str__(self) -> str:
        return f"healthcheck {self.process}"


MOST = 10_000
"""So many addresses one announces at most."""
_FLAGS = (
    "silent debug no-ack sudo no-syslog deaggregate-networks no-ip-setup dynamic-ip-setup label-exact-match "
    "withdraw-on-down debounce"
).split()
_VALUES = (
    "name config pid user group interval fast-interval timeout rise fall disable command next-hop ip ip-ifname "
    "local-preference label start-ip up-metric down-metric disabled-metric increase community extended-community "
    "large-community disabled-community as-path up-as-path down-as-path disabled-as-path path-id neighbor execute "
    "up-execute down-execute disabled-execute"
).split()
_SHORT = {
    "silent": "s",
    "debug": "d",
    "no-ack": "a",
    "name": "n",
    "config": "F",
    "pid": "p",
    "interval": "i",
    "fast-interval": "f",
    "timeout": "t",
    "command": "c",
    "next-hop": "N",
}
_FLOATS = frozenset(("interval", "fast-interval"))


def read(process: HealthcheckProcess, open_: Callable[[str], tuple[str, str]]) -> Healthcheck:
    """Read the options of a process.

    Args:
        process: it.
        open_: returns the path and the text of a file that it names.

    Raises:
        MigrationError: an option is unknown, or lacks its value.
    """
    own = _parse(process.words, process.where, process.name)
    config = [given for option, given in own if option == "config"]
    said = own
    if config:
        file, text = open_(config[-1].value)
        said = [*_of_file(file, text, process.name), *own]
    options: dict[str, tuple[GivenOption, ...]] = {}
    for option, given in said:
        options[option] = (*options.get(option, ()), given)
    return Healthcheck(process.where, process.name, options)


def _of_file(file: str, text: str, name: str) -> Iterator[tuple[str, GivenOption]]:
    """Yield the options of a file: each line is one, without its dashes."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.strip().startswith("#"):
            words = [word.strip() for word in f"--{line.strip()}".split("=", 1)]
            yield from _parse(words, f"{file}:{number}", name)


def _parse(words: Sequence[str], where: str, name: str) -> list[tuple[str, GivenOption]]:
    found: list[tuple[str, GivenOption]] = []

    class OptionParser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise MigrationError(
                f"{where}: healthcheck {name}: {message}; correct it, or remove it in a copy of the file"
            )

    class Keep(argparse.Action):
        def __call__(
            self, _parser: object, _to: object, values: object, _flag: object = None
        ) -> None:
            found.append((self.dest, GivenOption(str(values or ""), where)))

    parser = OptionParser(add_help=False)
    for option, flags in _options():
        nargs = "?" if option == "syslog-facility" else 0 if option in _FLAGS else None
        parser.add_argument(*flags, dest=option, action=Keep, nargs=nargs)
    parser.parse_args([*words])
    return found


def _options() -> Iterable[tuple[str, tuple[str, ...]]]:
    """Yield each option with its flags."""
    for option in (*_FLAGS, *_VALUES):
        short = (f"-{_SHORT[option]}",) if option in _SHORT else ()
        yield option, (f"--{option}", *(("--cmd",) if option == "command" else ()), *short)
    yield "syslog-facility", ("--syslog-facility", "-sF")
