"""Whether another roll drains machines of a data centre: two that were typed on two machines must not both go on.

Theory of operation. A roll's orders say where it was typed, and each overrules only its own (`policy.site_intent`); of two drains of one
machine, that obeys and tells one. So a roll looks before it orders anything, and again when its machine has drained: who then finds another
roll's drain takes back its own, and gives way. Of two that began at the same time one goes on, or, at worst, neither.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policy.site_members import is_drain
from policy.wording import named
from speaker.cli.announced_by_machines import dc_of

if TYPE_CHECKING:
    from speaker.site_values import SiteStatus

REASON = "vip_mgmt roll"
NAMED = 3
"""How many machines are named."""
GO_ON = (
    "wait for the end of that roll, or go on with it where it was typed; where nobody knows of it, restore what it drained "
    "(vip_mgmt -a PREFIX… --here, on that machine)"
)
"""What is to be done about another roll."""
_BY_ROLL = re.compile(rf": ({REASON}(?: on .+/\S+)?)$")


def reason_of(status: SiteStatus) -> str:
    """Return the reason of the orders of a roll that is typed here: no other machine's has it, and of this machine's one is under way."""
    return f"{REASON} on {status.dc}/{status.machine}"


def is_by_roll(intent: str) -> bool:
    """Tell whether an intent in words, as a machine tells it, is of a roll, whichever."""
    return _BY_ROLL.search(intent) is not None


def by_another_roll(status: SiteStatus, dc: str, under_way: str = "") -> str:
    """Return which machine of a data centre is drained by a roll that is not this one, in words; nothing for none.

    Args:
        status: what the machines tell.
        dc: the data centre.
        under_way: the machine, such as `par1/lb1`, that the roll from here has drained, or may have.
    """
    own = reason_of(status)
    found = (
        f"{state.machine}: {each.prefix}: {state.intent}"
        for each in status.prefixes
        for state in each.states
        if dc_of(state.machine) == dc and is_drain(state.intent)
        if (by := _BY_ROLL.search(state.intent)) is not None
        if (by[1], state.machine) != (own, under_way)
    )
    return next(found, "")


def silent_beside(status: SiteStatus, name: str) -> str:
    """Return which other machines of a machine's data centre are silent, in words: of such a one it is not known who drains it."""
    others = [
        each.name
        for each in status.machines
        if each.dc == dc_of(name) and not each.live and each.name != name
    ]
    return (
        f"{named(others, NAMED)}: silent, so {name} is not drained: see to it first; another roll may have it restarted"
        if others
        else ""
    )
