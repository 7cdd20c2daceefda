"""The image and the compose file fit the service, as far as that shows without an engine."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import check_jsonschema
import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from service.cli.main import cli
from service.config.settings import SECRETS, VARIABLES, Settings

OURS = ("migrate", "api", "worker", "stand-in")
AWS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"}
STAYS_INSIDE = {  # what the image decides, and keys that a file of one's own overrides
    *("HOST", "PORT", "DATA_DIR", "DATABASE_URL", "JWT_SECRET"),
    *("JWT_OTHER_SECRETS", "JWT_PUBLIC_KEY", "JWT_JWKS_URL"),
}
SECRET_TEXTS = {
    "database_url": "postgresql://ingestion:p4ssw0rd@postgres:5432/ingestion",
    "jwt_secret": "s" * 48,
}
STOPPING_SECONDS = 15  # connections, requests in flight, PostgreSQL; see docs/operations.md


@pytest.fixture
def compose(root) -> dict[str, Any]:
    """The compose file as a tree."""
    text = (root / "docker-compose.yml").read_text()
    tree: dict[str, Any] = yaml.safe_load(text)
    return tree


@pytest.fixture
def dockerfile(root) -> list[list[str]]:
    """Instructions of the Dockerfile, continuation lines joined, split at blanks."""
    text = (root / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def test_the_services_are_those_that_are_documented(compose):
    always = [n for n, s in compose["services"].items() if "profiles" not in s]
    profiles = {p for s in compose["services"].values() for p in s.get("profiles", ())}

    assert always == ["postgres", "migrate", "api", "worker"]
    assert profiles == {"stand-in", "s3", "monitoring"}


def test_the_compose_file_is_one_by_the_schema_of_the_compose_specification(compose):
    vendored = Path(check_jsonschema.__file__).parent / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(vendored.read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    broken = {**compose, "services": {"api": {**compose["services"]["api"], "read_onl": True}}}

    assert [error.message for error in validator.iter_errors(compose)] == []
    assert list(validator.iter_errors(broken))


def test_the_linter_finds_nothing_in_the_dockerfile(root):
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [linter, "--no-color", root / "Dockerfile"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_every_image_has_a_tag_that_is_not_latest(compose, dockerfile):
    images = [service["image"] for service in compose["services"].values()]
    images += [line[1] for line in dockerfile if line[0] == "FROM"]

    assert all(re.fullmatch(r"[\w./-]+:[\w.-]+", image) for image in images)
    assert not [image for image in images if image.endswith(":latest")]


def test_the_image_is_tagged_with_the_version_of_the_service(compose):
    from service import __version__

    images = {
        n: s["image"]
        for n, s in compose["services"].items()
        if s["image"].startswith("arxiv-ingestion")
    }

    assert images.pop("stand-in") == f"arxiv-ingestion-standalone:{__version__}"
    assert set(images.values()) == {f"arxiv-ingestion:{__version__}"}


def test_only_the_stand_in_has_what_the_demo_needs(compose, root):
    build = compose["services"]["stand-in"]["build"]

    assert build == {"context": ".", "args": {"LOCK": "requirements-standalone.lock"}}
    assert (root / build["args"]["LOCK"]).exists()
    assert compose["services"]["migrate"]["build"] == "."


def test_every_variable_given_to_a_container_is_a_setting(compose, dockerfile):
    services = compose["services"]
    given = {name for n in OURS for name in services[n].get("environment", {})}
    joined = " ".join(word for line in dockerfile if line[0] == "ENV" for word in line[1:])
    in_image = {
        name for name in re.findall(r"(\w+)=", joined) if not name.startswith("P") or name == "PORT"
    }

    known = {*VARIABLES, *(f"{name}_FILE" for name in SECRETS), *AWS}
    assert given <= known
    assert in_image == {"HOST", "PORT", "DATA_DIR"}


def test_every_setting_that_a_deployment_needs_is_handed_on(compose):
    """A new setting is named in the compose file, or among those that stay inside."""
    services = compose["services"]
    api, worker = (set(services[name]["environment"]) for name in ("api", "worker"))

    assert set(VARIABLES) - api - worker - STAYS_INSIDE == set()
    assert {name for name in worker if name.startswith(("ARXIV_", "AWS_", "S3_"))} <= api


def test_the_environment_of_each_service_is_one_that_the_service_starts_with(compose, tmp_path):
    for name, text in SECRET_TEXTS.items():
        (tmp_path / name).write_text(text + "\n")
    shell = {"LOG_LEVEL": "DEBUG", "STORAGE_URL": "s3://papers"}
    for name in ("migrate", "api", "worker"):
        given = compose["services"][name]["environment"]
        environ = {
            variable: shell.get(variable, "") if value is None else value
            for variable, value in given.items()
        }
        environ = {n: v.replace("/run/secrets", str(tmp_path)) for n, v in environ.items() if v}

        settings = Settings.from_environ(environ)

        assert settings.database_url == SECRET_TEXTS["database_url"]
        assert name != "api" or settings.jwt_secret == SECRET_TEXTS["jwt_secret"]
        assert name == "migrate" or settings.log_level == "DEBUG"


def test_secrets_come_as_files_that_each_service_is_given(compose):
    for name, service in compose["services"].items():
        environment = service.get("environment", {})
        files = {
            value.removeprefix("/run/secrets/")
            for value in environment.values()
            if value and value.startswith("/run/secrets/")
        }

        assert files == set(service.get("secrets", ())), name
        assert files <= set(compose["secrets"]), name
        assert not {"JWT_SECRET", "DATABASE_URL", "POSTGRES_PASSWORD"} & set(environment), name
    assert "jwt_secret" in compose["services"]["api"]["secrets"]
    assert "jwt_secret" not in compose["services"]["worker"]["secrets"]


def test_every_container_is_confined_and_bounded(compose):
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert any(one.startswith("/tmp:") for one in service["tmpfs"]), name
    assert [n for n, s in compose["services"].items() if "cap_add" in s] == ["postgres"]


def test_ports_are_published_to_this_machine_only(compose):
    published = [p for s in compose["services"].values() for p in s.get("ports", ())]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_what_is_mounted_from_the_checkout_exists(compose, root):
    mounted = [v for s in compose["services"].values() for v in s.get("volumes", ())]
    sources = [one.split(":")[0] for one in mounted]

    assert [s for s in sources if s.startswith("./") and not (root / s).exists()] == []
    assert {s for s in sources if not s.startswith("./")} == set(compose["volumes"])


def test_every_command_is_one_of_ours(compose, dockerfile):
    used = [compose["services"][n]["command"] for n in OURS]
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


def test_all_that_stays_up_has_a_health_check(compose):
    """The API's is the image's."""
    without = {
        name
        for name, service in compose["services"].items()
        if service.get("healthcheck", {"disable": True}).get("disable")
    }

    assert without == {"migrate", "s3-bucket", "api"}
    assert compose["services"]["worker"]["environment"]["WORKER_PORT"] == "8001"
    assert "'WORKER_PORT'" in compose["services"]["worker"]["healthcheck"]["test"][-1]


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
    from service.db.revision import SCRIPTS

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
        "/venv/bin/python install_locked.py $LOCK",
    ]
    assert ["ARG", "LOCK=requirements.lock"] in dockerfile
