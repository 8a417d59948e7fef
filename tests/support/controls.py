"""What a browser would send of a form."""

from collections import Counter
from html.parser import HTMLParser


class Controls(HTMLParser):
    """What a browser would send of a form: the text of every named control."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.seen: Counter[str] = Counter()
        self.labelled: set[str] = set()
        self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "label":
            self.labelled.add(str(found["for"]))
        if name := found.get("name"):
            self.seen[name] += 1
            self.texts[name] = found.get("value") or ""
            self._select = name if tag == "select" else ""
        if tag == "option" and self._select and "selected" in found:
            self.texts[self._select] = found.get("value") or ""
