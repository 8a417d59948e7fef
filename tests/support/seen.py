"""What of a page as it stands can be seen and reached: measured by elements, not by the page's own width."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def _asked(page: Any, name: str) -> list[str]:
    return list(page.evaluate(f"{SCRIPT.rstrip()}.{name}()"))


def cut(page: Any) -> list[str]:
    """Return the texts and controls that leave the window, or a frame, and cannot be brought back."""
    return _asked(page, "cut")


def unmarked(page: Any) -> list[str]:
    """Return the controls that do not show that the keyboard is on them."""
    page.keyboard.press("Tab")
    return _asked(page, "unmarked")


def moving(page: Any) -> list[str]:
    """Return the elements that move by themselves or slide."""
    return _asked(page, "moving")


NAMED = (
    *(
        "h1",
        ".masthead .state",
        ".masthead nav",
        '[role="tab"][aria-selected="true"]',
        ".opening",
        ".opening .primary",
    ),
    *(".facts-panel", "#score-again", ".field.changed input", "[aria-invalid]", ".verdict", ".verdict h2"),
    *(
        ".verdict .mark",
        ".verdict .gauge",
        ".standing",
        ".recorded",
        ".verdict .buttons .main",
        ".change",
        ".reasons",
    ),
    *(".ledger", ".ledger .track b", ".ways", ".trouble", ".empty", ".filters", ".worklist .rows", ".chip"),
    *(
        ".record > .buttons",
        'form[data-act="#review"]',
        ".upload",
        ".tiles",
        ".plot",
        ".grid",
        ".grid .own",
        ".owner",
    ),
    *(".parity", ".page-footer"),
)
"""What a state of the page is known by."""
SHARE, HEIGHT, HIGHER = (
    4,
    24,
    0.3,
)  # of the width; pixels, and part of the height, that letters may make of it


def look(page: Any) -> dict[str, list[Any]]:
    """Return the place, the size and the style of each named element that is shown."""
    return dict(page.evaluate(f"{SCRIPT.rstrip()}.look({list(NAMED)})"))


def differences(before: dict[str, list[Any]], now: dict[str, list[Any]]) -> list[str]:
    """Return what looks otherwise than before: gone, new, moved, of another size, style or order."""
    found = [f"{name} is gone" for name in before.keys() - now.keys()]
    found += [f"{name} is new" for name in now.keys() - before.keys()]
    both = [name for name in before if name in now]
    for name in both:
        *_, height, style = before[name]
        if any(abs(a - b) > SHARE for a, b in zip(before[name][:2], now[name][:2], strict=True)):
            found.append(f"{name} was at {before[name][:2]} of 100, and is at {now[name][:2]}")
        if abs(height - now[name][3]) > HEIGHT + HIGHER * height:
            found.append(f"{name} was {height} pixels high, and is {now[name][3]}")
        if style != now[name][4]:
            found.append(f"{name} was {style}, and is {now[name][4]}")
    for name in both:
        for other in both:
            if (
                before[name][2] + before[name][3] <= before[other][2]
                and now[name][2] >= now[other][2] + now[other][3]
            ):
                found.append(f"{name} was above {other}, and is below")
    return sorted(found)


def written(looks: dict[str, dict[str, dict[str, list[Any]]]]) -> str:
    """Return the looks of states as JSON, one element a line, so that a change is read as one."""
    lines = [
        f" {json.dumps(f'{state} {view}')}: {{\n"
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(place)}" for name, place in found.items())
        + "\n }"
        for state, views in looks.items()
        for view, found in views.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read(text: str) -> dict[str, dict[str, dict[str, list[Any]]]]:
    """Return what `written` wrote."""
    looks: dict[str, dict[str, dict[str, list[Any]]]] = {}
    for name, found in json.loads(text).items():
        state, view = name.split()
        looks.setdefault(state, {})[view] = found
    return looks
