"""What a watchdog is asked, and what it answers: values, with their JSON on the control socket.

A field of a value is a key of its JSON. `to_json` is all that writes these keys, `from_json` all that reads them: it takes what it
knows, ignores other keys, and refuses what is of another form. A process of the watchdog's user is less trusted than root; and one that was started long ago may lack keys with a default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol

from pydantic import ConfigDict, Field, PlainValidator, Strict

from policy.intent import Intent, Mode
from policy.route import Prefix, parse_prefix
from speaker.drain_status import DrainStatus  # noqa: TC001 - pydantic reads the form by it
from speaker.json_value import Value
from speaker.seen_status import SeenPath, WitnessStatus  # noqa: TC001 - pydantic reads the form by it

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PREFIXES = 100_000
MAX_SECONDS = 86400.0 * 3650

Text = Annotated[str, Strict()]
Truth = Annotated[bool, Strict()]
MaybeTruth = Annotated[bool, Strict()] | None  # None where it is not known
Count = Annotated[int, Strict()]
Time = Annotated[float, Strict()]  # seconds since the epoch


def _prefix(text: object) -> Prefix:
    if not isinstance(text, str):
        raise ValueError(f"{text!r:.80} is not a string; put it in quotes")  # noqa: TRY004 - of which pydantic makes its error
    return parse_prefix(text)


Prefixes = Annotated[
    tuple[Annotated[Prefix, PlainValidator(_prefix)], ...], Field(max_length=MAX_PREFIXES)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Value):
    """About which prefixes something is asked; without any, about all."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    prefixes: Prefixes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentRequest(Value):
    """What an operator asks for some prefixes, all or none. `seconds`: for how long, None for ever. `last`: though it be nowhere. `force`: what drains softly drains on, whatever becomes of who takes over."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    mode: Mode
    prefixes: Annotated[Prefixes, Field(min_length=1)]
    reason: Text = ""
    seconds: Annotated[float, Strict(), Field(gt=0, le=MAX_SECONDS)] | None = None
    dry_run: Truth = False
    last: Truth = False
    force: Truth = False

    def __post_init__(self) -> None:
        """Refuse what no intent can have, such as a reason that is too long."""
        self.intent("", 0.0)

    def intent(self, owner: str, now: float) -> Intent:
        """Return the intent that it comes to.

        Args:
            owner: who asks.
            now: seconds since the epoch.

        Raises:
            PolicyError: the reason is too long, or not printable.
        """
        until = None if self.seconds is None else now + self.seconds
        return Intent(self.mode, owner, now, self.reason, until, insisted=self.force)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixStatus(Value):
    """The state of one prefix.

    `announced`: whether a session that is up was sent it. `peers`: who was sent it, by the session's name; `up`: those that are up. `lack`: in words, who lacks it that should have it, or has it that should not. `realservers`: how many live ones count, None where that is not known. `reason`: why it is decided so. `failure`: why that could not be done. `wanted`: whether it is decided to be
    announced, None where nothing is decided yet. `held`: whether the daemon has what is decided.
    `as_wanted`: whether the peers have it too, and what is known of health is not old. `rank` and `prepends` are None where only other data centres announce it; `equal`: all of one rank.
    `kept_back`: only for the sake of `aggregate`. `gets`: with which attributes each session is to be
    sent it, by the session's name, an empty text for not at all; nothing where all are to be sent the same. `sources`: what those of its rule say; `expires`: their certificates. `drain`: its soft drain. `planned`: drains to come. `seen`: its paths at witnesses.
    """

    vip: Text
    prefix: Text
    announced: MaybeTruth
    peers: dict[Text, MaybeTruth] = field(default_factory=dict)
    up: tuple[Text, ...] = ()
    lack: Text = ""
    as_path: tuple[Count, ...]
    rank: Count | None
    prepends: Count | None
    equal: Truth = False
    realservers: Count | None
    health: Text
    intent: Text
    reason: Text
    failure: Text = ""
    wanted: MaybeTruth
    held: Truth = False
    gets: dict[Text, Text] = field(default_factory=dict)
    as_wanted: Truth
    aggregate: Text = ""
    aggregate_announced: MaybeTruth = None
    kept_back: Truth = False
    sources: dict[Text, Text] = field(default_factory=dict)
    expires: dict[Text, Time] = field(default_factory=dict)
    drain: DrainStatus | None = None
    planned: Text = ""
    seen: tuple[SeenPath, ...] = ()

    @property
    def full_reason(self) -> str:
        """Why it is as it is, and which sessions are not as they should be."""
        return f"{self.reason}; {self.lack}" if self.lack else self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentOutcome(PrefixStatus):
    """What became of a prefix for which an operator asked something.

    `before`: whether it was announced until then. `was`: the intent that is replaced, in words.
    `trouble`: the alarms that there are, where it is not known whether it is announced.
    """

    before: MaybeTruth
    was: Text = ""
    trouble: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedIntent(Value):
    """An intent that is durable, and of which nothing else is known. `recorded` says when it takes effect."""

    prefix: Text
    recorded: Text
    was: Text = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry(Value):
    """One line of history.

    `event` is announced, waiting (the daemon has it, and no session is known to have been sent it yet), withdrawn, an intent's mode, or expired: an intent ended by itself.
    """

    time: Time
    prefix: Text
    event: Text
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence(Value):
    """A sentence of an explanation, and what it is about: see `policy.explain.About`."""

    about: Text
    text: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation(PrefixStatus):
    """The state of one prefix, and all that led to it.

    `dc` is this data centre, `prefer` has all, best first. `operator` is the intent in words;
    `decided_by` which rule decided, None where nothing is decided. `history`: newest entries, oldest first.
    `trouble`: the alarms that there are. `sentences`: why, with the numbers, and what would change it.
    """

    dc: Text
    prefer: tuple[Text, ...]
    profile: Text
    operator: Text
    decided_by: Text | None
    history: tuple[HistoryEntry, ...]
    trouble: tuple[Text, ...] = ()
    sentences: tuple[Sentence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange(Value):
    """A change that would be made now. `route` is what would be announced; nothing for a withdrawal."""

    action: Text
    prefix: Text
    route: Text
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStatus(Value):
    """A session of the daemon: see `speaker.backends.base.Peer`.

    `local_as`: None where it is not told. `reason`: why it is down, in words, where that is told.
    """

    name: Text = ""
    address: Text
    asn: Count
    up: MaybeTruth
    local_as: Count | None = None
    reason: Text = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStatus(Value):
    """The routing daemon: see `speaker.backends.base.Daemon`."""

    name: Text = ""
    untested: Text = ""
    known: Truth = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationStatus(Value):
    """vip.toml, as a watchdog loaded it. `state` is whether the file is still so, `trouble` what is not, in words.

    `used` are the paths of `[node]` that it uses since its start, by their keys. `loaded`: when it was, in
    seconds since the epoch, None where that is not told. `digest` tells its content from any other.
    """

    file: Text = ""
    digest: Text = ""
    state: Text = "unknown"
    trouble: Text = ""
    used: dict[Text, Text] = field(default_factory=dict)
    loaded: Annotated[float, Strict()] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Value):
    """The whole state. `last_cycle`: seconds since the last one that was completed, None for none yet.

    `starting`: in words, that the first has not ended. `sessions` and `trouble` are what is wrong, in words.
    """

    dc: Text
    backend: Text
    daemon: DaemonStatus = DaemonStatus()
    configuration: ConfigurationStatus = ConfigurationStatus()
    last_cycle: Annotated[float, Strict()] | None = None
    starting: Text = ""
    peers: tuple[PeerStatus, ...]
    sessions: tuple[Text, ...] = ()
    trouble: tuple[Text, ...]
    routes: tuple[PrefixStatus, ...]
    witnesses: tuple[WitnessStatus, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded(Value):
    """That vip.toml was read again and taken, in words."""

    said: Text


class Operations(Protocol):
    """What can be asked about this data centre's VIPs, and for them, by whichever process answers.

    All of them raise SpeakerError where there is no answer.
    """

    def status(self) -> Status:
        """Return the whole state."""

    def explain(self, prefixes: Sequence[Prefix]) -> Sequence[Explanation]:
        """Return the state of some prefixes with all that led to it; without any, of all."""

    def history(
        self, about: Sequence[Prefix | str], since: float | None = None
    ) -> Sequence[HistoryEntry]:
        """Return what was done with some prefixes, and said in some reports (`report/NAME`), oldest first; without any, all.

        All of it since a time (seconds since the epoch), or where there is none the newest 200 entries.
        """

    def plan(self) -> Sequence[PlannedChange]:
        """Return the changes that would be made now."""

    def apply(self, request: IntentRequest) -> Sequence[IntentOutcome | RecordedIntent]:
        """Apply an operator's intent, durably, and return what became of each prefix.

        A dry run changes nothing, and returns what would become of it.
        """
