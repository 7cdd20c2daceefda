"""HTTP service that ingests arXiv papers into PostgreSQL and reports each job's progress."""

__version__ = "0.1.0"
