"""A partial index is used by the questions that are asked all the time."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bridge.store.dialect import among
from bridge.store.tables import events, jobs, metadata

QUESTIONS = {
    "new events": (
        sa.select(events.c.seq).where(among(events.c.state, "new")),
        "events_new",
    ),
    "parked jobs": (
        sa.select(jobs.c.key).where(among(jobs.c.state, "parked")),
        "jobs_parked",
    ),
    "due jobs": (
        sa.select(jobs.c.key).where(
            jobs.c.acts.is_(True),
            jobs.c.urgent.is_(False),
            among(jobs.c.state, "waiting", "running"),
            sa.literal_column("run_at") <= 1,
        ),
        "jobs_due",
    ),
}


@pytest.mark.parametrize(("query", "index"), QUESTIONS.values(), ids=QUESTIONS)
def test_sqlite_answers_from_the_partial_index(query, index):
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as db:
        made = query.compile(db, compile_kwargs={"render_postcompile": True})
        values = tuple(made.params[name] for name in made.positiontup or ())
        if index == "jobs_due":
            values = (1,)

        plan = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {made}", values).all()
    engine.dispose()

    assert index in " ".join(row[3] for row in plan)


@pytest.mark.parametrize("word", ["it's", "new; drop", "", "new--"])
def test_a_word_that_is_no_constant_of_ours_is_refused(word):
    with pytest.raises(ValueError, match="no word that can stand"):
        among(events.c.state, "new", word)


def test_a_state_of_two_words_may_stand_there():
    assert "'no rule'" in str(among(events.c.state, "no rule"))
