"""Every sentence of the console: Spanish, English, Portuguese, in this order."""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str, str]] = {
    "title": ("Consola", "Console", "Console"),
    "skip": ("Ir al contenido", "Skip to content", "Ir para o conteúdo"),
    "dry_run": (
        "Modo de prueba: se calcula y se anota todo, pero no se envía ni se "
        "cambia nada.",
        "Dry run: everything is worked out and recorded, nothing is sent or changed.",
        "Modo de teste: tudo é calculado e registrado, mas nada é enviado nem "
        "alterado.",
    ),
    "held_back": (
        "Las llamadas al panel están en pausa: {reason}",
        "Calls to the panel are held back: {reason}",
        "As chamadas ao painel estão em pausa: {reason}",
    ),
    "log_in": ("Ingresar", "Log in", "Entrar"),
    "log_out": ("Salir", "Log out", "Sair"),
    "name": ("Nombre", "Name", "Nome"),
    "password": ("Contraseña", "Password", "Senha"),
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
    "back": ("Volver al inicio", "Back to the start", "Voltar ao início"),
    "error": ("No se pudo", "That did not work", "Não foi possível"),
    "upgrades": ("Cambios de plan", "Plan changes", "Mudanças de plano"),
    "new_upgrade": ("Nuevo cambio de plan", "New plan change", "Nova mudança de plano"),
    "service": ("Servicio", "Service", "Serviço"),
    "service_number": ("Número de servicio", "Service number", "Número do serviço"),
    "where_number": (
        "Está en el panel, en la ficha del servicio (id).",
        "The panel shows it at the service (id).",
        "Está no painel, na ficha do serviço (id).",
    ),
    "go_on": ("Continuar", "Continue", "Continuar"),
    "new_plan": ("Plan nuevo", "New plan", "Plano novo"),
    "cycle": ("Período", "Cycle", "Período"),
    "cycle_as_now": ("Como ahora: {cycle}", "As now: {cycle}", "Como agora: {cycle}"),
    "calculate": ("Calcular", "Work it out", "Calcular"),
    "no_offers": (
        "Para este servicio no se ofrece ningún otro plan.",
        "No other plan is offered for this service.",
        "Para este serviço não é oferecido nenhum outro plano.",
    ),
    "not_a_service": (
        "Escriba el número del servicio: solo cifras.",
        "Type the service's number: digits only.",
        "Digite o número do serviço: só algarismos.",
    ),
    "not_a_plan": (
        "Elija un plan y un período de la lista.",
        "Choose a plan and a cycle of the list.",
        "Escolha um plano e um período da lista.",
    ),
    "client": ("Cliente", "Client", "Cliente"),
    "plan_now": ("Plan actual", "Plan now", "Plano atual"),
    "domain": ("Dominio", "Domain", "Domínio"),
    "due": ("Próximo vencimiento", "Next due date", "Próximo vencimento"),
    "quote": ("Cálculo", "Working", "Cálculo"),
    "concept": ("Concepto", "What", "Item"),
    "why": ("Por qué", "Why", "Por quê"),
    "amount": ("Importe", "Amount", "Valor"),
    "line_price": (
        "Precio del plan nuevo",
        "Price of the new plan",
        "Preço do plano novo",
    ),
    "why_price": (
        "{name}, {cycle}, {quantity} × precio de lista",
        "{name}, {cycle}, {quantity} × list price",
        "{name}, {cycle}, {quantity} × preço de tabela",
    ),
    "line_paid": ("Ya pagado", "Already paid", "Já pago"),
    "why_paid": (
        "{source}: la última pagada cuyo período incluye hoy ({first} – {last})",
        "{source}: the newest paid one whose period covers today ({first} – {last})",
        "{source}: a última paga cujo período inclui hoje ({first} – {last})",
    ),
    "line_setup": (
        "Costo de instalación incluido",
        "Setup fee in it",
        "Taxa de instalação incluída",
    ),
    "why_setup": (
        "{source}: no cuenta como pagado del plan",
        "{source}: it does not count as paid for the plan",
        "{source}: não conta como pago do plano",
    ),
    "line_discount": ("Descuento", "Discount", "Desconto"),
    "why_discount": (
        "{source}: lo que no pagó por un descuento",
        "{source}: what a discount left unpaid",
        "{source}: o que não pagou por um desconto",
    ),
    "line_charge": (
        "Cambio de plan anterior",
        "Earlier plan change",
        "Mudança de plano anterior",
    ),
    "why_charge": (
        "Pagado el {first}, en el mismo período",
        "Paid on {first}, in the same period",
        "Pago em {first}, no mesmo período",
    ),
    "line_recurring": (
        "Importe recurrente del servicio",
        "Recurring amount of the service",
        "Valor recorrente do serviço",
    ),
    "why_recurring": (
        "El mapa lo pide así (paid_basis: recurring)",
        "The map wants it so (paid_basis: recurring)",
        "O mapa pede assim (paid_basis: recurring)",
    ),
    "why_uncovered": (
        "Ninguna factura pagada de este servicio incluye hoy",
        "No paid invoice of this service covers today",
        "Nenhuma fatura paga deste serviço inclui hoje",
    ),
    "why_free": (
        "El plan actual es gratis",
        "The plan now is free of charge",
        "O plano atual é grátis",
    ),
    "invoice_number": ("Factura {number}", "Invoice {number}", "Fatura {number}"),
    "difference": ("Diferencia exacta", "Exact difference", "Diferença exata"),
    "rounding": ("Redondeo", "Rounding", "Arredondamento"),
    "rounded": (
        "Una sola vez, al final: la mitad hacia arriba",
        "Once, at the end: a half goes up",
        "Uma só vez, no final: a metade para cima",
    ),
    "not_rounded": ("No hizo falta", "None was needed", "Não foi preciso"),
    "to_pay": ("A pagar", "To pay", "A pagar"),
    "basis_invoice": (
        "Solo la diferencia; los días no cuentan. Base: la factura pagada.",
        "Only the difference; days do not count. Basis: the paid invoice.",
        "Só a diferença; os dias não contam. Base: a fatura paga.",
    ),
    "basis_recurring": (
        "Solo la diferencia; los días no cuentan. Base: el importe recurrente.",
        "Only the difference; days do not count. Basis: the recurring amount.",
        "Só a diferença; os dias não contam. Base: o valor recorrente.",
    ),
    "renews": (
        "Se renueva a {amount}, {cycle}, con vencimiento el {day}.",
        "It renews at {amount}, {cycle}, due on {day}.",
        "Renova por {amount}, {cycle}, com vencimento em {day}.",
    ),
    "renews_anew": (
        "Al habilitarse empieza un período nuevo: si fuera hoy, se renovaría a "
        "{amount}, {cycle}, el {day}.",
        "A new period begins when it is enabled: if today, it renews at {amount}, "
        "{cycle}, on {day}.",
        "Ao ser ativado começa um novo período: se fosse hoje, renovaria por {amount}, "
        "{cycle}, em {day}.",
    ),
    "renews_never": (
        "Sin fecha de renovación.",
        "There is no day of renewal.",
        "Sem data de renovação.",
    ),
    "order": (
        "Generar la factura de {amount}",
        "Make the invoice of {amount}",
        "Gerar a fatura de {amount}",
    ),
    "order_free": (
        "Cambiar el plan sin factura",
        "Change the plan without an invoice",
        "Mudar o plano sem fatura",
    ),
    "order_dry": (
        "Ensayar el pedido (no se factura)",
        "Rehearse the order (nothing is billed)",
        "Ensaiar o pedido (nada é faturado)",
    ),
    "then": (
        "Cuando el cliente la paga, el plan cambia solo.",
        "Once the client pays it, the plan changes by itself.",
        "Quando o cliente pagar, o plano muda sozinho.",
    ),
    "other_plan": ("Elegir otro plan", "Choose another plan", "Escolher outro plano"),
    "refused": ("No se puede", "Refused", "Não é possível"),
    "for_staff": ("Para el equipo", "For staff", "Para a equipe"),
    "changed": (
        "El cálculo cambió desde que lo vio, así que no se pidió nada. Este es "
        "el de ahora.",
        "The working changed since you saw it, so nothing was ordered. This is it now.",
        "O cálculo mudou desde que você o viu, então nada foi pedido. Este é o "
        "de agora.",
    ),
    "orders": ("Pedidos", "Orders", "Pedidos"),
    "no_orders": ("No hay pedidos.", "No orders yet.", "Ainda não há pedidos."),
    "when": ("Cuándo", "When", "Quando"),
    "change": ("Cambio", "Change", "Mudança"),
    "state": ("Estado", "State", "Estado"),
    "newer": ("Más nuevos", "Newer", "Mais novos"),
    "older": ("Más viejos", "Older", "Mais antigos"),
    "page": (
        "Página {number} de {all}",
        "Page {number} of {all}",
        "Página {number} de {all}",
    ),
    "order_of": (
        "Cambio de plan del servicio {number}",
        "Plan change of service {number}",
        "Mudança de plano do serviço {number}",
    ),
    "state_ordered": ("en preparación", "being prepared", "em preparação"),
    "state_invoiced": ("espera el pago", "waits for payment", "aguarda o pagamento"),
    "state_paid": ("pagado", "paid", "pago"),
    "state_applying": ("cambiando el plan", "changing the plan", "mudando o plano"),
    "state_done": ("hecho", "done", "feito"),
    "state_ended": ("terminado sin cambio", "ended unchanged", "encerrado sem mudança"),
    "state_staff": ("espera al equipo", "waits for staff", "aguarda a equipe"),
    "state_rehearsed": ("ensayado", "rehearsed", "ensaiado"),
    "step_ordered": ("Pedido anotado", "Order recorded", "Pedido registrado"),
    "step_draft": ("Factura en borrador", "Draft invoice", "Fatura em rascunho"),
    "step_published": (
        "Total igual al cálculo, factura publicada",
        "Total as quoted, invoice published",
        "Total igual ao cálculo, fatura publicada",
    ),
    "step_paid": ("Pagada por el cliente", "Paid by the client", "Paga pelo cliente"),
    "step_applied": (
        "Plan, precio y vencimiento cambiados",
        "Plan, price and due date changed",
        "Plano, preço e vencimento mudados",
    ),
    "step_told": (
        "Servidor y cliente avisados",
        "Server and client told",
        "Servidor e cliente avisados",
    ),
    "is_done": ("hecho", "done", "feito"),
    "is_now": ("en curso", "under way", "em andamento"),
    "is_next": ("falta", "to come", "falta"),
    "is_stopped": ("detenido", "stopped", "parado"),
    "client_pays": (
        "El cliente paga aquí",
        "The client pays here",
        "O cliente paga aqui",
    ),
    "by_itself": ("Se actualiza sola.", "It refreshes by itself.", "Atualiza sozinha."),
    "status_active": ("Activo", "Active", "Ativo"),
    "status_pending": ("Pendiente", "Pending", "Pendente"),
    "status_suspended": ("Suspendido", "Suspended", "Suspenso"),
    "status_terminated": ("Terminado", "Terminated", "Encerrado"),
    "status_cancelled": ("Cancelado", "Cancelled", "Cancelado"),
    "status_completed": ("Completado", "Completed", "Concluído"),
    "status_fraud": ("Fraude", "Fraud", "Fraude"),
    "language": ("Idioma", "Language", "Idioma"),
}
