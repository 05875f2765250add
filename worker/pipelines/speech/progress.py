"""A stretch of a job's progress, for a part of the work that knows nothing of the rest."""

from dataclasses import dataclass

from spotmill import Job


@dataclass(frozen=True, slots=True)
class Stretch:
    """From ``begin`` to ``end``, fractions of the job."""

    job: Job
    begin: float
    end: float

    def at(self, fraction: float) -> float:
        """Say how far the job is when this part is so far."""
        return self.begin + (self.end - self.begin) * fraction

    def part(self, begin: float, end: float) -> "Stretch":
        """Return a part of this part."""
        return Stretch(self.job, self.at(begin), self.at(end))

    def tell(self, fraction: float, stage: str) -> None:
        """Tell people how far this part is."""
        self.job.progress(self.at(fraction), stage)
