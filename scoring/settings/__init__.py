"""Every setting of the project, declared once: environment variables, their bounds, and what they do.

Whoever needs a setting reads it through what stands here; ``python -m scoring.settings > docs/SETTINGS.md``
writes the documentation. Names that a parent tells its own workers begin with an underscore: no settings.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from scoring.settings.setting import (
    Environment,
    Networks,
    Setting,
    SettingError,
    database,
    name,
    names,
    networks,
    number,
    pairs,
    path,
    span,
    switch,
    text,
    whole_number,
)

PREFIX = "CREDIT_SCORING_"
# What Kubernetes tells every container of a service called credit-scoring, or credit-scoring-page.
KUBERNETES = re.compile(
    PREFIX + r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
ROOT = Path(__file__).resolve().parents[2]
"""Folder of the code: a relative path of the service's settings counts from here, wherever it was started."""

SERVICE, PAGE, CLIENT, RECORD, MONITOR = "service", "page", "client", "record", "monitor"
EVERYBODY = "all"

logger = logging.getLogger(__name__)

# The model and the record of its decisions.
MODEL = Setting(
    "CREDIT_SCORING_MODEL",
    text,
    "credit_scoring:latest",
    "model tag to serve; answers and log carry the exact tag; `:latest` is looked up again at SIGHUP",
    (SERVICE, MONITOR),
)
LOG = Setting(
    "CREDIT_SCORING_LOG",
    path,
    Path("var/log"),
    "folder of the decision log; `off` for a pure demo. A decision takes 4.9 KB, 1.5 KB once its file is "
    "closed: 26 GB a day at 200 a second",
    (SERVICE, RECORD, MONITOR),
)
KEY_FILE = Setting(
    "CREDIT_SCORING_KEY_FILE",
    path,
    Path("var/pseudonym.key"),
    "key of the applicants' pseudonyms and of the log's signatures, made at the first start. Keep a copy: "
    "without it the service does not start on the log that it signed. Deleting it does not make the log "
    "anonymous: the inputs stay, and a few amounts name a person; it is a pseudonymous record of persons as "
    "long as it is there",
    (SERVICE, RECORD),
)
INSTANCE = Setting(
    "CREDIT_SCORING_INSTANCE",
    name,
    "",
    "name of this instance, another for each, where more than one writes to one log: to one index or "
    "store. They share one key, which none of them makes: make it once and give it to all",
    (SERVICE, RECORD),
    default_words="the only one",
)
LOG_ANCHORS = Setting[Path | None](
    "CREDIT_SCORING_LOG_ANCHORS",
    path,
    None,
    "folder of the log's anchors: put it on another disk or under another owner",
    (SERVICE, RECORD, MONITOR),
    default_words="`var/log-heads`",
)
MONITORING = Setting(
    "CREDIT_SCORING_MONITORING",
    path,
    Path("var/monitoring"),
    "folder of the monitor's reports, the newest of which `/monitor` hands on to supervisors",
)
MONITOR_WEBHOOK = Setting(
    "CREDIT_SCORING_MONITOR_WEBHOOK",
    text,
    "",
    "address that the monitor posts an alarm to (JSON): drift, or no decision for days",
    (MONITOR,),
    default_words="none",
)
STORE = Setting(
    "CREDIT_SCORING_STORE",
    text,
    "",
    "where `python -m scoring.inference_log ship` puts closed files of the log, and what erases and purges "
    "looks as well: a folder or `s3://BUCKET/FOLDER`",
    (RECORD,),
    default_words="none",
)
LOG_DAYS = Setting[int | None](
    "CREDIT_SCORING_LOG_DAYS",
    whole_number,
    None,
    "days that decisions are kept; older files are deleted when a new day (UTC) begins, signed tombstones "
    "stay",
    (SERVICE, RECORD),
    bounds=(1, 36_500),
    default_words="all are kept",
)
INDEX = Setting(
    "CREDIT_SCORING_INDEX",
    database,
    "",
    "the database in which decisions are found again: a file of SQLite (`var/log-index.sqlite`), or "
    "`postgresql://USER:PASSWORD@HOST/DATABASE`, or `off`; made from the log, and again by "
    "`python -m scoring.decisions rebuild`",
    (SERVICE, RECORD),
    default_words="beside the log",
)

