"""What vip_mgmt does: its arguments, the prefixes that they name, and the tables that it prints."""
