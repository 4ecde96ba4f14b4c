"""What the console says when something cannot be done, in the same three languages."""

from __future__ import annotations

TROUBLES: dict[str, tuple[str, str, str]] = {
    "wrong_password": (
        "El nombre o la contraseña no es correcto.",
        "Name or password is not right.",
        "O nome ou a senha não está correto.",
    ),
    "too_many": (
        "Demasiados intentos fallidos. Se puede volver a intentar en {minutes} min.",
        "Too many wrong tries. Try again in {minutes} min.",
        "Tentativas erradas demais. Tente de novo em {minutes} min.",
    ),
    "busy": (
        "Hay demasiados pedidos a la vez. Vuelva a intentarlo en un momento.",
        "Too much is asked at once. Try again in a moment.",
        "Há pedidos demais ao mesmo tempo. Tente de novo em um momento.",
    ),
    "too_late": (
        "El panel no respondió a tiempo. No se cambió nada; vuelva a intentarlo.",
        "The panel did not answer in time. Nothing was changed; try again.",
        "O painel não respondeu a tempo. Nada foi alterado; tente de novo.",
    ),
    "panel_away": (
        "No se puede consultar el panel ahora. No se cambió nada.",
        "The panel cannot be asked now. Nothing was changed.",
        "Não é possível consultar o painel agora. Nada foi alterado.",
    ),
    "panel_knows_none": (
        "El panel no conoce ese servicio o ese plan.",
        "The panel knows no such service or plan.",
        "O painel não conhece esse serviço ou esse plano.",
    ),
    "store_away": (
        "La base de datos no responde. No se cambió nada; vuelva a intentarlo.",
        "The database does not answer. Nothing was changed; try again.",
        "O banco de dados não responde. Nada foi alterado; tente de novo.",
    ),
    "unforeseen": (
        "Algo imprevisto falló. El registro del puente dice más.",
        "Something unforeseen failed. The log of the bridge says more.",
        "Algo imprevisto falhou. O registro da ponte diz mais.",
    ),
    "not_found": (
        "En esta dirección no hay nada.",
        "There is nothing at this address.",
        "Não há nada neste endereço.",
    ),
    "no_such_order": (
        "No hay ningún pedido con ese número.",
        "There is no such order.",
        "Não há nenhum pedido com esse número.",
    ),
    "wrong_method": (
        "Esta dirección no acepta ese método.",
        "This address does not take that method.",
        "Este endereço não aceita esse método.",
    ),
    "too_large": (
        "El formulario es demasiado grande.",
        "The form is too large.",
        "O formulário é grande demais.",
    ),
    "address_not_allowed": (
        "La consola no está abierta a esta dirección (BRIDGE_CONSOLE_ALLOW).",
        "The console is not open to this address (BRIDGE_CONSOLE_ALLOW).",
        "O console não está aberto a este endereço (BRIDGE_CONSOLE_ALLOW).",
    ),
    "proxy_not_trusted": (
        "Un proxy reenvió este pedido y el puente no confía en ninguno "
        "(BRIDGE_TRUSTED_PROXIES).",
        "A proxy passed this request on, and the bridge trusts none "
        "(BRIDGE_TRUSTED_PROXIES).",
        "Um proxy repassou este pedido e a ponte não confia em nenhum "
        "(BRIDGE_TRUSTED_PROXIES).",
    ),
    "no_operator": (
        "Todavía no hay operadores. Cree el primero: whmcs-bridge operators add NOMBRE",
        "There are no operators yet. Make the first: whmcs-bridge operators add NAME",
        "Ainda não há operadores. Crie o primeiro: whmcs-bridge operators add NOME",
    ),
    "other_origin": (
        "El formulario vino de otro sitio, así que no se hizo nada. Si la consola está "
        "detrás de un proxy, BRIDGE_PUBLIC_URL debe ser su dirección.",
        "The form came from another site, so nothing was done. Behind a proxy, "
        "BRIDGE_PUBLIC_URL must be the console's address.",
        "O formulário veio de outro site, então nada foi feito. Atrás de um proxy, "
        "BRIDGE_PUBLIC_URL deve ser o endereço do console.",
    ),
    "no_token": (
        "El formulario venció o no es de esta sesión, así que no se hizo nada. "
        "Ábralo otra vez.",
        "The form expired or is not of this session, so nothing was done. "
        "Open it again.",
        "O formulário venceu ou não é desta sessão, então nada foi feito. "
        "Abra-o de novo.",
    ),
    "over_hour": (
        "No se pidió nada. Cambios de plan pedidos en la última hora: {count}; el "
        "tope es {most}. Vuelve a haber lugar el {moment}.",
        "Nothing was ordered. Plan changes ordered in the last hour: {count}; "
        "the cap is {most}. There is room again on {moment}.",
        "Nada foi pedido. Mudanças de plano pedidas na última hora: {count}; o "
        "limite é {most}. Volta a haver lugar em {moment}.",
    ),
    "over_day": (
        "No se pidió nada. Cambios de plan pedidos en 24 horas: {count}; el "
        "tope es {most}. Vuelve a haber lugar el {moment}.",
        "Nothing was ordered. Plan changes ordered in the last 24 hours: {count}; "
        "the cap is {most}. There is room again on {moment}.",
        "Nada foi pedido. Mudanças de plano pedidas em 24 horas: {count}; o "
        "limite é {most}. Volta a haver lugar em {moment}.",
    ),
    "over_client": (
        "No se pidió nada. Cambios de plan de este cliente en 24 horas: {count}; el "
        "tope es {most}. Vuelve a haber lugar el {moment}.",
        "Nothing was ordered. Plan changes of this client in the last 24 hours: "
        "{count}; the cap is {most}. There is room again on {moment}.",
        "Nada foi pedido. Mudanças de plano deste cliente em 24 horas: {count}; o "
        "limite é {most}. Volta a haver lugar em {moment}.",
    ),
    "orders_held": (
        "No se pidió nada. Los cambios de plan están detenidos: {reason}",
        "Nothing was ordered. Plan changes are held back: {reason}",
        "Nada foi pedido. As mudanças de plano estão suspensas: {reason}",
    ),
}
