"""Sessions withdrawn that have been kept long enough, by the watcher, where the settings ask for it.

In go the settings, once a round; once a day what is due is withdrawn as ``tribune publish retention --apply`` does it:
first noted in the journal, from which the status page and the messages tell it, then taken back. Stands alone because
it removes what was published: it does nothing unless two settings say so, how long to keep and that this is enough.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass

from config.settings import Settings
from flows.engines import retention_rule, running_store, site_options
from pipeline.journal import record_withdrawal
from pipeline.messages import message
from pipeline.ports import Store
from pipeline.retention import Due, find_due
from pipeline.s3 import open_store
from pipeline.site.render import LearnerSite
from pipeline.types import LANGUAGES
from pipeline.withdrawal import withdraw

_logger = logging.getLogger(__name__)


def withdraw_session(settings: Settings, store: Store, session_id: str, reason: str) -> None:
    """Withdraw a session, in the journal and in the store.

    Raises:
        StoreError: See :class:`pipeline.ports.Store`. Do it again.
    """
    # In this order: a run that begins now finds out before it has worked for hours.
    record_withdrawal(settings.work, session_id, reason)
    withdraw(session_id, store, views=LearnerSite(site_options(settings)))


def withdraw_due(settings: Settings, store: Store, due: Due) -> None:
    """Withdraw a session that has been kept long enough.

    Raises:
        StoreError: See :class:`pipeline.ports.Store`. Do it again.
    """
    # One text is kept for readers of both languages.
    reasons = (message("publishing.retention_reason", language, days=due.days) for language in LANGUAGES)
    withdraw_session(settings, store, due.entry.session_id, " / ".join(reasons))


@dataclass(slots=True)
class DailyRetention:
    """Withdraws what is due, once a day.

    Attributes:
        settings: How long sessions are kept, and whether the watcher may withdraw them.
        done_on: The day on which all that was due was withdrawn; ``None`` since the start.
    """

    settings: Settings
    done_on: dt.date | None = None

    def apply(self, today: dt.date) -> None:
        """Withdraw what is due on a day, unless that was done.

        Raises:
            TribuneError: The store cannot be reached or a list cannot be read; the next round goes on.
        """
        rule = retention_rule(self.settings)
        if not self.settings.retention.apply or rule.is_off or self.done_on == today:
            return
        with running_store(self.settings, own=False) as s3, open_store(s3) as store:
            for due in tuple(find_due(rule, store, today)):
                withdraw_due(self.settings, store, due)
                _logger.info("session %s was kept for %d days and is withdrawn", due.entry.session_id, due.days)
        self.done_on = today
