"""The page below a path of a real nginx: what it loads, sends and gives back stays below that path."""

from pathlib import Path

import httpx
import pytest

from tests.support.browser import upload
from tests.support.proxies import needs_nginx, nginx
from tests.support.stand_in import serving
from tests.torture import page as attack

pytestmark = [pytest.mark.served, needs_nginx]

# As docs/SERVE.md writes it, but for the password.
LOCATION = """
    location /desk/ {{
      proxy_pass {page}/;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Prefix /desk;
      proxy_set_header X-Forwarded-User ada;
      proxy_buffering off;
      client_max_body_size 201m;
    }}
    location /kept/ {{
      proxy_pass {page}/kept/;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Prefix /kept;
      proxy_set_header X-Forwarded-User ada;
      proxy_buffering off;
    }}
    location /plain/ {{
      proxy_pass {page}/;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-User ada;
      proxy_buffering off;
    }}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxy")
    options = ("--portfolio", str(attack.write_portfolio(folder / "clients")), "--root-path", "/plain")
    with (
        serving() as server,
        attack.serving_page(
            folder / "page",
            server.url,
            *options,
            CREDIT_SCORING_PROXIES="127.0.0.1",
            CREDIT_SCORING_USER_HEADER="X-Forwarded-User",
            CREDIT_SCORING_ROLES="*=officer",
        ) as found,
    ):
        yield found
    assert "Traceback" not in found.said()


@pytest.fixture(scope="module")
def front(page, tmp_path_factory):
    with nginx(tmp_path_factory.mktemp("nginx"), LOCATION.format(page=page.url)) as (url,):
        yield url


@pytest.mark.parametrize("prefix", ["/desk", "/kept", "/plain"])
def test_a_file_is_uploaded_scored_and_fetched_below_the_path(front: str, prefix: str) -> None:
    posted = {"origin": front}  # as every browser says it
    with httpx.Client(base_url=f"{front}{prefix}", timeout=60, trust_env=False, headers=posted) as client:
        assert client.get("/").headers["location"] == f"{prefix}/en/"
        assert client.get("/fr").headers["location"] == f"{front}{prefix}/fr/"
        assert client.get("/fr/config").json()["root"] == f"{front}{prefix}/fr"
        path = attack.upload(client, "en", "mine.csv", b"SK_ID_CURR,AMT_CREDIT\n1,450000\n").json()[0]
        number = next(
            h.number for h in attack.handlers(client) if h.lang == "en" and h.inputs[:1] == ("file",)
        )
        (answer,) = attack.ask(client, "en", [(number, [{"path": path}, False, False])])
        url, *_ = attack.offered(answer)
        assert url.startswith(f"{front}{prefix}/en/gradio_api/file=")
        assert client.get(url).content.decode("utf-8-sig").startswith("SK_ID_CURR,AMT_CREDIT,probability")


@pytest.mark.browser
@pytest.mark.parametrize("prefix", ["/desk", "/plain"])
def test_an_officer_works_below_the_path(chromium, front: str, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("SK_ID_CURR,AMT_CREDIT\n2,450000\n1,abc\n")
    context = chromium.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    page, foreign = context.new_page(), []
    page.set_default_timeout(15_000)
    ours = (f"{front}{prefix}/", "data:", "blob:")
    page.on("request", lambda asked: None if asked.url.startswith(ours) else foreign.append(asked.url))
    page.on(
        "response",
        lambda answer: foreign.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None,
    )
    page.goto(f"{front}{prefix}/")
    page.locator(".examples").get_by_role("button").nth(2).click()
    page.locator(".verdict").wait_for()
    heading = page.locator("[data-client]").inner_text()
    page.screenshot(path=tmp_path / "page.png")
    page.get_by_role("link", name="Français").click()
    page.get_by_text("Ce qui pèse contre la demande").wait_for()
    assert page.locator("[data-client]").inner_text() == heading
    assert page.url == f"{front}{prefix}/fr/client/{heading.split()[-1]}"
    page.get_by_role("tab", name="Fichier").click()
    page.get_by_text("Déposez un fichier").wait_for()
    upload(page, tmp_path / "mine.csv")
    page.get_by_role("button", name="Évaluer le fichier").click()
    page.get_by_text("accordées : 1, refusées : 0, en erreur : 1").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Télécharger en CSV").click()
    assert download.value.url.startswith(f"{front}{prefix}/fr/gradio_api/file=")
    context.close()
    assert not foreign
