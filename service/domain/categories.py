"""arXiv's category taxonomy: the names that exist, what each covers, and the OAI set of each.

As in arXiv's public taxonomy (arxiv-base, arxiv/taxonomy): 155 active categories
in 20 archives of 8 groups, six of them aliases of others; 18 archives of the
1990s that were subsumed live on in the categories of old papers. Case matters.
"""

from collections.abc import Iterator
from difflib import get_close_matches

# Group → archive → the categories in it, without the archive's name; an archive
# without any is a category itself.
_GROUPS = {
    "cs": {
        "cs": "AI AR CC CE CG CL CR CV CY DB DC DL DM DS ET FL GL GR GT HC IR IT LG LO MA MM MS"
        " NA NE NI OH OS PF PL RO SC SD SE SI SY"
    },
    "econ": {"econ": "EM GN TH"},
    "eess": {"eess": "AS IV SP SY"},
    "math": {
        "math": "AC AG AP AT CA CO CT CV DG DS FA GM GN GR GT HO IT KT LO MG MP NA NT OA OC PR"
        " QA RA RT SG SP ST"
    },
    "physics": {
        "astro-ph": "CO EP GA HE IM SR",
        "cond-mat": "dis-nn mes-hall mtrl-sci other quant-gas soft stat-mech str-el supr-con",
        "gr-qc": "",
        "hep-ex": "",
        "hep-lat": "",
        "hep-ph": "",
        "hep-th": "",
        "math-ph": "",
        "nlin": "AO CD CG PS SI",
        "nucl-ex": "",
        "nucl-th": "",
        "physics": "acc-ph ao-ph app-ph atm-clus atom-ph bio-ph chem-ph class-ph comp-ph data-an"
        " ed-ph flu-dyn gen-ph geo-ph hist-ph ins-det med-ph optics plasm-ph pop-ph soc-ph"
        " space-ph",
        "quant-ph": "",
    },
    "q-bio": {"q-bio": "BM CB GN MN NC OT PE QM SC TO"},
    "q-fin": {"q-fin": "CP EC GN MF PM PR RM ST TR"},
    "stat": {"stat": "AP CO ME ML OT TH"},
}
# Alias → canonical name; both are active, and a paper in one is in the other.
ALIASES = {
    "cs.NA": "math.NA",
    "cs.SY": "eess.SY",
    "math.IT": "cs.IT",
    "math.MP": "math-ph",
    "q-fin.EC": "econ.GN",
    "stat.TH": "math.ST",
}
# Archive that was closed → the category where its papers are now.
SUBSUMED = {
    "acc-phys": "physics.acc-ph",
    "adap-org": "nlin.AO",
    "alg-geom": "math.AG",
    "ao-sci": "physics.ao-ph",
    "atom-ph": "physics.atom-ph",
    "bayes-an": "physics.data-an",
    "chao-dyn": "nlin.CD",
    "chem-ph": "physics.chem-ph",
    "cmp-lg": "cs.CL",
    "comp-gas": "nlin.CG",
    "dg-ga": "math.DG",
    "funct-an": "math.FA",
    "mtrl-th": "cond-mat.mtrl-sci",
    "patt-sol": "nlin.PS",
    "plasm-ph": "physics.plasm-ph",
    "q-alg": "math.QA",
    "solv-int": "nlin.SI",
    "supr-con": "cond-mat.supr-con",
}
ARCHIVES = {archive: group for group, archives in _GROUPS.items() for archive in archives}

# Archive → its active categories with their full names.
_MEMBERS = {
    archive: tuple(f"{archive}.{name}" for name in names.split()) or (archive,)
    for archives in _GROUPS.values()
    for archive, names in archives.items()
}
ACTIVE = frozenset(name for members in _MEMBERS.values() for name in members)
_KNOWN = {*ACTIVE, *ARCHIVES, *SUBSUMED}
_BY_LOWER_CASE = {name.lower(): name for name in sorted(_KNOWN)}
_MAX_LENGTH = 40
_CLOSE = 0.75  # how alike a suggestion must be (difflib's ratio)


class UnknownCategory(ValueError):
    """arXiv has no such category or set; `suggestion` is the one that was probably meant."""

    def __init__(self, what: str, suggestion: str | None) -> None:
        hint = f"; did you mean {suggestion}?" if suggestion else ""
        super().__init__(f"not an arXiv {what}{hint}")
        self.suggestion = suggestion


def canonical(name: str) -> str:
    """The category or archive that `name` means: an alias as the name behind it, `cs.*` as `cs`.

    Raises UnknownCategory for anything that arXiv has not, in just this spelling.
    """
    name = name.removesuffix(".*") if name.removesuffix(".*") in ARCHIVES else name
    if name not in _KNOWN:
        raise UnknownCategory("category", _suggestion(name, _BY_LOWER_CASE))
    return ALIASES.get(name, name)


def is_archive(name: str) -> bool:
    """True when `name` covers several categories, so that it means all of them."""
    return name in ARCHIVES and name not in ACTIVE


def members(name: str) -> tuple[str, ...]:
    """The names in a paper's categories that put it under `name`, a canonical one.

    An archive covers all of its categories, and its bare name, which old papers
    have; a category covers its aliases.
    """
    if is_archive(name):
        return (name, *_MEMBERS[name])
    return (name, *(alias for alias, meant in ALIASES.items() if meant == name))


def oai_set(name: str) -> str:
    """The OAI-PMH set of a canonical category or archive: `cs:cs:AI`, `cs:cs`, `physics:hep-th`.

    That of a subsumed archive is the set of the category that took it in.
    """
    archive, _, rest = SUBSUMED.get(name, name).partition(".")
    return ":".join(part for part in (ARCHIVES[archive], archive, rest) if part)


def check_set(spec: str) -> str:
    """`spec` if arXiv has this OAI-PMH set: a group (`cs`), an archive or an active category.

    Raises UnknownCategory otherwise; suggests the set of a category (`cs.AI` → `cs:cs:AI`).
    """
    if spec in _SETS:
        return spec
    if spec in _KNOWN:
        raise UnknownCategory("set", oai_set(spec))
    raise UnknownCategory("set", _suggestion(spec, {one.lower(): one for one in _SETS}))


def _sets() -> Iterator[str]:
    yield from _GROUPS
    yield from (oai_set(name) for name in ARCHIVES)
    yield from (oai_set(name) for name in sorted(ACTIVE))


_SETS = dict.fromkeys(_sets())


def _suggestion(name: str, known: dict[str, str]) -> str | None:
    lower = name[:_MAX_LENGTH].lower()
    if lower in known:
        return known[lower]
    close = get_close_matches(lower, known, n=1, cutoff=_CLOSE)
    return known[close[0]] if close else None
