"""Whose machine may be loaded: decided before a byte is sent, proven with sockets that count."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.lab import command
from loadtest.lab.target import TargetRefused, check, is_loopback

NOT_FLOODGATE = b'{"info": {"title": "Something else"}}'


class Listener:
    """Listens on every address of this machine, counts who comes, and answers everything alike."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("0.0.0.0", 0))
        self.port = self._socket.getsockname()[1]
        self.heard: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Whoever came before this is counted, because connections are accepted in their order.
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"END\r\n\r\n")
            self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                request = connection.recv(65536)
                if request.startswith(b"END"):
                    return
                self.heard.append(request)
                connection.sendall(self._answer)


def answering(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


@contextmanager
def listening(answer: bytes) -> Iterator[Listener]:
    with Listener(answer) as listener:
        yield listener


def play_against(url: str, *words: str) -> int:
    """The whole command with a target; its exit status."""
    return command.main(["concert-drop", "--target", url, "--wechat", url, "--sale", "x", "--plain", *words])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_may_be_loaded(host: str) -> None:
    assert str(check(f"http://{host}:8080", owned=False).port) == "8080"


@pytest.mark.parametrize(
    "host", ["shop.example.com", "localhost.example.com", "10.0.0.5", "0.0.0.0", "2130706433", "[::2]", "127.1"]
)
def test_another_machine_needs_the_word_of_its_owner(host: str) -> None:
    with pytest.raises(TargetRefused, match="--i-own-this-target"):
        check(f"http://{host}:8080", owned=False)
    assert check(f"http://{host}:8080", owned=True).port == 8080


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://", "https://127.0.0.1", "", "http://[::"])
def test_what_is_no_address_of_a_plain_http_server_is_refused_even_from_its_owner(url: str) -> None:
    with pytest.raises(TargetRefused):
        check(url, owned=True)


@given(st.ip_addresses(v=4))
def test_of_all_ipv4_addresses_only_127_is_this_machine(address: object) -> None:
    assert is_loopback(str(address)) == str(address).startswith("127.")


@given(st.from_regex(r"[a-z][a-z0-9.-]{0,30}", fullmatch=True))
def test_of_all_names_only_localhost_is_this_machine(name: str) -> None:
    assert is_loopback(name) == (name == "localhost")


@pytest.mark.parametrize("host", ["0.0.0.0", "2130706433"])
def test_nothing_is_sent_to_a_target_that_nobody_owns(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Both names lead to this machine, but do not say so: had anything been sent, it would have arrived."""
    with listening(answering("200 OK", NOT_FLOODGATE)) as listener:
        assert play_against(f"http://{host}:{listener.port}") == 2
    assert listener.heard == []
    assert "--i-own-this-target" in capsys.readouterr().err


def test_a_foreign_admin_listener_is_refused_before_the_engine_hears_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLOODGATE_ADMIN_KEY", "key")
    with listening(answering("200 OK", NOT_FLOODGATE)) as listener:
        assert play_against(f"http://127.0.0.1:{listener.port}", "--admin", "http://10.0.0.5:9100") == 2
    assert listener.heard == []


def test_one_request_shows_that_a_target_is_not_floodgate(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(answering("200 OK", NOT_FLOODGATE)) as listener:
        assert play_against(f"http://127.0.0.1:{listener.port}") == 2
    (request,) = listener.heard
    assert request.startswith(b"GET /openapi.json ")
    assert "is not Floodgate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "why"),
    [(answering("404 Not Found"), "it answered 404"), (answering("200 OK", b"<html>"), "something else than JSON")],
)
def test_another_server_is_told_by_what_it_answered(
    answer: bytes, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(answer) as listener:
        assert play_against(f"http://127.0.0.1:{listener.port}") == 2
    assert why in capsys.readouterr().err


def test_a_target_that_does_not_run_is_told_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert play_against(f"http://127.0.0.1:{port}") == 2
    assert "/openapi.json does not answer like Floodgate: Connection refused" in capsys.readouterr().err


def test_who_sends_us_elsewhere_is_refused_and_not_followed() -> None:
    with listening(answering("200 OK", NOT_FLOODGATE)) as elsewhere:
        away = f"Location: http://127.0.0.1:{elsewhere.port}/"
        with listening(answering("302 Found", b"", away)) as listener:
            assert play_against(f"http://127.0.0.1:{listener.port}") == 2
    assert (len(listener.heard), len(elsewhere.heard)) == (1, 0)


def test_a_wechat_without_knobs_is_taken_for_the_real_one(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        listening(answering("200 OK", b'{"info": {"title": "Floodgate"}}')) as engine,
        listening(answering("200 OK", b"{}")) as wechat,
    ):
        urls = ["--target", f"http://127.0.0.1:{engine.port}", "--wechat", f"http://127.0.0.1:{wechat.port}"]
        assert command.main(["concert-drop", *urls, "--sale", "x"]) == 2
    assert [request.split(b" ")[1] for request in wechat.heard] == [b"/_admin/faults"]
    assert "never meets the real WeChat" in capsys.readouterr().err
