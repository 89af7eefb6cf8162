"""Updates over WiFi against stand-ins that lose answers, files, or themselves; and their order."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from fleet_boards import Wanted, fleet
from hostile_boards import Act, Ended, Stand, by_call, raw, says, whole
from hypothesis import given
from hypothesis import strategies as st
from world import bundle, other_version

from dsmrctl import boards, errors
from dsmrctl.flashing.bundle import Bundle
from dsmrctl.network import updating
from dsmrctl.network.board_client import BoardClient, BoardRefused, NoBoard
from dsmrctl.network.discovery import Found

PAGE = "index.html.gz"
NEW = other_version({PAGE: b"a new page", "more.mpy": b"a new module"})
OLD_FW, NEW_FW = "1.0.0", NEW.version
GAVE_UP = "the version in b did not confirm itself\n"


class Bar:
    """What the progress was told."""

    def __init__(self) -> None:
        self.total = 0
        self.done: list[int] = []

    def stage(self, name: str) -> None:
        pass

    def to(self, done: int) -> None:
        self.done.append(done)


class Taker:
    """A stand-in that takes an update: `answers` by the turn of each POST, and of each PUT."""

    def __init__(self, posts: list[Act], puts: list[Act]) -> None:
        self.posts, self.puts = posts, puts

    def __call__(self, line: socket.socket, request: bytes, ended: Ended) -> None:
        left = self.posts if request.startswith(b"POST ") else self.puts
        (left.pop(0) if len(left) > 1 else left[0])(line, request, ended)


def lacks(*paths: str) -> Act:
    return says({"error": "files are missing", "missing": list(paths)}, 409)


TAKEN, RESTARTS, LOST = says({}), says({}, 202), raw(b"")
SPOILT = says({"error": "the file that came is not the one of X-SHA256"}, 409)


def client(stand: Stand) -> BoardClient:
    return BoardClient(stand.address, stand.port, who="lamp", timeout=5)


def asked(stand: Stand) -> list[str]:
    return [request.split(b" HTTP")[0].decode() for request in stand.asked]


PUT_PAGE, PUT_MORE = f"PUT /api/files/{PAGE}", "PUT /api/files/more.mpy"


def test_what_is_missing_is_sent_and_the_list_only_once() -> None:
    bar = Bar()
    with Stand(Taker([lacks(PAGE, "more.mpy"), RESTARTS], [TAKEN])) as stand:
        sent = updating.send(client(stand), NEW, bar)
        calls = asked(stand)
        lists = [request for request in stand.asked if NEW.listing() in request]
        page = next(each for each in stand.asked if each.startswith(b"PUT"))
    assert sent == ([PAGE, "more.mpy"], 22)
    assert calls == ["POST /api/update", PUT_PAGE, PUT_MORE, "POST /api/update"]
    assert len(lists) == 1
    assert hashlib.sha256(b"a new page").hexdigest().encode() in page
    assert (bar.total, bar.done) == (22, [10, 22])


def test_a_file_that_was_lost_is_sent_again() -> None:
    posts = [lacks(PAGE, "more.mpy"), lacks("more.mpy"), RESTARTS]
    with Stand(Taker(posts, [TAKEN])) as stand:
        assert updating.send(client(stand), NEW, Bar()).files == [PAGE, "more.mpy", "more.mpy"]


def test_a_board_that_loses_all_it_is_sent_is_given_up() -> None:
    with Stand(Taker([lacks(PAGE)], [TAKEN])) as stand:
        with pytest.raises(errors.DsmrError, match="loses the files") as raised:
            updating.send(client(stand), NEW, Bar())
        assert asked(stand).count(PUT_PAGE) <= 5
    assert raised.value.exit_code == errors.FAILED


@pytest.mark.parametrize("spoilt", [1, 2, 3])
def test_a_file_spoilt_on_the_way_is_sent_twice_more(spoilt: int) -> None:
    with Stand(Taker([lacks(PAGE), RESTARTS], [SPOILT] * spoilt + [TAKEN])) as stand:
        if spoilt < 3:
            assert updating.send(client(stand), NEW, Bar()).files == [PAGE]
        else:
            with pytest.raises(BoardRefused):
                updating.send(client(stand), NEW, Bar())
        assert asked(stand).count(PUT_PAGE) == min(spoilt + 1, 3)


def test_firmware_that_wants_the_list_whole_each_time_gets_it() -> None:
    wants = says({"error": "the body is …"}, 400)
    with Stand(Taker([lacks(PAGE), wants, RESTARTS], [TAKEN])) as stand:
        assert updating.send(client(stand), NEW, Bar()).files == [PAGE]
        assert sum(NEW.listing() in request for request in stand.asked) == 2


@pytest.mark.parametrize("missing", [["../boot.py"], ["/etc/passwd", PAGE], [5], [[]], []])
def test_only_what_was_named_is_ever_sent(missing: list[Any]) -> None:
    with Stand(Taker([says({"error": "no", "missing": missing}, 409)], [TAKEN])) as stand:
        with pytest.raises((NoBoard, BoardRefused)):
            updating.send(client(stand), NEW, Bar())
        assert not any(call.startswith("PUT") for call in asked(stand))


OLD, EITHER = "it goes on with its old version;", "or with the new one when it had all of it"


@pytest.mark.parametrize(
    "posts, puts, told",
    [
        ([LOST], [TAKEN], EITHER),
        ([lacks(PAGE), LOST], [TAKEN], EITHER),
        ([lacks(PAGE, "more.mpy")], [LOST], OLD),
        ([lacks(PAGE, "more.mpy")], [TAKEN, LOST], OLD),
    ],
    ids=["the first list", "the last list", "the first file", "another file"],
)
def test_a_board_that_goes_is_told_with_what_it_runs_then(
    posts: list[Act], puts: list[Act], told: str
) -> None:
    with Stand(Taker(list(posts), list(puts))) as stand, pytest.raises(updating.CutShort) as raised:
        updating.send(client(stand), NEW, Bar())
    assert raised.value.exit_code == errors.NO_ANSWER
    assert told in str(raised.value.hint)
    assert "run this again" in str(raised.value.hint)


def test_a_board_that_is_not_there_has_its_old_version() -> None:
    with Stand(TAKEN) as stand:
        absent = client(stand)
    with pytest.raises(updating.CutShort) as raised:
        updating.send(absent, NEW, Bar())
    assert OLD in str(raised.value.hint)


# The clock of `watch`: it passes only where that waits.


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def found(stand: Stand) -> Found:
    return Found("lamp", stand.address, stand.port, "blink", "esp01s", OLD_FW, "a1b202", "l.local")


def info(fw: str, uptime_s: int, unconfirmed: bool = False, ident: str = "a1b202") -> Any:
    return {"id": ident, "fw": fw, "uptime_s": uptime_s, "unconfirmed": unconfirmed}


class Watched:
    """A stand-in whose info is another at each question, the last for ever; with a log."""

    def __init__(self, *infos: Any, log: str | None = "") -> None:
        self.infos, self.log = list(infos), log

    def __call__(self, line: socket.socket, request: bytes, ended: Ended) -> None:
        if b"/api/log" in request:
            line.sendall(b"" if self.log is None else whole(self.log.encode()))
            return
        now = self.infos.pop(0) if len(self.infos) > 1 else self.infos[0]
        line.sendall(b"" if now is None else whole(json.dumps(now).encode()))


BEFORE = info(OLD_FW, 500) | {"log": ""}


def watched(
    board: Watched, before: dict[str, Any] = BEFORE, new: Bundle = NEW, **more: Any
) -> updating.Outcome:
    passing = Time()
    with Stand(board) as stand:
        return updating.watch(
            found(stand), new, before, nic="lo", clock=passing.clock, sleep=passing.sleep, **more
        )


def test_it_is_waited_for_till_it_holds() -> None:
    told: list[str] = []
    trial = [info(NEW_FW, 3, True), info(NEW_FW, 29, True)]
    board = Watched(info(OLD_FW, 501), None, *trial, info(NEW_FW, 31))
    assert watched(board, told=told.append) == ("holds", NEW_FW, "")
    assert told == ["restarting", "on trial"]
    assert len(board.infos) == 1


@pytest.mark.parametrize("odd", [None, info(OLD_FW, 501, ident="ffffff")], ids=["lost", "another"])
def test_one_lost_answer_before_the_restart_is_no_restart(odd: Any) -> None:
    # Then it answers as before: were it taken for restarted, it would seem to have fallen back.
    board = Watched(odd, info(OLD_FW, 502), info(NEW_FW, 31))
    assert watched(board).end == "holds"


def test_a_board_that_had_just_started_is_not_taken_for_one_that_fell_back() -> None:
    before = info(OLD_FW, 0) | {"log": ""}
    board = Watched(*(info(OLD_FW, second) for second in (1, 2)), info(NEW_FW, 31))
    assert watched(board, before).end == "holds"


@pytest.mark.soak
def test_a_restart_is_seen_when_it_runs_for_longer_than_before_too() -> None:
    before = info(OLD_FW, 3) | {"log": ""}
    outcome = watched(Watched(*[None] * 20, info(OLD_FW, 10)), before)
    assert outcome.end == "fell back"


def test_the_old_version_again_is_told_with_what_is_new_in_its_log() -> None:
    long_ago = "crash long ago\n" + GAVE_UP
    why = "ValueError: a version that crashes\n" + GAVE_UP
    before = BEFORE | {"log": long_ago}
    outcome = watched(Watched(None, info(OLD_FW, 4), log=long_ago + why), before)
    assert outcome == ("fell back", OLD_FW, why.strip())


def test_a_log_that_has_lost_its_first_lines_tells_what_is_new_all_the_same() -> None:
    lines = [f"crash {number}\n" for number in range(30)]
    then, kept = "".join(lines), "".join(lines[12:])
    before = BEFORE | {"log": then}
    outcome = watched(Watched(info(OLD_FW, 4), log=kept + "new\n" + GAVE_UP), before)
    assert outcome.log == "new\n" + GAVE_UP.strip()


@pytest.mark.parametrize("log, end", [(GAVE_UP, "holds"), (GAVE_UP * 2, "fell back")])
def test_of_two_builds_of_one_version_the_log_tells_which_runs(log: str, end: str) -> None:
    same = other_version({PAGE: b"another page"}, OLD_FW)
    before = BEFORE | {"log": GAVE_UP}
    assert watched(Watched(info(OLD_FW, 31), log=log), before, same).end == end


def test_a_log_that_was_not_told_before_blames_nobody() -> None:
    same = other_version({PAGE: b"another page"}, OLD_FW)
    before = BEFORE | {"log": None}
    assert watched(Watched(info(OLD_FW, 31), log=GAVE_UP), before, same).end == "holds"


def test_its_verdict_needs_no_log() -> None:
    assert watched(Watched(info(OLD_FW, 4), log=None)) == ("fell back", OLD_FW, "")


def test_a_board_on_trial_from_before_is_waited_for() -> None:
    told: list[str] = []
    board = Watched(info(NEW_FW, 20, True), info(NEW_FW, 31))
    assert watched(board, {}, told=told.append).end == "holds"
    assert told == ["on trial"]
    assert watched(Watched(None, info(OLD_FW, 9)), {}).end == "fell back"


@pytest.mark.slow
def test_a_board_that_does_not_come_back_ends_with_the_timeout() -> None:
    with pytest.raises(updating.NotBack, match=r"did not come back within 5 s") as raised:
        watched(Watched(None), timeout=5)
    assert raised.value.exit_code == errors.NO_ANSWER


@pytest.mark.parametrize("timeout", [5, 600])
@pytest.mark.slow
def test_a_board_that_is_never_sure_of_itself_ends_too(timeout: int) -> None:
    board = Watched(info(NEW_FW, 3, True))
    with pytest.raises(updating.NotBack, match="has not confirmed"):
        watched(board, timeout=timeout)


@pytest.mark.parametrize("odd", [{}, {"id": "a1b202"}, {"id": "a1b202", "fw": 5, "uptime_s": []}])
def test_what_it_says_may_have_any_form(odd: dict[str, Any]) -> None:
    board = Watched(odd, odd, odd)
    try:
        assert watched(board, timeout=3).end in ("fell back", "holds")
    except errors.DsmrError:
        pass


@pytest.mark.slow
def test_nobody_is_told_the_password_for_what_is_read() -> None:
    with Stand(says({"error": "the password, please"}, 401)) as stand:
        passing = Time()
        with pytest.raises(updating.NotBack):
            updating.watch(
                found(stand), NEW, BEFORE,
                nic="lo", timeout=4, clock=passing.clock, sleep=passing.sleep,
            )  # fmt: skip
        assert stand.asked
        assert not any(b"authorization" in request.lower() for request in stand.asked)


@pytest.mark.slow
def test_a_board_with_another_address_is_found_by_its_id(tmp_path: Path) -> None:
    other = by_call(info=info(NEW_FW, 40, ident="ffffff"))
    with fleet(tmp_path, Wanted("blink", "lamp")) as home, Stand(other) as stand:
        board = home.found({"lamp"})["lamp"]
        moved = board._replace(address=stand.address, port=stand.port)
        passing = Time()
        outcome = updating.watch(
            moved, bundle(), {}, nic="lo", clock=passing.clock, sleep=passing.sleep
        )
        assert outcome.end == "holds"
        assert stand.asked


def made(kind: str, needs: dict[str, str]) -> tuple[Found, Bundle]:
    manifest = {"board": kind, "version": "1.0.0", "hardware": ["v1"], "needs": needs}
    return Found(f"my {kind}", "", 80, kind, "v1", "0.1.0", kind, ""), Bundle(manifest, {})


KINDS = sorted(boards.BOARDS)


@given(
    st.permutations(KINDS),
    st.permutations(KINDS),
    st.sets(st.sampled_from(list(combinations(range(len(KINDS)), 2)))),
)
def test_what_a_board_needs_goes_before_it_and_readers_before_the_sender(
    rank: list[str], given_: list[str], pairs: set[tuple[int, int]]
) -> None:
    needs: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for first, then in pairs:
        needs[rank[then]][rank[first]] = ">=1.0.0"
    order = [one.board for one, _ in updating.order([made(kind, needs[kind]) for kind in given_])]
    assert sorted(order) == KINDS
    for kind, wants in needs.items():
        for want in wants:
            assert order.index(want) < order.index(kind), (kind, want)
    if not any("interface" in wants for wants in needs.values()):
        assert order[-1] == "interface"


def test_boards_that_need_each_other_have_an_order_too() -> None:
    both = [made("interface", {"monitor": ">=1.0.0"}), made("monitor", {"interface": ">=1.0.0"})]
    assert [one.board for one, _ in updating.order(both)] == ["monitor", "interface"]


def test_two_of_a_kind_do_not_wait_for_each_other() -> None:
    two = [made("monitor", {"monitor": ">=1.0.0"})] * 2
    waits = made("miniswitch", {"monitor": ">=1.0.0"})
    order = [one.board for one, _ in updating.order([waits, *two])]
    assert order == ["monitor", "monitor", "miniswitch"]


@pytest.mark.parametrize(
    "change, why",
    [
        (lambda one: one._replace(board="monitor"), "is not for a monitor"),
        (lambda one: one._replace(hardware="v9"), "this board is a v9"),
    ],
    ids=["kind", "hardware"],
)
def test_a_bundle_for_another_board_is_refused(change: Callable[[Found], Found], why: str) -> None:
    board, new = made("switcher", {})
    updating.check(board, new)
    with pytest.raises(errors.UsageError, match=why):
        updating.check(change(board), new)
