"""NSD comes whole, once, from a server on which everything goes wrong that can; never without agreement to its terms."""

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
from botocore.response import StreamingBody
from typer.testing import CliRunner

from tempgen.cli.app import app
from tempgen.config.simulation import SimulationConfig
from tempgen.data.nifti import read_masked_run
from tempgen.data.nsd import open_nsd
from tempgen.data.nsd_download import download_nsd, files_of_subject, nsd_client, transfer
from tempgen.data.nsd_download.catalogue import BUCKET, REGION
from tempgen.data.simulate import simulate_nsd
from tempgen.errors import ConfigError, SourceDataError
from tests.data.nsd_download.conftest import STIMULI, bucket_files, content_of, owner_client

BOLD = "nsddata_timeseries/ppdata/subj01/func1pt8mm/timeseries/timeseries_session01_run03.nii.gz"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(transfer, "LONGEST_PAUSE_S", 0.0)


def quiet(line):
    """Swallow what a step says."""


def contents():
    return bucket_files() | {STIMULI: content_of(STIMULI, 300_000)}


def on_disk(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def download(root, client, **options):
    return download_nsd(root, 1, accept_terms=True, client=client, **({"say": quiet} | options))


def one_file(client, key):
    return next(file for file in files_of_subject(client, 1) if file.key == key)


def fetch_one(client, file, path, **options):
    chosen = {"stop": threading.Event(), "received": lambda n: None, "say": quiet} | options
    transfer.fetch(client, BUCKET, file, path, **chosen)


class Tampering:
    """A client whose answers to ``get_object`` go through a function (number of the call, content) -> content."""

    def __init__(self, client, change):
        self.client, self.change, self.asked = client, change, []

    def get_object(self, **request):
        answer = self.client.get_object(**request)
        content = self.change(len(self.asked), answer["Body"].read())
        self.asked.append(request.get("Range"))
        return {"Body": StreamingBody(io.BytesIO(content), len(content))}

    def __getattr__(self, name):
        return getattr(self.client, name)


def test_what_the_reader_opens_is_downloaded_and_nothing_else(client, tmp_path):
    said = []
    download(tmp_path, client, say=said.append)
    found = on_disk(tmp_path)
    wanted = contents()
    assert all(wanted[key] == content for key, content in found.items())
    left_out = set(wanted) - set(found)
    folder = "nsddata_timeseries/ppdata/subj01/func1pt8mm"
    assert left_out == {
        "nsddata/experiments/nsd/nsd_expdesign.mat.old",
        "nsddata/ppdata/subj01/func1pt8mm/brainmask.nii.gz",
        "nsddata_timeseries/ppdata/subj02/func1pt8mm/design/design_session01_run01.tsv",
        f"{folder}/design/design_prf_run01.tsv",
        f"{folder}/timeseries/timeseries_session02_run01.nii.gz",  # resting state
        f"{folder}/timeseries/timeseries_session02_run14.nii.gz",
    }
    table = {line.split()[0]: line.split()[1:] for line in said[1:-1]}
    assert table["BOLD"] == ["24", "1.4", "MB", "1.4", "MB"]
    assert table["stimuli"] == ["1", "300.0", "kB", "300.0", "kB"]


def test_second_start_downloads_only_what_lacks(client, tmp_path):
    download(tmp_path, client, sessions=(1,))
    (tmp_path / BOLD).write_bytes(b"truncated by somebody")
    counting = Tampering(client, lambda n, content: content)
    said = []
    download(tmp_path, counting, sessions=(1,), say=said.append)
    assert len(counting.asked) == 1
    assert (tmp_path / BOLD).read_bytes() == contents()[BOLD]
    assert said[-1].endswith("1 of 40 files were downloaded")
    download(tmp_path, counting, sessions=(1, 2))
    assert len(counting.asked) == 1 + 12 + 14 + 14


def test_cut_connections_are_resumed_where_they_ended(client, relay, tmp_path, monkeypatch):
    file = one_file(client, STIMULI)
    monkeypatch.setattr(transfer, "CHUNK_BYTES", 4096)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", relay.endpoint)
    relay.cut_after.extend([100_000, 50_000, 120_000])
    said = []
    fetch_one(nsd_client(), file, tmp_path / "stimuli", say=said.append)
    assert (tmp_path / "stimuli").read_bytes() == contents()[STIMULI]
    assert len(said) == 3
    assert all("the connection was cut" in line for line in said)
    assert relay.n_bytes < 330_000  # nothing came twice
    assert [path.name for path in tmp_path.iterdir()] == ["stimuli"]


def test_whole_subject_arrives_over_a_line_that_is_cut_again_and_again(relay, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", relay.endpoint)
    relay.cut_after.extend([90_000] * 12)
    download(tmp_path, nsd_client(), sessions=(1,), n_jobs=3)
    found = on_disk(tmp_path)
    assert len(found) == 40
    assert all(contents()[key] == content for key, content in found.items())


def test_partial_file_of_an_earlier_start_is_continued_with_a_ranged_request(client, tmp_path):
    file, path = one_file(client, BOLD), tmp_path / "bold.nii.gz"
    transfer.partial_path(path, file).write_bytes(contents()[BOLD][:12_345])
    counting = Tampering(client, lambda n, content: content)
    progress = []
    fetch_one(counting, file, path, received=progress.append)
    assert counting.asked == ["bytes=12345-"]
    assert sum(progress) == file.size - 12_345
    assert path.read_bytes() == contents()[BOLD]


def test_partial_file_of_an_older_version_is_thrown_away(client, tmp_path):
    file, path = one_file(client, BOLD), tmp_path / "bold.nii.gz"
    (tmp_path / "bold.nii.gz.0123abcd.partial").write_bytes(b"of another version")
    fetch_one(client, file, path)
    assert path.read_bytes() == contents()[BOLD]
    assert [each.name for each in tmp_path.iterdir()] == ["bold.nii.gz"]


def test_truncated_answer_is_completed(client, tmp_path):
    file = one_file(client, BOLD)
    truncating = Tampering(client, lambda n, content: content[:20_000] if n == 0 else content)
    said = []
    fetch_one(truncating, file, tmp_path / "bold", say=said.append)
    assert truncating.asked == [None, "bytes=20000-"]
    assert "the connection ended early; going on at 0.0 MB" in said[0]
    assert (tmp_path / "bold").read_bytes() == contents()[BOLD]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"\0" + content[1:],  # one byte
        lambda content: content + b"more",
    ],
)
def test_corrupted_answer_is_fetched_again_and_refused_the_second_time(client, tmp_path, change):
    file = one_file(client, BOLD)
    once = Tampering(client, lambda n, content: change(content) if n == 0 else content)
    fetch_one(once, file, tmp_path / "good")
    assert (tmp_path / "good").read_bytes() == contents()[BOLD]
    assert once.asked == [None, None]

    always = Tampering(client, lambda n, content: change(content))
    with pytest.raises(SourceDataError, match="downloaded twice and is not what the bucket lists"):
        fetch_one(always, file, tmp_path / "bad")
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


