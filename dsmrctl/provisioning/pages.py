"""A portal's pages, read from text nobody vouches for: in linear time, and nothing raises.

Not by html.parser, which takes 40 seconds for 64 KB of "<a <a <a".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

from dsmrctl.provisioning import MOST_NETWORKS, Network

_LOCK = "\N{LOCK}"
_LONGEST_TAG = 2000
_TAG = re.compile(r"/?[A-Za-z][A-Za-z0-9]{0,19}(?![A-Za-z0-9])")
_ATTRIBUTE = re.compile(r"""(?<![\w-])([\w-]++)=(?:'([^']*)'|"([^"]*)"|([^\s'"]+))""", re.ASCII)
_PERCENTAGE = re.compile(r"(?<![0-9.])([0-9]{1,3})%", re.ASCII)
_SILENT = ("script", "style", "title")


class _Token(NamedTuple):
    """A tag ("/a" where it ends, "" at the start), and the text behind it."""

    tag: str
    attributes: dict[str, str]
    text: str


def fields(content: str) -> set[str]:
    """The names of the fields a page asks for."""
    return {
        token.attributes["name"]
        for token in _tokens(content)
        if token.tag == "input" and "name" in token.attributes
    }


def networks(content: str) -> list[Network]:
    """The networks a page offers, in its order.

    Each is a link that calls c(this). Its name is in data-ssid, in older pages only its text; what
    follows until the next link or field tells the signal, and by class "l", or on our boards by a
    padlock, whether it wants a password.
    """
    found: list[Network] = []
    name: str | None = None
    inside = secure = False
    quality: int | None = None

    def take() -> None:
        if name and len(name.encode(errors="replace")) <= 32 and len(found) < MOST_NETWORKS:
            # WiFiManager's quality is 2 * (dBm + 100), in 0..100.
            found.append(Network(name, None if quality is None else quality // 2 - 100, secure))

    for tag, attributes, text in _tokens(content):
        if tag in ("a", "form", "input"):
            take()
            name, inside, secure, quality = None, False, False, None
            if tag == "a" and ("data-ssid" in attributes or attributes.get("onclick") == "c(this)"):
                inside = True
                name = attributes.get("data-ssid", "") or text
            continue
        if tag == "/a":
            inside = False
        if name is None or inside:
            continue
        secure = secure or "l" in attributes.get("class", "").split() or _LOCK in text
        if quality is None:
            told = _PERCENTAGE.search(attributes.get("title", "")) or _PERCENTAGE.search(text)
            if told and int(told[1]) <= 100:
                quality = int(told[1])
    take()
    return found


def terms(content: str) -> dict[str, str]:
    """What a page tells as a list of terms (dt) with what they are (dd)."""
    found: dict[str, str] = {}
    part = term = told = ""
    for token in _tokens(content):
        if token.tag in ("dt", "dd", "/dt", "/dd", "/dl"):
            if part == "dt":
                term = told
            elif part == "dd" and term and len(found) < 100:
                found[plain(term)] = plain(told)
            part, told = token.tag if token.tag in ("dt", "dd") else "", token.text
        elif part:
            told += " " + token.text
    return found


def words(content: str) -> str:
    """What a person reads of a page, in one line."""
    return plain(" ".join(token.text for token in _tokens(content)))


def plain(text: str) -> str:
    """One line of at most 500 characters, none of which drives a terminal."""
    one = " ".join(text.split())[:500]
    return "".join(letter if letter.isprintable() else "?" for letter in one)


def _tokens(content: str) -> Iterator[_Token]:
    """Tags and texts; no comments, and nothing of scripts, styles and the title."""
    silent = ""
    for number, piece in enumerate(_without_comments(content).split("<")):
        tag, _, text = piece.partition(">")
        if number == 0:
            yield _Token("", {}, unescape(piece))
            continue
        named = _TAG.match(tag)
        name = named[0].lower() if named else ""
        if silent:
            if name != "/" + silent:
                continue
            silent = ""
        elif name in _SILENT:
            silent = name
            continue
        if not named:
            continue
        attributes = {
            match[1].lower(): unescape(match[2] or match[3] or match[4] or "")
            for match in _ATTRIBUTE.finditer(tag, 0, _LONGEST_TAG)
        }
        yield _Token(name, attributes, unescape(text))


def _without_comments(content: str) -> str:
    parts = []
    at = 0
    while (start := content.find("<!--", at)) >= 0:
        parts.append(content[at:start])
        end = content.find("-->", start + 4)
        if end < 0:
            return "".join(parts)
        at = end + 3
    return "".join(parts) + content[at:]
