"""What the product does on a real kernel with IPVS and keepalived; run in guests."""
