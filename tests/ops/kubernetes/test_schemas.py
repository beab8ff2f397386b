"""Each object is valid for Kubernetes or KEDA, and a misspelt field is found."""

from __future__ import annotations

import copy
from importlib.util import find_spec
from typing import Any

import pytest
import yaml

from .autoscaling import FOLDER
from .keda_schema import scaled_object_faults
from .rendering import INSTALL, KUBERNETES, Manifest, faults

needs_schemas = pytest.mark.skipif(
    find_spec("kubernetes_validate") is None, reason=f"kubernetes-validate is not installed; {INSTALL}"
)
SCALED: list[dict[str, Any]] = [
    each
    for path in ("coordinator.yaml", "workers.yaml")
    for each in yaml.safe_load_all((FOLDER / path).open())
]


@needs_schemas
@pytest.mark.parametrize("version", KUBERNETES)
def test_each_object_is_valid(manifests: list[Manifest], version: str) -> None:
    assert [fault for each in manifests for fault in faults(each, version)] == []


@needs_schemas
@pytest.mark.parametrize(
    ("kind", "path", "name", "misspelt"),
    [
        ("Deployment", ("spec", "template", "spec", "containers", 0), "readinessProbe", "readynessProbe"),
        ("Deployment", ("spec", "template", "spec", "securityContext"), "runAsNonRoot", "runAsNonroot"),
        ("StatefulSet", ("spec",), "serviceName", "servicename"),
        ("NetworkPolicy", ("spec",), "podSelector", "podSelectors"),
        ("PodDisruptionBudget", ("spec",), "maxUnavailable", "maxUnavailible"),
        ("Job", ("spec",), "backoffLimit", "backofLimit"),
        ("ScaledObject", ("spec",), "maxReplicaCount", "maxReplicasCount"),
    ],
)
def test_a_misspelt_field_is_found(
    production: list[Manifest], kind: str, path: tuple[str | int, ...], name: str, misspelt: str
) -> None:
    wrong = copy.deepcopy(next(each for each in production if each["kind"] == kind))
    place: Any = wrong
    for step in path:
        place = place[step]
    place[misspelt] = place.pop(name)
    assert any(misspelt in fault for fault in faults(wrong, KUBERNETES[-1]))


@needs_schemas
def test_an_unknown_kind_is_a_fault() -> None:
    unknown: Manifest = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one"}}
    assert faults(unknown, KUBERNETES[-1]) == ["Thing/one: no schema for example.com/v1; add it"]
    unknown["apiVersion"] = "keda.sh/v1alpha1"
    assert faults(unknown, KUBERNETES[-1]) == ["Thing/one: no schema for keda.sh/v1alpha1 Thing; add it"]


def test_the_objects_of_keda_are_valid() -> None:
    assert [each["metadata"]["name"] for each in SCALED] == [
        "coordinator",
        "gateway",
        "summarizer",
        "briefing",
    ]
    assert [fault for each in SCALED for fault in scaled_object_faults(each)] == []


@pytest.mark.parametrize(
    ("path", "name", "value", "sentence"),
    [
        (("spec",), "minReplicaCounts", 1, "'minReplicaCounts' was unexpected"),
        (("spec", "fallback"), "failureTreshold", 1, "'failureTreshold' was unexpected"),
        (("spec", "triggers", 0), "metdata", {}, "'metdata' was unexpected"),
        (("spec", "triggers", 0, "metadata"), "lagTreshold", "1", "metadata.lagTreshold is not a setting"),
        (("spec", "triggers", 0, "metadata"), "lagThreshold", 20, "20 is not of type 'string'"),
        (
            ("spec", "triggers", 0),
            "type",
            "nats-jetsteam",
            "no list of settings for the type 'nats-jetsteam'",
        ),
        (("spec",), "maxReplicaCount", "16", "'16' is not of type 'integer'"),
    ],
)
def test_a_wrong_field_of_keda_is_found(
    path: tuple[str | int, ...], name: str, value: object, sentence: str
) -> None:
    wrong = copy.deepcopy(SCALED[0])
    place: Any = wrong
    for step in path:
        place = place[step]
    place[name] = value
    (found,) = scaled_object_faults(wrong)
    assert sentence in found


@pytest.mark.parametrize("name", ["stream", "consumer", "natsServerMonitoringEndpoint", "account"])
def test_a_missing_setting_of_a_trigger_is_found(name: str) -> None:
    wrong = copy.deepcopy(SCALED[0])
    del wrong["spec"]["triggers"][0]["metadata"][name]
    (found,) = scaled_object_faults(wrong)
    assert name in found