CHANGES = Setting[tuple[str, ...] | None](
    "CREDIT_SCORING_CHANGES",
    names,
    None,
    "what `/counterfactual` may propose to change: `amount`, `down_payment`, `longer`, `shorter`, `income`, "
    "`debts`, or `none`",
    default_words="all of these",
)

# The officer's desk.
INSTITUTION = Setting(
    "CREDIT_SCORING_INSTITUTION", text, "", "name of the institution, on the page and on letters", (PAGE,)
)
CONTACT = Setting(
    "CREDIT_SCORING_CONTACT", text, "", "where a client contests a decision: an address, on letters", (PAGE,)
)
CURRENCY = Setting(
    "CREDIT_SCORING_CURRENCY",
    text,
    "",
    "what stands behind each amount of the page, as `EUR`; the tables name no currency",
    (PAGE,),
)
SCORE_RANGE = Setting[tuple[int, int] | None](
    "CREDIT_SCORING_SCORE_RANGE",
    span,
    None,
    "lowest and highest score, `300-850`, where the page and letters are to name the ends of the scale",
    (PAGE,),
    bounds=(0, 10_000),
    default_words="not named",
)
BRANCHES = Setting[tuple[tuple[str, str], ...]](
    "CREDIT_SCORING_BRANCHES",
    pairs,
    (),
    "names of branches that the files only number: `Industry: type 1=Mining; Trade: type 3=Retail`",
    (PAGE,),
    default_words="as the files number them",
)

# Who sits at the desk.
USERS = Setting[Path | None](
    "CREDIT_SCORING_USERS",
    path,
    None,
    "file of the page's users, their roles and the hashes of their passwords: with it the page asks who is "
    "there, and may listen beyond this machine; `python -m ui.users add` writes it",
    (PAGE,),
)
SESSION_MINUTES = Setting(
    "CREDIT_SCORING_SESSION_MINUTES",
    whole_number,
    30,
    "minutes without use after which a user has to sign in again; a session never lasts longer than 12 hours",
    (PAGE,),
    bounds=(1, 720),
)
USER_HEADER = Setting(
    "CREDIT_SCORING_USER_HEADER",
    name,
    "",
    "header in which a proxy of CREDIT_SCORING_PROXIES says who is there (`X-Auth-Request-Email`), in place "
    "of a file of users; the proxy has to replace what clients send of it",
    (PAGE,),
)
GROUPS_HEADER = Setting(
    "CREDIT_SCORING_GROUPS_HEADER",
    name,
    "",
    "header in which that proxy says a user's groups, between commas",
    (PAGE,),
)
ROLES = Setting[tuple[tuple[str, str], ...]](
    "CREDIT_SCORING_ROLES",
    pairs,
    (),
    "roles of those whom that proxy names, by name, by group, or of all: "
    "`ada=supervisor; @credit-officers=officer; *=tester`; who has none is refused",
    (PAGE,),
)

