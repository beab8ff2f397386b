"""Renders an overlay of ops/k8s with `kubectl kustomize`, offline, and checks each object with its schema.

    uv run --group dev --group manifests python -m tests.ops.kubernetes.rendering

renders and checks both overlays. The group `manifests` has kubectl and the schemas of Kubernetes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from tests.docs.pages import ROOT

from .keda_schema import GROUP, scaled_object_faults

OVERLAYS = ("demo", "production")
KUBERNETES = ("1.32", "1.37")
"""The oldest and the newest version that the manifests are checked for."""
INSTALL = "run: uv sync --group dev --group manifests"
RENDER_S = 60

Manifest = dict[str, Any]


def kubectl() -> str | None:
    """Return the path of kubectl: that of this environment, else any."""
    own = Path(sys.executable).with_name("kubectl")
    return str(own) if own.exists() else shutil.which("kubectl")


def copied(folder: Path) -> Path:
    """Copy the manifests to `folder`, with new secrets for the demo overlay. Returns the overlays' folder."""
    for name in ("k8s", "prometheus", "grafana"):
        shutil.copytree(ROOT / "ops" / name, folder / name, ignore=shutil.ignore_patterns("secrets"))
    secrets = folder / "k8s" / "overlays" / "demo" / "secrets"
    command = [sys.executable, "-m", "warmxfer.cli", "permissions", "--write", str(secrets)]
    subprocess.run(command, check=True, capture_output=True, timeout=RENDER_S)
    return folder / "k8s" / "overlays"


def rendered(overlay: Path, program: str) -> list[Manifest]:
    """Return the objects of an overlay. Raises ValueError with kustomize's own message."""
    done = subprocess.run(
        [program, "kustomize", str(overlay)], capture_output=True, text=True, timeout=RENDER_S, check=False
    )
    if done.returncode != 0:
        raise ValueError(done.stderr.strip())
    return list(yaml.safe_load_all(done.stdout))


def faults(manifest: Manifest, version: str) -> list[str]:
    """Return what is wrong with one object: an unknown kind or field, a missing field, a wrong type.

    Needs the package kubernetes-validate.
    """
    import kubernetes_validate

    name = f"{manifest.get('kind')}/{manifest.get('metadata', {}).get('name')}"
    if str(manifest.get("apiVersion")).startswith(f"{GROUP}/"):
        return [f"{name}: {each}" for each in scaled_object_faults(manifest)]
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return [f"{name}: no schema for {manifest.get('apiVersion')}; add it"]
    except kubernetes_validate.ValidationError as error:
        return [f"{name}: {'.'.join(map(str, error.path))}: {error.message}"]
    return []


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name of each object that has a pod template, with the template."""
    for each in manifests:
        if each["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield each["metadata"]["name"], each["spec"]["template"]


def main() -> int:
    """Check both overlays. Returns 1 if there is a fault, 2 if a program is missing."""
    program = kubectl()
    if program is None or find_spec("kubernetes_validate") is None:
        print(f"kubectl or kubernetes-validate is missing; {INSTALL}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        overlays = copied(Path(folder))
        found: list[str] = []
        for name in OVERLAYS:
            manifests = rendered(overlays / name, program)
            found += [
                fault for each in manifests for version in KUBERNETES for fault in faults(each, version)
            ]
            print(f"{name}: {len(manifests)} objects, checked for Kubernetes {' and '.join(KUBERNETES)}")
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
