"""The REST calls: who is meant, what is asked, what is answered."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import web

from local.compute import names, resources
from local.compute.errors import ApiError, invalid, not_found
from local.compute.faults import serve_page, troubled
from local.compute.group import QUOTA_CODE, Group
from local.compute.instance import Status
from local.compute.listing import page as listed
from local.compute.names import timestamp
from local.faults import page

logger = logging.getLogger(__name__)

PROJECT = "/compute/v1/projects/{project}"
REGION = PROJECT + "/regions/{region}"
ZONE = PROJECT + "/zones/{zone}"
MANAGERS = REGION + "/instanceGroupManagers"
MANAGER = MANAGERS + "/{manager}"
INSTANCES = ZONE + "/instances"
INSTANCE = INSTANCES + "/{instance}"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(group: Group) -> web.Application:
    """The whole API of one group."""
    api = Api(group)
    app = web.Application(middlewares=[_as_google, api.trouble, api.once])
    add = app.router.add_route
    add("GET", MANAGERS, api.list_managers)
    add("GET", MANAGER, api.get_manager)
    add("POST", MANAGER + "/resize", api.resize)
    add("POST", MANAGER + "/listManagedInstances", api.list_managed_instances)
    add("GET", MANAGER + "/listErrors", api.list_errors)
    add("POST", MANAGER + "/createInstances", api.create_instances)
    add("POST", MANAGER + "/deleteInstances", api.delete_instances)
    add("POST", MANAGER + "/recreateInstances", api.recreate_instances)
    add("GET", INSTANCES, api.list_instances)
    add("GET", INSTANCE, api.get_instance)
    add("DELETE", INSTANCE, api.delete_instance)
    add("POST", INSTANCE + "/{verb:simulateMaintenanceEvent|reset|stop|start}", api.change_instance)
    for scope in (REGION, ZONE):
        add("GET", scope + "/operations", api.list_operations)
        add("GET", scope + "/operations/{operation}", api.get_operation)
        add("POST", scope + "/operations/{operation}/wait", api.get_operation)
    add("GET", "/_spotmill/health", _health)
    add("GET", "/_spotmill/vms", api.list_processes)
    for method in ("GET", "PUT", "DELETE"):
        add(method, page.PATH, lambda request: serve_page(group.faults, request))
    return app


class Api:
    """Handlers. Each call that changes something is done when its operation is handed out."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.settings = group.settings

    # The group

    async def list_managers(self, request: web.Request) -> web.Response:
        self._check_place(request)
        items, more = listed([resources.group(self.group)], request.query)
        return web.json_response({"kind": "compute#regionInstanceGroupManagerList", "items": items, **more})

    async def get_manager(self, request: web.Request) -> web.Response:
        self._check_manager(request)
        return web.json_response(resources.group(self.group))

    async def list_managed_instances(self, request: web.Request) -> web.Response:
        self._check_manager(request)
        shown = [resources.managed_instance(self.settings, instance) for instance in self.group.instances]
        items, more = listed(shown, request.query)
        return web.json_response({"managedInstances": items, **more})

    async def list_errors(self, request: web.Request) -> web.Response:
        self._check_manager(request)
        shown = [resources.failure(self.settings, failure) for failure in self.group.store.errors()]
        items, more = listed(shown, request.query)
        return web.json_response({"items": items, **more})

    async def resize(self, request: web.Request) -> web.Response:
        self._check_manager(request)
        try:
            size = int(request.query["size"])
        except (KeyError, ValueError):
            raise ApiError(400, "Required field 'size' not specified", "required") from None
        if size < 0:
            raise invalid("size", size, "Must be at least 0.")
        return self._change_group(request, "resize", lambda: self.group.resize(size))

    async def create_instances(self, request: web.Request) -> web.Response:
        self._check_manager(request)
        wanted = [str(entry.get("name", "")) for entry in await _list(request, "instances")]
        for name in wanted:
            if not names.valid(name):
                raise invalid("instances[].name", name, "Must be a match of regex '[a-z]([-a-z0-9]{0,61}[a-z0-9])?'.")
            if name in self.group.vms or wanted.count(name) > 1:
                raise ApiError(400, f"Instance '{name}' already exists in the group", "duplicate")
        return self._change_group(request, "createInstances", lambda: self.group.create(wanted))

    async def delete_instances(self, request: web.Request) -> web.Response:
        self._check_manager(request)
        members = self._members(await _body(request))
        return self._change_group(request, "deleteInstances", lambda: self.group.delete(members))

    async def recreate_instances(self, request: web.Request) -> web.Response:
        self._check_manager(request)
        members = self._members(await _body(request))
        return self._change_group(request, "recreateInstances", lambda: self.group.recreate(members))

    # Instances

    async def list_instances(self, request: web.Request) -> web.Response:
        zone = self._check_place(request)
        members = [each for each in self.group.instances if each.zone == zone and each.status is not Status.PENDING]
        items, more = listed([resources.instance(self.settings, each) for each in members], request.query)
        return web.json_response({"kind": "compute#instanceList", "items": items, **more})

    async def get_instance(self, request: web.Request) -> web.Response:
        name = self._check_instance(request)
        return web.json_response(resources.instance(self.settings, self.group.vms[name].instance))

    async def delete_instance(self, request: web.Request) -> web.Response:
        name = self._check_instance(request)
        return self._change_instance(request, name, "delete", lambda: self.group.recreate([name]))

    async def change_instance(self, request: web.Request) -> web.Response:
        verb, name = request.match_info["verb"], self._check_instance(request)
        instance = self.group.vms[name].instance
        if instance.status is not Status.RUNNING and verb in ("simulateMaintenanceEvent", "reset"):
            message = f"The resource '{resources.instance_name(self.settings, instance)}' is not ready"
            raise ApiError(400, message, "resourceNotReady")
        changes: dict[str, Callable[[], None]] = {
            "simulateMaintenanceEvent": lambda: self._preempt(name),
            "reset": lambda: self.group.reset(name),
            "stop": lambda: self.group.recreate([name]),
            "start": lambda: None,  # the group has started it already
        }
        return self._change_instance(request, name, verb, changes[verb])

    def _preempt(self, name: str) -> None:
        instance = self.group.vms[name].instance
        self.group.preempt(name)
        target = resources.instance_name(self.settings, instance), instance.id
        self._record(f"zones/{instance.zone}", "compute.instances.preempted", target, None)

    # Operations

    async def list_operations(self, request: web.Request) -> web.Response:
        self._check_place(request)
        items, more = listed(self.group.store.operations(_scope(request)), request.query)
        return web.json_response({"kind": "compute#operationList", "items": items, **more})

    async def get_operation(self, request: web.Request) -> web.Response:
        self._check_place(request)
        found = self.group.store.operation(_scope(request), request.match_info["operation"])
        if found is None:
            raise not_found(request.path.removeprefix("/compute/v1/").removesuffix("/wait"))
        return web.json_response(found)

    # Of this machine, not of Google

    async def list_processes(self, _request: web.Request) -> web.Response:
        """Where each machine runs: for supervisors and tests."""
        return web.json_response(
            [
                {
                    "name": vm.instance.name,
                    "status": vm.instance.status,
                    "boot_id": vm.instance.boot_id,
                    "guest_pid": vm.instance.guest_pid if not vm.off.is_set() else None,
                    "metadata": f"127.0.0.1:{vm.instance.metadata_port}",
                    "console": str(vm.console),
                }
                for vm in self.group.vms.values()
            ]
        )

    # Who and what is meant

    def _check_place(self, request: web.Request) -> str:
        """The region or zone of the address.

        Raises:
            ApiError: it is not of this group's project and region.
        """
        project, settings = request.match_info["project"], self.settings
        if project != settings.project:
            raise not_found(f"projects/{project}")
        scope = _scope(request)
        kind, _, place = scope.partition("/")
        if place not in ((settings.region,) if kind == "regions" else settings.zones):
            raise not_found(f"projects/{project}/{scope}")
        return place

    def _check_manager(self, request: web.Request) -> None:
        region, manager = self._check_place(request), request.match_info["manager"]
        if manager != self.settings.group:
            raise not_found(f"projects/{self.settings.project}/regions/{region}/instanceGroupManagers/{manager}")

    def _check_instance(self, request: web.Request) -> str:
        zone, name = self._check_place(request), request.match_info["instance"]
        vm = self.group.vms.get(name)
        if vm is None or vm.instance.zone != zone or vm.instance.status is Status.PENDING:
            raise not_found(f"projects/{self.settings.project}/zones/{zone}/instances/{name}")
        return name

    def _members(self, body: dict[str, Any]) -> list[str]:
        """Names of the members that a call's addresses mean, each once."""
        members: dict[str, None] = {}
        for address in _of(body, "instances"):
            found = names.instance(str(address))
            vm = self.group.vms.get(found[1]) if found else None
            if vm is not None and found is not None and vm.instance.zone == found[0]:
                members[vm.instance.name] = None
            elif not body.get("skipInstancesOnValidationError"):
                raise invalid("instances", address, f"It is not a member of '{resources.group_name(self.settings)}'.")
        return list(members)

    # What is answered

    @web.middleware
    async def trouble(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Faults that were asked for."""
        if not self.group.faults.active or request.path.startswith("/_spotmill/"):
            return await handler(request)
        return await troubled(self.group.faults, request, handler)

    @web.middleware
    async def once(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A call that repeats the request id of an earlier one changes nothing, and gets its operation."""
        request_id = request.query.get("requestId")
        done = self.group.store.operation_for(request_id) if request_id else None
        return web.json_response(done) if done else await handler(request)

    def _change_group(self, request: web.Request, verb: str, change: Callable[[], None]) -> web.Response:
        kind = f"compute.instanceGroupManagers.{verb}"
        target = resources.group_name(self.settings), self.group.row.id
        return self._change(request, kind, target, change)

    def _change_instance(self, request: web.Request, name: str, verb: str, change: Callable[[], None]) -> web.Response:
        instance = self.group.vms[name].instance
        target = resources.instance_name(self.settings, instance), instance.id
        kind = verb if verb in ("delete", "reset", "start", "stop") else f"compute.instances.{verb}"
        return self._change(request, kind, target, change)

    def _change(
        self, request: web.Request, kind: str, target: tuple[str, int], change: Callable[[], None]
    ) -> web.Response:
        faults, call = self.group.faults, f"{kind} {target[0]}"
        failed = faults.pick("failed_operation", call) if faults.active else None
        slow = faults.pick("slow_operation", call) if faults.active and failed is None else None
        if failed is None and slow is None:
            change()
        body = self._record(_scope(request), kind, target, request.query.get("requestId"))
        if failed is not None:
            body |= resources.operation_error(failed.code or QUOTA_CODE, failed.message or "An error was asked for.")
            self.group.store.change_operation(body)
        if slow is not None:
            done = body
            body = resources.still_running(done)
            self.group.store.change_operation(body)
            asyncio.get_running_loop().call_later(slow.delay_seconds, self._finish, done, change)
        return web.json_response(body)

    def _finish(self, operation: dict[str, Any], change: Callable[[], None]) -> None:
        """Do late what a slow operation is about; what it was about may be gone by then."""
        if self.group.closing:
            return
        try:
            change()
        except KeyError as error:
            operation = operation | resources.operation_error("RESOURCE_NOT_FOUND", f"{error} was not found")
        self.group.store.change_operation(operation | {"endTime": timestamp(time.time())})

    def _record(self, scope: str, kind: str, target: tuple[str, int], request_id: str | None) -> dict[str, Any]:
        body = resources.operation(
            self.settings, scope=scope, operation_type=kind, target=target[0], target_id=target[1], now=time.time()
        )
        self.group.store.add_operation(scope, request_id, body)
        return body


def _scope(request: web.Request) -> str:
    place = request.match_info
    return f"regions/{place['region']}" if "region" in place else f"zones/{place['zone']}"


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except json.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(400, "Parse Error: the body is not a JSON object", "parseError")
    return body


async def _list(request: web.Request, field: str) -> list[dict[str, Any]]:
    return [entry for entry in _of(await _body(request), field) if isinstance(entry, dict)]


def _of(body: dict[str, Any], field: str) -> Iterable[Any]:
    value = body.get(field)
    if not isinstance(value, list) or not value:
        raise ApiError(400, f"Required field '{field}' not specified", "required")
    return value


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


@web.middleware
async def _as_google(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal in the shape that the clients read."""
    try:
        return await handler(request)
    except ApiError as error:
        refusal = error
    except web.HTTPMethodNotAllowed:
        refusal = ApiError(501, f"The local Compute server has no {request.method} {request.path}")
    except web.HTTPNotFound:
        refusal = ApiError(501, f"The local Compute server has no {request.method} {request.path}")
    except Exception:
        logger.exception("%s %s failed", request.method, request.path)
        refusal = ApiError(500, "Internal error of the local Compute server; see its log")
    return web.json_response(refusal.body(), status=refusal.code)
