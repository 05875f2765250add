"""One job after the other: run the pipeline, tell how it ended."""

import errno
import os
import tempfile
import traceback

from shared.complaints import complaint
from spotmill.pipeline import PermanentError, Pipeline, RetryableError
from worker.child.installed import load_pipelines
from worker.child.job import ChildJob, LeaveError
from worker.child.line import HungUpError, Line
from worker.child.messages import Done, Failed, Offered, Ready, Run, Said, Stopped

#: Characters of a traceback that reach the log.
_DETAILS = 20_000


def _explain(pipeline: str, error: BaseException) -> Failed:
    """Turn what a pipeline raised into a failure."""
    details = "".join(traceback.format_exception(error))[-_DETAILS:]
    first_line = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, PermanentError | RetryableError):
        return Failed(str(error), isinstance(error, PermanentError), details)
    if isinstance(error, MemoryError):
        return Failed("The pipeline ran out of memory.", False, details)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed("The worker's disk is full.", False, details)
    kind = type(error).__name__
    return Failed(f"The {pipeline} pipeline failed: {kind}{': ' + first_line if first_line else '.'}", False, details)


def _run(run: Run, line: Line, pipelines: dict[str, Pipeline], broken: dict[str, str]) -> Said:
    pipeline = pipelines.get(run.pipeline)
    if pipeline is None:
        if (reason := broken.get(run.pipeline)) is not None:
            return Failed(f"The {run.pipeline} pipeline cannot be loaded: {reason}", False, "")
        return Failed(f"There is no pipeline named {run.pipeline!r} on this worker.", True, "")
    if (wrong := complaint(run.settings, pipeline.settings_schema)) is not None:
        return Failed(f"The settings do not fit the {run.pipeline} pipeline: {wrong}", True, "")
    job = ChildJob(run, line)
    # What a pipeline's libraries leave behind goes with the attempt.
    tempfile.tempdir = os.environ["HOME"] = os.environ["TMPDIR"] = run.work
    os.chdir(run.work)
    try:
        pipeline(job)
    except LeaveError:
        return Stopped()
    except HungUpError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a pipeline may raise anything
        return _explain(run.pipeline, error)
    finally:
        os.chdir("/")
    return Done(job.results)


def serve(line: Line, *, offline: bool) -> None:
    """Load the pipelines, then run jobs until the agent hangs up."""
    pipelines, broken = load_pipelines()
    offered = [Offered(p.name, p.version, p.max_run_seconds, p.max_stall_seconds) for p in pipelines.values()]
    line.say(Ready(offered, broken, offline))
    while True:
        try:
            run = line.hear()
        except HungUpError:
            return
        if not isinstance(run, Run):
            raise TypeError(f"the agent said {run.type!r} while no job was running")
        try:
            ending = _run(run, line, pipelines, broken)
        except HungUpError:
            return
        try:
            line.say(ending)
        except ValueError as error:
            line.say(Failed(f"The {run.pipeline} pipeline's result cannot be kept: {error}", True, ""))
