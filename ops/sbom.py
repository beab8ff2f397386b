"""Write the list of what the image holds, in CycloneDX 1.6 (JSON).

    uv run --group dev python ops/sbom.py --out dist/warmxfer.cdx.json
    uv run --group dev python ops/sbom.py --lock requirements-videosdk.lock --image NAME@sha256:DIGEST

It names each package of the lock with its version, its address (purl) and the hashes that the image accepts.
It names the base image if `--image` gives its digest. The same lock and date give the same bytes.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.exception import CycloneDxException
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements.lock"
NAMESPACE = uuid.UUID("b3f0f4b2-6d0c-5f5e-9a53-2f6b7c0e4d11")
"""Makes the serial number from the content: an arbitrary constant."""
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)([^\n]*)((?:\n[ \t]+--hash=.*)*)", re.M)
_DIGEST = re.compile(r"(?P<name>[\w./:-]+)@sha256:(?P<digest>[0-9a-f]{64})")


def components(lock: str) -> list[Component]:
    """Return a component for each pinned package of a lock."""
    found = list[Component]()
    for name, version, _, hashes in _PINNED.findall(lock):
        known = canonicalize_name(name)
        purl = PackageURL("pypi", None, known, version)
        found.append(
            Component(
                type=ComponentType.LIBRARY,
                name=known,
                version=version,
                purl=purl,
                bom_ref=str(purl),
                hashes=[
                    HashType(alg=HashAlgorithm.SHA_256, content=each)
                    for each in re.findall(r"sha256:([0-9a-f]{64})", hashes)
                ],
            )
        )
    return found


def base_image(text: str) -> Component:
    """Return the component of an image. Raises SystemExit without a digest: a tag is no content."""
    match = _DIGEST.fullmatch(text)
    if match is None:
        raise SystemExit(f"--image is {text!r}; give name@sha256:digest, as the registry shows it")
    name, digest = match["name"], match["digest"]
    return Component(
        type=ComponentType.CONTAINER,
        name=name,
        version=f"sha256:{digest}",
        bom_ref=text,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )


def bill(lock: str, version: str, moment: datetime, images: list[Component]) -> str:
    """Return the list as text. The text is valid by the schema of CycloneDX."""
    product = Component(
        type=ComponentType.APPLICATION, name="warmxfer", version=version, bom_ref=f"warmxfer@{version}"
    )
    parts = [*components(lock), *images]
    bom = Bom(
        components=parts,
        metadata=BomMetaData(component=product, timestamp=moment),
        serial_number=uuid.uuid5(NAMESPACE, f"{version}\n{lock}\n{[str(each.bom_ref) for each in images]}"),
    )
    bom.register_dependency(product, parts)
    return f"{JsonV1Dot6(bom).output_as_string(indent=1)}\n"


def main() -> None:
    """Write the list, or print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lock", default=LOCK, help=f"the lock that the image was built with ({LOCK})")
    parser.add_argument(
        "--image", action="append", default=[], help="an image with its digest; may be repeated"
    )
    parser.add_argument("--date", help="the day of the release, such as 2026-12-01; without it, today")
    parser.add_argument("--out", type=Path, help="the file to write; without it, print")
    args = parser.parse_args()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    try:
        day = args.date or datetime.now(UTC).date().isoformat()
        moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
        lock = (ROOT / args.lock).read_text("utf-8")
    except (ValueError, OSError) as error:
        sys.exit(f"--date or --lock cannot be used ({error}); give a date such as 2026-12-01, and a lock")
    text = bill(lock, version, moment, [base_image(each) for each in args.image])
    try:
        invalid = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    except CycloneDxException as error:
        sys.exit(f"The list cannot be validated ({error}); run: uv sync --group dev")
    if invalid:
        sys.exit(f"The list is not valid CycloneDX: {invalid}")
    if args.out is None:
        print(text, end="")
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(text, encoding="utf-8")
    print(f"{args.out} written")


if __name__ == "__main__":
    main()
