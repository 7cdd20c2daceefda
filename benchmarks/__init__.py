"""Measurements, side by side in one run: `make bench`, or `make bench BENCH=status` for one.

Each module with a `run` is one bench, and `__main__` names them all. They start what they need
themselves, on loopback and in a temporary folder, and print what came out. docs/benchmarks.md
says what they mean.
"""
