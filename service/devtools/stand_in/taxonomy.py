"""arXiv's taxonomy: groups, archives, categories, aliases, and what OAI-PMH calls them (sets).

Source: arxiv.org/category_taxonomy, as of 2026: 155 active categories. A set is
`group`, `group:archive` or `group:archive:class`; an archive that has no classes
(`hep-th`) is a category, too, and its set is listed once as either.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from service.domain.categories import ALIASES, SUBSUMED

GROUPS = {
    "cs": "Computer Science",
    "econ": "Economics",
    "eess": "Electrical Engineering and Systems Science",
    "math": "Mathematics",
    "physics": "Physics",
    "q-bio": "Quantitative Biology",
    "q-fin": "Quantitative Finance",
    "stat": "Statistics",
}

ARCHIVES = {
    "astro-ph": "Astrophysics",
    "cond-mat": "Condensed Matter",
    "cs": "Computer Science",
    "econ": "Economics",
    "eess": "Electrical Engineering and Systems Science",
    "gr-qc": "General Relativity and Quantum Cosmology",
    "hep-ex": "High Energy Physics - Experiment",
    "hep-lat": "High Energy Physics - Lattice",
    "hep-ph": "High Energy Physics - Phenomenology",
    "hep-th": "High Energy Physics - Theory",
    "math": "Mathematics",
    "math-ph": "Mathematical Physics",
    "nlin": "Nonlinear Sciences",
    "nucl-ex": "Nuclear Experiment",
    "nucl-th": "Nuclear Theory",
    "physics": "Physics",
    "q-bio": "Quantitative Biology",
    "q-fin": "Quantitative Finance",
    "quant-ph": "Quantum Physics",
    "stat": "Statistics",
}

# archive: "class Name; class Name"; an archive without classes is not named here
_CLASSES = {
    "astro-ph": """CO Cosmology and Nongalactic Astrophysics; EP Earth and Planetary Astrophysics;
GA Astrophysics of Galaxies; HE High Energy Astrophysical Phenomena;
IM Instrumentation and Methods for Astrophysics; SR Solar and Stellar Astrophysics""",
    "cond-mat": """dis-nn Disordered Systems and Neural Networks;
mes-hall Mesoscale and Nanoscale Physics; mtrl-sci Materials Science;
other Other Condensed Matter; quant-gas Quantum Gases; soft Soft Condensed Matter;
stat-mech Statistical Mechanics; str-el Strongly Correlated Electrons;
supr-con Superconductivity""",
    "cs": """AI Artificial Intelligence; AR Hardware Architecture; CC Computational Complexity;
CE Computational Engineering, Finance, and Science; CG Computational Geometry;
CL Computation and Language; CR Cryptography and Security;
CV Computer Vision and Pattern Recognition; CY Computers and Society; DB Databases;
DC Distributed, Parallel, and Cluster Computing; DL Digital Libraries; DM Discrete Mathematics;
DS Data Structures and Algorithms; ET Emerging Technologies;
FL Formal Languages and Automata Theory; GL General Literature; GR Graphics;
GT Computer Science and Game Theory; HC Human-Computer Interaction; IR Information Retrieval;
IT Information Theory; LG Machine Learning; LO Logic in Computer Science; MA Multiagent Systems;
MM Multimedia; MS Mathematical Software; NA Numerical Analysis;
NE Neural and Evolutionary Computing; NI Networking and Internet Architecture;
OH Other Computer Science; OS Operating Systems; PF Performance; PL Programming Languages;
RO Robotics; SC Symbolic Computation; SD Sound; SE Software Engineering;
SI Social and Information Networks; SY Systems and Control""",
    "econ": "EM Econometrics; GN General Economics; TH Theoretical Economics",
    "eess": """AS Audio and Speech Processing; IV Image and Video Processing; SP Signal Processing;
SY Systems and Control""",
    "math": """AC Commutative Algebra; AG Algebraic Geometry; AP Analysis of PDEs;
AT Algebraic Topology; CA Classical Analysis and ODEs; CO Combinatorics; CT Category Theory;
CV Complex Variables; DG Differential Geometry; DS Dynamical Systems; FA Functional Analysis;
GM General Mathematics; GN General Topology; GR Group Theory; GT Geometric Topology;
HO History and Overview; IT Information Theory; KT K-Theory and Homology; LO Logic;
MG Metric Geometry; MP Mathematical Physics; NA Numerical Analysis; NT Number Theory;
OA Operator Algebras; OC Optimization and Control; PR Probability; QA Quantum Algebra;
RA Rings and Algebras; RT Representation Theory; SG Symplectic Geometry; SP Spectral Theory;
ST Statistics Theory""",
    "nlin": """AO Adaptation and Self-Organizing Systems; CD Chaotic Dynamics;
