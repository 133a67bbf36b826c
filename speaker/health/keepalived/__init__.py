"""What keepalived itself tells: whether it runs, and its fifo, as a word to look now."""