# Who may ask.
API_KEYS = Setting(
    "CREDIT_SCORING_API_KEYS",
    text,
    "",
    "`name:key,name:key`; clients send theirs in `X-API-Key`, the log keeps the name. `name+read+review:key` "
    "may look recorded decisions up (`read`), review them (`review`), say how they ended (`outcome`) and see "
    "the owner's view (`owner`) too; "
    "a front end's key (`frontend`) names the person who asks. "
    "Without keys, requests from other machines are refused, and so is whatever shows a proxy",
)
API_KEY_FILE = Setting[Path | None](
    "CREDIT_SCORING_API_KEY_FILE",
    path,
    None,
    "file of more keys, one a line; read again when it changes",
)
HOSTS = Setting[tuple[str, ...]](
    "CREDIT_SCORING_HOSTS",
    names,
    (),
    "other host names of the service and of the page; requests to unknown ones get 403 (the service with "
    "keys: any name, unless set)",
    (SERVICE, PAGE),
    default_words="loopback names",
)
ORIGINS = Setting[tuple[str, ...]](
    "CREDIT_SCORING_ORIGINS",
    names,
    (),
    "web origins (`https://desk.example`) whose pages may call the service and the page; others get 403",
    (SERVICE, PAGE),
)
PROXIES = Setting[Networks](
    "CREDIT_SCORING_PROXIES",
    networks,
    (),
    "addresses and networks (`127.0.0.1, 10.0.0.0/24`) of proxies whose `X-Forwarded-*` is believed: the "
    "page refuses such headers from others (403), the service takes its client's address (for the rate), "
    "scheme and sub-path from these alone",
    (SERVICE, PAGE),
)
PRIVATE_PAGES = Setting(
    "CREDIT_SCORING_PRIVATE_PAGES",
    switch,
    False,
    "`on`: `/`, `/model`, `/docs.json` and `/metrics` need a key too; probes never do",
)
API_KEY = Setting(
    "CREDIT_SCORING_API_KEY",
    text,
    "",
    "the key that the batch client, the page and the monitor send, if the service asks for one",
    (PAGE, CLIENT, MONITOR),
)

# Processes.
WORKERS = Setting(
    "CREDIT_SCORING_WORKERS",
    whole_number,
    1,
    "processes that answer, each with its own log files",
    bounds=(1, 64),
)
SPARE = Setting(
    "CREDIT_SCORING_SPARE",
    whole_number,
    1,
    "processes loaded beside them, which take the place of one that ends within a moment; `0` saves their "
    "memory",
    bounds=(0, 8),
)
DRAIN_SECONDS = Setting(
    "CREDIT_SCORING_DRAIN_SECONDS",
    number,
    2.0,
    'at SIGTERM, time between "not ready" and the end; make it longer than your load balancer\'s interval '
    "between looks at `/readyz`",
    bounds=(0, 3_600),
)

# How much a request may bring.
ROWS = Setting(
    "CREDIT_SCORING_ROWS",
    whole_number,
    10_000,
    "most applications in one JSON request to `/score`; more are 422",
    bounds=(1, 100_000),
)
EXPLAIN_ROWS = Setting(
    "CREDIT_SCORING_EXPLAIN_ROWS",
    whole_number,
    100,
    "the same for `/explain`",
    bounds=(1, 10_000),
)
ASIDE_ROWS = Setting(
    "CREDIT_SCORING_ASIDE_ROWS",
    whole_number,
    10,
    "the same for `/counterfactual`, which may take a second for each",
    bounds=(1, 1_000),
)
TABLE_ROWS = Setting(
    "CREDIT_SCORING_TABLE_ROWS",
    whole_number,
    100_000,
    "most applications in one Arrow table; each may take 4 KiB of memory",
    bounds=(1, 10_000_000),
)
BODY_MIB = Setting(
    "CREDIT_SCORING_BODY_MIB",
    whole_number,
    128,  # 10,000 applications with every column and aggregate: 105 MB
    "largest JSON body; a larger one is 413, as are 8 MiB without a `Content-Length`, and 1 MiB where the "
    "engine is not built. One application of a body above 128 KiB may have 1 MiB and 40,000 values",
    bounds=(1, 2_048),
)
BODIES_MIB = Setting(
    "CREDIT_SCORING_BODIES_MIB",
    whole_number,
    64,  # as many bodies as may be inside, each of the size above which it counts as large
    "† total size of smaller request bodies that a worker holds at a time (JSON up to 256 KiB; of any size "
    "without a `Content-Length` or to `/explain`); further requests get 503 with `Retry-After`",
    bounds=(8, 65_536),
)
HEADER_KIB = Setting(
    "CREDIT_SCORING_HEADER_KIB",
    whole_number,
    32,
    "largest request line with its headers, every byte of them counted; larger ones, and more than 128 "
    "headers, are 431",
    bounds=(1, 1_024),
)

