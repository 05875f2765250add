"""Logs are events with fields: JSON that Cloud Logging understands in the cloud, readable lines on a terminal."""

import logging
import sys
from typing import Any

import structlog

from shared.settings import Settings
from shared.tracing import joined


def _severity(_logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Name level and text as Cloud Logging does (https://cloud.google.com/logging/docs/structured-logging)."""
    event["severity"] = {"warn": "WARNING", "exception": "ERROR"}.get(method, method.upper())
    event["message"] = event.pop("event", "")
    return event


def configure(process: str, *, log_format: str = "auto", level: str = "INFO", project: str = "") -> None:
    """Set up logging for this process; call it once, before the first event. Library logs join the same stream."""
    json_lines = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _named(process),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if json_lines else structlog.processors.StackInfoRenderer(),
    ]
    render: list[structlog.typing.Processor] = (
        [_severity, _joined(project), structlog.processors.JSONRenderer(default=str)]
        if json_lines
        else [structlog.stdlib.add_log_level, _console()]
    )
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=[_drop_meta, *render], foreign_pre_chain=shared)
    )
    logging.basicConfig(
        handlers=[handler], level=max(logging.getLevelNamesMapping()[level], logging.WARNING), force=True
    )


def _named(process: str) -> structlog.typing.Processor:
    """Add the process's name to every event, from whichever thread."""

    def add_process(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("process", process)
        return event

    return add_process


def _joined(project: str) -> structlog.typing.Processor:
    """Add trace and labels."""

    def add_trace(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.update(joined(event, project))
        event.pop("trace", None)
        return event

    return add_trace


def _console() -> structlog.dev.ConsoleRenderer:
    # The default traceback shows local variables, and with them passwords.
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _drop_meta(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    return event


def configure_from(process: str, settings: Settings) -> None:
    """Set up logging as the settings say."""
    configure(process, log_format=settings.log_format, level=settings.log_level, project=settings.project)


def get_logger() -> Any:
    """Return a logger whose methods take an event name and fields."""
    return structlog.get_logger()
