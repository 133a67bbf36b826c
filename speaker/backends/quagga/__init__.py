"""The driver for Quagga's and FRR's bgpd, through vtysh. `driver` is the door."""
