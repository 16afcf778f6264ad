"""The frames in `wire/`, written from docs/protocols.md and not from the code, one case a file."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from station_core.devices.model import Device, Status

WIRE: Final = Path(__file__).parent / "wire"


def cases(folder: str, *, with_key: str = "") -> pytest.MarkDecorator:
    """A parameter *case*: each file of the folder in turn, or each that has the key."""
    read = {path.stem: json.loads(path.read_text()) for path in sorted((WIRE / folder).glob("*.json"))}
    chosen = [pytest.param(case, id=name) for name, case in read.items() if not with_key or with_key in case]
    assert chosen, folder
    return pytest.mark.parametrize("case", chosen)


def fields(written: dict[str, Any]) -> dict[str, Any]:
    """A case's fields in the core's types."""
    return {name: _typed(name, value) for name, value in written.items()}


def device(written: dict[str, Any]) -> Device:
    """A case's device."""
    return Device(**fields(written))


def _typed(name: str, value: Any) -> Any:
    if name == "timestamp" or (name.endswith("_at") and value is not None):
        return datetime.fromisoformat(value)
    if name == "status":
        return Status(value)
    return device(value) if name == "device" else value
