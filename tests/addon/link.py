"""The simulated company's panel, played on the stage: real hooks in real PHP."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from bridge.demo.panel_rows import Hook
from bridge.demo.world import World

from .stage import Stage

#: Who acts in the simulated panel -> which page of the stage that is.
PAGES = {"client": "client", "admin": "admin", "api": "api", "system": "callback"}


@dataclass
class Link:
    """Fires on the stage whatever fires in *world*, its rows in the tables before.

    *told* and *asked* keep each hook, and *answers* what the add-on answered.
    """

    world: World
    stage: Stage
    told: list[Hook] = field(default_factory=list)
    asked: list[Hook] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    fired: list[Hook] = field(default_factory=list)
    only: frozenset[str] | None = None

    def __post_init__(self) -> None:
        self.world.listeners.append(self.tell)
        self.world.decide = self.ask

    def tell(self, hook: Hook) -> None:
        """Fire a hook that nobody waits for."""
        if self.only is not None and hook.type not in self.only:
            return
        self.told.append(hook)
        assert self._fire(hook) == []

    def ask(self, hook: Hook) -> object:
        """Fire a hook and return what the panel makes of its answers."""
        self.asked.append(hook)
        answers = self._fire(hook, **self._form(hook))
        self.answers.append(answers)
        if not answers or answers == [[]]:
            return None
        (answer,) = answers
        return answer

    def _form(self, hook: Hook) -> dict[str, Any]:
        """Return what the client area's form posts at each step of an upgrade."""
        cycle = hook.context.get("billing_cycle")
        return {
            "id": hook.context.get("service_id"),
            "type": "package",
            "pid": hook.data.get("pid") or hook.data.get("newproductid"),
            "billingcycle": cycle or hook.data.get("newproductbillingcycle"),
        }

    def _fire(self, hook: Hook, **request: Any) -> list[Any]:
        self.copy()
        self.fired.append(hook)
        actor = str(hook.context.get("actor"))
        service = self.world.services.get(int(str(hook.context.get("service_id") or 0)))
        return self.stage.fire(
            hook.type,
            json.loads(json.dumps(hook.data, default=str)),
            as_=PAGES.get(actor, "guest"),
            client=service.clientid if service else 0,
            request=request,
        )

    def copy(self) -> None:
        """Copy the rows that an add-on may read into the stage's tables."""
        world = self.world
        rows: dict[str, list[tuple[Any, ...]]] = {
            "tblhosting (id, userid, packageid, domain, domainstatus, username, password)": [
                (s.id, s.clientid, s.pid, s.domain, s.status, s.username, s.password)
                for s in world.services.values()
            ],
            "tbldomains (id, userid, domain)": [
                (d.id, d.userid, d.domainname) for d in world.domains.values()
            ],
            "tblupgrades (id, relid, type, originalvalue, newvalue, amount, status)": [
                (u.id, u.relid, u.type, u.originalvalue, u.newvalue, str(u.amount), u.status)
                for u in world.upgrades.values()
            ],
            "tblinvoiceitems (id, invoiceid, userid, type, relid, description, amount, duedate)": [
                (item.id, invoice.id, invoice.userid, item.type, item.relid,
                 item.description, str(item.amount), item.duedate.isoformat())
                for invoice in world.invoices.values() for item in invoice.items
            ],
            "tblproduct_upgrade_products (product_id, upgrade_product_id)": [
                (product.pid, target)
                for product in world.products.values() for target in product.upgrades
            ],
        }  # fmt: skip
        statements: list[list[Any]] = []
        for table, lines in rows.items():
            statements.append([f"DELETE FROM {table.split()[0]}", []])
            if lines:
                marks = "(" + ", ".join("?" * len(lines[0])) + ")"
                values = [value for line in lines for value in line]
                insert = f"INSERT INTO {table} VALUES " + ", ".join(
                    [marks] * len(lines)
                )
                statements.append([insert, values])
        self.stage.page(sql=statements)
