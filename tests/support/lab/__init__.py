"""A lab of network namespaces with real BGP daemons in them, for tests of what a peer sees."""
