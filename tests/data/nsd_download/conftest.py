"""A local S3 server with a bucket like NSD's, and ways to it that fail."""

import socket
import threading
import time
from collections import deque
from contextlib import suppress

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tempgen.data.nsd_download import nsd_client
from tempgen.data.nsd_download.catalogue import BUCKET, REGION

SESSIONS = {1: 12, 2: 14}
BOLD_BYTES = 60_000
STIMULI = "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"


def content_of(key, n_bytes):
    """Bytes that differ from file to file."""
    return (key.encode() * (n_bytes // len(key) + 1))[:n_bytes]


def bucket_files():
    """Contents by key: what is needed of subject 1, and other things that lie beside it."""
    folder = "nsddata_timeseries/ppdata/subj01/func1pt8mm"
    sizes = {
        "nsddata/ppdata/subj01/func1pt8mm/roi/nsdgeneral.nii.gz": 900,
        "nsddata/ppdata/subj01/func1pt8mm/roi/lh.streams.nii.gz": 800,
        "nsddata/experiments/nsd/nsd_expdesign.mat": 700,
        "nsddata/experiments/nsd/nsd_expdesign.mat.old": 70,
        "nsddata/ppdata/subj01/func1pt8mm/brainmask.nii.gz": 900,
        "nsddata_timeseries/ppdata/subj02/func1pt8mm/design/design_session01_run01.tsv": 100,
        f"{folder}/design/design_prf_run01.tsv": 100,
    }
    for session, n_runs in SESSIONS.items():
        for run in range(1, n_runs + 1):
            name = f"session{session:02d}_run{run:02d}"
            sizes[f"{folder}/timeseries/timeseries_{name}.nii.gz"] = BOLD_BYTES
            sizes[f"{folder}/design/design_{name}.tsv"] = 225
            sizes[f"{folder}/motion/motion_{name}.tsv"] = 500
    return {key: content_of(key, size) for key, size in sizes.items()}


@pytest.fixture(scope="package")
def server():
    """Endpoint of the S3 server."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    owner = owner_client(endpoint)
    owner.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key, content in bucket_files().items():
        owner.put_object(Bucket=BUCKET, Key=key, Body=content, ACL="public-read")
    # in parts, as large files are: its ETag is no MD5
    upload = {"Bucket": BUCKET, "Key": STIMULI}
    upload |= {"UploadId": owner.create_multipart_upload(**upload)["UploadId"]}
    part = owner.upload_part(**upload, PartNumber=1, Body=content_of(STIMULI, 300_000))
    parts = [{"ETag": part["ETag"], "PartNumber": 1}]
    owner.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    yield endpoint
    moto.stop()


def owner_client(endpoint):
    """A client that may write."""
    return boto3.client(
        "s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b"
    )


@pytest.fixture
def client(server, monkeypatch):
    """The client of tempgen, which has no credentials, at the local server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server)
    return nsd_client()


class Relay:
    """A way to the server on which connections are cut after so many bytes of answers, or are slow."""

    def __init__(self, endpoint):
        self.upstream = endpoint.removeprefix("http://").split(":")
        self.cut_after = deque()
        self.bytes_a_second = None
        self.n_connections = self.n_bytes = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.n_connections += 1
            left = self.cut_after.popleft() if self.cut_after else float("inf")
            upstream = socket.create_connection((self.upstream[0], int(self.upstream[1])))
            threading.Thread(target=self._pass, args=(client, upstream), daemon=True).start()
            threading.Thread(target=self._pass, args=(upstream, client, left), daemon=True).start()

    def _pass(self, source, sink, left=None):
        """Pass bytes on until ``left`` have gone; requests come without it."""
        try:
            while (left is None or left > 0) and (received := source.recv(4096)):
                if left is not None:
                    received = received[: int(min(left, len(received)))]
                    left -= len(received)
                    self.n_bytes += len(received)
                    time.sleep(len(received) / self.bytes_a_second if self.bytes_a_second else 0)
                sink.sendall(received)
        except OSError:
            pass
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay(server):
    made = Relay(server)
    yield made
    made.listener.close()
