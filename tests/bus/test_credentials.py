"""A wrong file in the settings is one sentence: no traceback, no question on the terminal, no hanging."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from warmxfer.bus import Bus, BusSettings, InvalidRequest
from warmxfer.bus.credentials import tls


@pytest.fixture
def other(tmp_path: Path) -> str:
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
async def test_a_file_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(
        InvalidRequest,
        match=f"^NATS_{name.upper()} is '/no/such', which does not exist; give the path of a file$",
    ):
        await Bus.connect(BusSettings(**{name: "/no/such"}), name="test")


async def test_an_authority_that_is_no_certificate_is_named(other: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"^NATS_CA is '.*shopping.txt', which is not a certificate; give the PEM"
    ):
        await Bus.connect(BusSettings(ca=other), name="test")


async def test_a_certificate_or_a_key_that_is_none_is_named(other: str, tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path)
    for settings in (BusSettings(cert=other, key=other), BusSettings(cert=cert, key=other)):
        with pytest.raises(
            InvalidRequest, match=r"^NATS_CERT is '.*', which is not a certificate with the key '.*'; "
        ):
            await Bus.connect(settings, name="test")


async def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, b"hunter2")
    with pytest.raises(
        InvalidRequest, match="give both as PEM, without a password, in NATS_CERT and NATS_KEY"
    ):
        await Bus.connect(BusSettings(cert=cert, key=key), name="test")


def test_what_serves_is_taken(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    assert tls(BusSettings(ca=cert, cert=cert, key=key)) is not None
    assert tls(BusSettings()) is None


@pytest.mark.timeout(30)
async def test_credentials_that_are_none_are_named_and_nats_does_not_read_on_for_ever(other: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"^NATS_CREDS is '.*', which is not a credentials file; give the .creds"
    ):
        await Bus.connect(BusSettings(creds=other), name="test")
