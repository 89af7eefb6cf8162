"""What `dsmrctl config` does with the boards that are meant: shows, changes, keeps, puts back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsmrctl import errors
from dsmrctl.commands import changing, reaching
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.board_settings import Held, Kept
    from dsmrctl.network.discovery import Found

_RENAMED_S = 10.0
COLUMNS = ("setting", "value", "unit", "may be", "default")


class Configuring:
    """The boards that are meant, and what is done with the settings of each."""

    def __init__(
        self, terminal: Terminal, way: reaching.Way, wanted: str | None, every: bool
    ) -> None:
        self._terminal, self._way, self._every = terminal, way, every
        self._password = way.password()
        self._boards = way.boards(wanted) if every else [way.board(wanted)]

    def _held(self) -> list[Held]:
        """The settings of all that are meant. Raises the first error, before anything is done."""
        from dsmrctl.network import board_settings, fleet

        found = fleet.each(
            self._boards,
            lambda board: board_settings.read(board, self._way.client(board, self._password)),
        )
        wrong = reaching.worst([*found])
        if wrong is not None:
            raise wrong
        return [held for _, held in found if not isinstance(held, errors.DsmrError)]

    def show(self, keys: list[str]) -> int:
        """All settings of a board, or the bare values of some."""
        terminal = self._terminal
        documents = []
        for held in self._held():
            told = self._told(held)
            if keys:
                self._bare(held, told, keys)
                continue
            if terminal.json:
                documents.append(_document(held, told))
                continue
            if self._every:
                terminal.line(f"{safe(held.board.name, 40)} ({safe(held.board.board, 40)})")
            _table(terminal, held, told)
        if documents:
            terminal.record({"boards": documents} if self._every else documents[0])
        return errors.DONE

    def _told(self, held: Held) -> dict[str, Any]:
        """What a board tells beside its settings; nothing, when it does not just now."""
        from dsmrctl import boards

        kind = boards.BOARDS.get(held.board.board)
        if kind is None or not kind.told:
            return {}
        try:
            status = self._way.client(held.board, self._password).status()
        except errors.DsmrError:
            return {}
        return {key: _plain(status[key]) for key in kind.told if key in status}

    def _bare(self, held: Held, told: dict[str, Any], keys: list[str]) -> None:
        values = held.settings | told
        for key in keys:
            if key not in values:
                raise _no_setting(held, key)
        if self._terminal.json:
            name = {"name": safe(held.board.name)} if self._every else {}
            self._terminal.record(name | {key: values[key] for key in keys})
            return
        for key in keys:
            name = f"{safe(held.board.name, 40)}\t" if self._every else ""
            self._terminal.line(name + _bare(values[key]))

    def backup(self, file: Path) -> int:
        """Their settings into a file."""
        import json

        from dsmrctl.flashing import backup
        from dsmrctl.network import board_settings

        held = self._held()
        content = board_settings.document(held, time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        backup.write(file, (json.dumps(content, indent=1) + "\n").encode())
        secrets = sorted(
            {key for one in held for key, rule in one.rules.items()
             if rule.secret and one.settings[key]}
        )  # fmt: skip
        if self._terminal.json:
            names = [safe(one.board.name) for one in held]
            self._terminal.record({"file": str(file), "boards": names, "secrets": secrets})
            return errors.DONE
        count = f"{len(held)} board{'s' if len(held) != 1 else ''}"
        self._terminal.line(f"{file}: the settings of {count}")
        if secrets:
            self._terminal.note(f"not in it, since a board never tells them: {', '.join(secrets)}")
        return errors.DONE

    def restore(self, file: Path | None, dry_run: bool, diff: bool) -> int:
        """What of a backup differs, and unless `dry_run` onto the boards with it."""
        from dsmrctl.network import board_settings

        assert file is not None
        parts = board_settings.load(file)
        plans = []
        for held in self._held():
            part = board_settings.part_for(held.board, parts)
            if part is None:
                self._without(held, file, parts)
                continue
            found = board_settings.restored(held, part)
            self._dropped(held, found)
            plans.append((held, found.changes))
        if self._every:
            self._missing(parts, [held for held, _ in plans], file)
        return self._do(plans, dry_run, "differs" if diff else "would change")

    def _without(self, held: Held, file: Path, parts: list[Kept]) -> None:
        name = safe(held.board.name, 40)
        if not self._every:
            there = ", ".join(sorted({safe(part.board, 40) for part in parts}))
            raise errors.NotFound(
                f"{file} has no settings of {name} ({safe(held.board.board, 40)})",
                hint=f"it has those of: {there}",
            )
        self._say(held, "note", f"{file} has none of its settings")

    def _missing(self, parts: list[Kept], there: list[Held], file: Path) -> None:
        ids = {held.board.id for held in there}
        gone = [safe(part.name or part.id, 40) for part in parts if part.id not in ids]
        if gone and len(parts) > 1:
            self._terminal.note(f"in {file}, and not on the network: {', '.join(gone)}")

    def _dropped(self, held: Held, found: Any) -> None:
        for key, why in found.dropped.items():
            self._say(held, "dropped", f"{key} is left out: {safe(why)}")
        for key in found.secrets:
            self._say(held, "secret", f"{key} was set and is not in a backup: {key}=@FILE sets it")

    def _say(self, held: Held, kind: str, text: str) -> None:
        name = safe(held.board.name, 40)
        if self._terminal.json:
            self._terminal.record_note({"name": name, kind: text})
        else:
            self._terminal.note(f"{name}: {text}")

    def change(self, changes: list[str], reset: list[str], dry_run: bool) -> int:
        """Changes, judged for every board before the first is touched."""
        plans = []
        secrets: dict[str, str] = {}
        for held in self._held():
            for word in [*reset, *changes]:
                key = word.partition("=")[0]
                if key not in held.rules:
                    raise _no_setting(held, key)
                if "=" in word and held.rules[key].secret and key not in secrets:
                    # Asked for, or read, once for all boards.
                    text = word.partition("=")[2]
                    secrets[key] = changing.secret(self._terminal, key, text, f"{key}=")
            wanted = changing.changes(
                self._terminal, held.board.board, held.rules, changes, given=secrets
            )
            plans.append((held, wanted | {key: _default(held, key) for key in reset}))
        return self._do(plans, dry_run, "would change")

    def _do(self, plans: list[tuple[Held, dict[str, Any]]], dry_run: bool, would: str) -> int:
        """The changes, told as before and after. Raises the first error at the end."""
        from dsmrctl.network import board_settings

        documents = []
        renamed: list[Found] = []
        results: list[tuple[Any, object]] = []
        for held, wanted in plans:
            differs = board_settings.changed(held.settings, wanted)
            try:
                if differs and not dry_run:
                    self._way.client(held.board, self._password).change(differs)
            except errors.DsmrError as error:
                results.append((held.board, error))
                if len(plans) > 1:
                    self._terminal.error(error)
                continue
            results.append((held.board, None))
            lines = _before_after(held, differs)
            if "name" in differs and not dry_run:
                renamed.append(held.board)
            documents.append({"name": safe(held.board.name), "id": safe(held.board.id), **lines})
            if not self._terminal.json:
                self._told_change(held, lines["changed"], would if dry_run else None)
        self._await_names(renamed)
        if self._terminal.json:
            dry = {"dry_run": True} if dry_run else {}
            self._terminal.record(
                dry | ({"boards": documents} if self._every else next(iter(documents), {}))
            )
        wrong = reaching.worst(results)
        if wrong is not None:
            raise wrong
        return errors.DONE

    def _await_names(self, renamed: list[Found]) -> None:
        """A board tells its new name after 5 s: who asks for it by that name then finds it."""
        from dsmrctl.network import discovery

        if not renamed or self._way.host is not None:
            return
        before = {board.id: board.name for board in renamed}

        def enough(heard: discovery.Heard) -> bool:
            there = {one.id for one in heard.boards.values() if one.name != before.get(one.id)}
            return before.keys() <= there

        if not self._terminal.json:
            self._terminal.note("waiting for the new name on the network …")
        discovery.browse(_RENAMED_S, self._way.nic, enough=enough)

    def _told_change(self, held: Held, changed: dict[str, Any], would: str | None) -> None:
        name = safe(held.board.name, 40)
        if not changed:
            self._terminal.note(
                f"{name}: nothing differs" if would else f"{name}: it was so already"
            )
        for key, (before, after) in ((key, each.values()) for key, each in changed.items()):
            unit = held.rules[key].unit
            tail = f" {unit}" if unit else ""
            if held.rules[key].secret:
                before, after = ("set" if before else "not set"), ("set" if after else "not set")
            head = f"{name}: {would}: " if would else f"{name}: "
            self._terminal.line(
                f"{head}{key} {_bare(before) or '(empty)'} -> {_bare(after) or '(empty)'}{tail}"
            )


def _no_setting(held: Held, key: str) -> errors.UsageError:
    kind = safe(held.board.board, 40)
    return errors.UsageError(
        f"{kind} has no setting {safe(key)!r}", hint=f"it has {', '.join(held.rules)}"
    )


def _default(held: Held, key: str) -> Any:
    rule = held.rules[key]
    return "" if rule.secret else rule.default


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float)) else safe(value, 60)


def _bare(value: Any) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    return "" if value is None else safe(value)


def _before_after(held: Held, differs: dict[str, Any]) -> dict[str, Any]:
    changed = {}
    for key, value in differs.items():
        after = bool(value) if held.rules[key].secret else value
        changed[key] = {"from": held.settings[key], "to": after}
    return {"changed": changed}


def _document(held: Held, told: dict[str, Any]) -> dict[str, Any]:
    board = held.board
    return {
        "name": safe(board.name),
        "board": safe(board.board),
        "hardware": safe(board.hardware),
        "firmware": safe(board.version),
        "id": safe(board.id),
        "url": board.url,
        "settings": held.settings,
        "schema": {key: rule.document() for key, rule in held.rules.items()},
        "told": told,
    }


def _table(terminal: Terminal, held: Held, told: dict[str, Any]) -> None:
    from dsmrctl import quantities
    from dsmrctl.network.board_settings import shown

    rows = []
    for key, value in held.settings.items():
        rule = held.rules[key]
        default = "" if rule.secret else shown(rule.default, rule)
        may_be = "a secret" if rule.secret else rule.range()
        rows.append((key, shown(value, rule), rule.unit or "", may_be, default))
    for key, value in told.items():
        known = quantities.BY_NAME.get(key) or quantities.BY_NAME.get(f"{key}_percent")
        rows.append((key, _bare(value) or "unknown", known.unit if known else "", "read only", ""))
    for key in ("hardware", "version", "id"):
        rows.append((key, getattr(held.board, key), "", "read only", ""))
    terminal.table(rows, COLUMNS)
