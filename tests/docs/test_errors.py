"""Problems, error codes and log events are documented: all of them, and no others."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator

import service
from service.api.middlewares import errors
from service.api.problem_types import PROBLEM_TYPES
from service.domain.errors import RequestError, ServiceError
from service.domain.outages import EVENTS
from tests.api.test_openapi import TABLE

REASONS = {
    *("missing", "malformed", "expired", "not_yet_valid", "no_expiry", "lifetime_too_long"),
    *("no_subject", "bad_signature", "unknown_key", "wrong_audience", "wrong_issuer", "blocked"),
}


def test_every_error_code_is_documented_and_no_other(document, sources):
    codes = {kind.code for kind in _error_tree()} | set(PROBLEM_TYPES)
    for tree in sources():
        codes |= set(_literal_codes(tree))
    page = document("docs/errors.md")

    documented = {*page.names("Codes"), *page.names("Problems"), *page.names("Reasons of a 401")}

    assert sorted(documented - REASONS) == sorted(codes - REASONS)
    assert documented >= REASONS


def test_every_problem_code_is_documented_with_its_status_and_no_other(document):
    rows = document("docs/errors.md").table("Problems")

    documented = {row[0].strip("`"): int(row[1]) for row in rows}

    assert documented == {code: kind.status for code, kind in PROBLEM_TYPES.items()}


def test_every_error_that_a_caller_may_cause_is_a_problem_type():
    assert {k.code for k in _error_tree() if issubclass(k, RequestError)} - {"too_many"} <= set(
        PROBLEM_TYPES
    )


def test_every_fixed_detail_of_a_problem_is_documented(document, sources):
    raised = {
        text
        for tree in sources()
        for text in _first_arguments(tree, {"MalformedRequest", "WrongMediaType", "KeyReused"})
    } | {detail for _, detail in errors._HTTP.values()}

    documented = {row[1].strip("`") for row in document("docs/errors.md").table("Details")}

    assert raised
    assert raised - documented == set()


def test_every_problem_that_the_api_is_described_with_is_documented(document):
    described = {problem for one in TABLE for problem in one.all_problems.items()}

    rows = document("docs/errors.md").table("Details")

    told = {(int(row[0]), row[1]) for row in rows}
    unknown = {
        (status, detail)
        for status, detail in described
        if not any(status == one and detail.split(": ")[0] in text for one, text in told)
    }
    assert unknown == set()


def test_every_log_event_is_documented_and_no_other(document, sources):
    logged = {text for tree in sources() for text in _log_events(tree)}
    logged |= {event for subject in EVENTS.values() for event in subject}

    documented = document("docs/operations.md").names("Logs")

    assert sorted(documented) == sorted(logged)


def _error_tree() -> Iterator[type[ServiceError]]:
    for module in pkgutil.walk_packages(service.__path__, "service."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    waiting: list[type[ServiceError]] = [ServiceError]
    while waiting:
        kind = waiting.pop()
        yield kind
        waiting += kind.__subclasses__()


def _literal_codes(tree: ast.Module) -> Iterator[str]:
    """Codes and reasons written where an error or a state is made."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("code", "reason"):
            yield from _text(node.value)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _assigned(target, node.value)
        elif isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else None
            if called == "Fail":
                yield from _text(node.args[0])
            elif called == "_error" and len(node.args) > 1:
                yield from _text(node.args[1])


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its_value in zip(target.elts, value.elts, strict=True):
            yield from _assigned(one, its_value)
    elif isinstance(target, ast.Name) and target.id in ("code", "reason"):
        yield from _text(value)


def _text(node: ast.expr) -> Iterator[str]:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    if is_text and re.fullmatch(r"[a-z_]+", node.value):  # a sentence is no code
        yield node.value


def _first_arguments(tree: ast.Module, names: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            first = node.args[0]
            if node.func.id in names and isinstance(first, ast.Constant):
                yield str(first.value)


def _log_events(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "_log"
        ):
            assert isinstance(node.args[0], ast.Constant), "log events are constants"
            yield node.args[0].value
