"""LaTeXML HTML parser: arXiv's HTML pages to sections, equations, captions and references."""
