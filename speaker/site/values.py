"""What the machines of a site tell of themselves, as `policy.site_members` has it."""

from policy.site_members import Member, MemberOutcome, MemberState, SiteOutcome

__all__ = ["Member", "MemberOutcome", "MemberState", "SiteOutcome"]
