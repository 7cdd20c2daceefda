"""Domain types and rules: pure, no I/O, standard library only."""
