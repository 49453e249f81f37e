"""Which files of NSD's bucket one subject's analysis needs, and how large they are.

What :func:`tempgen.data.nsd.open_nsd` opens and nothing else: BOLD of the runs with images, all designs, motion and ROI files of
the subject (they are small, and an analysis may choose among them), the design of the experiment and the stimuli. The bucket
has the folders of :class:`tempgen.data.nsd_layout.NsdLayout`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tempgen.data.nsd_layout import RUNS_PER_SESSION, NsdLayout
from tempgen.errors import ConfigError, SourceDataError

BUCKET = "natural-scenes-dataset"
REGION = "us-east-2"
"""Where NSD's authors keep it. Source: NSD Data Manual, "How to get the data"."""
SUBJECTS = range(1, 9)
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 20, 60
"""A connection that is silent for longer counts as cut. Source: botocore's defaults are 60 and 60."""
RESTING_RUNS = 2
"""Resting-state runs of a session that has them: its first and its last file. Source: NSD Data Manual."""

_NUMBERS = re.compile(r"session(\d+)_run(\d+)\.")


@dataclass(frozen=True)
class RemoteFile:
    """A file in the bucket.

    Attributes
    ----------
    key : str
        Its name in the bucket, which is its path below the local root.
    size : int
        Bytes.
    etag : str
        Changes with its content; the MD5 of the content unless it was uploaded in parts.
    kind : str
        For people: ``"BOLD"``, ``"designs"``, ...
    """

    key: str
    size: int
    etag: str
    kind: str

    @property
    def md5(self) -> str | None:
        """MD5 of the content, where the ETag is one."""
        return self.etag if re.fullmatch(r"[0-9a-f]{32}", self.etag) else None


def nsd_client() -> Any:
    """A client for NSD's bucket without credentials.

    Raises
    ------
    ConfigError
        If boto3 is not installed.
    """
    try:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config
    except ImportError as error:
        raise ConfigError(
            "Downloading NSD needs the package boto3: pip install 'tempgen[nsd]', or boto3."
        ) from error
    config = Config(
        signature_version=UNSIGNED,
        region_name=REGION,
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "max_attempts": 5},
        max_pool_connections=32,
    )
    return boto3.client("s3", config=config)


def files_of_subject(
    client: Any, subject: int, *, sessions: Iterable[int] | None = None, bucket: str = BUCKET
) -> list[RemoteFile]:
    """Files that one subject's analysis needs, small ones first.

    Parameters
    ----------
    client : boto3 S3 client
        From :func:`nsd_client`.
    subject : int
        1 to 8.
    sessions : iterable of int or None
        None: all.

    Returns
    -------
    list of RemoteFile

    Raises
    ------
    ConfigError
        If there is no such subject.
    SourceDataError
        If the bucket cannot be listed, or lacks a session or file that is needed.
    """
    if subject not in SUBJECTS:
        raise ConfigError(f"Subject {subject} was asked for; NSD has subjects 1 to 8.")
    layout = NsdLayout(Path(), subject)
    folder = layout.timeseries_folder
    wanted = None if sessions is None else set(sessions)
    try:
        found = [
            *_listed(client, bucket, layout.roi("x").parent, "regions"),
            *_of_sessions(_listed(client, bucket, folder / "design", "designs"), wanted),
            *_of_sessions(_listed(client, bucket, folder / "motion", "motion"), wanted),
            *_file(client, bucket, layout.experiment_design, "experiment"),
            *_file(client, bucket, layout.stimuli, "stimuli"),
        ]
        bold = _of_sessions(_listed(client, bucket, folder / "timeseries", "BOLD"), wanted)
    except _client_errors() as error:
        raise SourceDataError(
            f"The bucket {bucket} cannot be listed: {error}. Check the connection and try again."
        ) from error
    if strange := [file.key for file in (*found, *bold) if ".." in Path(file.key).parts]:
        raise SourceDataError(
            f"The bucket {bucket} lists {strange[0]!r}, which would lie outside the folder: nothing is fetched."
        )
    if missing := (wanted or set()) - {_session(file) for file in bold}:
        raise SourceDataError(f"The bucket has no BOLD of sessions {sorted(missing)} of subject {subject}.")
    kinds = {file.kind for file in [*found, *bold]}
    if lacking := [
        kind for kind in ("BOLD", "designs", "regions", "experiment", "stimuli") if kind not in kinds
    ]:
        raise SourceDataError(
            f"The bucket {bucket} has no {', '.join(lacking)} for subject {subject} where NSD keeps them, so that it could not "
            "be analysed."
        )
    return [*found, *_without_rest(bold)]


def _listed(client: Any, bucket: str, folder: Path, kind: str) -> list[RemoteFile]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{folder.as_posix()}/")
    entries = [entry for page in pages for entry in page.get("Contents", ())]
    return [
        RemoteFile(entry["Key"], int(entry["Size"]), entry["ETag"].strip('"'), kind)
        for entry in entries
        if not entry["Key"].endswith("/")
    ]


def _file(client: Any, bucket: str, path: Path, kind: str) -> list[RemoteFile]:
    """The one file, if it is there."""
    found = client.list_objects_v2(Bucket=bucket, Prefix=path.as_posix()).get("Contents", ())
    return [
        RemoteFile(entry["Key"], int(entry["Size"]), entry["ETag"].strip('"'), kind)
        for entry in found
        if entry["Key"] == path.as_posix()
    ]


def _session(file: RemoteFile) -> int:
    match = _NUMBERS.search(file.key)
    return int(match[1]) if match else 0


def _of_sessions(files: list[RemoteFile], sessions: set[int] | None) -> list[RemoteFile]:
    """Files of runs, of the sessions asked for; others that lie in the folder are of no use."""
    return [file for file in files if (s := _session(file)) and (sessions is None or s in sessions)]


def _without_rest(bold: list[RemoteFile]) -> Iterator[RemoteFile]:
    """BOLD files of runs with images: of a session's 14, the first and the last are resting state."""
    by_session: dict[int, list[RemoteFile]] = {}
    for file in sorted(bold, key=lambda file: file.key):
        by_session.setdefault(_session(file), []).append(file)
    for files in by_session.values():
        yield from files[1:-1] if len(files) == RUNS_PER_SESSION + RESTING_RUNS else files


def _client_errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError)
