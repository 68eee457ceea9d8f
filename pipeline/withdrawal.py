"""A session taken back: from pages, lists and storage, for good or until somebody restores it.

In goes a session's id, out comes a :class:`Withdrawal` in the place of its manifest, a notice at its address in both
languages, and nothing else of it, in any version. The manifest is replaced first, in one conditional write: from then
on nobody can publish the session, and whoever was just about to finds that out. Everything after that is derived from
it and may be done again after a death at any moment. Stands alone because it undoes what publishing does and must not
share its optimism.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pipeline.lists import Lists, erase_earlier_quotations
from pipeline.ports import Store
from pipeline.published import (
    FRESH_JSON,
    Withdrawal,
    derive,
    insisting,
    manifest_key,
    page_headers,
    page_key,
    read_held,
    write,
)
from pipeline.search_store import SearchIndex
from pipeline.serial import to_json
from pipeline.site.model import Views, session_prefix
from pipeline.types import LANGUAGES

_logger = logging.getLogger(__name__)


def withdraw(
    session_id: str,
    store: Store,
    *,
    views: Views,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Withdrawal:
    """Withdraw a session; where that was begun already, only complete it.

    Args:
        session_id: Whose. A session that was never published cannot be published from then on.
        store: Where.
        views: Makes the notice and the lists.
        now: The clock.

    Raises:
        StoreConflict: Others kept publishing the same session at the same time.
        StoreError: See :class:`Store`. Run it again.
    """
    withdrawal = insisting(partial(_decide, session_id, store, now))
    lists = Lists(store, views)
    lists.write_assets()
    for language, page in views.withdrawn_pages(withdrawal.withdrawn_at.date()).items():
        make = partial(_while_withdrawn, withdrawal, store, page.encode())
        derive(store, page_key(session_id, language), page_headers(language), make)
    # Before the files: which lists it stands on is told by what is among them.
    lists.update(session_id)
    search = SearchIndex(store)
    search.update(session_id)
    search.sweep()
    erase_earlier_quotations(session_id, store)
    removed = erase_files(session_id, store)
    _logger.info("session %s is withdrawn, %d objects and versions removed", session_id, removed)
    return withdrawal


def restore(session_id: str, store: Store, *, now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> bool:
    """Allow a withdrawn session to be published again; the notice stays until it is.

    Returns:
        Whether it had been withdrawn.

    Raises:
        StoreError: See :class:`Store`.
    """
    return insisting(partial(_allow, session_id, store, now))


def erase_files(session_id: str, store: Store) -> int:
    """Remove everything of a session but its withdrawal and its notice, in every version; return how much there was.

    Raises:
        StoreError: See :class:`Store`.
    """
    keep = {manifest_key(session_id), *(page_key(session_id, language) for language in LANGUAGES)}
    return store.erase(session_prefix(session_id), keep=keep)


def _decide(session_id: str, store: Store, now: Callable[[], dt.datetime]) -> Withdrawal:
    held = read_held(session_id, store)
    if held is not None and isinstance(held.value, Withdrawal) and held.refusal is not None:
        return held.value
    number = 0 if held is None else held.value.number
    withdrawal = Withdrawal(session_id=session_id, withdrawn_at=now(), number=number)
    write(store, manifest_key(session_id), to_json(withdrawal), FRESH_JSON, None if held is None else held.stored)
    return withdrawal


def _allow(session_id: str, store: Store, now: Callable[[], dt.datetime]) -> bool:
    held = read_held(session_id, store)
    if held is None or not isinstance(held.value, Withdrawal) or held.refusal is None:
        return False
    restored = replace(held.value, restored_at=now())
    write(store, manifest_key(session_id), to_json(restored), FRESH_JSON, held.stored)
    return True


def _while_withdrawn(withdrawal: Withdrawal, store: Store, page: bytes, _before: bytes | None) -> bytes | None:
    held = read_held(withdrawal.session_id, store)
    return page if held is not None and held.value == withdrawal else None
