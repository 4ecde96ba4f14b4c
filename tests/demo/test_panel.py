"""The panel's API: its answers with their oddities, and what it refuses."""

import json

import pytest
from werkzeug.test import Client

from bridge.demo.panel import DONE, IDENTIFIER, PATH, SECRET, Panel, implemented
from bridge.demo.panel_example import ANA, BRUNO, ELENA, FRANK, HUGO

ANAS_PLAN, BRUNOS_PLAN, FRANKS_SUPPORT = 1, 2, 6
GOOD = {"identifier": IDENTIFIER, "secret": SECRET, "responsetype": "json"}


def raw(panel, **options):
    return Client(panel).post(PATH, **options)


def test_every_action_of_the_data_file_is_implemented():
    assert implemented() == sorted(DONE)


def test_a_client_by_number_or_by_mail_address(call):
    by_number = call("GetClientsDetails", clientid=BRUNO)
    by_mail = call("GetClientsDetails", email="BRUNO@example.com")

    assert by_number["client"] == by_mail["client"]
    client = by_number["client"]
    assert client["telephoneNumber"] == "+54.91140000002"
    assert (client["phonecc"], client["phonenumber"]) == ("54", "91140000002")
    assert client["currency_code"] == "ARS"
    assert client["companyname"] == "Díaz &amp; Hijos"
    assert [user["is_owner"] for user in client["users"]["user"]] == [True, False]


def test_an_apostrophe_comes_as_an_entity(call):
    client = call("GetClientsDetails", clientid=FRANK)["client"]

    assert client["lastname"] == "O&#039;Neil"


def test_a_client_without_a_telephone_has_empty_texts(call):
    client = call("GetClientsDetails", clientid=HUGO)["client"]

    assert client["telephoneNumber"] == ""


def test_a_raw_number_gets_the_code_of_the_country(world, call):
    world.clients[ANA].phonenumber = "91155550000"

    client = call("GetClientsDetails", clientid=ANA)["client"]

    assert client["telephoneNumber"] == "+54.91155550000"


def test_statistics_are_money_for_people_and_only_on_demand(call):
    plain = call("GetClientsDetails", clientid=ELENA)
    asked = call("GetClientsDetails", clientid=ELENA, stats=1)

    assert "stats" not in plain
    assert asked["stats"]["paidinvoicesamount"] == "$30,000 CLP"


def test_services_are_text_throughout_and_leak_their_login(call):
    (service,) = call("GetClientsProducts", serviceid=ANAS_PLAN)["products"]["product"]

    assert (service["id"], service["clientid"], service["pid"]) == ("1", "1", "21")
    assert service["recurringamount"] == "100.00"
    assert service["nextduedate"] == "2027-05-20"
    assert service["password"] == "PANEL-SECRET-service-password-1"


def test_what_never_comes_due_is_noughts(call):
    (service,) = call("GetClientsProducts", serviceid=9)["products"]["product"]

    assert service["billingcycle"] == "Free Account"
    assert service["nextduedate"] == "0000-00-00"


def test_a_service_of_somebody_else_is_not_found_with_the_client(call):
    answer = call("GetClientsProducts", serviceid=ANAS_PLAN, clientid=BRUNO)

    assert answer["totalresults"] == "0"


def test_paid_options_stand_on_the_service_and_in_the_catalogue(call):
    (service,) = call("GetClientsProducts", serviceid=10)["products"]["product"]
    (product,) = call("GetProducts", pid=71)["products"]["product"]

    assert service["configoptions"]["configoption"][0]["value"] == "4 GB"
    option = product["configoptions"]["configoption"][0]["options"]["option"][1]
    assert option["pricing"]["USD"]["monthly"] == "10.00"


def test_prices_are_by_currency_and_a_cycle_not_sold_is_minus_one(call):
    plan, radio = call("GetProducts", pid="21,31")["products"]["product"]

    assert plan["pricing"]["CLP"]["annually"] == "100000.00"
    assert radio["pricing"]["ARS"]["annually"] == "-1.00"
    assert radio["name"] == "Radio &amp; Streaming"


