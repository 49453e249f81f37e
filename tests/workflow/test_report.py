"""A report needs nothing beside it, says what the data are, and is written whole or not at all."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tempgen.cli.app import app
from tempgen.errors import ResultsError
from tempgen.generalization.controls import Verdict
from tempgen.results import export_netcdf, open_results, write_results
from tempgen.workflow import Places, reconstruct_images
from tempgen.workflow.controls import FILE
from tempgen.workflow.report import write_report
from tempgen.workflow.report.figures import matrix_section
from tempgen.workflow.report.html import Section
from tempgen.workflow.report.tables import summary_section
from tests.workflow.conftest import changed, silent


class Page(HTMLParser):
    """What a page consists of: tags, addresses that a browser would load, links, classes and texts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags, self.loaded, self.links, self.texts, self.open = [], [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.loaded += [given[name] for name in ("src", "srcset", "data", "poster") if name in given]
        if "href" in given:
            (self.links if tag == "a" else self.loaded).append(given["href"])
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)


@pytest.fixture(scope="module")
def analysed(run_small):
    """A small analysis with kept reconstructions and a verdict."""
    analysis, _ = run_small(
        "report",
        evaluation={"deltas": "-1..3", "matrix": True, "metrics": ("pixcorr",)},
        training={"deltas": "-1..3"},
    )
    reconstruct_images(changed(analysis, evaluation={"keep_reconstructions": 4}), say=silent)
    verdict = Verdict(
        "motion", "Does motion tell the image?", "passed", "No.", 0.01, -0.01, 0.02, reference=0.3
    )
    content = {"data_kind": "simulated", "subject": "1", "rules": {}, "verdicts": [verdict.plain()]}
    (Places(analysis).folder / FILE).write_text(json.dumps(content), encoding="utf-8")
    return Places(analysis).folder


@pytest.fixture(scope="module")
def page(analysed):
    return Page(write_report(analysed, say=silent))


def test_a_report_loads_nothing_from_outside(page):
    assert page.loaded
    assert all(address.startswith("data:image/png;base64,") for address in page.loaded)
    assert all(link.startswith("#") for link in page.links)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert not page.open  # every tag is closed


def test_styles_load_nothing_either(analysed):
    text = (analysed / "report.html").read_text(encoding="utf-8")
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "@media print" in style


def test_a_report_has_every_section_and_figure(page):
    sections = ["When can the image be decoded?", "Whose image is it?", "Summary", "The whole matrix"]
    sections += ["Reconstructions", "Controls", "How it was made"]
    assert [
        text for text in page.texts if text in sections
    ] == sections * 2  # in the contents, then as headings
    assert page.tags.count("img") == 6  # two decoders' reconstructions


def test_a_report_says_what_the_data_are_and_how_it_was_made(page, analysed):
    results = open_results(analysed)
    assert "SIMULATED data" in page.text
    for name in ("split_fingerprint", "window", "tempgen_version"):
        assert str(results.attrs[name]) in page.text
    assert results["pixcorr"].attrs["source"] in page.text
    assert '"store"' in page.text  # of the recipe
    assert "measured in each cell" in page.text  # chance of PixCorr
    assert "Does motion tell the image?" in page.text


def test_the_same_result_gives_the_same_bytes(page, analysed, tmp_path):
    again = write_report(analysed, tmp_path / "again.html", say=silent)
    assert again.read_bytes() == (analysed / "report.html").read_bytes()


def test_images_can_be_left_out(analysed, tmp_path):
    said = []
    page = Page(write_report(analysed, tmp_path / "no.html", with_images=False, say=said.append))
    assert "Reconstructions" not in page.texts
    assert "MB" in said[0]


@pytest.fixture
def images_alone(monkeypatch):
    """Reports without what is drawn of scores, which takes seconds."""
    for name in ("curves_section", "targets_section"):
        monkeypatch.setattr(f"tempgen.workflow.report.write.{name}", lambda results: ())
    for name in ("summary_section", "matrix_section"):
        monkeypatch.setattr(f"tempgen.workflow.report.write.{name}", lambda results: Section("Left out", ""))


