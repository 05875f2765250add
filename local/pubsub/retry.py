"""When a message that was not acknowledged is delivered again."""

from typing import Any


def backoff_seconds(policy: Any | None, attempt: int) -> float:
    """Delay before the next delivery: none without a policy, else exponential between the policy's bounds.

    ``policy`` is a ``RetryPolicy`` or None; ``attempt`` is 1 after the first delivery
    (https://cloud.google.com/pubsub/docs/handling-failures#exponential_backoff).
    """
    if policy is None:
        return 0.0
    minimum = policy.minimum_backoff.ToTimedelta().total_seconds()
    maximum = policy.maximum_backoff.ToTimedelta().total_seconds()
    # A message may come back for days; 2 ** attempt must not overflow before the bound is applied.
    return float(min(maximum, minimum * 2.0 ** min(attempt - 1, 32)))
