"""The whole story, in order: a month in the life of the example company."""

from __future__ import annotations

from datetime import date

from bridge.demo import (
    story_alerts,
    story_ends,
    story_owners,
    story_plans,
    story_trouble,
)
from bridge.demo.story import Step
from bridge.demo.story_phone import Chapter
from bridge.demo.world import World

#: The story's last day, counted from 0.
LAST_DAY = 32


def script(world: World, start: date, chapter: Chapter | None = None) -> list[Step]:
    """Return all steps of the story that begins on *start* in an example world.

    *chapter* is what is told with a provider besides.
    """
    return [
        *(chapter.begin() if chapter else ()),
        *story_alerts.STEPS,
        *story_plans.STEPS,
        *story_ends.steps(world, start),
        *story_owners.STEPS,
        *story_trouble.STEPS,
        Step(LAST_DAY, "09:00", story_trouble.RECKONING, story_trouble.reckoning),
        *(chapter.steps() if chapter else ()),
    ]