CG Cellular Automata and Lattice Gases; PS Pattern Formation and Solitons;
SI Exactly Solvable and Integrable Systems""",
    "physics": """acc-ph Accelerator Physics; ao-ph Atmospheric and Oceanic Physics;
app-ph Applied Physics; atm-clus Atomic and Molecular Clusters; atom-ph Atomic Physics;
bio-ph Biological Physics; chem-ph Chemical Physics; class-ph Classical Physics;
comp-ph Computational Physics; data-an Data Analysis, Statistics and Probability;
ed-ph Physics Education; flu-dyn Fluid Dynamics; gen-ph General Physics; geo-ph Geophysics;
hist-ph History and Philosophy of Physics; ins-det Instrumentation and Detectors;
med-ph Medical Physics; optics Optics; plasm-ph Plasma Physics; pop-ph Popular Physics;
soc-ph Physics and Society; space-ph Space Physics""",
    "q-bio": """BM Biomolecules; CB Cell Behavior; GN Genomics; MN Molecular Networks;
NC Neurons and Cognition; OT Other Quantitative Biology; PE Populations and Evolution;
QM Quantitative Methods; SC Subcellular Processes; TO Tissues and Organs""",
    "q-fin": """CP Computational Finance; EC Economics; GN General Finance;
MF Mathematical Finance; PM Portfolio Management; PR Pricing of Securities; RM Risk Management;
ST Statistical Finance; TR Trading and Market Microstructure""",
    "stat": """AP Applications; CO Computation; ME Methodology; ML Machine Learning;
OT Other Statistics; TH Statistics Theory""",
}


class NoSuchSet(ValueError):
    """No active set has this name; the message says why."""


def group_of(archive: str) -> str:
    """The group of an archive, also of one that was closed."""
    current = SUBSUMED.get(archive, archive).partition(".")[0]
    return current if current in GROUPS else "physics"


@cache
def categories() -> dict[str, str]:
    """All active categories and their names, sorted by id."""
    found = {name: full for name, full in ARCHIVES.items() if name not in _CLASSES}
    for archive, text in _CLASSES.items():
        for entry in " ".join(text.split()).split("; "):
            short, name = entry.split(" ", 1)
            found[f"{archive}.{short}"] = name
    return dict(sorted(found.items()))


def category_name(category: str) -> str:
    """What oai_dc calls a category: `Mathematics - Combinatorics`, `Nuclear Experiment`."""
    archive, _, short = category.partition(".")
    if not short:
        return ARCHIVES.get(archive, archive)
    return f"{ARCHIVES[archive]} - {categories().get(category, short)}"


def set_of(category: str) -> str:
    """The set of a category, active or not: `cs:cs:AI`, `physics:hep-th`."""
    archive, _, short = category.partition(".")
    return ":".join(filter(None, (group_of(archive), archive, short)))


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """Categories with their aliases beside them, closed ones replaced, each once.

    What a record's header shows. That of ListIdentifiers shows what the paper lists.
    """
    found: dict[str, None] = {}
    for name in names:
        if name in SUBSUMED:
            found[SUBSUMED[name]] = None
            continue
        found[name] = None
        for alias, canonical in ALIASES.items():
            if name in (alias, canonical):
                found[canonical if name == alias else alias] = None
    return tuple(found)


def sets() -> list[tuple[str, str]]:
    """What ListSets lists: (setSpec, setName) of groups, archives, categories.

    A category that is an archive comes twice, as at arXiv.
    """
    archives = [(f"{group_of(name)}:{name}", full) for name, full in ARCHIVES.items()]
    classes = [(set_of(name), full) for name, full in categories().items()]
    return [*GROUPS.items(), *archives, *classes]


@dataclass(frozen=True, slots=True)
class WantedSet:
    """A set that was asked for; `spec` is its name."""

    spec: str

    @classmethod
    def read(cls, spec: str) -> "WantedSet":
        """The active set with this name; raises NoSuchSet."""
        group, *rest = spec.split(":")
        if len(rest) > 2:
            raise NoSuchSet("Set has too many levels")
        known = group in GROUPS
        if rest:
            known = rest[0] in ARCHIVES and group_of(rest[0]) == group
        if len(rest) == 2:
            known = known and f"{rest[0]}.{rest[1]}" in categories()
        if not known:
            raise NoSuchSet("Set does not exist")
        return cls(spec)

    def holds(self, category: str) -> bool:
        """Whether a paper in `category` is in this set; aliases count."""
        specs = (set_of(name) for name in expanded((category,)))
        return any(one == self.spec or one.startswith(f"{self.spec}:") for one in specs)
