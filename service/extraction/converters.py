"""What makes documents, and how large one may be.

A converter's version is part of each document's identity: a new number when the same
input gives another document. Those made by others are outdated.
"""

PDF_CONVERTER = "pdf 1"
HTML_CONVERTER = "latexml-html/1"
MAX_DOCUMENT_BYTES = 16 << 20  # as it stands in the answer; the longest papers have some 2 MB
