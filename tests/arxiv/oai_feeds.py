"""OAI-PMH answers to order, in the shape of the recorded ones."""

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
    "<responseDate>2024-03-05T10:00:00Z</responseDate><request>https://oaipmh.arxiv.org/oai</request>"
)
VERSION = (
    "<version version='v1'><date>Tue, 05 Mar 2024 10:00:00 GMT</date><size>12kb</size></version>"
)


def answer(content):
    return f"{HEAD}{content}</OAI-PMH>".encode()


def error(code, text="why"):
    return answer(f'<error code="{code}">{text}</error>')


def header(paper="2401.00001", day="2024-03-06", more="", status=""):
    mark = f' status="{status}"' if status else ""
    return (
        f"<header{mark}><identifier>oai:arXiv.org:{paper}</identifier>"
        f"<datestamp>{day}</datestamp><setSpec>cs:cs:AI</setSpec>{more}</header>"
    )


def raw(paper="2401.00001", *, versions=VERSION, more="", **fields):
    values = {
        "title": "A title",
        "authors": "Ada Lovelace and Alan Turing",
        "categories": "cs.AI cs.LG",
        "abstract": "  An abstract.\n",
    } | {name.replace("_", "-"): value for name, value in fields.items()}
    texts = "".join(
        f"<{name}>{value}</{name}>" for name, value in values.items() if value is not None
    )
    return (
        '<metadata><arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/">'
        f"<id>{paper}</id><submitter>Ada</submitter>{versions}{texts}{more}</arXivRaw></metadata>"
    )


def parted(paper="2401.00001", *, authors="", more=""):
    return (
        '<metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/">'
        f"<id>{paper}</id><created>2024-03-05</created><authors>{authors}</authors>"
        f"<title>A title</title><categories>cs.AI</categories>{more}</arXiv></metadata>"
    )


def record(paper="2401.00001", *, day="2024-03-06", metadata=None):
    return f"<record>{header(paper, day)}{raw(paper) if metadata is None else metadata}</record>"


def listed(*records, token=None, verb="ListRecords"):
    mark = "" if token is None else f"<resumptionToken>{token}</resumptionToken>"
    return answer(f"<{verb}>{''.join(records)}{mark}</{verb}>")
