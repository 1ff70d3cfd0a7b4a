"""The clock of the service. Tests of rules replace `now`."""

import datetime as dt


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
