"""The one place where parts are built and joined, and where all settings are seen.

A process is an API, a worker, or both. They share nothing but the database, so
each is built (`api`, `worker`) as if the other did not exist; `parts` are what
both have, each its own.
"""
