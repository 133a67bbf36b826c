"""Whether the last announcement of a prefix is kept, as the site says; what that means: `policy.last`."""

from enum import StrEnum


class KeepLast(StrEnum):
    """Whether the last announcement is kept: never, where a witness could tell of another one, or always."""

    NEVER = "never"
    KNOWN = "known"
    STRICT = "strict"