# How many requests at a time.
CONCURRENT = Setting(
    "CREDIT_SCORING_CONCURRENT",
    whole_number,
    256,
    "† requests in a worker at a time; further ones get 429 with a `Retry-After` that spreads their return "
    "to 100 a second†",
    bounds=(1, 100_000),
)
EXPLAIN_CONCURRENT = Setting(
    "CREDIT_SCORING_EXPLAIN_CONCURRENT",
    whole_number,
    16,
    "† of these, explanations, so that they never crowd out scores",
    bounds=(1, 10_000),
)
ASIDE_CONCURRENT = Setting(
    "CREDIT_SCORING_ASIDE_CONCURRENT",
    whole_number,
    8,
    "† of these, questions that decide nothing (`/counterfactual`)",
    bounds=(1, 10_000),
)
AT_ONCE = Setting(
    "CREDIT_SCORING_AT_ONCE",
    whole_number,
    256,
    "† small requests decided immediately, bypassing the batch queue; further ones are batched, as larger "
    "requests are",
    bounds=(0, 100_000),
)
BATCH = Setting(
    "CREDIT_SCORING_BATCH",
    whole_number,
    64,
    "most requests to `/score` that are merged into one batch; `1` merges none",
    bounds=(1, 4_096),
)
RATE = Setting(
    "CREDIT_SCORING_RATE",
    number,
    0.0,
    "requests a second of each API key, or of each address (of IPv6, each network of 2^64) without one, "
    "pages, unknown paths and refused keys among them and probes not; more are 429. For the whole service: "
    "each of N workers lets an Nth pass",
    bounds=(0, 1e6),
    default_words="any",
)

# How long a request may take.
HEADER_SECONDS = Setting(
    "CREDIT_SCORING_HEADER_SECONDS",
    number,
    5.0,
    "time to send the headers; then 408",
    bounds=(0.1, 3_600),
)
PAUSE_SECONDS = Setting(
    "CREDIT_SCORING_PAUSE_SECONDS",
    number,
    5.0,
    "longest pause inside a body; then 408",
    bounds=(0.1, 3_600),
)
BODY_SECONDS = Setting(
    "CREDIT_SCORING_BODY_SECONDS",
    number,
    30.0,
    "time to send a body, and to take a large answer",
    bounds=(1, 3_600),
)
ANSWER_SECONDS = Setting(
    "CREDIT_SCORING_ANSWER_SECONDS",
    number,
    60.0,
    "time to answer; then 504",
    bounds=(1, 3_600),
)

# What everybody reads who speaks.
LANGUAGES = Setting[Path | None](
    "CREDIT_SCORING_LANGUAGES",
    path,
    None,
    "folder of more catalogues (`de.po`), which win over those in `scoring/language/`",
    (EVERYBODY,),
)

EXTENSION = Setting[Path | None](
    "CREDIT_SCORING_EXTENSION",
    path,
    None,
    "folder of a lender's own columns, tables, features and words (docs/OWN_COLUMNS.md); a model that was "
    "trained with it is served with it alone",
    (EVERYBODY,),
)

DECLARED = {setting.name: setting for setting in list(globals().values()) if isinstance(setting, Setting)}
"""Every setting by its name, in the order above."""


def unknown(environment: Environment) -> list[str]:
    """Return a sentence for each variable that is called like a setting and is none; no value is in it."""
    strangers = [
        name
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in DECLARED and not KUBERNETES.fullmatch(name)
    ]
    if not strangers:
        return []
    from difflib import get_close_matches  # here: nobody needs it who writes every name right

    return [
        f"{name} is no setting, so it would do nothing; the nearest is "
        f"{get_close_matches(name, DECLARED, 1, 0)[0]}: rename it or unset it (docs/SETTINGS.md lists all)."
        for name in strangers
    ]


def refuse_unknown(environment: Environment) -> None:
    """Refuse what is called like a setting and is none: a misspelt one is a protection that is silently off.

    Raises
    ------
    SettingError
        Naming the first one.
    """
    for sentence in unknown(environment):
        raise SettingError(sentence)


def warn_of_unknown() -> None:
    """Log a warning for what is called like a setting and is none: a command line works all the same."""
    for sentence in unknown(os.environ):
        logger.warning("%s", sentence)
