"""Limits of a document, whatever it is made of."""

MAX_DOCUMENT_BYTES = 16 << 20  # as it stands in the answer; the longest papers have some 2 MB
