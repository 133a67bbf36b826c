"""Everything that proves what the software promises."""
