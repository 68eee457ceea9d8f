"""XML and JSON for other programs, with whatever a person wrote made harmless.

In go tags, attributes and texts, out come bytes that are the same for the same values. Every text passes the policy on
invisible characters and then the format's own escaping, so that no view of a session can forget either. Prefixes are
written as given and declared by the root. Stands alone because feeds, sitemaps, records and cartridges all write in
the same way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element, tostring

from pipeline.visible import visible

XML: Final = "application/xml; charset=utf-8"
JSON: Final = "application/json; charset=utf-8"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
"""Namespace in which a document says where its schemas are."""


def node(tag: str, *content: Element | str, **attributes: str) -> Element:
    """Return an element.

    Args:
        tag: Its name, with its prefix.
        content: What stands in it, in order; a text only as the first.
        attributes: A colon of a prefix is written ``__``, the underscore at the end of a Python keyword is dropped.

    Example:
        >>> tostring(node("a:b", "1 < 2", xml__lang="en", class_="x"))
        b'<a:b xml:lang="en" class="x">1 &lt; 2</a:b>'
    """
    made = Element(tag, {name.rstrip("_").replace("__", ":"): visible(value) for name, value in attributes.items()})
    for part in content:
        if isinstance(part, str):
            made.text = visible(part)
        else:
            made.append(part)
    return made


def write_xml(root: Element) -> bytes:
    r"""Return a document with that root.

    Example:
        >>> write_xml(node("a", node("b", "é")))
        b'<?xml version="1.0" encoding="UTF-8"?>\n<a><b>\xc3\xa9</b></a>\n'
    """
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode").encode() + b"\n"


def write_json(value: Mapping[str, object]) -> bytes:
    r"""Return a JSON document, its keys in the order given.

    Example:
        >>> write_json({"title": "a\u202eb"})
        b'{"title":"ab"}\n'
    """
    return json.dumps(_shown(value), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _shown(value: object) -> object:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {key: _shown(item) for key, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, (list, tuple)) else value
