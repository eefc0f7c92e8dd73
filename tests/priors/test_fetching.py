"""Downloads from a local file server: resumed after an interruption, compared by hash, all or nothing."""

import hashlib
import http.server
import threading

import pytest

from sinkrisk import cli, priors
from sinkrisk.errors import InputError
from sinkrisk.priors import fetching

CONTENT = bytes(range(256)) * 2000
HASH = hashlib.sha256(CONTENT).hexdigest()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    content = CONTENT
    breaks_after = None
    ranges = True
    status = 200

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/files/Global_Carbon_Budget_2022v1.0.xlsx"


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        if server.status != 200:
            self.send_error(server.status)
            return
        if start >= len(server.content) > 0 and asked and server.ranges:
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}"
            )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.breaks_after is not None:
            body = body[: server.breaks_after]
        self.wfile.write(body)


@pytest.fixture
def server():
    one = _Server()
    thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield one
    one.shutdown()
    thread.join()
    one.server_close()


def _files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_once_and_put_in_place_whole(server, tmp_path):
    seen = []
    path = priors.fetch_release(
        url=server.url,
        sha256=HASH,
        folder=tmp_path / "new",
        progress=lambda held, total: seen.append((held, total)),
    )
    assert path.read_bytes() == CONTENT
    assert _files(tmp_path / "new") == ["Global_Carbon_Budget_2022v1.0.xlsx"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    again = priors.fetch_release(url=server.url, sha256=f"sha256:{HASH.upper()}", folder=tmp_path / "new")
    assert again == path
    assert server.asked == [None]


def test_an_interrupted_download_goes_on_where_it_stopped(server, tmp_path):
    server.breaks_after = 100_000
    with pytest.raises(priors.FetchError, match=r"stopped after 100000 bytes.*start the same command again"):
        priors.fetch_release(url=server.url, sha256=HASH, folder=tmp_path)
    # Nothing under the final name: only what has come, kept aside.
    assert [name.endswith(".part") for name in _files(tmp_path)] == [True]
    with pytest.raises(priors.FetchError, match="stopped after 200000 bytes"):
        priors.fetch_release(url=server.url, sha256=HASH, folder=tmp_path)
    server.breaks_after = None
    path = priors.fetch_release(url=server.url, sha256=HASH, folder=tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=200000-"]
    assert _files(tmp_path) == [path.name]


def test_a_server_without_ranges_is_read_from_the_start(server, tmp_path):
    server.breaks_after = 100_000
    with pytest.raises(priors.FetchError):
        priors.fetch_release(url=server.url, sha256=HASH, folder=tmp_path)
    server.breaks_after, server.ranges = None, False
    assert priors.fetch_release(url=server.url, sha256=HASH, folder=tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_used(server, tmp_path):
    part = tmp_path / f".Global_Carbon_Budget_2022v1.0.xlsx.{HASH[:12]}.part"
    part.write_bytes(CONTENT)
    assert priors.fetch_release(url=server.url, sha256=HASH, folder=tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


def test_a_part_of_another_file_is_thrown_away_once(server, tmp_path):
    part = tmp_path / f".Global_Carbon_Budget_2022v1.0.xlsx.{HASH[:12]}.part"
    part.write_bytes(b"something else entirely")
    assert priors.fetch_release(url=server.url, sha256=HASH, folder=tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=23-", None]


def test_another_content_is_refused_and_removed(server, tmp_path):
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(InputError, match="has another SHA-256"):
        priors.fetch_release(url=server.url, sha256=HASH, folder=tmp_path)
    assert _files(tmp_path) == []
    server.content = b"<html>Please accept the licence</html>"
    with pytest.raises(InputError, match="sent a web page: open the address in a browser"):
        priors.fetch_release(url=server.url, sha256=HASH, folder=tmp_path)
    assert _files(tmp_path) == []


def test_a_file_too_large_is_not_taken(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "MAX_DOWNLOAD_BYTES", 300_000)
    with pytest.raises(priors.FetchError, match="more than 300000 bytes"):
        priors.fetch_release(url=server.url, sha256=HASH, folder=tmp_path)


def test_a_server_that_refuses_or_is_not_there(server, tmp_path):
    server.status = 404
    with pytest.raises(priors.FetchError, match="answers 404"):
        priors.fetch_release(url=server.url, sha256=HASH, folder=tmp_path)
    with pytest.raises(priors.FetchError, match="stopped after 0 bytes"):
        priors.fetch_release(url="http://127.0.0.1:9/x.xlsx", sha256=HASH, folder=tmp_path)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"release": "2022"}, "no hash is known for this release: got '2022'; allowed: 2023, 2024"),
        ({"release": 2022, "url": "http://a/x.xlsx"}, "give --url with --sha256"),
        ({}, "allowed: --release, or --url with --sha256"),
        ({"url": "http://a/x.xlsx"}, "key '--sha256': not enough"),
        ({"sha256": HASH}, "key '--url': not enough"),
        ({"url": "file:///etc/passwd", "sha256": HASH}, "not a web address"),
        ({"url": "http://a/x.xlsx", "sha256": "abc"}, "not a SHA-256: got 'abc'"),
        ({"release": "2024", "sha256": HASH}, "another hash than the release's"),
    ],
)
def test_what_cannot_be_fetched_is_refused_before_anything_is_asked(request_, words, tmp_path):
    with pytest.raises(InputError) as caught:
        priors.fetch_release(**request_, folder=tmp_path)
    assert words in str(caught.value)
    assert _files(tmp_path) == []


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="the folder to download into is a file"):
        priors.fetch_release(url="http://127.0.0.1:9/x.xlsx", sha256=HASH, folder=tmp_path / "f")


