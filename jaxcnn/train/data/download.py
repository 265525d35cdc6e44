"""Files fetched once, checked, and kept in a folder of the user's."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jaxcnn.train.errors import InputError, extra

CACHE = "JAXCNN_CACHE"
TIMEOUT = 30
CHUNK_BYTES = 1 << 16


def fetch(name: str, url: str, checksums: Mapping[str, str]) -> Path:
    """Download files that aren't there yet, or aren't what they should be.

    Args:
      name: of the folder in the cache; the cache is $JAXCNN_CACHE, or the user's own for jaxcnn.
      url: where the files lie.
      checksums: the MD5 of each file, by its name.

    Returns:
      The folder that holds all of them. A file is moved into it once its checksum is right.

    Raises:
      InputError: no network, no such file there, another checksum, no room; or pooch isn't installed.
    """
    with extra():
        import pooch  # type: ignore[import-untyped]
        from requests import RequestException
    given = os.environ.get(CACHE)
    folder = (Path(given) if given else Path(pooch.os_cache("jaxcnn"))) / name
    url = url.rstrip("/") + "/"
    keeper = pooch.create(folder, url, registry={file: f"md5:{md5}" for file, md5 in checksums.items()})
    get = pooch.HTTPDownloader(timeout=TIMEOUT, chunk_size=CHUNK_BYTES)
    for file in checksums:
        if not (folder / file).is_file():
            with suppress(OSError, ValueError, AttributeError):  # stderr may be closed
                sys.stderr.write(f"downloading {url}{file}\n")
        try:
            keeper.fetch(file, downloader=get)
        except RequestException as error:
            raise InputError(f"{url}{file} can't be downloaded ({_reason(error)}): {_way_out(name)}") from error
        except OSError as error:
            raise InputError(
                f"{folder}: {file} can't be kept there ({error.strerror or error}): name another folder by ${CACHE}"
            ) from error
        except ValueError as error:
            raise InputError(
                f"{url}{file} is damaged, or another file: its checksum isn't {checksums[file]}: {_way_out(name)}"
            ) from error
    return folder


def _reason(error: Exception) -> str:
    """What a person wants to know of an error of requests, without urllib3's own history of it."""
    import requests

    reasons = {
        requests.Timeout: f"no answer for {TIMEOUT} s",
        requests.exceptions.ProxyError: "the proxy can't be reached",
        requests.exceptions.SSLError: "the server's certificate isn't valid",
        requests.ConnectionError: "no connection",  # the two above are kinds of it
        requests.exceptions.ChunkedEncodingError: "the connection broke off",
    }
    return next((reason for kind, reason in reasons.items() if isinstance(error, kind)), str(error))


def _way_out(name: str) -> str:
    return f"try again later, name another mirror by --data-url, or give a folder of {name}'s four files by --data-dir"