@pytest.mark.parametrize(
    ("empty", "written"),
    [
        ("list", {"package": []}),
        ("blank", ""),
        ("null", None),
        ("plain", []),
    ],
)
def test_an_empty_list_is_written_as_the_panel_is_set(panel, call, empty, written):
    panel.empty = empty

    assert call("GetCancelledPackages")["packages"] == written


def test_an_empty_list_can_be_missing(panel, call):
    panel.empty = "missing"

    assert "packages" not in call("GetCancelledPackages")


def test_requests_to_cancel_can_come_flattened(panel, world, call):
    world.request_cancellation(BRUNOS_PLAN, "Immediate", "x")
    panel.flattened = True

    answer = call("GetCancelledPackages")

    assert answer["packages[package][0][relid]"] == "2"
    assert answer["packages[package][0][type]"] == "Immediate"


def test_an_invoice_has_lines_in_the_panels_words_and_no_due_date_per_line(call):
    invoice = call("GetInvoice", invoiceid=1)

    (item,) = invoice["items"]["item"]
    assert item["description"] == "Plan 100 - radioana.com.ar (20/05/2026 - 19/05/2027)"
    assert (item["type"], item["relid"], item["amount"]) == ("Hosting", 1, "100.00")
    assert "duedate" not in item
    assert invoice["balance"] == "0.00"


def test_no_transactions_are_an_empty_text(world, call):
    invoice = world.generate_renewal(BRUNOS_PLAN)

    answer = call("GetInvoice", invoiceid=invoice.id)

    assert answer["transactions"] == ""
    assert answer["datepaid"] == "0000-00-00 00:00:00"


def test_lists_come_in_pages_of_25(world, call):
    for _ in range(30):
        world.generate_renewal(BRUNOS_PLAN)

    first = call("GetInvoices", userid=BRUNO, orderby="id", order="desc")
    second = call("GetInvoices", userid=BRUNO, limitstart=25, orderby="id")

    assert (first["totalresults"], first["numreturned"]) == (31, 25)
    assert second["numreturned"] == 6
    ids = [row["id"] for row in first["invoices"]["invoice"]]
    assert ids == sorted(ids, reverse=True)


def test_an_invoice_of_a_call_is_told_with_its_source(world, call):
    answer = call(
        "CreateInvoice", userid=ANA, itemdescription1="Diferencia", itemamount1="50.00"
    )

    (data,) = world.hooks("InvoiceCreated")
    assert answer["invoiceid"] == str(data["invoiceid"])
    assert (data["source"], answer["status"]) == ("api", "Unpaid")


def test_a_draft_of_a_call_is_told_when_a_call_publishes_it(world, panel, call):
    draft = call(
        "CreateInvoice", userid=ANA, draft=1, itemdescription1="x", itemamount1="50.00"
    )
    quiet = world.hooks("InvoiceCreated")

    call("UpdateInvoice", invoiceid=draft["invoiceid"], publish=1)

    assert (draft["status"], quiet) == ("Draft", [])
    assert len(world.hooks("InvoiceCreated")) == 1
    assert panel.invoices_created[int(draft["invoiceid"])] == 1


def test_a_published_invoice_cannot_be_published_again(call):
    answer = call("UpdateInvoice", invoiceid=1, publish=1)

    assert answer["message"] == "Invoice must be in Draft status to be published"


def test_cancelling_by_a_call_fires_no_hook(world, call):
    invoice = world.generate_renewal(BRUNOS_PLAN)

    call("UpdateInvoice", invoiceid=invoice.id, status="Cancelled")

    assert invoice.status == "Cancelled"
    assert not world.hooks("InvoiceCancelled")


def test_lines_of_a_published_invoice_are_fixed_since_version_9(world, call):
    world.config["Version"] = "9.0.1-release.1"

    answer = call("UpdateInvoice", invoiceid=1, **{"deletelineids[0]": 1})

    assert answer["result"] == "error"
    assert len(world.invoices[1].items) == 1


