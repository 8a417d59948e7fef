"""Found by every Python that the offline row starts: writes down whoever looks for another machine."""

import os
import sys

_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0", "::ffff:127.", "::")


def _watch(event: str, arguments: tuple) -> None:
    if event in ("socket.connect", "socket.sendto"):
        place = arguments[1]
        host = place[0] if isinstance(place, tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode("latin-1")
    if not host or not isinstance(host, str) or host.startswith(_LOOPBACK):
        return
    with open(os.environ["TORTURE_WATCH"], "a", encoding="utf-8") as file:  # noqa: PTH123 - keep it light
        file.write(f"{event} {host} from {' '.join(sys.argv[:2])}\n")


if "TORTURE_WATCH" in os.environ:
    sys.addaudithook(_watch)
