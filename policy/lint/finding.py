"""Finding: what is wrong, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """What kind of fault it is. Scripts rely on these words; docs/check.md explains each."""

    TIE = "tie"
    NOT_EQUAL = "not-equal"
    NOT_FIRST = "not-first"
    NO_BACKUP = "no-backup"
    PATH_TOO_LONG = "path-too-long"
    FOREIGN_ASN = "foreign-asn"
    PAIR_SPLIT = "pair-split"
    UNEQUAL_LOAD = "unequal-load"
    AGGREGATE_NEVER = "aggregate-never"
    AGGREGATE_BYPASSED = "aggregate-bypassed"
    RULE_NEVER_UP = "rule-never-up"
    RULE_NEVER_DOWN = "rule-never-down"
    CHECK_UNUSED = "check-unused"
    REPORT_UNUSED = "report-unused"
    RULE_UNUSED = "rule-unused"
    CHECK_THROUGH_VIP = "check-through-vip"
    CERTIFICATE_EXPIRES = "certificate-expires"
    PROGRAM_MISSING = "program-missing"
    USER_MISSING = "user-missing"
    GROUP_MISSING = "group-missing"
    FILE_MISSING = "file-missing"
    TOKENS_FILE = "tokens-file"
    TOKENS_LINE = "tokens-line"
    LOOP = "loop"
    PEER_POLICY = "peer-policy"
    PEER_MISSING = "peer-missing"
    DNS_EXTRA = "dns-extra"
    DNS_MISSING = "dns-missing"
    IPVS_EXTRA = "ipvs-extra"
    IPVS_MISSING = "ipvs-missing"
    IPVS_BARRED = "ipvs-barred"
    KEEPALIVED_FILE = "keepalived-file"
    KEEPALIVED_EXTRA = "keepalived-extra"
    KEEPALIVED_MISSING = "keepalived-missing"
    KEEPALIVED_TIMING = "keepalived-timing"
    KEEPALIVED_ALPHA = "keepalived-alpha"
    KEEPALIVED_RESTART = "keepalived-restart"
    KEEPALIVED_SORRY = "keepalived-sorry"
    KEEPALIVED_FEW = "keepalived-few"
    KEEPALIVED_FIFO = "keepalived-fifo"
    KEEPALIVED_NAME = "keepalived-name"
    DAEMON_VERSION = "daemon-version"
    NODE_MOVED = "node-moved"
    START_FILE = "start-file"
    SITES_DIFFER = "sites-differ"
    SITE_FILE = "site-file"
    SITE_CLOCK = "site-clock"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault. `str()` is one line: where, what was found, what to do, and the code.

    `subject` is what has the fault: `vip-1.tld 192.0.2.1/32`, `dc par1`, a key's path.
    """

    code: Code
    subject: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.found}; {self.remedy} [{self.code}]"

    def as_json(self) -> dict[str, str]:
        """Return it as `vip_mgmt check --json` shows it."""
        return {
            "code": self.code,
            "object": self.subject,
            "found": self.found,
            "remedy": self.remedy,
        }
