"""The view in JupyterLab, in a real browser: a click on another lag changes the images that are shown."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from tempgen.files import write_zarr
from tempgen.reconstructions import RECONSTRUCTIONS_FORMAT
from tempgen.results import write_results
from tests.exploration.conftest import KEPT, planted_reconstructions, planted_trials

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_MS = 400_000  # where every core runs several tests, a browser takes minutes to draw
DRAWN = "[...document.querySelectorAll('.js-plotly-plot')].filter(plot => plot.data && plot.data.length).length >= 3"
"""Whether the three figures have their points; plotly makes empty ones first."""

pytest.importorskip("ipywidgets", reason="the interactive view needs the extra explore")
pytest.importorskip("anywidget", reason="the interactive view needs the extra explore")
pytest.importorskip("jupyterlab", reason="the interactive view is shown in JupyterLab")
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright to drive a browser")

NO_GRAPHICS = "WebGL"  # a browser without graphics falls back to software
NOT_FOUND = "the server responded with a status of 404"
OPTIONAL = ("/lsp/", "/lab/api/workspaces/", "/lab/api/settings/")
"""Addresses of services and files that JupyterLab asks for and that need not be there; their absence says nothing of the view."""


@pytest.fixture
def analysis_folder(tmp_path):
    """A planted result and its reconstructions, as an analysis leaves them."""
    folder = tmp_path / "planted"
    results = planted_trials().assign_attrs(
        tempgen_version="0", window="window", split="time-resolved", n_train=1, n_test=1, n_test_runs=1
    )
    results.attrs |= {"n_left_out_window": 0, "n_left_out_image": 0, "n_train_sharing_volumes": 0}
    write_results(results, folder / "results.zarr")
    kept = planted_reconstructions(results).assign_attrs(reconstructions_format=RECONSTRUCTIONS_FORMAT)
    write_zarr(kept, folder / "reconstructions.zarr")
    return folder


@pytest.fixture
def lab(tmp_path, analysis_folder):
    """Address of a JupyterLab whose only notebook opens the planted result; its settings stay in the test's folder."""
    notebook = json.loads((ROOT / "notebooks" / "explore.ipynb").read_text(encoding="utf-8"))
    (parameters,) = (cell for cell in notebook["cells"] if cell["metadata"].get("tags") == ["parameters"])
    parameters["source"] = [f"results = {str(analysis_folder)!r}\n", "keep = 1"]
    (tmp_path / "explore.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    settings = tmp_path / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}', encoding="utf-8")
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "jupyter", "IPYTHONDIR": "ipython"}
    folders |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    own = {name: str(tmp_path / folder) for name, folder in folders.items()}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--ServerApp.root_dir={tmp_path}",
    ]
    command += [
        "--IdentityProvider.token=",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
    ]
    command += [
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with (tmp_path / "lab.log").open("w") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api", server, tmp_path / "lab.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture
def page(tmp_path):
    """A page of a headless browser, and what its console complained about; how it looked last is kept."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine to open JupyterLab in")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": 1500, "height": 1400})
        page.complaints = []
        page.on(
            "console",
            lambda said: (
                page.complaints.append(f"{said.text} {said.location['url']}")
                if said.type == "error"
                else None
            ),
        )
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        yield page
        page.screenshot(path=tmp_path / "last.png")
        browser.close()


def says_nothing_of_the_view(complaint: str) -> bool:
    optional = NOT_FOUND in complaint and any(address in complaint for address in OPTIONAL)
    return optional or NO_GRAPHICS in complaint


def shown(page) -> list[str]:
    """Addresses of the images in the table of trials, row by row."""
    return page.eval_on_selector_all(".tempgen-trials img", "images => images.map(image => image.src)")


def place_of(page, figure: int, x: float, y: float) -> tuple[float, float]:
    """Where a point of a plotly figure lies on the page (pixels), by its coordinates."""
    script = """([figure, x, y]) => {
        const plot = document.querySelectorAll('.js-plotly-plot')[figure], box = plot.getBoundingClientRect();
        const {xaxis, yaxis} = plot._fullLayout;
        return [box.left + xaxis._offset + xaxis.l2p(x), box.top + yaxis._offset + yaxis.l2p(y)];
    }"""
    return tuple(page.evaluate(script, [figure, x, y]))


def go_and_click(page, place: tuple[float, float]) -> None:
    page.mouse.move(place[0] - 25, place[1] - 25)
    page.mouse.move(*place, steps=4)
    page.wait_for_timeout(400)  # plotly finds the point under the pointer before it can be clicked
    page.mouse.down()
    page.mouse.up()


def wait_for_other_images(page, before: list[str]) -> list[str]:
    page.wait_for_function(
        "before => {const now = [...document.querySelectorAll('.tempgen-trials img')].map(image => image.src);"
        "return now.length && now.join() !== before.join()}",
        arg=before,
        timeout=PATIENCE_MS,
    )
    return shown(page)


def run_notebook(page, lab: str) -> None:
    """Open the notebook, run all of it, and wait for its images and figures."""
    page.goto(f"{lab}/lab/tree/explore.ipynb?reset", timeout=PATIENCE_MS)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=PATIENCE_MS)
    page.get_by_text("| Idle").first.wait_for(
        timeout=PATIENCE_MS
    )  # else JupyterLab asks which kernel to take
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    page.wait_for_selector(".tempgen-trials img", timeout=PATIENCE_MS)
    page.wait_for_function(DRAWN, timeout=PATIENCE_MS)


SLOW = "const timeout = AbortSignal.timeout; AbortSignal.timeout = () => timeout.call(AbortSignal, 1);"
"""As in a browser that is slow to load a figure: anywidget's patience of two seconds is over at once."""


@pytest.mark.slow
def test_figures_are_drawn_in_a_browser_that_is_slow_to_load_them(lab, page):
    page.add_init_script(SLOW)
    run_notebook(page, lab)
    assert page.locator(".js-plotly-plot .main-svg").count() >= 3


@pytest.mark.slow
def test_a_click_on_another_lag_changes_the_images(lab, page, tmp_path):
    results = planted_trials()
    run_notebook(page, lab)
    page.wait_for_timeout(1000)
    page.locator(".js-plotly-plot").first.scroll_into_view_if_needed()
    first = shown(page)
    assert len(first) == 4 * len(KEPT)  # the first trial has a previous image as well

    general = results["identification"].sel(train_delta=0, target="current").mean("trial")
    at = {name: float(general["lag_s"].sel(test_delta=delta)) for name, delta in (("three", 3), ("two", 2))}
    go_and_click(page, place_of(page, 0, at["three"], float(general.sel(test_delta=3))))
    second = wait_for_other_images(page, first)
    page.get_by_text("tested at delta 3").first.wait_for(timeout=PATIENCE_MS)
    changed = [one != other for one, other in zip(first, second, strict=True)]
    assert changed == [False, False, False, True] * len(
        KEPT
    )  # what was seen stays, what was made of it changes
    screenshot = ROOT / "build" / "explore.png"
    screenshot.parent.mkdir(exist_ok=True)
    page.screenshot(path=screenshot)
    print(f"screenshot: {screenshot}")

    page.mouse.move(5, 5)
    go_and_click(page, place_of(page, 1, at["two"], at["two"]))
    page.get_by_text("trained at delta 2, tested at delta 2").first.wait_for(timeout=PATIENCE_MS)

    scores = results["identification"].sel(train_delta=2, test_delta=2, target="current").to_numpy()
    chosen = np.flatnonzero(scores < 0.4)
    page.locator(".js-plotly-plot").nth(2).scroll_into_view_if_needed()
    low, high = place_of(page, 2, float(scores.min()) - 0.05, 310), place_of(page, 2, 0.4, -10)
    page.mouse.move(*low)
    page.mouse.down()
    page.mouse.move(*high, steps=5)
    page.mouse.up()
    page.get_by_text(f"of {len(chosen)} trials").first.wait_for(timeout=PATIENCE_MS)

    page.get_by_role("button", name="save CSV").click()
    page.get_by_text("wrote ").first.wait_for(timeout=PATIENCE_MS)
    written = list(tmp_path.glob("explore_*_train+02_test+02.csv"))
    assert len(written) == 1
    table = np.genfromtxt(written[0], delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert table["trial"].tolist() == chosen.tolist()

    assert [text for text in page.complaints if not says_nothing_of_the_view(text)] == []
