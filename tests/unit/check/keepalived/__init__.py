"""keepalived's configuration as vip_mgmt check reads it."""
