"""A wrong file in the settings is one sentence: no traceback, no question on the terminal, no hanging."""

from __future__ import annotations

import datetime
import importlib.util
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from warmxfer.bus import Bus, BusSettings, InvalidRequest
from warmxfer.bus.credentials import check_files, tls


@pytest.fixture
def other_file(tmp_path: Path) -> str:
    """A file that exists and is not a certificate or credentials file."""
    path = tmp_path / "shopping.txt"
    path.write_text("bread, milk")
    return str(path)


def certificate(directory: Path, password: bytes | None = None) -> tuple[str, str]:
    """Write a certificate and its key. Return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    cert_path, key_path = directory / "cert.pem", directory / "key.pem"
    cert_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
    )
    return str(cert_path), str(key_path)


@pytest.mark.parametrize("name", ["creds", "ca", "cert", "key"])
async def test_a_missing_file_is_named(name: str) -> None:
    with pytest.raises(
        InvalidRequest,
        match=f"^NATS_{name.upper()} is '/no/such', which does not exist; give the path of a file$",
    ):
        await Bus.connect(BusSettings(**{name: "/no/such"}), name="test")


@pytest.mark.parametrize("name", ["creds", "nkey"])
def test_a_missing_package_is_named_with_the_variable_that_needs_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "user"
    path.write_text("a file of NATS\n")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InvalidRequest, match=f"^NATS_{name.upper()} needs the package nkeys"):
        check_files(BusSettings(**{name: str(path)}))


async def test_an_authority_file_without_a_certificate_is_named(other_file: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"^NATS_CA is '.*shopping.txt', which is not a certificate; give the PEM"
    ):
        await Bus.connect(BusSettings(ca=other_file), name="test")


async def test_a_file_without_a_certificate_or_key_is_named(other_file: str, tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path)
    for settings in (BusSettings(cert=other_file, key=other_file), BusSettings(cert=cert, key=other_file)):
        with pytest.raises(
            InvalidRequest, match=r"^NATS_CERT is '.*', which is not a certificate with the key '.*'; "
        ):
            await Bus.connect(settings, name="test")


async def test_a_key_with_a_password_is_rejected_without_a_prompt(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, b"hunter2")
    with pytest.raises(
        InvalidRequest, match="give both as PEM, without a password, in NATS_CERT and NATS_KEY"
    ):
        await Bus.connect(BusSettings(cert=cert, key=key), name="test")


def test_a_valid_certificate_and_key_are_accepted(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    assert tls(BusSettings(ca=cert, cert=cert, key=key)) is not None
    assert tls(BusSettings()) is None


@pytest.mark.timeout(30)
async def test_a_file_without_credentials_is_named_and_does_not_hang(other_file: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"^NATS_CREDS is '.*', which is not a credentials file; give the .creds"
    ):
        await Bus.connect(BusSettings(creds=other_file), name="test")
