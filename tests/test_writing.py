"""Whatever a person wrote comes back out of XML and JSON as it may be shown, and nothing of it is markup."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from pipeline.site.writing import node, write_json, write_xml
from pipeline.visible import visible
from tests.pages import HOSTILE

TEXT = st.text(max_size=40) | st.sampled_from(HOSTILE)


@given(text=TEXT, attribute=TEXT)
def test_any_text_is_read_back_as_it_may_be_shown(text: str, attribute: str) -> None:
    root = etree.fromstring(write_xml(node("a", node("b", text, of=attribute))))
    assert root.xpath("string(b)") == visible(text)
    assert root.xpath("string(b/@of)") == visible(attribute)
    assert len(root.xpath("//*")) == 2
    assert json.loads(write_json({"a": [{"b": text}]})) == {"a": [{"b": visible(text)}]}
