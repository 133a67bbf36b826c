"""Pure decisions: what this data centre should announce, and why. Standard library only."""
