"""Download subjects of the Natural Scenes Dataset from its public bucket, after agreement to its terms."""

from tempgen.data.nsd_download.catalogue import RemoteFile, files_of_subject, nsd_client
from tempgen.data.nsd_download.download import describe_files, download_nsd, format_bytes
from tempgen.data.nsd_download.terms import SUMMARY, TERMS_URL

__all__ = [
    "SUMMARY",
    "TERMS_URL",
    "RemoteFile",
    "describe_files",
    "download_nsd",
    "files_of_subject",
    "format_bytes",
    "nsd_client",
]