def test_server_that_ignores_ranges_does_no_harm(client, tmp_path):
    file, path = one_file(client, BOLD), tmp_path / "bold"
    transfer.partial_path(path, file).write_bytes(contents()[BOLD][:30_000])
    ignoring = Tampering(client, lambda n, content: contents()[BOLD])
    fetch_one(ignoring, file, path)
    assert path.read_bytes() == contents()[BOLD]


def test_download_gives_up_without_a_new_byte_and_keeps_what_came(client, tmp_path):
    file, path = one_file(client, STIMULI), tmp_path / "stimuli"
    drying = Tampering(client, lambda n, content: content[:1000] if n == 0 else b"")
    with pytest.raises(SourceDataError, match="6 times in a row. What was received is kept"):
        fetch_one(drying, file, path)
    assert len(drying.asked) == 6
    assert not path.exists()
    assert transfer.partial_path(path, file).stat().st_size == 1000


def test_object_that_changes_after_it_was_listed_is_refused(client, server, tmp_path):
    key = "nsddata/ppdata/subj01/func1pt8mm/roi/lh.streams.nii.gz"
    file = one_file(client, key)
    owner = owner_client(server)
    owner.put_object(Bucket=BUCKET, Key=key, Body=b"new" * 100, ACL="public-read")
    try:
        with pytest.raises(SourceDataError, match="has changed in the bucket since it was listed"):
            fetch_one(client, file, tmp_path / "roi")
    finally:
        owner.put_object(Bucket=BUCKET, Key=key, Body=contents()[key], ACL="public-read")
    assert not (tmp_path / "roi").exists()