def test_the_registry_holds_the_two_hashed_releases_and_a_mirror_must_match_them(server, tmp_path, official):
    known = priors.load_table("releases")
    assert known["release"].tolist() == ["2023", "2024"]
    sources = (official / "SOURCES.md").read_text(encoding="utf-8")
    for row in known.to_dict("records"):
        assert (
            f"| {row['file']} | GCB{row['release']} v{row['version']} | {row['doi']} | {row['sha256']} |"
            in sources
        )
    server.content = (official / "Global_Carbon_Budget_2024_v1.0.xlsx").read_bytes()
    path = priors.fetch_release(2024, url=server.url, folder=tmp_path)
    assert path.name == "Global_Carbon_Budget_2024_v1.0.xlsx"
    with pytest.raises(InputError, match="has another SHA-256"):
        priors.fetch_release(2023, url=server.url, folder=tmp_path)
    assert _files(tmp_path) == [path.name]


def test_the_commands(server, tmp_path, workbooks, capsys):
    server.content = workbooks["2020"][0].read_bytes()
    digest = hashlib.sha256(server.content).hexdigest()
    fetch = ["data", "fetch", "--url", server.url, "--sha256", digest, "--to", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        cli.main(fetch)
    assert ended.value.code == 0
    path = capsys.readouterr().out.strip()
    assert path == str(tmp_path / "Global_Carbon_Budget_2022v1.0.xlsx")
    with pytest.raises(SystemExit) as ended:
        cli.main(["data", "check", path])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "ok    closure: 61 years, 1959-2019" in text
    assert "left out: " in text
    (tmp_path / "cut.xlsx").write_bytes(server.content[:5000])
    for arguments, code, words in (
        (["data", "check", str(tmp_path / "cut.xlsx")], 2, "not a readable zip archive"),
        (["data", "fetch", "--release", "2019"], 2, "no hash is known"),
        (
            ["data", "fetch", "--url", "http://127.0.0.1:9/x.xlsx", "--sha256", HASH, "--to", str(tmp_path)],
            2,
            "stopped",
        ),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == code
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("sinkrisk: ")
        assert words in captured.err


def test_a_file_of_the_users_own_is_not_overwritten(server, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    mine = folder / server.url.rsplit("/", 1)[1]
    mine.write_text("my own notes")
    with pytest.raises(InputError, match="something else stands where the download would go"):
        priors.fetch_release(url=server.url, sha256=HASH, folder=folder)
    assert mine.read_text() == "my own notes"
