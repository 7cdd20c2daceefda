"""The words that made-up papers are written with: tables, and nothing else.

A value that appears several times in a table is that much more frequent. Every
word that fills a slot of a template is a single token, so that a phrase search
can be answered by position (see `prose`).
"""


def _words(text: str) -> list[str]:
    return text.split()


ADJECTIVES = _words("""adaptive anisotropic asymptotic bayesian bounded canonical coarse compact
conformal contrastive convex Möbius deep naïve differentiable discrete dynamic efficient
entangled equivariant federated finite generative geometric Poincaré Kähler hyperbolic
implicit integrable interpretable latent local magnetic massive minimal modular multimodal noisy
nonlinear optimal orthogonal perturbative provable quantum random relativistic robust scalable
sparse spectral stable stochastic supersymmetric symmetric thermal topological turbulent unified
universal""")

METHODS = _words("""annealing attention autoencoders backpropagation bootstrapping clustering
compression cosmography diffusion distillation duality embeddings ensembles factorization
filtering forecasting holography homology inference interferometry kernels lensing localization
matching optimization perturbation photometry pretraining pruning quantization reasoning
regression regularization renormalization resampling retrieval sampling segmentation
simulation spectroscopy summarization tomography transformers translation tuning
verification""")

OBJECTS = _words("""agents algebras bundles clusters codes complexes cosmologies crystals dialogues
diagrams documents fields flows foliations galaxies graphs groups halos images instantons knots
languages lattices links manifolds markets membranes modules monopoles networks neutrinos
operads orbifolds pairings particles planets plasmas policies polynomials proteins pulsars
quivers schemes sentences sheaves singularities spaces spins strings supernovae surfaces tensors
trees varieties vortices waves""")

PROPERTIES = _words("""accuracy ambiguity capacity coherence complexity convergence curvature
decoherence entropy existence expressivity fairness generalization identifiability invariance
latency likelihood mixing monotonicity polarization positivity privacy rigidity robustness
sparsity stability symmetry throughput tightness uncertainty uniqueness universality""")

VERBS = _words("""analyze classify compare compute constrain derive estimate extend formulate
generalize investigate measure model predict quantify reconstruct revisit simulate study
unify""")

NUMBERS = [str(number) for number in range(2, 100)]

TITLES = (
    "{adjective1} {method1} for {adjective2} {object1}",
    "On the {property1} of {adjective1} {object1}",
    "{method1} of {object1}: {adjective1} bounds and {property1}",
    "Towards {adjective1} {object1} via {method1}",
    "{adjective1} {object1} & {adjective2} {method1}: a survey",
    "Learning {adjective1} {object1} with {method1}",
    "Is {property1} enough? {adjective1} {method1} in {object1}",
    "{adjective1} {method1} in $O(n \\log n)$ time with <{number1} samples",
)

ABSTRACTS = (
    "We {verb1} {adjective3} {object2} by means of {adjective2} {method2}. Our approach rests on "
    "the {property2} of {object1}, which had been known only for {object3}. In {number1} "
    "experiments the error falls by {number2}\\% while {property1} is kept. We also show that "
    "{method3} does not help when the {object2} are {adjective1}. Code and data are available.",
    "The {property1} of {adjective1} {object2} has long been open. Here we {verb1} it with "
    "{method2} and prove that every family of {adjective3} {object3} admits {method3} of order "
    "$n^{{{number1}}}$. As a corollary we obtain a bound on {property2} that improves earlier "
    "results by a factor of {number2}. Several examples with {adjective2} {object1} are given.",
    "We report observations of {number1} {adjective1} {object2} made during {number2} nights. "
    "Using {adjective2} {method2} we {verb1} their {property2} and find that {object3} with "
    "$p < 0.05$ are consistent with {adjective3} {method3}. The remaining tension in {property1} "
    "may point to {adjective1} {object1} beyond the standard model.",
    "Large {object1} are usually trained with {method2}, at a high cost. We propose {adjective2} "
    "{method3}, which needs only {number1} examples and keeps the {property1} of {adjective3} "
    "{object2}. On {number2} benchmarks it is as good as {adjective1} {method1} & faster. "
    "We {verb1} the reasons and find that {property2} of {object3} is what matters.",
)

FILLER = (
    "Let us now {verb1} the {property1} of {adjective1} {object1} in more detail.",
    "It follows from the {property2} of {object2} that {method1} is {adjective2}.",
    "The {method2} of {object3} took {number1} hours on {number2} machines.",
    "Table {number1} compares {adjective3} {method3} with {adjective1} {method1}.",
    "By {property1}, no {adjective2} {object1} can have more than {number2} {object2}.",
    "This is in line with earlier work on {adjective3} {object3} and their {property2}.",
)

GIVEN_NAMES = _words("""Ada Alan Amina André Anna Björn Carmen Chen Chiara Daniel Diego Elena Emmy
Fatima Felix Grace Hana Henri Hiroshi Ingrid Ivan Jean José Juan Julia Kamal Katherine Kenji
Lars Leila Li Luis Maria Marie Mei Michael Mohammed Nadia Noor Olga Omar Paul Pedro Priya Rafael
Renée Rosa Samuel Sara Sofia Søren Tariq Thomas Uma Victor Wei Xin Yuki Zeynep Zoë""")

