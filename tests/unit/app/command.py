from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import pytest

from station_app.cli import main

if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int | str | None
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out.count("\n") == 1
        return msgspec.json.decode(self.out)


class Terminal:
    """Types commands, with nothing of the tester's own settings."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Ended:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(words)
        shown = self._capsys.readouterr()
        return Ended(ended.value.code, shown.out, shown.err)
