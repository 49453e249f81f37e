"""One subject of NSD, from its bucket to a folder with NSD's layout."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from tempgen.data.nsd_download.catalogue import BUCKET, RemoteFile, files_of_subject, nsd_client
from tempgen.data.nsd_download.terms import require_agreement
from tempgen.data.nsd_download.transfer import Stopped, fetch, is_whole, received_bytes
from tempgen.errors import SourceDataError

SPARE_BYTES = 1 << 30
"""Room that is left on the disk. Source: house choice."""


def download_nsd(
    root: Path | str,
    subject: int,
    *,
    accept_terms: bool | Callable[[], bool],
    sessions: Iterable[int] | None = None,
    n_jobs: int = 4,
    client: Any = None,
    bucket: str = BUCKET,
    say: Callable[[str], None] = print,
) -> Path:
    """Download the files of one NSD subject that :func:`tempgen.data.nsd.open_nsd` reads.

    Stopped and started again, it fetches only what lacks and goes on within files.

    Parameters
    ----------
    root : Path or str
        Gets the folders nsddata, nsddata_timeseries and nsddata_stimuli.
    subject : int
        1 to 8.
    accept_terms : bool or callable
        That you agree to NSD's terms (``tempgen.data.nsd_download.TERMS_URL``); a function is asked when the files are listed.
    sessions : iterable of int or None
        None: all.
    n_jobs : int
        Files at a time.
    client : boto3 S3 client, optional
        Another than the one for NSD's public bucket.
    say : callable
        Receives one line for each thing worth knowing.

    Returns
    -------
    Path
        ``root``.

    Raises
    ------
    ConfigError
        If the terms were not accepted, there is no such subject, or boto3 is not installed.
    SourceDataError
        If the disk has too little room, the bucket lacks a file, or one cannot be had. Finished files are kept.
    """
    if accept_terms is False:
        require_agreement(False)
    root, client = Path(root), client or nsd_client()
    files = files_of_subject(client, subject, sessions=sessions, bucket=bucket)
    for line in describe_files(files, root):
        say(line)
    require_agreement(accept_terms() if callable(accept_terms) else accept_terms)
    missing = [file for file in files if not is_whole(root / file.key, file)]
    if missing:
        _check_room(root, missing)
        _fetch_all(client, bucket, missing, root, n_jobs=n_jobs, say=say)
    say(f"{root}: subject {subject} of NSD is complete, {len(missing)} of {len(files)} files were downloaded")
    return root


def describe_files(files: Sequence[RemoteFile], root: Path) -> list[str]:
    """A table of what is needed and what of it is here, a line for each kind and one for all."""
    kinds = list(dict.fromkeys(file.kind for file in files))
    groups = [(kind, [file for file in files if file.kind == kind]) for kind in kinds]
    lines = [f"{'':<12}{'files':>7}{'size':>11}{'to fetch':>11}"]
    for kind, group in [*groups, ("all", list(files))]:
        size = sum(file.size for file in group)
        missing = size - sum(received_bytes(root / file.key, file) for file in group)
        lines.append(f"{kind:<12}{len(group):>7}{format_bytes(size):>11}{format_bytes(missing):>11}")
    return lines


def format_bytes(n_bytes: int) -> str:
    """Bytes for people, in units of 1000.

    Examples
    --------
    >>> format_bytes(1_234_567), format_bytes(0)
    ('1.2 MB', '0 B')
    """
    size, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"


def _check_room(root: Path, missing: Sequence[RemoteFile]) -> None:
    needed = sum(file.size - received_bytes(root / file.key, file) for file in missing)
    there = next(folder for folder in (root.resolve(), *root.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if needed + SPARE_BYTES > free:
        raise SourceDataError(
            f"{format_bytes(needed)} are to be downloaded and {format_bytes(SPARE_BYTES)} should stay free, {there} has "
            f"{format_bytes(free)}: make room, choose another folder, or fewer sessions (--sessions 1..3)."
        )


def _fetch_all(
    client: Any,
    bucket: str,
    missing: Sequence[RemoteFile],
    root: Path,
    *,
    n_jobs: int,
    say: Callable[[str], None],
) -> None:
    """Fetch files, several at a time; when one fails or the user stops, the others stop at their next chunk."""
    stop = threading.Event()
    progress = tqdm(
        total=sum(file.size for file in missing),
        initial=sum(received_bytes(root / file.key, file) for file in missing),
        desc="download",
        unit="B",
        unit_scale=True,
        disable=None,
    )

    def one(file: RemoteFile) -> None:
        if not stop.is_set():
            try:
                fetch(client, bucket, file, root / file.key, stop=stop, received=progress.update, say=say)
            except OSError as error:
                raise SourceDataError(
                    f"{root / file.key} cannot be written: {error}. What was received is kept: make room there (or see who may "
                    "write), then start the same command again."
                ) from error

    with progress, ThreadPoolExecutor(n_jobs) as pool:
        futures = [pool.submit(one, file) for file in missing]
        try:
            for future in as_completed(futures):
                with suppress(Stopped):
                    future.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
