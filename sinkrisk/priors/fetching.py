"""Downloading a workbook: only with a known SHA-256, resumable, and all or nothing.

The releases whose hashes are known stand in ``priors/releases.csv``; any other file needs its address
and its SHA-256. pooch compares the hash and puts the file in place; what came before an interruption
is kept beside it in a ``.part`` file and continued with an HTTP range.
"""

from __future__ import annotations

import http.client
import http.cookiejar
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sinkrisk import files
from sinkrisk.errors import EXIT_BAD_INPUT, InputError, Problem, Problems, SinkriskError

MAX_DOWNLOAD_BYTES = 64 * 1024 * 1024
"""Largest file taken, in bytes: a workbook has 0.4 million."""

TIMEOUT = 30.0
"""Seconds without a byte after which a download stops, to be resumed later."""

_CHUNK = 1 << 16
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
_HTTP_RANGE_REFUSED = 416


class FetchError(SinkriskError):
    """A download that did not finish; started again, it goes on where it stopped."""

    exit_code = EXIT_BAD_INPUT


def fetch_release(
    release: str | int | None = None,
    *,
    url: str | None = None,
    sha256: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Download a Global Carbon Budget workbook and return its path.

    Parameters
    ----------
    release : str or int, optional
        A release of ``priors/releases.csv``, for example 2024.
    url, sha256 : str, optional
        Address and SHA-256 of any other workbook. With `release`, `url` names a mirror: the hash
        stays the known one.
    folder : path, optional
        Where to put it; default a cache folder of the user's.
    progress : callable, optional
        Called with the bytes held and the bytes to come in all (None where the server does not say).

    Returns
    -------
    Path
        The file, its hash compared. A file that is there already with the right hash is not
        downloaded again.

    Raises
    ------
    InputError
        For an unknown release without `url` and `sha256`, an address or a hash that is none, and a
        file with another hash than expected, which is removed.
    FetchError
        When the server cannot be reached or the connection breaks; what has come is kept.
    """
    address, digest, name = _wanted(release, url, sha256)
    import pooch

    target = Path(folder) if folder is not None else Path(pooch.os_cache("sinkrisk"))
    if target.exists() and not target.is_dir():
        raise InputError(Problem("the folder to download into is a file", got=str(target)))
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(Problem("the folder to download into cannot be made", got=str(target))) from error
    _spare(target / name, digest)
    part = target / f".{name}.{digest[:12]}.part"
    pooch.get_logger().setLevel("WARNING")
    for attempt in (1, 2):
        resumed = part.exists()
        try:
            found = pooch.retrieve(
                address,
                known_hash=f"sha256:{digest}",
                fname=name,
                path=target,
                downloader=_Resuming(part, progress),
            )
        except ValueError as error:
            page = _is_page(part)
            part.unlink(missing_ok=True)
            # What an earlier attempt left may belong to another file: once more from the beginning.
            if resumed and attempt == 1:
                continue
            raise InputError(_mismatch(address, digest, page)) from error
        part.unlink(missing_ok=True)
        # pooch's temporary file is its owner's alone; a data folder is often shared.
        os.chmod(found, 0o644)
        return Path(found)
    raise AssertionError("unreachable: the second attempt returns or raises")


def _spare(target: Path, digest: str) -> None:
    """Refuse to write over a file that is not the one asked for: it may be the user's own."""
    if target.is_dir() or (target.exists() and files.sha256_of(target) != digest):
        raise InputError(
            Problem(
                "something else stands where the download would go",
                got=str(target),
                hint="move it aside, or choose another folder with --to",
            )
        )


def _wanted(release: str | int | None, url: str | None, sha256: str | None) -> tuple[str, str, str]:
    """Return address, hash and file name; every problem of the request at once."""
    from sinkrisk.priors.tables import load_table

    found = Problems()
    known = {str(row["release"]): row for row in load_table("releases").to_dict("records")}
    digest = None
    if sha256 is not None:
        match = _SHA256.fullmatch(sha256.strip())
        if match is None:
            found.add("not a SHA-256", got=sha256, allowed="64 hexadecimal digits", key="--sha256")
        else:
            digest = match[1].lower()
    if url is not None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            found.add("not a web address", got=url, allowed="http://... or https://...", key="--url")
    row = known.get(str(release)) if release is not None else None
    if release is not None and row is None and (url is None or sha256 is None):
        hint = "for any other give --url with --sha256, the hash its publisher states"
        found.add(
            "no hash is known for this release",
            got=str(release),
            allowed=sorted(known),
            key="--release",
            hint=hint,
        )
    elif release is None and (url is None or sha256 is None):
        missing = "--sha256" if url is not None else "--url" if sha256 is not None else "--release"
        found.add("not enough to download by", allowed="--release, or --url with --sha256", key=missing)
    if row is not None and digest is not None and digest != row["sha256"]:
        found.add("another hash than the release's", got=sha256, allowed=str(row["sha256"]), key="--sha256")
    found.raise_if_any()
    if row is not None:
        return url or str(row["url"]), str(row["sha256"]), str(row["file"])
    assert url is not None
    assert digest is not None
    name = urllib.parse.unquote(Path(urllib.parse.urlsplit(url).path).name)
    name = re.sub(r"[^\w.() -]", "_", name).lstrip(".")
    if not name.lower().endswith(".xlsx"):
        of = str(release) if release is not None else digest[:12]
        name = f"Global_Carbon_Budget_{re.sub(r'[^0-9A-Za-z]', '_', of)}.xlsx"
    return url, digest, name


def _is_page(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as handle:
        return b"<html" in handle.read(2048).lower()


def _mismatch(address: str, digest: str, page: bool) -> Problem:
    hint = "the file was removed; a new version? Compare before you use another hash"
    if page:
        hint = (
            "the server sent a web page: open the address in a browser, accept the licence, save the "
            "workbook, and look at it with `sinkrisk data check FILE`"
        )
    return Problem("the downloaded file has another SHA-256", got=address, allowed=digest, hint=hint)


class _Resuming:
    """A downloader for pooch that goes on from a ``.part`` file with an HTTP range."""

    def __init__(self, part: Path, progress: Callable[[int, int | None], None] | None) -> None:
        self.part = part
        self.progress = progress

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> None:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        try:
            self._download(opener, url)
        except urllib.error.HTTPError as error:
            raise FetchError(f"{url}: the server answers {error.code} {error.reason}") from error
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            held = self.part.stat().st_size if self.part.exists() else 0
            again = "start the same command again to go on"
            raise FetchError(f"{url}: the download stopped after {held} bytes ({error}); {again}") from error
        if hasattr(output_file, "write"):
            with self.part.open("rb") as source:
                shutil.copyfileobj(source, output_file)
        else:
            shutil.copyfile(self.part, output_file)

    def _download(self, opener: urllib.request.OpenerDirector, url: str) -> None:
        held = self.part.stat().st_size if self.part.exists() else 0
        request = urllib.request.Request(
            url, headers={"User-Agent": "sinkrisk", "Accept-Encoding": "identity"}
        )
        if held:
            request.add_header("Range", f"bytes={held}-")
        try:
            response = opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code != _HTTP_RANGE_REFUSED or not held:
                raise
            # Nothing lies beyond what is held: it is whole, or of another file. The hash decides.
            error.close()
            return
        with response:
            partial = response.status == http.client.PARTIAL_CONTENT
            start = held if partial else 0
            if partial and not str(response.headers.get("Content-Range", "")).startswith(f"bytes {held}-"):
                raise http.client.HTTPException("the server sent another range than asked for")
            length = response.headers.get("Content-Length")
            total = start + int(length) if length and length.isdigit() else None
            self._store(response, start, total)

    def _store(self, response: Any, start: int, total: int | None) -> None:
        held = start
        with self.part.open("ab" if start else "wb") as handle:
            while piece := response.read(_CHUNK):
                held += len(piece)
                if held > MAX_DOWNLOAD_BYTES:
                    raise http.client.HTTPException(
                        f"more than {MAX_DOWNLOAD_BYTES} bytes: no workbook is that large"
                    )
                handle.write(piece)
                if self.progress is not None:
                    self.progress(held, total)
        if total is not None and held < total:
            raise http.client.HTTPException(f"the connection closed after {held} of {total} bytes")