def test_a_termination_counts_once_however_often_it_is_called(panel, world, call):
    first = call("ModuleTerminate", serviceid=BRUNOS_PLAN)
    second = call("ModuleTerminate", serviceid=BRUNOS_PLAN)

    assert (first["result"], second["result"]) == ("success", "error")
    assert panel.terminations == {BRUNOS_PLAN: 1}
    assert panel.count("ModuleTerminate", serviceid=BRUNOS_PLAN) == 2
    assert len(world.hooks("AfterModuleTerminate")) == 1


def test_what_staff_terminate_is_not_counted_as_a_calls_doing(panel, world):
    world.terminate(BRUNOS_PLAN)

    assert not panel.terminations


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "Service ID is required"),
        ({"serviceid": 999}, "Service ID not found"),
        ({"serviceid": FRANKS_SUPPORT}, "Service not assigned to a module"),
    ],
)
def test_module_actions_say_what_the_vendor_says(call, params, message):
    assert call("ModuleTerminate", **params)["message"] == message


def test_changing_a_service_runs_no_module_and_fires_nothing(world, panel, call):
    call(
        "UpdateClientProduct", serviceid=ANAS_PLAN, pid=22, autorecalc=1,
        billingcycle="annually", nextduedate="2027-11-20",
    )  # fmt: skip

    service = world.services[ANAS_PLAN]
    assert (service.pid, str(service.recurringamount)) == (22, "150.00")
    assert service.nextduedate.isoformat() == "2027-11-20"
    assert not world.fired
    assert not panel.package_changes


def test_the_price_of_an_upgrade_is_money_written_for_people(world, call):
    world.clients[ANA].currency = "USD"

    answer = call(
        "UpgradeProduct", serviceid=ANAS_PLAN, calconly=1, type="product",
        newproductid=22, newproductbillingcycle="annually", paymentmethod="paypal",
    )  # fmt: skip

    assert answer["price"] == "$24.79 USD"
    assert not world.upgrades


def test_an_upgrade_needs_a_known_way_to_pay_even_to_calculate(call):
    answer = call(
        "UpgradeProduct", serviceid=ANAS_PLAN, calconly=1, type="product",
        newproductid=22, newproductbillingcycle="annually", paymentmethod="gold",
    )  # fmt: skip

    assert answer["message"].startswith("Invalid Payment Method. Valid options include")


def test_not_to_renew_a_domain_is_seen_in_its_row(call):
    call("UpdateClientDomain", domainid=1, donotrenew=1)

    (domain,) = call("GetClientsDomains", domainid=1)["domains"]["domain"]
    assert domain["donotrenew"] == "1"


def test_a_ticket_of_staff_and_one_of_a_client_are_different_hooks(world, call):
    shared = {"deptid": 1, "subject": "s", "message": "m", "clientid": ANA}

    call("OpenTicket", **shared, admin=1)
    call("OpenTicket", **shared)

    assert [hook.type for hook in world.fired] == ["TicketOpenAdmin", "TicketOpen"]


def test_the_version_and_the_settings_can_be_asked_for(call):
    assert call("WhmcsDetails")["whmcs"]["version"].startswith("8.")
    assert call("GetConfigurationValue", setting="DateFormat")["value"] == "DD/MM/YYYY"
    assert (
        call("GetConfigurationValue", setting="AutoCancellationRequests")["value"] == ""
    )


