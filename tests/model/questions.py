"""What is asked of the model: the properties that must hold, and the guards whose loss must be noticed."""

from collections.abc import Iterator, Sequence

from tests.model.spin import Check

#: What no execution may ever violate.
SAFETY = (
    "at_most_one_commit",
    "only_the_holder_commits",
    "final_states_stay",
    "success_is_for_ever",
    "published_files_stay",
)
#: For each guard, what cannot be true without it.
GUARDS = {
    "FENCE": ("only_the_holder_commits", "published_files_stay"),  # ... AND attempt = :attempt
    "STATUS": ("final_states_stay", "published_files_stay"),  # ... AND status = 'running'
    "BOTH": ("at_most_one_commit", "success_is_for_ever"),  # neither of them
    "CANCEL": ("final_states_stay",),  # only what is queued or running can be cancelled
    "SWEEP": ("published_files_stay",),  # the attempt at work keeps its files
    "PUBLISHED": ("announced", "every_job_ends"),  # what enters the queue clears published_at
    "PAUSE": ("announced",),  # a message that is spent during a pause leaves its job unannounced
    "MARK": ("announced", "every_job_ends"),  # a publish is noted only for the stay in the queue that it was made for
}
#: Trouble enough to miss any guard.
_ENOUGH = 2


def properties(safety: int, ending: int) -> Iterator[Check]:
    """Yield what must hold with so much trouble, the longest searches first."""
    for defines in (("ENDLESS",), ("ENDLESS", "LOSSES")):
        yield Check("every_job_ends", ending, defines)
    for name in SAFETY:
        yield Check(name, safety, ("LOSSES",))
    yield Check("announced", safety)


def without_guards(names: Sequence[str] = tuple(GUARDS)) -> Iterator[Check]:
    """Yield what must be refuted once one guard is taken away."""
    for guard in names:
        for name in GUARDS[guard]:
            defines = ("ENDLESS", f"BREAK_{guard}") if name == "every_job_ends" else (f"BREAK_{guard}",)
            yield Check(name, _ENOUGH, defines, holds=False)
