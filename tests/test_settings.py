"""Settings are read once, with bounds, and a wrong one is named with what would do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scoring import settings
from scoring.serving.limits import Limits
from scoring.serving.settings import Settings
from scoring.settings import DECLARED, KUBERNETES, LOG
from scoring.settings.setting import SettingError

ROOT, HOME = Path("/service"), Path("/service/var")


def read(**environment: str) -> Settings:
    named = {f"CREDIT_SCORING_{name.upper()}": value for name, value in environment.items()}
    return Settings.read(named, ROOT, HOME)


def test_without_any_setting_the_service_has_sane_limits():
    settings = read()
    assert settings.limits == Limits()
    assert (settings.workers, settings.rows, settings.explain_rows, settings.rate) == (1, 10_000, 100, 0)
    assert (settings.log, settings.log_days, settings.key_file) == (
        HOME / "log",
        None,
        HOME / "pseudonym.key",
    )


@pytest.mark.parametrize("setting", [s for s in DECLARED.values() if s.default not in (None, (), "", False)])
def test_a_default_is_a_value_that_could_be_given(setting):
    assert setting.read({setting.name: str(setting.default)}) == setting.default


def test_a_misspelt_setting_is_refused_with_the_nearest_name_and_without_its_value():
    near = {"api_keyfile": "API_KEY_FILE", "apikeys": "API_KEYS", "proxy": "PROXIES", "log_day": "LOG_DAYS"}
    for wrong, right in near.items():
        with pytest.raises(SettingError) as refused:
            read(**{wrong: "secret"})
        assert f"the nearest is CREDIT_SCORING_{right}: rename it or unset it" in str(refused.value)
        assert "secret" not in str(refused.value)


def test_what_kubernetes_sets_for_a_service_of_that_name_is_let_through():
    one = ["service_host", "service_port", "service_port_http", "port", "port_3000_tcp"]
    more = [f"port_3000_tcp_{what}" for what in ("proto", "port", "addr")]
    names = [*one, *more, *(f"page_{name}" for name in one + more)]
    assert read(**dict.fromkeys(names, "tcp://10.0.0.1:3000")) == read()


def test_no_setting_is_taken_for_one_of_kubernetes():
    assert not [name for name in DECLARED if KUBERNETES.fullmatch(name)]


def test_what_is_for_another_program_or_for_ones_own_workers_is_no_misspelling():
    assert Settings.read({"_credit_scoring_parent": "1", "PATH": "/bin"}, ROOT, HOME) == read()


def test_a_command_warns_of_a_misspelt_setting_and_works(tmp_path):
    command = [sys.executable, "-m", "scoring.inference_log", "verify", "--log", str(tmp_path / "none")]
    environment = os.environ | {LOG.name + "S": "elsewhere"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert f"{LOG.name}S is no setting, so it would do nothing" in done.stderr
    assert (done.returncode, "Not done:" in done.stderr) == (2, True)


def test_proxies_are_addresses_or_networks_and_none_without_being_named():
    assert read().proxies == ()
    assert [str(one) for one in read(proxies="10.0.0.7, 10.1.0.0/16,fd00::/8").proxies] == [
        *("10.0.0.7/32", "10.1.0.0/16", "fd00::/8")
    ]
    for wrong in ("*", "proxy.example", "10.0.0.7/8", "10.0.0.0/33", "10.0.0"):
        with pytest.raises(SettingError, match=r"CREDIT_SCORING_PROXIES cannot be used.*give addresses"):
            read(proxies=wrong)


def test_every_limit_can_be_set():
    limits = read(
        body_mib="1",
        bodies_mib="16",
        header_kib="8",
        concurrent="7",
        header_seconds="2",
        pause_seconds="1.5",
        body_seconds="20",
        answer_seconds="300",
        table_rows="50",
    ).limits
    assert limits == Limits(
        body_bytes=2**20,
        bodies_bytes=2**24,
        header_bytes=8_192,
        concurrent=7,
        header_s=2,
        pause_s=1.5,
        body_s=20,
        answer_s=300,
        arrow_s=300,
        arrow_rows=50,
    )


def test_a_scale_is_two_numbers_and_names_stand_in_pairs():
    assert settings.SCORE_RANGE.read({"CREDIT_SCORING_SCORE_RANGE": "300-850"}) == (300, 850)
    named = {"CREDIT_SCORING_BRANCHES": " Industry: type 1 = Mining;Trade: type 3=Retail; "}
    assert settings.BRANCHES.read(named) == (("Industry: type 1", "Mining"), ("Trade: type 3", "Retail"))
    for name, value in (
        ("SCORE_RANGE", "850-300"),
        ("SCORE_RANGE", "300"),
        ("BRANCHES", "Mining"),
        ("BRANCHES", "=x"),
    ):
        with pytest.raises(SettingError, match=name):
            getattr(settings, name).read({f"CREDIT_SCORING_{name}": value})


def test_an_empty_setting_is_none():
    assert read(log_days="", rows="", log="") == read()


def test_a_path_counts_from_the_service_wherever_it_was_started():
    settings = read(log="off", log_anchors="heads", key_file="/secrets/key", api_key_file="keys")
    assert settings.log is None
    assert settings.log_anchors == ROOT / "heads"
    assert (settings.key_file, settings.api_key_file) == (Path("/secrets/key"), ROOT / "keys")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("rows", value) for value in ("0", "-1", "1.5", "many", "nan", "inf", "1e9")],
        *[("workers", "0"), ("rate", "-1"), ("drain_seconds", "-1"), ("header_seconds", "0")],
        *[("log_days", "0"), ("body_mib", "0"), ("pause_seconds", "soon"), ("private_pages", "true")],
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_what_would_do(name, value):
    with pytest.raises(SettingError, match=f"CREDIT_SCORING_{name.upper()}={value.split('.')[0]}.*give"):
        read(**{name: value})
