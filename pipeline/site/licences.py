"""Licences that are known by name: what they are called in each language, and where anybody can read them.

In goes a licence as the details file says it, out come its name and the address of its text for readers of a language.
Only licences that public talks are published under are known; any other is shown as written. Stands alone so that one
more takes one line here and one message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pipeline.messages import message
from pipeline.types import Bilingual, Language, Licence

_DEEDS: Final = "https://creativecommons.org"
_KNOWN: Final[dict[str, tuple[str, Bilingual]]] = {
    "cc0-1.0": ("cc0", Bilingual.same(f"{_DEEDS}/publicdomain/zero/1.0/")),
    **{
        f"cc-{terms}-4.0": (f"cc_{terms.replace('-', '_')}", Bilingual.same(f"{_DEEDS}/licenses/{terms}/4.0/"))
        for terms in ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")
    },
    "ogl-canada-2.0": (
        "ogl_canada",
        Bilingual(
            en="https://open.canada.ca/en/open-government-licence-canada",
            fr="https://ouvert.canada.ca/fr/licence-du-gouvernement-ouvert-canada",
        ),
    ),
}
"""By identifier of SPDX in small letters: the end of the message with the name, and the address of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLicence:
    """A licence as a reader meets it.

    Attributes:
        name: What it is called, in as many languages as are known.
        address: Where its text is, in the reader's language where it is in several; ``None`` where nobody said.
    """

    name: Bilingual
    address: str | None


def show_licence(licence: Licence, language: Language) -> ShownLicence:
    """Return a licence as a reader of that language meets it.

    Example:
        >>> show_licence(Licence(name=Bilingual.same("CC BY 4.0")), "en").address
        'https://creativecommons.org/licenses/by/4.0/'
    """
    known = _KNOWN.get(re.sub(r"[\s_-]+", "-", licence.name.get(language).strip().lower()))
    if known is None:
        return ShownLicence(name=licence.name, address=licence.address)
    key, address = known
    name = Bilingual(
        en=message(f"session_page.licence_{key}", "en"),
        fr=message(f"session_page.licence_{key}", "fr"),
    )
    return ShownLicence(name=name, address=licence.address or address.get(language))
