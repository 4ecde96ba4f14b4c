<?php

namespace HookBridge;

use WHMCS\Database\Capsule;

/**
 * Under which conditions a service may change hands, as far as the panel knows.
 *
 * Asked inside the transaction of the move, after its rows are locked: what is read
 * here is from then on. Each failure is a Refusal with a reason of its own.
 */
class Conditions
{
    /** Invoices in any other state are owed, those of states still to come too. */
    const SETTLED = ['paid', 'cancelled', 'refunded', 'draft'];

    /** @var callable|null how the panel's own API is asked: (action, values) */
    private $api;

    public function __construct(?callable $api = null)
    {
        $this->api = $api;
    }

    /** Refuse unless both may be part of it; *clients* are their locked rows by number. */
    public function checkClients(array $asked, array $clients)
    {
        if ($asked['from_client_id'] === $asked['to_client_id']) {
            throw new Refusal('same_client', 'Both are the same client.');
        }
        foreach (['from_client_id', 'to_client_id'] as $which) {
            $number = $asked[$which];
            if (!isset($clients[$number])) {
                throw new Refusal('no_client', 'There is no client ' . $number . '.');
            }
            if (strtolower((string) $clients[$number]->status) === 'closed') {
                throw new Refusal('client_closed', 'Client ' . $number . ' is closed.');
            }
        }
        $from = $clients[$asked['from_client_id']];
        $to = $clients[$asked['to_client_id']];
        if (self::mail($from) === self::mail($to)) {
            throw new Refusal('same_email', 'Both clients have the same e-mail.');
        }
        foreach ([$from, $to] as $client) {
            $others = Capsule::table('tblclients')->where('id', '<>', $client->id)
                ->where('email', trim((string) $client->email))->exists();
            if ($others) {
                throw new Refusal(
                    'shared_email',
                    'Another client has the e-mail of client ' . $client->id . '.'
                );
            }
        }
        if ((int) $from->currency !== (int) $to->currency) {
            throw new Refusal('currencies_differ', 'The clients bill in different currencies.');
        }
        foreach ([$from, $to] as $client) {
            if (!$this->isVerified((int) $client->id, $asked['verified_field'])) {
                throw new Refusal('not_verified', 'Client ' . $client->id . ' is not verified.');
            }
        }
    }

    private static function mail($client)
    {
        return strtolower(trim((string) $client->email));
    }

    /**
     * Whether the account is verified, by the panel's own word.
     *
     * GetClientsDetails tells email_verified in every version; where it is kept
     * moved with version 8. *field* is a custom field that counts instead.
     */
    private function isVerified($client, $field)
    {
        if ($field !== null) {
            // The values of a product's field hang on services of the same numbers.
            $clients = Capsule::table('tblcustomfields')
                ->where('id', $field)->where('type', 'client')->exists();
            $value = !$clients ? '' : Capsule::table('tblcustomfieldsvalues')
                ->where('fieldid', $field)->where('relid', $client)->value('value');
            // Not strtolower, which leaves capitals with accents as they are.
            return preg_match('/\A(|0|no|off|false|n[ãa]o)\z/iu', trim((string) $value)) === 0;
        }
        if ($this->api === null) {
            throw new \RuntimeException('the panel has no localAPI');
        }
        $told = call_user_func($this->api, 'GetClientsDetails', ['clientid' => $client]);
        if (!is_array($told) || !isset($told['result']) || $told['result'] !== 'success') {
            throw new \RuntimeException('GetClientsDetails did not succeed');
        }
        $inner = isset($told['client']) && is_array($told['client']) ? $told['client'] : $told;
        $flag = isset($inner['email_verified']) ? $inner['email_verified'] : false;
        return in_array($flag, [true, 1, '1', 'true', 'on'], true);
    }

    /** Refuse unless the service may go; *service* is its locked row, or null. */
    public function checkService(array $asked, $service, array $addons)
    {
        $number = $asked['service_id'];
        if ($service === null) {
            throw new Refusal('no_service', 'There is no service ' . $number . '.');
        }
        if ((int) $service->userid !== $asked['from_client_id']) {
            throw new Refusal(
                'other_owner',
                'Service ' . $number . ' does not belong to client '
                    . $asked['from_client_id'] . '.'
            );
        }
        if ($service->domainstatus !== 'Active') {
            throw new Refusal('not_active', 'Service ' . $number . ' is not active.');
        }
        $cancelled = Capsule::table('tblcancelrequests')->where('relid', $number)
            ->lockForUpdate()->exists();
        if ($cancelled) {
            throw new Refusal('cancellation_pending', 'A cancellation of it is pending.');
        }
        $upgrades = Capsule::table('tblupgrades')
            ->where(function ($query) use ($number, $addons) {
                $query->where(function ($own) use ($number) {
                    $own->where('type', '<>', 'addon')->where('relid', $number);
                })->orWhere(function ($own) use ($addons) {
                    $own->where('type', 'addon')->whereIn('relid', $addons);
                });
            })->lockForUpdate()->get(['id', 'status']);
        foreach ($upgrades as $upgrade) {
            if ($upgrade->status === 'Pending') {
                throw new Refusal('upgrade_pending', 'An upgrade of it is pending.');
            }
        }
        $this->checkInvoices($number, $addons, $upgrades->pluck('id')->all());
    }

    private function checkInvoices($service, array $addons, array $upgrades)
    {
        $lines = [
            [['Hosting', 'PromoHosting', 'Setup'], [$service]],
            [['Addon', 'PromoAddon'], $addons],
            [['Upgrade'], $upgrades],
        ];
        $open = Capsule::table('tblinvoiceitems')
            ->join('tblinvoices', 'tblinvoices.id', '=', 'tblinvoiceitems.invoiceid')
            ->where(function ($query) use ($lines) {
                foreach ($lines as $line) {
                    $query->orWhere(function ($own) use ($line) {
                        $own->whereIn('tblinvoiceitems.type', $line[0])
                            ->whereIn('tblinvoiceitems.relid', $line[1]);
                    });
                }
            })
            ->distinct()->get(['tblinvoices.id', 'tblinvoices.status']);
        foreach ($open as $invoice) {
            if (!in_array(strtolower((string) $invoice->status), self::SETTLED, true)) {
                throw new Refusal('invoice_open', 'Invoice ' . $invoice->id . ' of it is open.');
            }
        }
    }
}
