"""How the hosted models' services take questions and answer them, for the loopback server.

Requests are checked as the services do, as far as their pages say it, because a client that sends a field too many or a
schema outside the dialect fails only there:

* https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas
* https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
* https://ai.google.dev/api/generate-content#FIELDS.response_json_schema
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

KEY, MODEL, PROJECT, REGION, TOKEN = "a-key", "a-model", "a-project", "us-central1", "a-token"

Service = Literal["openai", "anthropic", "gemini", "vertex"]
Fault = Literal[
    "status", "refusal", "blocked", "cut-off", "garbled", "hollow", "silent", "dripping", "hung-up", "moved"
]


@dataclass(frozen=True)
class Reply:
    """What to answer: ``text`` as the model's, or a fault."""

    text: str = ""
    fault: Fault | None = None
    status: int = 500
    code: str = ""  #: OpenAI's, of an error
    retry_after: str | None = None  #: seconds, as the header says them; None asks for a retry at once


@dataclass(frozen=True)
class Asked:
    """One question that passed the checks."""

    service: Service
    system: str
    prompt: str
    schema: Mapping[str, Any]
    body: Mapping[str, Any]


class RefusedError(Exception):
    """The request is not what the service takes."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def need(condition: object, message: str, status: int = 400) -> None:
    """Refuse the request unless ``condition`` holds."""
    if not condition:
        raise RefusedError(status, message)


def service_of(path: str) -> Service:
    """Tell whose address it is."""
    if path.startswith("/v1/chat/"):
        return "openai"
    if path.startswith("/v1/messages"):
        return "anthropic"
    return "vertex" if "/projects/" in path else "gemini"


def only(given: Mapping[str, Any], allowed: set[str], what: str) -> None:
    """Refuse fields that the service does not know."""
    need(set(given) <= allowed, f"{what}: unknown fields {sorted(set(given) - allowed)}")


def fits_dialect(schema: Any, keywords: set[str], where: str = "schema", *, all_required: bool, depth: int = 0) -> None:
    """Refuse a schema outside a dialect, as the service that has it would."""
    need(isinstance(schema, dict), f"{where} is no object")
    only(schema, keywords, where)
    need(depth <= 10, f"{where}: nested too deep")
    need("anyOf" in schema or "$ref" in schema or "type" in schema or "enum" in schema, f"{where}: no type")
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        need(schema.get("additionalProperties") is False, f"{where}: additionalProperties must be false")
        if all_required:
            need(
                sorted(schema.get("required", [])) == sorted(properties), f"{where}: required must name all properties"
            )
        for name, part in properties.items():
            fits_dialect(part, keywords, f"{where}.{name}", all_required=all_required, depth=depth + 1)
    if schema.get("type") == "array":
        need("items" in schema, f"{where}: no items")
        fits_dialect(schema["items"], keywords, f"{where}[]", all_required=all_required, depth=depth + 1)
    for part in schema.get("anyOf", ()):
        fits_dialect(part, keywords, f"{where}|", all_required=all_required, depth=depth + 1)


_COMMON = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "description", "title"}


def _openai(path: str, headers: Mapping[str, str], body: Any) -> Asked:
    need(path == "/v1/chat/completions", f"no such address: {path}", 404)
    need(headers.get("authorization") == f"Bearer {KEY}", f"Incorrect API key provided: {KEY[:3]}***.", 401)
    only(body, {"model", "messages", "max_completion_tokens", "response_format", "store"}, "body")
    need(body["model"] == MODEL, "The model does not exist", 404)
    need(isinstance(body["max_completion_tokens"], int) and body["max_completion_tokens"] > 0, "max_completion_tokens")
    need([message["role"] for message in body["messages"]] == ["system", "user"], "messages")
    need(body["store"] is False, "the answer would be kept")
    form = body["response_format"]
    need(form["type"] == "json_schema", "response_format.type")
    only(form["json_schema"], {"name", "schema", "strict", "description"}, "json_schema")
    need(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", form["json_schema"]["name"]), "json_schema.name")
    need(form["json_schema"]["strict"] is True, "not strict")
    schema = form["json_schema"]["schema"]
    need(schema.get("type") == "object", "the root must be an object")
    fits_dialect(schema, _COMMON | {"$ref", "$defs", "const", "pattern", "format", "minItems"}, all_required=True)
    system, prompt = (message["content"] for message in body["messages"])
    return Asked("openai", system, prompt, schema, body)


def _anthropic(path: str, headers: Mapping[str, str], body: Any) -> Asked:
    need(path == "/v1/messages", f"no such address: {path}", 404)
    # SDKs before 2.0 and the older API send x-api-key, this one a bearer token; the service takes either.
    need(
        KEY in {headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer ")}, "invalid key", 401
    )
    need(
        re.fullmatch(r"20\d\d-\d\d-\d\d", headers.get("anthropic-version", "")), "anthropic-version: header is required"
    )
    only(body, {"model", "max_tokens", "system", "messages", "output_config"}, "Extra inputs are not permitted")
    need(body["model"] == MODEL, f"model: {body['model']}", 404)
    need(isinstance(body["max_tokens"], int) and body["max_tokens"] > 0, "max_tokens: Field required")
    need([message["role"] for message in body["messages"]] == ["user"], "messages: roles must alternate")
    only(body["output_config"], {"format", "effort"}, "output_config")
    need(body["output_config"]["format"]["type"] == "json_schema", "output_config.format.type")
    schema = body["output_config"]["format"]["schema"]
    fits_dialect(schema, _COMMON | {"$ref", "$defs", "const", "format"}, all_required=False)
    return Asked("anthropic", body["system"], body["messages"][0]["content"], schema, body)


def _google(path: str, headers: Mapping[str, str], body: Any, service: Service) -> Asked:
    prefix = "/v1/" if service == "gemini" else f"/v1beta1/projects/{PROJECT}/locations/{REGION}/publishers/google/"
    found = re.fullmatch(re.escape(prefix) + r"models/([^:/]+):generateContent", path)
    if found is None:
        raise RefusedError(404, f"no such address: {path}")
    if service == "gemini":
        need(headers.get("x-goog-api-key") == KEY, "API key not valid. Please pass a valid API key.")
        need("authorization" not in headers, "a token besides the key", 401)
    else:
        need(headers.get("authorization") == f"Bearer {TOKEN}", "Request had invalid authentication credentials.", 401)
        need("x-goog-api-key" not in headers, "a key besides the token", 401)
    need(found[1] == MODEL, f"models/{found[1]} is not found", 404)
    only(body, {"contents", "systemInstruction", "generationConfig"}, "Invalid JSON payload received. Unknown name")
    config = body["generationConfig"]
    only(config, {"maxOutputTokens", "responseMimeType", "responseJsonSchema"}, "Unknown name")
    need(config["responseMimeType"] == "application/json", "responseJsonSchema needs application/json")
    need(config["maxOutputTokens"] > 0, "maxOutputTokens")
    need([content["role"] for content in body["contents"]] == ["user"], "contents")
    fits_dialect(
        config["responseJsonSchema"],
        _COMMON
        | {"$id", "$defs", "$ref", "$anchor", "format", "prefixItems", "minItems", "maxItems", "minimum", "maximum"},
        all_required=False,
    )
    (system,), (prompt,) = body["systemInstruction"]["parts"], body["contents"][0]["parts"]
    return Asked(service, system["text"], prompt["text"], config["responseJsonSchema"], body)


Check = Callable[[str, Mapping[str, str], Any], Asked]
CHECKS: dict[Service, Check] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "gemini": partial(_google, service="gemini"),
    "vertex": partial(_google, service="vertex"),
}


def failure(service: Service, status: int, message: str, code: str = "") -> dict[str, Any]:
    """Return an error in the service's own form."""
    if service == "openai":
        return {"error": {"message": message, "type": "an_error", "param": None, "code": code or None}}
    if service == "anthropic":
        return {"type": "error", "error": {"type": "an_error", "message": message}, "request_id": "req_1"}
    reason = "API_KEY_INVALID" if "API key not valid" in message else "OTHER"
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    return {"error": {"code": status, "message": message, "status": "AN_ERROR", "details": [detail]}}


