"""The browser, and pages opened in it that must neither fail nor ask a server for anything."""

from contextlib import contextmanager
from pathlib import Path

import chromium
import pytest

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.OPTIONS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def opened(browser):
    """Return a context that opens a file and checks, in the end, that the page had no error."""

    @contextmanager
    def open_page(path, address="", size=(1280, 900), scheme="light"):
        wrong = []
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
        )
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.on("request", lambda asked: outside(asked.url) and wrong.append(asked.url))
        page.goto(f"{path.as_uri()}{address}")
        yield page
        context.close()
        assert wrong == []

    return open_page


def outside(url):
    return not url.startswith(("file:", "data:", "blob:"))


@pytest.fixture(scope="session")
def pictures():
    """Where screenshots are left, to be judged by eye."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES
