"""Bodies of JSON as clients write them and as nobody should, for hypothesis."""

import json
import re
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from scoring import features
from scoring.schema import HISTORY, Application, columns

ODD = (
    r'null|true|0|-0|-0.0|0.0|1|1.0|5.5|1e0|10e-1|1e999|-1e999|1E5|NaN|Infinity|-Infinity|"40"|"nan"|""|{}'
    r'|[]|[1]|{"a":1}|01|+1|.5|2147483647|2147483648|-2147483647|-2147483648|9223372036854775807|365243|-1'
    r"|9223372036854775808|18446744073709551616|9007199254740993|9007199254740992.0|9007199254740994.0|0.1"
    r"""|2.2250738585072014e-308|5e-324|1e-400|"a:b"|"a::\"b\":1"|"\u0041"|"\ud800"|"é"|"null"|"😀"|nul|1 """
    r"|  2|--1|1.|0x10|1_0"
    '|"\t"'
    r'|"\udc00"|"\ud83d\ude00"|"\ud83d\u0041"|"\ud83dx"|"\uD83D\uDE0"|"\u0000"|"\/\b\f\n\r\t\"\\"|"\x"|"\u00e"'
    r'|"\u003a"|"\u003A:"|"\\u003a"|"\u00C9t\u00e9"|"\"'
)
SIGNS = ["x", "é", "😀", r"\/", r"\u00e9", r"\ud83d\ude00"]
TOKENS = st.one_of(
    st.sampled_from(ODD.split("|")),
    st.sampled_from([1, 100, 101]).flatmap(lambda n: st.sampled_from([f'"{sign * n}"' for sign in SIGNS])),
    st.sampled_from(["1" + "0" * 30, "1" + "0" * 400]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**65), 2**65).map(str),
    st.text(max_size=5).map(json.dumps),
    st.text(max_size=5).map(lambda text: json.dumps(text, ensure_ascii=False)),
)
FIELDS = sorted(columns(Application))
AGGREGATES = st.sampled_from([*features.HISTORY_FEATURES[:8], "previous_last_status", "made_up"])
ESCAPED = [r"AMT\u005fCREDIT", r"SK\u005FID_CURR", r"\ud800"]
KEYS = st.sampled_from(["SK_ID_CURR", "SK_ID_BUREAU", "history", "FOO", "AMT_CREDIT", *ESCAPED])
SPACE = st.sampled_from(["", "", "", " ", "\n", "\t "])


@st.composite
def objects(draw, names, needed=()) -> str:
    """Write a JSON object of such names with odd values, now and then the same name twice."""
    keys = [*needed, *draw(st.lists(names, max_size=4))]
    pairs = [f'{draw(SPACE)}"{key}"{draw(SPACE)}:{draw(SPACE)}{draw(TOKENS)}{draw(SPACE)}' for key in keys]
    pairs += [f'"SK_ID_CURR":{client}' for client in draw(st.sampled_from([(), (), (7,), (8,)]))]
    return "{" + ",".join(pairs) + "}"


@st.composite
def histories(draw) -> str:
    tables_of = []
    for table in draw(st.lists(st.sampled_from([*HISTORY, "burau"]), max_size=3)):
        names = st.sampled_from(sorted(columns(HISTORY[table]))) if table in HISTORY else KEYS
        records = draw(st.lists(objects(names | KEYS), max_size=2))
        tables_of.append(f'"{table}":' + draw(st.sampled_from([f"[{','.join(records)}]"] * 4 + ["null"])))
    return "{" + ",".join(tables_of) + "}"


@st.composite
def bodies(draw) -> bytes:
    rows = []
    for _ in range(draw(st.integers(0, 3))):
        parts = ['"SK_ID_CURR":7'] if draw(st.booleans()) or draw(st.booleans()) else []
        inner = draw(
            objects(st.sampled_from(FIELDS) | KEYS if draw(st.booleans()) else st.sampled_from(FIELDS))
        )
        parts += [inner[1:-1]] if len(inner) > 2 else []
        if draw(st.booleans()):
            parts.append(f'"history":{draw(histories() | TOKENS)}')
        if draw(st.integers(0, 3)) == 0:
            parts.append(f'"history_features":{draw(objects(AGGREGATES) | TOKENS)}')
        rows.append("{" + ",".join(parts) + "}")
    top = f'"applications":{draw(SPACE)}[{",".join(rows)}]'
    top = draw(st.sampled_from([top] * 8 + [top + ',"more":1', top + "," + top, '"applications":null', ""]))
    return ("{" + top + "}" + draw(st.sampled_from([""] * 8 + [" ", "x", "}"]))).encode("utf-8", "replace")


def with_escapes(requests: Sequence[dict[str, Any]]) -> list[bytes]:
    """Write applications as PHP and Python do, their words in French, and with escapes in every key."""
    word = "Employé / retraité: \u20ac\U0001f600\n"
    french = [request | {"NAME_INCOME_TYPE": word} for request in requests]
    python = json.dumps({"applications": french}).encode()
    escaped = re.sub(rb'_(?=\w+")', rb"\\u005f", python)
    return [python, as_php(python), as_php(json.dumps({"applications": requests}).encode()), escaped]


TWICE = [
    ('{"applications":[{"SK_ID_CURR":1,"SK_ID_CURR":1}]}', (0, "SK_ID_CURR")),
    (
        '{"applications":[{"SK_ID_CURR":1},{"SK_ID_CURR":2,"AMT_CREDIT":null,"AMT_CREDIT":2}]}',
        (1, "AMT_CREDIT"),
    ),
    ('{"applications":[{"SK_ID_CURR":1,"AMT_CREDIT":1,"AMT\\u005fCREDIT":null}]}', (0, "AMT_CREDIT")),
    (
        '{"applications":[{"SK_ID_CURR":1,"history":{"bureau":[{"DAYS_CREDIT":-1,"DAYS_CREDIT" :-1}]}}]}',
        (0, "history.bureau[0].DAYS_CREDIT"),
    ),
    (
        '{"applications":[{"SK_ID_CURR":1,"NAME_INCOME_TYPE":"a:b","NAME_INCOME_TYPE":"ab"}]}',
        (0, "NAME_INCOME_TYPE"),
    ),
    (
        '{"applications":[{"SK_ID_CURR":1,"history_features":{"bureau_count":1,"bureau_count":1}}]}',
        (0, "history_features.bureau_count"),
    ),
    ('{"applications":[{"SK_ID_CURR":1}],"applications":[{"SK_ID_CURR":1}]}', (None, "applications")),
]


def as_php(body: bytes) -> bytes:
    """Escape what PHP does: every slash."""
    return body.replace(b"/", b"\\/")
