"""`recordings.download`: whole files, whatever happens on the way."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from odyssey import (
    Odyssey,
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyServerError,
    OdysseyTimeoutError,
    RateLimitError,
    Recording,
)
from tests.support.downloads import VIDEO, storage, target, untouched
from tests.support.servers import short_pauses
from tests.support.storage import (
    STREAM,
    Cut,
    NoRange,
    OtherRange,
    Refusal,
    Short,
    Storage,
    client,
    client_of,
)

__all__ = ["client", "short_pauses", "storage", "target"]


def test_a_file(client: Odyssey, storage: Storage, target: Path) -> None:
    assert client.recordings.download(STREAM, target) == target
    assert target.read_bytes() == VIDEO
    assert list(target.parent.iterdir()) == [target]
    (asked,) = storage.asked
    assert asked.headers["Accept-Encoding"] == "identity"
    assert not {"Authorization", "Range"} & set(asked.headers)


def test_no_password_of_netrc_goes_to_the_storage(
    client: Odyssey, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client.recordings.download(STREAM, tmp_path / "video.mp4")
    assert "Authorization" not in storage.asked[0].headers


@pytest.mark.parametrize(
    ("artifact", "name"),
    [
        ("video", f"{STREAM}.mp4"),
        ("events", f"{STREAM}.jsonl"),
        ("thumbnail", f"{STREAM}.jpg"),
        ("preview", f"{STREAM}-preview.mp4"),
    ],
)
def test_a_folder_names_the_file(
    client: Odyssey, storage: Storage, tmp_path: Path, artifact: str, name: str
) -> None:
    assert client.recordings.download(STREAM, tmp_path, artifact) == tmp_path / name
    assert (tmp_path / name).read_bytes() == storage.files[artifact].data


def test_folders_are_made(client: Odyssey, tmp_path: Path) -> None:
    made = client.recordings.download(STREAM, f"{tmp_path}/a/b/", "events")
    assert made == tmp_path / "a" / "b" / f"{STREAM}.jsonl"
    assert made.is_file()
    named = client.recordings.download(STREAM, tmp_path / "c" / "d.jsonl", "events")
    assert named.is_file()


@pytest.mark.parametrize("stream_id", ["../../up", "a/b", "what?x=1", "with space", "%2e%2e"])
def test_ids_can_reach_neither_another_endpoint_nor_another_folder(
    client: Odyssey, storage: Storage, tmp_path: Path, stream_id: str
) -> None:
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    path = client.recordings.download(stream_id, folder, "events")
    assert path.parent == folder
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
    (asked,) = storage.lookups
    assert asked.startswith("/recordings/")
    assert asked.count("/") == 2
    assert "?" not in asked


@pytest.mark.parametrize(
    "stream_id",
    [
        *("CON", "con", "Nul.mp4", "aux.tar.gz", "COM1", "lpt9", "prn"),
        *("-rf", "-", "x" * 201, "\N{GRINNING FACE}" * 20),
    ],
)
def test_ids_that_are_no_names_of_files(
    client: Odyssey, storage: Storage, tmp_path: Path, stream_id: str
) -> None:
    """Devices of Windows, options of commands, and what is too long; a name can be given."""
    for folder in (tmp_path, f"{tmp_path}/made/"):
        with pytest.raises(ValueError, match="can't be the name of a file") as caught:
            client.recordings.download(stream_id, folder, "events")
    assert len(str(caught.value)) < 300
    assert list(tmp_path.iterdir()) == []
    assert client.recordings.download(stream_id, tmp_path / "mine", "events").is_file()


def test_ids_that_are_nearly_devices(client: Odyssey, tmp_path: Path) -> None:
    for stream_id in ("console", "com", "com10", "nul-1", "x" * 200):
        assert client.recordings.download(stream_id, tmp_path, "events").parent == tmp_path


def test_an_id_of_any_length_is_none(client: Odyssey, storage: Storage) -> None:
    with pytest.raises(ValueError, match="stream_id must be an id") as caught:
        client.recordings.get("x" * 100_000)
    assert len(str(caught.value)) < 300
    assert storage.lookups == []


@pytest.mark.parametrize("stream_id", ["", ".", "..", "  "])
def test_what_is_no_id_is_refused(client: Odyssey, storage: Storage, stream_id: str) -> None:
    with pytest.raises(ValueError, match="stream_id must be an id"):
        client.recordings.download(stream_id, "x.mp4")
    assert storage.lookups == []


def test_a_recording_is_not_looked_up_again(
    client: Odyssey, storage: Storage, tmp_path: Path
) -> None:
    recording = client.recordings.get(STREAM)
    client.recordings.download(recording, tmp_path / "a.mp4")
    client.recordings.download(recording, tmp_path / "b.mp4")
    assert len(storage.lookups) == 1


def test_no_key_is_needed_for_a_recording_that_is_known(storage: Storage, tmp_path: Path) -> None:
    with client_of(storage) as client:
        recording = client.recordings.get(STREAM)
    with Odyssey(api_url=storage.url) as keyless:
        keyless.recordings.download(recording, tmp_path / "a.mp4")
        storage.expire()
        with pytest.raises(ValueError, match="needs an API key"):
            keyless.recordings.download(recording, tmp_path / "b.mp4")


# Cuts.


def test_it_goes_on_after_cuts(client: Odyssey, storage: Storage, target: Path) -> None:
    storage.script = [Cut(1_000_000), Cut(0), Cut(500_000), Cut(1)]
    client.recordings.download(STREAM, target)
    assert target.read_bytes() == VIDEO
    assert storage.ranges_asked[0] is None
    assert storage.ranges_asked[1] == storage.ranges_asked[2] == "bytes=1000000-"
    assert storage.ranges_asked[3:] == ["bytes=1500000-", "bytes=1500001-"]
    assert {asked.headers.get("If-Range") for asked in storage.asked[1:]} == {'"v1"'}


def test_any_number_of_cuts_with_progress(client: Odyssey, storage: Storage, target: Path) -> None:
    storage.script = [Cut(100_000) for _ in range(20)]
    client.recordings.download(STREAM, target)
    assert target.read_bytes() == VIDEO
    assert len(storage.asked) == 21


@pytest.mark.parametrize("first", [Cut(0), Cut(70_000), Short(70_000)])
def test_cuts_without_progress_are_given_up(
    client: Odyssey, storage: Storage, target: Path, first: Cut
) -> None:
    storage.script = [first, *[Cut(0)] * 50]
    storage.go_on.set()
    with pytest.raises(OdysseyConnectionError, match=f"could not read the video of .*{STREAM}"):
        client.recordings.download(STREAM, target)
    assert untouched(target)
    assert len(storage.asked) <= 5


def test_a_server_without_ranges_starts_over(
    client: Odyssey, storage: Storage, target: Path
) -> None:
    storage.script = [Cut(1_000_000), NoRange()]
    seen: list[int] = []
    client.recordings.download(STREAM, target, progress=lambda done, _: seen.append(done))
    assert target.read_bytes() == VIDEO
    assert len(storage.asked) == 2
    assert seen.count(0) == 2
    assert seen[-1] == len(VIDEO)


def test_a_server_without_ranges_that_always_cuts_is_given_up(
    client: Odyssey, storage: Storage, target: Path
) -> None:
    storage.ranges = False
    storage.script = [Cut(1_000_000)] * 100
    with pytest.raises(OdysseyConnectionError):
        client.recordings.download(STREAM, target)
    assert untouched(target)
    assert len(storage.asked) < 10


@pytest.mark.parametrize(
    "wrong",
    [
        OtherRange("bytes 7-2999999/3000000"),
        OtherRange("bytes 1000000-2999999/9999999"),
        OtherRange("lines 1-2/3"),
        Refusal(416, {"Content-Range": "bytes */3000000"}),
    ],
)
def test_a_wrong_range_starts_over(
    client: Odyssey, storage: Storage, target: Path, wrong: OtherRange | Refusal
) -> None:
    storage.script = [Cut(1_000_000), wrong]
    client.recordings.download(STREAM, target)
    assert target.read_bytes() == VIDEO
    assert storage.ranges_asked == [None, "bytes=1000000-", None]


@pytest.mark.parametrize("tag", ['"v2"', None, 'W/"weak"'])
def test_another_version_starts_over(
    client: Odyssey, storage: Storage, target: Path, tag: str | None
) -> None:
    storage.script = [Cut(1_000_000)]
    other = random.Random(2).randbytes(2_000_000)

    def change(done: int, _total: int | None) -> None:
        if done == 1_000_000:
            storage.files["video"].data = other
            storage.files["video"].tag = tag

    client.recordings.download(STREAM, target, progress=change)
    assert target.read_bytes() == other


def test_a_length_that_is_not_told(client: Odyssey, storage: Storage, target: Path) -> None:
    storage.files["video"].tells_length = False
    seen: list[tuple[int, int | None]] = []
    client.recordings.download(STREAM, target, progress=lambda *numbers: seen.append(numbers))
    assert target.read_bytes() == VIDEO
    assert seen[-1] == (len(VIDEO), None)


def test_what_the_storage_keeps_compressed_is_unpacked(
    client: Odyssey, storage: Storage, target: Path
) -> None:
    storage.files["video"].data = gzip.compress(VIDEO)
    storage.files["video"].encoding = "gzip"
    storage.script = [Cut(1_000_000)]
    client.recordings.download(STREAM, target)
    assert target.read_bytes() == VIDEO
    assert storage.ranges_asked == [None, None]


def test_a_packed_file_that_is_cut_is_not_kept(
    client: Odyssey, storage: Storage, target: Path
) -> None:
    """No length is told: only its packing shows that it isn't whole."""
    storage.files["video"].data = gzip.compress(VIDEO)
    storage.files["video"].encoding = "gzip"
    storage.files["video"].tells_length = False
    storage.script = [Cut(1_000_000)]
    client.recordings.download(STREAM, target)
    assert target.read_bytes() == VIDEO
    storage.script = [Cut(1_000_000)] * 10
    with pytest.raises(OdysseyConnectionError):
        client.recordings.download(STREAM, target.with_name("new.mp4"))
    assert not target.with_name("new.mp4").exists()


