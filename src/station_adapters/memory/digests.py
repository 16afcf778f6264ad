from __future__ import annotations

import hashlib


def cloud_digest(password: str) -> str:
    """What a cloud would tell of a station password: in bcrypt's shape, quick, and known by `MemoryPasswords` alone."""
    seen = password.encode(errors="surrogatepass")[:72]  # bytes that bcrypt looks at
    return f"$2b$04${hashlib.sha256(seen).hexdigest()[:53]}"
