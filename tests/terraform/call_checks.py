"""The table of permissions against the source: whether every call is in it, and nothing that is gone.

Every check returns sentences that say what is wrong and what to do; none means that all is well.
"""

import re
from collections.abc import Mapping

from tests.terraform.api_calls import Found
from tests.terraform.permissions import HERE, Permissions
from tests.terraform.source_tree import OURS
from tests.terraform.terraform import REPOSITORY

#: Words by which a script or a template asks Google for something.
_ASKS = re.compile(
    r"[\w-]+\.googleapis\.com(?!/)|docker pull|\bgcloud \w+|\bgsutil \w+|\bName +stackdriver|secret_key_ref"
)
#: Libraries for Google that are not below ``google``.
_LIBRARY = re.compile(r"^\s*(?:import|from) (google\w+|gcloud\w*|gcsfs|vertexai)\b", re.MULTILINE)


def unknown_calls(known: Permissions, found: Mapping[str, Found]) -> list[str]:
    """Find members of Google's that the table does not know, and calls that it does not place."""
    table, wrong = known.table, set()
    for process, result in found.items():
        for call in result.calls:
            owner, _, name = call.method.rpartition(".")
            if call.method in table["methods"]:
                if call.method not in table["calls"].get(call.site, {}):
                    wrong.add(
                        f"{call.site}, which {process} may run, calls {call.method}. Say in `calls` of {HERE} on which "
                        "thing, so that the grants there can be checked."
                    )
            elif call.method in table["clients"] or name in table["local"].get(owner, ()):
                continue
            elif not any(f"{call.method}.".startswith(f"{prefix}.") for prefix in table["harmless"]):
                wrong.add(
                    f"{call.site} uses {call.method}, which {HERE} does not know. If it asks Google, name its "
                    "class in `clients`, and add it to `methods` with what it calls there, and to `calls`; if it asks "
                    "nobody, add it to `local` or `harmless`."
                )
    return sorted(wrong)


def riddles(known: Permissions, found: Mapping[str, Found]) -> list[str]:
    """Find calls that may be Google's, as they are called like one, of which nobody can tell on what they are made.

    A process that makes nothing of Google's can call nothing of it either.
    """
    names = {method.rpartition(".")[2] for method in known.table["methods"]}
    clients = set(known.table["clients"])
    open_calls = {
        (riddle.site, riddle.name)
        for result in found.values()
        if clients & {call.method for call in result.calls}
        for riddle in result.riddles
        if riddle.name in names
    }
    told = {(site, name) for site, said in known.table["not_google"].items() for name in said}
    return [
        f"{site} calls .{name}() on something that the scan cannot tell, and a member of Google's has that "
        f"name. Annotate what it is called on, or say in `not_google` of {HERE} that it is none."
        for site, name in sorted(open_calls - told)
    ] + [
        f"`not_google` of {HERE} has .{name}() in {site}, where there is no such riddle. Take it out."
        for site, name in sorted(told - open_calls)
    ]


def unknown_hosts(known: Permissions) -> list[str]:
    """Find what our source may ask of Google without its clients: libraries of other names, and addresses."""
    wrong = []
    for path in [path for root in OURS for path in sorted((REPOSITORY / root).rglob("*.py"))]:
        file, text = str(path.relative_to(REPOSITORY)), path.read_text(encoding="utf-8")
        said = set(known.table["hosts"].get(file, ()))
        hosts = set(re.findall(r"https?://[\w.-]*\bgoogleapis\.com", text))
        wrong += [
            f"{file} has {host}. If it is asked for something, do so with Google's client, which the scan sees; "
            f"else say in `hosts` of {HERE} what it is for."
            for host in sorted(hosts - said)
        ]
        wrong += [
            f"`hosts` of {HERE} has {host} in {file}, where it is not. Take it out." for host in sorted(said - hosts)
        ]
        wrong += [
            f"{file} imports {name}, a library for Google that the scan does not look into; use one below `google`."
            for name in sorted(set(_LIBRARY.findall(text)) - {"google_crc32c"})
        ]
    return wrong


def stale(known: Permissions, found: Mapping[str, Found]) -> list[str]:
    """Find what the table says of calls that nobody makes any more."""
    table = known.table
    made = {(call.site, call.method) for result in found.values() for call in result.calls}
    members = {method for _, method in made}
    places = [(site, method, at) for site, said in table["calls"].items() for method, at in said.items()]
    used = {api for _, method, at in places for api, _ in known.apis(method, at)}
    used |= {said["api"] for said in table["elsewhere"]}
    wrong = [
        f"`calls` of {HERE} has {method} in {site}, where the scan finds no such call. Take it out."
        for site, method, _ in places
        if (site, method) not in made and method != "not found"
    ]
    for section, gone in {
        "methods": set(table["methods"]) - members - {"not found"},
        "clients": {c for c in table["clients"] if not any(m == c or m.startswith(f"{c}.") for m in members)},
        "apis": set(table["apis"]) - used,
    }.items():
        wrong += [f"`{section}` of {HERE} has {name}, which nothing uses. Take it out." for name in sorted(gone)]
    for site, said in table["calls"].items():
        if set(said) == {"not found"}:
            wrong.append(f"`calls` of {HERE} has only `not found` in {site}, which calls nothing. Take it out.")
    return wrong


def unknown_scripts(known: Permissions) -> list[str]:
    """Find scripts of the modules that ask Google for something of which the table says nothing, and the reverse."""
    said = {(one["file"], one["says"]) for one in known.table["elsewhere"]}
    wrong = [
        f"`elsewhere` of {HERE} says that {file} has {text!r}, which it has not. Take it out."
        for file, text in sorted(said)
        if text not in (REPOSITORY / file).read_text(encoding="utf-8")
    ]
    for place in ("workers", "services", "events"):
        for path in sorted((REPOSITORY / "terraform" / "modules" / place).rglob("*")):
            if path.suffix not in {".tf", ".sh", ".conf", ".service"} or not path.is_file():
                continue
            file = str(path.relative_to(REPOSITORY))
            wrong += [
                f"{file} has {asked!r}, which asks Google for something. Say in `elsewhere` of {HERE} what, "
                "and as whom."
                for asked in sorted(set(_ASKS.findall(_uncommented(path.read_text(encoding="utf-8")))))
                if not any(file == known_file and text in asked for known_file, text in said)
            ]
    return wrong


def _uncommented(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
