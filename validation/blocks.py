"""What a section of the pack is made of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TableBlock:
    """A table; the first column names its rows."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Plot:
    """A figure as SVG."""

    caption: str
    svg: str


@dataclass(frozen=True)
class Facts:
    """A list of sentences."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One section: its text first, then its evidence."""

    name: str
    title: str
    text: str
    blocks: tuple[TableBlock | Plot | Facts, ...]
    clauses: tuple[str, ...] = field(default=())