def test_object_that_is_listed_and_gone_is_refused(client, tmp_path):
    file = one_file(client, BOLD)
    gone = transfer.RemoteFile(file.key + ".gone", file.size, file.etag, file.kind)
    with pytest.raises(SourceDataError, match="The bucket refuses .*NoSuchKey"):
        fetch_one(client, gone, tmp_path / "bold")


def test_two_downloads_of_one_file_do_not_meet(client, tmp_path):
    file, path = one_file(client, BOLD), tmp_path / "bold"
    with transfer.partial_path(path, file).open("ab") as other:
        transfer._lock(other, path)
        with pytest.raises(SourceDataError, match="Another process is downloading"):
            fetch_one(client, file, path)


def test_nothing_is_fetched_onto_a_disk_without_room(client, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**31, 2**30, 2**30 + 1000))
    with pytest.raises(SourceDataError, match=r"1.0 MB are to be downloaded .* fewer sessions"):
        download(tmp_path / "new" / "nsd", client, sessions=(1,))
    assert not list(tmp_path.iterdir())


def test_key_that_leads_out_of_the_folder_is_refused(client, server):
    key = "nsddata/ppdata/subj01/func1pt8mm/roi/../../../../../out.nii.gz"
    listed = client.get_paginator("list_objects_v2")

    def pages(**options):
        found = list(listed.paginate(**options))
        if "roi" in options["Prefix"]:
            found[0]["Contents"].append({"Key": key, "Size": 1, "ETag": '"0"'})
        return found

    strange = SimpleNamespace(
        get_paginator=lambda name: SimpleNamespace(paginate=pages), list_objects_v2=client.list_objects_v2
    )
    with pytest.raises(SourceDataError, match="outside the folder"):
        files_of_subject(strange, 1)


def test_disk_that_fills_meanwhile_is_an_error_that_says_what_to_do(client, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer, "_copy", full)
    with pytest.raises(
        SourceDataError, match="No space left on device. What was received is kept: make room"
    ):
        download(tmp_path, client)


def test_sessions_and_subjects_that_the_bucket_lacks_are_named(client):
    with pytest.raises(SourceDataError, match=r"no BOLD of sessions \[3, 7\]"):
        files_of_subject(client, 1, sessions=(1, 3, 7))
    with pytest.raises(SourceDataError, match="has no BOLD, regions for subject 2"):
        files_of_subject(client, 2)
    with pytest.raises(ConfigError, match="subjects 1 to 8"):
        files_of_subject(client, 9)


def test_bucket_that_cannot_be_reached_is_an_error_of_one_line(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SourceDataError, match="cannot be listed.*Check the connection"):
        files_of_subject(nsd_client(), 1)


def test_nothing_is_fetched_without_agreement(client, tmp_path):
    with pytest.raises(ConfigError, match="Terms-and-Conditions.*--accept-terms"):
        download_nsd(tmp_path, 1, accept_terms=False, client=client)
    listed = []
    with pytest.raises(ConfigError, match="--accept-terms"):
        download_nsd(
            tmp_path, 1, accept_terms=lambda: bool(listed) and False, client=client, say=listed.append
        )
    assert listed  # the sizes were shown before
    assert not list(tmp_path.iterdir())


