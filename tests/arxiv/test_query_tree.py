"""What a caller's query means to people, and what the rewritten one means to arXiv: the same."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.arxiv.query_tree import NotAQuery, rewritten
from service.domain.errors import UpstreamRejected

LETTERS = "abcd"
OPERATORS = ("AND", "OR", "ANDNOT")


def combined(operator, left, right):
    match operator:
        case "AND":
            return left and right
        case "OR":
            return left or right
        case _:
            return left and not right


def split(text):
    return text.replace("(", " ( ").replace(")", " ) ").split()


def arxiv_means(text, truth):
    """`text` as arXiv reads it: OR by default, no precedence, grouped to the right."""

    def chain(tokens):
        operands, operators = [], []
        while tokens and tokens[0] != ")":
            if operands:
                operators.append(tokens.pop(0) if tokens[0] in OPERATORS else "OR")
            token = tokens.pop(0)
            if token == "(":
                operands.append(chain(tokens))
                assert tokens.pop(0) == ")"
            else:
                operands.append(truth[token.removeprefix("all:")])
        value = operands.pop()
        while operands:
            value = combined(operators.pop(), operands.pop(), value)
        return value

    tokens = split(text)
    value = chain(tokens)
    assert not tokens
    return value


LEAVES = st.sampled_from(LETTERS)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.tuples(st.sampled_from((*OPERATORS, "")), inner, inner),
    max_leaves=8,
)
TRUTHS = st.fixed_dictionaries({letter: st.booleans() for letter in LETTERS})


def people_mean(tree, truth):
    if isinstance(tree, str):
        return truth[tree]
    operator, left, right = tree
    return combined(operator or "AND", people_mean(left, truth), people_mean(right, truth))


def written(tree, *, inside=None, is_right=False):
    """The tree with as few brackets as people need: OR binds least, the rest groups to the left."""
    if isinstance(tree, str):
        return tree
    operator, left, right = tree
    kind = "OR" if operator == "OR" else "AND"
    texts = written(left, inside=kind), written(right, inside=kind, is_right=True)
    text = f"{texts[0]} {operator} {texts[1]}"
    needs_brackets = inside == "AND" and (kind == "OR" or is_right)
    return f"({text})" if needs_brackets else text


@given(TREES, TRUTHS)
def test_arxiv_reads_the_rewritten_query_as_people_read_theirs(tree, truth):
    query = rewritten(written(tree))

    assert bool(arxiv_means(query, truth)) == bool(people_mean(tree, truth))


@given(TREES)
def test_a_rewritten_query_is_closed_and_stays_what_it_is(tree):
    query = rewritten(written(tree))

    assert (query.startswith("(") and query.endswith(")")) or " " not in query
    assert rewritten(query) == query


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AND",
        "a AND",
        "OR a",
        "a AND OR b",
        "(a",
        "a)",
        "()",
        'a "b',
        "a \\ b",
        "(" * 41 + "a" + ")" * 41,
    ],
)
def test_what_is_no_query_is_said_to_be_none(text):
    with pytest.raises(NotAQuery):
        rewritten(text)


@pytest.mark.parametrize("piece", ["(", "ti:(", "a AND ", "a ", '"', "submittedDate:[", "ANDNOT "])
def test_a_hostile_query_takes_no_time(piece):
    began = time.process_time()

    with pytest.raises((NotAQuery, UpstreamRejected)):
        rewritten(piece * 2000 + "(")

    assert time.process_time() - began < 1
