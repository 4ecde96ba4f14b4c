"""What people were answered on which day, so that nobody is answered without end."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from bridge.store.dialect import insert
from bridge.store.tables import answers


def reserve(
    db: sa.Connection, number: str, kind: str, day: date, key: str, most: int
) -> bool:
    """Tell whether the job *key* may give an answer of this kind to a number.

    At most so many may on a day; one that may once may again, as after a kill.
    """
    of_the_day = {"number": number, "kind": kind, "day": day}
    mine = sa.select(answers.c.place).filter_by(**of_the_day, job_key=key)
    if db.execute(mine).first() is not None:
        return True
    for place in range(most):
        row = of_the_day | {"place": place, "job_key": key}
        made = insert(db.dialect.name, answers).values(row).on_conflict_do_nothing()
        if db.execute(made.returning(answers.c.place)).first() is not None:
            return True
    return False


def prune(db: sa.Connection, before: date) -> int:
    """Forget the days before *before*; return how many answers went."""
    return int(db.execute(sa.delete(answers).where(answers.c.day < before)).rowcount)
