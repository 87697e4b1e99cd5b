"""The page in a browser: nothing is wider than the window, tables sort, nothing is refused."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess

import pandas as pd
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
WIDTHS = (1280, 420)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

# Runs before all scripts of the page, and reports to the page around it when all have run.
PROBE = """
const errors = [];
const note = (kind) => (event) => errors.push(kind + ": " + (event.message || event.blockedURI));
addEventListener("error", note("error"));
addEventListener("unhandledrejection", (event) => errors.push("rejected: " + event.reason));
addEventListener("securitypolicyviolation", note("refused"));
for (const kind of ["error", "warn"]) {
  console[kind] = (...texts) => errors.push("console: " + texts.join(" "));
}
function order(heading) {
  const rows = Array.from(document.querySelector("#numbers table").tBodies[0].rows);
  return rows.map((row) => row.cells[0].textContent.trim());
}
addEventListener("load", () => {
  for (const fold of document.querySelectorAll("details")) { fold.open = true; }
  const { scrollWidth, clientWidth } = document.documentElement;
  const table = document.querySelector("#numbers table");
  const heading = Array.from(table.tHead.rows[0].cells)
    .find((cell) => cell.textContent.startsWith("accuracy"));
  const orders = [1, 2].map(() => { heading.querySelector("button").click(); return order(); });
  table.tBodies[0].rows[0].cells[heading.cellIndex].click();
  const tip = document.getElementById("tip");
  parent.postMessage({ width: innerWidth, scrollWidth, clientWidth, orders, errors,
    pressed: heading.getAttribute("aria-sort"),
    tip: tip.hidden ? "" : tip.textContent, link: tip.querySelector("a").hash }, "*");
});
"""
AROUND = """<!doctype html><pre id="answers"></pre>
<script>
const answers = [];
addEventListener("message", (event) => {
  answers.push(event.data);
  document.getElementById("answers").textContent = JSON.stringify(answers);
});
</script>
"""


@pytest.fixture(scope="module")
def answers(rendered, tmp_path_factory):
    """What the probe saw in windows of both widths, by width."""
    _, report = rendered
    folder = tmp_path_factory.mktemp("browser")
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    page = report.index.read_text().replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    page = page.replace("<title>", f"<script>{PROBE}</script><title>", 1)
    (folder / "page.html").write_text(page)
    frames = [f'<iframe src="page.html" width="{n}" height="800"></iframe>' for n in WIDTHS]
    (folder / "around.html").write_text(AROUND + "".join(frames))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--disable-background-networking", f"--user-data-dir={folder / 'profile'}"]
    command += ["--virtual-time-budget=20000", (folder / "around.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    found = re.search(r'<pre id="answers">(.*?)</pre>', done.stdout, re.DOTALL)
    return {answer["width"]: answer for answer in json.loads(html.unescape(found[1]))}


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window_with_all_sections_open(answers, width):
    assert answers[width]["scrollWidth"] == answers[width]["clientWidth"]


@pytest.mark.parametrize("width", WIDTHS)
def test_no_script_fails_and_the_policy_refuses_nothing(answers, width):
    assert answers[width]["errors"] == []


def test_a_click_on_a_heading_sorts_by_the_raw_numbers(answers, rendered):
    _, report = rendered
    table = pd.read_csv(report.directory / "tables" / "comparison.csv")
    numbers = dict(zip(table["name"], table["value"], strict=True))
    for answer in answers.values():
        for names, descending in zip(answer["orders"], (False, True), strict=True):
            known = [numbers[name] for name in names if not pd.isna(numbers[name])]
            assert known == sorted(known, reverse=descending) and len(set(known)) > 1
            missing = [pd.isna(numbers[name]) for name in names]
            assert missing == sorted(missing), "a loss without a number is last"
        assert answer["pressed"] == "descending"


def test_a_tapped_number_is_explained_and_linked(answers):
    for answer in answers.values():
        assert "mean" in answer["tip"] and answer["link"].startswith("#definition-")
