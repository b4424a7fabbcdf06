"""A page of panels, as a browser shows it."""

from pathlib import Path

import pandas as pd
import pytest

from netdyn.explorer.page import Panel, write_page

pytestmark = pytest.mark.browser
TABLE = pd.DataFrame({"layer": [1, 2], "note": ['</script>, "a"', "b\nc"], "g": [0.25, 0.5]})
FIGURE = {"data": [{"x": [1, 2], "y": TABLE["g"], "line": {"color": "#332288"}}]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_of_panels(opened, pictures, tmp_path, scheme):
    path = tmp_path / "page.html"
    panels = [Panel("g", "Of <b>each</b> layer.", FIGURE, TABLE), Panel("Basins", "Not measured.")]
    write_page(path, panels, title="A & B", summary="One.\n\nTwo.")
    with opened(path, scheme=scheme) as page:
        page.wait_for_selector(".plot .main-svg")
        assert page.title() == "A & B"
        assert "Of <b>each</b> layer." in page.locator("main").inner_text()
        with page.expect_download() as waiting:
            page.locator(".download").click()
        assert waiting.value.suggested_filename == "g.csv"
        pd.testing.assert_frame_equal(pd.read_csv(Path(waiting.value.path())), TABLE)
        page.locator("summary").click()
        page.wait_for_selector("tbody td")  # Chromium says a moment later that it was opened
        cells = page.locator("tbody td").all_inner_texts()
        assert [cells[0], cells[1], cells[5]] == ["1", '</script>, "a"', "0.5"]
        colour = page.evaluate("document.querySelector('.plot').data[0].line.color")
        assert (colour == "#332288") == (scheme == "light")
        page.screenshot(path=pictures / f"page-{scheme}.png")