@pytest.mark.parametrize(
    ("action", "params", "said"),
    [
        ("GetInvoice", {"invoiceid": "1", "id": "1"}, "unknown parameter id"),
        ("GetInvoice", {}, "invoiceid is missing"),
        ("GetInvoice", {"invoiceid": "x"}, "no whole number"),
        ("GetInvoice", {"invoiceid": "None"}, "the text None"),
        ("GetClientsDetails", {"clientid": "1", "stats": "True"}, "neither 0 nor 1"),
        ("GetClientsDetails", {"clientid": "1", "stats": "false"}, "neither 0 nor 1"),
        (
            "UpdateClientProduct",
            {"serviceid": "1", "recurringamount": "1,50"},
            "amount",
        ),
        ("UpdateClientProduct", {"serviceid": "1", "recurringamount": "1e2"}, "amount"),
        (
            "UpdateClientProduct",
            {"serviceid": "1", "recurringamount": "1.505"},
            "amount",
        ),
        (
            "UpdateClientProduct",
            {"serviceid": "1", "nextduedate": "20/11/2026"},
            "date",
        ),
        ("UpdateClientProduct", {"serviceid": "1", "status": "Dead"}, "not one of"),
        ("AddCancelRequest", {"serviceid": "1", "type": "immediate"}, "not one of"),
        ("CreateInvoice", {"userid": "1", "itemamount1": "5.00"}, "needs lines"),
        ("CreateInvoice", {"userid": "1", "itemamountx": "5.00"}, "unknown"),
        ("GetProducts", {"pid": "21;22"}, "no list of numbers"),
        ("UpdateInvoice", {"invoiceid": "1", "taxrate": "21"}, "not simulated"),
    ],
)
def test_a_careless_call_is_refused_and_counted(panel, call, action, params, said):
    answer = call(action, **params)

    assert said in answer["message"]
    assert len(panel.refused) == 1
    assert panel.refused[0].startswith(action)


def test_a_refused_call_changes_nothing(world, call):
    call("ModuleTerminate", serviceid=BRUNOS_PLAN, force=1)

    assert world.services[BRUNOS_PLAN].status == "Active"


@pytest.mark.parametrize(
    "options",
    [
        {"json": {"action": "WhmcsDetails", **GOOD}},
        {"data": {"action": "WhmcsDetails", **GOOD}, "query_string": {"x": "1"}},
        {"data": {"action": "WhmcsDetails", **GOOD, "responsetype": "xml"}},
        {"data": {"action": ["WhmcsDetails", "WhmcsDetails"], **GOOD}},
        {"data": {"action": "WhmcsDetails", **GOOD}, "method": "GET"},
    ],
    ids=["json", "address", "xml", "twice", "get"],
)
def test_what_is_no_plain_form_post_is_refused(panel, options):
    answer = Client(panel).open(PATH, **{"method": "POST", **options})

    assert answer.status_code == 400
    assert len(panel.refused) == 1


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"action": ""}, 400, "Empty action request"),
        ({"action": "MakeCoffee"}, 400, "Command Not Found"),
        ({"secret": "wrong"}, 403, "Authentication Failed"),
        ({"secret": ""}, 403, "Invalid or missing credentials"),
    ],
)
def test_who_may_not_is_told_in_the_vendors_words(panel, changes, status, message):
    answer = raw(panel, data={"action": "WhmcsDetails", **GOOD, **changes})

    assert answer.status_code == status
    assert json.loads(answer.data) == {"result": "error", "message": message}


def test_an_address_that_is_not_listed_needs_the_access_key(world):
    panel = Panel(world, accesskey="key")
    panel.allowed_ips = {"192.0.2.7"}

    without = raw(panel, data={"action": "WhmcsDetails", **GOOD})
    with_key = raw(panel, data={"action": "WhmcsDetails", **GOOD, "accesskey": "key"})

    assert json.loads(without.data)["message"] == "Invalid IP 127.0.0.1"
    assert (without.status_code, with_key.status_code) == (403, 200)


def test_an_action_the_role_lacks_is_not_allowed(panel, call):
    panel.permissions = {"WhmcsDetails"}

    answer = call("ModuleTerminate", serviceid=BRUNOS_PLAN)

    assert answer["message"].startswith("Invalid Permissions: API action")


def test_calls_are_kept_without_their_secrets(panel, call):
    call("UpdateClientProduct", serviceid=1, servicepassword="hush")

    (called,) = panel.calls
    assert (called.action, called.params) == ("UpdateClientProduct", {"serviceid": "1"})
