"""Owns the smallest block of each other daemon with all that nests in it, down to the innermost."""

BLOCKS = {
    "bfd-profile": ("bfd", "profile fast", "transmit-interval 100"),
    "bfd-peer": ("bfd", "peer 203.0.113.1", "shutdown"),
    "key-chain": ("key chain K", "key 1", "key-string abc"),
    "traffic-eng": ("segment-routing", "traffic-eng", "segment-list S", "index 1 mpls label 16"),
    "policy": (
        "segment-routing",
        "traffic-eng",
        "policy color 1 endpoint 203.0.113.1",
        "candidate-path preference 1 name a dynamic",
    ),
    "explicit": (
        "segment-routing",
        "traffic-eng",
        "policy color 1 endpoint 203.0.113.1",
        "candidate-path preference 1 name a explicit segment-list S",
    ),
    "pcep": ("segment-routing", "traffic-eng", "pcep", "pcc", "peer P"),
    "srv6": ("segment-routing", "srv6", "locators", "locator L", "prefix 2001:db8:1::/64"),
    "ldp": ("mpls ldp", "address-family ipv4", "interface eth0"),
    "pseudowire": ("l2vpn A type vpls", "member pseudowire mpw0", "neighbor lsr-id 192.0.2.9"),
    "vrf": ("vrf RED", "ip route 198.51.100.0/24 blackhole"),
    "pbr-map": ("pbr-map M seq 10", "match dst-ip 198.51.100.0/24"),
    "rpki": ("rpki", "rpki polling_period 1000"),
    "nexthop-group": ("nexthop-group G", "nexthop 203.0.113.1"),
    "link-params": ("interface eth0", "link-params", "enable"),
    "isis": ("router isis 1", "net 49.0001.1920.0000.2001.00"),
    "ospf": ("router ospf", "ospf router-id 192.0.2.9"),
}
"""By name: each line stands in the block that the one before opens; the last may open none."""
