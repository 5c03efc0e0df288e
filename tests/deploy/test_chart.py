"""The Helm chart, rendered by Helm: each role gets its pods, and what cannot run is refused before it is installed."""

from __future__ import annotations

from typing import Any

import pytest

from tools.helm import HelmError
from tools.lint_deploy import SPLIT, VALUES, chart_faults, manifests
from turret_api.command.roles import Role

Manifest = dict[str, Any]


def of_kind(found: list[Manifest], kind: str) -> dict[str, Manifest]:
    """Return the objects of a kind, by name."""
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


def containers(found: list[Manifest]) -> dict[str, Manifest]:
    """Return the one container of each stateful set, by the set's name."""
    return {
        name: each["spec"]["template"]["spec"]["containers"][0] for name, each in of_kind(found, "StatefulSet").items()
    }


@pytest.mark.slow
def test_helm_and_the_schemas_of_kubernetes_have_nothing_against_it() -> None:
    assert list(chart_faults()) == []


def test_by_default_one_pod_does_everything_on_a_volume_of_its_own() -> None:
    found = manifests({})
    (container,) = containers(found).values()
    assert container["args"] == ["up", "--role=all", "--host=0.0.0.0"]
    assert "envFrom" not in container
    (of,) = of_kind(found, "StatefulSet").values()
    assert of["spec"]["replicas"] == 1 and of["spec"]["volumeClaimTemplates"]
    assert not of_kind(found, "PodDisruptionBudget"), "one pod with a budget could never be moved"


def test_in_mode_split_each_role_has_pods_of_its_own_with_one_database_and_one_lake() -> None:
    found = manifests(SPLIT)
    of_roles = containers(found)
    assert set(of_roles) == {f"turret-{role}" for role in Role if role is not Role.ALL}
    for name, container in of_roles.items():
        assert container["args"][1] == f"--role={name.removeprefix('turret-')}"
        assert {"name": "TURRET_LAKE", "value": "s3://bucket/lake"} in container["env"]
        assert container["envFrom"] == [{"secretRef": {"name": "turret"}}]
    assert of_kind(found, "Secret")["turret"]["stringData"] == {"TURRET_DATABASE_URL": "postgresql://turret@db/turret"}
    assert set(of_kind(found, "PodDisruptionBudget")) == set(of_roles)


def test_a_secret_of_ones_own_goes_before_an_address_in_the_values() -> None:
    found = manifests({**SPLIT, "existingSecret": "mine"})
    assert not of_kind(found, "Secret")
    assert all(each["envFrom"] == [{"secretRef": {"name": "mine"}}] for each in containers(found).values())


@pytest.mark.parametrize("name", VALUES)
def test_no_pod_is_root_or_writes_outside_of_its_volumes(name: str) -> None:
    for of in of_kind(manifests(VALUES[name]), "StatefulSet").values():
        pod = of["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["livenessProbe"] and container["startupProbe"]


@pytest.mark.parametrize("name", VALUES)
def test_services_and_budgets_find_the_pods_that_are_made_for_them(name: str) -> None:
    found = manifests(VALUES[name])
    pods = [of["spec"]["template"]["metadata"]["labels"] for of in of_kind(found, "StatefulSet").values()]
    selectors = [each["spec"]["selector"] for each in of_kind(found, "Service").values()]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in of_kind(found, "PodDisruptionBudget").values()]
    for selector in selectors:
        assert sum(selector.items() <= labels.items() for labels in pods) == 1


def test_the_ingress_brings_events_to_the_collectors_and_all_else_to_the_api() -> None:
    found = manifests(VALUES["everything"])
    (ingress,) = of_kind(found, "Ingress").values()
    paths = {each["path"]: each["backend"]["service"]["name"] for each in ingress["spec"]["rules"][0]["http"]["paths"]}
    assert paths == {
        "/track": "turret-collector",
        "/v1/traces": "turret-collector",
        "/v1/logs": "turret-collector",
        "/": "turret-api",
    }
    assert set(paths.values()) <= set(of_kind(found, "Service"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mode": "split"}, "database.url"),
        ({"mode": "split", "database": SPLIT["database"]}, "lake.url"),
        ({"mode": "both"}, "mode"),
        ({"roles": {"all": {"replicas": 2}}}, "replicas"),
        ({"settings": {"PORT": "1"}}, "PORT"),
        ({"lake": {"url": "gs://bucket"}}, "url"),
    ],
)
def test_what_cannot_run_is_refused_with_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(HelmError, match=words):
        manifests(values)
