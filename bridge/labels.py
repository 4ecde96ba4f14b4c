"""Names of the fields of a client's account, as a client reads them."""

from __future__ import annotations

import re

#: field of the panel -> (Spanish, English, Portuguese). Panel names after the
#: ClientEdit hook of the vendor's hook reference.
FIELDS: dict[str, tuple[str, str, str]] = {
    "firstname": ("nombre", "first name", "nome"),
    "lastname": ("apellido", "last name", "sobrenome"),
    "companyname": ("empresa", "company", "empresa"),
    "email": ("correo electrónico", "e-mail", "e-mail"),
    "address1": ("dirección", "address", "endereço"),
    "address2": ("dirección (línea 2)", "address (line 2)", "complemento"),
    "city": ("ciudad", "city", "cidade"),
    "state": ("provincia o estado", "state", "estado"),
    "postcode": ("código postal", "postcode", "CEP"),
    "country": ("país", "country", "país"),
    "phonenumber": ("teléfono", "telephone", "telefone"),
    "tax_id": ("identificación fiscal", "tax ID", "CPF/CNPJ"),
    "currency": ("moneda", "currency", "moeda"),
    "language": ("idioma", "language", "idioma"),
    "paymentmethod": ("forma de pago", "payment method", "forma de pagamento"),
    "defaultgateway": ("forma de pago", "payment method", "forma de pagamento"),
    "status": ("estado de la cuenta", "account status", "situação da conta"),
    "emailoptout": ("preferencias de correo", "e-mail preferences", "preferências"),
    "marketing_emails_opt_in": (
        "novedades por correo",
        "marketing e-mails",
        "novidades por e-mail",
    ),
}
_OTHER = ("otros datos", "other details", "outros dados")
#: The last line of a list that does not tell all.
_MORE = ("… y {} más", "… and {} more", "… e mais {}")
_POSITION = {"es": 0, "en": 1, "pt_BR": 2}


def position(language: str) -> int:
    """Return where a language stands in a row of (Spanish, English, Portuguese)."""
    return _POSITION.get(language, 0)


def changed(names: list[str], language: str) -> list[str]:
    """Return what changed in a client's words; unknown fields become one entry."""
    place = position(language)
    found: list[str] = []
    for name in names:
        label = FIELDS.get(name.casefold(), _OTHER)[place]
        if label not in found:
            found.append(label)
    return found


def more(count: int, language: str) -> str:
    """Return the line that says how many others a list does not tell."""
    return _MORE[position(language)].format(count)


def told_by(line: str) -> int:
    """Return how many others a line of `more` tells of; 0 for any other line."""
    for words in _MORE:
        pattern = re.escape(words).replace(r"\{\}", "([0-9]{1,9})")
        if found := re.fullmatch(pattern, line.strip()):
            return int(found[1])
    return 0
