"""A request that is answered with an error."""

from collections.abc import Mapping

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2


class RefusedError(Exception):
    """A gRPC status to answer with; ``failures`` maps ack ids to reasons, as exactly-once clients read them."""

    def __init__(self, code: grpc.StatusCode, message: str, failures: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.failures = failures

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """The rich status of ``google.rpc`` that carries the failures, if there are any."""
        if not self.failures:
            return ()
        info = error_details_pb2.ErrorInfo(
            reason="EXACTLY_ONCE_ACKID_FAILURE", domain="pubsub.googleapis.com", metadata=self.failures
        )
        detail = Any()
        detail.Pack(info)
        status = status_pb2.Status(code=self.code.value[0], message=str(self), details=[detail])
        return (("grpc-status-details-bin", status.SerializeToString()),)


def invalid(message: str) -> RefusedError:
    """The request itself is wrong."""
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(name: str) -> RefusedError:
    """What the request names does not exist."""
    return RefusedError(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name.rpartition('/')[2]}).")


def already_exists(name: str) -> RefusedError:
    """What the request would create exists."""
    return RefusedError(
        grpc.StatusCode.ALREADY_EXISTS,
        f"Resource already exists in the project (resource={name.rpartition('/')[2]}).",
    )


def unimplemented(feature: str) -> RefusedError:
    """A feature of the real service that this one leaves out; ``local/DIFFERENCES.md`` lists them."""
    return RefusedError(grpc.StatusCode.UNIMPLEMENTED, f"The local Pub/Sub server has no {feature}.")


def failed_precondition(message: str) -> RefusedError:
    """The state of a resource forbids the request."""
    return RefusedError(grpc.StatusCode.FAILED_PRECONDITION, message)