def run_command(*arguments, answer=None):
    return CliRunner().invoke(app, ["download-nsd", *map(str, arguments)], input=answer)


def test_command_lists_shows_the_terms_and_refuses_to_go_on_without_a_terminal(client, tmp_path):
    result = run_command(tmp_path / "nsd", "--sessions", "1")
    assert isinstance(result.exception, ConfigError)
    assert "--accept-terms" in str(result.exception)
    sizes, terms = result.output.index("BOLD"), result.output.index("research and education only")
    assert sizes < terms
    assert not (tmp_path / "nsd").exists()


@pytest.mark.parametrize(("answer", "n_files"), [("y\n", 40), ("n\n", 0)])
def test_command_asks_at_a_terminal(client, tmp_path, monkeypatch, answer, n_files):
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("tempgen.cli.download.sys", terminal)
    result = run_command(tmp_path / "nsd", "--sessions", "1", answer=answer)
    assert "Do you agree to NSD's terms? [y/N]" in result.output
    assert len(on_disk(tmp_path)) == n_files
    assert isinstance(result.exception, ConfigError) == (n_files == 0)


def test_dry_run_lists_every_file_and_downloads_none(client, tmp_path):
    result = run_command(tmp_path / "nsd", "--sessions", "2", "--dry-run")
    assert result.exit_code == 0
    assert result.output.count("session02_run") == 12 + 14 + 14
    assert "60.0 kB  nsddata_timeseries" in result.output
    assert not (tmp_path / "nsd").exists()


def test_interrupted_command_keeps_what_came_and_the_next_goes_on(relay, tmp_path):
    root = tmp_path / "nsd"
    command = [sys.executable, "-m", "tempgen", "download-nsd", root, "--sessions", "1", "--accept-terms"]
    environment = os.environ | {"AWS_ENDPOINT_URL_S3": relay.endpoint}
    relay.bytes_a_second = 200_000  # each connection: about 2 s for all
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while not list(root.rglob("*.partial")) or sum(map(len, on_disk(root).values())) < 200_000:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on from there" in errors
    kept = sum(map(len, on_disk(root).values()))
    assert 200_000 <= kept < 1_000_000

    relay.bytes_a_second, before = None, relay.n_bytes
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    found = on_disk(root)
    assert all(contents()[key] == content for key, content in found.items())
    assert len(found) == 40
    whole = sum(map(len, found.values()))
    assert relay.n_bytes - before < whole - kept + 100_000  # with listings and headers


@pytest.mark.slow
def test_downloaded_subject_is_one_that_the_reader_opens(server, tmp_path, monkeypatch):
    there = tmp_path / "there"
    simulate_nsd(there, SimulationConfig(n_voxels=40, n_sessions=1, image_size=16), progress=False)
    owner = owner_client(server)
    owner.create_bucket(Bucket="simulated", CreateBucketConfiguration={"LocationConstraint": REGION})
    for path in sorted(there.rglob("*.*")):
        key = path.relative_to(there).as_posix()
        owner.put_object(Bucket="simulated", Key=key, Body=path.read_bytes(), ACL="public-read")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server)
    download(tmp_path / "here", nsd_client(), bucket="simulated")
    ours, original = (open_nsd(root, 1, with_motion=True) for root in (tmp_path / "here", there))
    assert ours.trials.equals(original.trials)
    assert len(ours.runs) == 12
    mine, theirs = (read_masked_run(each.runs[5].bold_path, each.mask) for each in (ours, original))
    np.testing.assert_array_equal(mine, theirs)
    seen = ours.trials["image_id"].to_numpy()[:3]
    np.testing.assert_array_equal(ours.read_images(seen, 16), original.read_images(seen, 16))
