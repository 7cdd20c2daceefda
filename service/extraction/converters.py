"""What makes documents, with the version that is part of each document's identity.

A new number when the same input gives another document: those made by others are outdated.
"""

PDF_CONVERTER = "pdf 1"
HTML_CONVERTER = "latexml-html/1"
