"""The cloud's own RSA key: signs every webhook, and shows its public half."""

import base64
from functools import cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

KEY_BITS = 2048


def sign(body: bytes) -> str:
    """RSA-SHA256 (PKCS #1 v1.5) over the raw body, in base64: the header `videosdk-signature`."""
    return base64.b64encode(_key().sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()


def public_key_pem() -> str:
    """The public half, PEM."""
    return (
        _key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@cache
def _key() -> rsa.RSAPrivateKey:
    """One key per process, made when first needed."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
