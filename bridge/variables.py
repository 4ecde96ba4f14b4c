"""What conditions and texts may name: every variable with its fields.

The one list that `check`, `hooks show`, the sandbox and the lookups share. Each
field has a kind, which tells a filter what it gets and a fixture what to make up.
"""

from __future__ import annotations

#: variable -> field -> (kind, meaning). Kinds: text, whole, money, day, flag, list.
FIELDS: dict[str, dict[str, tuple[str, str]]] = {
    "event": {
        "id": ("text", "the delivery's id"),
        "hookpoint": ("text", "the hookpoint's name"),
        "actor": ("text", "client, admin, api, system or unknown"),
        "changed": ("list", "names of the edited fields, in the client's language"),
        "old_phone": ("text", "the telephone before the edit, as the panel had it"),
        "held": ("flag", "over an hour ago: held by the night, a rate or an outage"),
        # ... and each field that the hookpoint carries (`hooks show HOOKPOINT`)
    },
    "client": {
        "id": ("whole", "the client's number"),
        "first_name": ("text", "first name"),
        "last_name": ("text", "last name"),
        "full_name": ("text", "first and last name, or the company"),
        "company": ("text", "company"),
        "email": ("text", "e-mail of the account"),
        "country": ("text", "country code"),
        "language": ("text", "es, en or pt_BR"),
        "currency": ("text", "currency code, as USD"),
        "status": ("text", "Active, Inactive or Closed"),
        "details_url": ("text", "where he edits his data"),
    },
    "invoice": {
        "id": ("whole", "the invoice's id"),
        "number": ("text", "the number printed on it"),
        "status": ("text", "Unpaid, Paid, Cancelled, ..."),
        "total": ("money", "total"),
        "balance": ("money", "what is still to be paid"),
        "date": ("day", "date of the invoice"),
        "due": ("day", "due date"),
        "url": ("text", "link to the invoice"),
    },
    "service": {
        "id": ("whole", "the service's id"),
        "product": ("text", "name of the plan"),
        "product_id": ("whole", "id of the plan"),
        "domain": ("text", "domain or name of the service"),
        "name": ("text", "plan and domain together"),
        "cycle": ("text", "billing cycle, as annually"),
        "status": ("text", "Active, Suspended, ..."),
        "recurring": ("money", "renewal amount"),
        "next_due": ("day", "next due date"),
        "suspension_reason": ("text", "the reason the panel gives"),
        "ended_by_request": ("flag", "the bridge ended it, as its owner had asked"),
        "url": ("text", "link to the service"),
    },
    "domain": {
        "id": ("whole", "the domain's id"),
        "name": ("text", "the domain's name, or its number"),
        "status": ("text", "Active, Expired, ..."),
        "expires": ("day", "expiry date"),
    },
    "quote": {
        "id": ("whole", "the quote's number"),
        "subject": ("text", "subject"),
        "stage": ("text", "Draft, Delivered, ..."),
        "total": ("money", "total"),
        "valid_until": ("day", "last day of validity"),
        "url": ("text", "link to the quote"),
    },
    "upgrade": {
        "id": ("text", "the upgrade's id"),
        "service_id": ("whole", "the service"),
        "from_product": ("text", "name of the plan before"),
        "to_product": ("text", "name of the new plan"),
        "cycle": ("text", "the chosen cycle"),
        "charge": ("money", "the difference that is billed"),
        "invoice_id": ("whole", "the invoice of the difference"),
        "invoice_url": ("text", "link to that invoice"),
    },
    "cancellation": {
        "id": ("whole", "the bridge's number for it"),
        "kind": ("text", "immediate or end_of_period"),
        "ends": ("day", "the day the service ends"),
        "requested_on": ("day", "the day it was asked for"),
        "because": ("text", "why that day, in one sentence"),
        "days_left": ("whole", "days until it ends"),
        "owed": ("text", "open invoices with links, or a dash"),
    },
    "transfer": {
        "id": ("whole", "the transfer's number"),
        "service_id": ("whole", "the service's number"),
        "service": ("text", "plan and domain that pass"),
        "from_name": ("text", "who gives"),
        "from_email": ("text", "his e-mail"),
        "to_name": ("text", "who takes"),
        "to_email": ("text", "his e-mail"),
        "expires": ("day", "until when the other side can agree"),
        "reason": ("text", "why it was refused"),
        "said": ("text", "what the message says where the texts part"),
        "other": ("text", "what the other side's says there"),
    },
    "company": {
        "name": ("text", "the company's name"),
        "client_area": ("text", "address of the client area"),
        "whatsapp": ("text", "the company's number"),
        "contact": ("text", "the account executive's contact"),
        "services_url": ("text", "link to my services"),
        "details_url": ("text", "link to my details"),
    },
    "result": {},  # what the step before left; its names come from that action
}

#: Which variables an event's ids lead to (others are not there to be used).
REACHES: dict[str, frozenset[str]] = {
    "invoice": frozenset({"invoice", "client"}),
    "service": frozenset({"service", "client", "cancellation"}),
    "domain": frozenset({"domain", "client"}),
    "quote": frozenset({"quote", "client"}),
    "client": frozenset({"client"}),
    "user": frozenset({"client"}),
    "upgrade": frozenset({"upgrade", "service", "client"}),
}
