"""The words of this service as types: pure, no I/O, standard library only."""
