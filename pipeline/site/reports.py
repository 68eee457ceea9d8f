"""How a learner reports an error: one link, to a mailbox or to a form.

In go a published session and what the institution set, out comes the address of a mail that is already begun, or of a
form with what is known in its query. Lines that begin with ``Tribune-`` tell the review desk which session is meant;
the page's script adds the moment and its words, so that without script a report is about the session. The page itself
sends nothing. Stands alone because the desk reads what is written here.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

from pipeline.messages import message
from pipeline.site.model import PublishedSession, SiteOptions
from pipeline.types import Language
from pipeline.visible import visible

_LINE: Final = "\r\n"
"""What ends a line in the body of a mail link, by RFC 6068."""


def report_address(published: PublishedSession, language: Language, site: SiteOptions) -> str | None:
    """Return where a report of an error in that session leads, or ``None`` where none is taken.

    Args:
        published: The session.
        language: Of the page, in which the learner will write.
        site: What takes reports; the form, where there are both.
    """
    if site.report_form is not None:
        known = {"session": published.session.id, "revision": published.revision, "language": language}
        return f"{site.report_form}{'&' if '?' in site.report_form else '?'}{urlencode(known)}"
    if site.report_mail is not None:
        subject = message("session_page.report_subject", language, title=_title(published, language))
        body = _LINE.join(_lines(published, language, site))
        return f"mailto:{quote(site.report_mail, safe='@')}?subject={quote(subject)}&body={quote(body)}"
    return None


def _lines(published: PublishedSession, language: Language, site: SiteOptions) -> tuple[str, ...]:
    page = "" if site.address is None else f"{site.address}/{published.folder}{language}.html"
    return (
        # In a sentence, so that no title can pass for a line of those below; the page's address is always the second.
        message("session_page.report_about", language, title=_title(published, language)),
        page,
        "",
        f"Tribune-Session: {published.session.id}",
        f"Tribune-Revision: {published.revision}",
        f"Tribune-Language: {language}",
        "",
        message("session_page.report_invitation", language),
        "",
        "",
    )


def _title(published: PublishedSession, language: Language) -> str:
    return visible(published.session.title.get(language))
