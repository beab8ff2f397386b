"""RSA key pair of the sandbox: signs webhooks, and publishes the public key."""

import base64
from functools import cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

KEY_BITS = 2048


def sign(body: bytes) -> str:
    """Return the header `videosdk-signature`: RSA-SHA256 (PKCS #1 v1.5) of the raw body, in base64."""
    return base64.b64encode(_key().sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()


def public_key_pem() -> str:
    """Return the public key in PEM format."""
    return (
        _key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@cache
def _key() -> rsa.RSAPrivateKey:
    """Return the key of this process, generated on first use."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
