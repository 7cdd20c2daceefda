"""Problems, error codes and log events are documented: all of them, and no others."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator

import service
from service.api.middlewares import errors
from service.api.openapi.operations import TABLE
from service.domain.errors import ServiceError
from service.domain.outages import EVENTS


def test_every_error_code_is_documented_and_no_other(document, sources):
    codes = {kind.code for kind in _error_tree()}
    for tree in sources():
        codes |= set(_literal_codes(tree))

    documented = document("docs/errors.md").names("Codes")

    assert sorted(documented) == sorted(codes)


def test_every_problem_status_is_documented_and_no_other(document):
    answered = {*errors._STATUS_OF.values(), *errors._HTTP_DETAILS, 500}

    documented = {int(row[0]) for row in document("docs/errors.md").table("Problems")}

    assert documented == answered


def test_every_fixed_detail_of_a_problem_is_documented(document, sources):
    raised = {
        text
        for tree in sources()
        for text in _first_arguments(tree, {"MalformedRequest", "WrongMediaType", "KeyReused"})
    } | set(errors._HTTP_DETAILS.values())

    documented = {row[1].strip("`") for row in document("docs/errors.md").table("Problems")}

    assert raised
    assert raised - documented == set()


def test_every_problem_that_the_api_is_described_with_is_documented(document):
    described = {problem for one in TABLE for problem in one.all_problems.items()}

    rows = document("docs/errors.md").table("Problems")

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
