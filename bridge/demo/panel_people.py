"""Clients and users of the simulated panel, and what they do with their data."""

from __future__ import annotations

import dataclasses
import uuid

from bridge.demo.panel_rows import Client, User
from bridge.demo.panel_tables import NotFoundError, Tables, secret

EDITABLE = (
    "firstname", "lastname", "companyname", "email", "address1", "address2", "city",
    "state", "postcode", "country", "phonenumber", "tax_id", "language", "status",
    "notes", "groupid",
)  # fmt: skip


def client_uuid(client_id: int) -> str:
    """Return the client's uuid, the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"panel.example.com/client/{client_id}"))


class People(Tables):
    """Clients and users."""

    def add_client(
        self,
        firstname: str,
        lastname: str,
        email: str,
        *,
        country: str = "AR",
        phonenumber: str = "",
        currency: str = "ARS",
        language: str = "spanish",
        owner: int | None = None,
        actor: str = "client",
        **more: object,
    ) -> Client:
        """Register a client, with a user that owns it unless *owner* is given."""
        with self.lock:
            user = self.users[owner] if owner else None
            if user is None:
                user = self.add_user(firstname, lastname, email, language, actor=actor)
            number = self.next_id("client")
            client = Client(
                number, user.id, firstname, lastname, email, country, phonenumber,
                currency, language, self.clock.today(),
            )  # fmt: skip
            client = dataclasses.replace(client, **more)  # type: ignore[arg-type] # by name
            self.clients[number] = client
            user.clients[number] = True
            self.belongs("user", user.id, number)
            self.did("client", number, actor)
            ids: dict[str, object] = {"client_id": number, "user_id": user.id}
            data = ids | {"userid": number, "password": user.password}
            same = ("firstname", "lastname", "companyname", "email", "address1",
                    "address2", "city", "state", "postcode", "country", "phonenumber",
                    "tax_id", "notes", "groupid")  # fmt: skip
            data |= {name: getattr(client, name) for name in same}
            self.fire("ClientAdd", data, actor)
            return client

    def add_user(
        self,
        firstname: str,
        lastname: str,
        email: str,
        language: str = "spanish",
        *,
        actor: str = "client",
    ) -> User:
        """Register a login that is in no client yet."""
        with self.lock:
            number = self.next_id("user")
            password = secret("user-password", number)
            user = User(
                number, firstname, lastname, email, password, language, self.clock.now()
            )
            self.users[number] = user
            data: dict[str, object] = {
                "user_id": number, "firstname": firstname, "lastname": lastname,
                "email": email, "password": password, "language": language,
            }  # fmt: skip
            self.fire("UserAdd", data, actor)
            return user

    def invite(self, user_id: int, client_id: int) -> None:
        """Let a user into a client as a guest."""
        with self.lock:
            self.user(user_id).clients[self.client(client_id).id] = False
            self.belongs("user", user_id, client_id)

    def user(self, user_id: int) -> User:
        """Return a user or raise NotFoundError."""
        try:
            return self.users[user_id]
        except KeyError:
            raise NotFoundError("User Not Found") from None

    def change_password(
        self, user_id: int, *, client_hook_too: bool = False, actor: str = "client"
    ) -> None:
        """Change a user's password; older panels fire the client's hook as well."""
        with self.lock:
            user = self.user(user_id)
            user.password = secret("new-password", self.next_id("password"))
            data: dict[str, object] = {"userid": user.id, "password": user.password}
            self.fire("UserChangePassword", data, actor)
            owned = [number for number, owner in user.clients.items() if owner]
            for number in owned if client_hook_too else []:
                self.fire("ClientChangePassword", data | {"userid": number}, actor)

    def edit_client(
        self, client_id: int, *, actor: str = "client", **changes: object
    ) -> list[str]:
        """Save a client's profile with *changes*; return the fields that changed.

        The hook fires also when nothing changed, as after a click on "Save".
        """
        with self.lock:
            client = self.client(client_id)
            old = {name: getattr(client, name) for name in EDITABLE}
            for name, value in changes.items():
                if name not in EDITABLE and not hasattr(client, name):
                    raise AttributeError(f"a client has no {name}")
                setattr(client, name, value)
            changed = [n for n in EDITABLE if getattr(client, n) != old[n]]
            context: dict[str, object] = {"changed": changed}
            if "phonenumber" in changed:
                context["old_phonenumber"] = old["phonenumber"]
            old |= {"password": secret("old-password", client_id)}
            old |= {"securityqans": secret("security-answer", client_id)}
            data: dict[str, object] = {
                "userid": client.id,
                "uuid": client_uuid(client.id),
                "currency": self.currencies[client.currency].id,
                "olddata": old,
                "authdata": secret("authdata", client_id),
                "email_verified": client.email_verified,
            }
            data |= {n: getattr(client, n) for n in EDITABLE if n != "tax_id"}
            self.fire("ClientEdit", data, actor, **context)
            return changed

    def close_client(self, client_id: int, *, actor: str = "admin") -> None:
        """Close a client's account."""
        with self.lock:
            self.client(client_id).status = "Closed"
            self.fire("ClientClose", {"userid": client_id}, actor)
