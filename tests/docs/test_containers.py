"""The image and the compose file fit the service, as far as that shows without an engine."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from service.cli.main import cli
from service.config.settings import Settings, SettingsSchema

_ITEM = re.compile(r'(?P<key>[\w-]+):(?: (?P<value>\S.*))?|- (?P<entry>"[^"]*"|\S+)')
_FLOW = re.compile(r'"([^"]*)"(?:, )?')
_NAMES_OF_POSTGRES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
STOPPING_SECONDS = 15  # connections, requests in flight, PostgreSQL; see docs/operations.md


@pytest.fixture
def compose(root) -> dict[str, Any]:
    """The compose file as a tree."""
    return read_yaml((root / "docker-compose.yml").read_text())


@pytest.fixture
def dockerfile(root) -> list[list[str]]:
    """Instructions of the Dockerfile, continuation lines joined, split at blanks."""
    text = (root / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def read_yaml(text: str) -> dict[str, Any]:
    """The small part of YAML that the file keeps to; anything else raises ValueError.

    Mappings by two blanks of indentation, lists of scalars, flow lists of quoted
    strings, scalars with or without quotes. No library of ours reads YAML.
    """
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#"]
    tree, rest = _block(lines, 0)
    if rest or not isinstance(tree, dict):
        raise ValueError(f"not understood: {rest[:1]}")
    return tree


def _block(lines: list[str], depth: int) -> tuple[Any, list[str]]:
    mapping: dict[str, Any] = {}
    entries: list[str] = []
    while lines and len(lines[0]) - len(lines[0].lstrip(" ")) == depth:
        match = _ITEM.fullmatch(lines[0].strip())
        if match is None or match["key"] in mapping:
            raise ValueError(f"not understood: {lines[0]!r}")
        lines = lines[1:]
        if match["entry"]:
            entries.append(match["entry"].strip('"'))
        elif match["value"]:
            mapping[match["key"]] = _scalar(match["value"])
        elif lines and lines[0].startswith(" " * (depth + 1)):
            mapping[match["key"]], lines = _block(lines, depth + 2)
        else:
            mapping[match["key"]] = None
    if bool(mapping) == bool(entries):
        raise ValueError(f"neither mapping nor list at depth {depth}: {lines[:1]}")
    return mapping or entries, lines


def _scalar(value: str) -> Any:
    if value.startswith("["):
        inside = value[1:-1]
        if not value.endswith("]") or _FLOW.sub("", inside):
            raise ValueError(f"not understood: {value}")
        return _FLOW.findall(inside)
    if value[0] in "|>&*!{'" or (value[0] == '"') != (value[-1] == '"') or ": " in value.strip('"'):
        raise ValueError(f"not understood: {value}")
    return value.strip('"')


def _variables(value: str) -> Iterator[tuple[str, str]]:
    """Variables that a value takes from the shell, each with what follows its name."""
    yield from re.findall(r"\$\{(\w+)([^}]*)\}", value)


def _expanded(value: str, shell: dict[str, str]) -> str:
    """The value as compose hands it on when `shell` is the environment."""
    for taken, more in _variables(value):
        default = more[2:] if more.startswith(":-") else ""
        value = value.replace(f"${{{taken}{more}}}", shell.get(taken, default))
    return value


@pytest.mark.parametrize("text", ["a: |\n  b", "a: &x b", "a:\n   b: c", "a: b\na: c", "- a\nb: c"])
def test_yaml_that_the_reader_does_not_know_is_refused(text):
    with pytest.raises(ValueError, match=r"not understood|neither"):
        read_yaml(text)


def test_the_services_are_those_that_are_documented(compose):
    assert list(compose["services"]) == ["postgres", "migrate", "api", "worker", "stand-in"]
    assert {n for n, s in compose["services"].items() if "profiles" in s} == {"stand-in"}


def test_every_image_has_a_tag_that_is_not_latest(compose, dockerfile):
    images = [service["image"] for service in compose["services"].values()]
    images += [line[1] for line in dockerfile if line[0] == "FROM"]

    assert all(re.fullmatch(r"[\w./-]+:[\w.-]+", image) for image in images)
    assert not [image for image in images if image.endswith(":latest")]


def test_the_image_is_tagged_with_the_version_of_the_service(compose):
    from service import __version__

    images = {s["image"] for n, s in compose["services"].items() if n != "postgres"}

    assert images == {f"arxiv-ingestion:{__version__}"}


def test_every_variable_given_to_a_container_is_a_setting(compose, dockerfile):
    services = compose["services"]
    given = {name for s in services.values() for name in s.get("environment", {})}
    joined = " ".join(word for line in dockerfile if line[0] == "ENV" for word in line[1:])
    in_image = {
        name for name in re.findall(r"(\w+)=", joined) if not name.startswith("P") or name == "PORT"
    }

    assert given - _NAMES_OF_POSTGRES <= set(SettingsSchema().fields)
    assert in_image == {"HOST", "PORT", "DATA_DIR"}


def test_the_environment_of_each_service_is_one_that_the_service_starts_with(compose):
    shell = {"JWT_SECRET": "s" * 48, "POSTGRES_PASSWORD": "p4ssw0rd"}
    for name in ("migrate", "api", "worker"):
        environment = compose["services"][name]["environment"]
        environ = {variable: _expanded(value, shell) for variable, value in environment.items()}

        settings = Settings.from_environ(environ)

        assert settings.database_url == "postgresql://ingestion:p4ssw0rd@postgres:5432/ingestion"


def test_secrets_have_no_default(compose):
    for service in compose["services"].values():
        for value in service.get("environment", {}).values():
            for variable, more in _variables(value):
                if "SECRET" in variable or "PASSWORD" in variable:
                    assert more.startswith(":?"), variable
    assert "JWT_SECRET" in compose["services"]["api"]["environment"]


def test_every_command_is_one_of_ours(compose, dockerfile):
    used = [s["command"] for s in compose["services"].values() if "command" in s]
    (default,) = [line[1:] for line in dockerfile if line[0] == "CMD"]
    used.append([word.strip('[]",') for word in default])

    for command in used:
        assert CliRunner().invoke(cli, [*command, "--help"]).exit_code == 0, command


def test_containers_are_given_the_time_that_a_drain_takes(compose):
    for name in ("api", "worker"):
        service = compose["services"][name]
        drain = float(
            service["environment"].get("DRAIN_SECONDS", Settings.from_environ({}).drain_seconds)
        )
        assert int(service["stop_grace_period"].removesuffix("s")) > drain + STOPPING_SECONDS


def test_what_listens_on_nothing_has_no_health_check(compose):
    switched_off = {
        name
        for name, service in compose["services"].items()
        if service.get("healthcheck", {}).get("disable") == "true"
    }

    assert switched_off == {"migrate", "worker", "stand-in"}


def test_everything_waits_for_what_it_needs(compose):
    services = compose["services"]

    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["migrate"]["restart"] == "no"
    for name in ("api", "worker"):
        needed = services[name]["depends_on"]
        assert needed == {"migrate": {"condition": "service_completed_successfully"}}
        assert services[name]["restart"] == "unless-stopped"


def test_what_the_image_copies_exists_and_is_not_ignored(dockerfile, root):
    copied = [
        path
        for line in dockerfile
        if line[0] == "COPY" and "--from" not in line[1]
        for path in line[1:-1]
    ]
    ignored = (root / ".dockerignore").read_text().split("\n")
    kept = {line[1:] for line in ignored if line.startswith("!")}

    assert copied
    assert [path for path in copied if not (root / path).exists()] == []
    assert {path.rstrip("/") for path in copied} == kept


def test_the_image_holds_what_the_service_looks_for_at_run_time(dockerfile, root):
    from service.db.migrate import SCRIPTS

    copied = {(root / line[1]).resolve() for line in dockerfile if line[0] == "COPY"}

    assert SCRIPTS in copied
    assert Path(str(root / "service")) in copied


def test_the_image_runs_as_a_user_without_rights_and_takes_signals_itself(dockerfile):
    instructions = {line[0]: line[1:] for line in dockerfile}

    assert instructions["USER"] not in (["root"], ["0"])
    assert instructions["STOPSIGNAL"] == ["SIGTERM"]
    assert instructions["ENTRYPOINT"][0].startswith("[")
    assert instructions["CMD"][0].startswith("[")


def test_the_image_installs_only_what_is_pinned(dockerfile):
    """Anything but making the environment goes through the installer of locks (tests/install)."""
    runs = [" ".join(line[1:]) for line in dockerfile if line[0] == "RUN" and "python" in str(line)]

    assert runs == [
        "python -m venv /venv",
        "/venv/bin/python install_locked.py requirements.lock",
    ]
