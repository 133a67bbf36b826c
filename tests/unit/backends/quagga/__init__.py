"""speaker/backends/quagga: Quagga's and FRR's bgpd."""
