"""What keeps a long-lived process alive, and ends it in time: parts, threads, a pulse and its sentinel."""
