"""Checks an object of KEDA with KEDA's own definitions, as strictly as a misspelt name needs.

KEDA's definition of the kind allows unknown fields, which Kubernetes drops in silence. It allows any setting
of a trigger. So unknown fields are refused here, and settings are compared with KEDA's list.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from tests.docs.pages import ROOT

FOLDER = ROOT / "tests" / "vendor" / "keda"
GROUP = "keda.sh"
TRIGGER = "nats-jetstream"


def scaled_object_faults(manifest: dict[str, Any]) -> list[str]:
    """Return what is wrong with a ScaledObject whose triggers are all `nats-jetstream`."""
    if (manifest.get("apiVersion"), manifest.get("kind")) != (f"{GROUP}/v1alpha1", "ScaledObject"):
        return [f"no schema for {manifest.get('apiVersion')} {manifest.get('kind')}; add it"]
    found = [f"{'.'.join(map(str, each.path))}: {each.message}" for each in _kind().iter_errors(manifest)]
    for at, trigger in enumerate(manifest.get("spec", {}).get("triggers", [])):
        found += [f"spec.triggers.{at}: {each}" for each in _trigger_faults(trigger)]
    return found


def _trigger_faults(trigger: dict[str, Any]) -> list[str]:
    if trigger.get("type") != TRIGGER:
        return [f"no list of settings for the type {trigger.get('type')!r}; add it"]
    given = trigger.get("metadata", {})
    known = {each["name"]: each for each in _settings()}
    required = {name for name, each in known.items() if not each.get("optional") and "default" not in each}
    return [
        *(f"metadata has no {name}" for name in sorted(required - given.keys())),
        *(f"metadata.{name} is not a setting of {TRIGGER}" for name in sorted(given.keys() - known.keys())),
        *([] if {"account", "accountID"} & given.keys() else ["metadata has neither account nor accountID"]),
    ]


@cache
def _kind() -> Draft202012Validator:
    definition = yaml.safe_load((FOLDER / "scaledobjects.yaml").read_text(encoding="utf-8"))
    (version,) = definition["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    return Draft202012Validator(_closed(schema))


@cache
def _settings() -> list[dict[str, Any]]:
    return json.loads((FOLDER / f"{TRIGGER}.json").read_text(encoding="utf-8"))["parameters"]


def _closed(schema: Any) -> Any:
    """Return the schema with each object that lists its fields closed to other fields."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(each) for name, each in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed
