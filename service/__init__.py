"""The arXiv ingestion service: brings slices of arXiv in, and says how far it is."""

__version__ = "0.1.0"
