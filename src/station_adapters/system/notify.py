"""Tells systemd how far the station is (sd_notify(3)); without systemd nobody is told, and that's fine."""

from __future__ import annotations

import logging
import os
import socket
from typing import Final

log = logging.getLogger("station.notify")

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"


def notify(state: str, address: str | None = None) -> None:
    """Send `READY` or `STOPPING` to the socket at *address* (by default NOTIFY_SOCKET); never blocks, never raises."""
    address = address or os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address  # an abstract socket, as systemd writes it
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        try:
            sock.sendto(state.encode(), name)
        except OSError as error:
            log.warning("systemd can't be told", extra={"state": state, "reason": str(error)})
