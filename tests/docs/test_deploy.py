"""What `deploy/` holds fits the service: metrics, rules, dashboard, units, manifests."""

import configparser
import json
import re
import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from service import __version__
from service.cli.main import cli
from service.config.settings import SECRETS, VARIABLES, Settings

PREFIX = "arxiv_ingestion_"
STOPPING_SECONDS = 15
USER = 10_001  # of the image
AWS = {"AWS_REGION"}
MANIFESTS = ("settings.yaml", "migrate.yaml", "api.yaml", "worker.yaml")
UNITS = ("arxiv-ingestion-api.service", "arxiv-ingestion-worker@.service")
_NAME = re.compile(r"\b(?:arxiv_ingestion|process|python)_[a-z_]+")
_SUFFIX = re.compile(r"_(bucket|count|sum)$")


@pytest.fixture
def rules(root) -> list[dict[str, Any]]:
    tree = yaml.safe_load((root / "deploy/prometheus/rules.yml").read_text())
    return [rule for group in tree["groups"] for rule in group["rules"]]


@pytest.fixture
def dashboard(root) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "deploy/grafana/dashboard.json").read_text())
    return found


@pytest.fixture
def manifests(root) -> list[dict[str, Any]]:
    folder = root / "deploy/kubernetes"
    return [one for n in MANIFESTS for one in yaml.safe_load_all((folder / n).read_text())]


@pytest.fixture
def containers(manifests) -> dict[str, dict[str, Any]]:
    """Name → container, of all that runs one."""
    specs = [one["spec"]["template"]["spec"] for one in manifests if "template" in _spec(one)]
    return {c["name"]: c for spec in specs for c in spec["containers"]}


def _spec(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest.get("spec", {})
    return found


def metrics_of(document) -> set[str]:
    """Full names of the metrics that docs/operations.md has a row for."""
    text = document("docs/operations.md").path.read_text()
    section = text.split("\n## Metrics\n")[1].split("\n## ")[0]
    names = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    return {n if n.startswith(("process_", "python_")) else PREFIX + n for n in names}


def used(text: str) -> set[str]:
    return {_SUFFIX.sub("", name) for name in _NAME.findall(text)}


def test_every_metric_that_a_rule_asks_for_is_documented(rules, document):
    asked = used(" ".join(rule["expr"] for rule in rules))

    assert len(asked) > 8
    assert asked - metrics_of(document) == set()


def test_every_metric_that_the_dashboard_shows_is_documented(dashboard, document):
    shown = used(" ".join(t["expr"] for p in dashboard["panels"] for t in p.get("targets", ())))

    assert len(shown) > 15
    assert shown - metrics_of(document) == set()


def test_the_dashboard_shows_every_metric_of_ours(dashboard, document):
    shown = used(json.dumps(dashboard))

    assert {n for n in metrics_of(document) if n.startswith(PREFIX)} - shown == set()


def test_panels_do_not_overlap_and_have_an_id_each(dashboard):
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)


def test_every_alert_says_how_bad_it_is_and_what_to_think_of_it(rules):
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]
    assert len({rule["alert"] for rule in rules}) == len(rules)


@pytest.mark.parametrize(
    "words", [("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")]
)
def test_promtool_accepts_the_rules_and_they_fire_when_they_should(root, words):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: the package prometheus)")
    folder = root / "deploy/prometheus"

    done = subprocess.run(
        [promtool, *words], cwd=folder, check=False, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_manifests_are_valid_and_hold_what_is_wanted(manifests):
    for one in manifests:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)
    kinds = sorted((one["kind"], one["metadata"]["name"]) for one in manifests)

    assert kinds == [
        ("ConfigMap", "arxiv-ingestion"),
        ("Deployment", "arxiv-ingestion-api"),
        ("Deployment", "arxiv-ingestion-worker"),
        ("Job", "arxiv-ingestion-migrate"),
        ("PodDisruptionBudget", "arxiv-ingestion-api"),
        ("PodDisruptionBudget", "arxiv-ingestion-worker"),
        ("Service", "arxiv-ingestion"),
    ]


def test_a_manifest_with_a_field_that_does_not_exist_is_refused(manifests):
    (job,) = [one for one in manifests if one["kind"] == "Job"]
    job["spec"]["backofLimit"] = 1

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)


def test_kustomize_takes_all_manifests(root):
    listed = yaml.safe_load((root / "deploy/kubernetes/kustomization.yaml").read_text())

    assert listed["resources"] == list(MANIFESTS)
    present = {path.name for path in (root / "deploy/kubernetes").iterdir()}
    assert present == {"kustomization.yaml", *MANIFESTS}


