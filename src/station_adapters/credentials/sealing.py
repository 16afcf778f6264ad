from __future__ import annotations

import base64
import binascii
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION: Final = "v1:"
NONCE: Final = 12  # bytes, NIST SP 800-38D §8.2
KEY: Final = 32  # bytes: AES-256


class AesGcmSealer:
    """
    Seals what the station has to present again (docs/protocols.md §6): AES-256-GCM, the key derived by HKDF-SHA-256.

    *secret* has at least 256 random bits and lies in the data folder, never in the database.
    """

    def __init__(self, secret: str) -> None:
        derived = HKDF(algorithm=SHA256(), length=KEY, salt=None, info=b"station sealing v1").derive(secret.encode())
        self._cipher = AESGCM(derived)

    def seal(self, clear: bytes, about: str) -> str:
        """The sealed form, text; only for the same *about* it opens again."""
        nonce = os.urandom(NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, clear, about.encode())
        return VERSION + base64.b64encode(sealed).decode()

    def unseal(self, sealed: str, about: str) -> bytes | None:
        """What was sealed; None for what this secret didn't seal for *about*, or that was changed."""
        if not sealed.startswith(VERSION):
            return None
        try:
            content = base64.b64decode(sealed.removeprefix(VERSION), validate=True)
            return self._cipher.decrypt(content[:NONCE], content[NONCE:], about.encode())
        except (binascii.Error, InvalidTag, ValueError):
            return None