def _openai_answer(reply: Reply) -> dict[str, Any]:
    reasons = {"blocked": "content_filter", "cut-off": "length"}
    refusal = "I would rather not." if reply.fault == "refusal" else None
    message = {"role": "assistant", "content": None if refusal else reply.text, "refusal": refusal}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reasons.get(reply.fault or "", "stop")}
    usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
    about = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL}
    return {**about, "choices": [choice], "usage": usage}


def _anthropic_answer(reply: Reply) -> dict[str, Any]:
    reasons = {"refusal": "refusal", "blocked": "refusal", "cut-off": "max_tokens"}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [] if reply.fault in {"refusal", "blocked"} else [{"type": "text", "text": reply.text}],
        "stop_reason": reasons.get(reply.fault or "", "end_turn"),
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 9},
    }


def _google_answer(reply: Reply) -> dict[str, Any]:
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 9, "totalTokenCount": 18}
    if reply.fault == "blocked":
        return {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage, "modelVersion": MODEL}
    reasons = {"refusal": "SAFETY", "cut-off": "MAX_TOKENS"}
    candidate: dict[str, Any] = {"index": 0, "finishReason": reasons.get(reply.fault or "", "STOP")}
    if reply.fault != "refusal":
        thought = {"text": "Let me think.", "thought": True}
        candidate["content"] = {"role": "model", "parts": [thought, {"text": reply.text}]}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL}


ANSWERS: dict[Service, Callable[[Reply], dict[str, Any]]] = {
    "openai": _openai_answer,
    "anthropic": _anthropic_answer,
    "gemini": _google_answer,
    "vertex": _google_answer,
}