def test_containers_start_commands_of_ours_with_settings_of_ours(containers, manifests):
    known = {*VARIABLES, *(f"{name}_FILE" for name in SECRETS), *AWS}
    (config,) = [one["data"] for one in manifests if one["kind"] == "ConfigMap"]
    assert set(config) <= known
    for container in containers.values():
        assert container["image"] == f"arxiv-ingestion:{__version__}"
        assert {one["name"] for one in container["env"]} <= known
        assert CliRunner().invoke(cli, [*container["args"], "--help"]).exit_code == 0


def test_containers_are_confined_and_bounded(manifests, containers):
    pods = [one["spec"]["template"]["spec"] for one in manifests if "template" in _spec(one)]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == USER
        assert pod["automountServiceAccountToken"] is False
    for container in containers.values():
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_selectors_choose_the_pods_and_budgets_leave_room(manifests):
    labels = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
        for one in manifests
        if one["kind"] == "Deployment"
    }
    for one in manifests:
        if one["kind"] in ("Deployment", "PodDisruptionBudget"):
            assert one["spec"]["selector"]["matchLabels"] == labels[one["metadata"]["name"]]
        if one["kind"] == "PodDisruptionBudget":
            assert one["spec"]["maxUnavailable"] == 1
        if one["kind"] == "Deployment":
            assert one["spec"]["replicas"] >= 2
        if one["kind"] == "Service":
            assert one["spec"]["selector"] == labels["arxiv-ingestion-api"]


def test_probes_ask_what_docs_operations_says(containers):
    api, worker = containers["api"], containers["worker"]

    assert api["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert api["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert api["readinessProbe"]["periodSeconds"] <= 2
    assert worker["livenessProbe"]["httpGet"]["path"] == "/healthz"
    given = {one["name"]: one["value"] for one in worker["env"]}
    assert given["WORKER_PORT"] == str(worker["ports"][0]["containerPort"])


def test_no_manifest_holds_a_secret(manifests, containers):
    assert [one for one in manifests if one["kind"] == "Secret"] == []
    for container in containers.values():
        named = {one["name"] for one in container["env"]}
        assert not named & set(SECRETS)
        assert "DATABASE_URL_FILE" in named


def test_a_drain_ends_before_the_supervisor_kills(manifests, root):
    (config,) = [one["data"] for one in manifests if one["kind"] == "ConfigMap"]
    needed = float(config["DRAIN_SECONDS"]) + STOPPING_SECONDS
    for one in manifests:
        if one["kind"] == "Deployment":
            assert one["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > needed
    default = Settings.from_environ({}).drain_seconds + STOPPING_SECONDS
    for name in UNITS:
        assert int(_unit(root, name)["Service"]["timeoutstopsec"][-1]) > default


@pytest.mark.parametrize("name", UNITS)
def test_units_start_commands_of_ours_with_settings_of_ours(root, name):
    service = _unit(root, name)["Service"]
    words = service["execstart"][-1].split()
    variables = {one.partition("=")[0] for one in service["environment"]}
    credentials = {one.partition(":")[0] for one in service["loadcredential"]}
    files = {one.partition("=%d/")[2] for one in service["environment"] if "=%d/" in one}

    assert words[1:3] == ["-m", "service"]
    assert CliRunner().invoke(cli, [*words[3:], "--help"]).exit_code == 0
    assert variables <= {*VARIABLES, *(f"{one}_FILE" for one in SECRETS)}
    assert credentials == files
    assert service["protectsystem"] == ["strict"]


@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_the_units(root, name, tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed (Debian: the package systemd)")
    text = (root / "deploy/systemd" / name).read_text()
    path = tmp_path / name
    path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))

    done = subprocess.run(
        [analyze, "verify", path], check=False, capture_output=True, text=True, timeout=60
    )

    told = [line for line in done.stderr.splitlines() if name.partition(".")[0][:15] in line]
    assert (done.returncode, told) == (0, [])


class _Repeated(dict[str, Any]):
    """systemd lets a key come several times: values are kept as lists."""

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, list) and key in self:
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def _unit(root, name: str) -> dict[str, dict[str, list[str]]]:
    parser = configparser.RawConfigParser(strict=False, dict_type=_Repeated, delimiters=("=",))
    parser.read_string((root / "deploy/systemd" / name).read_text())
    return {
        section: {key: value.split("\n") for key, value in parser.items(section)}
        for section in parser.sections()
    }