def test_a_file_is_named_for_what_was_asked_for(
    client: Odyssey, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault: the service's answer names another recording."""
    other = tmp_path / "other.mp4"
    other.write_bytes(b"precious")
    answer = storage.recording
    monkeypatch.setattr(storage, "recording", lambda _: answer("other"))
    assert client.recordings.download(STREAM, tmp_path) == tmp_path / f"{STREAM}.mp4"
    assert other.read_bytes() == b"precious"


def test_an_empty_file(client: Odyssey, storage: Storage, target: Path) -> None:
    storage.files["video"].data = b""
    client.recordings.download(STREAM, target)
    assert target.read_bytes() == b""


# Refusals.


def test_an_expired_address_is_renewed(client: Odyssey, storage: Storage, target: Path) -> None:
    recording = client.recordings.get(STREAM)
    storage.expire()
    client.recordings.download(recording, target)
    assert target.read_bytes() == VIDEO
    assert len(storage.lookups) == 2


def test_it_is_renewed_in_mid_download(client: Odyssey, storage: Storage, target: Path) -> None:
    storage.script = [Cut(1_000_000)]

    def expire(done: int, _total: int | None) -> None:
        if done == 1_000_000:
            storage.expire()

    client.recordings.download(STREAM, target, progress=expire)
    assert target.read_bytes() == VIDEO
    assert storage.ranges_asked == [None, "bytes=1000000-", "bytes=1000000-"]
    assert len(storage.lookups) == 2


def test_it_is_renewed_once(client: Odyssey, storage: Storage, target: Path) -> None:
    storage.script = [Refusal(403)] * 10
    with pytest.raises(OdysseyAuthError, match="the one asked for anew as well"):
        client.recordings.download(STREAM, target)
    assert len(storage.asked) == len(storage.lookups) == 2
    assert untouched(target)


def test_passing_refusals(client: Odyssey, storage: Storage, target: Path) -> None:
    storage.script = [Refusal(503), Refusal(429, {"Retry-After": "0.01"}), Cut(9), Refusal(502)]
    client.recordings.download(STREAM, target)
    assert target.read_bytes() == VIDEO


@pytest.mark.parametrize(
    ("status", "error"),
    [(503, OdysseyServerError), (429, RateLimitError), (404, OdysseyNotFoundError)],
)
def test_lasting_refusals(
    client: Odyssey, storage: Storage, target: Path, status: int, error: type[OdysseyError]
) -> None:
    storage.script = [Refusal(status)] * 10
    with pytest.raises(error, match=f"the video of recording {STREAM}"):
        client.recordings.download(STREAM, target)
    assert len(storage.asked) == (1 if status == 404 else 4)
    assert untouched(target)


def test_a_wait_that_is_too_long_is_not_begun(
    client: Odyssey, storage: Storage, target: Path
) -> None:
    storage.script = [Refusal(503, {"Retry-After": "900"})]
    with pytest.raises(OdysseyServerError):
        client.recordings.download(STREAM, target)


def test_a_stall_is_bounded(storage: Storage, target: Path) -> None:
    storage.script = [Short(100_000)]
    with client_of(storage, timeout=0.2) as client:
        with pytest.raises(OdysseyTimeoutError):
            client.recordings.download(STREAM, target)
        assert untouched(target)
        storage.go_on.set()
        client.recordings.download(STREAM, target)


def test_an_artifact_that_is_missing(client: Odyssey, storage: Storage, target: Path) -> None:
    del storage.files["preview"]
    with pytest.raises(OdysseyNotFoundError, match=f"recording {STREAM} has no preview"):
        client.recordings.download(STREAM, target, "preview")
    with pytest.raises(OdysseyNotFoundError, match="has no video"):
        client.recordings.download(Recording(STREAM), target)
    assert untouched(target)
