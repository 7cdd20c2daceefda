"""Composition of processes: the one place where parts are built from the settings.

A process is an API, a worker, or both. They share nothing but the database, so
each is built (`api`, `worker`) as if the other did not exist; `parts` are what
both have, each its own.
"""
