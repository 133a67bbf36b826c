"""What vip_mgmt does without parsing vip.toml: what the watchdog answers that has loaded that very content.

Theory of operation. Most of the time of a short command is that of importing what reads vip.toml, and of reading
it. Where a watchdog runs that loaded the same content, for the same data centre and backend, it has checked all of
it, and knows what an address and a VIP's name mean: then its answer is all that `status` and `-a`, `-d` need, where
DNS has nothing else of the names. The socket to ask is in the head of the file, which is read as always; see
`speaker.files.vip_toml`. In all other cases (none answers, it is older, the file was changed, DNS alone knows a name
or has other addresses of it, or it takes more than the answer) nothing is said here, and the whole file is read:
what was answered, or not, by the watchdog and by DNS, is then taken from here, and not asked twice.
Whose socket it is, the client checks as always; that it is of the same content, it says itself, as all that it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Mode
from speaker.cli.arguments import ADD, ALL, DELETE
from speaker.cli.early import ask_early, split
from speaker.cli.extents import for_whom
from speaker.cli.node import Node
from speaker.control import client
from speaker.errors import SpeakerError
from speaker.terminal import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from speaker.api import Status
    from speaker.cli.arguments import Call
    from speaker.cli.targets import Answers
    from speaker.control.early import EarlyRequest
    from speaker.exit_status import ExitStatus


class AtOnce:
    """What a call needs of the watchdog, asked before vip.toml is parsed.

    `early` is what was sent to be applied, None for nothing. `told` is the state that was answered, or that none
    was; None where it was not asked for, or nobody serves the socket. `answers` is what DNS says of the names so far.
    """

    def __init__(self, call: Call, environ: Mapping[str, str]) -> None:
        self._call = call
        self.early: EarlyRequest | None = None
        self.told: Status | client.OutcomeUnknownError | None = None
        self.answers: Answers = {}
        orders = call.command in (ADD, DELETE) and not call.at
        node = Node.of(call.path, environ) if orders or _is_plain_status(call) else None
        self._node = node
        if node is None:
            return
        if orders:
            call = self._call = for_whom(call, node.dc, (), has_site=node.has_site)
            self.early = ask_early(call, node)
        else:
            self.told = _status_of(node)

    def carry_out(self) -> Callable[[], ExitStatus] | None:
        """Return what does all that the call wants, by what was answered; None where that takes all of vip.toml."""
        if self._node is None:
            return None
        return (
            self._shown(self._node) if self.early is None else self._ordered(self._node, self.early)
        )

    def _ordered(self, node: Node, early: EarlyRequest) -> Callable[[], ExitStatus] | None:
        call = self._call
        if ALL in call.words or call.until or call.mode is Mode.DRAINING:
            return None
        from speaker.cli.applied import (  # what it needs is imported while the watchdog works
            applied,
            look_up,
        )

        def answers() -> Answers:
            self.answers = look_up(split(call.words)[1], node)
            return self.answers

        return applied(call, node, early, answers)

    def _shown(self, node: Node) -> Callable[[], ExitStatus] | None:
        call, told = self._call, self.told
        if told is None or isinstance(told, client.OutcomeUnknownError):
            return None
        if not node.is_loaded(told):
            return None
        known = [route.prefix for route in told.routes]
        wanted = known if ALL in call.words else [*map(str, split(call.words)[0])]
        if not {*wanted} <= {*known}:
            return None
        from speaker.cli.query import show_status

        return lambda: show_status(call, told, wanted)


def _is_plain_status(call: Call) -> bool:
    """Whether a status is wanted, once, of no names, without the connections that are counted here."""
    if call.command != "status" or call.watch or call.site or split(call.words)[1]:
        return False
    from speaker.cli.query import IPVS

    return not (call.as_json and IPVS.exists())


def _status_of(node: Node) -> Status | client.OutcomeUnknownError | None:
    from speaker.control.running import ANSWER, ANSWER_EACH, RunningWatchdog

    within = ANSWER + ANSWER_EACH * node.lines  # a prefix takes one at least
    try:
        with waiting("waiting for an answer"):
            return RunningWatchdog(node.read, node.control, timeout=within).status()
    except client.OutcomeUnknownError as error:
        return error
    except SpeakerError:
        return None
