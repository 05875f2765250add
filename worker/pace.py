"""How far ahead a worker claims: tiny jobs in batches, long ones one by one, only when a slot is free for them."""

#: A job that takes longer is never claimed before a slot is free: another VM may have one.
_TINY_SECONDS = 0.05
#: Most jobs that may wait for each slot.
_MOST_PER_SLOT = 32
#: The weight of the newest job in the average.
_WEIGHT = 0.1


class Pace:
    """The time that a job takes here. One long job counts at once, tiny ones only when there were many in a row.

    ``ahead_seconds`` is the work that may wait for slots; what Pub/Sub and Postgres give in one answer lasts so long.
    """

    def __init__(self, slots: int, ahead_seconds: float) -> None:
        self._slots = slots
        self._ahead_seconds = ahead_seconds
        self._seconds = 1.0

    def note(self, seconds: float) -> None:
        """Take up how long a job was in its slot."""
        average = (1 - _WEIGHT) * self._seconds + _WEIGHT * seconds
        self._seconds = max(average, seconds) if seconds > _TINY_SECONDS else average

    @property
    def ahead(self) -> int:
        """How many jobs may be claimed before there is a slot for them."""
        if self._seconds > _TINY_SECONDS:
            return 0
        return min(_MOST_PER_SLOT * self._slots, int(self._ahead_seconds * self._slots / max(self._seconds, 1e-6)))
