"""Boards as they answer over HTTP: each ill in its own way, and a household that is well."""

from __future__ import annotations

import socket

from patient import cleared, provoked, seen, sending

from dsmrctl.diagnosis import boards
from dsmrctl.diagnosis.finding import Finding
from dsmrctl.network import census
from dsmrctl.network.census import Census, Seen
from dsmrctl.network.discovery import Foreign, Found


def found(*there: Seen, heard: bool = True, before: tuple[Found, ...] = ()) -> list[Finding]:
    """What is found when these boards are there."""
    return list(boards.check(Census(list(there), []), heard, before, lambda _: "1.2.3"))


def reader(age: int | None = 1, **more: object) -> Seen:
    return seen("hall", frame_age_s=age, refused=more.pop("refused", 0), **more)  # type: ignore[arg-type]


def gone() -> Seen:
    """A board that announced itself, at a port where nothing listens any more."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    found = Found("attic", "127.0.0.1", port, "monitor", "", "1.2.3", "0a0b0c", "attic.local")
    return census.look(found, 2)


def test_a_household_that_is_well() -> None:
    for each in found(sending(), reader()):
        assert each.severity == "ok", each


def test_a_board_that_does_not_answer_is_told() -> None:
    one = provoked("board-answers", found(gone(), reader()))
    assert one.what.startswith("attic: ")
    assert "dsmrctl console" in one.next


def test_boards_that_answer_are_well() -> None:
    assert cleared("board-answers", found(sending(), reader())).what == "2 boards answer"
    assert cleared("board-answers", found()).what == "no board was found"


def test_a_board_of_the_last_discovery_that_is_missing_is_told() -> None:
    before = gone().board
    one = provoked("board-absent", found(reader(), before=(before,)), "note")
    assert "attic" in one.what
    assert "dsmrctl discover" in one.next


def test_when_all_of_the_last_discovery_are_there_all_is_well() -> None:
    one = reader()
    cleared("board-absent", found(one, before=(one.board,)))


def test_an_interface_without_telegrams_asks_for_fluvius() -> None:
    for age in (None, 60):
        one = provoked("board-telegrams", found(sending(age)))
        assert "meter reads no telegrams" in one.what
        assert "fluvius" in one.next


def test_who_has_just_started_is_not_ill_yet() -> None:
    young, old = {"uptime_s": 3}, {"uptime_s": 60}
    cleared("board-telegrams", found(sending(None, info=young)))
    cleared("board-frames", found(sending(), reader(None, info=young)))
    provoked("board-telegrams", found(sending(None, info=old)))
    provoked("board-frames", found(sending(), reader(None, info=old)))


def test_an_interface_with_telegrams_is_well() -> None:
    cleared("board-telegrams", found(sending(3)))


def test_a_board_that_refuses_frames_asks_for_the_key() -> None:
    one = provoked("board-key", found(sending(), reader(None, refused=7)))
    assert "frame_key" in one.next


def test_a_board_that_takes_frames_is_well() -> None:
    cleared("board-key", found(sending(), reader(2)))


def test_a_board_that_hears_nothing_or_nothing_lately_is_told() -> None:
    one = provoked("board-frames", found(sending(), reader(None)))
    assert "frame_target" in one.next
    one = provoked("board-frames", found(sending(), reader(300)))
    assert "the last 5 min ago" in one.what
    assert "nobody sends" in provoked("board-frames", found(reader(None))).next


def test_a_board_that_hears_frames_is_well() -> None:
    cleared("board-frames", found(sending(), reader(9)))


def test_boards_that_answer_while_no_frame_comes_mean_that_multicast_is_held_back() -> None:
    one = provoked("isolated", found(sending(), reader(1), heard=False))
    assert "meter answers here and sends frames, and they do not arrive" in one.what
    assert "client isolation" in one.next
    assert "frame_target" in one.next
    assert (
        "nor at any board" in provoked("isolated", found(sending(), reader(None), heard=False)).what
    )


def test_frames_that_arrive_mean_that_nothing_is_held_back() -> None:
    cleared("isolated", found(sending(), reader(1)))
    cleared("isolated", found(sending()))
    # Nobody sends: then it is not the access point's doing.
    cleared("isolated", found(sending(None), reader(None), heard=False))


def test_a_name_that_two_claim_is_told() -> None:
    both = seen("hall", ident="111111"), seen("HALL", ident="222222")
    one = provoked("board-names", found(*both), "note")
    assert "hall is claimed by 127.0.0.1:" in one.what
    ours = seen("dsmr_mon", ident="111111")
    other = Foreign("dsmr_mon.local", "127.0.0.5", "monitor")
    there = boards.check(Census([ours], [other]), True)
    assert "127.0.0.5" in provoked("board-names", there, "note").what
    same = seen("one", ident="333333"), seen("two", ident="333333")
    assert "333333" in provoked("board-names", found(*same), "note").what


def test_names_of_their_own_are_well() -> None:
    cleared("board-names", found(seen("hall", ident="111111"), seen("attic", ident="222222")))


def test_a_version_on_trial_is_told() -> None:
    one = provoked("board-trial", found(seen(info={"unconfirmed": True})), "note")
    assert "hall" in one.what


def test_a_confirmed_version_is_well() -> None:
    cleared("board-trial", found(seen(info={"unconfirmed": False})))


def test_older_firmware_than_the_bundles_is_told() -> None:
    one = provoked("board-version", found(seen(version="1.2.2")), "note")
    assert one.what == "hall has 1.2.2, 1.2.3 is here"
    assert one.next.startswith("dsmrctl update")


def test_firmware_that_is_current_newer_or_its_builders_own_is_well() -> None:
    for version in ("1.2.3", "1.3.0", "my own", ""):
        cleared("board-version", found(seen(version=version)))


def test_what_a_board_says_drives_no_terminal() -> None:
    ill = seen("\x1b[2Jhall", frame_age_s=None, info={"unconfirmed": True}, ident="\x1b]0;x\x07")
    told = found(ill, sending(), before=(gone().board._replace(name="\x1b[31m", id="\x9b"),))
    for each in told:
        assert "\x1b" not in each.what + each.next + str(each.data)
        assert "\x9b" not in each.what + each.next + str(each.data)