FAMILY_NAMES = [
    *_words("""Abbott Adeyemi Almeida Andersson Banerjee Becker Bernoulli Bianchi Brandt Castro
Chandra
Cohen Costa Curie Dubois Eriksson Fernández Fischer Fontaine Garcia Gauß Gupta Hansen Haddad
Hoffmann Horváth Ibrahim Ito Ivanov Jansen Johansson Kaur Keller Khan Kim Kowalski Kumar Lambert
Larsen Lefèvre Li Lovelace Maier Martínez Meyer Mirzakhani Moreau Müller Nakamura Nguyen Noether
Novak Okafor Olsen Park Patel Pereira Petrov Popov Ramanujan Rossi Santos Sato Schneider Schulz
Silva Singh Smith Sokolov Suzuki Takahashi Tanaka Turing Vasquez Wagner Wang Watanabe Weber Wu
Yamamoto Yilmaz Zhang Zhao Ziegler"""),
    "de la Cruz",
    "van der Berg",
    "O'Brien",
    "Al-Khwarizmi",
]

CATEGORIES = (
    ["cs.LG"] * 9
    + ["cs.AI"] * 9
    + ["cs.CL"] * 7
    + ["cs.CV"] * 6
    + ["hep-th"] * 4
    + ["astro-ph.CO"] * 4
    + ["math.GT"] * 3
    + ["quant-ph"] * 3
    + ["stat.ML"] * 3
    + _words("math.AG math.PR math.CO hep-ph astro-ph.GA cond-mat.str-el cond-mat.mtrl-sci gr-qc")
    + _words("cs.CR cs.DS cs.RO cs.SE econ.EM eess.SP nucl-th physics.optics q-bio.NC q-fin.ST")
)

# What the old identifiers were given for; a subject class is not part of the id.
OLD_CATEGORIES = (
    ["hep-th"] * 8
    + ["astro-ph"] * 8
    + ["hep-ph"] * 6
    + ["cond-mat"] * 5
    + ["quant-ph"] * 4
    + _words("gr-qc math.GT math.AG math.GT cs.AI cs.CL cs.LG nucl-th hep-lat solv-int")
)

CROSS_LISTS: list[tuple[str, ...]] = [
    ("cs.IT",),  # an alias of math.IT, which OAI-PMH adds in one verb and not in the other
    (),
    (),
    ("cs.AI",),
    ("cs.LG",),
    ("stat.ML",),
    ("cs.LG", "stat.ML"),
    ("math-ph", "math.MP"),
    ("hep-th",),
    ("cs.CL", "cs.AI"),
    ("math.GT",),
]

JOURNALS: list[str | None] = [
    None,
    None,
    None,
    "Astron. & Astrophys. {volume} ({year}) {page}",
    "J. High Energ. Phys. {volume} ({year}) {page}",
    "Phys. Rev. D {volume}, {page} ({year})",
    "Proceedings of the {volume}th Conference on Replication, {year}, pp. {page}-{page}9",
]

COMMENTS: list[str | None] = [
    None,
    "{pages} pages",
    "{pages} pages, {figures} figures",
    "{pages} pages, {figures} figures; comments welcome",
    "Accepted at a workshop; {pages} pages",
]

# A suffix makes three parts of a name. It takes the place of "Silva", so that no other moves.
FAMILY_NAMES[FAMILY_NAMES.index("Silva")] = "Silva Jr."

# Where authors work; TeX in the raw format, as their names.
INSTITUTES = [
    "University of Replication",
    "École Normale Supérieure",
    "Universität Wien, Austria",
    "Institute for Made-up Physics, Ankh-Morpork",
    "CERN",
    "Kungliga Tekniska högskolan",
    "Instituto de Astrofísica",
]

# http, as arXiv writes them; None for papers that never said (assumed-1991-2003)
OLD_LICENSES: list[str | None] = [
    *[None] * 12,
    "http://arxiv.org/licenses/assumed-1991-2003/",
    "http://creativecommons.org/licenses/publicdomain/",
]
LICENSES: list[str | None] = [
    *["http://arxiv.org/licenses/nonexclusive-distrib/1.0/"] * 14,
    *["http://creativecommons.org/licenses/by/4.0/"] * 6,
    "http://creativecommons.org/licenses/by-sa/4.0/",
    "http://creativecommons.org/licenses/by-nc-sa/4.0/",
    "http://creativecommons.org/licenses/by-nc-nd/4.0/",
    "http://creativecommons.org/publicdomain/zero/1.0/",
    "http://creativecommons.org/licenses/by/3.0/",
    "http://creativecommons.org/licenses/by-nc-sa/3.0/",
    None,
]

# Letters for what a version was submitted as; None is TeX, which has no letter.
SOURCE_TYPES: list[str | None] = [None] * 20 + ["D"] * 8 + ["A", "AD", "H", "P", "X", "S"]

# What most withdrawals say, and other ways in which authors have said it.
WITHDRAWALS = [
    "This paper has been withdrawn by the author due to a crucial error in equation {figures}",
    "Withdrawn by the authors: superseded by a later paper",
]
OTHER_WITHDRAWALS: list[str | None] = [
    *[None] * 6,
    "Paper withdrawn.",
    "This paper is being withdrawn due to an error in Lemma {figures}",
    "{pages} pages. The paper has now been withdrawn",
    "This version is withdrawn because the proof of Theorem {figures} is wrong",
    "The authors have withdrawn this paper",
]
