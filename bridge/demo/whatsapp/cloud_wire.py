"""What the simulated Cloud API refuses with, and the question for a hidden number."""

from __future__ import annotations

import re
from typing import Any

from bridge.demo.whatsapp.stub import Malformed, Reply


def error(status: int, code: int, details: str = "", **more: Any) -> Reply:
    """Return an error as the Graph API writes it."""
    found = {
        "message": f"(#{code}) {details or 'refused'}",
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "fbtrace_id": "Az8or2yhqkZfEZ",
    }
    return Reply.of(status, {"error": found | more})


def bad(why: str) -> Malformed:
    """Return the refusal of a malformed message."""
    return Malformed(error(400, 100, why), why)


def question_of(body: dict[str, Any]) -> tuple[str, str]:
    """Return whom a question for his number goes to, and its text; or refuse it."""
    to, asked = body.get("recipient"), body.get("interactive")
    if "to" in body or not isinstance(to, str):
        raise bad("no recipient alone")
    if not re.fullmatch(r"[A-Z]{2}\.[0-9A-Z.]{1,120}", to):
        raise bad("recipient is no identity")
    if not isinstance(asked, dict) or set(asked) != {"type", "body", "action"}:
        raise bad("interactive has other keys")
    name = "request_contact_info"
    if asked["type"] != name or asked["action"] != {"name": name}:
        raise bad("no request_contact_info")
    shown = asked["body"]
    if not isinstance(shown, dict) or not 1 <= len(shown.get("text", "")) <= 1024:
        raise bad("interactive.body.text is not 1 to 1024 characters")
    return to, str(shown["text"])
