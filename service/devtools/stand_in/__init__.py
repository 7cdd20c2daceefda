"""The stand-in arXiv: query API, OAI-PMH, PDFs and HTML as arXiv behaves today, without arXiv.

Demos, tests and load tests talk to it so that nobody load-tests arXiv. It holds
either a made-up corpus of any size (`corpus`, `records`) or a folder of recorded
answers (`recordings`), answers as `feed`, `oai`, `download` and `html` describe,
goes wrong on demand (`faults`, `misbehaviour`, `traps`, `outages`) and keeps a log
of every request (`log`), from which anybody can prove the rate limit that the
client kept. `server.running_replica` runs it inside a test, `control` steers it from
another process, and `python -m service replica` runs it alone.

What is chosen here where arXiv's documentation says nothing, or where a trap says
otherwise: neighbouring terms without an operator are joined by AND; wildcards
outside categories, fields other than `ti au abs cat all submittedDate`, and a
request with neither query nor ids are refused with 400; both ends of a
`submittedDate` range count, the last minute to its end; `sortBy=relevance` is a
fixed shuffle for a query and the asked order for ids. Answers of the query API are
the same bytes every time, so a feed's `updated` does not move.
"""