def test_images_of_people_and_places_are_shown_only_if_asked(analysed, tmp_path, images_alone):
    folder = tmp_path / "real"
    shutil.copytree(analysed, folder)
    write_results(open_results(folder).assign_attrs(data_kind="real"), folder / "results.zarr")
    said = []
    assert "Reconstructions" not in Page(write_report(folder, say=said.append)).texts
    assert "--with-images" in said[-1]
    asked = CliRunner().invoke(app, ["report", str(folder), "--with-images"])
    assert asked.exit_code == 0, asked.output
    assert "its terms say" in asked.output
    assert Page(folder / "report.html").texts.count("Reconstructions") == 2


@pytest.mark.parametrize(("kind", "n_images"), [("real", 1), ("simulated", 3)])
def test_faces_that_cannot_be_blurred_are_not_shown(
    analysed, tmp_path, monkeypatch, images_alone, kind, n_images
):
    monkeypatch.setattr("tempgen.workflow.report.figures.can_blur_faces", lambda: False)
    folder = tmp_path / kind
    shutil.copytree(analysed, folder)
    results = open_results(folder)
    wished = json.loads(results.attrs["analysis"])
    wished["figures"]["blur_faces"] = True
    results = results.assign_attrs(data_kind=kind, analysis=json.dumps(wished))
    write_results(results, folder / "results.zarr")
    page = Page(write_report(folder, with_images=True, say=silent))
    assert page.tags.count("img") == n_images  # simulated scenes have no faces
    assert "OpenCV" in page.text


def test_a_report_of_labels_speaks_of_labels(analysed, tmp_path):
    results = open_results(analysed).assign_attrs(decoder_target="labels")
    write_results(results, tmp_path / "results.zarr")
    page = Page(write_report(tmp_path, say=silent))
    assert "When can the label be decoded?" in page.texts
    assert "Whose label is it?" in page.texts
    assert "General decoder's labels compared with the label before" in page.text
    assert "bootstrap interval over runs" in page.text

    one_run = results.isel(trial=(results["run"] == results["run"][0]).to_numpy())
    assert "all test trials are of one run" in summary_section(one_run).content


def test_figures_of_many_metrics_fit_on_pages_of_paper(analysed):
    results = open_results(analysed)
    more = {
        f"pixcorr{k}{suffix}": results[f"pixcorr{suffix}"] for k in range(9) for suffix in ("", "_chance")
    }
    of_ten = matrix_section(results.assign(more)).content
    assert of_ten.count("<figure>") == 2  # of 6 and 4 panels
    assert of_ten.count("Continued below.") == 1


def test_text_of_a_result_is_escaped(analysed, tmp_path):
    results = open_results(analysed).sel(target=["current"])
    results = results.assign_attrs(title="<script>alert(1)</script>")
    write_results(results, tmp_path / "results.zarr")
    page = Page(write_report(tmp_path, say=silent))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.text


def test_a_report_of_a_mailed_file_lies_beside_it(analysed, tmp_path):
    mailed = export_netcdf(open_results(analysed), tmp_path / "mailed.nc")
    runner = CliRunner().invoke(app, ["report", str(mailed)])
    assert runner.exit_code == 0, runner.output
    assert (tmp_path / "mailed.html").is_file()
    assert "Reconstructions" not in Page(tmp_path / "mailed.html").texts


def test_a_report_that_fails_leaves_the_older_one(analysed, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(analysed, folder)
    before = (folder / "report.html").read_bytes()
    monkeypatch.setattr("tempgen.workflow.report.write.curves_section", lambda results: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(folder, say=silent)
    assert (folder / "report.html").read_bytes() == before
    assert not list(folder.glob(".*.tmp.*"))


def test_without_a_result_there_is_no_report(tmp_path):
    with pytest.raises(ResultsError, match="tempgen evaluate"):
        write_report(tmp_path / "nothing", say=silent)
